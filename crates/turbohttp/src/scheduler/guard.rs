//! A call in the scheduler, or one attempt of it, as a guard.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use turbohttp_core::scheduler::{CallId, Outcome, Refusal, Scheduler, Waited};

use super::Dispatcher;
use crate::clock;

/// A call that leaves the scheduler when this is dropped, and releases what it holds: a place in line, a
/// grant that was not taken up, a permit. An attempt that acquires a permit of its own is one too.
///
/// `mem::forget` of a guard loses its permit for good; a close with a deadline still ends.
pub(crate) struct CallGuard {
    dispatcher: Arc<Dispatcher>,
    call: CallId,
    outcome: Outcome,
    /// Whom the scheduler will wake when this is cut off: data and vtable of the waker, which it keeps
    /// alive.
    watched: (usize, usize),
    /// A response with an unread body holds this, and is counted for the error of those who wait.
    is_unread: bool,
}

impl CallGuard {
    #[inline]
    pub(crate) fn new(dispatcher: Arc<Dispatcher>, call: CallId) -> CallGuard {
        CallGuard {
            dispatcher,
            call,
            outcome: Outcome::Canceled,
            watched: (0, 0),
            is_unread: false,
        }
    }

    pub(crate) fn dispatcher(&self) -> &Arc<Dispatcher> {
        &self.dispatcher
    }

    /// A call whose waker the scheduler knows.
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
        }
    }

    /// A response holds this guard while its body is unread.
    #[cold]
    pub(crate) fn held_unread(mut self) -> CallGuard {
        self.is_unread = true;
        self.dispatcher.unread.fetch_add(1, Ordering::Relaxed);
        self
    }

    /// How it ends, should it end by being dropped.
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// The scheduler's id of the call.
    pub(crate) fn call(&self) -> CallId {
        self.call
    }

    /// Waits for the permit that was asked for. A call that is not repeated has changed nothing: the
    /// call is still in line.
    pub(crate) fn poll_permit(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Waited, Refusal>> {
        // The grant uses the waker up.
        self.watched = (0, 0);
        self.dispatcher.poll_turn(self.call, cx)
    }

    /// How long it has waited so far, if it had to.
    pub(crate) fn waited(&self, now: Instant) -> Waited {
        self.dispatcher
            .read(|scheduler| scheduler.waited(self.call, now))
    }

    /// Says how it went and leaves.
    #[inline]
    pub(crate) fn leave(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.dispatcher.is_cut()
    }

    /// Looks whether this was cut off by a close, and if not, has the task woken when it is.
    #[inline]
    pub(crate) fn poll_cut(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let waker = cx.waker();
        let seen = identity(waker);
        if self.dispatcher.is_cut() {
            return Poll::Ready(());
        }
        if self.watched == seen {
            return Poll::Pending;
        }
        // It is the clone that the scheduler keeps alive, and another waker may be equal to.
        let clone = waker.clone();
        self.watched = identity(&clone);
        let is_kept = self
            .dispatcher
            .update(|scheduler, effects| scheduler.set_waker(self.call, clone, effects));
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

/// What makes a waker the same as another one, as long as one of them lives.
#[inline]
pub(super) fn identity(waker: &Waker) -> (usize, usize) {
    let vtable = std::ptr::from_ref(waker.vtable());
    (waker.data().addr(), vtable.addr())
}

/// The time, where it matters to the scheduler: a look at the clock costs more than all the rest.
#[inline]
fn time_for(scheduler: &Scheduler) -> Instant {
    if scheduler.needs_time() {
        clock::now()
    } else {
        scheduler.last_sweep()
    }
}
