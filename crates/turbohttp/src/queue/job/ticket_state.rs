//! What others see of a job: its ticket, and the one who waits for room.

use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use turbohttp_core::scheduler::{Priority, State};

use super::{Job, JobStage, JobState, canceled};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};

/// What a ticket sees of its job, whatever the job is.
pub(in super::super) trait TicketState<O>: Send + Sync {
    fn poll_result(&self, cx: &mut TaskContext<'_>) -> Poll<Result<O>>;
    fn try_result(&self) -> Option<Result<O>>;
    fn is_done(&self) -> bool;
    fn cancel(&self) -> bool;
    fn set_priority(&self, priority: Priority) -> Result<bool>;
    fn position(&self) -> Option<usize>;
}

impl<J: Send + 'static, O: Send + 'static> TicketState<O> for Job<J, O> {
    fn poll_result(&self, cx: &mut TaskContext<'_>) -> Poll<Result<O>> {
        if let Some(result) = self.try_result() {
            return Poll::Ready(result);
        }
        let is_open = |state: &JobState<J, O>| !matches!(state.stage, JobStage::Done(_));
        if self.poll_while(cx, is_open).is_pending() {
            self.shared.dispatcher.ensure_timer();
            return Poll::Pending;
        }
        match self.try_result() {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }

    fn try_result(&self) -> Option<Result<O>> {
        if !self.is_done() {
            return None;
        }
        match &mut self.state().stage {
            JobStage::Done(result) => Some(result.take().unwrap_or_else(|| Err(already_taken()))),
            _ => None,
        }
    }

    fn is_done(&self) -> bool {
        if matches!(self.state().stage, JobStage::Done(_)) {
            return true;
        }
        self.end_if_refused();
        matches!(self.state().stage, JobStage::Done(_))
    }

    /// Ends the job where it stands; `false` if it is done already.
    fn cancel(&self) -> bool {
        let deferred = self.shared.dispatcher.update(|scheduler, effects| {
            let mut state = self.state();
            if let JobStage::Done(_) = state.stage {
                return None;
            }
            let error = self.ended_by(&state, scheduler);
            let place = state.place;
            let error = self.lane.explain(error.unwrap_or_else(canceled));
            let mut deferred = state.end(Err(error));
            if !deferred.leave_unless_taken(place, scheduler, effects)
                && let Some((call, _)) = place
            {
                // The worker is told, and drops the job itself.
                self.is_canceled.store(true, Ordering::Release);
                scheduler.wake_owner(call, effects);
            }
            Some(deferred)
        });
        let Some(deferred) = deferred else {
            return false;
        };
        deferred.drop_and_wake(&self.shared);
        true
    }

    fn set_priority(&self, priority: Priority) -> Result<bool> {
        let shared = &self.shared;
        let changed = shared.dispatcher.update(|scheduler, effects| {
            let mut state = self.state();
            let Some((call, _)) = state.place else {
                return Ok(false);
            };
            if scheduler.state(call) != Some(State::Queued) || state.priority == priority {
                return Ok(scheduler.state(call) == Some(State::Queued));
            }
            let waiting = scheduler.group_load(shared.group).waiting;
            if waiting[priority.index()] >= shared.per_priority {
                return Err(shared.full(priority));
            }
            state.priority = priority;
            Ok(scheduler.set_priority(call, priority, clock::now(), effects))
        });
        // There is room at the level it has left.
        shared.admit_waiting();
        changed
    }

    fn position(&self) -> Option<usize> {
        let place = self.state().place;
        let (call, _) = place?;
        self.shared
            .dispatcher
            .read(|scheduler| scheduler.position(call))
    }
}

impl<J: Send + 'static, O: Send + 'static> Job<J, O> {
    /// Waits until the job is in the queue, or is turned away.
    pub(in super::super) fn poll_admitted(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let is_out = |state: &JobState<J, O>| {
            state.place.is_none() && matches!(state.stage, JobStage::Waiting(_))
        };
        self.poll_while(cx, is_out)
    }

    /// Waits while `holds`; what ends it wakes the waker.
    fn poll_while(
        &self,
        cx: &mut TaskContext<'_>,
        holds: impl Fn(&JobState<J, O>) -> bool,
    ) -> Poll<()> {
        let state = self.state();
        if !holds(&state) {
            return Poll::Ready(());
        }
        if let Some(known) = &state.waker
            && known.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        drop(state);
        // Cloning and dropping wakers is foreign code: not under the lock.
        let clone = cx.waker().clone();
        let mut state = self.state();
        if !holds(&state) {
            return Poll::Ready(());
        }
        let former = state.waker.replace(clone);
        drop(state);
        drop(former);
        Poll::Pending
    }
}

fn already_taken() -> Error {
    Error::new(ErrorKind::Closed, "the ticket has given its result already")
}
