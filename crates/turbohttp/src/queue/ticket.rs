//! The caller's end of a job.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use turbohttp_core::scheduler::Priority;

use super::job::TicketState;
use crate::error::{Error, ErrorKind, Result};

/// A job in a queue: a future of its outcome.
///
/// Dropping it cancels the job: one that waits leaves the queue and its place is free at once, one
/// that runs is dropped where it stands. [`detach`](Ticket::detach) lets it go on. It need not be
/// polled for the job to be done.
///
/// What comes out is what the executor returned, or one of these errors: [`ErrorKind::Canceled`] by
/// [`cancel`](Ticket::cancel) or by a stop of the queue, [`ErrorKind::ExpiredInQueue`],
/// [`ErrorKind::Panicked`], and [`ErrorKind::Runtime`] if the workers went with their runtime. It is
/// given once; a further poll answers [`ErrorKind::Closed`].
#[must_use = "dropping a ticket cancels its job"]
pub struct Ticket<O> {
    state: Option<Arc<dyn TicketState<O>>>,
}

impl<O> Ticket<O> {
    pub(super) fn new(state: Arc<dyn TicketState<O>>) -> Ticket<O> {
        Ticket { state: Some(state) }
    }

    fn state(&self) -> &dyn TicketState<O> {
        match &self.state {
            Some(state) => &**state,
            None => unreachable!("only `detach` takes it, and the ticket with it"),
        }
    }

    /// Ends the job where it stands; its outcome is [`ErrorKind::Canceled`] from now on. Says whether
    /// it was not done yet.
    ///
    /// A job that waits leaves the queue at once. One that runs is dropped by its worker, which is
    /// woken for that.
    pub fn cancel(&self) -> bool {
        self.state().cancel()
    }

    /// Changes how urgent a waiting job is; it keeps its age. Says whether it still waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`] if as many jobs wait at that level as may; nothing has changed then.
    pub fn set_priority(&self, priority: Priority) -> Result<bool> {
        self.state().set_priority(priority)
    }

    /// How many jobs of the queue stand before this one, should no limit of a host decide otherwise;
    /// `None` once it has been started or is done. Costs a look at every job.
    pub fn position(&self) -> Option<usize> {
        self.state().position()
    }

    /// Whether the outcome is there.
    pub fn is_done(&self) -> bool {
        self.state().is_done()
    }

    /// Takes the outcome if it is there. After [`RequestQueue::stop`](crate::RequestQueue::stop) has
    /// returned, it is.
    pub fn try_result(&mut self) -> Option<Result<O>> {
        self.state().try_result()
    }

    /// Lets the job go on without anybody to wait for it; what comes of it is dropped.
    pub fn detach(mut self) {
        self.state = None;
    }
}

impl<O> Future for Ticket<O> {
    type Output = Result<O>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<O>> {
        self.state().poll_result(cx)
    }
}

impl<O> Drop for Ticket<O> {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.cancel();
        }
    }
}

impl<O> fmt::Debug for Ticket<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("position", &self.position())
            .field("is_done", &self.is_done())
            .finish()
    }
}

/// A job that was not taken into a queue, and why.
pub struct Rejected<J> {
    error: Error,
    job: Option<J>,
}

impl<J> Rejected<J> {
    pub(super) fn new(error: Error, job: J) -> Rejected<J> {
        Rejected {
            error,
            job: Some(job),
        }
    }

    /// Of what could not be made a job.
    pub(super) fn without_job(error: Error) -> Rejected<J> {
        Rejected { error, job: None }
    }

    /// Why, in one word: [`ErrorKind::Full`] or [`ErrorKind::Closed`]; of a
    /// [`RequestBuilder`](crate::RequestBuilder) also what its mistake is.
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// Why.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The job, as it was; `None` of a [`RequestBuilder`](crate::RequestBuilder) that made no request.
    pub fn into_job(self) -> Option<J> {
        self.job
    }
}

impl<J> From<Rejected<J>> for Error {
    /// Why, without the job.
    fn from(rejected: Rejected<J>) -> Error {
        rejected.error
    }
}

impl<J> fmt::Debug for Rejected<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<J> fmt::Display for Rejected<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not taken into the queue: {}", self.error)
    }
}

impl<J> StdError for Rejected<J> {}
