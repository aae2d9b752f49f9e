//! The steps that all operations share: granting permits, releasing them, and keeping the scheduler
//! work-conserving.
//!
//! # Implementation
//!
//! Invariant between two operations: no call waits that may start. An operation therefore does
//! three things: it changes something, [refreshes](super::queues::WaitQueues::refresh) the lane
//! that it changed, and calls [`start_ready`](Scheduler::start_ready).

use std::time::Instant;

use super::call::Outcome;
use super::calls::{CallState, Ended};
use super::effects::Effects;
use super::ids::GroupId;
use super::machine::Scheduler;
use super::moment::Moment;
use super::priority::Priority;

impl Scheduler {
    /// Whether a call of this level may start in this lane right now.
    #[inline]
    pub(super) fn may_start(&mut self, lane: u32, priority: Priority, now: Instant) -> bool {
        // A lane that is spent is closed, so one that is not closed need not be looked at.
        self.is_free(lane, priority) || self.may_start_now(lane, priority, now)
    }

    /// The same of a lane that may have been spent, and have a permit by now.
    fn may_start_now(&mut self, lane: u32, priority: Priority, now: Instant) -> bool {
        if !self.queues.lanes[lane].is_spent {
            return false;
        }
        self.reopen(lane, now);
        self.is_free(lane, priority)
    }

    /// Whether a permit is free in the total and in this lane, which was not spent when it was
    /// looked at last.
    #[inline]
    pub(super) fn is_free(&self, lane: u32, priority: Priority) -> bool {
        let level = priority.index();
        self.capacity.allows(level) && self.queues.lanes[lane].is_open(level)
    }

    /// Takes a permit for which [`may_start`](Self::may_start) holds.
    #[inline]
    pub(super) fn take_permit(&mut self, lane: u32, now: Instant, effects: &mut Effects) {
        self.take_unpaced(lane, now);
        if self.queues.lanes[lane].bucket.is_some() {
            self.spend_taken(lane, now, effects);
        }
    }

    /// The same in a lane without a rate.
    #[inline]
    pub(super) fn take_unpaced(&mut self, lane: u32, now: Instant) {
        self.queues.lanes.mark_busy(lane);
        let here = &mut self.queues.lanes[lane];
        here.capacity.take();
        // Calls wait here although this one may start: jobs without a worker, or levels before a
        // reserve. The lane may be closed to them from now on.
        if here.waiting > 0 {
            self.refresh_taken(lane, now);
        }
        self.capacity.take();
        self.stats.note_running(self.capacity.running());
    }

    #[cold]
    fn spend_taken(&mut self, lane: u32, now: Instant, effects: &mut Effects) {
        let now = self.timers.moment(now);
        self.spend(lane, now, effects);
        self.refresh(lane, now);
    }

    #[cold]
    fn refresh_taken(&mut self, lane: u32, now: Instant) {
        self.refresh(lane, self.timers.moment(now));
    }

    /// See [`WaitQueues::refresh`](super::queues::WaitQueues::refresh).
    #[inline]
    pub(super) fn refresh(&mut self, lane: u32, now: Moment) {
        self.queues.refresh(lane, &self.calls, now);
    }

    /// Grants permits until no call may start: the most urgent level first, and the oldest call of
    /// it.
    #[inline]
    pub(super) fn start_ready(&mut self, now: Moment, effects: &mut Effects) {
        if !self.queues.is_empty() {
            self.start_some(now, effects);
        }
    }

    fn start_some(&mut self, now: Moment, effects: &mut Effects) {
        for level in 0..Priority::COUNT {
            // A start only takes permits away, so no level above can become startable by one: one
            // pass is enough.
            while self.capacity.allows(level) {
                let Some(slot) = self.queues.next(level, &self.calls, &self.workers) else {
                    break;
                };
                self.grant(slot, effects, now);
                self.refresh(self.calls[slot].lane, now);
            }
        }
    }

    /// Grants a permit to a call in line. The caller refreshes the lane where its heaps may change
    /// by that.
    #[inline(always)] // Under load before one origin this is a part of every release.
    fn grant(&mut self, slot: u32, effects: &mut Effects, now: Moment) {
        self.end_wait(slot, now);
        self.queues.remove(slot, &mut self.calls);
        self.timers.forget_deadline(slot, &mut self.calls);
        let call = &mut self.calls[slot];
        let lane = call.lane;
        self.queues.lanes[lane].capacity.take();
        self.capacity.take();
        self.stats.note_running(self.capacity.running());
        call.state = CallState::Granted;
        if call.group == GroupId::CALLERS {
            effects.wake(call.waker.take());
            self.timers.watch_grant(slot, now, &mut self.calls, effects);
        } else {
            self.workers[call.group].assign(slot, effects);
        }
        if self.queues.lanes[lane].bucket.is_some() {
            self.spend(lane, now, effects);
        }
    }

    /// Releases a permit of this lane; it goes to the call that is next.
    #[inline]
    pub(super) fn release_in_lane(&mut self, lane: u32, now: Moment, effects: &mut Effects) {
        self.capacity.release();
        self.queues.lanes[lane].capacity.release();
        if self.queues.lanes[lane].waiting > 0 {
            if let Some((level, slot)) = self.queues.next_in_full_lane(lane, &self.calls)
                && self.capacity.allows(level)
            {
                // The lane is full again, so it stays in no heap.
                self.grant(slot, effects, now);
                return;
            }
            self.refresh(lane, now);
        }
        self.start_ready(now, effects);
        self.queues.lanes.mark_idle_if_unused(lane);
    }

    /// Releases whatever a call holds: its permit, its grant, or its place in line. It is idle
    /// afterwards.
    pub(super) fn release_call(&mut self, slot: u32, now: Moment, effects: &mut Effects) {
        let call = &mut self.calls[slot];
        let lane = call.lane;
        let state = std::mem::replace(&mut call.state, CallState::Idle);
        effects.discard(call.waker.take());
        match state {
            // The branch that nearly every call takes.
            CallState::Taken => self.release_in_lane(lane, now, effects),
            CallState::Idle | CallState::Refused(_) => {}
            CallState::Parked => {
                self.queues.lanes[lane].parked -= 1;
                self.timers.forget_deadline(slot, &mut self.calls);
                self.queues.lanes.mark_idle_if_unused(lane);
            }
            CallState::Queued => {
                self.queues.remove(slot, &mut self.calls);
                self.timers.forget_deadline(slot, &mut self.calls);
                if self.queues.lanes[lane].is_spent {
                    self.await_opening(lane, now, effects);
                }
                self.refresh(lane, now);
                self.queues.lanes.mark_idle_if_unused(lane);
                // It may have stood before another call that may start at once.
                self.start_ready(now, effects);
            }
            CallState::Granted => {
                self.stats.grants_released += 1;
                self.put_back(lane, now, effects);
                self.take_back_grant(slot);
                self.release_in_lane(lane, now, effects);
            }
        }
    }

    /// Takes the grant of a call out of the lists of grants; the permit is the caller's to release.
    fn take_back_grant(&mut self, slot: u32) {
        match self.calls[slot].group {
            GroupId::CALLERS => self.timers.forget_grant(slot, &mut self.calls),
            group => self.workers[group].remove_assigned(slot),
        }
    }

    /// Notes in a call that its wait is over.
    #[inline]
    fn end_wait(&mut self, slot: u32, now: Moment) {
        let call = &mut self.calls[slot];
        if call.keeps_times {
            call.end_wait(now, self.queues.lanes[call.lane].lost(now));
        }
    }

    /// A call that lost its grant claims its place back.
    pub(super) fn requeue(&mut self, slot: u32, now: Moment, effects: &mut Effects) {
        let lane = self.calls[slot].lane;
        self.queues.lanes[lane].parked -= 1;
        self.queues.insert(slot, lane, &mut self.calls);
        // It has waited since the same moment as before. What it had lost by then is its own share,
        // which counting it once more turns back into the lane's counters at the beginning.
        self.queues.lanes[lane].account(now);
        self.end_wait(slot, now);
        if self.queues.lanes[lane].is_spent {
            self.await_opening(lane, now, effects);
        }
        self.refresh(lane, now);
        self.start_ready(now, effects);
    }

    /// Ends the wait of a call without a permit, and wakes its owner.
    pub(super) fn refuse(&mut self, slot: u32, reason: Ended, now: Moment, effects: &mut Effects) {
        effects.wake(self.calls[slot].waker.take());
        if self.calls[slot].state == CallState::Queued {
            self.end_wait(slot, now);
        }
        self.release_call(slot, now, effects);
        self.calls[slot].state = CallState::Refused(reason);
        if reason == Ended::Expired && self.calls[slot].is_job {
            // The owner of a job does not ask for its turn, so it is counted here.
            self.depart(slot, Outcome::Expired, now, effects);
        }
    }

    /// Counts a call as over at every gate that counts it. Its owner may still have to be told.
    #[inline(always)] // Every request ends with it.
    pub(super) fn depart(
        &mut self,
        slot: u32,
        outcome: Outcome,
        now: Moment,
        effects: &mut Effects,
    ) {
        if self.calls[slot].is_job {
            self.depart_job(slot, outcome, now, effects);
        }
        if std::mem::take(&mut self.calls[slot].is_counted) {
            effects.closed |= self.gate.depart(outcome, now);
        }
    }

    /// Counts a job as over at the gate of its group. Returns `false` for what is no job, or no job
    /// any more.
    pub(super) fn depart_job(
        &mut self,
        slot: u32,
        outcome: Outcome,
        now: Moment,
        effects: &mut Effects,
    ) -> bool {
        let call = &mut self.calls[slot];
        let was_job = std::mem::take(&mut call.is_job);
        if was_job {
            effects.closed |= self.workers[call.group].gate.depart(outcome, now);
        }
        was_job
    }
}
