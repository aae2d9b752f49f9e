//! The options of a queue and of a job.

use std::time::Duration;

use turbohttp_core::scheduler::Priority;

use crate::config::Limits;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::limits::{QUEUE_JOBS_MAX, QUEUE_SUBMITTERS_MAX, QUEUE_WORKERS_MAX};

/// How much a queue holds and does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueOptions {
    /// Jobs that run at the same time, as far as permits allow. Default 64; at least 1.
    pub workers: usize,
    /// Jobs that may wait at each level of urgency. Default 1,000; at least 1. The next one is refused
    /// with [`ErrorKind::Full`], or waits for room, as its submitter wishes.
    pub per_priority: usize,
    /// Those who may wait for room at each level. Default 1,024; at least 1. The next one is refused
    /// with [`ErrorKind::Full`].
    pub submitters: usize,
    /// Whether the ticket of a request has its response as soon as the head is there, its body unread.
    /// Default no: the body is in memory when the ticket has it, within
    /// [`Limits::body_bytes`](crate::Limits::body_bytes), and the permit has gone home.
    ///
    /// A streamed response holds the permit of its host until it has been read: with more tickets than
    /// permits, read them in the order in which they are done, or they wait for each other for ever.
    pub streamed: bool,
    /// The limits of the scheduler, where the queue has one of its own. Default none: as many permits
    /// per lane and in total as there are workers.
    pub limits: Option<Limits>,
}

impl Default for QueueOptions {
    fn default() -> QueueOptions {
        QueueOptions {
            workers: 64,
            per_priority: 1_000,
            submitters: 1_024,
            streamed: false,
            limits: None,
        }
    }
}

impl QueueOptions {
    /// Sets [`workers`](QueueOptions::workers).
    #[must_use]
    pub fn workers(mut self, workers: usize) -> QueueOptions {
        self.workers = workers;
        self
    }

    /// Sets [`per_priority`](QueueOptions::per_priority).
    #[must_use]
    pub fn per_priority(mut self, jobs: usize) -> QueueOptions {
        self.per_priority = jobs;
        self
    }

    /// Sets [`submitters`](QueueOptions::submitters).
    #[must_use]
    pub fn submitters(mut self, submitters: usize) -> QueueOptions {
        self.submitters = submitters;
        self
    }

    /// Sets [`streamed`](QueueOptions::streamed).
    #[must_use]
    pub fn streamed(mut self, streamed: bool) -> QueueOptions {
        self.streamed = streamed;
        self
    }

    /// Sets [`limits`](QueueOptions::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> QueueOptions {
        self.limits = Some(limits);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let bounds = [
            ("queue.workers", self.workers, QUEUE_WORKERS_MAX),
            ("queue.per_priority", self.per_priority, QUEUE_JOBS_MAX),
            ("queue.submitters", self.submitters, QUEUE_SUBMITTERS_MAX),
        ];
        for (field, value, most) in bounds {
            if !(1..=most).contains(&value) {
                return Err(Error::config(field, &format!("1..={most}"), value));
            }
        }
        Ok(())
    }

    /// The limits of a scheduler of its own.
    pub(super) fn own_limits(&self) -> Limits {
        let as_many = Limits::default().per_host(self.workers).total(self.workers);
        self.limits.unwrap_or(as_many)
    }
}

/// How one job is to be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// How urgent it is. Default: what the executor says of it; of a request, its own priority.
    pub priority: Option<Priority>,
    /// From the call, how long it may take until it is started. Default: as long as it takes; a request
    /// is bounded by its own time anyway.
    pub within: Option<Duration>,
}

impl SubmitOptions {
    /// Sets [`priority`](SubmitOptions::priority).
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> SubmitOptions {
        self.priority = Some(priority);
        self
    }

    /// Sets [`within`](SubmitOptions::within).
    #[must_use]
    pub fn within(mut self, limit: Duration) -> SubmitOptions {
        self.within = Some(limit);
        self
    }
}
