//! The scheduler's own time: a number of nanoseconds, so that accounting is plain arithmetic.

use std::time::{Duration, Instant};

/// Nanoseconds since the scheduler was made; an instant before that counts as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moment {
    /// Nanoseconds that have passed since `earlier`; 0 if that is later.
    #[inline]
    pub(super) fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    #[inline]
    pub(super) fn plus(self, nanos: u64) -> Moment {
        Moment(self.0.saturating_add(nanos))
    }

    #[inline]
    pub(super) fn minus(self, nanos: u64) -> Moment {
        Moment(self.0.saturating_sub(nanos))
    }
}

/// Turns instants into moments and back.
#[derive(Debug)]
pub(super) struct Clock {
    /// The instant of moment 0.
    base: Instant,
    /// The last time that was announced by [`advance`](Clock::advance), and the same as a moment.
    ///
    /// Invariant: `latest_moment` is what [`moment_of_any`](Clock::moment_of_any) gives for
    /// `latest`.
    latest: Instant,
    latest_moment: Moment,
}

impl Clock {
    pub(super) fn new(base: Instant) -> Clock {
        Clock {
            base,
            latest: base,
            latest_moment: Moment::default(),
        }
    }

    #[inline]
    pub(super) fn latest(&self) -> Instant {
        self.latest
    }

    #[inline]
    pub(super) fn latest_moment(&self) -> Moment {
        self.latest_moment
    }

    /// The moment of an instant. Callers that need no exact time pass [`latest`](Clock::latest),
    /// for which this is one comparison.
    #[inline]
    pub(super) fn moment(&self, instant: Instant) -> Moment {
        if instant == self.latest {
            return self.latest_moment;
        }
        self.moment_of_any(instant)
    }

    #[inline(never)]
    fn moment_of_any(&self, instant: Instant) -> Moment {
        let passed = instant.saturating_duration_since(self.base).as_nanos();
        // 2^64 ns are 584 years.
        Moment(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Notes that `now` has come, unless the clock has been there already.
    pub(super) fn advance(&mut self, now: Instant) -> Moment {
        let at = self.moment(now);
        if now > self.latest {
            self.latest = now;
            self.latest_moment = at;
        }
        at
    }

    /// The instant of a moment; `None` if it is too far away to be one.
    pub(super) fn instant(&self, moment: Moment) -> Option<Instant> {
        self.base.checked_add(Duration::from_nanos(moment.0))
    }
}
