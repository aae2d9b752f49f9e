//! The rules of a scheduler: its limits, their bounds, and what is reserved.

use std::time::Duration;

use super::adaptive::AdaptiveLimit;
use super::bounds::{AGEING_MAX, InvalidRule, PERMITS_MAX, WAITING_MAX};
use super::priority::Priority;
use super::rate::Rate;

/// The rules of a [`Scheduler`](super::Scheduler).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Permits per lane. Default 64.
    pub per_lane: usize,
    /// Permits in total. Default 256.
    pub total: usize,
    /// Calls that may wait in total, not counting jobs of groups. Default 65,536.
    pub waiting: usize,
    /// Calls that may wait in one lane, not counting jobs of groups. Default 10,000.
    pub waiting_per_lane: usize,
    /// Lanes that are kept although nothing runs or waits in them; beyond that the one that has
    /// been idle longest is forgotten. Default 128.
    pub idle_lanes: usize,
    /// After so long in line a call counts as one level more urgent, after twice as long as two
    /// levels. Default none: strict priority, under which more urgent work without end starves the
    /// rest.
    pub ageing: Option<Duration>,
    /// Permits that less urgent calls leave free. Default none.
    pub reserve: Reserve,
    /// Permits per time of each lane. Default none. A lane that is forgotten, because it is idle,
    /// begins with a whole burst.
    pub rate: Option<Rate>,
    /// Has the limit of each lane follow what its server bears, as
    /// [`observe`](super::Scheduler::observe) is told; the lane's ordinary limit is the most. Default
    /// none.
    pub adaptive: Option<AdaptiveLimit>,
}

/// Permits that are kept free for urgent requests.
///
/// A request that runs is never interrupted, so a less urgent one can hold the last permit of an
/// origin while an urgent one waits. A reserve for a level is left free by every level below it.
/// One permit of each origin, at least, stays open to all levels.
///
/// # Examples
///
/// Two permits of the total are for `Critical` alone, one more for `High` and above:
///
/// ```
/// use turbohttp_core::scheduler::{Priority, Reserve};
///
/// let mut reserve = Reserve::NONE;
/// reserve.total[Priority::Critical.index()] = 2;
/// reserve.total[Priority::High.index()] = 1;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reserve {
    /// Permits of every origin that each level keeps from those below it, by [`Priority::index`].
    pub per_lane: [usize; Priority::COUNT],
    /// Permits of the total that each level keeps from those below it, by [`Priority::index`].
    pub total: [usize; Priority::COUNT],
}

impl Reserve {
    /// No permit is kept.
    pub const NONE: Self = Self {
        per_lane: [0; Priority::COUNT],
        total: [0; Priority::COUNT],
    };
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            per_lane: 64,
            total: 256,
            waiting: 65_536,
            waiting_per_lane: 10_000,
            idle_lanes: 128,
            ageing: None,
            reserve: Reserve::default(),
            rate: None,
            adaptive: None,
        }
    }
}

impl Rules {
    /// Checks every rule against its bound.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] for a limit of 0 or beyond its bound, for a reserve that leaves nothing to
    /// the least urgent level, and for ageing together with a reserve: under ageing all levels
    /// share one line, whose first would have to wait for a permit that is free but reserved.
    pub fn check(&self) -> Result<(), InvalidRule> {
        // The names in the errors are those of the fields, as users of `turbohttp` see them.
        in_range("per_lane", self.per_lane, 1, PERMITS_MAX)?;
        in_range("total", self.total, 1, PERMITS_MAX)?;
        in_range("waiting", self.waiting, 1, WAITING_MAX)?;
        in_range("waiting_per_lane", self.waiting_per_lane, 1, WAITING_MAX)?;
        in_range("idle_lanes", self.idle_lanes, 1, PERMITS_MAX)?;
        reserved("reserve.per_lane", &self.reserve.per_lane, self.per_lane)?;
        reserved("reserve.total", &self.reserve.total, self.total)?;
        if let Some(rate) = &self.rate {
            rate.check()?;
        }
        if let Some(adaptive) = &self.adaptive {
            adaptive.check()?;
        }
        match self.ageing {
            Some(step) if step.is_zero() || step > AGEING_MAX => Err(InvalidRule {
                field: "ageing",
                bound: format!("from 1 ns to {AGEING_MAX:?}"),
                value: usize::try_from(step.as_secs()).unwrap_or(usize::MAX),
            }),
            // The order under ageing is by rank alone, and a reserve could stop the first in line
            // for ever.
            Some(_) if self.reserve != Reserve::default() => Err(InvalidRule {
                field: "reserve",
                bound: "none where ageing is on".to_owned(),
                value: self
                    .reserve
                    .total
                    .iter()
                    .chain(&self.reserve.per_lane)
                    .sum(),
            }),
            _ => Ok(()),
        }
    }
}

fn in_range(field: &'static str, value: usize, min: usize, max: usize) -> Result<(), InvalidRule> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(InvalidRule {
        field,
        bound: format!("{min}..={max}"),
        value,
    })
}

fn reserved(
    field: &'static str,
    kept: &[usize; Priority::COUNT],
    limit: usize,
) -> Result<(), InvalidRule> {
    // Saturating: a user may pass any numbers, and a sum that wraps could be in range. What is
    // left, at least one permit, is for the least urgent level.
    let sum = kept
        .iter()
        .fold(0usize, |sum, kept| sum.saturating_add(*kept));
    in_range(field, sum, 0, limit - 1)
}
