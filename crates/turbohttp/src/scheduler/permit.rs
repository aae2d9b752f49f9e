//! Permits without a call, for work behind a [`ConcurrencyLimiter`](crate::ConcurrencyLimiter).
//!
//! A request is a call: it can be cut off, and says how long it waited. Other work needs neither, so its
//! permit is a mere count in its lane, acquired and released without reading the clock unless the order
//! depends on it.

use std::ops::Deref;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use turbohttp_core::scheduler::{
    Ask, CallId, LaneKey, Outcome, PermitId, PermitRequest, Priority, Refusal, Scheduler, Turn,
};

use super::Dispatcher;
use crate::clock;
use crate::error::Error;

/// A permit. Dropping it releases the permit.
pub(crate) struct PermitGuard<C: Deref<Target = Dispatcher>> {
    dispatcher: C,
    permit: Option<PermitId>,
    /// What the work is counted as when the permit is released.
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
    /// Releases the permit. The drop after it finds none.
    #[inline(always)] // Unlike `drop`, which is called out of line.
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

/// A place in line for a permit. Dropping it leaves the line, and releases a grant that was not taken.
pub(crate) struct PermitWait<C: Deref<Target = Dispatcher>> {
    dispatcher: C,
    call: CallId,
    /// The permit was taken, and the call is no more.
    is_over: bool,
    outcome: Outcome,
}

impl Dispatcher {
    /// Takes a permit if one is free and the scheduler is open; none of a key with a rate.
    #[inline(always)] // The call itself would cost a quarter of what is in it.
    pub(crate) fn try_acquire(&self, key: LaneKey<'_>, priority: Priority) -> Option<PermitId> {
        self.scheduler.alter(|scheduler| {
            let now = scheduler.last_sweep();
            scheduler
                .try_take_permit(key, priority, now)
                .unwrap_or(None)
        })
    }

    /// The same of any key: what has a rate needs the time, and perhaps the timer.
    #[cold]
    pub(crate) fn try_acquire_paced(
        &self,
        key: LaneKey<'_>,
        priority: Priority,
    ) -> Option<PermitId> {
        self.update(|scheduler, effects| {
            let now = time_for(scheduler);
            scheduler
                .take_paced_permit(key, priority, now, effects)
                .unwrap_or(None)
        })
    }

    #[inline(always)] // The call itself would cost a quarter of what is in it.
    fn release_permit(&self, permit: PermitId, outcome: Outcome) {
        // `alter` is cheaper than `update`, but collects no effects. Without waiters a release has none.
        // The scheduler refuses it if a waiter has come in between.
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
            let now = time_for(scheduler);
            scheduler.release_permit(permit, outcome, now, effects);
        });
    }

    /// Whether calls wait for permits, by a flag that is read without the lock and may be outdated.
    #[inline]
    pub(crate) fn seems_contended(&self) -> bool {
        self.scheduler.seems_contended()
    }

    /// Takes a permit, or a place in line, in which the task of `cx` is woken.
    #[inline]
    pub(crate) fn acquire_or_queue<C: Deref<Target = Dispatcher>>(
        dispatcher: C,
        ask: Ask<'_>,
        cx: &TaskContext<'_>,
    ) -> Result<Result<PermitId, PermitWait<C>>, Refusal> {
        let waker = cx.waker().clone();
        let (asked, is_timed) = dispatcher.update(|scheduler, effects| {
            let now = time_for(scheduler);
            let asked = scheduler.request_permit(ask, waker, now, effects);
            (asked, scheduler.is_timed())
        });
        Ok(match asked? {
            PermitRequest::Taken(permit) => Ok(permit),
            PermitRequest::Queued(call) => {
                // A deadline is due by itself, and so is the next permit of a rate: a timer driver has
                // to cover this runtime.
                if ask.deadline.is_some() || is_timed {
                    dispatcher.ensure_timer();
                }
                Err(PermitWait {
                    dispatcher,
                    call,
                    is_over: false,
                    outcome: Outcome::Canceled,
                })
            }
        })
    }
}

impl<C: Deref<Target = Dispatcher>> PermitWait<C> {
    /// Ready when the permit has been granted or refused.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &TaskContext<'_>) -> Poll<Result<PermitId, Error>> {
        // A task that is woken has been granted its permit, as a rule: one cheap step under the lock.
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

    /// What is not a grant: still in line, refused, or without a waker.
    #[cold]
    fn poll_turn(&mut self, cx: &TaskContext<'_>) -> Poll<Result<PermitId, Error>> {
        let call = self.call;
        loop {
            let turn = self.dispatcher.update(|scheduler, effects| {
                let now = time_for(scheduler);
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
                // Granted, and cut off by a close before it was taken.
                Ok(None) => return refused(Refusal::Closed),
                Err(Turn::Refused(refusal)) => {
                    if refusal == Refusal::Expired {
                        self.outcome = Outcome::Expired;
                    }
                    return refused(refusal);
                }
                Err(Turn::NeedsWaker) => {
                    // Cloned without the lock. If the call changes meanwhile, the clone is not kept and
                    // the loop reads the new state.
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
        // A timer driver that was a task of another runtime may have been dropped with it.
        self.dispatcher.timer.ensure_running(&self.dispatcher);
        Poll::Pending
    }
}

impl<C: Deref<Target = Dispatcher>> PermitWait<C> {
    #[cold]
    fn leave(&self) {
        self.dispatcher.update(|scheduler, effects| {
            let now = time_for(scheduler);
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

/// The time, where it decides who starts.
#[inline]
fn time_for(scheduler: &Scheduler) -> Instant {
    if scheduler.is_timed() {
        clock::now()
    } else {
        scheduler.last_sweep()
    }
}
