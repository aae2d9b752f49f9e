//! Permits alone, for work that the scheduler knows nothing else of.
//!
//! A request is inside from the first call to the end of its body, can be cut off, and tells how long
//! it waited; that takes a call. Work behind a [`ConcurrencyLimiter`](crate::ConcurrencyLimiter) only
//! holds a permit, which is a count in its lane, and is inside while it does. No clock is looked at
//! either, unless the order depends on it.

use std::ops::Deref;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use turbohttp_core::scheduler::{
    Ask, CallId, LaneKey, Outcome, PermitId, PermitRequest, Priority, Refusal, Scheduler, Turn,
};

use super::Dispatcher;
use crate::clock;
use crate::error::Error;

/// A permit, given back when this is dropped.
pub(crate) struct PermitGuard<C: Deref<Target = Dispatcher>> {
    dispatcher: C,
    permit: Option<PermitId>,
    pub(crate) outcome: Outcome,
}

impl<C: Deref<Target = Dispatcher>> PermitGuard<C> {
    #[inline]
    pub(crate) fn new(dispatcher: C, permit: PermitId) -> PermitGuard<C> {
        PermitGuard {
            dispatcher,
            permit: Some(permit),
            outcome: Outcome::Completed,
        }
    }
}

impl<C: Deref<Target = Dispatcher>> PermitGuard<C> {
    /// The same as dropping it, without the call that a drop is.
    #[inline(always)] // Said above.
    pub(crate) fn release(&mut self) {
        let outcome = self.outcome;
        if let Some(permit) = self.permit.take() {
            self.dispatcher.release_permit(permit, outcome);
        }
    }
}

impl<C: Deref<Target = Dispatcher>> Drop for PermitGuard<C> {
    fn drop(&mut self) {
        self.release();
    }
}

/// A place in line for a permit; left when this is dropped.
pub(crate) struct PermitWait<C: Deref<Target = Dispatcher>> {
    dispatcher: C,
    call: CallId,
    is_over: bool,
    outcome: Outcome,
}

impl Dispatcher {
    /// Takes a permit if one is free and nothing is closed.
    #[inline(always)] // A call costs a quarter of what is in it.
    pub(crate) fn try_acquire(&self, key: LaneKey<'_>, priority: Priority) -> Option<PermitId> {
        self.scheduler.alter(|scheduler| {
            let now = scheduler.last_sweep();
            scheduler
                .try_take_permit(key, priority, now)
                .unwrap_or(None)
        })
    }

    #[inline(always)] // As above.
    fn release_permit(&self, permit: PermitId, outcome: Outcome) {
        // Where nobody waits nothing follows, and there is nothing to be prepared for it.
        if self.seems_contended() {
            return self.release_contended(permit, outcome);
        }
        let put = |scheduler: &mut Scheduler| scheduler.try_release_permit(permit, outcome);
        if let Err(permit) = self.scheduler.alter(put) {
            self.release_contended(permit, outcome);
        }
    }

    #[inline(never)]
    fn release_contended(&self, permit: PermitId, outcome: Outcome) {
        self.update(|scheduler, effects| {
            let now = scheduler.last_sweep();
            scheduler.release_permit(permit, outcome, now, effects);
        });
    }

    /// Whether somebody is probably in line already.
    #[inline]
    pub(crate) fn seems_contended(&self) -> bool {
        self.scheduler.seems_contended()
    }

    /// Takes a permit or a place in line.
    #[inline]
    pub(crate) fn acquire_or_queue<C: Deref<Target = Dispatcher>>(
        dispatcher: C,
        ask: Ask<'_>,
        cx: &TaskContext<'_>,
    ) -> Result<Result<PermitId, PermitWait<C>>, Refusal> {
        let waker = cx.waker().clone();
        let asked = dispatcher.update(|scheduler, effects| {
            let now = time_for(scheduler);
            scheduler.request_permit(ask, waker, now, effects)
        });
        Ok(match asked? {
            PermitRequest::Taken(permit) => Ok(permit),
            PermitRequest::Queued(call) => Err(PermitWait {
                dispatcher,
                call,
                is_over: false,
                outcome: Outcome::Canceled,
            }),
        })
    }
}

impl<C: Deref<Target = Dispatcher>> PermitWait<C> {
    /// Whether the permit has come.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &TaskContext<'_>) -> Poll<Result<PermitId, Error>> {
        // Whoever is woken mostly has been granted it.
        let call = self.call;
        match self
            .dispatcher
            .scheduler
            .alter(|scheduler| scheduler.claim_permit(call))
        {
            Some(permit) => {
                self.is_over = true;
                Poll::Ready(Ok(permit))
            }
            None => self.poll_turn(cx),
        }
    }

    /// What else there may be than a grant.
    #[cold]
    fn poll_turn(&mut self, cx: &TaskContext<'_>) -> Poll<Result<PermitId, Error>> {
        let call = self.call;
        loop {
            let turn = self.dispatcher.update(|scheduler, effects| {
                let now = scheduler.last_sweep();
                match scheduler.turn(call, cx.waker(), now, effects) {
                    Turn::Taken(_) => Ok(scheduler.detach_permit(call, effects)),
                    turn => Err(turn),
                }
            });
            match turn {
                Ok(Some(permit)) => {
                    self.is_over = true;
                    return Poll::Ready(Ok(permit));
                }
                Ok(None) => return refused(Refusal::Closed),
                Err(Turn::Refused(refusal)) => {
                    if refusal == Refusal::Expired {
                        self.outcome = Outcome::Expired;
                    }
                    return refused(refusal);
                }
                Err(Turn::NeedsWaker) => {
                    let clone = cx.waker().clone();
                    let is_kept = self
                        .dispatcher
                        .update(|scheduler, effects| scheduler.set_waker(call, clone, effects));
                    if is_kept {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        // The timer driver may have gone with its runtime.
        self.dispatcher.timer.ensure_running(&self.dispatcher);
        Poll::Pending
    }
}

impl<C: Deref<Target = Dispatcher>> PermitWait<C> {
    #[cold]
    fn leave(&self) {
        self.dispatcher.update(|scheduler, effects| {
            let now = scheduler.last_sweep();
            scheduler.leave(self.call, self.outcome, now, effects);
        });
    }
}

impl<C: Deref<Target = Dispatcher>> Drop for PermitWait<C> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_over {
            self.leave();
        }
    }
}

fn refused<T>(refusal: Refusal) -> Poll<Result<T, Error>> {
    Poll::Ready(Err(Error::refused(refusal)))
}

/// The time, where the order depends on it.
#[inline]
fn time_for(scheduler: &Scheduler) -> Instant {
    if scheduler.has_ageing() {
        clock::now()
    } else {
        scheduler.last_sweep()
    }
}
