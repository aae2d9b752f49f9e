//! Permits without a visit.
//!
//! A visit can be cut off, and tells how long it waited. Work that needs neither takes a permit alone,
//! which is a count in its lane; where it has to wait, a visit keeps its place in line and is gone with
//! the grant.

use std::task::Waker;
use std::time::Instant;

use super::gate::Stage;
use super::visit::{Outcome, Phase, Refusal, VisitId};
use super::workers::GroupId;
use super::{Ask, Effects, LaneKey, PinnedLane, Priority, Scheduler, TooManyLanes};

/// A permit without a visit: whoever holds it gives it back once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not given back is lost"]
pub struct LooseId(u32);

/// The answer to who asks for a permit without a visit.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is a permit or there is none"
)]
pub enum Asked {
    /// Here it is.
    Taken(LooseId),
    /// A place in line, to be taken up with [`Scheduler::take_up`].
    Queued(VisitId),
}

impl Scheduler {
    /// Keeps the lane of this key, idle or not, until it is [unpinned](Self::unpin).
    ///
    /// # Errors
    ///
    /// [`TooManyLanes`] if [`PINNED_LANES_MAX`](super::PINNED_LANES_MAX) lanes are pinned already.
    pub fn pin(&mut self, key: LaneKey<'_>) -> Result<PinnedLane, TooManyLanes> {
        self.lanes.pin(key)
    }

    /// Lets a lane be forgotten when it has been idle for long.
    pub fn unpin(&mut self, lane: &PinnedLane) {
        self.lanes.unpin(lane);
    }

    /// Takes a permit at once, without a visit: for callers who need no more of the scheduler until
    /// they give it back with [`put_back`](Self::put_back). `None` if it would have to wait.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`].
    #[inline]
    pub fn take_loose(
        &mut self,
        lane: LaneKey<'_>,
        priority: Priority,
        now: Instant,
    ) -> Result<Option<LooseId>, Refusal> {
        if self.gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        let lane = self.lanes.find_or_make(lane);
        if !self.may_start(lane, priority) {
            self.lanes.rest(lane);
            return Ok(None);
        }
        Ok(Some(self.take_permit(lane, now)))
    }

    /// Takes a permit that is free.
    #[inline]
    fn take_permit(&mut self, lane: u32, now: Instant) -> LooseId {
        self.count_taken(lane, now);
        self.gate.present += 1;
        self.loose += 1;
        LooseId(lane)
    }

    /// Asks for a permit without a visit, at once or in its turn. How long it waits is not counted.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; nothing has come in then.
    #[inline]
    pub fn ask_loose(
        &mut self,
        ask: Ask<'_>,
        waker: Waker,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<Asked, Refusal> {
        if self.gate.stage != Stage::Open {
            effects.discard(Some(waker));
            return Err(Refusal::Closed);
        }
        let lane = self.lanes.find_or_make(ask.lane);
        if self.may_start(lane, ask.priority) {
            effects.discard(Some(waker));
            return Ok(Asked::Taken(self.take_permit(lane, now)));
        }
        if let Err(refusal) = self.has_room(lane) {
            self.lanes.rest(lane);
            effects.discard(Some(waker));
            return Err(refusal);
        }
        self.gate.present += 1;
        // The order by age and a deadline need the times of a visit.
        let id = match ask.deadline.is_some() || self.ranks_by_time() {
            true => self.visits.insert(now, true, None),
            false => self.visits.insert_bare(now, true, None),
        };
        self.visits[id.slot].waker = Some(waker);
        self.line_up(id.slot, lane, ask, self.moment(now), effects);
        Ok(Asked::Queued(id))
    }

    /// Takes up the grant of a place in line, and gives the place up: the same as
    /// [`turn`](Self::turn) and [`loosen`](Self::loosen). `None`, and nothing has changed, if there is
    /// no grant: `turn` says why.
    #[inline]
    pub fn take_up(&mut self, id: VisitId) -> Option<LooseId> {
        let slot = self.visits.find(id)?;
        let visit = &self.visits[slot];
        let is_granted = visit.state == Phase::Granted && visit.group == GroupId::CALLERS;
        // The grant has used the waker up, so there is none to be dropped under a lock.
        if !is_granted || !visit.is_counted || visit.waker.is_some() {
            return None;
        }
        let lane = visit.lane;
        self.granted.remove(slot, &mut self.visits);
        self.visits.remove(slot);
        self.loose += 1;
        Some(LooseId(lane))
    }

    /// Frees a visit that holds a permit, and leaves the permit with its owner.
    pub fn loosen(&mut self, id: VisitId, effects: &mut Effects) -> Option<LooseId> {
        let slot = self.visits.find(id)?;
        let visit = &mut self.visits[slot];
        if visit.state != Phase::Taken || !visit.is_counted || visit.is_job {
            return None;
        }
        effects.discard(visit.waker.take());
        visit.state = Phase::Idle;
        let lane = visit.lane;
        self.visits.remove(slot);
        self.loose += 1;
        Some(LooseId(lane))
    }

    /// [`put_back`](Self::put_back), if nothing follows from it: nobody waits, and nothing closes.
    ///
    /// # Errors
    ///
    /// The permit, if something would follow.
    #[inline]
    pub fn put_back_quietly(&mut self, permit: LooseId, outcome: Outcome) -> Result<(), LooseId> {
        if self.in_line > 0 || self.gate.stage != Stage::Open {
            return Err(permit);
        }
        self.running -= 1;
        self.lanes[permit.0].running -= 1;
        self.lanes.rest(permit.0);
        self.loose -= 1;
        self.gate.present -= 1;
        self.gate.counts.count(outcome);
        Ok(())
    }

    /// Gives a permit without a visit back.
    #[inline]
    pub fn put_back(
        &mut self,
        LooseId(lane): LooseId,
        outcome: Outcome,
        now: Instant,
        effects: &mut Effects,
    ) {
        let now = self.moment(now);
        self.return_to(lane, now, effects);
        // A close that cut them off has counted them.
        if self.loose > 0 {
            self.loose -= 1;
            effects.closed |= self.gate.depart(outcome, now);
        }
    }
}
