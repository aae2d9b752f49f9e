//! Rates at work: when a lane is closed by its rate, and when it opens again.
//!
//! # Implementation
//!
//! Every permit that is taken in a lane with a rate comes out of its bucket. Where the bucket is
//! empty then, the lane is closed ([`Lane::is_spent`](super::lane::Lane::is_spent)) until the next
//! permit is due. A pause and a rate close a lane each by itself, so neither can undo the other:
//! the lane is open when both let it.
//!
//! Only where calls wait does the lane stand in the heap of openings, which wakes the timer.
//! Elsewhere the next call that asks looks at the bucket itself. So a lane that is merely spent is
//! as idle as any other and may be forgotten, and its number stays bounded.

use std::time::Instant;

use super::adjust::AdjustError;
use super::effects::Effects;
use super::heap::NONE;
use super::key::LaneKey;
use super::machine::Scheduler;
use super::moment::Moment;
use super::rate::Rate;
use super::rules::Rules;

impl Scheduler {
    /// Sets the rate of every lane that has none of its own; `None` takes it away. Costs a look at
    /// every lane.
    ///
    /// # Errors
    ///
    /// [`AdjustError`]: the rate is out of bounds.
    pub fn set_rate(
        &mut self,
        rate: Option<Rate>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), AdjustError> {
        let rules = Rules {
            rate,
            ..self.rules.clone()
        };
        // On a copy, so that a rate that is refused changes nothing.
        rules.check().map_err(AdjustError::Limit)?;
        self.rules = rules;
        self.queues.lanes.set_common_rate(rate);
        let now = self.timers.moment(now);
        for lane in self.queues.lanes.slots() {
            self.apply_rate(lane, now, effects);
        }
        self.note_time();
        self.start_ready(now, effects);
        Ok(())
    }

    /// Sets the rate of one lane for good: it is kept when the lane is forgotten. `None` makes the
    /// rate of all lanes hold again, if there is one.
    ///
    /// # Errors
    ///
    /// [`AdjustError`]: the rate is out of bounds, or too many lanes have a rule of their own.
    pub fn set_lane_rate(
        &mut self,
        lane: LaneKey<'_>,
        rate: Option<Rate>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), AdjustError> {
        if let Some(rate) = rate {
            rate.check().map_err(AdjustError::Limit)?;
        }
        let now = self.timers.moment(now);
        // A lane that is not known gets the rate when it is made.
        if let Some(lane) = self.queues.lanes.set_rate(lane, rate, now)? {
            self.apply_rate(lane, now, effects);
            self.start_ready(now, effects);
        }
        self.note_time();
        Ok(())
    }

    /// Has the lane keep the rate that is meant for it.
    fn apply_rate(&mut self, lane: u32, now: Moment, effects: &mut Effects) {
        let lanes = &mut self.queues.lanes;
        let rate = lanes.rate_of_slot(lane);
        // Before the bucket is dropped, which knows its place in the heap.
        if rate.is_none() {
            self.timers.watch_opening(lane, None, lanes, effects);
        }
        lanes[lane].set_rate(rate, now);
        self.pace(lane, now, effects);
        if self.queues.lanes[lane].waiting > 0 {
            self.refresh(lane, now);
        }
    }

    /// Notes whether the time decides who starts: see [`is_timed`](Scheduler::is_timed).
    fn note_time(&mut self) {
        self.is_timed = self.queues.has_ageing() || self.queues.lanes.has_rates();
    }

    /// Opens a lane that was spent when it was looked at last, if no call waits there and its next
    /// permit is due. Where calls wait, [`sweep`](Scheduler::sweep) opens it, for them first.
    #[cold]
    pub(super) fn reopen(&mut self, lane: u32, now: Instant) {
        let now = self.timers.moment(now);
        let here = &mut self.queues.lanes[lane];
        if let Some(bucket) = &here.bucket
            && here.waiting == 0
        {
            here.is_spent = bucket.opens_at() > now;
        }
    }

    /// Takes the permit that a call is given out of the bucket of its lane.
    #[cold]
    pub(super) fn spend(&mut self, lane: u32, now: Moment, effects: &mut Effects) {
        if let Some(bucket) = &mut self.queues.lanes[lane].bucket {
            bucket.take(now);
        }
        self.pace(lane, now, effects);
    }

    /// Puts a permit back into the bucket of a lane, if it has one: it was granted, and its owner
    /// has not taken it up. The caller releases the permit, and has others started by that.
    pub(super) fn put_back(&mut self, lane: u32, now: Moment, effects: &mut Effects) {
        if let Some(bucket) = &mut self.queues.lanes[lane].bucket {
            bucket.put_back();
            self.pace(lane, now, effects);
        }
    }

    /// A call has come to the line of a lane that is spent, or has left it. The first one that waits
    /// has its opening watched, and with the last one that ends. In between a sweep alone opens it.
    #[cold]
    pub(super) fn await_opening(&mut self, lane: u32, now: Moment, effects: &mut Effects) {
        let here = &self.queues.lanes[lane];
        let is_watched = here.bucket.as_ref().is_some_and(|b| b.opening_at != NONE);
        if is_watched != (here.waiting > 0) {
            self.pace(lane, now, effects);
        }
    }

    /// Looks anew whether the rate of a lane lets a call start, and if not, and calls wait, when it
    /// will. The caller [refreshes](super::queues::WaitQueues::refresh) the lane.
    #[cold]
    pub(super) fn pace(&mut self, lane: u32, now: Moment, effects: &mut Effects) {
        let lanes = &mut self.queues.lanes;
        let here = &mut lanes[lane];
        let Some(bucket) = &here.bucket else {
            return;
        };
        let opens_at = bucket.opens_at();
        here.is_spent = opens_at > now;
        let is_awaited = here.is_spent && here.waiting > 0;
        here.account(now);
        let opening = is_awaited.then_some(opens_at);
        self.timers.watch_opening(lane, opening, lanes, effects);
    }

    /// Opens the lanes whose next permit is due. The caller starts what may start then.
    pub(super) fn open_due(&mut self, now: Moment, effects: &mut Effects) {
        // `pace` takes each out of the heap, so the next one comes to the top.
        while let Some(lane) = self.timers.due_opening(now) {
            self.pace(lane, now, effects);
            self.refresh(lane, now);
        }
    }
}
