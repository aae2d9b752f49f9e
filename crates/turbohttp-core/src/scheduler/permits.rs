//! Permits without a call.
//!
//! A call can be cut off, and tells how long it waited. Work that needs neither takes a permit
//! alone, which is a count in its lane. Where it has to wait, a call keeps its place in line and is
//! removed when the grant is taken up.

use std::task::Waker;
use std::time::Instant;

use super::bounds::TooManyLanes;
use super::call::{Outcome, Refusal};
use super::calls::CallState;
use super::effects::Effects;
use super::gate::Stage;
use super::ids::{CallId, GroupId, PermitId};
use super::key::LaneKey;
use super::lanes::PinnedLane;
use super::machine::{Ask, Scheduler};
use super::priority::Priority;

/// The answer to a request for a permit without a call.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is a permit or there is none"
)]
pub enum PermitRequest {
    /// The permit.
    Taken(PermitId),
    /// A place in line, to be taken up with [`Scheduler::claim_permit`].
    Queued(CallId),
}

impl Scheduler {
    /// Keeps the lane of this key, idle or not, until it is [unpinned](Self::unpin).
    ///
    /// # Errors
    ///
    /// [`TooManyLanes`] if [`PINNED_LANES_MAX`](super::PINNED_LANES_MAX) lanes are pinned already.
    pub fn pin(&mut self, key: LaneKey<'_>) -> Result<PinnedLane, TooManyLanes> {
        self.queues.lanes.pin(key)
    }

    /// Lets a lane be forgotten when it has been idle for long.
    pub fn unpin(&mut self, lane: &PinnedLane) {
        self.queues.lanes.unpin(lane);
    }

    /// Takes a permit if one is free, without a call; [`release_permit`](Self::release_permit)
    /// releases it. `None` if the caller would have to wait. Leaves no [`Effects`], so it gives
    /// none of a lane with a rate: [`take_paced_permit`](Self::take_paced_permit) does.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`] once a close has begun.
    #[inline]
    pub fn try_take_permit(
        &mut self,
        lane: LaneKey<'_>,
        priority: Priority,
        now: Instant,
    ) -> Result<Option<PermitId>, Refusal> {
        if self.gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        let lane = self.queues.lanes.find_or_make(lane);
        if self.queues.lanes[lane].bucket.is_some() || !self.is_free(lane, priority) {
            // The lookup may have made the lane.
            self.queues.lanes.mark_idle_if_unused(lane);
            return Ok(None);
        }
        self.take_unpaced(lane, now);
        Ok(Some(self.count_alone(lane)))
    }

    /// Takes a permit if one is free and due, as [`try_take_permit`](Self::try_take_permit) does,
    /// of a lane with or without a rate.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`] once a close has begun.
    pub fn take_paced_permit(
        &mut self,
        lane: LaneKey<'_>,
        priority: Priority,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<Option<PermitId>, Refusal> {
        if self.gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        let lane = self.queues.lanes.find_or_make(lane);
        if !self.may_start(lane, priority, now) {
            self.queues.lanes.mark_idle_if_unused(lane);
            return Ok(None);
        }
        Ok(Some(self.take_alone(lane, now, effects)))
    }

    /// Takes a permit that is free, and counts it as inside.
    #[inline]
    fn take_alone(&mut self, lane: u32, now: Instant, effects: &mut Effects) -> PermitId {
        self.take_permit(lane, now, effects);
        self.count_alone(lane)
    }

    /// Counts a permit that was taken as inside.
    #[inline]
    fn count_alone(&mut self, lane: u32) -> PermitId {
        self.gate.present += 1;
        self.permits += 1;
        PermitId { lane }
    }

    /// Asks for a permit without a call, now or in its turn. How long it waits is not measured.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; nothing has entered then.
    #[inline]
    pub fn request_permit(
        &mut self,
        ask: Ask<'_>,
        waker: Waker,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<PermitRequest, Refusal> {
        if self.gate.stage != Stage::Open {
            effects.discard(Some(waker));
            return Err(Refusal::Closed);
        }
        let lane = self.queues.lanes.find_or_make(ask.lane);
        if self.may_start(lane, ask.priority, now) {
            effects.discard(Some(waker));
            return Ok(PermitRequest::Taken(self.take_alone(lane, now, effects)));
        }
        if let Err(refusal) = self.queues.check_room(lane) {
            self.queues.lanes.mark_idle_if_unused(lane);
            effects.discard(Some(waker));
            return Err(refusal);
        }
        self.gate.present += 1;
        // Ageing and a deadline need the times of a call.
        let id = match ask.deadline.is_some() || self.has_ageing() {
            true => self.calls.insert(now, true, None),
            false => self.calls.insert_bare(now, true, None),
        };
        // Kept from the beginning, so that a grant between this and the next poll wakes the task.
        self.calls[id.slot].waker = Some(waker);
        self.line_up(id.slot, lane, ask, self.timers.moment(now), effects);
        Ok(PermitRequest::Queued(id))
    }

    /// Takes up the grant of a place in line: the call leaves, the permit stays with the caller.
    /// Does the same as [`turn`](Self::turn) followed by [`detach_permit`](Self::detach_permit),
    /// but leaves no [`Effects`]. `None`, and nothing has changed, if there is no grant; `turn`
    /// tells why.
    #[inline]
    pub fn claim_permit(&mut self, id: CallId) -> Option<PermitId> {
        let slot = self.calls.find(id)?;
        let call = &self.calls[slot];
        let is_granted = call.state == CallState::Granted && call.group == GroupId::CALLERS;
        // The grant has taken the waker, so that none would have to be dropped under the lock.
        if !is_granted || !call.is_counted || call.waker.is_some() {
            return None;
        }
        // The permit stays counted in the lane and the total, and `present` of the gate stays as it
        // is: what was counted as a call is counted as a permit from now on.
        let lane = call.lane;
        self.timers.forget_grant(slot, &mut self.calls);
        self.calls.remove(slot);
        self.permits += 1;
        Some(PermitId { lane })
    }

    /// Removes a call that holds a permit, and leaves the permit with the caller. `None`, and
    /// nothing has changed, if it holds none, is a job, or is not counted itself.
    pub fn detach_permit(&mut self, id: CallId, effects: &mut Effects) -> Option<PermitId> {
        let slot = self.calls.find(id)?;
        let call = &mut self.calls[slot];
        if call.state != CallState::Taken || !call.is_counted || call.is_job {
            return None;
        }
        effects.discard(call.waker.take());
        let lane = call.lane;
        self.calls.remove(slot);
        self.permits += 1;
        Some(PermitId { lane })
    }

    /// Releases a permit if nothing follows from that: no call waits, and the scheduler is not
    /// closing. Leaves no [`Effects`] and reads no time.
    ///
    /// # Errors
    ///
    /// The permit, if something would follow; the caller calls
    /// [`release_permit`](Self::release_permit) then.
    #[inline]
    pub fn try_release_permit(
        &mut self,
        permit: PermitId,
        outcome: Outcome,
    ) -> Result<(), PermitId> {
        if self.is_contended() || self.gate.stage != Stage::Open {
            return Err(permit);
        }
        // With no call in line there is nothing to grant, no heap to refresh, and no gate to close.
        self.capacity.release();
        self.queues.lanes[permit.lane].capacity.release();
        self.queues.lanes.mark_idle_if_unused(permit.lane);
        self.permits -= 1;
        self.gate.present -= 1;
        self.gate.counts.count(outcome);
        Ok(())
    }

    /// Releases a permit without a call; it goes to the call that is next.
    #[inline]
    pub fn release_permit(
        &mut self,
        permit: PermitId,
        outcome: Outcome,
        now: Instant,
        effects: &mut Effects,
    ) {
        let now = self.timers.moment(now);
        self.release_in_lane(permit.lane, now, effects);
        // A cut has counted all of them as gone.
        if self.permits > 0 {
            self.permits -= 1;
            effects.closed |= self.gate.depart(outcome, now);
        }
    }
}
