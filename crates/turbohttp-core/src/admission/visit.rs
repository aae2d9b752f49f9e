//! One caller's stay with a scheduler, from entering to leaving.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::Priority;
use super::heap::NONE;
use super::workers::GroupId;

/// What a visit is doing. Transitions happen under one lock, and only `Taken` holds a permit that its
/// owner gives back; the permit of `Granted` is still the scheduler's to pass on.
///
/// ```text
///          admit                grant             take up
///   Idle ---------> Queued -------------> Granted ---------> Taken
///    ^               |  ^                    |                 |
///    |               |  | asked again        | not taken up    |
///    |               |  +----- Parked <------+                 |
///    +-- Refused <---+ (expired, closed)                       |
///    +---------------------- release, cancel ------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the states are the concept")]
pub enum State {
    /// Neither waits nor holds a permit.
    Idle,
    /// Waits in its lane.
    Queued,
    /// Was granted a permit, did not take it up, and keeps its place until it asks again.
    Parked,
    /// Has a permit that its owner has not seen yet.
    Granted,
    /// Its owner holds a permit.
    Taken,
    /// Will not be admitted; the reason is told when its owner asks.
    Refused(Refusal),
}

/// Why a visit is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The scheduler admits nothing more.
    Closed,
    /// As many wait as may wait.
    Full {
        /// Which bound.
        bound: Bound,
        /// How many it allows.
        limit: usize,
    },
    /// Its deadline passed while it waited.
    Expired,
    /// It would have had to wait, and was not to.
    Busy,
}

/// What may be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// All visits that wait.
    Waiting,
    /// Those that wait in one lane.
    Lane,
    /// The jobs of a group at one level.
    Group(Priority),
}

/// How a visit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what ends, ends in one of these")]
pub enum Outcome {
    /// Did what it came for.
    Completed,
    /// Came to an error of its own.
    Failed,
    /// Was given up by its owner, or refused because the scheduler was closed.
    Canceled,
    /// Waited longer than it was willing to.
    Expired,
    /// Was under way and cut off.
    Aborted,
}

/// Names a visit. An id of a visit that has left names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VisitId {
    pub(super) slot: u32,
    pub(super) number: u64,
}

/// Where a visit stands in line: by rank, then by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// 0 under strict priority, where each level has lines of its own.
    pub(super) rank: u64,
    pub(super) age: u64,
}

/// Where the links of a visit lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    /// Between two others in a list.
    Between {
        previous: u32,
        next: u32,
    },
    /// In a heap.
    At(u32),
}

/// How long a visit waited, by what kept it waiting. The three add up to the whole wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// While its lane was paused.
    pub paused: Duration,
    /// While its lane had no permit free.
    pub lane: Duration,
    /// While no permit was free in total, no worker was, or others were before it.
    pub total: Duration,
}

impl Waited {
    /// All of it.
    pub fn sum(&self) -> Duration {
        self.paused + self.lane + self.total
    }
}

#[derive(Debug)]
pub(super) struct Visit {
    /// Unique among all visits ever; 0 marks a free slot.
    pub(super) number: u64,
    pub(super) state: State,
    pub(super) priority: Priority,
    pub(super) group: GroupId,
    /// Where it waits or holds a permit.
    pub(super) lane: u32,
    /// The number of the first visit of the same request: a further attempt keeps its age.
    pub(super) age: u64,
    pub(super) key: Key,
    pub(super) place: Place,
    /// Counted among those that a close waits for.
    pub(super) is_counted: bool,
    /// The same for the gate of its group.
    pub(super) is_job: bool,
    pub(super) deadline: Option<Instant>,
    /// Its place among the deadlines.
    pub(super) deadline_at: u32,
    /// Whom to wake when something happens to it.
    pub(super) waker: Option<Waker>,
    /// When the request first came.
    pub(super) arrived: Instant,
    /// Since when it has waited, if it had to.
    pub(super) waits_since: Option<Instant>,
    /// Time lost to pauses and to the limit: while it waits, what its lane had counted when it began;
    /// from the grant on, its own share.
    pub(super) paused: Duration,
    pub(super) full: Duration,
    /// The epoch in which it was granted its permit.
    pub(super) granted_in: u64,
    /// What the owner of a job files it under.
    pub(super) tag: u64,
}

/// The visits, in slots that are used again.
#[derive(Debug, Default)]
pub(super) struct Visits {
    slots: Vec<Visit>,
    free: Vec<u32>,
    /// Numbers given out.
    last: u64,
    /// How often a visit was looked at: no operation may look at more because more wait.
    #[cfg(test)]
    pub(super) looks: std::cell::Cell<u64>,
}

/// Slots that are kept when the last visit has left.
const KEPT_SLOTS_MAX: usize = 4_096;

impl Visits {
    #[inline]
    pub(super) fn insert(&mut self, now: Instant, is_counted: bool, age: Option<u64>) -> VisitId {
        self.last += 1;
        let number = self.last;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.grow(now),
        };
        // Written in place: what is not named here is set before it is read, or was left as new.
        let visit = &mut self.slots[slot as usize];
        visit.number = number;
        visit.state = State::Idle;
        visit.group = GroupId::CALLERS;
        visit.age = age.unwrap_or(number);
        visit.is_counted = is_counted;
        visit.is_job = false;
        visit.arrived = now;
        visit.waits_since = None;
        VisitId { slot, number }
    }

    #[cold]
    fn grow(&mut self, now: Instant) -> u32 {
        self.slots.push(Visit {
            number: 0,
            state: State::Idle,
            priority: Priority::default(),
            group: GroupId::CALLERS,
            lane: NONE,
            age: 0,
            key: Key { rank: 0, age: 0 },
            place: Place::Nowhere,
            is_counted: false,
            is_job: false,
            deadline: None,
            deadline_at: NONE,
            waker: None,
            arrived: now,
            waits_since: None,
            paused: Duration::ZERO,
            full: Duration::ZERO,
            granted_in: 0,
            tag: 0,
        });
        // More would be 2^32 requests at the same time.
        (self.slots.len() - 1) as u32
    }

    /// Frees the slot; its waker, if any, must have been taken out.
    pub(super) fn remove(&mut self, slot: u32) {
        self.slots[slot as usize].number = 0;
        self.free.push(slot);
        if self.free.len() == self.slots.len() && self.slots.len() > KEPT_SLOTS_MAX {
            // A burst is over.
            self.slots = Vec::new();
            self.free = Vec::new();
        }
    }

    /// The slot of a visit that has not left.
    pub(super) fn find(&self, id: VisitId) -> Option<u32> {
        let visit = self.slots.get(id.slot as usize)?;
        (visit.number == id.number).then_some(id.slot)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Every visit there is, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Visit)> {
        #[cfg(test)]
        self.looks.set(self.looks.get() + self.slots.len() as u64);
        let numbered = (0u32..).zip(&self.slots);
        numbered.filter(|(_, visit)| visit.number != 0)
    }
}

impl std::ops::Index<u32> for Visits {
    type Output = Visit;

    fn index(&self, slot: u32) -> &Visit {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &self.slots[slot as usize]
    }
}

impl std::ops::IndexMut<u32> for Visits {
    fn index_mut(&mut self, slot: u32) -> &mut Visit {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &mut self.slots[slot as usize]
    }
}
