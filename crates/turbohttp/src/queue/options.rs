//! The options of a queue and of a job.

use std::time::Duration;

use turbohttp_core::scheduler::Priority;

use crate::config::Limits;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::limits::{QUEUE_JOBS_MAX, QUEUE_SUBMITTERS_MAX, QUEUE_WORKERS_MAX};

/// How many jobs a queue holds, and how many it runs at once.
///
/// ```
/// use turbohttp::QueueOptions;
///
/// // 8 requests at once; 500 more may wait at each priority.
/// let options = QueueOptions::default().workers(8).per_priority(500);
/// # assert_eq!((options.workers, options.per_priority), (8, 500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueOptions {
    /// Jobs that run at once, as far as permits allow; each worker is a task. Default 64; 1 to 65,536.
    pub workers: usize,
    /// Jobs that may wait at each priority. Default 1,000; 1 to 1,048,576. Beyond that, `try_submit`
    /// refuses with [`ErrorKind::Full`] and `submit` waits for room.
    pub per_priority: usize,
    /// Calls of `submit` that may wait for room at each priority. Default 1,024; 1 to 1,048,576. The next
    /// one is refused with [`ErrorKind::Full`].
    pub submitters: usize,
    /// Whether the ticket of a request has its response as soon as the head has arrived. Default no: the
    /// worker reads the body into memory first, at most [`Limits::body_bytes`](crate::Limits::body_bytes)
    /// of it, and releases the permit.
    ///
    /// A streamed response holds the permit of its origin until its body has been read or dropped. With
    /// more tickets than permits, read the responses in the order in which they are done: jobs wait for
    /// the permits of unread ones, without a bound but [`SubmitOptions::within`].
    pub streamed: bool,
    /// The limits of a queue that has a scheduler of its own
    /// ([`with_executor`](crate::RequestQueue::with_executor)). Default none: as many permits per lane and
    /// in total as there are workers. A queue of a client refuses it.
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
        // Before anything is made, so that the error names the option.
        for (field, value, most) in bounds {
            if !(1..=most).contains(&value) {
                return Err(Error::config(field, &format!("1..={most}"), value));
            }
        }
        Ok(())
    }

    /// The limits for a scheduler of its own.
    pub(super) fn own_limits(&self) -> Limits {
        // More permits than workers would be unused, and fewer would keep workers idle.
        let as_many = Limits::default().per_host(self.workers).total(self.workers);
        self.limits.unwrap_or(as_many)
    }
}

/// Options of one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// The priority. Default: that of the request, or what [`Execute::priority`](crate::Execute::priority)
    /// returns.
    pub priority: Option<Priority>,
    /// How long the job may wait until it is started, from the call of `submit`; beyond that it ends in
    /// [`ErrorKind::ExpiredInQueue`]. Default: no bound but the timeout of the request itself.
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
