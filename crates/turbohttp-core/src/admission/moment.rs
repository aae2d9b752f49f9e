//! The scheduler's own time: a number, so that accounting is plain arithmetic.

use std::time::{Duration, Instant};

use super::Scheduler;

/// Nanoseconds since the scheduler was made; what was before counts as its beginning.
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
}

impl Scheduler {
    /// The moment of an instant, in a few steps where it is that of the last sweep.
    #[inline]
    pub(super) fn moment(&self, instant: Instant) -> Moment {
        if instant == self.swept {
            return self.swept_at;
        }
        self.moment_of_any(instant)
    }

    #[inline(never)]
    fn moment_of_any(&self, instant: Instant) -> Moment {
        let passed = instant.saturating_duration_since(self.base).as_nanos();
        // 2^64 ns are 584 years.
        Moment(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The instant of a moment; `None` if it is too far away to be one.
    pub(super) fn instant(&self, moment: Moment) -> Option<Instant> {
        self.base.checked_add(Duration::from_nanos(moment.0))
    }
}
