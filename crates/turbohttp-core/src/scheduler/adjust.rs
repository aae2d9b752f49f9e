//! Changing limits and pausing lanes while requests run.

use std::time::Instant;

use super::bounds::{InvalidRule, PAUSED_LANES_MAX, PERMITS_MAX, TooManyLanes};
use super::effects::Effects;
use super::key::LaneKey;
use super::machine::Scheduler;
use super::rules::Rules;

impl Scheduler {
    /// Changes the total limit. Nothing that runs is interrupted: with a lower limit, permits that
    /// are released are kept until it holds.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] for 0, for more than [`PERMITS_MAX`], and for less than what is reserved.
    pub fn set_total(
        &mut self,
        limit: usize,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), InvalidRule> {
        let rules = Rules {
            total: limit,
            ..self.rules.clone()
        };
        // On a copy, so that a limit that is refused changes nothing.
        rules.check()?;
        self.capacity.set_limit(limit, &rules.reserve.total);
        self.rules = rules;
        self.start_ready(self.timers.moment(now), effects);
        Ok(())
    }

    /// Changes the limit of every lane that has none of its own. Costs a look at every lane.
    ///
    /// # Errors
    ///
    /// As [`set_total`](Self::set_total).
    pub fn set_per_lane(
        &mut self,
        limit: usize,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), InvalidRule> {
        let rules = Rules {
            per_lane: limit,
            ..self.rules.clone()
        };
        rules.check()?;
        self.rules = rules;
        let now = self.timers.moment(now);
        self.queues.lanes.set_per_lane(limit);
        // Lanes without a waiting call are in no heap, and have nothing to be refreshed.
        for lane in 0..self.queues.lanes.end() {
            if self.queues.lanes[lane].waiting > 0 {
                self.refresh(lane, now);
            }
        }
        self.start_ready(now, effects);
        Ok(())
    }

    /// Sets the limit of one lane for good: it is kept when the lane is forgotten. `None` makes the
    /// limit of all lanes hold again.
    ///
    /// # Errors
    ///
    /// [`AdjustError`]: the limit is out of bounds, or too many lanes have one of their own.
    pub fn set_lane_limit(
        &mut self,
        lane: LaneKey<'_>,
        limit: Option<usize>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), AdjustError> {
        if let Some(value) = limit.filter(|limit| !(1..=PERMITS_MAX).contains(limit)) {
            return Err(AdjustError::Limit(InvalidRule {
                field: "limit",
                bound: format!("1..={PERMITS_MAX}"),
                value,
            }));
        }
        // A lane that is not known gets the limit when it is made.
        if let Some(lane) = self.queues.lanes.set_limit(lane, limit)? {
            let now = self.timers.moment(now);
            self.refresh(lane, now);
            self.start_ready(now, effects);
        }
        Ok(())
    }

    /// Says how many permits of this lane are of use, because its connections carry no more requests at once:
    /// the limit of the lane is at most that, and 0 stops it. The lane is kept, idle or not, until `None` takes it
    /// back: lanes of this kind are as many as there are hosts with such connections.
    pub fn set_lane_capacity(
        &mut self,
        lane: LaneKey<'_>,
        capacity: Option<usize>,
        now: Instant,
        effects: &mut Effects,
    ) {
        // The largest number is no bound, as which it is kept.
        let capacity = capacity.filter(|capacity| *capacity < usize::MAX);
        if let Some(lane) = self.queues.lanes.set_carried(lane, capacity) {
            let now = self.timers.moment(now);
            self.refresh(lane, now);
            self.start_ready(now, effects);
            self.queues.lanes.mark_idle_if_unused(lane);
        }
    }

    /// Grants no permit of this lane before `until`; a later call replaces an earlier one. What
    /// runs goes on, and what waits holds no permit of the total either.
    ///
    /// # Errors
    ///
    /// [`TooManyLanes`] if [`PAUSED_LANES_MAX`] lanes are paused already.
    pub fn pause(
        &mut self,
        lane: LaneKey<'_>,
        until: Instant,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), TooManyLanes> {
        // A pause that is over already replaces the one that is there.
        if until <= now {
            self.resume(lane, now, effects);
            return Ok(());
        }
        let known = self.queues.lanes.find(lane);
        let is_paused = known.is_some_and(|slot| self.queues.lanes[slot].paused_until.is_some());
        if !is_paused && self.timers.pauses() >= PAUSED_LANES_MAX {
            return Err(TooManyLanes {
                limit: PAUSED_LANES_MAX,
            });
        }
        let (until, now) = (self.timers.moment(until), self.timers.moment(now));
        let lanes = &mut self.queues.lanes;
        let slot = lanes.find_or_make(lane);
        // A paused lane is kept, so that the pause outlives idleness.
        lanes.mark_busy(slot);
        self.timers.end_pause(slot, lanes);
        self.timers.begin_pause(slot, until, lanes, effects);
        self.refresh(slot, now);
        Ok(())
    }

    /// Grants no permit of this lane before `until`, as [`pause`](Scheduler::pause) does, unless the
    /// lane is paused for longer already: of what several servers' answers ask for, the longest
    /// holds.
    ///
    /// # Errors
    ///
    /// As [`pause`](Scheduler::pause).
    pub fn extend_pause(
        &mut self,
        lane: LaneKey<'_>,
        until: Instant,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), TooManyLanes> {
        let known = self.queues.lanes.find(lane);
        let paused = known.and_then(|slot| self.queues.lanes[slot].paused_until);
        match paused {
            Some(paused) if paused >= self.timers.moment(until) => Ok(()),
            // One that is over by now would end a pause.
            _ if until <= now => Ok(()),
            _ => self.pause(lane, until, now, effects),
        }
    }

    /// Ends a pause before its time. Returns `false` if the lane is not paused.
    pub fn resume(&mut self, lane: LaneKey<'_>, now: Instant, effects: &mut Effects) -> bool {
        let lanes = &mut self.queues.lanes;
        let Some(slot) = lanes.find(lane) else {
            return false;
        };
        // Refreshed and started also where it was not paused: both change nothing then.
        let was_paused = self.timers.end_pause(slot, lanes);
        let now = self.timers.moment(now);
        self.refresh(slot, now);
        self.start_ready(now, effects);
        self.queues.lanes.mark_idle_if_unused(slot);
        was_paused
    }
}

/// Why the limit of a lane could not be set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdjustError {
    /// The limit is out of bounds.
    Limit(InvalidRule),
    /// Too many lanes have a limit of their own.
    Lanes(TooManyLanes),
}

impl From<TooManyLanes> for AdjustError {
    fn from(error: TooManyLanes) -> Self {
        AdjustError::Lanes(error)
    }
}

impl std::fmt::Display for AdjustError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AdjustError::Limit(error) => error.fmt(f),
            AdjustError::Lanes(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AdjustError {}
