//! Starting a queue: once, whole or not at all.

use tokio::runtime::Handle;
use turbohttp_core::scheduler::Stage;

use super::desk::Desk;
use super::execute::Execute;
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
pub(super) enum Life {
    /// Not yet.
    Idle,
    Starting,
    /// While it is being started, its runtime drops what is spawned.
    Stillborn,
    Running,
    /// Stopped before it had any, or while it was being started.
    Stopped,
}

pub(super) fn start<E: Execute>(queue: &RequestQueue<E>) -> Result<Started> {
    let staff = &queue.handle.staff;
    let desk = &staff.desk;
    let Some(attempt) = Attempt::begin(desk)? else {
        return Ok(Started::Already);
    };
    let runtime = Handle::try_current().map_err(|error| {
        let message = "a queue is to be started inside a tokio runtime";
        Error::new(ErrorKind::Runtime, message).with_source(error)
    })?;
    for worker in 0..queue.handle.workers {
        contain("executor", || staff.executor.ready(worker))??;
    }
    for number in 0..queue.handle.workers {
        // At most `QUEUE_WORKERS_MAX`.
        #[expect(clippy::disallowed_methods, reason = "ends with its queue")]
        runtime.spawn(Worker::new(staff.clone(), number as u32).work());
    }
    attempt.succeed()
}

/// A start under way: taken back unless it succeeds.
struct Attempt<'a, J: Send + 'static, O: Send + 'static> {
    desk: &'a Desk<J, O>,
    has_succeeded: bool,
}

impl<'a, J: Send + 'static, O: Send + 'static> Attempt<'a, J, O> {
    /// `None` if somebody else was faster.
    fn begin(desk: &'a Desk<J, O>) -> Result<Option<Attempt<'a, J, O>>> {
        let stage = desk
            .control
            .look(|scheduler| scheduler.group_stage(desk.group));
        let mut life = desk.lock_life();
        match *life {
            _ if stage != Stage::Open => Err(Error::closed()),
            Life::Stopped => Err(Error::closed()),
            Life::Starting | Life::Stillborn | Life::Running => Ok(None),
            Life::Idle => {
                *life = Life::Starting;
                Ok(Some(Attempt {
                    desk,
                    has_succeeded: false,
                }))
            }
        }
    }

    fn succeed(mut self) -> Result<Started> {
        let mut life = self.desk.lock_life();
        match *life {
            Life::Stillborn => {
                let message = "the runtime that the queue was to be started in is shut down";
                return Err(Error::new(ErrorKind::Runtime, message));
            }
            // The workers see to what is to be drained.
            Life::Stopped => {}
            _ => *life = Life::Running,
        }
        drop(life);
        self.has_succeeded = true;
        Ok(Started::Now)
    }
}

impl<J: Send + 'static, O: Send + 'static> Drop for Attempt<'_, J, O> {
    fn drop(&mut self) {
        let mut life = self.desk.lock_life();
        match *life {
            Life::Starting | Life::Stillborn => *life = Life::Idle,
            Life::Stopped if !self.has_succeeded => {
                // Stopped meanwhile, and nobody is there to drain what waits.
                drop(life);
                self.desk.begin_stop(Shutdown::Now);
            }
            Life::Stopped | Life::Idle | Life::Running => {}
        }
    }
}
