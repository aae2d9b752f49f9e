//! Permits alone, for work that the scheduler knows nothing else of.
//!
//! A request is inside from the first call to the end of its body, can be cut off, and tells how long
//! it waited; that takes a visit. Work behind a [`ConcurrencyLimiter`](crate::ConcurrencyLimiter) only
//! holds a permit, which is a count in its lane, and is inside while it does. No clock is looked at
//! either, unless the order depends on it.

use std::ops::Deref;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use turbohttp_core::admission::{
    Ask, LaneKey, LooseId, Outcome, Priority, Refusal, Scheduler, State, Turn, VisitId,
};

use super::AdmissionControl;
use crate::clock;

/// A permit, given back when this is dropped.
pub(crate) struct Loose<C: Deref<Target = AdmissionControl>> {
    control: C,
    lane: Option<LooseId>,
    pub(crate) outcome: Outcome,
}

impl<C: Deref<Target = AdmissionControl>> Loose<C> {
    #[inline]
    pub(crate) fn new(control: C, lane: LooseId) -> Loose<C> {
        Loose {
            control,
            lane: Some(lane),
            outcome: Outcome::Completed,
        }
    }
}

impl<C: Deref<Target = AdmissionControl>> Drop for Loose<C> {
    #[inline]
    fn drop(&mut self) {
        let outcome = self.outcome;
        if let Some(lane) = self.lane.take() {
            self.control.put_back(lane, outcome);
        }
    }
}

/// A place in line for a permit; left when this is dropped.
pub(crate) struct Wait<C: Deref<Target = AdmissionControl>> {
    control: C,
    visit: VisitId,
    is_over: bool,
}

impl AdmissionControl {
    /// Takes a permit if one is free.
    #[inline]
    pub(crate) fn try_take(
        &self,
        key: LaneKey<'_>,
        priority: Priority,
    ) -> Result<Option<LooseId>, Refusal> {
        self.admission
            .alter(|scheduler| scheduler.take_loose(key, priority, scheduler.last_sweep()))
    }

    #[inline]
    fn put_back(&self, permit: LooseId, outcome: Outcome) {
        let put = |scheduler: &mut Scheduler| scheduler.put_back_quietly(permit, outcome);
        if let Err(permit) = self.admission.alter(put) {
            self.act(|scheduler, effects| {
                let now = scheduler.last_sweep();
                scheduler.put_back(permit, outcome, now, effects);
            });
        }
    }

    /// Whether somebody is probably in line already.
    #[inline]
    pub(crate) fn seems_crowded(&self) -> bool {
        self.admission.seems_crowded()
    }

    /// Takes a permit or a place in line.
    pub(crate) fn take_or_line_up<C: Deref<Target = AdmissionControl>>(
        control: C,
        ask: Ask<'_>,
        cx: &TaskContext<'_>,
    ) -> Result<Result<LooseId, Wait<C>>, Refusal> {
        let waker = Some(cx.waker().clone());
        let asked = control.act(|scheduler, effects| {
            let now = time_of(scheduler);
            let (visit, state) = scheduler.enter_and_admit(ask, waker, now, effects)?;
            Ok(match state {
                State::Taken => scheduler.loosen(visit, effects).ok_or(visit),
                _ => Err(visit),
            })
        });
        Ok(asked?.map_err(|visit| Wait {
            control,
            visit,
            is_over: false,
        }))
    }
}

impl<C: Deref<Target = AdmissionControl>> Wait<C> {
    /// Whether the permit has come.
    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<LooseId, Refusal>> {
        let visit = self.visit;
        loop {
            let turn = self.control.act(|scheduler, effects| {
                let now = scheduler.last_sweep();
                match scheduler.turn(visit, cx.waker(), now, effects) {
                    Turn::Taken(_) => Ok(scheduler.loosen(visit, effects)),
                    turn => Err(turn),
                }
            });
            match turn {
                Ok(Some(lane)) => {
                    self.is_over = true;
                    return Poll::Ready(Ok(lane));
                }
                Ok(None) => return Poll::Ready(Err(Refusal::Closed)),
                Err(Turn::Refused(refusal)) => return Poll::Ready(Err(refusal)),
                Err(Turn::NeedsWaker) => {
                    let clone = cx.waker().clone();
                    let is_kept = self
                        .control
                        .act(|scheduler, effects| scheduler.set_waker(visit, clone, effects));
                    if is_kept {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        // The janitor may have gone with its runtime.
        self.control.janitor.start_if_needed(&self.control);
        Poll::Pending
    }
}

impl<C: Deref<Target = AdmissionControl>> Drop for Wait<C> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.control.act(|scheduler, effects| {
            let now = scheduler.last_sweep();
            scheduler.leave(self.visit, Outcome::Canceled, now, effects);
        });
    }
}

/// The time, where the order depends on it.
fn time_of(scheduler: &Scheduler) -> Instant {
    if scheduler.ranks_by_time() {
        clock::now()
    } else {
        scheduler.last_sweep()
    }
}
