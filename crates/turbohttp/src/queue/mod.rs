//! A bounded queue of jobs in front of an executor, served by priority, which can be stopped.
//!
//! The queue has no scheduler of its own kind: its workers are a group at the scheduler of its client,
//! so that jobs and direct requests share limits, lanes and order. A job that is started holds its
//! permit already, so no worker waits for one.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use turbohttp_core::scheduler::{Priority, Scheduler, SchedulerAudit, Stage};

use crate::client::Client;
use crate::clock;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::limiter::ConcurrencyLimiter;
use crate::scheduler::{Dispatcher, Shutdown};

mod execute;
mod group;
mod job;
mod options;
mod report;
mod shared;
mod ticket;
mod worker;

pub use execute::{Execute, IntoJob, Lane};
pub use options::{QueueOptions, SubmitOptions};
pub use report::{QueueStats, StopReport};
pub use ticket::{Rejected, Ticket};
pub use worker::Started;

use execute::Hooks;
use job::{Job, JobQueue as _};
use shared::{Lifecycle, Shared, WaitNumber};
use worker::WorkerContext;

/// A bounded queue of jobs, which a fixed number of workers runs.
///
/// Jobs start strictly by [`Priority`], and within one priority in the order of submission, as far as
/// the limit of their origin lets them: a job whose origin is full or paused delays no other one. By
/// default the jobs are requests of a [`Client`], and the queue shares the client's limits.
///
/// ```
/// use turbohttp::{Client, QueueOptions, RequestQueue, Shutdown};
/// # use turbohttp::{MockReply, MockTransport, StatusCode};
///
/// # async fn run() -> turbohttp::Result<()> {
/// # let client = Client::builder().transport(MockTransport::new(MockReply::new(StatusCode::OK))).build()?;
/// let queue = RequestQueue::new(&client, QueueOptions::default().workers(8))?;
/// queue.start()?;
/// let ticket = queue.try_submit(client.get("http://example.com/"))?;
/// let response = ticket.await?;
/// let report = queue.stop(Shutdown::default()).await;
/// assert_eq!(report.ended.canceled, 0);
/// # drop(response);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
///
/// A clone is a handle of the same queue. Dropping the last handle stops the queue as
/// [`Shutdown::Now`] does, without waiting: its jobs are canceled. Closing the client stops its queues
/// in the same mode.
///
/// # Jobs that wait for their own queue
///
/// A job that awaits another job of its own queue needs a second worker for that one. A job that awaits
/// the stop of its own queue, or the close of its client, waits for itself. The queue detects neither;
/// both end when the time of the stop is up, which drops what still runs.
///
/// # The runtime
///
/// The workers are tasks of the runtime in which the queue was started. When that runtime is shut down,
/// the queue ends: every job that is not done ends in [`ErrorKind::Runtime`], no job is accepted, and
/// the queue cannot be started again.
pub struct RequestQueue<E: Execute = Client> {
    handle: Arc<Handle<E>>,
}

/// What all clones of a queue share. Workers do not hold it, so that its drop is that of the last
/// clone.
struct Handle<E: Execute> {
    context: Arc<WorkerContext<E>>,
    workers: usize,
}

impl RequestQueue<Client> {
    /// A queue of requests that shares the limits of `client`. It accepts jobs at once, and runs them
    /// when it has been [started](RequestQueue::start).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the option that is out of its bounds, [`ErrorKind::Closed`] if the
    /// client is closed, [`ErrorKind::Full`] if it has 16 queues.
    pub fn new(client: &Client, options: QueueOptions) -> Result<RequestQueue> {
        if options.limits.is_some() {
            let bound = "none: the limits are those of the client";
            return Err(Error::config("queue.limits", bound, "some"));
        }
        let dispatcher = client.dispatcher().clone();
        let hooks = Hooks::of_client(options.streamed);
        RequestQueue::with(client.clone(), hooks, dispatcher, &options)
    }
}

impl<E: Execute> RequestQueue<E> {
    /// A queue in front of any executor, with limits of its own ([`QueueOptions::limits`]).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the option that is out of its bounds.
    pub fn with_executor(executor: E, options: QueueOptions) -> Result<RequestQueue<E>> {
        options.check()?;
        let dispatcher = Dispatcher::new(options.own_limits().rules())?;
        RequestQueue::with(executor, Hooks::none(), dispatcher, &options)
    }

    fn with(
        executor: E,
        hooks: Hooks<E>,
        dispatcher: Arc<Dispatcher>,
        options: &QueueOptions,
    ) -> Result<RequestQueue<E>> {
        options.check()?;
        let shared = Arc::new(Shared::new(dispatcher, options)?);
        Ok(RequestQueue {
            handle: Arc::new(Handle {
                context: Arc::new(WorkerContext {
                    executor,
                    hooks,
                    shared,
                }),
                workers: options.workers,
            }),
        })
    }

    /// Starts the workers as tasks of the current runtime. Of several calls exactly one starts them; the
    /// others return [`Started::Already`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Runtime`] outside a runtime, or in one that is shut down; the error of
    /// [`Execute::ready`], or [`ErrorKind::Panicked`] if it panics. After these no worker runs, jobs keep
    /// waiting, and the queue can be started again. [`ErrorKind::Closed`] once it has been stopped.
    pub fn start(&self) -> Result<Started> {
        worker::start(&self.handle.context, self.handle.workers)
    }

    /// Enqueues a job if there is room. Does not wait.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which gives the job back: [`ErrorKind::Full`] naming priority and capacity,
    /// [`ErrorKind::Closed`]. A [`RequestBuilder`](crate::RequestBuilder) that makes no request is
    /// rejected with its own mistake, and there is no job to give back.
    pub fn try_submit(
        &self,
        job: impl IntoJob<E::Job>,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        self.try_submit_with(job, SubmitOptions::default())
    }

    /// [`try_submit`](RequestQueue::try_submit) with options for this job.
    ///
    /// # Errors
    ///
    /// Those of [`try_submit`](RequestQueue::try_submit).
    pub fn try_submit_with(
        &self,
        job: impl IntoJob<E::Job>,
        options: SubmitOptions,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        let work = job.into_job().map_err(Rejected::without_job)?;
        let job = self.new_job(work, options);
        match self.shared().try_enqueue(&job) {
            Ok(()) => Ok(Ticket::new(job)),
            Err(refusal) => Err(rejected(&job, Error::refused(refusal))),
        }
    }

    /// Enqueues a job, and waits for room if there is none. At each priority, jobs that wait for room
    /// are enqueued in the order of their calls, and before jobs of [`try_submit`](RequestQueue::try_submit).
    ///
    /// The time of [`SubmitOptions::within`] includes the wait for room. A job whose time is up before
    /// it is started is not run.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which gives the job back: [`ErrorKind::Closed`] when the queue is stopped meanwhile
    /// (after a close of its client, as soon as the queue would have had room), and [`ErrorKind::Full`]
    /// if [`QueueOptions::submitters`] calls wait already. A mistake of a
    /// [`RequestBuilder`](crate::RequestBuilder) as in [`try_submit`](RequestQueue::try_submit).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place in line, and cancels the job if it is enqueued already.
    /// Once polled, the future need not be polled again for its job to be enqueued.
    pub async fn submit(
        &self,
        job: impl IntoJob<E::Job>,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        self.submit_with(job, SubmitOptions::default()).await
    }

    /// [`submit`](RequestQueue::submit) with options for this job.
    ///
    /// # Errors
    ///
    /// Those of [`submit`](RequestQueue::submit).
    ///
    /// # Cancel safety
    ///
    /// That of [`submit`](RequestQueue::submit).
    pub async fn submit_with(
        &self,
        job: impl IntoJob<E::Job>,
        options: SubmitOptions,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        let work = job.into_job().map_err(Rejected::without_job)?;
        let shared = self.shared();
        let job = self.new_job(work, options);
        // Cancels the job if this future is dropped.
        let ticket = Ticket::new(job.clone());
        if shared.try_enqueue(&job).is_err() {
            // For want of room, as a rule; for any other reason `admit_waiting` rejects the job.
            let number = match shared.add_waiter(job.clone()) {
                Ok(number) => number,
                Err(error) => return Err(rejected(&job, error)),
            };
            let _guard = WaiterGuard { shared, number };
            // Room may have come free before the job was in line.
            shared.admit_waiting();
            poll_fn(|cx| job.poll_admitted(cx)).await;
        }
        match job.take_rejected() {
            None => Ok(ticket),
            Some((work, error)) => Err(Rejected::new(error, work)),
        }
    }

    fn new_job(&self, mut work: E::Job, options: SubmitOptions) -> Arc<Job<E::Job, E::Output>> {
        let WorkerContext {
            executor,
            hooks,
            shared,
        } = &*self.handle.context;
        // From here on, so that a wait for room counts too.
        let own = options
            .within
            .map(|limit| clock::after(clock::now(), limit));
        let deadline = clock::earlier(own, (hooks.prepare)(executor, &mut work));
        let lane = executor.lane(&work);
        let priority = options.priority.unwrap_or_else(|| executor.priority(&work));
        Arc::new(Job::new(shared.clone(), work, lane, priority, deadline))
    }

    fn shared(&self) -> &Shared<E::Job, E::Output> {
        &self.handle.context.shared
    }

    /// The executor.
    pub fn executor(&self) -> &E {
        &self.handle.context.executor
    }

    /// The limiter that the queue shares with its client, or its own one: to pause a lane, to change
    /// limits, to read counts.
    pub fn limiter(&self) -> ConcurrencyLimiter {
        let dispatcher = self.shared().group.dispatcher.clone();
        match self.handle.context.hooks.keys_are_origins {
            true => ConcurrencyLimiter::of_origins(dispatcher),
            false => ConcurrencyLimiter::of_texts(dispatcher),
        }
    }

    /// Stops the queue, and waits for the end.
    ///
    /// New jobs are refused from the moment of the call, and jobs that wait for room are rejected. Jobs
    /// that are enqueued run or end in [`ErrorKind::Canceled`], as `mode` says. Jobs that still run when
    /// its time is up are dropped, and end in [`ErrorKind::Canceled`] too. A queue that was never started
    /// cancels all of them at once. When this returns, every ticket has its outcome.
    ///
    /// All callers get the same report; a later call with a stronger mode or less time ends the stop
    /// sooner. The stop does not wait for bodies of responses that tickets have handed out.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo the stop. Another call returns the report.
    pub async fn stop(&self, mode: Shutdown) -> StopReport {
        // Begun at once and not undone: only the wait for the report is dropped with this future.
        self.begin_stop(mode);
        let group = &self.shared().group;
        let report =
            |dispatcher: &Dispatcher| dispatcher.read(|scheduler| scheduler.group_report(group.id));
        StopReport::new(group.dispatcher.wait_for(report).await)
    }

    /// Stops the queue as [`Shutdown::Now`] does, and returns without waiting for the workers.
    pub fn stop_now(&self) {
        self.begin_stop(Shutdown::Now);
    }

    fn begin_stop(&self, mode: Shutdown) {
        let was_idle = {
            let mut lifecycle = self.shared().lock_lifecycle();
            let was_idle = *lifecycle == Lifecycle::Idle;
            *lifecycle = Lifecycle::Stopped;
            was_idle
        };
        // Without workers a drain would never end.
        let mode = if was_idle { Shutdown::Now } else { mode };
        self.shared().begin_stop(mode);
    }

    /// Whether the queue has been started, and not been stopped.
    pub fn is_running(&self) -> bool {
        let shared = self.shared();
        let is_open = shared.group.stage() == Stage::Open;
        is_open && *shared.lock_lifecycle() == Lifecycle::Running
    }

    /// What the queue holds at this moment, and how its jobs ended so far.
    pub fn stats(&self) -> QueueStats {
        let shared = self.shared();
        let group = &shared.group;
        let load = group
            .dispatcher
            .read(|scheduler| scheduler.group_load(group.id));
        // Read one after the other: each count is exact, and they may be of different moments.
        let panicked = shared.panicked.load(Ordering::Relaxed);
        QueueStats::new(load, shared.submitters(), panicked)
    }

    /// How many jobs wait at this priority.
    pub fn depth(&self, priority: Priority) -> usize {
        self.stats().waiting[priority.index()]
    }

    /// What is in use at this moment in the scheduler that the queue shares with its client.
    pub fn audit(&self) -> SchedulerAudit {
        self.shared().group.dispatcher.read(Scheduler::audit)
    }
}

impl<E: Execute> Drop for Handle<E> {
    /// There is no handle any more that could stop the queue in a milder mode.
    fn drop(&mut self) {
        self.context.shared.begin_stop(Shutdown::Now);
    }
}

impl<E: Execute> Clone for RequestQueue<E> {
    fn clone(&self) -> RequestQueue<E> {
        RequestQueue {
            handle: self.handle.clone(),
        }
    }
}

impl<E: Execute> fmt::Debug for RequestQueue<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestQueue")
            .field("workers", &self.handle.workers)
            .field("stats", &self.stats())
            .finish()
    }
}

/// Takes a job out of the line for room when the future that put it there is done or dropped.
struct WaiterGuard<'a, J: Send + 'static, O: Send + 'static> {
    shared: &'a Shared<J, O>,
    number: WaitNumber,
}

impl<J: Send + 'static, O: Send + 'static> Drop for WaiterGuard<'_, J, O> {
    fn drop(&mut self) {
        self.shared.remove_waiter(self.number);
    }
}

/// Gives back a job that is neither enqueued nor in line for room.
fn rejected<J, O>(job: &Job<J, O>, error: Error) -> Rejected<J>
where
    J: Send + 'static,
    O: Send + 'static,
{
    match job.take_unqueued() {
        Some(work) => Rejected::new(error, work),
        None => unreachable!("no other thread has the job yet"),
    }
}
