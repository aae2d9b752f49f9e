//! What a queue tells of itself, at its end and before.

use std::fmt;
use std::time::Duration;

use turbohttp_core::scheduler::{GroupLoad, Priority, Report};

/// What became of every job that was in a queue when it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StopReport {
    /// Jobs that were waiting or running. The sum of the five below.
    pub accepted: u64,
    /// Were done.
    pub completed: u64,
    /// Ended in an error of their own, panics included.
    pub failed: u64,
    /// Were canceled by their tickets, or by the stop while they waited.
    pub canceled: u64,
    /// Waited longer than they were willing to.
    pub expired: u64,
    /// Were running and were dropped by the stop.
    pub aborted: u64,
    /// From the first call to the end.
    pub elapsed: Duration,
}

impl StopReport {
    pub(super) fn new(report: Report) -> StopReport {
        let counts = report.counts;
        StopReport {
            accepted: report.accepted,
            completed: counts.completed,
            failed: counts.failed,
            canceled: counts.canceled,
            expired: counts.expired,
            aborted: counts.aborted,
            elapsed: report.elapsed,
        }
    }
}

impl fmt::Display for StopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StopReport {
            accepted,
            completed,
            failed,
            canceled,
            expired,
            aborted,
            elapsed,
        } = self;
        write!(
            f,
            "{accepted} jobs: {completed} completed, {failed} failed, {canceled} canceled, \
             {expired} expired, {aborted} aborted; stopped in {elapsed:.3?}"
        )
    }
}

/// A queue at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Jobs that wait, at each level ([`Priority::index`]).
    pub waiting: [usize; Priority::COUNT],
    /// Jobs that run, or are about to.
    pub running: u64,
    /// Workers that wait for a job.
    pub idle_workers: usize,
    /// Those who wait for room.
    pub submitters: usize,
    /// Jobs that were done, ever.
    pub completed: u64,
    /// Jobs that ended in an error of their own, panics included.
    pub failed: u64,
    /// Jobs that were canceled.
    pub canceled: u64,
    /// Jobs that waited too long.
    pub expired: u64,
    /// Jobs that were dropped while they ran, because the queue was stopped.
    pub aborted: u64,
    /// Panics of the executor.
    pub panicked: u64,
}

impl QueueStats {
    pub(super) fn new(load: GroupLoad, submitters: usize, panicked: u64) -> QueueStats {
        let waiting: usize = load.waiting.iter().sum();
        QueueStats {
            waiting: load.waiting,
            running: load.present - waiting as u64,
            idle_workers: load.idle,
            submitters,
            completed: load.ended.completed,
            failed: load.ended.failed,
            canceled: load.ended.canceled,
            expired: load.ended.expired,
            aborted: load.ended.aborted,
            panicked,
        }
    }
}
