//! What becomes due as time passes: deadlines, ends of pauses, and grants that were not taken up.

use std::time::Instant;

use super::bounds::GRANT_MS;
use super::calls::Calls;
use super::effects::Effects;
use super::heap::{Heap, NONE};
use super::lanes::Lanes;
use super::line::List;
use super::moment::{Clock, Moment};

const GRANT_NANOS: u64 = GRANT_MS * 1_000_000;

/// The scheduler's clock, what is due by it, and when it was announced to be due.
#[derive(Debug)]
pub(super) struct Timers {
    clock: Clock,
    /// Invariant: the calls with `deadline_at` set, which are those in state `Queued` or `Parked`
    /// that keep times and have a deadline.
    deadlines: Heap<Moment>,
    /// Invariant: the lanes with `paused_until` set.
    pauses: Heap<Moment>,
    /// Invariant: the lanes that are spent and in which calls wait, by when their next permit is
    /// due.
    openings: Heap<Moment>,
    /// Callers' grants that were not taken up, oldest first. Invariant: the calls of the callers'
    /// group in state `Granted`.
    granted: List,
    /// Counts periods of [`GRANT_MS`] while there are such grants, modulo 256.
    ///
    /// Invariant: every grant in `granted` is of this epoch or the one before, so one byte is
    /// enough.
    epoch: u8,
    epoch_began: Moment,
    /// When the caller of [`sweep`](super::Scheduler::sweep) will call it next; `None` if it waits
    /// for an alarm.
    ///
    /// Invariant: nothing is due before, or [`Effects::alarm`] has been raised for it.
    armed: Option<Moment>,
}

impl Timers {
    pub(super) fn new(now: Instant) -> Timers {
        Timers {
            clock: Clock::new(now),
            deadlines: Heap::default(),
            pauses: Heap::default(),
            openings: Heap::default(),
            granted: List::default(),
            epoch: 0,
            epoch_began: Moment::default(),
            armed: None,
        }
    }

    #[inline]
    pub(super) fn moment(&self, instant: Instant) -> Moment {
        self.clock.moment(instant)
    }

    /// The time of the last sweep, or of the beginning.
    #[inline]
    pub(super) fn last_sweep(&self) -> Instant {
        self.clock.latest()
    }

    /// Begins a sweep.
    pub(super) fn advance(&mut self, now: Instant) -> Moment {
        self.clock.advance(now)
    }

    /// Ends a sweep: returns when the next one is due, which may be for the deadline of a close.
    pub(super) fn arm(&mut self, close: Option<Moment>) -> Option<Instant> {
        // From now on `announce` raises the alarm for what becomes due before this.
        self.armed = self.due(close);
        self.armed.and_then(|armed| self.clock.instant(armed))
    }

    /// When something is due next: one of the timers, or the deadline of a close.
    pub(super) fn due(&self, close: Option<Moment>) -> Option<Moment> {
        let deadline = self.deadlines.first().map(|(at, _)| at);
        let pause = self.pauses.first().map(|(at, _)| at);
        let grant = self.granted.first().map(|_| self.epoch_ends());
        let opening = self.openings.first().map(|(at, _)| at);
        let all = [deadline, pause, opening, grant, close];
        all.into_iter().flatten().min()
    }

    /// Raises the alarm if something becomes due before the next sweep.
    #[inline]
    pub(super) fn announce(&self, at: Moment, effects: &mut Effects) {
        effects.alarm |= self.armed.is_none_or(|armed| at < armed);
    }

    /// Watches the deadline of a call, if it has one.
    pub(super) fn watch_deadline(&mut self, slot: u32, calls: &mut Calls, effects: &mut Effects) {
        let call = &calls[slot];
        // Without `keeps_times` the field is what the slot's former call left in it.
        let Some(deadline) = call.cold.deadline.filter(|_| call.keeps_times) else {
            return;
        };
        self.deadlines.push(deadline, slot, |slot, place| {
            calls[slot].deadline_at = place;
        });
        self.announce(deadline, effects);
    }

    #[inline]
    pub(super) fn forget_deadline(&mut self, slot: u32, calls: &mut Calls) {
        let place = calls[slot].deadline_at;
        if place == NONE {
            return;
        }
        // `remove` reports the moves of other calls only.
        let moved = |slot: u32, place| calls[slot].deadline_at = place;
        self.deadlines.remove(place, moved);
        calls[slot].deadline_at = NONE;
    }

    /// A call whose deadline has come.
    pub(super) fn expired(&self, now: Moment) -> Option<u32> {
        let (deadline, slot) = self.deadlines.first()?;
        (deadline <= now).then_some(slot)
    }

    pub(super) fn deadlines(&self) -> usize {
        self.deadlines.len()
    }

    /// Starts the time in which a grant is to be taken up.
    #[inline]
    pub(super) fn watch_grant(
        &mut self,
        slot: u32,
        now: Moment,
        calls: &mut Calls,
        effects: &mut Effects,
    ) {
        if self.granted.first().is_none() {
            // With no grant out, the epoch stood still. A caller without a clock passes an instant
            // of the past, so the last sweep may be later than `now`.
            self.epoch = self.epoch.wrapping_add(1);
            let latest = self.clock.latest_moment();
            self.epoch_began = now.max(self.epoch_began).max(latest);
        }
        // The heap of deadlines would do as well, at O(log n) per grant; with epochs a grant costs
        // a list entry.
        calls[slot].granted_in = self.epoch;
        self.granted.push(slot, calls);
        self.announce(self.epoch_ends(), effects);
    }

    /// The grant of a caller was taken up, or is taken back.
    #[inline]
    pub(super) fn forget_grant(&mut self, slot: u32, calls: &mut Calls) {
        self.granted.remove(slot, calls);
    }

    /// Begins the next epoch if this one is over.
    pub(super) fn advance_epoch(&mut self, now: Moment) {
        if self.granted.first().is_some() && now >= self.epoch_ends() {
            self.epoch = self.epoch.wrapping_add(1);
            self.epoch_began = now;
        }
    }

    /// Takes out a grant that was not taken up in the whole epoch after that of the grant.
    pub(super) fn take_stale_grant(&mut self, calls: &mut Calls) -> Option<u32> {
        let slot = self.granted.first()?;
        // Grants of the epoch before this one have had less than a whole epoch since it began.
        if self.epoch.wrapping_sub(calls[slot].granted_in) <= 1 {
            return None;
        }
        self.granted.remove(slot, calls);
        Some(slot)
    }

    #[cfg(test)]
    pub(super) fn first_grant(&self) -> Option<u32> {
        self.granted.first()
    }

    fn epoch_ends(&self) -> Moment {
        self.epoch_began.plus(GRANT_NANOS)
    }

    pub(super) fn pauses(&self) -> usize {
        self.pauses.len()
    }

    /// Pauses a lane, which is not paused now.
    pub(super) fn begin_pause(
        &mut self,
        lane: u32,
        until: Moment,
        lanes: &mut Lanes,
        effects: &mut Effects,
    ) {
        lanes[lane].paused_until = Some(until);
        self.pauses
            .push(until, lane, |lane, place| lanes[lane].pause_at = place);
        self.announce(until, effects);
    }

    /// Ends the pause of a lane, if there is one, and says so. The caller starts what may start
    /// then.
    pub(super) fn end_pause(&mut self, lane: u32, lanes: &mut Lanes) -> bool {
        if lanes[lane].paused_until.take().is_none() {
            return false;
        }
        // `remove` reports the moves of other lanes only.
        let place = std::mem::replace(&mut lanes[lane].pause_at, NONE);
        self.pauses
            .remove(place, |lane, place| lanes[lane].pause_at = place);
        true
    }

    /// Ends a pause whose time is over, and says of which lane.
    pub(super) fn take_ended_pause(&mut self, now: Moment, lanes: &mut Lanes) -> Option<u32> {
        let (until, lane) = self.pauses.first()?;
        if until > now {
            return None;
        }
        self.end_pause(lane, lanes);
        Some(lane)
    }

    /// Watches for the opening of a lane with a rate, or with `None` does so no more.
    pub(super) fn watch_opening(
        &mut self,
        lane: u32,
        opening: Option<Moment>,
        lanes: &mut Lanes,
        effects: &mut Effects,
    ) {
        // `remove` reports the moves of other lanes only.
        let moved = |lanes: &mut Lanes, lane: u32, place| {
            if let Some(bucket) = &mut lanes[lane].bucket {
                bucket.opening_at = place;
            }
        };
        let place = lanes[lane].bucket.as_ref().map_or(NONE, |b| b.opening_at);
        if place != NONE {
            if opening == Some(self.openings.key(place)) {
                return;
            }
            self.openings
                .remove(place, |lane, place| moved(lanes, lane, place));
            moved(lanes, lane, NONE);
        }
        if let Some(at) = opening {
            self.openings
                .push(at, lane, |lane, place| moved(lanes, lane, place));
            self.announce(at, effects);
        }
    }

    /// A lane whose opening has come.
    pub(super) fn due_opening(&self, now: Moment) -> Option<u32> {
        let (at, lane) = self.openings.first()?;
        (at <= now).then_some(lane)
    }
}
