//! A call in the scheduler, or one attempt of a call, as a guard.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use turbohttp_core::scheduler::{CallId, Outcome, Refusal, Scheduler, State, Waited};

use super::Dispatcher;
use crate::clock;

/// A call in the scheduler. Dropping it makes the call leave, and releases what it holds: a place in
/// line, a grant that was not taken up, a permit. An attempt with a permit of its own is a call too.
///
/// `mem::forget` of a guard loses its permit for good; a close with a deadline still ends.
pub(crate) struct CallGuard {
    dispatcher: Arc<Dispatcher>,
    call: CallId,
    outcome: Outcome,
    /// [`identity`] of the waker that the scheduler keeps for this call.
    watched: (usize, usize),
    /// A response with an unread body holds this: it is counted in [`Dispatcher::unread_responses`].
    is_unread: bool,
    /// The call stood in line when it was made, and has not been polled since.
    is_waiting: bool,
}

impl CallGuard {
    /// The guard of a call that has no waker in the scheduler yet.
    #[inline]
    pub(crate) fn new(dispatcher: Arc<Dispatcher>, call: CallId) -> CallGuard {
        CallGuard {
            dispatcher,
            call,
            outcome: Outcome::Canceled,
            watched: (0, 0),
            is_unread: false,
            is_waiting: false,
        }
    }

    pub(crate) fn dispatcher(&self) -> &Arc<Dispatcher> {
        &self.dispatcher
    }

    /// The guard of a call that has given the scheduler the waker of this [`identity`].
    #[inline]
    pub(super) fn watched(
        dispatcher: Arc<Dispatcher>,
        call: CallId,
        watched: (usize, usize),
    ) -> CallGuard {
        CallGuard {
            dispatcher,
            call,
            outcome: Outcome::Canceled,
            watched,
            is_unread: false,
            is_waiting: false,
        }
    }

    /// The guard of a call that nothing polls yet; `state` says whether it stands in line.
    pub(super) fn unpolled(dispatcher: Arc<Dispatcher>, call: CallId, state: State) -> CallGuard {
        let mut guard = CallGuard::new(dispatcher, call);
        guard.is_waiting = state == State::Queued;
        guard
    }

    /// Whether [`poll_permit`](CallGuard::poll_permit) has to be polled before the call holds its permit.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Counts the guard as held by a response whose body is unread, until it drops.
    #[cold]
    pub(crate) fn held_unread(mut self) -> CallGuard {
        self.is_unread = true;
        self.dispatcher.unread.fetch_add(1, Ordering::Relaxed);
        self
    }

    /// Sets the outcome that the call is counted with when the guard drops.
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// The scheduler's id of the call.
    pub(crate) fn call(&self) -> CallId {
        self.call
    }

    /// Waits for the permit that was asked for. A waiter that stops polling keeps its place in line.
    pub(crate) fn poll_permit(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Waited, Refusal>> {
        // The grant uses the scheduler's waker up, so the next `poll_cut` must give it another one.
        self.watched = (0, 0);
        self.is_waiting = false;
        self.dispatcher.poll_turn(self.call, cx)
    }

    /// How long the call has waited so far, by what kept it.
    pub(crate) fn waited(&self, now: Instant) -> Waited {
        self.dispatcher
            .read(|scheduler| scheduler.waited(self.call, now))
    }

    /// Leaves the scheduler with this outcome.
    #[inline]
    pub(crate) fn leave(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Whether a close has cut the call off. Takes no lock.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.dispatcher.is_cut()
    }

    /// Ready if a close has cut the call off; if not, the task is woken when one does.
    #[inline]
    pub(crate) fn poll_cut(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.dispatcher.is_cut() {
            Poll::Ready(())
        } else if self.watched == identity(cx.waker()) {
            // The usual case, a second poll by the same task: no lock, no clone.
            Poll::Pending
        } else {
            self.watch(cx.waker())
        }
    }

    /// Gives the scheduler the waker of the task that polls now.
    fn watch(&mut self, waker: &Waker) -> Poll<()> {
        // The identity of the clone, which the scheduler keeps alive: that of `waker` itself could be used
        // again by another task after it is dropped.
        let clone = waker.clone();
        self.watched = identity(&clone);
        let is_kept = self
            .dispatcher
            .update(|scheduler, effects| scheduler.set_waker(self.call, clone, effects));
        // Not kept if the call has been refused or cut off meanwhile.
        if is_kept {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for CallGuard {
    #[inline]
    fn drop(&mut self) {
        if self.is_unread {
            self.dispatcher.unread.fetch_sub(1, Ordering::Relaxed);
        }
        let (call, outcome) = (self.call, self.outcome);
        self.dispatcher.update(|scheduler, effects| {
            let now = time_for(scheduler);
            scheduler.leave(call, outcome, now, effects);
        });
    }
}

impl fmt::Debug for CallGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self
            .dispatcher
            .read(|scheduler: &Scheduler| scheduler.state(self.call));
        f.debug_struct("CallGuard").field("state", &state).finish()
    }
}

/// Data and vtable of a waker: equal for two wakers of one task, as long as one of them lives.
#[inline]
pub(super) fn identity(waker: &Waker) -> (usize, usize) {
    let vtable = std::ptr::from_ref(waker.vtable());
    (waker.data().addr(), vtable.addr())
}

/// The time, where the scheduler needs it: reading the clock costs more than the rest of a release.
#[inline]
fn time_for(scheduler: &Scheduler) -> Instant {
    if scheduler.needs_time() {
        clock::now()
    } else {
        scheduler.last_sweep()
    }
}
