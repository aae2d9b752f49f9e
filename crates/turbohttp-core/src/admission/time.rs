//! What happens by itself as time goes by: deadlines, the ends of pauses, grants nobody takes up, and
//! the end of a close's patience.

use std::time::Instant;

use super::heap::NONE;
use super::moment::Moment;
use super::visit::{Ended, Phase};
use super::workers::GroupId;
use super::{Effects, GRANT_MS, Scheduler};

const GRANT_NANOS: u64 = GRANT_MS * 1_000_000;

impl Scheduler {
    /// Does what is due at `now`, and says when to come again; `None` if nothing is due by itself.
    ///
    /// Whoever calls this comes again at that time, or earlier where [`Effects::alarm`] says so.
    pub fn sweep(&mut self, now: Instant, effects: &mut Effects) -> Option<Instant> {
        let at = self.moment(now);
        if now > self.swept {
            self.swept = now;
            self.swept_at = at;
        }
        let now = at;
        self.end_pauses(now, effects);
        self.pass_on_stale_grants(now, effects);
        self.expire(now, effects);
        self.cut_late(now, effects);
        self.armed = self.due();
        self.armed.and_then(|armed| self.instant(armed))
    }

    /// Whether anything is due by itself, sooner or later.
    pub fn has_due(&self) -> bool {
        self.due().is_some()
    }

    /// When `sweep` has something to do next.
    fn due(&self) -> Option<Moment> {
        let deadline = self.deadlines.first().map(|(at, _)| at);
        let pause = self.pauses.first().map(|(at, _)| at);
        let grant = self
            .granted
            .first()
            .map(|_| self.epoch_began.plus(GRANT_NANOS));
        let gates = self.groups.iter().filter_map(|group| group.gate.deadline());
        let all = [deadline, pause, grant, self.gate.deadline()];
        all.into_iter().flatten().chain(gates).min()
    }

    /// Raises the alarm if something becomes due before the next call of `sweep`.
    #[inline]
    pub(super) fn due_at(&self, at: Moment, effects: &mut Effects) {
        effects.alarm |= self.armed.is_none_or(|armed| at < armed);
    }

    pub(super) fn watch_deadline(&mut self, slot: u32, effects: &mut Effects) {
        let Some(deadline) = self.visits[slot].cold.deadline else {
            return;
        };
        let Self {
            deadlines, visits, ..
        } = self;
        deadlines.push(deadline, slot, |slot, place| {
            visits[slot].deadline_at = place;
        });
        self.due_at(deadline, effects);
    }

    #[inline]
    pub(super) fn forget_deadline(&mut self, slot: u32) {
        let place = self.visits[slot].deadline_at;
        if place == NONE {
            return;
        }
        let Self {
            deadlines, visits, ..
        } = self;
        deadlines.remove(place, |slot, place| visits[slot].deadline_at = place);
        self.visits[slot].deadline_at = NONE;
    }

    /// Starts the time in which a grant is to be taken up.
    #[inline]
    pub(super) fn watch_grant(&mut self, slot: u32, now: Moment, effects: &mut Effects) {
        if self.granted.first().is_none() {
            // With no grant out, the epoch stood still. A caller that has no clock gives an instant
            // of the past, and the last sweep is not later than now either.
            self.epoch = self.epoch.wrapping_add(1);
            self.epoch_began = now.max(self.epoch_began).max(self.swept_at);
        }
        self.visits[slot].granted_in = self.epoch;
        self.granted.push(slot, &mut self.visits);
        self.due_at(self.epoch_began.plus(GRANT_NANOS), effects);
    }

    /// Takes a grant out of the hands of its visit; the permit is the caller's to give back.
    pub(super) fn take_back_grant(&mut self, slot: u32) {
        match self.visits[slot].group {
            GroupId::CALLERS => self.granted.remove(slot, &mut self.visits),
            group => self.groups[group].assigned.retain(|other| *other != slot),
        }
    }

    /// A grant that was there for a whole epoch is passed on; its visit keeps its place for when it
    /// asks again.
    fn pass_on_stale_grants(&mut self, now: Moment, effects: &mut Effects) {
        if self.granted.first().is_none() || now < self.epoch_began.plus(GRANT_NANOS) {
            return;
        }
        self.epoch = self.epoch.wrapping_add(1);
        self.epoch_began = now;
        while let Some(slot) = self.granted.first()
            && self.epoch.wrapping_sub(self.visits[slot].granted_in) > 1
        {
            self.stats.parked += 1;
            self.granted.remove(slot, &mut self.visits);
            self.visits[slot].state = Phase::Parked;
            let lane = self.visits[slot].lane;
            self.lanes[lane].parked += 1;
            // It may still expire.
            self.watch_deadline(slot, effects);
            self.give_back(slot, now, effects);
        }
    }

    fn expire(&mut self, now: Moment, effects: &mut Effects) {
        while let Some((deadline, slot)) = self.deadlines.first()
            && deadline <= now
        {
            self.refuse(slot, Ended::Expired, now, effects);
        }
    }

    fn end_pauses(&mut self, now: Moment, effects: &mut Effects) {
        while let Some((until, lane)) = self.pauses.first()
            && until <= now
        {
            self.end_pause(lane);
            self.settle(lane, now);
            self.lanes.rest(lane);
        }
        // Once for all: the most urgent may wait in the lane whose pause ended last.
        self.start_ready(now, effects);
    }
}
