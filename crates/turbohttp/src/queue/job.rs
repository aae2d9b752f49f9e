//! One job, from its submission until its outcome is taken: the only allocation that it costs.
//!
//! # Implementation
//!
//! The fate of a job is decided under the scheduler's lock and written into [`JobState`] before that
//! lock is released. So a report and a ticket cannot disagree, and neither is visible before the
//! other.
//!
//! Lock order: the scheduler's lock, then the job's. No foreign code runs under either: work, outcomes
//! and wakers are moved out into a [`DeferredDrop`], and dropped or woken after both are released.
//!
//! While a job waits, the job itself is the waker that the scheduler holds: it ends as soon as the
//! scheduler refuses it, also when its ticket is not polled.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Instant;

use turbohttp_core::contain::contain;
use turbohttp_core::scheduler::{CallId, Effects, Outcome, Priority, Scheduler, State};
use turbohttp_core::sync::lock;

use super::execute::Lane;
use super::group::{Group, canceled};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};

/// What a job needs of the queue that it is in.
pub(super) trait JobQueue<J, O>: Send + Sync {
    /// The group of workers that runs the job.
    fn group(&self) -> &Group;

    /// Takes a job out of the table of jobs; it is to be dropped without a lock held.
    fn remove_job(&self, tag: u64) -> Option<Arc<Job<J, O>>>;

    /// Enqueues the jobs that wait for room, as far as there is room.
    fn admit_waiting(&self);
}

/// A job. `J` is its work, as it was submitted; `O` is what comes of it.
pub(super) struct Job<J, O> {
    queue: Arc<dyn JobQueue<J, O>>,
    pub(super) lane: Lane,
    pub(super) deadline: Option<Instant>,
    /// The ticket was canceled while a worker had the job. The worker reads it at every poll.
    is_canceled: AtomicBool,
    state: Mutex<JobState<J, O>>,
}

struct JobState<J, O> {
    stage: JobStage<J, O>,
    priority: Priority,
    /// Its call at the scheduler and its tag in the table of jobs, once it is enqueued.
    place: Option<(CallId, u64)>,
    /// Of the task that awaits room, and later of the one that awaits the outcome.
    waker: Option<Waker>,
}

enum JobStage<J, O> {
    /// Enqueued, or not yet for want of room.
    Waiting(J),
    Running,
    /// Not enqueued, and never will be: the submitter gets the work back.
    Rejected(J, Error),
    /// `None` when the outcome has been taken.
    Done(Option<Result<O>>),
}

/// What was moved out of a job under locks, to be dropped and woken when they are released.
#[must_use = "it is to be dropped without a lock held"]
struct DeferredDrop<J, O> {
    stage: Option<JobStage<J, O>>,
    waker: Option<Waker>,
    tag: Option<u64>,
}

/// What a ticket sees of its job, whatever the work is.
pub(super) trait TicketState<O>: Send + Sync {
    /// The outcome; if it is not there, the task is woken when it is.
    fn poll_result(&self, cx: &mut TaskContext<'_>) -> Poll<Result<O>>;
    /// Takes the outcome if it is there; a second take is [`ErrorKind::Closed`].
    fn try_result(&self) -> Option<Result<O>>;
    fn is_done(&self) -> bool;
    /// Ends the job; `false` if it is done already.
    fn cancel(&self) -> bool;
    /// `false` if the job does not wait any more.
    fn set_priority(&self, priority: Priority) -> Result<bool>;
    /// How many jobs start before this one, by priority and age alone.
    fn position(&self) -> Option<usize>;
}

impl<J: Send + 'static, O: Send + 'static> Job<J, O> {
    pub(super) fn new(
        queue: Arc<dyn JobQueue<J, O>>,
        work: J,
        lane: Lane,
        priority: Priority,
        deadline: Option<Instant>,
    ) -> Job<J, O> {
        Job {
            queue,
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
        lock(&self.state)
    }

    fn group(&self) -> &Group {
        self.queue.group()
    }

    pub(super) fn priority(&self) -> Priority {
        self.state().priority
    }

    /// Whether the worker is to drop the job: its ticket was canceled, or a stop cuts it off.
    pub(super) fn is_interrupted(&self) -> bool {
        self.is_canceled.load(Ordering::Acquire) || self.group().is_cut()
    }

    /// Whether it can still be enqueued. Called under the scheduler's lock.
    pub(super) fn is_unqueued(&self) -> bool {
        self.state().is_unqueued()
    }

    /// Notes where it was enqueued. Called under the scheduler's lock.
    pub(super) fn set_place(&self, call: CallId, tag: u64) {
        self.state().place = Some((call, tag));
    }

    /// The work, for the worker that runs the job; `None` if the job was canceled meanwhile.
    pub(super) fn take_work(&self) -> Option<J> {
        self.state()
            .replace_if(JobStage::Running, |stage| match stage {
                JobStage::Waiting(work) => Ok(work),
                other => Err(other),
            })
    }

    /// The work of a job that was not enqueued.
    pub(super) fn take_unqueued(&self) -> Option<J> {
        self.state()
            .replace_if(JobStage::Done(None), |stage| match stage {
                JobStage::Waiting(work) | JobStage::Rejected(work, _) => Ok(work),
                other => Err(other),
            })
    }

    /// The work of a job that was [rejected](Job::reject), and why.
    pub(super) fn take_rejected(&self) -> Option<(J, Error)> {
        self.state()
            .replace_if(JobStage::Done(None), |stage| match stage {
                JobStage::Rejected(work, error) => Ok((work, error)),
                other => Err(other),
            })
    }

    /// The job will never be enqueued. Wakes its submitter, which takes the work back.
    pub(super) fn reject(&self, error: Error) {
        let mut state = self.state();
        match mem::replace(&mut state.stage, JobStage::Done(None)) {
            JobStage::Waiting(work) => state.stage = JobStage::Rejected(work, error),
            // Canceled meanwhile: its ticket has the outcome.
            other => state.stage = other,
        }
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    /// Wakes the task that awaits room or the outcome.
    pub(super) fn wake_waiter(&self) {
        let waker = self.state().waker.take();
        wake(waker);
    }

    /// Waits until the job is enqueued or rejected.
    pub(super) fn poll_admitted(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.poll_while(cx, JobState::is_unqueued)
    }

    /// Writes the outcome down, and the call leaves the scheduler. A job that was canceled or cut off
    /// meanwhile keeps that outcome.
    pub(super) fn finish(&self, call: CallId, result: Result<O>, outcome: Outcome) {
        let (deferred, discarded) = self.group().dispatcher.update(|scheduler, effects| {
            let now = clock::now();
            let mut state = self.state();
            if matches!(state.stage, JobStage::Done(_)) {
                scheduler.leave(call, Outcome::Canceled, now, effects);
                return (None, Some(result));
            }
            let (result, discarded) = match scheduler.finish_job(call, outcome, now, effects) {
                true => (result, None),
                // The close of the group has counted it as aborted already: the ticket says the same.
                false => (Err(self.group().stopped()), Some(result)),
            };
            scheduler.leave(call, outcome, now, effects);
            (Some(state.end(result)), discarded)
        });
        contain(|| drop(discarded));
        if let Some(deferred) = deferred {
            deferred.drop_and_wake(&*self.queue);
        }
    }

    /// Ends the job if the scheduler has refused it, or if a stop has cut it off.
    fn end_if_refused(&self) {
        let deferred = self.group().dispatcher.update(|scheduler, effects| {
            let mut state = self.state();
            let error = self.lane.explain(self.ended_by(&state, scheduler)?);
            let place = state.place;
            let mut deferred = state.end(Err(error));
            deferred.leave_unless_taken(place, scheduler, effects);
            Some(deferred)
        });
        if let Some(deferred) = deferred {
            deferred.drop_and_wake(&*self.queue);
        }
    }

    /// Why the scheduler has ended the job, if it has.
    fn ended_by(&self, state: &JobState<J, O>, scheduler: &Scheduler) -> Option<Error> {
        let group = self.group();
        match &state.stage {
            JobStage::Waiting(_) => match scheduler.state(state.place?.0)? {
                State::Refused(refusal) => Some(group.refused(refusal)),
                // A worker has picked the job up, and has not taken its work yet.
                State::Taken => group.is_cut().then(|| group.stopped()),
                _ => None,
            },
            JobStage::Running => group.is_cut().then(|| group.stopped()),
            JobStage::Rejected(..) | JobStage::Done(_) => None,
        }
    }

    /// Gives the scheduler the job as a waker again, which it has used up.
    fn renew_waker(self: &Arc<Self>) {
        let Some((call, _)) = self.state().place else {
            return;
        };
        let mut waker = Some(Waker::from(self.clone()));
        self.group().dispatcher.update(|scheduler, effects| {
            // Also for a granted job: until a worker picks it up, it can still be refused.
            if matches!(scheduler.state(call), Some(State::Queued | State::Granted)) {
                scheduler.set_waker(call, waker.take()?, effects);
            }
            Some(())
        });
        // Perhaps the last handle of the job: dropped here, not under the lock.
        drop(waker);
    }

    /// Waits while `holds`; what ends that wakes the stored waker.
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
        // Cloning and dropping a waker is foreign code: not under the lock. So `holds` is asked again.
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

impl<J: Send + 'static, O: Send + 'static> TicketState<O> for Job<J, O> {
    fn poll_result(&self, cx: &mut TaskContext<'_>) -> Poll<Result<O>> {
        if let Some(result) = self.try_result() {
            return Poll::Ready(result);
        }
        let is_open = |state: &JobState<J, O>| !matches!(state.stage, JobStage::Done(_));
        if self.poll_while(cx, is_open).is_pending() {
            self.group().dispatcher.ensure_timer();
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
        // A stop ends what waits in the scheduler first; the waker that tells the job may be on its
        // way, and the outcome is to be there when the stop returns.
        self.end_if_refused();
        matches!(self.state().stage, JobStage::Done(_))
    }

    fn cancel(&self) -> bool {
        let deferred = self.group().dispatcher.update(|scheduler, effects| {
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
                // The future lives in the worker's task: the worker is woken, and drops it there.
                self.is_canceled.store(true, Ordering::Release);
                scheduler.wake_owner(call, effects);
            }
            Some(deferred)
        });
        let Some(deferred) = deferred else {
            return false;
        };
        deferred.drop_and_wake(&*self.queue);
        true
    }

    fn set_priority(&self, priority: Priority) -> Result<bool> {
        let group = self.group();
        let changed = group.dispatcher.update(|scheduler, effects| {
            let mut state = self.state();
            let Some((call, _)) = state.place else {
                return Ok(false);
            };
            if scheduler.state(call) != Some(State::Queued) || state.priority == priority {
                return Ok(scheduler.state(call) == Some(State::Queued));
            }
            let waiting = scheduler.group_load(group.id).waiting;
            if waiting[priority.index()] >= group.per_priority {
                return Err(Error::refused(group.full(priority)));
            }
            state.priority = priority;
            Ok(scheduler.set_priority(call, priority, clock::now(), effects))
        });
        // There is room at the level that it has left.
        self.queue.admit_waiting();
        changed
    }

    fn position(&self) -> Option<usize> {
        let place = self.state().place;
        let (call, _) = place?;
        self.group()
            .dispatcher
            .read(|scheduler| scheduler.position(call))
    }
}

impl<J, O> JobState<J, O> {
    fn is_unqueued(&self) -> bool {
        self.place.is_none() && matches!(self.stage, JobStage::Waiting(_))
    }

    /// Goes to `next` if `take` takes the present stage, and stays in it otherwise.
    fn replace_if<R>(
        &mut self,
        next: JobStage<J, O>,
        take: impl FnOnce(JobStage<J, O>) -> Result<R, JobStage<J, O>>,
    ) -> Option<R> {
        match take(mem::replace(&mut self.stage, next)) {
            Ok(taken) => Some(taken),
            Err(former) => {
                self.stage = former;
                None
            }
        }
    }

    fn end(&mut self, result: Result<O>) -> DeferredDrop<J, O> {
        DeferredDrop {
            stage: Some(mem::replace(&mut self.stage, JobStage::Done(Some(result)))),
            waker: self.waker.take(),
            tag: None,
        }
    }
}

impl<J, O> DeferredDrop<J, O> {
    /// The call of a job that no worker has leaves the scheduler. Returns `false` if a worker has it:
    /// then the worker leaves.
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

    /// Without a lock: drops what is left of the job, wakes the task that awaits it, and admits a job
    /// that waits for its room.
    fn drop_and_wake(self, queue: &dyn JobQueue<J, O>) {
        let removed = self.tag.and_then(|tag| queue.remove_job(tag));
        let has_left = removed.is_some();
        contain(|| drop(removed));
        contain(|| drop(self.stage));
        wake(self.waker);
        if has_left {
            queue.admit_waiting();
        }
    }
}

impl<J: Send + 'static, O: Send + 'static> Wake for Job<J, O> {
    /// The scheduler has refused the job, or asks every waiter to check again.
    fn wake(self: Arc<Self>) {
        self.end_if_refused();
        if matches!(self.state().stage, JobStage::Waiting(_)) {
            // The timer driver has ended with its runtime, and every waiter was woken: the task that
            // polls the ticket starts another one.
            self.renew_waker();
            self.wake_waiter();
        }
    }
}

impl<J, O> Drop for Job<J, O> {
    /// An outcome that was not taken is a value of the user, and a worker may be dropping it.
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let stage = mem::replace(&mut state.stage, JobStage::Done(None));
        let waker = state.waker.take();
        drop(state);
        contain(|| drop(stage));
        contain(|| drop(waker));
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        // There is no ticket that could be told of a panic in a waker.
        contain(|| waker.wake());
    }
}

fn already_taken() -> Error {
    Error::new(ErrorKind::Closed, "the ticket has given its result already")
}
