//! What a queue runs: the trait of an executor, and the client as one.

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

/// Does the jobs of a [`RequestQueue`](crate::RequestQueue). A [`Client`] is one: its jobs are
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
/// A panic here reaches the ticket of its job as [`ErrorKind::Panicked`], and nobody else.
///
/// # Cancel safety
///
/// The future of a job is dropped where it stands when its ticket is dropped, and when the queue is
/// stopped and its time is up.
pub trait Execute: Send + Sync + 'static {
    /// What is to be done.
    type Job: Send + 'static;

    /// What comes of it.
    type Output: Send + 'static;

    /// Does one job.
    fn execute(&self, job: Self::Job) -> impl Future<Output = Result<Self::Output>> + Send;

    /// The jobs that share a limit with this one; asked when it is submitted. All of them by default.
    fn lane(&self, job: &Self::Job) -> Lane {
        let _ = job;
        Lane::ALL
    }

    /// How urgent a job is whose submitter does not say.
    fn priority(&self, job: &Self::Job) -> Priority {
        let _ = job;
        Priority::default()
    }

    /// Asked once for each worker before any of them is started.
    ///
    /// # Errors
    ///
    /// What stands in the way: the queue is not started then, and may be started again.
    fn ready(&self, worker: usize) -> Result<()> {
        let _ = worker;
        Ok(())
    }
}

/// What can be submitted as a job: the job itself, and of requests also their builder.
pub trait IntoJob<J> {
    /// The job.
    ///
    /// # Errors
    ///
    /// The mistake that was made while it was built.
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

/// The name of what jobs have in common that share a limit: mostly a host.
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

    /// The lane of this text.
    pub fn new(text: impl Into<Box<str>>) -> Lane {
        Lane(Name::Text(text.into()))
    }

    /// An error of a job of this lane; where the lane is an origin, it names it.
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
    /// The lane of an origin, in which its other requests are too.
    fn from(origin: &Origin) -> Lane {
        Lane(Name::Origin(origin.clone()))
    }
}

impl Execute for Client {
    type Job = Request;
    type Output = Response;

    /// Sends the request: with the permit it was started with, if it comes from a queue of this client.
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

/// What a queue does to a job on its way, where executor and queue have the scheduler in common.
pub(super) struct Hooks<E: Execute> {
    /// Whether the scheduler's keys are origins, as those of a client are.
    pub(super) keys_are_origins: bool,
    /// The job goes into the queue; says when its time is up.
    pub(super) prepare: fn(&E, &mut E::Job) -> Option<Instant>,
    /// The job is started, and its call holds a permit.
    pub(super) hand_over: fn(&E, &mut E::Job, Start<'_>),
}

/// How a job is started.
pub(super) struct Start<'a> {
    pub(super) call: &'a CallGuard,
    pub(super) waited: Waited,
    pub(super) priority: Priority,
}

impl<E: Execute> Hooks<E> {
    /// For an executor that knows of no scheduler: the permit stays with the job.
    pub(super) fn none() -> Hooks<E> {
        Hooks {
            keys_are_origins: false,
            prepare: |_, _| None,
            hand_over: |_, _, _| {},
        }
    }
}

impl Hooks<Client> {
    /// The permit of a job becomes that of the request, which may hold it until its body has ended.
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
                // Without an heir it was cut off meanwhile: the request finds that out itself.
                let heir = dispatcher.update(|scheduler, _| scheduler.transfer_permit(job));
                if let Some(heir) = heir {
                    let call = CallGuard::new(dispatcher.clone(), heir);
                    request.set_priority(start.priority);
                    client.start_queued(request, call, start.waited);
                }
            },
        }
    }
}
