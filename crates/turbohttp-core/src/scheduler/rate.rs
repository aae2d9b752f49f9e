//! Rates: so many permits in so much time.
//!
//! # Implementation
//!
//! A token bucket, kept as one moment: the generic cell rate algorithm, GCRA (ITU-T I.371). A
//! bucket is full again at a moment that each permit moves on by one interval; a permit is due once
//! that moment is at most the tolerance away. There is nothing to refill, so a lane at rest costs
//! nothing.

use std::time::Duration;

use super::bounds::{InvalidRule, PERMITS_MAX};
use super::heap::NONE;
use super::moment::Moment;

/// The shortest time between two permits of a [`Rate`]: 1 µs, a million permits per second. A
/// client that sends more needs no rate.
pub const RATE_INTERVAL_MIN: Duration = Duration::from_micros(1);

/// The longest time in which the burst of a [`Rate`] comes together: a year. Moments are
/// nanoseconds in 64 bits, to which a few such times can be added.
pub const RATE_BURST_TIME_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How much too early a permit may be granted, in nanoseconds: 2 ms. Timers tick in milliseconds
/// and come late; what is late by less is made up for, so that a rate beyond 1,000 per second is
/// reached, and one below does not fall behind tick by tick.
const LENIENCY_NANOS: u64 = 2_000_000;

/// At most so many permits in so much time, evenly spaced, and so many at once after a rest.
///
/// A permit is due one interval after the one before it. A lane that was at rest has saved up to a
/// burst of permits, which are granted at once; by default the burst is 1, which spaces all of them.
/// Within any time `t` a lane gets at most `burst + (t + 2 ms) / interval` permits: a permit may be
/// granted up to 2 ms early, because timers tick in milliseconds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use turbohttp_core::scheduler::Rate;
///
/// let ten = Rate::per_second(10.0).burst(5);
/// assert_eq!(ten.interval(), Duration::from_millis(100));
/// assert_eq!(Rate::new(600, Duration::from_secs(60)).burst(5), ten);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds from one permit to the next. [`Rate::check`] refuses 0, which stands for a rate
    /// that is no number.
    interval: u64,
    burst: u32,
}

impl Rate {
    /// So many permits per second, fractions included: 0.1 is one in 10 s.
    ///
    /// A rate that is not positive, or is out of bounds, is refused where it is used.
    pub fn per_second(permits: f64) -> Rate {
        // The cast turns what is no number, or negative, into 0.
        Rate::of_interval((1e9 / permits).ceil() as u64)
    }

    /// `permits` in each `time`, as in "600 in a minute".
    ///
    /// A rate of no permits, or out of bounds, is refused where it is used.
    pub fn new(permits: u32, time: Duration) -> Rate {
        // Rounded up: a rate is not passed.
        let interval = time.as_nanos().div_ceil(u128::from(permits.max(1)));
        match permits {
            0 => Rate::of_interval(0),
            _ => Rate::of_interval(u64::try_from(interval).unwrap_or(u64::MAX)),
        }
    }

    fn of_interval(interval: u64) -> Rate {
        Rate { interval, burst: 1 }
    }

    /// Sets how many permits may be granted at once after a rest. Default 1.
    #[must_use]
    pub fn burst(mut self, permits: u32) -> Rate {
        self.burst = permits;
        self
    }

    /// The time from one permit to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// Permits that may be granted at once after a rest.
    pub fn burst_size(&self) -> u32 {
        self.burst
    }

    /// Checks the rate against its bounds.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] for less than [`RATE_INTERVAL_MIN`] between two permits, for a burst of 0 or
    /// beyond [`PERMITS_MAX`], and for a burst that takes longer than [`RATE_BURST_TIME_MAX`].
    pub fn check(&self) -> Result<(), InvalidRule> {
        let (least, most) = (RATE_INTERVAL_MIN, RATE_BURST_TIME_MAX);
        let refuse = |field, bound, value| {
            let value = usize::try_from(value).unwrap_or(usize::MAX);
            Err(InvalidRule {
                field,
                bound,
                value,
            })
        };
        if !(1..=PERMITS_MAX as u64).contains(&u64::from(self.burst)) {
            let bound = format!("1..={PERMITS_MAX}");
            return refuse("rate.burst", bound, u64::from(self.burst));
        }
        // Of the whole burst, as its product with the interval is added to moments.
        let whole = u128::from(self.interval) * u128::from(self.burst);
        if self.interval() < least || whole > most.as_nanos() {
            let bound = format!("one permit in {least:?} or longer, its burst in {most:?} at most");
            return refuse("rate", bound, self.interval);
        }
        Ok(())
    }

    /// How far ahead of the moment at which its bucket is full a permit may be granted, in
    /// nanoseconds.
    fn tolerance(&self) -> u64 {
        // With a burst of 1 nothing is saved, and the leniency alone is the tolerance.
        let saved = self.interval * u64::from(self.burst - 1);
        saved.max(LENIENCY_NANOS)
    }

    /// When the bucket is full of a lane that has just had as many permits as it may.
    pub(super) fn full_at_latest(&self, now: Moment) -> Moment {
        now.plus(self.tolerance()).plus(self.interval)
    }
}

/// The token bucket of one lane.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) rate: Rate,
    /// When the bucket is full: the "theoretical arrival time" of GCRA.
    ///
    /// Invariant: at most one burst and one interval away from the last permit.
    pub(super) full_at: Moment,
    /// The place of the lane in the heap of openings; [`NONE`] where it is not in it.
    pub(super) opening_at: u32,
}

impl Bucket {
    pub(super) fn new(rate: Rate, full_at: Moment) -> Bucket {
        Bucket {
            rate,
            full_at,
            opening_at: NONE,
        }
    }

    /// When the next permit is due.
    pub(super) fn opens_at(&self) -> Moment {
        self.full_at.minus(self.rate.tolerance())
    }

    /// Takes one permit out.
    pub(super) fn take(&mut self, now: Moment) {
        // A bucket that has been full since then saves up nothing more: it counts from now.
        self.full_at = self.full_at.max(now).plus(self.rate.interval);
    }

    /// Puts one permit back that was granted and not used.
    pub(super) fn put_back(&mut self) {
        self.full_at = self.full_at.minus(self.rate.interval);
    }

    /// Changes the rate. What was taken at a slower rate keeps the lane closed for no longer than
    /// one interval of the new one.
    pub(super) fn set_rate(&mut self, rate: Rate, now: Moment) {
        self.rate = rate;
        self.full_at = self.full_at.min(rate.full_at_latest(now));
    }
}
