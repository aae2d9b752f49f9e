//! Everything that waits: lanes, their lines, and which of them could start a call.
//!
//! # Implementation
//!
//! Every lane has one line per level and group. The lanes that could start a call stand in one heap
//! per level and group, by the key of the first in line, so that picking the next call is a look at
//! the top. A lane is in a heap only while total permits, or workers, are what is missing:
//! otherwise the call would have been started. Each operation costs O(log n) of the lanes in a
//! heap, or of the calls of a line that came back out of order.

use std::time::{Duration, Instant};

use super::call::{Bound, Refusal};
use super::calls::{CallState, Calls, Key};
use super::heap::{Heap, NONE};
use super::ids::GroupId;
use super::lanes::Lanes;
use super::moment::Moment;
use super::priority::Priority;
use super::rules::Rules;
use super::workers::Workers;

/// The calls that wait, by lane, group and level.
#[derive(Debug)]
pub(super) struct WaitQueues {
    pub(super) lanes: Lanes,
    /// By the number of the group; the callers are the first.
    groups: Vec<GroupQueues>,
    /// Calls in all lines. Invariant: the sum of `waiting` of all lanes.
    in_line: usize,
    /// Calls in line that are no jobs. Invariant: the sum of `callers_waiting` of all lanes, at
    /// most `callers_max` and in no lane more than `callers_per_lane_max`, but for calls that were
    /// parked and came back.
    callers: usize,
    callers_max: usize,
    callers_per_lane_max: usize,
    /// Invariant: the entries in the heaps of all groups, and the sum of `ready` of all lanes.
    ready: usize,
    /// Under ageing all levels share one line, ordered by [`Key::rank`], and this much time counts
    /// as one level.
    ageing: Option<Duration>,
    /// The instant that ranks count from.
    base: Instant,
}

/// What waits of one group.
#[derive(Debug)]
struct GroupQueues {
    /// The lanes that could start a call of this group, by the first in line at each level.
    ///
    /// Invariant: a lane is in the heap of a level if and only if it [is
    /// open](super::lane::Lane::is_open) to the level and its line is not empty; its key there is
    /// that of the first in line. [`WaitQueues::refresh`] restores this.
    ready: [Heap<Key>; Priority::COUNT],
    /// Invariant: the jobs in line at each level, at most `capacity` but for those whose level was
    /// changed.
    waiting: [usize; Priority::COUNT],
    capacity: [usize; Priority::COUNT],
}

impl GroupQueues {
    fn new(capacity: [usize; Priority::COUNT]) -> GroupQueues {
        GroupQueues {
            ready: Default::default(),
            waiting: [0; Priority::COUNT],
            capacity,
        }
    }
}

impl WaitQueues {
    pub(super) fn new(rules: &Rules, base: Instant) -> WaitQueues {
        WaitQueues {
            lanes: Lanes::new(rules),
            // What callers may wait is bounded in total and by lane, not by level.
            groups: vec![GroupQueues::new([usize::MAX; Priority::COUNT])],
            in_line: 0,
            callers: 0,
            callers_max: rules.waiting,
            callers_per_lane_max: rules.waiting_per_lane,
            ready: 0,
            ageing: rules.ageing,
            base,
        }
    }

    /// Begins a new group under this number, with so many jobs that may wait at each level.
    pub(super) fn open_group(&mut self, group: GroupId, capacity: [usize; Priority::COUNT]) {
        let queues = GroupQueues::new(capacity);
        match self.groups.get_mut(group.index()) {
            Some(gone) => *gone = queues,
            // Groups are numbered in order, at most `GROUPS_MAX`.
            None => self.groups.push(queues),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.in_line == 0
    }

    /// Calls in line that are no jobs.
    #[inline]
    pub(super) fn callers(&self) -> usize {
        self.callers
    }

    /// Jobs of a group in line at each level.
    pub(super) fn jobs(&self, group: GroupId) -> [usize; Priority::COUNT] {
        self.groups[group.index()].waiting
    }

    #[inline]
    pub(super) fn has_ageing(&self) -> bool {
        self.ageing.is_some()
    }

    /// Refuses a caller where as many wait as may.
    pub(super) fn check_room(&self, lane: u32) -> Result<(), Refusal> {
        let full = |bound, limit| Err(Refusal::Full { bound, limit });
        if self.callers >= self.callers_max {
            return full(Bound::Waiting, self.callers_max);
        }
        if self.lanes[lane].callers_waiting >= self.callers_per_lane_max {
            return full(Bound::Lane, self.callers_per_lane_max);
        }
        Ok(())
    }

    /// Refuses a job where as many wait at its level as may.
    pub(super) fn check_job_room(&self, group: GroupId, priority: Priority) -> Result<(), Refusal> {
        let queues = &self.groups[group.index()];
        let limit = queues.capacity[priority.index()];
        if queues.waiting[priority.index()] >= limit {
            return Err(Refusal::Full {
                bound: Bound::Group(priority),
                limit,
            });
        }
        Ok(())
    }

    /// Puts a call into the line of its level and lane, where its key belongs.
    #[inline]
    pub(super) fn insert(&mut self, slot: u32, lane: u32, calls: &mut Calls) {
        let call = &mut calls[slot];
        call.state = CallState::Queued;
        call.lane = lane;
        let level = match self.ageing {
            None => call.priority.index(),
            // A call of a less urgent level counts as one that came so many steps later.
            Some(step) => {
                let arrived = call.cold.arrived.saturating_duration_since(self.base);
                let handicap = step.as_nanos() * call.priority.index() as u128;
                let rank = arrived.as_nanos() + handicap;
                call.key.rank = u64::try_from(rank).unwrap_or(u64::MAX);
                0
            }
        };
        // Jobs are bounded by their own group, so they do not count against the bounds of callers.
        let (group, priority) = (call.group, call.priority);
        let lane = &mut self.lanes[lane];
        lane.waiting += 1;
        self.in_line += 1;
        match group {
            GroupId::CALLERS => {
                lane.callers_waiting += 1;
                self.callers += 1;
            }
            group => self.groups[group.index()].waiting[priority.index()] += 1,
        }
        lane.queues_of(group).lines[level].insert(slot, calls);
    }

    /// Takes a call out of its line. The caller sets its state, and [refreshes](Self::refresh) the
    /// lane.
    #[inline(always)] // Under load before one origin this is a part of every grant.
    pub(super) fn remove(&mut self, slot: u32, calls: &mut Calls) {
        let call = &calls[slot];
        let (group, priority) = (call.group, call.priority);
        // The line that `insert` chose: under ageing there is one for all levels.
        let level = match self.ageing {
            None => priority.index(),
            Some(_) => 0,
        };
        let lane = &mut self.lanes[call.lane];
        lane.waiting -= 1;
        self.in_line -= 1;
        match group {
            GroupId::CALLERS => {
                lane.callers_waiting -= 1;
                self.callers -= 1;
            }
            group => self.groups[group.index()].waiting[priority.index()] -= 1,
        }
        lane.queues_of(group).lines[level].remove(slot, calls);
    }

    /// Restores the invariant of the heaps of ready lanes for one lane. Called after every change
    /// of the first in one of its lines, of what runs in it, of its limit and of its pause.
    #[inline]
    pub(super) fn refresh(&mut self, lane: u32, calls: &Calls, now: Moment) {
        let here = &mut self.lanes[lane];
        here.account(now);
        // A lane that is closed to the most urgent level is closed to all, and one that is in no
        // heap may stay so.
        if here.ready > 0 || here.is_open(0) {
            self.refresh_heaps(lane, calls);
        }
    }

    fn refresh_heaps(&mut self, lane: u32, calls: &Calls) {
        let Self {
            lanes,
            groups,
            ready,
            ..
        } = self;
        for group in 0..lanes[lane].groups.len() {
            for level in 0..Priority::COUNT {
                let here = &lanes[lane];
                let queues = &here.groups[group];
                let place = queues.ready_at[level];
                let first = queues.lines[level].first(calls);
                let wanted = first.filter(|_| here.is_open(level));
                let heap = &mut groups[group].ready[level];
                let key = match (wanted, place) {
                    // The two cases in which nothing has changed, which are nearly all.
                    (None, NONE) => continue,
                    (Some((key, _)), place) if place != NONE && heap.key(place) == key => continue,
                    (wanted, _) => wanted.map(|(key, _)| key),
                };
                // A lane with another first in line is removed and pushed again: a heap cannot
                // change a key.
                let mut moved = |id: u32, place| lanes[id].groups[group].ready_at[level] = place;
                if place != NONE {
                    heap.remove(place, &mut moved);
                    moved(lane, NONE);
                    lanes[lane].ready -= 1;
                    *ready -= 1;
                }
                let mut moved = |id: u32, place| lanes[id].groups[group].ready_at[level] = place;
                if let Some(key) = key {
                    heap.push(key, lane, &mut moved);
                    lanes[lane].ready += 1;
                    *ready += 1;
                }
            }
        }
    }

    /// The call that is to start next at this level, if a total permit is free for it: the one with
    /// the least key among the first in line of all ready lanes, of callers and of groups with an
    /// idle worker.
    #[inline]
    pub(super) fn next(&self, level: usize, calls: &Calls, workers: &Workers) -> Option<u32> {
        let mut best: Option<(Key, GroupId, u32)> = None;
        for (number, group) in (0u8..).zip(&self.groups) {
            let id = GroupId(number);
            // Callers and groups compete by key alone: no group has precedence over another.
            if let Some((key, lane)) = group.ready[level].first()
                && best.is_none_or(|(least, _, _)| key < least)
                && workers.has_idle(id)
            {
                best = Some((key, id, lane));
            }
        }
        let (_, group, lane) = best?;
        let line = &self.lanes[lane].groups[group.index()].lines[level];
        let Some((_, slot)) = line.first(calls) else {
            unreachable!("a lane is in a heap only while its line is not empty");
        };
        Some(slot)
    }

    /// The call of this lane that a permit released there may go to at once, without a look at the
    /// other lanes: no other lane could start a call, and this one was full, so that its heaps stay
    /// as they are. That is the case for every release under load before one origin.
    #[inline]
    pub(super) fn next_in_full_lane(&self, lane: u32, calls: &Calls) -> Option<(usize, u32)> {
        let here = &self.lanes[lane];
        let is_plain = self.ready == 0 && here.groups.len() == 1 && here.capacity.has_one_left();
        if !is_plain || here.paused_until.is_some() {
            return None;
        }
        // One group, so it is that of the callers, and no worker is needed.
        let mut lines = here.groups[0].lines.iter().enumerate();
        let (level, slot) = lines.find_map(|(level, line)| Some((level, line.first(calls)?.1)))?;
        // Closed to this level by a reserve: then the ordinary way looks at the other levels.
        here.is_open(level).then_some((level, slot))
    }
}
