//! What a queue runs: the trait of an executor, its jobs and their lanes, and the client as one.

use std::future::Future;
use std::time::Instant;

use turbohttp_core::origin::Origin;
use turbohttp_core::scheduler::{CallId, LaneKey, Priority, Waited};

use crate::client::{Client, RequestBuilder};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::CallGuard;

/// Runs the jobs of a [`RequestQueue`](crate::RequestQueue). A [`Client`] is one, whose jobs are
/// requests.
///
/// ```
/// use turbohttp::{Execute, Result};
///
/// struct Squares;
///
/// impl Execute for Squares {
///     type Job = u64;
///     type Output = u64;
///
///     async fn execute(&self, number: u64) -> Result<u64> {
///         Ok(number * number)
///     }
/// }
/// ```
///
/// # Panics
///
/// A panic of an implementation is contained: it ends its own job with [`ErrorKind::Panicked`].
///
/// # Cancel safety
///
/// The future of a job is dropped at an await when its ticket is dropped or canceled, and when the time
/// of a stop is up.
pub trait Execute: Send + Sync + 'static {
    /// What is submitted.
    type Job: Send + 'static;

    /// What the ticket of a job returns.
    type Output: Send + 'static;

    /// Runs one job. At most [`QueueOptions::workers`](crate::QueueOptions::workers) run at once.
    fn execute(&self, job: Self::Job) -> impl Future<Output = Result<Self::Output>> + Send;

    /// The lane of a job: jobs of one lane share the limit per origin. Called when the job is submitted.
    /// Default: one lane for all jobs.
    fn lane(&self, job: &Self::Job) -> Lane {
        let _ = job;
        Lane::ALL
    }

    /// The priority of a job whose submitter gives none. Default: [`Priority::Normal`].
    fn priority(&self, job: &Self::Job) -> Priority {
        let _ = job;
        Priority::default()
    }

    /// Called once for each worker, from 0, before any of them is started. Default: ready.
    ///
    /// # Errors
    ///
    /// An error keeps the queue from being started; it can be started again.
    fn ready(&self, worker: usize) -> Result<()> {
        let _ = worker;
        Ok(())
    }
}

/// What can be submitted as a job: the job itself, and in place of a request its builder.
pub trait IntoJob<J> {
    /// The job.
    ///
    /// # Errors
    ///
    /// The first mistake that was made while the job was built.
    fn into_job(self) -> Result<J>;
}

impl<J> IntoJob<J> for J {
    fn into_job(self) -> Result<J> {
        Ok(self)
    }
}

impl IntoJob<Request> for RequestBuilder {
    fn into_job(self) -> Result<Request> {
        self.build()
    }
}

/// The name of a line of jobs that share a limit; mostly a host.
#[derive(Clone, Debug)]
pub struct Lane(Name);

#[derive(Clone, Debug)]
enum Name {
    All,
    Origin(Origin),
    Text(Box<str>),
}

impl Lane {
    /// One lane for all jobs; its text is empty.
    pub const ALL: Lane = Lane(Name::All);

    /// The lane of this name.
    pub fn new(text: impl Into<Box<str>>) -> Lane {
        Lane(Name::Text(text.into()))
    }

    /// The error of a job of this lane; it names the origin, where the lane is one.
    pub(super) fn explain(&self, error: Error) -> Error {
        match &self.0 {
            Name::Origin(origin) => error.at(origin),
            Name::All | Name::Text(_) => error,
        }
    }

    pub(super) fn key(&self) -> LaneKey<'_> {
        match &self.0 {
            Name::All => LaneKey::new(""),
            Name::Origin(origin) => LaneKey::from(origin),
            Name::Text(text) => LaneKey::new(text),
        }
    }
}

impl From<&Origin> for Lane {
    /// The lane that all requests to this origin share.
    fn from(origin: &Origin) -> Lane {
        Lane(Name::Origin(origin.clone()))
    }
}

impl Execute for Client {
    type Job = Request;
    type Output = Response;

    /// Sends the request, with the permit that its worker was granted if a queue of this client runs it.
    async fn execute(&self, request: Request) -> Result<Response> {
        self.send_queued(request).await
    }

    fn lane(&self, request: &Request) -> Lane {
        Lane::from(request.origin())
    }

    fn priority(&self, request: &Request) -> Priority {
        request.priority()
    }
}

/// What a queue does to a job beside running it, where it shares the scheduler of its executor.
pub(super) struct Hooks<E: Execute> {
    /// Whether the scheduler's keys are origins, as those of a client are.
    pub(super) keys_are_origins: bool,
    /// Called when the job is submitted; returns the deadline of its start.
    pub(super) prepare: fn(&E, &mut E::Job) -> Option<Instant>,
    /// Called when the job is started and its call holds a permit.
    pub(super) hand_over: fn(&E, &mut E::Job, Start<'_>),
}

/// A job that is started: its call, how long it waited, and its priority.
pub(super) struct Start<'a> {
    pub(super) call: &'a CallGuard,
    pub(super) waited: Waited,
    pub(super) priority: Priority,
}

impl<E: Execute> Hooks<E> {
    /// For an executor that knows no scheduler: the permit stays with the call of the job.
    pub(super) fn none() -> Hooks<E> {
        Hooks {
            keys_are_origins: false,
            prepare: |_, _| None,
            hand_over: |_, _, _| {},
        }
    }
}

impl Hooks<Client> {
    /// The permit of the job becomes that of the request, which holds it to the end of the body.
    pub(super) fn of_client(is_streamed: bool) -> Hooks<Client> {
        Hooks {
            keys_are_origins: true,
            prepare: match is_streamed {
                true => Client::prepare_streamed,
                false => Client::prepare_queued,
            },
            hand_over: |client, request, start| {
                let dispatcher = start.call.dispatcher();
                let job: CallId = start.call.call();
                // The permit moves to a call of its own: the worker is free when the head is there, while a
                // streamed body still holds the permit. `None` if a close has cut the job off meanwhile,
                // which the request finds out when it is sent.
                let attempt = dispatcher.update(|scheduler, _| scheduler.transfer_permit(job));
                if let Some(attempt) = attempt {
                    let call = CallGuard::new(dispatcher.clone(), attempt);
                    request.set_priority(start.priority);
                    client.start_queued(request, call, start.waited);
                }
            },
        }
    }
}
