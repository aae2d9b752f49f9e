//! The end: refusing what waits, cutting off what runs, and the reports.

use std::time::Instant;

use super::gate::{CloseMode, Report, Stage};
use super::moment::Moment;
use super::visit::{Ended, Outcome, Phase, Visit};
use super::workers::GroupId;
use super::{Effects, Scheduler};
use crate::sync::{Arc, AtomicBool};

impl Scheduler {
    /// Closes the scheduler, or goes on closing it: a weaker mode joins a stronger one, the earlier
    /// deadline wins, and what is inside at the deadline is cut off.
    ///
    /// [`Effects::closed`] tells when the last visit has left; [`report`](Self::report) is there from
    /// then on.
    pub fn close(
        &mut self,
        mode: CloseMode,
        deadline: Option<Instant>,
        now: Instant,
        effects: &mut Effects,
    ) {
        if self.gate.stage == Stage::Closed {
            return;
        }
        let now = self.moment(now);
        let deadline = deadline.map(|deadline| self.moment(deadline));
        self.gate.begin(mode, deadline, now);
        for group in self.groups.ids() {
            let gate = &mut self.groups[group].gate;
            if gate.stage != Stage::Closed {
                gate.begin(mode, deadline, now);
            }
        }
        self.carry_out(None, mode, deadline, now, effects);
        for group in self.groups.ids() {
            effects.closed |= self.groups[group].gate.end_if_empty(now);
        }
        effects.closed |= self.gate.end_if_empty(now);
    }

    /// Closes one group of workers in the same way.
    pub fn close_group(
        &mut self,
        group: GroupId,
        mode: CloseMode,
        deadline: Option<Instant>,
        now: Instant,
        effects: &mut Effects,
    ) {
        let now = self.moment(now);
        let deadline = deadline.map(|deadline| self.moment(deadline));
        let gate = &mut self.groups[group].gate;
        if gate.stage == Stage::Closed {
            return;
        }
        gate.begin(mode, deadline, now);
        self.carry_out(Some(group), mode, deadline, now, effects);
        effects.closed |= self.groups[group].gate.end_if_empty(now);
    }

    /// What became of everything, once the scheduler is closed.
    pub fn report(&self) -> Option<Report> {
        self.gate.report()
    }

    /// The same, once its groups are closed as well: what became of their jobs has been told by then.
    pub fn final_report(&self) -> Option<Report> {
        let mut gates = self.groups.ids().map(|group| &self.groups[group].gate);
        let report = self.gate.report()?;
        gates
            .all(|gate| gate.stage == Stage::Closed)
            .then_some(report)
    }

    /// What became of the jobs of a group, once it is closed.
    pub fn group_report(&self, group: GroupId) -> Option<Report> {
        self.groups[group].gate.report()
    }

    /// How far the scheduler is closed.
    pub fn stage(&self) -> Stage {
        self.gate.stage
    }

    /// How far a group is closed.
    pub fn group_stage(&self, group: GroupId) -> Stage {
        self.groups[group].gate.stage
    }

    /// Set when what is inside is to stop at once; read without the lock.
    pub fn cut_flag(&self) -> Arc<AtomicBool> {
        self.gate.cut_flag()
    }

    /// The same for the jobs of one group.
    pub fn group_cut_flag(&self, group: GroupId) -> Arc<AtomicBool> {
        self.groups[group].gate.cut_flag()
    }

    fn carry_out(
        &mut self,
        group: Option<GroupId>,
        mode: CloseMode,
        deadline: Option<Moment>,
        now: Moment,
        effects: &mut Effects,
    ) {
        let is_cut = mode == CloseMode::Now || deadline.is_some_and(|deadline| deadline <= now);
        if is_cut || mode == CloseMode::CancelPending {
            self.refuse_waiting(group, now, effects);
        }
        if is_cut {
            self.cut(group, now, effects);
        } else if let Some(deadline) = deadline {
            self.due_at(deadline, effects);
        }
    }

    /// Cuts off what is still inside when the time of a close is up.
    pub(super) fn cut_late(&mut self, now: Moment, effects: &mut Effects) {
        let is_late = |deadline: Option<Moment>| deadline.is_some_and(|at| at <= now);
        for group in self.groups.ids() {
            if is_late(self.groups[group].gate.deadline()) {
                self.refuse_waiting(Some(group), now, effects);
                self.cut(Some(group), now, effects);
                effects.closed |= self.groups[group].gate.end_if_empty(now);
            }
        }
        if is_late(self.gate.deadline()) {
            self.refuse_waiting(None, now, effects);
            self.cut(None, now, effects);
            effects.closed |= self.gate.end_if_empty(now);
        }
    }

    /// Refuses everything that waits or has a grant that it has not seen, in the order of slots; those
    /// without a permit first, so that none is passed on to a visit that is refused next.
    fn refuse_waiting(&mut self, group: Option<GroupId>, now: Moment, effects: &mut Effects) {
        let slots = self.slots_of(group);
        let is_granted = |visit: &Visit| visit.state == Phase::Granted;
        let (granted, others): (Vec<u32>, Vec<u32>) = slots
            .into_iter()
            .partition(|slot| is_granted(&self.visits[*slot]));
        for slot in others.into_iter().chain(granted) {
            let state = self.visits[slot].state;
            if matches!(state, Phase::Queued | Phase::Parked | Phase::Granted) {
                self.refuse(slot, Ended::Closed, now, effects);
                self.depart(slot, Outcome::Canceled, now, effects);
            }
        }
    }

    /// Tells everything that is still inside to stop, and counts it as gone: what holds a permit
    /// gives it back when its owner lets go, but nobody waits for that any more.
    fn cut(&mut self, group: Option<GroupId>, now: Moment, effects: &mut Effects) {
        match group {
            Some(group) => self.groups[group].gate.cut(),
            None => {
                self.gate.cut();
                for group in self.groups.ids() {
                    self.groups[group].gate.cut();
                }
            }
        }
        if group.is_none() {
            for _ in 0..std::mem::take(&mut self.loose) {
                effects.closed |= self.gate.depart(Outcome::Aborted, now);
            }
        }
        for slot in self.slots_of(group) {
            let visit = &mut self.visits[slot];
            effects.wake(visit.waker.take());
            if visit.state == Phase::Idle {
                visit.state = Phase::Refused(Ended::Closed);
            }
            self.depart(slot, Outcome::Aborted, now, effects);
        }
    }

    /// Ends the wait of a visit without a permit and wakes its owner.
    pub(super) fn refuse(&mut self, slot: u32, refusal: Ended, now: Moment, effects: &mut Effects) {
        effects.wake(self.visits[slot].waker.take());
        if self.visits[slot].state == Phase::Queued {
            self.note_wait_end(slot, now);
        }
        self.let_go(slot, now, effects);
        self.visits[slot].state = Phase::Refused(refusal);
        if refusal == Ended::Expired && self.visits[slot].is_job {
            self.depart(slot, Outcome::Expired, now, effects);
        }
    }

    /// Counts a visit as over although its owner still has to be told.
    fn depart(&mut self, slot: u32, outcome: Outcome, now: Moment, effects: &mut Effects) {
        let visit = &mut self.visits[slot];
        let group = visit.group;
        if std::mem::take(&mut visit.is_job) {
            effects.closed |= self.groups[group].gate.depart(outcome, now);
        }
        if std::mem::take(&mut self.visits[slot].is_counted) {
            effects.closed |= self.gate.depart(outcome, now);
        }
    }

    /// The visits of a group, or all, those on behalf of others included.
    fn slots_of(&self, group: Option<GroupId>) -> Vec<u32> {
        let visits = self.visits.iter();
        let inside = visits.filter(|(_, visit)| group.is_none_or(|group| visit.group == group));
        inside.map(|(slot, _)| slot).collect()
    }
}
