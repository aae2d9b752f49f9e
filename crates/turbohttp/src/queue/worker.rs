//! The workers: tasks that run one job at a time each, until their queue is closed.
//!
//! # Implementation
//!
//! A job that a worker has picked up holds its permit already. The worker polls the job's future in
//! its own task, which is woken by the future, by a cancel of the ticket, and by the scheduler when a
//! stop cuts the job off. A panic of the executor is contained and becomes the outcome of its job. A
//! worker that is dropped before its queue is closed was dropped by its runtime: it closes the queue.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use tokio::runtime::Handle;
use turbohttp_core::contain::contain;
use turbohttp_core::scheduler::{Outcome, Picked, Stage};

use super::execute::{Execute, Hooks, Start};
use super::group::{canceled, expired, runtime_gone};
use super::job::{Job, JobQueue as _};
use super::shared::{Lifecycle, Shared};
use crate::clock;
use crate::error::{self, Error, ErrorKind, Result};
use crate::scheduler::{CallGuard, Shutdown};

/// What a call of [`RequestQueue::start`](crate::RequestQueue::start) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "this call has started it, or another one"
)]
pub enum Started {
    /// This call has started the workers.
    Now,
    /// Another call has started them, or is about to.
    Already,
}

/// What the workers of a queue need. It is kept alive by them and by the handles of the queue.
pub(super) struct WorkerContext<E: Execute> {
    pub(super) executor: E,
    pub(super) hooks: Hooks<E>,
    pub(super) shared: Arc<Shared<E::Job, E::Output>>,
}

/// Starts the workers in the current runtime: all of them, or none if anything fails.
pub(super) fn start<E: Execute>(
    context: &Arc<WorkerContext<E>>,
    workers: usize,
) -> Result<Started> {
    let Some(attempt) = StartAttempt::begin(&context.shared)? else {
        return Ok(Started::Already);
    };
    let runtime = Handle::try_current().map_err(|error| {
        let message = "a queue is to be started inside a tokio runtime";
        Error::new(ErrorKind::Runtime, message).with_source(error)
    })?;
    for worker in 0..workers {
        error::contain("executor", || context.executor.ready(worker))??;
    }
    for number in 0..workers {
        // Fits: at most `QUEUE_WORKERS_MAX`.
        #[expect(clippy::disallowed_methods, reason = "ends with its queue")]
        runtime.spawn(Worker::new(context.clone(), number as u32).run());
    }
    attempt.succeed()
}

/// A start under way. Dropped before it has succeeded, it makes the queue idle again.
struct StartAttempt<'a, J: Send + 'static, O: Send + 'static> {
    shared: &'a Shared<J, O>,
    has_succeeded: bool,
}

impl<'a, J: Send + 'static, O: Send + 'static> StartAttempt<'a, J, O> {
    /// `None` if another call has started the queue, or is about to.
    fn begin(shared: &'a Shared<J, O>) -> Result<Option<StartAttempt<'a, J, O>>> {
        // Read before the lock of the lifecycle is taken: no lock is taken under another.
        let stage = shared.group.stage();
        let mut lifecycle = shared.lock_lifecycle();
        match *lifecycle {
            _ if stage != Stage::Open => Err(Error::closed()),
            Lifecycle::Stopped => Err(Error::closed()),
            Lifecycle::Starting | Lifecycle::RuntimeGone | Lifecycle::Running => Ok(None),
            Lifecycle::Idle => {
                *lifecycle = Lifecycle::Starting;
                Ok(Some(StartAttempt {
                    shared,
                    has_succeeded: false,
                }))
            }
        }
    }

    fn succeed(mut self) -> Result<Started> {
        let mut lifecycle = self.shared.lock_lifecycle();
        match *lifecycle {
            Lifecycle::RuntimeGone => {
                let message = "the runtime that the queue was to be started in is shut down";
                return Err(Error::new(ErrorKind::Runtime, message));
            }
            // Stopped while it was being started: the workers drain it.
            Lifecycle::Stopped => {}
            _ => *lifecycle = Lifecycle::Running,
        }
        drop(lifecycle);
        self.has_succeeded = true;
        Ok(Started::Now)
    }
}

impl<J: Send + 'static, O: Send + 'static> Drop for StartAttempt<'_, J, O> {
    fn drop(&mut self) {
        let mut lifecycle = self.shared.lock_lifecycle();
        match *lifecycle {
            Lifecycle::Starting | Lifecycle::RuntimeGone => *lifecycle = Lifecycle::Idle,
            Lifecycle::Stopped if !self.has_succeeded => {
                // Stopped meanwhile, perhaps with a drain: without workers it would never end.
                drop(lifecycle);
                self.shared.begin_stop(Shutdown::Now);
            }
            Lifecycle::Stopped | Lifecycle::Idle | Lifecycle::Running => {}
        }
    }
}

struct Worker<E: Execute> {
    context: Arc<WorkerContext<E>>,
    number: u32,
    /// The queue is closed, and the worker ends by itself.
    is_over: bool,
}

impl<E: Execute> Worker<E> {
    fn new(context: Arc<WorkerContext<E>>, number: u32) -> Worker<E> {
        Worker {
            context,
            number,
            is_over: false,
        }
    }

    async fn run(mut self) {
        while let Some(picked) = poll_fn(|cx| self.poll_next(cx)).await {
            self.run_job(picked).await;
            // Jobs that never wait would keep the runtime's thread from every other task.
            tokio::task::coop::consume_budget().await;
        }
        self.is_over = true;
    }

    /// The next job; `None` when the queue is closed.
    fn poll_next(&self, cx: &mut TaskContext<'_>) -> Poll<Option<Picked>> {
        let group = &self.context.shared.group;
        let (id, number) = (group.id, self.number);
        let mut waker = Some(cx.waker().clone());
        let next = group.dispatcher.update(|scheduler, effects| {
            if scheduler.group_stage(id) == Stage::Closed {
                return Poll::Ready(None);
            }
            match waker.take() {
                Some(waker) => scheduler
                    .poll_worker(id, number, waker, clock::now(), effects)
                    .map(Some),
                None => Poll::Pending,
            }
        });
        // Where the scheduler did not take it, it is dropped here, not under the lock.
        drop(waker);
        next
    }

    async fn run_job(&self, picked: Picked) {
        let WorkerContext {
            executor,
            hooks,
            shared,
        } = &*self.context;
        // The guard first: from here on the permit is released however this ends.
        let call = CallGuard::new(shared.group.dispatcher.clone(), picked.call);
        let Some(job) = shared.remove_job(picked.tag) else {
            return;
        };
        let mut running = RunningJob {
            shared,
            job,
            call: Some(call),
        };
        contain(|| drop(picked.waker));
        // The job does not wait any more, so there is room for another one.
        shared.admit_waiting();
        let Some(mut work) = running.job.take_work() else {
            return running.end(Err(canceled()), Outcome::Canceled);
        };
        if running.is_late() {
            contain(|| drop(work));
            let error = running.job.lane.explain(expired());
            return running.end(Err(error), Outcome::Expired);
        }
        if let Some(call) = &running.call {
            let start = Start {
                call,
                waited: picked.waited,
                priority: running.job.priority(),
            };
            (hooks.hand_over)(executor, &mut work, start);
        }
        let result = match self.contain(|| executor.execute(work)) {
            Err(error) => Err(error),
            Ok(future) => {
                let mut future = pin!(Some(future));
                let result = poll_fn(|cx| self.poll_job(&mut running, future.as_mut(), cx)).await;
                // What the future owns is dropped before the ticket has the outcome. The outcome stays
                // what it is if that drop panics.
                let _ = self.contain(|| future.set(None));
                result
            }
        };
        let outcome = match &result {
            Ok(_) => Outcome::Completed,
            Err(_) => Outcome::Failed,
        };
        running.end(result, outcome);
    }

    fn poll_job<F>(
        &self,
        running: &mut RunningJob<'_, E::Job, E::Output>,
        future: Pin<&mut Option<F>>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<E::Output>>
    where
        F: Future<Output = Result<E::Output>>,
    {
        let Some(future) = future.as_pin_mut() else {
            unreachable!("it is dropped after the last poll");
        };
        let group = &self.context.shared.group;
        // Before the poll: a job that is both ready and cut off does not go on.
        if running.is_interrupted() {
            return Poll::Ready(Err(group.stopped()));
        }
        match self.contain(|| future.poll(cx)) {
            Ok(Poll::Pending) if running.poll_interrupted(cx).is_pending() => Poll::Pending,
            Ok(Poll::Pending) => Poll::Ready(Err(group.stopped())),
            Ok(Poll::Ready(result)) => Poll::Ready(result),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Runs code of the executor; a panic is counted, and is an error.
    fn contain<R>(&self, code: impl FnOnce() -> R) -> Result<R> {
        error::contain("executor", code).inspect_err(|_| {
            let panicked = &self.context.shared.panicked;
            panicked.fetch_add(1, Ordering::Relaxed);
        })
    }
}

impl<E: Execute> Drop for Worker<E> {
    fn drop(&mut self) {
        let shared = &self.context.shared;
        shared.group.dispatcher.update(|scheduler, effects| {
            scheduler.forget_worker(shared.group.id, self.number, effects);
        });
        if self.is_over {
            return;
        }
        let mut lifecycle = shared.lock_lifecycle();
        if matches!(*lifecycle, Lifecycle::Starting | Lifecycle::RuntimeGone) {
            // The start fails, and what was submitted waits for another one.
            *lifecycle = Lifecycle::RuntimeGone;
            return;
        }
        drop(lifecycle);
        shared.close_runtime_gone();
    }
}

/// A job that a worker has picked up. Dropped before its end, it was dropped by the runtime.
struct RunningJob<'a, J: Send + 'static, O: Send + 'static> {
    shared: &'a Shared<J, O>,
    job: Arc<Job<J, O>>,
    /// `None` after its end.
    call: Option<CallGuard>,
}

impl<J: Send + 'static, O: Send + 'static> RunningJob<'_, J, O> {
    fn is_late(&self) -> bool {
        let deadline = self.job.deadline;
        deadline.is_some_and(|deadline| deadline <= clock::now())
    }

    fn is_interrupted(&self) -> bool {
        self.job.is_interrupted()
    }

    /// Whether the job is to be dropped; if not, the task is woken when it is.
    fn poll_interrupted(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(call) = &mut self.call else {
            return Poll::Ready(());
        };
        let cut = call.poll_cut(cx);
        // Checked after the scheduler has the waker: a cancel from now on wakes it.
        match self.is_interrupted() {
            true => Poll::Ready(()),
            false => cut,
        }
    }

    fn end(mut self, result: Result<O>, outcome: Outcome) {
        self.finish(result, outcome);
    }

    fn finish(&mut self, result: Result<O>, outcome: Outcome) {
        if let Some(call) = self.call.take() {
            // `Job::finish` makes the call leave in the step that writes the outcome; the leave of the guard,
            // which drops at the end of this block, finds it gone.
            self.job.finish(call.call(), result, outcome);
        }
    }
}

impl<J: Send + 'static, O: Send + 'static> Drop for RunningJob<'_, J, O> {
    fn drop(&mut self) {
        if self.call.is_some() {
            // Before the job ends, so that the report of the close counts this job too.
            self.shared.close_runtime_gone();
            self.finish(Err(runtime_gone()), Outcome::Aborted);
        }
    }
}
