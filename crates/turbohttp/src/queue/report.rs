//! What a queue reports: how a stop went, and what it holds at one moment.

use std::fmt;
use std::time::Duration;

use turbohttp_core::scheduler::{Counts, GroupLoad, Priority, Report};

use crate::scheduler::InWords;

/// How every job ended that was in a queue when it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StopReport {
    /// Jobs that were waiting or running; the sum of [`ended`](StopReport::ended).
    pub accepted: u64,
    /// How they ended. A job is `failed` if its executor returned an error or panicked, `canceled` by
    /// its ticket or by the stop while it waited, `expired` if it was not started in time, and `aborted`
    /// if the stop dropped it while it ran.
    pub ended: Counts,
    /// From the first call of [`stop`](crate::RequestQueue::stop) until the last job had ended.
    pub elapsed: Duration,
}

impl StopReport {
    pub(super) fn new(report: Report) -> StopReport {
        StopReport {
            accepted: report.accepted,
            ended: report.counts,
            elapsed: report.elapsed,
        }
    }
}

impl fmt::Display for StopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StopReport {
            accepted,
            ended,
            elapsed,
        } = self;
        let ended = InWords(ended);
        write!(f, "{accepted} jobs: {ended}; stopped in {elapsed:.3?}")
    }
}

/// What a queue holds at one moment, and how its jobs ended so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Jobs that wait, at each priority ([`Priority::index`]).
    pub waiting: [usize; Priority::COUNT],
    /// Jobs that run, or have been assigned to a worker.
    pub running: u64,
    /// Workers that wait for a job.
    pub idle_workers: usize,
    /// Calls of [`submit`](crate::RequestQueue::submit) that wait for room.
    pub submitters: usize,
    /// How jobs ended, since the queue was made; the fields mean what they mean in
    /// [`StopReport::ended`].
    pub ended: Counts,
    /// Panics of the executor. One that happens while a canceled job is dropped is counted here alone.
    pub panicked: u64,
}

impl QueueStats {
    pub(super) fn new(load: GroupLoad, submitters: usize, panicked: u64) -> QueueStats {
        let waiting: usize = load.waiting.iter().sum();
        QueueStats {
            waiting: load.waiting,
            // What is present and not in line has been assigned to a worker, which counts as running.
            running: load.present - waiting as u64,
            idle_workers: load.idle,
            submitters,
            ended: load.ended,
            panicked,
        }
    }
}
