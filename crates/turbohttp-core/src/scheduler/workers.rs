//! Groups of workers: each idle worker is a capacity of its own.
//!
//! A job of a group starts only when a worker of the group is idle and takes it. Callers run their
//! own requests: they form the first group, which needs no workers.

use std::collections::VecDeque;
use std::task::Waker;

use super::bounds::GROUPS_MAX;
use super::effects::Effects;
use super::gate::{Gate, Stage};
use super::ids::GroupId;

#[derive(Debug)]
pub(super) struct Group {
    /// Workers that wait for a job, the one that came last at the end: it is the first to be woken,
    /// as its memory is in the cache.
    idle: Vec<(u32, Option<Waker>)>,
    /// By worker, whether it is among them: nearly every one that asks was woken, and is not.
    is_idle: Vec<bool>,
    /// Slots of jobs that were granted a permit and that no worker has picked up, in the order of
    /// grants.
    ///
    /// Invariant: the jobs of this group in state `Granted`.
    assigned: VecDeque<u32>,
    /// What the group lets in, and what its close waits for.
    pub(super) gate: Gate,
    /// Whether the number may be used for another group.
    is_gone: bool,
}

impl Group {
    fn new() -> Group {
        Group {
            idle: Vec::new(),
            is_idle: Vec::new(),
            assigned: VecDeque::new(),
            gate: Gate::new(),
            is_gone: false,
        }
    }

    pub(super) fn idle_count(&self) -> usize {
        self.idle.len()
    }

    /// Takes the worker out of the idle ones, if it is there.
    pub(super) fn remove_idle(&mut self, worker: u32, effects: &mut Effects) -> bool {
        let mark = self.is_idle.get_mut(worker as usize);
        if !mark.is_some_and(std::mem::take) {
            return false;
        }
        let index = self.index_of(worker);
        // `remove`, not `swap_remove`: the order of the others decides which worker is woken next.
        let (_, waker) = self.idle.remove(index);
        effects.discard(waker);
        true
    }

    /// Counts the worker as idle. It has no waker yet: see [`set_waker`](Self::set_waker).
    pub(super) fn insert_idle(&mut self, worker: u32) {
        let index = worker as usize;
        if self.is_idle.len() <= index {
            self.is_idle.resize(index + 1, false);
        }
        self.is_idle[index] = true;
        self.idle.push((worker, None));
    }

    /// Where an idle worker is. From the end: it mostly is the one that came last.
    fn index_of(&self, worker: u32) -> usize {
        let known = self.idle.iter().rposition(|(known, _)| *known == worker);
        known.expect("only a job would have taken the worker away")
    }

    /// Sets the waker of an idle worker.
    pub(super) fn set_waker(&mut self, worker: u32, waker: Waker) {
        let index = self.index_of(worker);
        self.idle[index].1 = Some(waker);
    }

    /// Assigns a granted job to the group, and wakes an idle worker for it.
    pub(super) fn assign(&mut self, slot: u32, effects: &mut Effects) {
        self.assigned.push_back(slot);
        self.wake_one(effects);
    }

    /// The job that was granted first.
    pub(super) fn take_assigned(&mut self) -> Option<u32> {
        self.assigned.pop_front()
    }

    /// Takes a granted job back before a worker has picked it up.
    pub(super) fn remove_assigned(&mut self, slot: u32) {
        self.assigned.retain(|other| *other != slot);
    }

    /// Wakes another worker if a job is assigned that the worker that ends may have been woken for.
    pub(super) fn wake_for_assigned(&mut self, effects: &mut Effects) {
        if !self.assigned.is_empty() {
            self.wake_one(effects);
        }
    }

    /// Wakes every idle worker, so that it looks at the group's gate.
    pub(super) fn wake_all(&mut self, effects: &mut Effects) {
        // They are idle no more: each asks again and is told that the group is closed.
        for (worker, waker) in self.idle.drain(..) {
            self.is_idle[worker as usize] = false;
            effects.wake(waker);
        }
    }

    fn wake_one(&mut self, effects: &mut Effects) {
        if let Some((worker, waker)) = self.idle.pop() {
            self.is_idle[worker as usize] = false;
            effects.wake(waker);
        }
    }
}

/// All groups, by number.
#[derive(Debug)]
pub(super) struct Workers {
    /// Invariant: the callers' group is the first; at most [`GROUPS_MAX`] others.
    groups: Vec<Group>,
}

/// More groups than [`GROUPS_MAX`] on one scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyGroups;

impl std::fmt::Display for TooManyGroups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "more than {GROUPS_MAX} groups of workers")
    }
}

impl std::error::Error for TooManyGroups {}

impl Workers {
    pub(super) fn new() -> Workers {
        Workers {
            groups: vec![Group::new()],
        }
    }

    pub(super) fn open(&mut self) -> Result<GroupId, TooManyGroups> {
        // Replacing a group with idle workers would drop their wakers here, under the lock.
        let is_free = |group: &Group| group.is_gone && group.idle.is_empty();
        let free = self.groups.iter().position(is_free);
        let index = free.unwrap_or(self.groups.len());
        if index > GROUPS_MAX {
            return Err(TooManyGroups);
        }
        // A new gate, so that no report or flag of the former group is seen under the new number.
        match free {
            Some(index) => self.groups[index] = Group::new(),
            None => self.groups.push(Group::new()),
        }
        // The cast is exact: the index is at most `GROUPS_MAX`.
        Ok(GroupId(index as u8))
    }

    /// Lets the number of the group be used again.
    pub(super) fn forget(&mut self, group: GroupId) {
        self[group].is_gone = true;
    }

    /// Whether a call of this group would have something to run it: an idle worker, or its own
    /// caller.
    #[inline]
    pub(super) fn has_idle(&self, group: GroupId) -> bool {
        group == GroupId::CALLERS || !self[group].idle.is_empty()
    }

    /// Every group of workers, which leaves the callers out.
    pub(super) fn ids(&self) -> impl Iterator<Item = GroupId> + use<> {
        (1..self.groups.len()).map(|index| GroupId(index as u8))
    }

    /// The gates of all groups.
    pub(super) fn gates(&self) -> impl Iterator<Item = &Gate> {
        self.groups.iter().map(|group| &group.gate)
    }

    /// Whether every group is closed.
    pub(super) fn are_closed(&self) -> bool {
        // The callers' group has no gate of its own: its gate stays open and is not asked.
        let mut gates = self.groups.iter().skip(1).map(|group| &group.gate);
        gates.all(|gate| gate.stage == Stage::Closed)
    }
}

impl std::ops::Index<GroupId> for Workers {
    type Output = Group;

    fn index(&self, id: GroupId) -> &Group {
        &self.groups[id.index()]
    }
}

impl std::ops::IndexMut<GroupId> for Workers {
    fn index_mut(&mut self, id: GroupId) -> &mut Group {
        &mut self.groups[id.index()]
    }
}
