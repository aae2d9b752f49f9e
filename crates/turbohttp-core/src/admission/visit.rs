//! One caller's stay with a scheduler, from entering to leaving.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::Priority;
use super::heap::NONE;
use super::moment::Moment;
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

/// [`State`], in one byte: what is refused at once is told at once and never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Queued,
    Parked,
    Granted,
    Taken,
    Refused(Ended),
}

/// Why a wait has ended without a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Closed,
    Expired,
}

impl From<Ended> for Refusal {
    fn from(ended: Ended) -> Refusal {
        match ended {
            Ended::Closed => Refusal::Closed,
            Ended::Expired => Refusal::Expired,
        }
    }
}

impl From<Phase> for State {
    fn from(phase: Phase) -> State {
        match phase {
            Phase::Idle => State::Idle,
            Phase::Queued => State::Queued,
            Phase::Parked => State::Parked,
            Phase::Granted => State::Granted,
            Phase::Taken => State::Taken,
            Phase::Refused(ended) => State::Refused(ended.into()),
        }
    }
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
    Listed,
    /// In a heap, at the place that `next` says.
    Heaped,
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

    /// What took most of it.
    pub(super) fn largest(&mut self) -> &mut Duration {
        if self.lane > self.paused.max(self.total) {
            &mut self.lane
        } else if self.paused > self.total {
            &mut self.paused
        } else {
            // Also of a wait that was over as it began: a worker takes a moment to come.
            &mut self.total
        }
    }
}

/// What every step of a wait touches comes first and fills one cache line: with thousands in line it
/// is memory that a step costs.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Visit {
    /// Unique among all visits ever; 0 marks a free slot.
    pub(super) number: u64,
    /// Its age is the number of the first visit of the same request: a further attempt keeps it.
    pub(super) key: Key,
    /// Whom to wake when something happens to it.
    pub(super) waker: Option<Waker>,
    /// Neighbours in a list.
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) place: Place,
    pub(super) state: Phase,
    pub(super) priority: Priority,
    pub(super) group: GroupId,
    /// Where it waits or holds a permit.
    pub(super) lane: u32,
    /// Its place among the deadlines.
    pub(super) deadline_at: u32,
    /// The epoch in which it was granted its permit: the last one, or that before.
    pub(super) granted_in: u8,
    /// Counted among those that a close waits for.
    pub(super) is_counted: bool,
    /// The same for the gate of its group.
    pub(super) is_job: bool,
    /// Whether `cold` is kept; without, it waits for a permit and for nothing else.
    pub(super) keeps_times: bool,
    pub(super) cold: Cold,
}

/// What is looked at seldom.
#[derive(Debug)]
pub(super) struct Cold {
    pub(super) deadline: Option<Moment>,
    /// When the request first came.
    pub(super) arrived: Instant,
    /// Since when it has waited, if it had to, and when that was over.
    pub(super) waits_since: Option<Moment>,
    pub(super) waited_until: Option<Moment>,
    /// Nanoseconds lost to pauses and to the limit: while it waits, what its lane had counted when it
    /// began; from the grant on, its own share.
    pub(super) paused: u64,
    pub(super) full: u64,
    /// What the owner of a job files it under.
    pub(super) tag: u64,
}

// Loom's and shuttle's visits are no different, but pointers are smaller elsewhere.
const _: () = assert!(std::mem::offset_of!(Visit, cold) <= 64);

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
        let id = self.insert_bare(now, is_counted, age);
        self.keep_times(id.slot, now);
        id
    }

    /// A visit that keeps no times; their memory is not touched.
    #[inline]
    pub(super) fn insert_bare(
        &mut self,
        now: Instant,
        is_counted: bool,
        age: Option<u64>,
    ) -> VisitId {
        self.last += 1;
        let number = self.last;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.grow(now),
        };
        // Written in place: what is not named here is set before it is read, or was left as new.
        let visit = &mut self.slots[slot as usize];
        visit.number = number;
        visit.state = Phase::Idle;
        visit.group = GroupId::CALLERS;
        visit.key.age = age.unwrap_or(number);
        visit.is_counted = is_counted;
        visit.is_job = false;
        visit.keeps_times = false;
        VisitId { slot, number }
    }

    #[cold]
    fn grow(&mut self, now: Instant) -> u32 {
        self.slots.push(Visit {
            number: 0,
            key: Key { rank: 0, age: 0 },
            waker: None,
            previous: NONE,
            next: NONE,
            place: Place::Nowhere,
            state: Phase::Idle,
            priority: Priority::default(),
            group: GroupId::CALLERS,
            lane: NONE,
            deadline_at: NONE,
            granted_in: 0,
            is_counted: false,
            is_job: false,
            keeps_times: false,
            cold: Cold {
                deadline: None,
                arrived: now,
                waits_since: None,
                waited_until: None,
                paused: 0,
                full: 0,
                tag: 0,
            },
        });
        // More would be 2^32 requests at the same time.
        (self.slots.len() - 1) as u32
    }

    /// A visit that kept no times does so from now on.
    pub(super) fn keep_times(&mut self, slot: u32, now: Instant) {
        let visit = &mut self.slots[slot as usize];
        if !std::mem::replace(&mut visit.keeps_times, true) {
            visit.cold.arrived = now;
            visit.cold.waits_since = None;
            visit.cold.waited_until = None;
        }
    }

    /// Frees the slot; its waker, if any, must have been taken out.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        self.slots[slot as usize].number = 0;
        self.free.push(slot);
        if self.free.len() == self.slots.len() && self.slots.len() > KEPT_SLOTS_MAX {
            self.shrink();
        }
    }

    /// A burst is over.
    #[cold]
    fn shrink(&mut self) {
        self.slots = Vec::new();
        self.free = Vec::new();
    }

    /// The slot of a visit that has not left.
    #[inline]
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

    #[inline]
    fn index(&self, slot: u32) -> &Visit {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &self.slots[slot as usize]
    }
}

impl std::ops::IndexMut<u32> for Visits {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Visit {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &mut self.slots[slot as usize]
    }
}
