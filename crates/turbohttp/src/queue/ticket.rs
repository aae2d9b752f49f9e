//! The caller's handle of a job, and a job that was not enqueued.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use turbohttp_core::scheduler::Priority;

use super::job::TicketState;
use crate::error::{Error, ErrorKind, Result};

/// The caller's handle of a job in a queue: a future of its outcome.
///
/// The outcome is what the executor returned, or one of these errors: [`ErrorKind::Canceled`] after
/// [`cancel`](Ticket::cancel) or a stop of the queue, [`ErrorKind::ExpiredInQueue`],
/// [`ErrorKind::Panicked`], and [`ErrorKind::Runtime`] if the runtime of the workers was shut down. It is
/// given once: a further poll returns [`ErrorKind::Closed`].
///
/// ```
/// use turbohttp::{Client, ErrorKind, QueueOptions, RequestQueue};
/// # use turbohttp::{MockReply, MockTransport, StatusCode};
///
/// # async fn run() -> turbohttp::Result<()> {
/// # let client = Client::builder().transport(MockTransport::new(MockReply::new(StatusCode::OK))).build()?;
/// let queue = RequestQueue::new(&client, QueueOptions::default())?;
/// let ticket = queue.try_submit(client.get("http://example.com/"))?;
/// assert_eq!(ticket.position(), Some(0)); // it waits: the queue has not been started
/// assert!(ticket.cancel());
/// assert_eq!(ticket.await.unwrap_err().kind(), ErrorKind::Canceled);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
///
/// # Cancel safety
///
/// Dropping a ticket cancels its job: a waiting job leaves the queue at once, a running one is dropped
/// by its worker. [`detach`](Ticket::detach) lets the job go on. A ticket need not be polled for its job
/// to run.
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
            // `detach` takes it, and consumes the ticket.
            None => unreachable!("a detached ticket cannot be used"),
        }
    }

    /// Cancels the job: its outcome is [`ErrorKind::Canceled`] from now on. Returns `false` if it was
    /// done already; then the outcome stays as it is.
    ///
    /// A waiting job leaves the queue at once. A running one is dropped by its worker, which is woken
    /// for that.
    pub fn cancel(&self) -> bool {
        self.state().cancel()
    }

    /// Changes the priority of a waiting job; it keeps its age. Returns `false` if it does not wait any
    /// more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`] if as many jobs wait at that priority as may; the job keeps its own then.
    pub fn set_priority(&self, priority: Priority) -> Result<bool> {
        self.state().set_priority(priority)
    }

    /// How many jobs of the queue start before this one, by priority and age alone; limits per origin may
    /// change that order. `None` once it has been started or is done. Costs time linear in the jobs that
    /// wait.
    pub fn position(&self) -> Option<usize> {
        self.state().position()
    }

    /// Whether the job has its outcome.
    pub fn is_done(&self) -> bool {
        self.state().is_done()
    }

    /// Takes the outcome if it is there, without waiting. It is there once
    /// [`RequestQueue::stop`](crate::RequestQueue::stop) has returned.
    pub fn try_result(&mut self) -> Option<Result<O>> {
        self.state().try_result()
    }

    /// Lets the job go on without its ticket. Its outcome is dropped.
    pub fn detach(mut self) {
        // The drop of the ticket then finds no job to cancel.
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
            // A job that is done keeps its outcome, which is dropped with the job.
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

/// A job that was not enqueued, and why.
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

    /// A builder that makes no job.
    pub(super) fn without_job(error: Error) -> Rejected<J> {
        Rejected { error, job: None }
    }

    /// The kind of the error: [`ErrorKind::Full`], [`ErrorKind::Closed`], or that of the mistake of a
    /// [`RequestBuilder`](crate::RequestBuilder).
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// Why the job was not enqueued.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The job, unchanged; `None` if a [`RequestBuilder`](crate::RequestBuilder) made no request.
    pub fn into_job(self) -> Option<J> {
        self.job
    }
}

impl<J> From<Rejected<J>> for Error {
    /// The error alone; drops the job.
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
