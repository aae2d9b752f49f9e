//! How much a scheduler admits, and by which rules.

use std::fmt;
use std::time::Duration;

use super::Priority;

/// The most permits that any limit may give: a slot of the scheduler is a `u32`, and no machine has as
/// many sockets.
pub const PERMITS_MAX: usize = 1 << 20;

/// The most visits that may be told to wait.
pub const WAITING_MAX: usize = 1 << 24;

/// The most lanes with a limit of their own.
pub const OVERRIDES_MAX: usize = 4_096;

/// The most lanes that are paused at the same time.
pub const PAUSED_LANES_MAX: usize = 4_096;

/// The most lanes that are kept because there are handles of them.
pub const PINNED_LANES_MAX: usize = 4_096;

/// The most groups of workers on one scheduler.
pub const GROUPS_MAX: usize = 16;

/// How long a grant waits for its owner to take it up, in milliseconds, before it is passed on; it may
/// take twice as long.
pub const GRANT_MS: u64 = 100;

/// The longest step of ageing: longer ones are no ageing, and would leave ranks no room.
pub(super) const AGEING_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The rules of a [`Scheduler`](super::Scheduler).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Permits per lane. Default 64.
    pub per_lane: usize,
    /// Permits in total. Default 256.
    pub total: usize,
    /// Visits that may wait in total, not counting jobs of groups. Default 65,536.
    pub waiting: usize,
    /// Visits that may wait in one lane, not counting jobs of groups. Default 10,000.
    pub waiting_per_lane: usize,
    /// Lanes that are kept although nothing runs or waits in them. Default 128.
    pub idle_lanes: usize,
    /// After so long in line a visit counts as one level more urgent, after twice as long as two.
    /// Default none: strict priority, under which endless urgent work starves the rest.
    pub ageing: Option<Duration>,
    /// Permits that less urgent visits leave free. Default none.
    pub reserve: Reserve,
}

/// Permits that are kept free for urgent visits.
///
/// What runs is never interrupted, so a less urgent request can hold the last permit of a host while
/// the urgent one waits. A reserve for a level is left free by every level below it. At least one
/// permit of each lane stays open to all levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reserve {
    /// Permits of every lane that each level keeps from those below it.
    pub per_lane: [usize; Priority::COUNT],
    /// Permits of the total that each level keeps from those below it.
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
        }
    }
}

/// A rule that cannot be kept: which one, what is allowed, and what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidRule {
    /// The field of [`Rules`].
    pub field: &'static str,
    /// What it may be.
    pub bound: String,
    /// What it was to be.
    pub value: usize,
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidRule {
            field,
            bound,
            value,
        } = self;
        write!(f, "{field} must be {bound} (got {value})")
    }
}

impl std::error::Error for InvalidRule {}

impl Rules {
    /// Whether these rules can be kept.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] for a limit of 0 or beyond its bound, for a reserve that leaves nothing to the
    /// least urgent level, and for ageing together with a reserve: what has aged would stand in front
    /// of permits that it may not take.
    pub fn check(&self) -> Result<(), InvalidRule> {
        in_range("per_lane", self.per_lane, 1, PERMITS_MAX)?;
        in_range("total", self.total, 1, PERMITS_MAX)?;
        in_range("waiting", self.waiting, 1, WAITING_MAX)?;
        in_range("waiting_per_lane", self.waiting_per_lane, 1, WAITING_MAX)?;
        in_range("idle_lanes", self.idle_lanes, 1, PERMITS_MAX)?;
        reserved("reserve.per_lane", &self.reserve.per_lane, self.per_lane)?;
        reserved("reserve.total", &self.reserve.total, self.total)?;
        match self.ageing {
            Some(step) if step.is_zero() || step > AGEING_MAX => Err(InvalidRule {
                field: "ageing",
                bound: format!("from 1 ns to {AGEING_MAX:?}"),
                value: usize::try_from(step.as_secs()).unwrap_or(usize::MAX),
            }),
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
    let sum = kept
        .iter()
        .fold(0usize, |sum, kept| sum.saturating_add(*kept));
    in_range(field, sum, 0, limit - 1)
}

/// How many permits each level may see in use and still start.
pub(super) fn ceilings(limit: usize, kept: &[usize; Priority::COUNT]) -> [usize; Priority::COUNT] {
    let mut left = limit;
    let mut ceilings = [0; Priority::COUNT];
    for (ceiling, kept) in ceilings.iter_mut().zip(kept) {
        *ceiling = left.max(1);
        left = left.saturating_sub(*kept);
    }
    ceilings
}
