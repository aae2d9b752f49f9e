//! One worker: a task that does one job at a time, until its queue is closed.
//!
//! # Implementation
//!
//! A job that a worker has picked up holds its permit already. The worker polls the job's future in
//! place; it is woken by the job, by the ticket when that is given up, and by the scheduler when the
//! job is cut off. What panics is contained: it is the outcome of its job. A worker that is dropped
//! before its queue is closed went with its runtime, and takes the queue along.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use tokio::runtime::Handle;
use turbohttp_core::scheduler::{Outcome, Picked, Stage};

use super::execute::{Execute, Start};
use super::job::{Job, canceled, expired};
use super::shared::{Lifecycle, Shared, runtime_gone};
use super::{RequestQueue, WorkerContext, contain, contained_drop};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::scheduler::{CallGuard, Shutdown};

pub(super) struct Worker<E: Execute> {
    context: Arc<WorkerContext<E>>,
    number: u32,
    /// The queue is closed.
    is_over: bool,
}

impl<E: Execute> Worker<E> {
    pub(super) fn new(context: Arc<WorkerContext<E>>, number: u32) -> Worker<E> {
        Worker {
            context,
            number,
            is_over: false,
        }
    }

    pub(super) async fn work(mut self) {
        while let Some(picked) = poll_fn(|cx| self.poll_next(cx)).await {
            self.run(picked).await;
            // Jobs that never wait would keep everybody else from this thread.
            tokio::task::coop::consume_budget().await;
        }
        self.is_over = true;
    }

    /// The next job; `None` when the queue is closed.
    fn poll_next(&self, cx: &mut TaskContext<'_>) -> Poll<Option<Picked>> {
        let shared = &self.context.shared;
        let mut waker = Some(cx.waker().clone());
        let (group, number) = (shared.group, self.number);
        let next = shared.dispatcher.update(|scheduler, effects| {
            if scheduler.group_stage(group) == Stage::Closed {
                return Poll::Ready(None);
            }
            match waker.take() {
                Some(waker) => scheduler
                    .poll_worker(group, number, waker, clock::now(), effects)
                    .map(Some),
                None => Poll::Pending,
            }
        });
        drop(waker);
        next
    }

    async fn run(&self, picked: Picked) {
        let WorkerContext {
            executor,
            hooks,
            shared,
        } = &*self.context;
        let call = CallGuard::new(shared.dispatcher.clone(), picked.call);
        let Some(job) = shared.remove_job(picked.tag) else {
            return;
        };
        let mut running = RunningJob {
            job,
            call: Some(call),
        };
        contained_drop(picked.waker);
        // It waits no more: there is room for another one.
        shared.admit_waiting();
        let Some(mut job) = running.job.take_work() else {
            return running.end(Err(canceled()), Outcome::Canceled);
        };
        if running.is_late() {
            contained_drop(job);
            let error = running.job.lane.explain(expired());
            return running.end(Err(error), Outcome::Expired);
        }
        if let Some(call) = &running.call {
            let start = Start {
                call,
                waited: picked.waited,
                priority: running.job.priority(),
            };
            (hooks.hand_over)(executor, &mut job, start);
        }
        let result = match self.contain(|| executor.execute(job)) {
            Err(error) => Err(error),
            Ok(future) => {
                let mut future = pin!(Some(future));
                let result = poll_fn(|cx| self.poll_job(&mut running, future.as_mut(), cx)).await;
                // What it holds is home before its end is told; a panic here changes nothing of that.
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
        running: &mut RunningJob<E::Job, E::Output>,
        future: Pin<&mut Option<F>>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<E::Output>>
    where
        F: Future<Output = Result<E::Output>>,
    {
        let Some(future) = future.as_pin_mut() else {
            unreachable!("it is dropped after the last poll");
        };
        if running.is_interrupted() {
            return Poll::Ready(Err(self.context.shared.stopped()));
        }
        match self.contain(|| future.poll(cx)) {
            Ok(Poll::Pending) if running.poll_interrupted(cx).is_pending() => Poll::Pending,
            Ok(Poll::Pending) => Poll::Ready(Err(self.context.shared.stopped())),
            Ok(Poll::Ready(result)) => Poll::Ready(result),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Runs code of the executor; a panic is an error.
    fn contain<R>(&self, code: impl FnOnce() -> R) -> Result<R> {
        contain("executor", code).inspect_err(|_| {
            self.context.shared.panicked.fetch_add(1, Ordering::Relaxed);
        })
    }
}

impl<E: Execute> Drop for Worker<E> {
    fn drop(&mut self) {
        let shared = &self.context.shared;
        shared.dispatcher.update(|scheduler, effects| {
            scheduler.forget_worker(shared.group, self.number, effects);
        });
        if self.is_over {
            return;
        }
        let mut lifecycle = shared.lock_lifecycle();
        if matches!(*lifecycle, Lifecycle::Starting | Lifecycle::RuntimeGone) {
            *lifecycle = Lifecycle::RuntimeGone;
            return;
        }
        drop(lifecycle);
        shared.close_runtime_gone();
    }
}

/// A job in the hands of a worker. If it is dropped before its end, the runtime has gone.
struct RunningJob<J: Send + 'static, O: Send + 'static> {
    job: Arc<Job<J, O>>,
    /// `None` after its end.
    call: Option<CallGuard>,
}

impl<J: Send + 'static, O: Send + 'static> RunningJob<J, O> {
    fn is_late(&self) -> bool {
        let deadline = self.job.deadline;
        deadline.is_some_and(|deadline| deadline <= clock::now())
    }

    fn is_interrupted(&self) -> bool {
        self.job.is_canceled() || self.job.shared.is_cut()
    }

    /// Whether the job is to be dropped; if not, the task is woken when it is.
    fn poll_interrupted(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(call) = &mut self.call else {
            return Poll::Ready(());
        };
        let cut = call.poll_cut(cx);
        // Looked at after the waker is known: who cancels from now on wakes it.
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
            self.job.finish(call.call(), result, outcome);
        }
    }
}

impl<J: Send + 'static, O: Send + 'static> Drop for RunningJob<J, O> {
    fn drop(&mut self) {
        if self.call.is_some() {
            // First of all, so that the report counts this job too.
            self.job.shared.close_runtime_gone();
            self.finish(Err(runtime_gone()), Outcome::Aborted);
        }
    }
}

/// What a call of [`RequestQueue::start`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it has, or somebody else has")]
pub enum Started {
    /// It has started the workers.
    Now,
    /// Another call has, or is about to.
    Already,
}

pub(super) fn start<E: Execute>(queue: &RequestQueue<E>) -> Result<Started> {
    let context = &queue.handle.context;
    let shared = &context.shared;
    let Some(attempt) = Attempt::begin(shared)? else {
        return Ok(Started::Already);
    };
    let runtime = Handle::try_current().map_err(|error| {
        let message = "a queue is to be started inside a tokio runtime";
        Error::new(ErrorKind::Runtime, message).with_source(error)
    })?;
    for worker in 0..queue.handle.workers {
        contain("executor", || context.executor.ready(worker))??;
    }
    for number in 0..queue.handle.workers {
        // At most `QUEUE_WORKERS_MAX`.
        runtime.spawn(Worker::new(context.clone(), number as u32).work());
    }
    attempt.succeed()
}

/// A start under way: taken back unless it succeeds.
struct Attempt<'a, J: Send + 'static, O: Send + 'static> {
    shared: &'a Shared<J, O>,
    has_succeeded: bool,
}

impl<'a, J: Send + 'static, O: Send + 'static> Attempt<'a, J, O> {
    /// `None` if somebody else was faster.
    fn begin(shared: &'a Shared<J, O>) -> Result<Option<Attempt<'a, J, O>>> {
        let stage = shared
            .dispatcher
            .read(|scheduler| scheduler.group_stage(shared.group));
        let mut lifecycle = shared.lock_lifecycle();
        match *lifecycle {
            _ if stage != Stage::Open => Err(Error::closed()),
            Lifecycle::Stopped => Err(Error::closed()),
            Lifecycle::Starting | Lifecycle::RuntimeGone | Lifecycle::Running => Ok(None),
            Lifecycle::Idle => {
                *lifecycle = Lifecycle::Starting;
                Ok(Some(Attempt {
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
            // The workers see to what is to be drained.
            Lifecycle::Stopped => {}
            _ => *lifecycle = Lifecycle::Running,
        }
        drop(lifecycle);
        self.has_succeeded = true;
        Ok(Started::Now)
    }
}

impl<J: Send + 'static, O: Send + 'static> Drop for Attempt<'_, J, O> {
    fn drop(&mut self) {
        let mut lifecycle = self.shared.lock_lifecycle();
        match *lifecycle {
            Lifecycle::Starting | Lifecycle::RuntimeGone => *lifecycle = Lifecycle::Idle,
            Lifecycle::Stopped if !self.has_succeeded => {
                // Stopped meanwhile, and nobody is there to drain what waits.
                drop(lifecycle);
                self.shared.begin_stop(Shutdown::Now);
            }
            Lifecycle::Stopped | Lifecycle::Idle | Lifecycle::Running => {}
        }
    }
}
