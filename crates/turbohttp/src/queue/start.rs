//! Starting a queue: once, whole or not at all.

use tokio::runtime::Handle;
use turbohttp_core::scheduler::Stage;

use super::execute::Execute;
use super::shared::Shared;
use super::worker::Worker;
use super::{RequestQueue, contain};
use crate::error::{Error, ErrorKind, Result};
use crate::scheduler::Shutdown;

/// What a call of [`RequestQueue::start`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it has, or somebody else has")]
pub enum Started {
    /// It has started the workers.
    Now,
    /// Another call has, or is about to.
    Already,
}

/// Whether a queue has workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    /// Not yet.
    Idle,
    Starting,
    /// While it is being started, its runtime drops what is spawned.
    RuntimeGone,
    Running,
    /// Stopped before it had any, or while it was being started.
    Stopped,
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
