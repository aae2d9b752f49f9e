//! How many permits there are and how many are out.

use super::priority::Priority;

/// The permits of one limit: the scheduler has one for the total, each lane has one of its own.
///
/// A level may take a permit while fewer are out than its ceiling. The ceiling of the most urgent
/// level is the limit; each reserve lowers the ceilings of the levels below it (see
/// [`Reserve`](super::Reserve)).
#[derive(Debug)]
pub(super) struct Capacity {
    limit: usize,
    /// Invariant: `ceilings[0] == limit`, and no ceiling is greater than the one before it or, unless the limit is
    /// 0, less than 1.
    ceilings: [usize; Priority::COUNT],
    /// Permits that are out, those of grants that were not taken up included.
    ///
    /// Invariant: it passes a ceiling only when the limit is lowered below what is out already.
    running: usize,
}

impl Capacity {
    pub(super) fn new(limit: usize, reserve: &[usize; Priority::COUNT]) -> Capacity {
        Capacity {
            limit,
            ceilings: ceilings(limit, reserve),
            running: 0,
        }
    }

    /// Changes the limit. What is out stays out: with a lower limit, permits that are released are
    /// kept until it holds.
    pub(super) fn set_limit(&mut self, limit: usize, reserve: &[usize; Priority::COUNT]) {
        self.limit = limit;
        self.ceilings = ceilings(limit, reserve);
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Whether a call of this level may take one more permit.
    #[inline]
    pub(super) fn allows(&self, level: usize) -> bool {
        self.running < self.ceilings[level]
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.running >= self.limit
    }

    /// Whether exactly one permit is free, of the limit and without regard to reserves.
    #[inline]
    pub(super) fn has_one_left(&self) -> bool {
        self.running + 1 == self.limit
    }

    #[inline]
    pub(super) fn take(&mut self) {
        self.running += 1;
    }

    #[inline]
    pub(super) fn release(&mut self) {
        self.running -= 1;
    }
}

/// How many permits each level may see in use and still start.
fn ceilings(limit: usize, kept: &[usize; Priority::COUNT]) -> [usize; Priority::COUNT] {
    if limit == 0 {
        return [0; Priority::COUNT];
    }
    let mut left = limit;
    let mut ceilings = [0; Priority::COUNT];
    for (ceiling, kept) in ceilings.iter_mut().zip(kept) {
        // In the order of urgency: each level leaves free what the levels above it keep. A lane's
        // own limit may be less than the reserve of all lanes: one permit stays open to every
        // level.
        *ceiling = left.max(1);
        left = left.saturating_sub(*kept);
    }
    ceilings
}
