//! One job from its submission to the moment its outcome is taken: the only allocation it costs.
//!
//! # Implementation
//!
//! Who decides what becomes of a job decides it under the scheduler's lock, and writes it down in the
//! job before giving that lock back: what a report counts and what a ticket says cannot differ, and
//! nobody can see the one before the other. So the job's lock is taken under the scheduler's, never
//! the other way round, and nothing foreign happens under either: jobs, outcomes and wakers are moved
//! out, and dropped or woken afterwards.
//!
//! While a job waits, the job itself is the waker that the scheduler knows: it is told at once when
//! the job expires or is refused, whether anybody looks at the ticket or not.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Instant;

use turbohttp_core::scheduler::{CallId, Effects, Outcome, Priority, Refusal, Scheduler, State};

use turbohttp_core::timeline::Phase;

use super::execute::Lane;
use super::shared::Shared;
use super::{contain, contained_drop};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Job<J, O> {
    pub(super) shared: Arc<Shared<J, O>>,
    pub(super) lane: Lane,
    pub(super) deadline: Option<Instant>,
    /// Its ticket has been given up while it ran; read by the worker at every poll.
    is_canceled: AtomicBool,
    state: Mutex<JobState<J, O>>,
}

struct JobState<J, O> {
    stage: JobStage<J, O>,
    priority: Priority,
    /// Its call and its place in the table, once it is in the queue.
    place: Option<(CallId, u64)>,
    /// Who waits for room, or for the outcome.
    waker: Option<Waker>,
}

enum JobStage<J, O> {
    /// In the queue, or before it for want of room.
    Waiting(J),
    Running,
    /// Not let in; for the one who waited for room.
    Rejected(J, Error),
    /// `None` when it has been taken.
    Done(Option<Result<O>>),
}

/// What has come out of a job under locks, to be dropped and woken without.
#[must_use = "it is to be dropped without a lock held"]
pub(super) struct DeferredDrop<J, O> {
    stage: Option<JobStage<J, O>>,
    waker: Option<Waker>,
    tag: Option<u64>,
}

impl<J: Send + 'static, O: Send + 'static> Job<J, O> {
    pub(super) fn new(
        shared: Arc<Shared<J, O>>,
        work: J,
        lane: Lane,
        priority: Priority,
        deadline: Option<Instant>,
    ) -> Job<J, O> {
        Job {
            shared,
            lane,
            deadline,
            is_canceled: AtomicBool::new(false),
            state: Mutex::new(JobState {
                stage: JobStage::Waiting(work),
                priority,
                place: None,
                waker: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, JobState<J, O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn priority(&self) -> Priority {
        self.state().priority
    }

    /// Whether the worker is to drop the job.
    pub(super) fn is_canceled(&self) -> bool {
        self.is_canceled.load(Ordering::Acquire)
    }

    /// Whether it may still be let in. Under the scheduler's lock.
    pub(super) fn is_unqueued(&self) -> bool {
        let state = self.state();
        state.place.is_none() && matches!(state.stage, JobStage::Waiting(_))
    }

    /// It is in the queue. Under the scheduler's lock.
    pub(super) fn set_place(&self, call: CallId, tag: u64) {
        self.state().place = Some((call, tag));
    }

    /// The worker takes the job; `None` if it was canceled just now.
    pub(super) fn take_work(&self) -> Option<J> {
        let mut state = self.state();
        match mem::replace(&mut state.stage, JobStage::Running) {
            JobStage::Waiting(work) => Some(work),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// Gives a job back that has not been let in, at any rate.
    pub(super) fn take_unqueued(&self) -> Option<J> {
        let mut state = self.state();
        match mem::replace(&mut state.stage, JobStage::Done(None)) {
            JobStage::Waiting(work) | JobStage::Rejected(work, _) => Some(work),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// Gives a job back that was turned away, with the reason.
    pub(super) fn take_rejected(&self) -> Option<(J, Error)> {
        let mut state = self.state();
        match mem::replace(&mut state.stage, JobStage::Done(None)) {
            JobStage::Rejected(work, error) => Some((work, error)),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// The job is not let in: whoever waits for that is told.
    pub(super) fn reject(&self, error: Error) {
        let mut state = self.state();
        match mem::replace(&mut state.stage, JobStage::Done(None)) {
            JobStage::Waiting(work) => state.stage = JobStage::Rejected(work, error),
            other => state.stage = other,
        }
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    /// The job is let in: whoever waits for that is told.
    pub(super) fn wake_waiter(&self) {
        let waker = self.state().waker.take();
        wake(waker);
    }

    /// Writes the outcome down, and the call leaves. A job that was canceled or cut off meanwhile stays
    /// so.
    pub(super) fn finish(&self, call: CallId, result: Result<O>, outcome: Outcome) {
        let (deferred, discarded) = self.shared.dispatcher.update(|scheduler, effects| {
            let now = clock::now();
            let mut state = self.state();
            if matches!(state.stage, JobStage::Done(_)) {
                scheduler.leave(call, Outcome::Canceled, now, effects);
                return (None, Some(result));
            }
            let (result, discarded) = match scheduler.finish_job(call, outcome, now, effects) {
                true => (result, None),
                // It has been counted as cut off.
                false => (Err(self.shared.stopped()), Some(result)),
            };
            scheduler.leave(call, outcome, now, effects);
            (Some(state.end(result)), discarded)
        });
        contained_drop(discarded);
        if let Some(deferred) = deferred {
            deferred.drop_and_wake(&self.shared);
        }
    }

    /// Ends the job if the scheduler has refused it, or a stop has cut it off.
    fn end_if_refused(&self) {
        let deferred = self.shared.dispatcher.update(|scheduler, effects| {
            let mut state = self.state();
            let error = self.lane.explain(self.ended_by(&state, scheduler)?);
            let place = state.place;
            let mut deferred = state.end(Err(error));
            deferred.leave_unless_taken(place, scheduler, effects);
            Some(deferred)
        });
        if let Some(deferred) = deferred {
            deferred.drop_and_wake(&self.shared);
        }
    }

    fn ended_by(&self, state: &JobState<J, O>, scheduler: &Scheduler) -> Option<Error> {
        match &state.stage {
            JobStage::Waiting(_) => match scheduler.state(state.place?.0)? {
                State::Refused(refusal) => Some(self.shared.refused(refusal)),
                // A worker has it, and has not looked at it yet.
                State::Taken => self.shared.is_cut().then(|| self.shared.stopped()),
                _ => None,
            },
            JobStage::Running => self.shared.is_cut().then(|| self.shared.stopped()),
            JobStage::Rejected(..) | JobStage::Done(_) => None,
        }
    }

    /// Takes the scheduler's answer for what waits, so that the job is told of what comes next.
    fn renew_waker(self: &Arc<Self>) {
        let Some((call, _)) = self.state().place else {
            return;
        };
        let mut waker = Some(Waker::from(self.clone()));
        self.shared.dispatcher.update(|scheduler, effects| {
            // A job that a worker has been given, and has not picked up, can still be refused.
            if matches!(scheduler.state(call), Some(State::Queued | State::Granted)) {
                scheduler.set_waker(call, waker.take()?, effects);
            }
            Some(())
        });
        drop(waker);
    }
}

impl<J, O> JobState<J, O> {
    fn end(&mut self, result: Result<O>) -> DeferredDrop<J, O> {
        DeferredDrop {
            stage: Some(mem::replace(&mut self.stage, JobStage::Done(Some(result)))),
            waker: self.waker.take(),
            tag: None,
        }
    }
}

impl<J, O> DeferredDrop<J, O> {
    /// The call of a job leaves that no worker has and none will; says whether that is so.
    fn leave_unless_taken(
        &mut self,
        place: Option<(CallId, u64)>,
        scheduler: &mut Scheduler,
        effects: &mut Effects,
    ) -> bool {
        let Some((call, tag)) = place else {
            return true;
        };
        let is_waiting = matches!(self.stage, Some(JobStage::Waiting(_)));
        if !is_waiting || scheduler.state(call) == Some(State::Taken) {
            return false;
        }
        scheduler.leave(call, Outcome::Canceled, clock::now(), effects);
        self.tag = Some(tag);
        true
    }

    /// Without any lock: drops what is left of the job, wakes whoever waits for it, and lets in those
    /// who wait for its place.
    fn drop_and_wake(self, shared: &Shared<J, O>)
    where
        J: Send + 'static,
        O: Send + 'static,
    {
        let removed = self.tag.and_then(|tag| shared.remove_job(tag));
        let has_left = removed.is_some();
        contained_drop(removed);
        contained_drop(self.stage);
        wake(self.waker);
        if has_left {
            shared.admit_waiting();
        }
    }
}

impl<J: Send + 'static, O: Send + 'static> Wake for Job<J, O> {
    /// Something has happened to a job that waits.
    fn wake(self: Arc<Self>) {
        self.end_if_refused();
        if matches!(self.state().stage, JobStage::Waiting(_)) {
            // Everybody is woken when a timer driver has gone: it still waits, and whoever holds the ticket
            // starts another one.
            self.renew_waker();
            self.wake_waiter();
        }
    }
}

impl<J, O> Drop for Job<J, O> {
    /// An outcome that nobody has taken is the user's, and often it is a worker that drops it.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        contained_drop(mem::replace(&mut state.stage, JobStage::Done(None)));
        contained_drop(state.waker.take());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        // A waker that panics has no ticket to tell.
        let _ = contain("waker", || waker.wake());
    }
}

pub(super) fn canceled() -> Error {
    Error::new(ErrorKind::Canceled, "canceled by its ticket")
}

impl<J, O> Shared<J, O> {
    /// Why a job that waited is not run.
    fn refused(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Expired => expired(),
            _ => self.stopped(),
        }
    }
}

pub(super) fn expired() -> Error {
    let message = "not started in time: the deadline passed in the queue";
    Error::new(ErrorKind::ExpiredInQueue, message).in_phase(Phase::Queue)
}

/// What a ticket sees of its job, whatever the job is.
pub(super) trait TicketState<O>: Send + Sync {
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
    pub(super) fn poll_admitted(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
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
