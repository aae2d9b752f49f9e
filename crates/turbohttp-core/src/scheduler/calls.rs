//! What the scheduler keeps of each call.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::call::{Refusal, State, Waited};
use super::heap::NONE;
use super::ids::{CallId, GroupId};
use super::moment::Moment;
use super::priority::Priority;
use super::slab::Slab;

/// [`State`] in one byte: of the refusals only those that end a wait are kept, the others are
/// returned at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallState {
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

impl From<CallState> for State {
    fn from(state: CallState) -> State {
        match state {
            CallState::Idle => State::Idle,
            CallState::Queued => State::Queued,
            CallState::Parked => State::Parked,
            CallState::Granted => State::Granted,
            CallState::Taken => State::Taken,
            CallState::Refused(ended) => State::Refused(ended.into()),
        }
    }
}

/// The order of a line: by rank, then by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// 0 under strict priority, where each level has a line of its own; the arrival, moved by the
    /// level, under ageing.
    pub(super) rank: u64,
    pub(super) age: u64,
}

/// Where the links of a call lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    /// `previous` and `next` are its neighbours in a list.
    Listed,
    /// `next` is its place in a heap.
    Heaped,
}

/// The fields that every step of a wait touches come first and fill one cache line: with thousands
/// of calls in line, the cost of a step is the memory that it touches.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Call {
    /// Unique among all calls ever; 0 marks a free slot.
    pub(super) number: u64,
    /// Its age is the number of the first call of the same request, which further attempts keep.
    pub(super) key: Key,
    /// Woken when the call is granted a permit, is refused, or is cut off.
    pub(super) waker: Option<Waker>,
    /// Neighbours in a list.
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) place: Place,
    pub(super) state: CallState,
    pub(super) priority: Priority,
    pub(super) group: GroupId,
    /// The slot of the lane where it waits or holds a permit.
    pub(super) lane: u32,
    /// Its place in the heap of deadlines.
    pub(super) deadline_at: u32,
    /// The epoch of [`Timers`](super::timers::Timers) in which it was granted its permit.
    pub(super) granted_in: u8,
    /// Invariant: set for exactly those calls that `present` of the scheduler's gate counts.
    pub(super) is_counted: bool,
    /// Invariant: set for exactly those calls that `present` of their group's gate counts.
    pub(super) is_job: bool,
    /// Whether `cold` is kept. Without it a call waits for a permit alone: no deadline, no ageing,
    /// no [`Waited`].
    pub(super) keeps_times: bool,
    pub(super) cold: Cold,
}

/// The fields that are read seldom.
#[derive(Debug)]
pub(super) struct Cold {
    pub(super) deadline: Option<Moment>,
    /// When the request arrived; further attempts keep it.
    pub(super) arrived: Instant,
    /// When it began to wait, if it had to, and when that wait was over.
    pub(super) waits_since: Option<Moment>,
    pub(super) waited_until: Option<Moment>,
    /// Nanoseconds lost to pauses and to the lane's limit: while it waits, the lane's counters at
    /// the beginning of the wait; from the grant on, its own share.
    pub(super) paused: u64,
    pub(super) full: u64,
    /// The name that the owner of a job gave it.
    pub(super) tag: u64,
}

// Loom's and shuttle's calls are no different, but pointers are smaller elsewhere.
const _: () = assert!(std::mem::offset_of!(Call, cold) <= 64);

impl Call {
    /// A slot that no call has used.
    fn vacant(now: Instant) -> Call {
        Call {
            number: 0,
            key: Key { rank: 0, age: 0 },
            waker: None,
            previous: NONE,
            next: NONE,
            place: Place::Nowhere,
            state: CallState::Idle,
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
        }
    }

    pub(super) fn id(&self, slot: u32) -> CallId {
        CallId {
            slot,
            number: self.number,
        }
    }

    /// Keeps times from now on, if it has not done so before.
    #[inline]
    pub(super) fn keep_times(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.keeps_times, true) {
            self.cold.arrived = now;
            self.cold.waits_since = None;
            self.cold.waited_until = None;
        }
    }

    /// Takes a permit of `lane` without a wait.
    #[inline]
    pub(super) fn take(&mut self, lane: u32, priority: Priority) {
        // No wait: `waited` is zero, also where an earlier ask of the same call had to wait.
        self.state = CallState::Taken;
        self.priority = priority;
        self.lane = lane;
        self.cold.waits_since = None;
        self.cold.waited_until = None;
    }

    /// Begins to wait in a lane that has lost so much time up to now: see
    /// [`Lane::lost`](super::lane::Lane::lost).
    pub(super) fn begin_wait(
        &mut self,
        deadline: Option<Moment>,
        now: Moment,
        (paused, full): (u64, u64),
    ) {
        self.cold.deadline = deadline;
        self.cold.waits_since = Some(now);
        self.cold.waited_until = None;
        self.cold.paused = paused;
        self.cold.full = full;
    }

    /// Turns the lane's counters at the beginning of the wait into the call's own share of them.
    #[inline]
    pub(super) fn end_wait(&mut self, now: Moment, (paused, full): (u64, u64)) {
        self.cold.paused = paused.saturating_sub(self.cold.paused);
        self.cold.full = full.saturating_sub(self.cold.full);
        self.cold.waited_until = Some(now);
    }

    /// How long a call in line has waited up to now.
    pub(super) fn waits(&self, now: Moment, (paused, full): (u64, u64)) -> Waited {
        let Some(since) = self.cold.waits_since.filter(|_| self.keeps_times) else {
            return Waited::default();
        };
        // What the lane has lost since the wait began.
        let paused = paused.saturating_sub(self.cold.paused);
        let full = full.saturating_sub(self.cold.full);
        Waited::divide(now.since(since), paused, full)
    }

    /// How long a call waited that is in line no more.
    pub(super) fn waited(&self, now: Moment) -> Waited {
        let Some(since) = self.cold.waits_since.filter(|_| self.keeps_times) else {
            return Waited::default();
        };
        let until = self.cold.waited_until.unwrap_or(now);
        let mut waited = Waited::divide(until.since(since), self.cold.paused, self.cold.full);
        // The owner waited on until it looked. That time belongs to the largest part, which caused
        // the wait.
        *waited.largest() += Duration::from_nanos(now.since(until));
        waited
    }
}

/// The calls, in slots that are used again.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slab: Slab<Call>,
    /// Numbers given out.
    last: u64,
}

/// Slots that are kept when the last call has left.
const KEPT_SLOTS_MAX: usize = 4_096;

impl Calls {
    #[inline]
    pub(super) fn insert(&mut self, now: Instant, is_counted: bool, age: Option<u64>) -> CallId {
        // The times of the slot's former call are overwritten by this; without it they are not
        // read.
        let id = self.insert_bare(now, is_counted, age);
        self[id.slot].keep_times(now);
        id
    }

    /// A call that keeps no times; the memory for them is not touched.
    #[inline]
    pub(super) fn insert_bare(
        &mut self,
        now: Instant,
        is_counted: bool,
        age: Option<u64>,
    ) -> CallId {
        self.last += 1;
        let number = self.last;
        let slot = self.slab.claim(|| Call::vacant(now));
        // Written in place. A field that is not named here is set before it is read, or `remove`
        // left it as new.
        let call = &mut self.slab[slot];
        call.number = number;
        call.state = CallState::Idle;
        call.group = GroupId::CALLERS;
        call.key.age = age.unwrap_or(number);
        call.is_counted = is_counted;
        call.is_job = false;
        call.keeps_times = false;
        CallId { slot, number }
    }

    /// Frees the slot; the caller has taken its waker out, which must not be dropped under the
    /// lock.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        self.slab[slot].number = 0;
        self.slab.release(slot);
        self.slab.shrink_if_unused(KEPT_SLOTS_MAX);
    }

    /// The slot of a call that has not left.
    #[inline]
    pub(super) fn find(&self, id: CallId) -> Option<u32> {
        let call = self.slab.get(id.slot)?;
        // Numbers are never used again, and that of a free slot is 0: an id of the past names no
        // call.
        (call.number == id.number).then_some(id.slot)
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Every call there is, by slot. Costs a look at every slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Call)> {
        self.slab.iter().filter(|(_, call)| call.number != 0)
    }

    #[cfg(test)]
    pub(super) fn looks(&self) -> u64 {
        self.slab.looks.get()
    }
}

impl std::ops::Index<u32> for Calls {
    type Output = Call;

    #[inline]
    fn index(&self, slot: u32) -> &Call {
        &self.slab[slot]
    }
}

impl std::ops::IndexMut<u32> for Calls {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Call {
        &mut self.slab[slot]
    }
}
