//! Keeping the machine work-conserving: which lanes could start somebody, and starting them.

use super::heap::NONE;
use super::moment::Moment;
use super::visit::Phase;
use super::workers::GroupId;
use super::{Effects, Priority, Scheduler};

impl Scheduler {
    /// Brings the heaps of ready lanes in line with what one lane is now: call it whenever the first
    /// in one of its lines, what runs in it, its limit or its pause has changed.
    #[inline]
    pub(super) fn settle(&mut self, lane: u32, now: Moment) {
        let here = &mut self.lanes[lane];
        here.account(now);
        // What is closed to the most urgent is closed to all.
        if here.ready > 0 || here.is_open(0) {
            self.settle_desks(lane);
        }
    }

    fn settle_desks(&mut self, lane: u32) {
        let Self {
            lanes,
            visits,
            groups,
            ready,
            ..
        } = self;
        for group in 0..lanes[lane].desks.len() {
            for level in 0..Priority::COUNT {
                let here = &lanes[lane];
                let desk = &here.desks[group];
                let place = desk.ready_at[level];
                let first = desk.lines[level].first(visits);
                let wanted = first.filter(|_| here.is_open(level));
                // At most `GROUPS_MAX`.
                let heap = &mut groups[GroupId(group as u8)].ready[level];
                let key = match (wanted, place) {
                    (None, NONE) => continue,
                    (Some((key, _)), place) if place != NONE && heap.key(place) == key => continue,
                    (wanted, _) => wanted.map(|(key, _)| key),
                };
                let mut moved = |id: u32, place| lanes[id].desks[group].ready_at[level] = place;
                if place != NONE {
                    heap.remove(place, &mut moved);
                    moved(lane, NONE);
                    lanes[lane].ready -= 1;
                    *ready -= 1;
                }
                let mut moved = |id: u32, place| lanes[id].desks[group].ready_at[level] = place;
                if let Some(key) = key {
                    heap.push(key, lane, &mut moved);
                    lanes[lane].ready += 1;
                    *ready += 1;
                }
            }
        }
    }

    /// Starts whoever may start, the most urgent and oldest first, until nobody may.
    #[inline]
    pub(super) fn start_ready(&mut self, now: Moment, effects: &mut Effects) {
        if self.in_line > 0 {
            self.start_some(now, effects);
        }
    }

    fn start_some(&mut self, now: Moment, effects: &mut Effects) {
        for level in 0..Priority::COUNT {
            // What starts can only take away: a level above does not become startable by it.
            while self.running < self.ceilings[level] {
                let Some((group, lane)) = self.groups.next(level) else {
                    break;
                };
                self.start_first(lane, group, level, now, effects);
            }
        }
    }

    /// Passes a permit that came home on within its lane, where that is plainly right: nobody of
    /// another lane could take it, and the lane is full again afterwards. This is what a crowd before
    /// one host does all the time, and it touches no heap.
    #[inline]
    pub(super) fn pass_on(&mut self, lane: u32, now: Moment, effects: &mut Effects) -> bool {
        let here = &self.lanes[lane];
        let is_plain = self.ready == 0 && here.desks.len() == 1 && here.running + 1 == here.limit;
        if !is_plain || here.paused_until.is_some() {
            return false;
        }
        let mut lines = here.desks[0].lines.iter().enumerate();
        let first = lines.find_map(|(level, line)| Some((level, line.first(&self.visits)?)));
        match first {
            Some((level, (_, slot)))
                if here.is_open(level) && self.running < self.ceilings[level] =>
            {
                self.grant(slot, lane, GroupId::CALLERS, now, effects);
                true
            }
            _ => false,
        }
    }

    /// Grants a permit to the first in a line of a lane that is ready.
    fn start_first(
        &mut self,
        lane: u32,
        group: GroupId,
        level: usize,
        now: Moment,
        effects: &mut Effects,
    ) {
        let lines = &self.lanes[lane].desks[group.index()].lines;
        let Some((_, slot)) = lines[level].first(&self.visits) else {
            unreachable!("a ready lane has somebody in line");
        };
        self.grant(slot, lane, group, now, effects);
        self.settle(lane, now);
    }

    /// Gives a permit to a visit in line.
    #[inline(always)] // One of its two callers is what a crowd before one host does all the time.
    fn grant(&mut self, slot: u32, lane: u32, group: GroupId, now: Moment, effects: &mut Effects) {
        self.note_wait_end(slot, now);
        self.take_out(slot);
        self.forget_deadline(slot);
        self.lanes[lane].running += 1;
        self.running += 1;
        self.stats.note_running(self.running);
        let visit = &mut self.visits[slot];
        visit.state = Phase::Granted;
        if group == GroupId::CALLERS {
            effects.wake(visit.waker.take());
            self.watch_grant(slot, now, effects);
        } else {
            self.assign(slot, group, effects);
        }
    }

    /// Turns what the lane had counted when the visit began to wait into what the visit has lost.
    #[inline]
    pub(super) fn note_wait_end(&mut self, slot: u32, now: Moment) {
        let visit = &mut self.visits[slot];
        if visit.keeps_times {
            let (paused, full) = self.lanes[visit.lane].lost(now);
            visit.cold.paused = paused.saturating_sub(visit.cold.paused);
            visit.cold.full = full.saturating_sub(visit.cold.full);
            visit.cold.waited_until = Some(now);
        }
    }

    /// A visit that lost its grant claims its place back.
    pub(super) fn requeue(&mut self, slot: u32, now: Moment, effects: &mut Effects) {
        let lane = self.visits[slot].lane;
        self.lanes[lane].parked -= 1;
        self.put_in(slot, lane);
        // What it had lost before stays its own: it waits on since the same moment.
        self.lanes[lane].account(now);
        self.note_wait_end(slot, now);
        self.settle(lane, now);
        self.start_ready(now, effects);
    }
}
