//! Changing limits and pausing lanes while everything goes on.

use std::time::Instant;

use super::heap::NONE;
use super::rules::{self, InvalidRule, PAUSED_LANES_MAX, PERMITS_MAX};
use super::{Effects, LaneKey, Scheduler, TooManyLanes};

impl Scheduler {
    /// Changes the total limit. Nothing that runs is interrupted: with a lower limit, permits that
    /// come home are kept until it holds.
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
        let rules = rules::Rules {
            total: limit,
            ..self.rules.clone()
        };
        rules.check()?;
        self.ceilings = rules::ceilings(limit, &rules.reserve.total);
        self.rules = rules;
        self.start_ready(self.moment(now), effects);
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
        let rules = rules::Rules {
            per_lane: limit,
            ..self.rules.clone()
        };
        rules.check()?;
        self.rules = rules;
        let now = self.moment(now);
        self.lanes.set_per_lane(limit);
        for lane in 0..self.lanes.end() {
            if self.lanes[lane].waiting > 0 {
                self.settle(lane, now);
            }
        }
        self.start_ready(now, effects);
        Ok(())
    }

    /// Gives one lane a limit of its own, for good: it is kept when the lane is forgotten. `None`
    /// gives it the limit of all again.
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
        if let Some(lane) = self.lanes.set_limit(lane, limit)? {
            let now = self.moment(now);
            self.settle(lane, now);
            self.start_ready(now, effects);
        }
        Ok(())
    }

    /// Starts nothing in this lane before `until`; a later call replaces an earlier one. What runs
    /// goes on, and what waits holds no permit.
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
        if until <= now {
            self.resume(lane, now, effects);
            return Ok(());
        }
        let known = self.lanes.find(lane);
        let is_paused = known.is_some_and(|slot| self.lanes[slot].paused_until.is_some());
        if !is_paused && self.pauses.len() >= PAUSED_LANES_MAX {
            return Err(TooManyLanes {
                limit: PAUSED_LANES_MAX,
            });
        }
        let slot = self.lanes.find_or_make(lane);
        self.lanes.wake(slot);
        self.end_pause(slot);
        let (until, now) = (self.moment(until), self.moment(now));
        self.lanes[slot].paused_until = Some(until);
        let Self { pauses, lanes, .. } = self;
        pauses.push(until, slot, |slot, place| lanes[slot].pause_at = place);
        self.settle(slot, now);
        self.due_at(until, effects);
        Ok(())
    }

    /// Ends a pause before its time. Says whether there was one.
    pub fn resume(&mut self, lane: LaneKey<'_>, now: Instant, effects: &mut Effects) -> bool {
        let Some(slot) = self.lanes.find(lane) else {
            return false;
        };
        let was_paused = self.end_pause(slot);
        let now = self.moment(now);
        self.settle(slot, now);
        self.start_ready(now, effects);
        self.lanes.rest(slot);
        was_paused
    }

    /// The lane is as before its pause, but nobody has been started.
    pub(super) fn end_pause(&mut self, lane: u32) -> bool {
        if self.lanes[lane].paused_until.take().is_none() {
            return false;
        }
        let place = std::mem::replace(&mut self.lanes[lane].pause_at, NONE);
        let Self { pauses, lanes, .. } = self;
        pauses.remove(place, |slot, place| lanes[slot].pause_at = place);
        true
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
