//! The lanes by key: bounded, and those that have been idle longest are forgotten first.
//!
//! # Implementation
//!
//! A table of slots, and a list through the idle lanes in the order in which they became idle. A lane
//! is only forgotten here, under the lock that also admits into it, so nobody can hold a permit of a
//! lane that is gone.

use std::fmt;

use hashbrown::HashTable;

use super::Priority;
use super::heap::NONE;
use super::lane::Lane;
use super::rules::{OVERRIDES_MAX, PINNED_LANES_MAX};
use crate::origin::{Origin, hash_of};

/// The key of a lane: any text, with its hash.
#[derive(Clone, Copy, Debug)]
pub struct LaneKey<'a> {
    pub(super) text: &'a str,
    pub(super) hash: u64,
    /// Where the lane is, if it is pinned.
    slot: u32,
}

impl<'a> LaneKey<'a> {
    /// The lane of this text, taken as it stands.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            hash: hash_of(text),
            slot: NONE,
        }
    }
}

impl<'a> LaneKey<'a> {
    /// The text.
    pub fn text(&self) -> &'a str {
        self.text
    }
}

impl<'a> From<&'a Origin> for LaneKey<'a> {
    /// The lane of an origin, whose hash is known.
    fn from(origin: &'a Origin) -> Self {
        Self {
            text: origin.as_str(),
            hash: origin.precomputed_hash(),
            slot: NONE,
        }
    }
}

/// A lane that is not forgotten, and that is found without its text, until
/// [`unpin`](super::Scheduler::unpin). Whoever pinned it unpins it once, and uses it no more.
#[derive(Debug)]
#[must_use = "a lane that is not unpinned is kept for good"]
pub struct PinnedLane {
    text: Box<str>,
    hash: u64,
    slot: u32,
}

impl PinnedLane {
    /// Its key, for the scheduler that it came from.
    #[inline]
    pub fn key(&self) -> LaneKey<'_> {
        LaneKey {
            text: &self.text,
            hash: self.hash,
            slot: self.slot,
        }
    }
}

/// More lanes are to be treated apart than can be kept in mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyLanes {
    /// How many can.
    pub limit: usize,
}

impl fmt::Display for TooManyLanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} lanes to be treated apart", self.limit)
    }
}

impl std::error::Error for TooManyLanes {}

#[derive(Debug)]
pub(super) struct Lanes {
    table: HashTable<u32>,
    slots: Vec<Lane>,
    free: Vec<u32>,
    idle_max: usize,
    idle_count: usize,
    /// The list of lanes in the order in which they last became idle.
    oldest: u32,
    newest: u32,
    /// Limits set for single lanes: kept when a lane is forgotten.
    overrides: HashTable<(Box<str>, u64, usize)>,
    pub(super) per_lane: usize,
    reserve: [usize; Priority::COUNT],
    /// Lanes of which there are handles.
    pub(super) pinned: usize,
    /// Lanes forgotten so far.
    pub(super) evicted: u64,
    /// As in the visits.
    #[cfg(test)]
    pub(super) looks: std::cell::Cell<u64>,
}

impl Lanes {
    pub(super) fn new(
        per_lane: usize,
        reserve: [usize; Priority::COUNT],
        idle_max: usize,
    ) -> Lanes {
        Lanes {
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            idle_max,
            idle_count: 0,
            oldest: NONE,
            newest: NONE,
            overrides: HashTable::new(),
            per_lane,
            reserve,
            pinned: 0,
            evicted: 0,
            #[cfg(test)]
            looks: std::cell::Cell::default(),
        }
    }

    #[inline]
    pub(super) fn find(&self, key: LaneKey<'_>) -> Option<u32> {
        if key.slot != NONE {
            return Some(key.slot);
        }
        let is_it = |slot: &u32| *self[*slot].text == *key.text;
        self.table.find(key.hash, is_it).copied()
    }

    /// The lane of this key, made if there is none. The caller puts it to use or calls
    /// [`rest`](Self::rest).
    #[inline]
    pub(super) fn find_or_make(&mut self, key: LaneKey<'_>) -> u32 {
        match self.find(key) {
            Some(slot) => slot,
            None => self.make(key),
        }
    }

    #[cold]
    fn make(&mut self, key: LaneKey<'_>) -> u32 {
        let limit = self.limit_of(key);
        let lane = Lane::new(key.text, key.hash, limit, &self.reserve);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = lane;
                slot
            }
            None => {
                self.slots.push(lane);
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        self.table
            .insert_unique(key.hash, slot, |slot| slots[*slot as usize].hash);
        slot
    }

    /// Puts the lane to use. It stays in the list, where it is passed over while it is in use: a lane
    /// that is busy and idle by turns is not moved about for nothing.
    #[inline]
    pub(super) fn wake(&mut self, slot: u32) {
        let lane = &mut self.slots[slot as usize];
        if lane.is_idle {
            lane.is_idle = false;
            self.idle_count -= 1;
        }
    }

    /// Files an unused lane as idle, and forgets the one that has been so longest if there are too
    /// many.
    #[inline]
    pub(super) fn rest(&mut self, slot: u32) {
        let lane = &mut self.slots[slot as usize];
        if lane.is_idle || !lane.is_unused() {
            return;
        }
        lane.is_idle = true;
        self.idle_count += 1;
        if self.newest != slot {
            self.move_to_end(slot);
        }
        if self.idle_count > self.idle_max {
            self.forget_oldest();
        }
    }

    /// Keeps the lane of this key until it has been unpinned as often.
    pub(super) fn pin(&mut self, key: LaneKey<'_>) -> Result<PinnedLane, TooManyLanes> {
        let known = self.find(key);
        let is_first = known.is_none_or(|slot| self[slot].pins == 0);
        if is_first && self.pinned >= PINNED_LANES_MAX {
            return Err(TooManyLanes {
                limit: PINNED_LANES_MAX,
            });
        }
        let slot = self.find_or_make(key);
        self.wake(slot);
        self[slot].pins += 1;
        self.pinned += usize::from(is_first);
        Ok(PinnedLane {
            text: key.text.into(),
            hash: key.hash,
            slot,
        })
    }

    pub(super) fn unpin(&mut self, lane: &PinnedLane) {
        self[lane.slot].pins -= 1;
        self.pinned -= usize::from(self[lane.slot].pins == 0);
        self.rest(lane.slot);
    }

    fn move_to_end(&mut self, slot: u32) {
        self.unlink(slot);
        let newest = self.newest;
        let lane = &mut self[slot];
        lane.is_listed = true;
        lane.older = newest;
        lane.newer = NONE;
        match newest {
            NONE => self.oldest = slot,
            newest => self[newest].newer = slot,
        }
        self.newest = slot;
    }

    fn unlink(&mut self, slot: u32) {
        if !std::mem::take(&mut self[slot].is_listed) {
            return;
        }
        let (older, newer) = (self[slot].older, self[slot].newer);
        match older {
            NONE => self.oldest = newer,
            older => self[older].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self[newer].older = older,
        }
    }

    #[cold]
    fn forget_oldest(&mut self) {
        // One lane is idle at least, so this ends.
        while !self[self.oldest].is_idle {
            self.unlink(self.oldest);
        }
        self.forget(self.oldest);
    }

    fn forget(&mut self, slot: u32) {
        self.unlink(slot);
        self.wake(slot);
        let hash = self[slot].hash;
        if let Ok(entry) = self.table.find_entry(hash, |found| *found == slot) {
            entry.remove();
        }
        self.slots[slot as usize].text = Box::default();
        self.slots[slot as usize].desks = Vec::new();
        self.free.push(slot);
        self.evicted += 1;
    }

    /// The limit of a lane: its own, or that of all.
    pub(super) fn limit_of(&self, key: LaneKey<'_>) -> usize {
        self.overrides
            .find(key.hash, |(text, _, _)| **text == *key.text)
            .map_or(self.per_lane, |(_, _, limit)| *limit)
    }

    /// Sets the limit of one lane for good, or gives it back to that of all.
    pub(super) fn set_limit(
        &mut self,
        key: LaneKey<'_>,
        limit: Option<usize>,
    ) -> Result<Option<u32>, TooManyLanes> {
        let is_it = |known: &(Box<str>, u64, usize)| *known.0 == *key.text;
        let count = self.overrides.len();
        match (self.overrides.find_entry(key.hash, is_it), limit) {
            (Ok(mut known), Some(limit)) => known.get_mut().2 = limit,
            (Ok(known), None) => drop(known.remove()),
            (Err(_), None) => {}
            (Err(_), Some(_)) if count >= OVERRIDES_MAX => {
                return Err(TooManyLanes {
                    limit: OVERRIDES_MAX,
                });
            }
            (Err(_), Some(limit)) => {
                let known = (key.text.into(), key.hash, limit);
                self.overrides
                    .insert_unique(key.hash, known, |(_, hash, _)| *hash);
            }
        }
        let found = self.find(key);
        if let Some(slot) = found {
            let limit = limit.unwrap_or(self.per_lane);
            let reserve = self.reserve;
            self[slot].set_limit(limit, &reserve);
        }
        Ok(found)
    }

    /// Sets the limit of every lane that has none of its own.
    pub(super) fn set_per_lane(&mut self, limit: usize) {
        self.per_lane = limit;
        for slot in 0..self.end() {
            let lane = &self.slots[slot as usize];
            let key = LaneKey {
                text: &lane.text,
                hash: lane.hash,
                slot,
            };
            let limit = self.limit_of(key);
            let reserve = self.reserve;
            self[slot].set_limit(limit, &reserve);
        }
    }

    /// Lanes that are known.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn idle_count(&self) -> usize {
        self.idle_count
    }

    /// The idle lanes, the one that has been so longest first.
    pub(super) fn idle(&self) -> impl Iterator<Item = &Lane> {
        let lane = |slot: u32| (slot != NONE).then(|| &self[slot]);
        // Those that were woken stay in the list until they rest again.
        let listed = std::iter::successors(lane(self.oldest), move |listed| lane(listed.newer));
        listed.filter(|lane| lane.is_idle)
    }

    /// One past the largest slot.
    pub(super) fn end(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Every lane that is known.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.table.iter().map(|slot| &self[*slot])
    }
}

impl std::ops::Index<u32> for Lanes {
    type Output = Lane;

    #[inline]
    fn index(&self, slot: u32) -> &Lane {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &self.slots[slot as usize]
    }
}

impl std::ops::IndexMut<u32> for Lanes {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Lane {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &mut self.slots[slot as usize]
    }
}
