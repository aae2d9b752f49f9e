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
pub use lanes::{LaneKey, TooManyLanes};
pub use priority::{Priority, UnknownPriority};
pub use rules::{
    GRANT_MS, GROUPS_MAX, InvalidRule, OVERRIDES_MAX, PAUSED_LANES_MAX, PERMITS_MAX, Reserve,
    Rules, WAITING_MAX,
};
pub use shared::{Admission, Signals};
pub use visit::{Bound, Outcome, Refusal, State, VisitId, Waited};
pub use workers::{GroupId, TooManyGroups};

use gate::Gate;
use heap::Heap;
use lanes::Lanes;
use line::List;
use visit::{Key, Visits};
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

/// A permit without a visit: whoever holds it gives it back once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not given back is lost"]
pub struct LooseId(u32);

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
    deadlines: Heap<Instant>,
    pauses: Heap<Instant>,
    /// Callers' grants that have not been taken up, oldest first.
    granted: List,
    /// Counts periods of [`GRANT_MS`] while there are such grants.
    epoch: u64,
    epoch_began: Instant,
    /// The last time of a sweep.
    swept: Instant,
    /// When the caller of `sweep` will come next.
    armed: Option<Instant>,
    /// The zero of ranks.
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
            epoch_began: now,
            swept: now,
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
        let age = parent.map(|slot| self.visits[slot].age);
        let arrived = parent.map_or(now, |slot| self.visits[slot].arrived);
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
        self.line_up(slot, lane, ask, now, effects);
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
        self.line_up(id.slot, lane, ask, now, effects);
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
            && self.visits[parent].state == State::Taken
        {
            self.visits[parent].state = State::Idle;
            let lane = self.visits[parent].lane;
            if *self.lanes[lane].text == *ask.lane.text {
                let priority = self.visits[parent].priority;
                let attempt = &mut self.visits[id.slot];
                attempt.state = State::Taken;
                attempt.lane = lane;
                attempt.priority = priority;
                return Ok((id, State::Taken));
            }
            self.give_back(parent, now, effects);
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
        if self.visits[slot].state == State::Parked {
            self.requeue(slot, now, effects);
        }
        let visit = &mut self.visits[slot];
        match visit.state {
            State::Granted if visit.group == GroupId::CALLERS => {
                visit.state = State::Taken;
                self.granted.remove(slot, &mut self.visits);
                Turn::Taken(self.waited_by(slot, now))
            }
            State::Taken => Turn::Taken(self.waited_by(slot, now)),
            State::Refused(refusal) => {
                visit.state = match self.gate.stage {
                    Stage::Open | Stage::Draining => State::Idle,
                    Stage::Canceling | Stage::Closed => visit.state,
                };
                Turn::Refused(refusal)
            }
            State::Idle => Turn::Refused(Refusal::Closed),
            State::Queued | State::Parked | State::Granted => match &visit.waker {
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
            State::Granted => visit.group == GroupId::CALLERS,
            State::Parked | State::Refused(_) => true,
            State::Idle | State::Taken => is_cut,
            State::Queued => false,
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
            self.let_go(slot, now, effects);
        }
    }

    /// Leaves: everything the visit held is given back, and its end is counted.
    pub fn leave(&mut self, id: VisitId, outcome: Outcome, now: Instant, effects: &mut Effects) {
        let Some(slot) = self.visits.find(id) else {
            return;
        };
        self.let_go(slot, now, effects);
        if self.visits[slot].is_job {
            self.finish_job(id, outcome, now, effects);
        }
        if self.visits[slot].is_counted {
            effects.closed |= self.gate.depart(outcome, now);
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
            State::Parked => self.visits[slot].priority = priority,
            State::Queued => {
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
        match self.visits[slot].state {
            State::Queued => self.waits(slot, now),
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
        self.count_taken(lane, now);
        self.gate.present += 1;
        self.loose += 1;
        Ok(Some(LooseId(lane)))
    }

    /// Frees a visit that holds a permit, and leaves the permit with its owner.
    pub fn loosen(&mut self, id: VisitId, effects: &mut Effects) -> Option<LooseId> {
        let slot = self.visits.find(id)?;
        let visit = &mut self.visits[slot];
        if visit.state != State::Taken || !visit.is_counted || visit.is_job {
            return None;
        }
        effects.discard(visit.waker.take());
        visit.state = State::Idle;
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
        self.return_to(lane, now, effects);
        // A close that cut them off has counted them.
        if self.loose > 0 {
            self.loose -= 1;
            effects.closed |= self.gate.depart(outcome, now);
        }
    }

    /// What a visit is doing; `None` if it has left.
    pub fn state(&self, id: VisitId) -> Option<State> {
        self.visits.find(id).map(|slot| self.visits[slot].state)
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
        if visit.state == State::Taken && *self.lanes[visit.lane].text == *ask.lane.text {
            return Ok(None);
        }
        if self.gate.stage >= Stage::Canceling {
            return Err(Refusal::Closed);
        }
        if visit.state != State::Idle {
            self.let_go(slot, now, effects);
        }
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
        visit.state = State::Taken;
        visit.priority = priority;
        visit.lane = lane;
        visit.waits_since = None;
    }

    #[inline]
    fn count_taken(&mut self, lane: u32, now: Instant) {
        self.lanes.wake(lane);
        self.lanes[lane].running += 1;
        if self.lanes[lane].waiting > 0 {
            // Jobs without a worker, and levels before a reserve: the lane may be full for them now.
            self.settle(lane, now);
        }
        self.running += 1;
        self.stats.note_running(self.running);
    }

    /// Puts a visit in line.
    fn line_up(&mut self, slot: u32, lane: u32, ask: Ask<'_>, now: Instant, effects: &mut Effects) {
        self.lanes.wake(lane);
        let visit = &mut self.visits[slot];
        visit.priority = ask.priority;
        visit.deadline = ask.deadline;
        visit.waits_since = Some(now);
        self.put_in(slot, lane);
        self.lanes[lane].account(now);
        let (paused, full) = self.lanes[lane].lost(now);
        let visit = &mut self.visits[slot];
        visit.paused = paused;
        visit.full = full;
        self.watch_deadline(slot, effects);
        self.stats.note_waiting(self.waiting);
        self.settle(lane, now);
    }

    /// Files a visit in the line of its level, where its key belongs.
    fn put_in(&mut self, slot: u32, lane: u32) {
        let visit = &mut self.visits[slot];
        visit.state = State::Queued;
        visit.lane = lane;
        let level = match self.rules.ageing {
            None => {
                visit.key = Key {
                    rank: 0,
                    age: visit.age,
                };
                visit.priority.index()
            }
            // One line for all levels: a level counts as so much time that one has waited less.
            Some(step) => {
                let waited = visit.arrived.saturating_duration_since(self.base);
                let handicap = step.as_nanos() * visit.priority.index() as u128;
                let rank = waited.as_nanos() + handicap;
                visit.key = Key {
                    rank: u64::try_from(rank).unwrap_or(u64::MAX),
                    age: visit.age,
                };
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
    fn let_go(&mut self, slot: u32, now: Instant, effects: &mut Effects) {
        let visit = &mut self.visits[slot];
        let state = std::mem::replace(&mut visit.state, State::Idle);
        effects.discard(visit.waker.take());
        match state {
            // By far the most frequent.
            State::Taken => self.give_back(slot, now, effects),
            State::Idle | State::Refused(_) => {}
            State::Parked => {
                let lane = visit.lane;
                self.lanes[lane].parked -= 1;
                self.forget_deadline(slot);
                self.lanes.rest(lane);
            }
            State::Queued => {
                let lane = visit.lane;
                self.take_out(slot);
                self.forget_deadline(slot);
                self.settle(lane, now);
                self.lanes.rest(lane);
                // The first in line may have stood before one that may start.
                self.start_ready(now, effects);
            }
            State::Granted => {
                self.stats.passed_on += 1;
                self.take_back_grant(slot);
                self.give_back(slot, now, effects);
            }
        }
    }

    /// A permit comes home and goes to whoever is next.
    #[inline]
    fn give_back(&mut self, slot: u32, now: Instant, effects: &mut Effects) {
        self.return_to(self.visits[slot].lane, now, effects);
    }

    /// A permit of this lane comes home.
    #[inline]
    fn return_to(&mut self, lane: u32, now: Instant, effects: &mut Effects) {
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
    fn waits(&self, slot: u32, now: Instant) -> Waited {
        let visit = &self.visits[slot];
        let (paused, full) = self.lanes[visit.lane].lost(now);
        let paused = paused.saturating_sub(visit.paused);
        let full = full.saturating_sub(visit.full);
        split(visit.waits_since, now, paused, full)
    }

    /// How long a visit waited that is in line no more.
    fn waited_by(&self, slot: u32, now: Instant) -> Waited {
        let visit = &self.visits[slot];
        split(visit.waits_since, now, visit.paused, visit.full)
    }
}

/// Divides the time from `since` to `now`.
fn split(since: Option<Instant>, now: Instant, paused: Duration, full: Duration) -> Waited {
    let since = match since {
        Some(since) if since != now => since,
        _ => return Waited::default(),
    };
    let sum = now.saturating_duration_since(since);
    let paused = paused.min(sum);
    let lane = full.min(sum - paused);
    Waited {
        paused,
        lane,
        total: sum - paused - lane,
    }
}

#[cfg(test)]
mod tests;
