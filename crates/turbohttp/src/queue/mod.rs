//! A queue of jobs in front of an executor: bounded, the urgent first, and it can be stopped.
//!
//! There is no second scheduler: the queue is a group of workers at the scheduler of its client, so
//! that jobs and callers share the same limits, lanes and order. A worker that waits is a capacity of
//! its own; a job that is started holds its permit already.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use turbohttp_core::scheduler::{Priority, Scheduler, SchedulerAudit};

use crate::client::Client;
use crate::clock;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::limiter::ConcurrencyLimiter;
use crate::scheduler::{Dispatcher, Shutdown};

mod execute;
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
use job::Job;
use shared::{Lifecycle, Shared, WaitNumber};

/// Jobs that wait for their turn and are done by a fixed number of workers.
///
/// Served strictly by [`Priority`], and within one level in the order of submission, as far as limits
/// per host let a job start: what waits for a host that is busy or paused holds up nobody else. By
/// default the jobs are requests of a [`Client`], and the queue draws from the client's own scheduler.
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
/// let stopped = queue.stop(Shutdown::default()).await;
/// assert_eq!(stopped.canceled, 0);
/// # drop(response);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
///
/// A clone is the same queue. When the last clone is dropped the queue is stopped as by
/// [`Shutdown::Now`]: its jobs are canceled, nothing is waited for. Closing the client stops its queues
/// in the same way as the client.
///
/// # Jobs of jobs
///
/// A job that waits for another job of its own queue needs another worker for that, and a job that
/// waits for the stop of its own queue, or the close of its client, waits for itself. Neither is
/// noticed. Both end when the time of a stop is up, because what still runs then is dropped.
///
/// # The runtime
///
/// The workers live in the runtime in which the queue was started. When that is shut down, the queue
/// is over: every job that is not done says [`ErrorKind::Runtime`], nothing more is taken, and it
/// cannot be started again.
pub struct RequestQueue<E: Execute = Client> {
    handle: Arc<Handle<E>>,
}

/// What all clones of a queue are. Workers do not hold it.
struct Handle<E: Execute> {
    context: Arc<WorkerContext<E>>,
    workers: usize,
}

/// What the workers need.
struct WorkerContext<E: Execute> {
    executor: E,
    hooks: Hooks<E>,
    shared: Arc<Shared<E::Job, E::Output>>,
}

impl RequestQueue<Client> {
    /// A queue of requests that draws from the scheduler of `client`. It takes jobs at once, and does
    /// them when it has been [started](RequestQueue::start).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the option that is out of its bounds, [`ErrorKind::Closed`] if the
    /// client is closed, [`ErrorKind::Full`] if it has too many queues.
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
    /// A queue in front of any executor, with a scheduler of its own.
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

    /// Starts the workers in the current runtime. However many call this at the same time, one of them
    /// does; after it, [`Started::Already`] is the answer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Runtime`] without a runtime, or if it is shut down; what [`Execute::ready`] says,
    /// or [`ErrorKind::Panicked`]: no worker is there then, what was submitted waits on, and the queue
    /// may be started again. [`ErrorKind::Closed`] once it has been stopped.
    pub fn start(&self) -> Result<Started> {
        worker::start(self)
    }

    /// Puts a job in the queue if there is room.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the job: [`ErrorKind::Full`] naming level and capacity, [`ErrorKind::Closed`];
    /// without it where a [`RequestBuilder`](crate::RequestBuilder) made none.
    pub fn try_submit(
        &self,
        job: impl IntoJob<E::Job>,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        self.try_submit_with(job, SubmitOptions::default())
    }

    /// [`try_submit`](RequestQueue::try_submit) with options.
    ///
    /// # Errors
    ///
    /// As [`try_submit`](RequestQueue::try_submit).
    pub fn try_submit_with(
        &self,
        job: impl IntoJob<E::Job>,
        options: SubmitOptions,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        let job = job.into_job().map_err(Rejected::without_job)?;
        let job = self.job(job, options);
        match self.shared().try_enqueue(&job) {
            Ok(()) => Ok(Ticket::new(job)),
            Err(refusal) => Err(rejected(&job, Error::refused(refusal))),
        }
    }

    /// Puts a job in the queue, and waits for room if there is none: at each level, those who wait are
    /// let in in the order in which they came, and before those who only try.
    ///
    /// The time that [`SubmitOptions::within`] gives goes on while it waits for room; a job that comes
    /// in too late is not done.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the job: [`ErrorKind::Closed`] when the queue is stopped meanwhile (by a close
    /// of its client, it is told when the next place is free), and [`ErrorKind::Full`] if too many wait
    /// for room already ([`QueueOptions::submitters`]).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place, and cancels the job if it is in the queue already. It
    /// need not be polled for the job to be let in.
    pub async fn submit(
        &self,
        job: impl IntoJob<E::Job>,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        self.submit_with(job, SubmitOptions::default()).await
    }

    /// [`submit`](RequestQueue::submit) with options.
    ///
    /// # Errors
    ///
    /// As [`submit`](RequestQueue::submit).
    ///
    /// # Cancel safety
    ///
    /// As [`submit`](RequestQueue::submit).
    pub async fn submit_with(
        &self,
        job: impl IntoJob<E::Job>,
        options: SubmitOptions,
    ) -> Result<Ticket<E::Output>, Rejected<E::Job>> {
        let job = job.into_job().map_err(Rejected::without_job)?;
        let shared = self.shared();
        let job = self.job(job, options);
        // Cancels the job should this future be dropped.
        let ticket = Ticket::new(job.clone());
        if shared.try_enqueue(&job).is_err() {
            // For want of room, as a rule; if for another reason, it will be turned away for that.
            let number = match shared.add_waiter(job.clone()) {
                Ok(number) => number,
                Err(error) => return Err(rejected(&job, error)),
            };
            let _guard = WaiterGuard { shared, number };
            shared.admit_waiting();
            poll_fn(|cx| job.poll_admitted(cx)).await;
        }
        match job.take_rejected() {
            None => Ok(ticket),
            Some((job, error)) => Err(Rejected::new(error, job)),
        }
    }

    fn job(&self, mut job: E::Job, options: SubmitOptions) -> Arc<Job<E::Job, E::Output>> {
        let WorkerContext {
            executor,
            hooks,
            shared,
        } = &*self.handle.context;
        let own = options
            .within
            .map(|limit| clock::after(clock::now(), limit));
        let deadline = clock::earlier(own, (hooks.prepare)(executor, &mut job));
        let lane = executor.lane(&job);
        let priority = options.priority.unwrap_or_else(|| executor.priority(&job));
        Arc::new(Job::new(shared.clone(), job, lane, priority, deadline))
    }

    fn shared(&self) -> &Shared<E::Job, E::Output> {
        &self.handle.context.shared
    }

    /// The executor.
    pub fn executor(&self) -> &E {
        &self.handle.context.executor
    }

    /// The scheduler that the queue draws from: to pause a lane, to change limits, to look.
    pub fn limiter(&self) -> ConcurrencyLimiter {
        match self.handle.context.hooks.keys_are_origins {
            true => ConcurrencyLimiter::of_origins(self.shared().dispatcher.clone()),
            false => ConcurrencyLimiter::of_texts(self.shared().dispatcher.clone()),
        }
    }

    /// Stops the queue and waits for the end.
    ///
    /// From now on jobs are refused, and those who wait for room are told. Jobs that wait are done, or
    /// say [`ErrorKind::Canceled`], as `mode` says; what still runs when its time is up is dropped, and
    /// says the same. Of a queue that was never started all jobs are canceled at once. When this
    /// returns, the outcome of every job is there.
    ///
    /// Every caller gets the same report; a later call with a stronger mode or less time makes it come
    /// sooner. The queue does not wait for the bodies of responses: they are their owners'.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo the stop: it goes on, and another call gives the report.
    pub async fn stop(&self, mode: Shutdown) -> StopReport {
        self.begin_stop(mode);
        let shared = self.shared();
        let report = |dispatcher: &Dispatcher| {
            dispatcher.read(|scheduler| scheduler.group_report(shared.group))
        };
        StopReport::new(shared.dispatcher.wait_for(report).await)
    }

    /// Stops the queue at once, as by [`Shutdown::Now`], without waiting for the workers.
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
        // Nobody is there to drain it.
        let mode = if was_idle { Shutdown::Now } else { mode };
        self.shared().begin_stop(mode);
    }

    /// Whether the queue has been started and not been stopped.
    pub fn is_running(&self) -> bool {
        let shared = self.shared();
        let is_open = shared
            .dispatcher
            .read(|scheduler| scheduler.group_stage(shared.group))
            == turbohttp_core::scheduler::Stage::Open;
        is_open && *shared.lock_lifecycle() == Lifecycle::Running
    }

    /// What the queue holds right now, and what has become of its jobs so far.
    pub fn stats(&self) -> QueueStats {
        let shared = self.shared();
        let load = shared
            .dispatcher
            .read(|scheduler| scheduler.group_load(shared.group));
        let submitters = shared.waiters().len();
        QueueStats::new(load, submitters, shared.panicked.load(Ordering::Relaxed))
    }

    /// How many jobs wait at this level.
    pub fn depth(&self, priority: Priority) -> usize {
        self.stats().waiting[priority.index()]
    }

    /// What is out right now at the queue's scheduler; with a client, at the client's.
    pub fn audit(&self) -> SchedulerAudit {
        self.shared().dispatcher.read(Scheduler::audit)
    }
}

impl<E: Execute> Drop for Handle<E> {
    /// Nobody can submit any more, or stop it in a better way.
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

/// Gives up a place among those who wait for room.
struct WaiterGuard<'a, J: Send + 'static, O: Send + 'static> {
    shared: &'a Shared<J, O>,
    number: WaitNumber,
}

impl<J: Send + 'static, O: Send + 'static> Drop for WaiterGuard<'_, J, O> {
    fn drop(&mut self) {
        self.shared.remove_waiter(self.number);
    }
}

/// Gives back a job that nobody but its submitter has seen.
fn rejected<J, O>(job: &Job<J, O>, error: Error) -> Rejected<J>
where
    J: Send + 'static,
    O: Send + 'static,
{
    match job.take_unqueued() {
        Some(job) => Rejected::new(error, job),
        None => unreachable!("a job that is not let in stays where it is"),
    }
}

/// Runs code of the user where a panic must not go on: it is an error instead.
fn contain<R>(what: &str, code: impl FnOnce() -> R) -> Result<R> {
    catch_unwind(AssertUnwindSafe(code))
        .map_err(|panic: Box<dyn Any + Send>| Error::panicked(what, panic))
}

/// Drops what the user made: a panic has nobody to go to.
fn contained_drop<T>(value: T) {
    let _ = contain("drop", || drop(value));
}
