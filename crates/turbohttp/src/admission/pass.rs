//! One request's stay with the scheduler, as a guard.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use turbohttp_core::scheduler::{CallId, Outcome, Refusal, Scheduler, Waited};

use super::{AdmissionControl, Entry};
use crate::clock;

/// A call that leaves when this is dropped, whatever it holds: a place in line, a grant nobody has
/// seen, a permit.
///
/// `mem::forget` of a pass loses its permit for good; a close with a deadline still ends.
pub(crate) struct Pass {
    control: Arc<AdmissionControl>,
    call: CallId,
    outcome: Outcome,
    /// Whom the scheduler will wake when this is cut off: data and vtable of the waker, which it keeps
    /// alive.
    watched: (usize, usize),
}

impl Pass {
    #[inline]
    pub(crate) fn new(control: Arc<AdmissionControl>, call: CallId) -> Pass {
        Pass {
            control,
            call,
            outcome: Outcome::Canceled,
            watched: (0, 0),
        }
    }

    pub(crate) fn control(&self) -> &Arc<AdmissionControl> {
        &self.control
    }

    /// A call whose waker the scheduler knows.
    #[inline]
    pub(super) fn watched(
        control: Arc<AdmissionControl>,
        call: CallId,
        watched: (usize, usize),
    ) -> Pass {
        Pass {
            control,
            call,
            outcome: Outcome::Canceled,
            watched,
        }
    }

    /// How it ends, should it end by being dropped.
    pub(crate) fn ends(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// What its attempts are admitted for.
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            scheduler: self.control.number,
            call: self.call,
        }
    }

    /// Whether it is a call of this scheduler.
    pub(crate) fn is_of(&self, control: &Arc<AdmissionControl>) -> bool {
        Arc::ptr_eq(&self.control, control)
    }

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
        self.control.poll_turn(self.call, cx)
    }

    /// How long it has waited so far, if it had to.
    pub(crate) fn waited(&self, now: Instant) -> Waited {
        self.control
            .look(|scheduler| scheduler.waited(self.call, now))
    }

    /// Says how it went and leaves.
    #[inline]
    pub(crate) fn leave(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.control.is_cut()
    }

    /// Looks whether this was cut off by a close, and if not, has the task woken when it is.
    #[inline]
    pub(crate) fn poll_cut(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let waker = cx.waker();
        let seen = identity(waker);
        if self.control.is_cut() {
            return Poll::Ready(());
        }
        if self.watched == seen {
            return Poll::Pending;
        }
        // It is the clone that the scheduler keeps alive, and another waker may be equal to.
        let clone = waker.clone();
        self.watched = identity(&clone);
        let is_kept = self
            .control
            .act(|scheduler, effects| scheduler.set_waker(self.call, clone, effects));
        if is_kept {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for Pass {
    #[inline]
    fn drop(&mut self) {
        let (call, outcome) = (self.call, self.outcome);
        self.control.act(|scheduler, effects| {
            let now = time_of(scheduler);
            scheduler.leave(call, outcome, now, effects);
        });
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self
            .control
            .look(|scheduler: &Scheduler| scheduler.state(self.call));
        f.debug_struct("Pass").field("state", &state).finish()
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
fn time_of(scheduler: &Scheduler) -> Instant {
    if scheduler.needs_time() {
        clock::now()
    } else {
        scheduler.last_sweep()
    }
}
