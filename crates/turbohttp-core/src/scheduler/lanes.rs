//! The lanes by key: a bounded map that forgets the lane first that has been idle longest.
//!
//! # Implementation
//!
//! A hash table of slots, and a list through the idle lanes in the order in which they became idle.
//! A lane is forgotten only here, under the lock that also admits into it, and only while it is
//! unused: no permit names a lane that is gone.

use hashbrown::HashTable;

use super::adaptive::{Adaptive, AdaptiveLimit, Observation};
use super::bounds::{PINNED_LANES_MAX, TooManyLanes};
use super::heap::NONE;
use super::key::LaneKey;
use super::lane::Lane;
use super::moment::Moment;
use super::overrides::Overrides;
use super::priority::Priority;
use super::rate::{Bucket, Rate};
use super::rules::Rules;
use super::slab::Slab;

/// A lane that is kept, and found without a lookup of its text, until
/// [`unpin`](super::Scheduler::unpin) is called with this handle, once.
#[derive(Debug)]
#[must_use = "a lane that is not unpinned is kept for good"]
pub struct PinnedLane {
    text: Box<str>,
    hash: u64,
    slot: u32,
}

impl PinnedLane {
    /// Its key, valid for the scheduler that pinned it.
    #[inline]
    pub fn key(&self) -> LaneKey<'_> {
        LaneKey {
            text: &self.text,
            hash: self.hash,
            slot: self.slot,
        }
    }
}

#[derive(Debug)]
pub(super) struct Lanes {
    /// The slots of all lanes that are known, by their text.
    table: HashTable<u32>,
    slab: Slab<Lane>,
    idle_max: usize,
    /// Invariant: the lanes whose `is_idle` is set, at most `idle_max`.
    idle_count: usize,
    /// Ends of the list of lanes in the order in which they last became idle.
    ///
    /// Invariant: every idle lane is listed. A listed lane that is in use again stays until it is
    /// idle anew.
    oldest: u32,
    newest: u32,
    overrides: Overrides,
    per_lane: usize,
    /// The rate of every lane that has none of its own.
    rate: Option<Rate>,
    /// By what the limit of every lane follows its server.
    adaptive: Option<AdaptiveLimit>,
    reserve: [usize; Priority::COUNT],
    /// Invariant: the lanes with `pins > 0`, at most [`PINNED_LANES_MAX`].
    pinned: usize,
    /// Lanes forgotten so far.
    evicted: u64,
}

impl Lanes {
    pub(super) fn new(rules: &Rules) -> Lanes {
        Lanes {
            table: HashTable::new(),
            slab: Slab::default(),
            idle_max: rules.idle_lanes,
            idle_count: 0,
            oldest: NONE,
            newest: NONE,
            overrides: Overrides::default(),
            per_lane: rules.per_lane,
            rate: rules.rate,
            adaptive: rules.adaptive,
            reserve: rules.reserve.per_lane,
            pinned: 0,
            evicted: 0,
        }
    }

    #[inline]
    pub(super) fn find(&self, key: LaneKey<'_>) -> Option<u32> {
        // A pinned lane is not forgotten, so its slot is still its own.
        if key.slot != NONE {
            return Some(key.slot);
        }
        let is_it = |slot: &u32| *self[*slot].text == *key.text;
        self.table.find(key.hash, is_it).copied()
    }

    /// The lane of this key, made if there is none. The caller calls [`mark_busy`](Self::mark_busy)
    /// where it uses the lane, and [`mark_idle_if_unused`](Self::mark_idle_if_unused) where it does
    /// not: a lane that is in neither state would never be forgotten.
    #[inline]
    pub(super) fn find_or_make(&mut self, key: LaneKey<'_>) -> u32 {
        match self.find(key) {
            Some(slot) => slot,
            None => self.make(key),
        }
    }

    #[cold]
    fn make(&mut self, key: LaneKey<'_>) -> u32 {
        // A limit and a rate of its own outlive the lane, so they hold again here.
        let limit = self.limit_of(key);
        let bucket = match self.overrides.rate(key) {
            Some((rate, full_at)) => Some(Bucket::new(rate, full_at)),
            None => self.rate.map(|rate| Bucket::new(rate, Moment::default())),
        };
        let adaptive = self.adaptive.map(|rule| Adaptive::new(rule, limit));
        let present = adaptive.as_ref().map_or(limit, Adaptive::limit);
        let bucket = bucket.map(Box::new);
        let mut lane = Lane::new(key.text, key.hash, present, &self.reserve, bucket);
        lane.adaptive = adaptive.map(Box::new);
        let slot = self.slab.insert(lane);
        let slab = &self.slab;
        // Growing the table looks at every lane, which is paid for by the lanes made since it grew
        // last.
        let hash = |slot: &u32| slab.get(*slot).map_or(0, |lane| lane.hash);
        self.table.insert_unique(key.hash, slot, hash);
        slot
    }

    /// Notes that the lane is in use. It stays in the list of idle lanes, which skips it: a lane
    /// that is busy and idle by turns is not moved each time.
    #[inline]
    pub(super) fn mark_busy(&mut self, slot: u32) {
        let lane = &mut self.slab[slot];
        if lane.is_idle {
            lane.is_idle = false;
            self.idle_count -= 1;
        }
    }

    /// Notes that the lane is idle, if it is unused, and forgets the lane that has been idle
    /// longest if there are too many.
    #[inline]
    pub(super) fn mark_idle_if_unused(&mut self, slot: u32) {
        let lane = &mut self.slab[slot];
        if lane.is_idle || !lane.is_unused() {
            return;
        }
        lane.is_idle = true;
        self.idle_count += 1;
        // A lane that became idle last before as well is where it belongs already.
        if self.newest != slot {
            self.move_to_end(slot);
        }
        if self.idle_count > self.idle_max {
            self.forget_oldest();
        }
    }

    /// Keeps the lane of this key until it has been unpinned as often as pinned.
    pub(super) fn pin(&mut self, key: LaneKey<'_>) -> Result<PinnedLane, TooManyLanes> {
        let known = self.find(key);
        // Further handles of a pinned lane keep nothing more, so the bound is on lanes.
        let is_first = known.is_none_or(|slot| self[slot].pins == 0);
        if is_first && self.pinned >= PINNED_LANES_MAX {
            return Err(TooManyLanes {
                limit: PINNED_LANES_MAX,
            });
        }
        let slot = self.find_or_make(key);
        self.mark_busy(slot);
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
        self.mark_idle_if_unused(lane.slot);
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
        // Ends at the latest with the lane that has just become idle. Lanes in use that are passed
        // on the way leave the list; each of them was put there once, so the cost is constant per
        // lane that becomes idle.
        while !self[self.oldest].is_idle {
            self.unlink(self.oldest);
        }
        self.forget(self.oldest);
    }

    fn forget(&mut self, slot: u32) {
        self.unlink(slot);
        self.mark_busy(slot);
        let hash = self[slot].hash;
        if let Ok(entry) = self.table.find_entry(hash, |found| *found == slot) {
            entry.remove();
        }
        // Frees the memory of the key, the lines and the boxes now; the rest of the slot is
        // overwritten when it is used again.
        let lane = &mut self.slab[slot];
        let text = std::mem::take(&mut lane.text);
        lane.groups = Vec::new();
        lane.adaptive = None;
        if let Some(bucket) = lane.bucket.take() {
            self.overrides.keep_bucket(&text, hash, bucket.full_at);
        }
        self.slab.release(slot);
        self.evicted += 1;
    }

    /// The limit of a lane: its own, or the limit of all lanes.
    pub(super) fn limit_of(&self, key: LaneKey<'_>) -> usize {
        self.overrides.limit(key).unwrap_or(self.per_lane)
    }

    /// Sets the limit of one lane for good; `None` makes the limit of all lanes hold again. Returns
    /// the slot of the lane if it is known.
    pub(super) fn set_limit(
        &mut self,
        key: LaneKey<'_>,
        limit: Option<usize>,
    ) -> Result<Option<u32>, TooManyLanes> {
        self.overrides.set_limit(key, limit)?;
        let found = self.find(key);
        if let Some(slot) = found {
            self.apply_limit(slot, limit.unwrap_or(self.per_lane));
        }
        Ok(found)
    }

    /// Sets the rate of one lane for good; `None` makes the rate of all lanes hold again. Returns
    /// the slot of the lane if it is known; the caller has it keep the rate.
    pub(super) fn set_rate(
        &mut self,
        key: LaneKey<'_>,
        rate: Option<Rate>,
        now: Moment,
    ) -> Result<Option<u32>, TooManyLanes> {
        self.overrides.set_rate(key, rate, now)?;
        Ok(self.find(key))
    }

    /// Sets the rate of every lane that has none of its own; the caller has them keep it.
    pub(super) fn set_common_rate(&mut self, rate: Option<Rate>) {
        self.rate = rate;
    }

    /// The rate that is meant for a lane: its own, or that of all lanes.
    pub(super) fn rate_of_slot(&self, slot: u32) -> Option<Rate> {
        let own = self.overrides.rate(self.key_of(slot));
        own.map(|(rate, _)| rate).or(self.rate)
    }

    /// Whether any lane has a rate, known or not.
    pub(super) fn has_rates(&self) -> bool {
        self.rate.is_some() || self.overrides.has_rates()
    }

    fn key_of(&self, slot: u32) -> LaneKey<'_> {
        let lane = &self.slab[slot];
        LaneKey {
            text: &lane.text,
            hash: lane.hash,
            slot,
        }
    }

    /// Sets the limit of every lane that has none of its own. Costs a look at every lane.
    pub(super) fn set_per_lane(&mut self, limit: usize) {
        self.per_lane = limit;
        for slot in 0..self.end() {
            let limit = self.limit_of(self.key_of(slot));
            self.apply_limit(slot, limit);
        }
    }

    /// Gives a lane its limit, which is the ceiling of one that is adaptive.
    fn apply_limit(&mut self, slot: u32, limit: usize) {
        let lane = &mut self.slab[slot];
        let present = match &mut lane.adaptive {
            Some(adaptive) => {
                adaptive.set_ordinary(limit);
                adaptive.limit()
            }
            None => limit,
        };
        let present = present.min(lane.carried);
        lane.capacity.set_limit(present, &self.reserve);
    }

    /// Sets how many permits of a lane are of use, and keeps the lane until that is taken back; returns its
    /// slot if it is known. The caller marks it idle once it has refreshed it.
    pub(super) fn set_carried(&mut self, key: LaneKey<'_>, carried: Option<usize>) -> Option<u32> {
        let slot = match carried {
            Some(_) => self.find_or_make(key),
            None => self.find(key)?,
        };
        self.mark_busy(slot);
        self.slab[slot].carried = carried.unwrap_or(usize::MAX);
        let limit = self.limit_of(key);
        self.apply_limit(slot, limit);
        Some(slot)
    }

    /// Moves the limit of a lane by what was seen of its server. Returns `true` if it has changed.
    pub(super) fn observe(&mut self, slot: u32, observation: Observation) -> bool {
        let lane = &mut self.slab[slot];
        let Some(adaptive) = &mut lane.adaptive else {
            return false;
        };
        // The attempt itself counts, even where its permit is released by now.
        let running = lane.capacity.running().max(1);
        adaptive.observe(observation, running);
        let limit = adaptive.limit().min(lane.carried);
        let before = lane.capacity.limit();
        if before != limit {
            lane.capacity.set_limit(limit, &self.reserve);
        }
        before != limit
    }

    /// Lanes that are known.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn idle_count(&self) -> usize {
        self.idle_count
    }

    /// Lanes that are pinned.
    pub(super) fn pinned(&self) -> usize {
        self.pinned
    }

    /// Lanes that were forgotten so far.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The idle lanes, the one that has been idle longest first.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn idle(&self) -> impl Iterator<Item = &Lane> {
        let lane = |slot: u32| (slot != NONE).then(|| &self[slot]);
        // Lanes in use stay in the list until they are idle again.
        let listed = std::iter::successors(lane(self.oldest), move |listed| lane(listed.newer));
        listed.filter(|lane| lane.is_idle)
    }

    /// One past the largest slot, in use or free.
    pub(super) fn end(&self) -> u32 {
        self.slab.end()
    }

    #[cfg(test)]
    pub(super) fn looks(&self) -> u64 {
        self.slab.looks.get()
    }

    /// The slots of all lanes that are known, in their order.
    pub(super) fn slots(&self) -> Vec<u32> {
        let mut slots: Vec<u32> = self.table.iter().copied().collect();
        slots.sort_unstable();
        slots
    }

    /// Every lane that is known, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.table.iter().map(|slot| &self[*slot])
    }
}

impl std::ops::Index<u32> for Lanes {
    type Output = Lane;

    #[inline]
    fn index(&self, slot: u32) -> &Lane {
        &self.slab[slot]
    }
}

impl std::ops::IndexMut<u32> for Lanes {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Lane {
        &mut self.slab[slot]
    }
}
