//! The one scheduler: who may start now.
//!
//! Strict priority, a limit per lane (one lane is one origin), a limit in total, pauses and deadlines
//! are decided by one state machine under one lock, so there is no seam between them at which a
//! permit could be lost or a full host could hold up the others. It is work-conserving: whenever a
//! visit waits that may start, it has been started.
//!
//! [`Scheduler`] is the machine: instants go in, decisions come out, and what is left to be done
//! without the lock is collected in [`Effects`]. [`Admission`] is the machine behind its lock.
//!
//! # Implementation
//!
//! Every lane has one line per level. The lanes that could start somebody are kept in one heap per
//! level, by the key of the first in line, so that picking the next is a look at the top. Such lanes
//! exist only while permits in total, or workers, are what is missing; otherwise the visit would have
//! been started. Each operation costs O(log n) of the lanes that could start, or of the visits that
//! came back out of order or have a deadline.

mod adjust;
mod effects;
mod gate;
mod heap;
mod inspect;
mod jobs;
mod lane;
mod lanes;
mod line;
mod loose;
mod moment;
mod priority;
mod rules;
mod settle;
mod shared;
mod stop;
mod time;
mod visit;
mod workers;

use std::time::{Duration, Instant};

pub use adjust::AdjustError;
pub use effects::Effects;
pub use gate::{CloseMode, Counts, Report, Stage};
pub use inspect::{AdmissionAudit, AdmissionStats, LaneAudit};
pub use jobs::{GroupLoad, Picked};
pub use lanes::{LaneKey, PinnedLane, TooManyLanes};
pub use loose::{Asked, LooseId};
pub use priority::{Priority, UnknownPriority};
pub use rules::{
    GRANT_MS, GROUPS_MAX, InvalidRule, OVERRIDES_MAX, PAUSED_LANES_MAX, PERMITS_MAX,
    PINNED_LANES_MAX, Reserve, Rules, WAITING_MAX,
};
pub use shared::{Admission, Signals};
pub use visit::{Bound, Outcome, Refusal, State, VisitId, Waited};
pub use workers::{GroupId, TooManyGroups};

use gate::Gate;
use heap::Heap;
use lanes::Lanes;
use line::List;
use moment::Moment;
use visit::{Cold, Phase, Visits};
use workers::Groups;

/// What a visit asks for: a permit of a lane.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers put it together")]
pub struct Ask<'a> {
    /// Where.
    pub lane: LaneKey<'a>,
    /// How urgently.
    pub priority: Priority,
    /// Until when it is willing to wait.
    pub deadline: Option<Instant>,
}

/// The answer to a visit that asks where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the answers")]
pub enum Turn {
    /// It holds a permit.
    Taken(Waited),
    /// It waits, and its waker is known.
    Wait,
    /// It waits, and its waker is to be told with [`Scheduler::set_waker`].
    NeedsWaker,
    /// It will not be admitted.
    Refused(Refusal),
}

/// The state machine. See the [module](self).
#[derive(Debug)]
pub struct Scheduler {
    rules: Rules,
    /// How many permits each level may see in use and still take one.
    ceilings: [usize; Priority::COUNT],
    running: usize,
    /// Callers in line, and everybody in line.
    waiting: usize,
    in_line: usize,
    lanes: Lanes,
    visits: Visits,
    groups: Groups,
    /// Entries in all heaps of ready lanes.
    ready: usize,
    gate: Gate,
    /// Permits out that have no visit.
    loose: u64,
    /// Visits in line by deadline, and paused lanes by their end.
    deadlines: Heap<Moment>,
    pauses: Heap<Moment>,
    /// Callers' grants that have not been taken up, oldest first.
    granted: List,
    /// Counts periods of [`GRANT_MS`] while there are such grants, round and round: none is older than
    /// the period before.
    epoch: u8,
    epoch_began: Moment,
    /// The last time of a sweep.
    swept: Instant,
    swept_at: Moment,
    /// When the caller of `sweep` will come next.
    armed: Option<Moment>,
    /// The beginning of all moments.
    base: Instant,
    stats: AdmissionStats,
}

impl Scheduler {
    /// A scheduler in which nothing runs or waits.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`], see [`Rules::check`].
    pub fn new(rules: Rules, now: Instant) -> Result<Self, InvalidRule> {
        rules.check()?;
        Ok(Self {
            ceilings: rules::ceilings(rules.total, &rules.reserve.total),
            lanes: Lanes::new(rules.per_lane, rules.reserve.per_lane, rules.idle_lanes),
            rules,
            running: 0,
            waiting: 0,
            in_line: 0,
            visits: Visits::default(),
            groups: Groups::new(),
            ready: 0,
            gate: Gate::new(),
            loose: 0,
            deadlines: Heap::default(),
            pauses: Heap::default(),
            granted: List::default(),
            epoch: 0,
            epoch_began: Moment::default(),
            swept: now,
            swept_at: Moment::default(),
            armed: None,
            base: now,
            stats: AdmissionStats::default(),
        })
    }

    /// Comes in: the visit counts as present until it leaves.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`] once a close has begun.
    pub fn enter(&mut self, now: Instant) -> Result<VisitId, Refusal> {
        if self.gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        self.gate.present += 1;
        Ok(self.visits.insert(now, true, None))
    }

    /// A visit on behalf of another one that is inside, for a further attempt of the same request: it
    /// has the age of `first` and is not counted itself. Without `first` it has an age of its own.
    pub fn enter_for(&mut self, first: Option<VisitId>, now: Instant) -> VisitId {
        let parent = first.and_then(|id| self.visits.find(id));
        let age = parent.map(|slot| self.visits[slot].key.age);
        let timed = parent.filter(|slot| self.visits[*slot].keeps_times);
        let arrived = timed.map_or(now, |slot| self.visits[slot].cold.arrived);
        self.visits.insert(arrived, false, age)
    }

    /// Asks for a permit, at once or in its turn.
    ///
    /// Ask with [`turn`](Self::turn) where the visit stands afterwards. A visit that holds a permit of
    /// that lane already keeps it; one of another lane is released first, as no visit ever holds two.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; the visit stays inside and may ask again.
    pub fn admit(
        &mut self,
        id: VisitId,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<State, Refusal> {
        let Some(slot) = self.prepare(id, ask, now, effects)? else {
            return Ok(State::Taken);
        };
        let lane = self.lanes.find_or_make(ask.lane);
        if self.may_start(lane, ask.priority) {
            self.take(slot, lane, ask.priority, now);
            return Ok(State::Taken);
        }
        if let Err(refusal) = self.has_room(lane) {
            self.lanes.rest(lane);
            return Err(refusal);
        }
        self.line_up(slot, lane, ask, self.moment(now), effects);
        Ok(State::Queued)
    }

    /// Comes in and asks for a permit in one step. With a `waker` there is no need to set one.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; nothing has come in then.
    #[inline]
    pub fn enter_and_admit(
        &mut self,
        ask: Ask<'_>,
        waker: Option<std::task::Waker>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(VisitId, State), Refusal> {
        if self.gate.stage != Stage::Open {
            effects.discard(waker);
            return Err(Refusal::Closed);
        }
        let lane = self.lanes.find_or_make(ask.lane);
        let starts = self.may_start(lane, ask.priority);
        if !starts && let Err(refusal) = self.has_room(lane) {
            self.lanes.rest(lane);
            effects.discard(waker);
            return Err(refusal);
        }
        self.gate.present += 1;
        let id = self.visits.insert(now, true, None);
        self.visits[id.slot].waker = waker;
        if starts {
            self.take(id.slot, lane, ask.priority, now);
            return Ok((id, State::Taken));
        }
        self.line_up(id.slot, lane, ask, self.moment(now), effects);
        Ok((id, State::Queued))
    }

    /// Asks for a permit on behalf of `first`, with its age: one attempt of the same request. A permit
    /// that `first` holds itself goes over to the attempt, or home if it is of another lane.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; nothing has come in then.
    pub fn admit_for(
        &mut self,
        first: Option<VisitId>,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(VisitId, State), Refusal> {
        let id = self.enter_for(first, now);
        if let Some(parent) = first.and_then(|first| self.visits.find(first))
            && self.visits[parent].state == Phase::Taken
        {
            self.visits[parent].state = Phase::Idle;
            let lane = self.visits[parent].lane;
            if *self.lanes[lane].text == *ask.lane.text {
                let priority = self.visits[parent].priority;
                let attempt = &mut self.visits[id.slot];
                attempt.state = Phase::Taken;
                attempt.lane = lane;
                attempt.priority = priority;
                return Ok((id, State::Taken));
            }
            self.give_back(parent, self.moment(now), effects);
        }
        match self.admit(id, ask, now, effects) {
            Ok(state) => Ok((id, state)),
            Err(refusal) => {
                self.leave(id, Outcome::Failed, now, effects);
                Err(refusal)
            }
        }
    }

    /// Asks for a permit at once.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] if it would have to wait, or another [`Refusal`].
    pub fn try_admit(
        &mut self,
        id: VisitId,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let Some(slot) = self.prepare(id, ask, now, effects)? else {
            return Ok(());
        };
        let lane = self.lanes.find_or_make(ask.lane);
        if !self.may_start(lane, ask.priority) {
            self.lanes.rest(lane);
            return Err(Refusal::Busy);
        }
        self.take(slot, lane, ask.priority, now);
        Ok(())
    }

    /// Where a visit stands. A grant is taken up by this, and a place that was lost because a grant
    /// was not taken up in time is claimed back.
    pub fn turn(
        &mut self,
        id: VisitId,
        waker: &std::task::Waker,
        now: Instant,
        effects: &mut Effects,
    ) -> Turn {
        let Some(slot) = self.visits.find(id) else {
            return Turn::Refused(Refusal::Closed);
        };
        let now = self.moment(now);
        if self.visits[slot].state == Phase::Parked {
            self.requeue(slot, now, effects);
        }
        let visit = &mut self.visits[slot];
        match visit.state {
            Phase::Granted if visit.group == GroupId::CALLERS => {
                visit.state = Phase::Taken;
                self.granted.remove(slot, &mut self.visits);
                Turn::Taken(self.waited_by(slot, now))
            }
            Phase::Taken => Turn::Taken(self.waited_by(slot, now)),
            Phase::Refused(ended) => {
                visit.state = match self.gate.stage {
                    Stage::Open | Stage::Draining => Phase::Idle,
                    Stage::Canceling | Stage::Closed => visit.state,
                };
                Turn::Refused(ended.into())
            }
            Phase::Idle => Turn::Refused(Refusal::Closed),
            Phase::Queued | Phase::Parked | Phase::Granted => match &visit.waker {
                Some(known) if known.will_wake(waker) => Turn::Wait,
                _ => Turn::NeedsWaker,
            },
        }
    }

    /// Says whom to wake when something happens to the visit: a grant, a refusal, or a close that
    /// cuts it off. Returns `false`, and keeps nothing, if that has happened already.
    pub fn set_waker(
        &mut self,
        id: VisitId,
        waker: std::task::Waker,
        effects: &mut Effects,
    ) -> bool {
        let Some(slot) = self.visits.find(id) else {
            effects.discard(Some(waker));
            return false;
        };
        let is_cut = self.is_cut(slot);
        let visit = &mut self.visits[slot];
        let has_news = match visit.state {
            Phase::Granted => visit.group == GroupId::CALLERS,
            Phase::Parked | Phase::Refused(_) => true,
            Phase::Idle | Phase::Taken => is_cut,
            Phase::Queued => false,
        };
        let replaced = match has_news {
            true => Some(waker),
            false => visit.waker.replace(waker),
        };
        effects.discard(replaced);
        !has_news
    }

    /// Gives a permit back, or the place in line, or a grant that nobody has seen: the visit is idle.
    pub fn release(&mut self, id: VisitId, now: Instant, effects: &mut Effects) {
        if let Some(slot) = self.visits.find(id) {
            self.let_go(slot, self.moment(now), effects);
        }
    }

    /// Leaves: everything the visit held is given back, and its end is counted.
    pub fn leave(&mut self, id: VisitId, outcome: Outcome, now: Instant, effects: &mut Effects) {
        let Some(slot) = self.visits.find(id) else {
            return;
        };
        let at = self.moment(now);
        self.let_go(slot, at, effects);
        if self.visits[slot].is_job {
            self.finish_job(id, outcome, now, effects);
        }
        if self.visits[slot].is_counted {
            effects.closed |= self.gate.depart(outcome, at);
        }
        self.visits.remove(slot);
    }

    /// Changes how urgent a waiting visit is; it keeps its age. Says whether it was waiting.
    pub fn set_priority(
        &mut self,
        id: VisitId,
        priority: Priority,
        now: Instant,
        effects: &mut Effects,
    ) -> bool {
        let Some(slot) = self.visits.find(id) else {
            return false;
        };
        match self.visits[slot].state {
            Phase::Parked => self.visits[slot].priority = priority,
            Phase::Queued => {
                let now = self.moment(now);
                let lane = self.visits[slot].lane;
                self.take_out(slot);
                self.visits[slot].priority = priority;
                self.put_in(slot, lane);
                self.settle(lane, now);
                self.start_ready(now, effects);
            }
            _ => return false,
        }
        true
    }

    /// How long a visit has waited up to now, if it had to; until its grant if it has one.
    pub fn waited(&self, id: VisitId, now: Instant) -> Waited {
        let Some(slot) = self.visits.find(id) else {
            return Waited::default();
        };
        let now = self.moment(now);
        match self.visits[slot].state {
            Phase::Queued => self.waits(slot, now),
            _ => self.waited_by(slot, now),
        }
    }

    /// Whether the time matters right now: somebody waits, or a close has begun, or time makes
    /// priority. Otherwise any instant of the past will do.
    #[inline]
    pub fn heeds_time(&self) -> bool {
        self.in_line > 0 || self.gate.stage != Stage::Open || self.rules.ageing.is_some()
    }

    /// Whether anybody is in line.
    #[inline]
    pub fn is_crowded(&self) -> bool {
        self.in_line > 0
    }

    /// Whether the moment of arrival makes a difference to the order.
    #[inline]
    pub fn ranks_by_time(&self) -> bool {
        self.rules.ageing.is_some()
    }

    /// The time of the last sweep, or of the beginning.
    #[inline]
    pub fn last_sweep(&self) -> Instant {
        self.swept
    }

    /// What a visit is doing; `None` if it has left.
    pub fn state(&self, id: VisitId) -> Option<State> {
        self.visits
            .find(id)
            .map(|slot| self.visits[slot].state.into())
    }

    /// Whether this level may start in this lane right now.
    #[inline]
    fn may_start(&self, lane: u32, priority: Priority) -> bool {
        self.running < self.ceilings[priority.index()] && self.lanes[lane].is_open(priority.index())
    }

    /// Looks whether the visit may ask, and frees it of what it held. `None` if it holds what it asks
    /// for.
    fn prepare(
        &mut self,
        id: VisitId,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<Option<u32>, Refusal> {
        let slot = self.visits.find(id).ok_or(Refusal::Closed)?;
        let visit = &self.visits[slot];
        if visit.state == Phase::Taken && *self.lanes[visit.lane].text == *ask.lane.text {
            return Ok(None);
        }
        if self.gate.stage >= Stage::Canceling {
            return Err(Refusal::Closed);
        }
        if visit.state != Phase::Idle {
            self.let_go(slot, self.moment(now), effects);
        }
        self.visits.keep_times(slot, now);
        Ok(Some(slot))
    }

    fn has_room(&self, lane: u32) -> Result<(), Refusal> {
        let full = |bound, limit| Err(Refusal::Full { bound, limit });
        if self.waiting >= self.rules.waiting {
            return full(Bound::Waiting, self.rules.waiting);
        }
        if self.lanes[lane].callers_waiting >= self.rules.waiting_per_lane {
            return full(Bound::Lane, self.rules.waiting_per_lane);
        }
        Ok(())
    }

    /// Takes a permit that is free.
    #[inline]
    fn take(&mut self, slot: u32, lane: u32, priority: Priority, now: Instant) {
        self.count_taken(lane, now);
        let visit = &mut self.visits[slot];
        visit.state = Phase::Taken;
        visit.priority = priority;
        visit.lane = lane;
        visit.cold.waits_since = None;
        visit.cold.waited_until = None;
    }

    #[inline]
    fn count_taken(&mut self, lane: u32, now: Instant) {
        self.lanes.wake(lane);
        self.lanes[lane].running += 1;
        if self.lanes[lane].waiting > 0 {
            self.settle_others(lane, now);
        }
        self.running += 1;
        self.stats.note_running(self.running);
    }

    /// A permit was taken although others wait, jobs without a worker or levels before a reserve: the
    /// lane may be full for them now.
    #[cold]
    fn settle_others(&mut self, lane: u32, now: Instant) {
        self.settle(lane, self.moment(now));
    }

    /// Puts a visit in line.
    #[inline]
    fn line_up(&mut self, slot: u32, lane: u32, ask: Ask<'_>, now: Moment, effects: &mut Effects) {
        self.lanes.wake(lane);
        self.visits[slot].priority = ask.priority;
        self.put_in(slot, lane);
        if self.visits[slot].keeps_times {
            self.note_wait_begin(slot, ask.deadline, now, effects);
        }
        self.stats.note_waiting(self.waiting);
        self.settle(lane, now);
    }

    /// Keeps what the lane has counted so far, and the end of the visit's patience.
    fn note_wait_begin(
        &mut self,
        slot: u32,
        deadline: Option<Instant>,
        now: Moment,
        effects: &mut Effects,
    ) {
        let deadline = deadline.map(|deadline| self.moment(deadline));
        let visit = &mut self.visits[slot];
        let lane = &mut self.lanes[visit.lane];
        lane.account(now);
        let (paused, full) = lane.lost(now);
        visit.cold.deadline = deadline;
        visit.cold.waits_since = Some(now);
        visit.cold.waited_until = None;
        visit.cold.paused = paused;
        visit.cold.full = full;
        self.watch_deadline(slot, effects);
    }

    /// Files a visit in the line of its level, where its key belongs.
    #[inline]
    fn put_in(&mut self, slot: u32, lane: u32) {
        let visit = &mut self.visits[slot];
        visit.state = Phase::Queued;
        visit.lane = lane;
        let level = match self.rules.ageing {
            None => visit.priority.index(),
            // One line for all levels: a level counts as so much time that one has waited less.
            Some(step) => {
                let waited = visit.cold.arrived.saturating_duration_since(self.base);
                let handicap = step.as_nanos() * visit.priority.index() as u128;
                let rank = waited.as_nanos() + handicap;
                visit.key.rank = u64::try_from(rank).unwrap_or(u64::MAX);
                0
            }
        };
        let group = visit.group;
        let priority = visit.priority;
        let lane = &mut self.lanes[lane];
        lane.waiting += 1;
        self.in_line += 1;
        match group {
            GroupId::CALLERS => {
                lane.callers_waiting += 1;
                self.waiting += 1;
            }
            group => self.groups[group].waiting[priority.index()] += 1,
        }
        lane.desk(group).lines[level].insert(slot, &mut self.visits);
    }

    /// Takes a visit out of its line.
    #[inline(always)] // Where a permit is passed on it is a part of that.
    fn take_out(&mut self, slot: u32) {
        let visit = &self.visits[slot];
        let (group, priority) = (visit.group, visit.priority);
        let level = match self.rules.ageing {
            None => priority.index(),
            Some(_) => 0,
        };
        let lane = &mut self.lanes[visit.lane];
        lane.waiting -= 1;
        self.in_line -= 1;
        match group {
            GroupId::CALLERS => {
                lane.callers_waiting -= 1;
                self.waiting -= 1;
            }
            group => self.groups[group].waiting[priority.index()] -= 1,
        }
        lane.desk(group).lines[level].remove(slot, &mut self.visits);
    }

    /// Frees a visit of whatever it holds, and passes that on.
    fn let_go(&mut self, slot: u32, now: Moment, effects: &mut Effects) {
        let visit = &mut self.visits[slot];
        let state = std::mem::replace(&mut visit.state, Phase::Idle);
        effects.discard(visit.waker.take());
        match state {
            // By far the most frequent.
            Phase::Taken => self.give_back(slot, now, effects),
            Phase::Idle | Phase::Refused(_) => {}
            Phase::Parked => {
                let lane = visit.lane;
                self.lanes[lane].parked -= 1;
                self.forget_deadline(slot);
                self.lanes.rest(lane);
            }
            Phase::Queued => {
                let lane = visit.lane;
                self.take_out(slot);
                self.forget_deadline(slot);
                self.settle(lane, now);
                self.lanes.rest(lane);
                // The first in line may have stood before one that may start.
                self.start_ready(now, effects);
            }
            Phase::Granted => {
                self.stats.passed_on += 1;
                self.take_back_grant(slot);
                self.give_back(slot, now, effects);
            }
        }
    }

    /// A permit comes home and goes to whoever is next.
    #[inline]
    fn give_back(&mut self, slot: u32, now: Moment, effects: &mut Effects) {
        self.return_to(self.visits[slot].lane, now, effects);
    }

    /// A permit of this lane comes home.
    #[inline]
    fn return_to(&mut self, lane: u32, now: Moment, effects: &mut Effects) {
        self.running -= 1;
        self.lanes[lane].running -= 1;
        if self.lanes[lane].waiting > 0 {
            if self.pass_on(lane, now, effects) {
                return;
            }
            self.settle(lane, now);
        }
        self.start_ready(now, effects);
        self.lanes.rest(lane);
    }

    fn is_cut(&self, slot: u32) -> bool {
        let visit = &self.visits[slot];
        let group = &self.groups[visit.group].gate;
        self.gate.is_cut() || (visit.group != GroupId::CALLERS && group.is_cut())
    }

    /// How long a visit waits that is still in line.
    fn waits(&self, slot: u32, now: Moment) -> Waited {
        let visit = &self.visits[slot];
        if !visit.keeps_times {
            return Waited::default();
        }
        let (paused, full) = self.lanes[visit.lane].lost(now);
        let paused = paused.saturating_sub(visit.cold.paused);
        let full = full.saturating_sub(visit.cold.full);
        split(visit.cold.waits_since, now, paused, full)
    }

    /// How long a visit waited that is in line no more.
    fn waited_by(&self, slot: u32, now: Moment) -> Waited {
        let visit = &self.visits[slot];
        if !visit.keeps_times {
            return Waited::default();
        }
        let Cold {
            waits_since,
            waited_until,
            paused,
            full,
            ..
        } = visit.cold;
        let until = waited_until.unwrap_or(now);
        let mut waited = split(waits_since, until, paused, full);
        // Until its owner looked, the wait went on: for him it is one with what caused it.
        let late = Duration::from_nanos(now.since(until));
        *waited.largest() += if waits_since.is_some() {
            late
        } else {
            Duration::ZERO
        };
        waited
    }
}

/// Divides the time from `since` to `now`.
fn split(since: Option<Moment>, now: Moment, paused: u64, full: u64) -> Waited {
    let Some(since) = since else {
        return Waited::default();
    };
    let sum = now.since(since);
    let paused = paused.min(sum);
    let lane = full.min(sum - paused);
    Waited {
        paused: Duration::from_nanos(paused),
        lane: Duration::from_nanos(lane),
        total: Duration::from_nanos(sum - paused - lane),
    }
}

#[cfg(test)]
mod tests;
