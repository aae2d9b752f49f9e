//! A gate: what it lets in, what its close waits for, and what the close reports.

use std::time::Duration;

use super::call::Outcome;
use super::moment::Moment;
use crate::earlier::earlier;
use crate::sync::{Arc, AtomicBool, Ordering};

/// How a gate is closed, the mildest way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "these are all the ways")]
pub enum CloseMode {
    /// Everything inside goes on, what waits included.
    Drain,
    /// What waits is refused, what holds a permit goes on.
    CancelPending,
    /// What waits is refused, what holds a permit is cut off.
    Now,
}

/// How far a gate is closed. A gate never goes back to an earlier stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "the states are the concept")]
pub enum Stage {
    /// New calls may enter.
    Open,
    /// No call enters; what is inside goes on, and is still admitted.
    Draining,
    /// No call enters, and nothing inside is admitted any more; what holds a permit goes on.
    Canceling,
    /// Nothing is inside, or what was inside has been cut off.
    Closed,
}

/// How many calls ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// See [`Outcome::Completed`].
    pub completed: u64,
    /// See [`Outcome::Failed`].
    pub failed: u64,
    /// See [`Outcome::Canceled`].
    pub canceled: u64,
    /// See [`Outcome::Expired`].
    pub expired: u64,
    /// See [`Outcome::Aborted`].
    pub aborted: u64,
}

impl Counts {
    /// How many calls ended in all.
    pub fn sum(&self) -> u64 {
        self.completed + self.failed + self.canceled + self.expired + self.aborted
    }

    /// Counts one more that ended like this. The one place where an outcome becomes a counter.
    #[inline]
    pub fn count(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Completed => &mut self.completed,
            Outcome::Failed => &mut self.failed,
            Outcome::Canceled => &mut self.canceled,
            Outcome::Expired => &mut self.expired,
            Outcome::Aborted => &mut self.aborted,
        };
        *count += 1;
    }

    /// What was counted after `before`.
    fn since(&self, before: &Counts) -> Counts {
        Counts {
            completed: self.completed - before.completed,
            failed: self.failed - before.failed,
            canceled: self.canceled - before.canceled,
            expired: self.expired - before.expired,
            aborted: self.aborted - before.aborted,
        }
    }
}

/// How everything ended that was inside when a gate began to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many calls were inside.
    pub accepted: u64,
    /// How they ended; the sum is `accepted`.
    pub counts: Counts,
    /// From the call that began the close to the moment when nothing was inside any more.
    pub elapsed: Duration,
}

/// A close that has begun.
#[derive(Debug)]
struct Closing {
    began: Moment,
    /// Calls inside at that moment, and what had been counted before it.
    accepted: u64,
    before: Counts,
    /// When what is still inside is cut off.
    deadline: Option<Moment>,
}

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) stage: Stage,
    /// Calls inside, and permits without a call. Invariant: each of them [departs](Gate::depart)
    /// once.
    pub(super) present: u64,
    pub(super) counts: Counts,
    closing: Option<Closing>,
    report: Option<Report>,
    /// Set when everything inside is to stop at once. Futures read it without the scheduler's lock.
    cut: Arc<AtomicBool>,
}

impl Gate {
    pub(super) fn new() -> Gate {
        Gate {
            stage: Stage::Open,
            present: 0,
            counts: Counts::default(),
            closing: None,
            report: None,
            cut: Arc::new(AtomicBool::new(false)),
        }
    }

    pub(super) fn cut_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cut)
    }

    pub(super) fn report(&self) -> Option<Report> {
        self.report
    }

    /// When the close cuts off what is inside, while it has not done so.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.stage {
            Stage::Draining | Stage::Canceling => self.closing.as_ref()?.deadline,
            Stage::Open | Stage::Closed => None,
        }
    }

    /// Counts a call as over. Returns `true` if it was the last one inside of a gate that is
    /// closing, which is closed by this.
    #[inline]
    pub(super) fn depart(&mut self, outcome: Outcome, now: Moment) -> bool {
        // Counted before the gate can close, as the report is made of the counts.
        self.present -= 1;
        self.counts.count(outcome);
        self.stage != Stage::Open && self.end_if_empty(now)
    }

    /// Begins to close, or goes on closing: of two modes the stronger one holds, of two deadlines
    /// the earlier one.
    pub(super) fn begin(&mut self, mode: CloseMode, deadline: Option<Moment>, now: Moment) {
        // The first call alone decides what was inside and when the close began.
        let closing = self.closing.get_or_insert(Closing {
            began: now,
            accepted: self.present,
            before: self.counts,
            deadline: None,
        });
        closing.deadline = earlier(closing.deadline, deadline);
        // `max` below: `Stage` is ordered, and a weaker mode must not reopen what a stronger one
        // has closed.
        let stage = match mode {
            CloseMode::Drain => Stage::Draining,
            CloseMode::CancelPending | CloseMode::Now => Stage::Canceling,
        };
        self.stage = self.stage.max(stage);
    }

    /// Sets the flag that tells everything inside to stop. `Release`: a future that is woken after
    /// this, by the same thread, reads the flag as set.
    pub(super) fn cut(&mut self) {
        self.cut.store(true, Ordering::Release);
    }

    pub(super) fn is_cut(&self) -> bool {
        // Relaxed: the caller holds the scheduler's lock, under which the flag is set.
        self.cut.load(Ordering::Relaxed)
    }

    /// Closes a gate that is closing if nothing is inside. Returns `true` once, when it does so.
    pub(super) fn end_if_empty(&mut self, now: Moment) -> bool {
        if self.present > 0 || !matches!(self.stage, Stage::Draining | Stage::Canceling) {
            return false;
        }
        let Some(closing) = &self.closing else {
            return false;
        };
        self.report = Some(Report {
            accepted: closing.accepted,
            // The gate counts from the beginning of its life; the report is about this close.
            counts: self.counts.since(&closing.before),
            elapsed: Duration::from_nanos(now.since(closing.began)),
        });
        self.stage = Stage::Closed;
        true
    }
}
