//! Closing: refusing what waits, cutting off what holds a permit, and the reports.

use std::time::Instant;

use super::call::Outcome;
use super::calls::{CallState, Ended};
use super::effects::Effects;
use super::gate::{CloseMode, Gate, Report, Stage};
use super::ids::GroupId;
use super::machine::Scheduler;
use super::moment::Moment;
use crate::earlier::earlier;
use crate::sync::{Arc, AtomicBool};

impl Scheduler {
    /// Closes the scheduler and its groups, or goes on closing them: of two modes the stronger one
    /// holds, of two deadlines the earlier one. What is inside at the deadline is cut off.
    ///
    /// [`Effects::closed`] tells when nothing is inside any more; [`report`](Self::report) is there
    /// from then on.
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
        let now = self.timers.moment(now);
        let deadline = deadline.map(|deadline| self.timers.moment(deadline));
        self.gate.begin(mode, deadline, now);
        // The groups close along with it, but one that has closed by itself keeps its report.
        for group in self.workers.ids() {
            let gate = &mut self.workers[group].gate;
            if gate.stage != Stage::Closed {
                gate.begin(mode, deadline, now);
            }
        }
        self.carry_out(None, mode, deadline, now, effects);
        // Gates with nothing inside at the beginning: no call departs that would close them.
        for group in self.workers.ids() {
            effects.closed |= self.workers[group].gate.end_if_empty(now);
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
        let now = self.timers.moment(now);
        let deadline = deadline.map(|deadline| self.timers.moment(deadline));
        let gate = &mut self.workers[group].gate;
        if gate.stage == Stage::Closed {
            return;
        }
        gate.begin(mode, deadline, now);
        self.carry_out(Some(group), mode, deadline, now, effects);
        effects.closed |= self.workers[group].gate.end_if_empty(now);
    }

    /// How everything ended, once the scheduler is closed.
    pub fn report(&self) -> Option<Report> {
        self.gate.report()
    }

    /// The same, once the groups are closed as well: every job has been counted in its group by
    /// then.
    pub fn final_report(&self) -> Option<Report> {
        let report = self.gate.report()?;
        self.workers.are_closed().then_some(report)
    }

    /// How the jobs of a group ended, once it is closed.
    pub fn group_report(&self, group: GroupId) -> Option<Report> {
        self.workers[group].gate.report()
    }

    /// How far the scheduler is closed.
    pub fn stage(&self) -> Stage {
        self.gate.stage
    }

    /// How far a group is closed.
    pub fn group_stage(&self, group: GroupId) -> Stage {
        self.workers[group].gate.stage
    }

    /// A flag that is set when everything inside is to stop at once; read without the lock.
    pub fn cut_flag(&self) -> Arc<AtomicBool> {
        self.gate.cut_flag()
    }

    /// The same for the jobs of one group.
    pub fn group_cut_flag(&self, group: GroupId) -> Arc<AtomicBool> {
        self.workers[group].gate.cut_flag()
    }

    /// Whether a close has told the call to stop.
    pub(super) fn is_cut(&self, slot: u32) -> bool {
        let group = self.calls[slot].group;
        let is_group_cut = || self.workers[group].gate.is_cut();
        self.gate.is_cut() || (group != GroupId::CALLERS && is_group_cut())
    }

    /// When a close that is under way cuts off what is inside: the first one, of the scheduler and
    /// of the groups.
    pub(super) fn close_deadline(&self) -> Option<Moment> {
        let groups = self.workers.gates().filter_map(Gate::deadline);
        earlier(self.gate.deadline(), groups.min())
    }

    fn carry_out(
        &mut self,
        group: Option<GroupId>,
        mode: CloseMode,
        deadline: Option<Moment>,
        now: Moment,
        effects: &mut Effects,
    ) {
        // A deadline that has passed already cuts off at once.
        let is_cut = mode == CloseMode::Now || deadline.is_some_and(|deadline| deadline <= now);
        if is_cut || mode == CloseMode::CancelPending {
            self.refuse_waiting(group, now, effects);
        }
        if is_cut {
            self.cut(group, now, effects);
        } else if let Some(deadline) = deadline {
            self.timers.announce(deadline, effects);
        }
    }

    /// Cuts off what is still inside at the deadline of a close: the groups first, so that each job
    /// is counted in its group under the group's own close.
    pub(super) fn cut_late(&mut self, now: Moment, effects: &mut Effects) {
        let is_late = |deadline: Option<Moment>| deadline.is_some_and(|at| at <= now);
        for group in self.workers.ids() {
            if is_late(self.workers[group].gate.deadline()) {
                self.refuse_waiting(Some(group), now, effects);
                self.cut(Some(group), now, effects);
                effects.closed |= self.workers[group].gate.end_if_empty(now);
            }
        }
        if is_late(self.gate.deadline()) {
            self.refuse_waiting(None, now, effects);
            self.cut(None, now, effects);
            effects.closed |= self.gate.end_if_empty(now);
        }
    }

    /// Refuses everything that waits or has a grant that its owner has not seen, in the order of
    /// slots. What has no grant comes first: a permit taken back from a grant must not go to a call
    /// that is refused next.
    fn refuse_waiting(&mut self, group: Option<GroupId>, now: Moment, effects: &mut Effects) {
        // Collected first: refusing releases permits, which changes what is in line.
        let slots = self.slots_of(group);
        let is_granted = |slot: &u32| self.calls[*slot].state == CallState::Granted;
        let (granted, others): (Vec<u32>, Vec<u32>) = slots.into_iter().partition(is_granted);
        for slot in others.into_iter().chain(granted) {
            // Looked at again for each: a permit that was taken back may have been granted to a
            // call of another group.
            let state = self.calls[slot].state;
            if matches!(
                state,
                CallState::Queued | CallState::Parked | CallState::Granted
            ) {
                self.refuse(slot, Ended::Closed, now, effects);
                self.depart(slot, Outcome::Canceled, now, effects);
            }
        }
    }

    /// Tells everything that is still inside to stop, and counts it as gone. A call with a permit
    /// releases it when its owner lets it leave, but the close does not wait for that.
    fn cut(&mut self, group: Option<GroupId>, now: Moment, effects: &mut Effects) {
        match group {
            Some(group) => self.workers[group].gate.cut(),
            None => {
                // The flags before the wakers: a task that is woken finds the flag set.
                self.gate.cut();
                for group in self.workers.ids() {
                    self.workers[group].gate.cut();
                }
                // Their holders cannot be told. They release their permits later, which is counted
                // no more.
                for _ in 0..std::mem::take(&mut self.permits) {
                    effects.closed |= self.gate.depart(Outcome::Aborted, now);
                }
            }
        }
        for slot in self.slots_of(group) {
            let call = &mut self.calls[slot];
            effects.wake(call.waker.take());
            // It holds nothing, and must not be admitted to anything from now on.
            if call.state == CallState::Idle {
                call.state = CallState::Refused(Ended::Closed);
            }
            self.depart(slot, Outcome::Aborted, now, effects);
        }
    }

    /// The slots of all calls, or of those of one group; further attempts are among them.
    fn slots_of(&self, group: Option<GroupId>) -> Vec<u32> {
        let calls = self.calls.iter();
        let inside = calls.filter(|(_, call)| group.is_none_or(|group| call.group == group));
        inside.map(|(slot, _)| slot).collect()
    }
}
