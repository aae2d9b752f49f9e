//! The queue's group of workers at its scheduler, and the errors of jobs that the group ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use turbohttp_core::scheduler::{Bound, GroupId, Priority, Refusal, Stage};
use turbohttp_core::timeline::Phase;

use crate::error::{Error, ErrorKind, Result};
use crate::scheduler::Dispatcher;

/// A queue as its scheduler sees it. It knows no job and no executor.
pub(super) struct Group {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) id: GroupId,
    /// Jobs that may wait at each priority.
    pub(super) per_priority: usize,
    /// Set by the scheduler, under its lock, when running jobs are to be dropped.
    cut: Arc<AtomicBool>,
    is_runtime_gone: AtomicBool,
}

impl Group {
    /// Opens a group of workers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if the scheduler is closed, [`ErrorKind::Full`] if it has as many groups
    /// as it may have.
    pub(super) fn open(dispatcher: Arc<Dispatcher>, per_priority: usize) -> Result<Group> {
        let (id, cut) = dispatcher.update(|scheduler, _| {
            // Under one lock with `open_group`: a close either refuses the group or closes it too.
            if scheduler.stage() != Stage::Open {
                return Err(Error::closed());
            }
            let opened = scheduler.open_group([per_priority; Priority::COUNT]);
            let id = opened.map_err(|error| {
                Error::new(ErrorKind::Full, "the client has too many queues").with_source(error)
            })?;
            Ok((id, scheduler.group_cut_flag(id)))
        })?;
        Ok(Group {
            dispatcher,
            id,
            per_priority,
            cut,
            is_runtime_gone: AtomicBool::new(false),
        })
    }

    /// How far the group is closed.
    pub(super) fn stage(&self) -> Stage {
        self.dispatcher
            .read(|scheduler| scheduler.group_stage(self.id))
    }

    /// Whether running jobs are to be dropped. Takes no lock.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// From now on jobs that are not done end in [`ErrorKind::Runtime`]. To be called before the group
    /// is closed, so that every job that the close ends says so.
    pub(super) fn set_runtime_gone(&self) {
        // Release, with the Acquire in `stopped`: a job that sees the cut sees this flag too.
        self.is_runtime_gone.store(true, Ordering::Release);
    }

    /// The error of a job that was not done when the queue stopped.
    pub(super) fn stopped(&self) -> Error {
        if self.is_runtime_gone.load(Ordering::Acquire) {
            return runtime_gone();
        }
        let message = "canceled: the queue was stopped before the job was done";
        Error::new(ErrorKind::Canceled, message)
    }

    /// The error of a waiting job that the scheduler has refused.
    pub(super) fn refused(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Expired => expired(),
            // By a close: the other refusals are those of `submit`, before a job waits.
            _ => self.stopped(),
        }
    }

    /// There is no room at this priority.
    pub(super) fn full(&self, priority: Priority) -> Refusal {
        Refusal::Full {
            bound: Bound::Group(priority),
            limit: self.per_priority,
        }
    }
}

impl Drop for Group {
    /// The last ticket and the last worker are gone: the scheduler may reuse the group's place.
    fn drop(&mut self) {
        self.dispatcher
            .update(|scheduler, _| scheduler.forget_group(self.id));
    }
}

/// The error of a job that its ticket has canceled.
pub(super) fn canceled() -> Error {
    Error::new(ErrorKind::Canceled, "canceled by its ticket")
}

/// The error of a job whose deadline has passed before it was started.
pub(super) fn expired() -> Error {
    let message = "not started in time: the deadline passed in the queue";
    Error::new(ErrorKind::ExpiredInQueue, message).in_phase(Phase::Queue)
}

/// The error of a job whose workers were dropped by their runtime.
pub(super) fn runtime_gone() -> Error {
    let message = "the runtime of the queue's workers was shut down before the job was done";
    Error::new(ErrorKind::Runtime, message)
}
