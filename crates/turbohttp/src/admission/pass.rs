//! One request's stay with the scheduler, as a guard.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use turbohttp_core::scheduler::{Outcome, Refusal, Scheduler, VisitId, Waited};

use super::{AdmissionControl, Entry};
use crate::clock;

/// A visit that leaves when this is dropped, whatever it holds: a place in line, a grant nobody has
/// seen, a permit.
///
/// `mem::forget` of a pass loses its permit for good; a close with a deadline still ends.
pub(crate) struct Pass {
    control: Arc<AdmissionControl>,
    visit: VisitId,
    outcome: Outcome,
    /// Whom the scheduler will wake when this is cut off: data and vtable of the waker, which it keeps
    /// alive.
    watched: (usize, usize),
}

impl Pass {
    #[inline]
    pub(crate) fn new(control: Arc<AdmissionControl>, visit: VisitId) -> Pass {
        Pass {
            control,
            visit,
            outcome: Outcome::Canceled,
            watched: (0, 0),
        }
    }

    pub(crate) fn control(&self) -> &Arc<AdmissionControl> {
        &self.control
    }

    /// A visit whose waker the scheduler knows.
    #[inline]
    pub(super) fn watched(
        control: Arc<AdmissionControl>,
        visit: VisitId,
        watched: (usize, usize),
    ) -> Pass {
        Pass {
            control,
            visit,
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
            visit: self.visit,
        }
    }

    /// Whether it is a visit of this scheduler.
    pub(crate) fn is_of(&self, control: &Arc<AdmissionControl>) -> bool {
        Arc::ptr_eq(&self.control, control)
    }

    pub(crate) fn visit(&self) -> VisitId {
        self.visit
    }

    /// Waits for the permit that was asked for. A call that is not repeated has changed nothing: the
    /// visit is still in line.
    pub(crate) fn poll_permit(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Waited, Refusal>> {
        // The grant uses the waker up.
        self.watched = (0, 0);
        self.control.poll_turn(self.visit, cx)
    }

    /// How long it has waited so far, if it had to.
    pub(crate) fn waited(&self, now: Instant) -> Waited {
        self.control
            .look(|scheduler| scheduler.waited(self.visit, now))
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
            .act(|scheduler, effects| scheduler.set_waker(self.visit, clone, effects));
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
        let (visit, outcome) = (self.visit, self.outcome);
        self.control.act(|scheduler, effects| {
            let now = time_of(scheduler);
            scheduler.leave(visit, outcome, now, effects);
        });
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self
            .control
            .look(|scheduler: &Scheduler| scheduler.state(self.visit));
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
    if scheduler.heeds_time() {
        clock::now()
    } else {
        scheduler.last_sweep()
    }
}
