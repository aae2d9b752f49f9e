//! Open, closing, closed: what a gate lets in, what it waits for, and what it reports.

use std::time::Duration;

use super::moment::Moment;
use super::visit::Outcome;
use crate::sync::{Arc, AtomicBool, Ordering};

/// How a gate is closed; the later one is the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "these are all the ways")]
pub enum CloseMode {
    /// What is inside goes on, what waits included.
    Drain,
    /// What waits is refused, what runs goes on.
    CancelPending,
    /// What waits is refused, what runs is cut off.
    Now,
}

/// How far a gate is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "the states are the concept")]
pub enum Stage {
    /// Lets everybody in.
    Open,
    /// Lets nobody in; those inside go on.
    Draining,
    /// Lets nobody in; nobody inside is admitted to anything new.
    Canceling,
    /// Nobody is inside any more, or what was has been told to stop.
    Closed,
}

/// How many visits ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Did what they came for.
    pub completed: u64,
    /// Came to an error of their own.
    pub failed: u64,
    /// Were given up by their owners, or refused because of the close.
    pub canceled: u64,
    /// Waited longer than they were willing to.
    pub expired: u64,
    /// Were cut off by the close.
    pub aborted: u64,
}

impl Counts {
    /// All of them.
    pub fn sum(&self) -> u64 {
        self.completed + self.failed + self.canceled + self.expired + self.aborted
    }

    #[inline]
    pub(super) fn count(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Completed => &mut self.completed,
            Outcome::Failed => &mut self.failed,
            Outcome::Canceled => &mut self.canceled,
            Outcome::Expired => &mut self.expired,
            Outcome::Aborted => &mut self.aborted,
        };
        *count += 1;
    }

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

/// What became of everything that was inside when a gate began to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many were inside.
    pub accepted: u64,
    /// How they ended; the sum is `accepted`.
    pub counts: Counts,
    /// From the first call that closed to the end.
    pub elapsed: Duration,
}

#[derive(Debug)]
struct Closing {
    began: Moment,
    accepted: u64,
    before: Counts,
    /// When what is still inside is cut off.
    deadline: Option<Moment>,
}

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) stage: Stage,
    /// Visits inside.
    pub(super) present: u64,
    pub(super) counts: Counts,
    closing: Option<Closing>,
    report: Option<Report>,
    /// Read by those inside without a lock: stop at once.
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

    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.stage {
            Stage::Draining | Stage::Canceling => self.closing.as_ref()?.deadline,
            Stage::Open | Stage::Closed => None,
        }
    }

    /// A visit is over. Says whether it was the last one of a gate that closes.
    #[inline]
    pub(super) fn depart(&mut self, outcome: Outcome, now: Moment) -> bool {
        self.present -= 1;
        self.counts.count(outcome);
        self.stage != Stage::Open && self.end_if_empty(now)
    }

    /// Goes on to close, never back: a weaker mode joins, a stronger one and an earlier deadline win.
    pub(super) fn begin(&mut self, mode: CloseMode, deadline: Option<Moment>, now: Moment) {
        let closing = self.closing.get_or_insert(Closing {
            began: now,
            accepted: self.present,
            before: self.counts,
            deadline: None,
        });
        closing.deadline = match (closing.deadline, deadline) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let stage = match mode {
            CloseMode::Drain => Stage::Draining,
            CloseMode::CancelPending | CloseMode::Now => Stage::Canceling,
        };
        self.stage = self.stage.max(stage);
    }

    /// Tells everyone inside to stop; those who look see it before anybody is woken.
    pub(super) fn cut(&mut self) {
        self.cut.store(true, Ordering::Release);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// The end, if it has come. True once.
    pub(super) fn end_if_empty(&mut self, now: Moment) -> bool {
        if self.present > 0 || !matches!(self.stage, Stage::Draining | Stage::Canceling) {
            return false;
        }
        let Some(closing) = &self.closing else {
            return false;
        };
        self.report = Some(Report {
            accepted: closing.accepted,
            counts: self.counts.since(&closing.before),
            elapsed: Duration::from_nanos(now.since(closing.began)),
        });
        self.stage = Stage::Closed;
        true
    }
}
