//! Operations that only tests use: of this crate's own tests, and of others with the feature
//! `testing`.

use std::time::Instant;

use super::call::{Outcome, Refusal, State};
use super::effects::Effects;
use super::gate::{CloseMode, Report};
use super::ids::CallId;
use super::machine::{Ask, Scheduler};
use super::shared::{SharedScheduler, Signals};

impl Scheduler {
    /// The first step of [`admit_for`](Self::admit_for): enters for one more attempt of the same
    /// request.
    pub fn enter_for(&mut self, first: Option<CallId>, now: Instant) -> CallId {
        self.insert_attempt(first, now)
    }

    /// Asks for a permit at once.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] if it would have to wait, or another [`Refusal`].
    pub fn try_admit(
        &mut self,
        id: CallId,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let Some(slot) = self.prepare(id, ask, now, effects)? else {
            return Ok(());
        };
        let lane = self.queues.lanes.find_or_make(ask.lane);
        if !self.may_start(lane, ask.priority, now) {
            self.queues.lanes.mark_idle_if_unused(lane);
            return Err(Refusal::Busy);
        }
        self.take(slot, lane, ask.priority, now, effects);
        Ok(())
    }

    /// Releases whatever a call holds without letting it leave: its permit, its place in line, or
    /// its grant.
    pub fn release(&mut self, id: CallId, now: Instant, effects: &mut Effects) {
        if let Some(slot) = self.calls.find(id) {
            self.release_call(slot, self.timers.moment(now), effects);
        }
    }

    /// The lanes that are kept although nothing happens in them, in the order in which they will be
    /// forgotten.
    pub fn idle_lanes(&self) -> impl Iterator<Item = &str> {
        self.queues.lanes.idle().map(|lane| &*lane.text)
    }
}

/// One operation under the lock each.
impl SharedScheduler {
    /// See [`Scheduler::leave`].
    pub fn leave(&self, call: CallId, outcome: Outcome, now: Instant) -> Signals {
        self.with(|scheduler, effects| scheduler.leave(call, outcome, now, effects))
            .1
    }

    /// See [`Scheduler::admit`].
    ///
    /// # Errors
    ///
    /// The [`Refusal`].
    pub fn admit(
        &self,
        call: CallId,
        ask: Ask<'_>,
        now: Instant,
    ) -> (Result<State, Refusal>, Signals) {
        self.with(|scheduler, effects| scheduler.admit(call, ask, now, effects))
    }

    /// See [`Scheduler::close`].
    pub fn close(&self, mode: CloseMode, deadline: Option<Instant>, now: Instant) -> Signals {
        self.with(|scheduler, effects| scheduler.close(mode, deadline, now, effects))
            .1
    }

    /// See [`Scheduler::report`].
    pub fn report(&self) -> Option<Report> {
        self.look(Scheduler::report)
    }
}
