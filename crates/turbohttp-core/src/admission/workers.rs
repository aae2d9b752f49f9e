//! Groups of workers: each idle worker is a capacity of its own.
//!
//! A visit of a group starts only when a worker of the group is there to run it; callers, who run
//! their own requests, form the first group and are always there.

use std::collections::VecDeque;
use std::task::Waker;

use super::Priority;
use super::gate::Gate;
use super::heap::Heap;
use super::rules::GROUPS_MAX;
use super::visit::Key;

/// Names a group of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(pub(super) u8);

impl GroupId {
    /// Those who run their own requests.
    pub(super) const CALLERS: GroupId = GroupId(0);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[derive(Debug)]
pub(super) struct Group {
    /// The lanes that could start a visit of this group, by the first in line at each level.
    pub(super) ready: [Heap<Key>; Priority::COUNT],
    /// Workers that wait for a job, the one that came last at the end.
    pub(super) idle: Vec<(u32, Option<Waker>)>,
    /// Jobs that were granted and that no worker has picked up.
    pub(super) assigned: VecDeque<u32>,
    /// Jobs in line at each level, and how many there may be.
    pub(super) waiting: [usize; Priority::COUNT],
    pub(super) capacity: [usize; Priority::COUNT],
    /// What the group lets in, and what its close waits for.
    pub(super) gate: Gate,
    /// Free for another use.
    pub(super) is_gone: bool,
}

impl Group {
    fn new(capacity: [usize; Priority::COUNT]) -> Group {
        Group {
            ready: Default::default(),
            idle: Vec::new(),
            assigned: VecDeque::new(),
            waiting: [0; Priority::COUNT],
            capacity,
            gate: Gate::new(),
            is_gone: false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Groups {
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

impl Groups {
    pub(super) fn new() -> Groups {
        Groups {
            groups: vec![Group::new([usize::MAX; Priority::COUNT])],
        }
    }

    pub(super) fn open(
        &mut self,
        capacity: [usize; Priority::COUNT],
    ) -> Result<GroupId, TooManyGroups> {
        // One with idle workers would drop their wakers here, under the lock.
        let is_free = |group: &Group| group.is_gone && group.idle.is_empty();
        let free = self.groups.iter().position(is_free);
        let index = free.unwrap_or(self.groups.len());
        if index > GROUPS_MAX {
            return Err(TooManyGroups);
        }
        let group = Group::new(capacity);
        match free {
            Some(index) => self.groups[index] = group,
            None => self.groups.push(group),
        }
        // At most `GROUPS_MAX`.
        Ok(GroupId(index as u8))
    }

    /// Whether a visit of this group has somebody to run it.
    #[inline]
    pub(super) fn has_worker(&self, group: GroupId) -> bool {
        group == GroupId::CALLERS || !self[group].idle.is_empty()
    }

    /// The lane whose first visit at this level is to start next.
    #[inline]
    pub(super) fn next(&self, level: usize) -> Option<(GroupId, u32)> {
        let mut best: Option<(Key, GroupId, u32)> = None;
        for (index, group) in (0u8..).zip(&self.groups) {
            let id = GroupId(index);
            if let Some((key, lane)) = group.ready[level].first()
                && best.is_none_or(|(least, _, _)| key < least)
                && self.has_worker(id)
            {
                best = Some((key, id, lane));
            }
        }
        best.map(|(_, group, lane)| (group, lane))
    }

    /// Every group of workers.
    pub(super) fn ids(&self) -> impl Iterator<Item = GroupId> + use<> {
        (1..self.groups.len()).map(|index| GroupId(index as u8))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }
}

impl std::ops::Index<GroupId> for Groups {
    type Output = Group;

    fn index(&self, id: GroupId) -> &Group {
        &self.groups[id.index()]
    }
}

impl std::ops::IndexMut<GroupId> for Groups {
    fn index_mut(&mut self, id: GroupId) -> &mut Group {
        &mut self.groups[id.index()]
    }
}
