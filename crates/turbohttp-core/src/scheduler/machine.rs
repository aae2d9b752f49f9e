//! The scheduler and what a call does in it: enter, ask for a permit, wait for its turn, leave.

use std::task::Waker;
use std::time::Instant;

use super::bounds::InvalidRule;
use super::call::{Outcome, Refusal, State, Waited};
use super::calls::{CallState, Calls};
use super::capacity::Capacity;
use super::effects::Effects;
use super::gate::{Gate, Stage};
use super::ids::{CallId, GroupId};
use super::key::LaneKey;
use super::moment::Moment;
use super::priority::Priority;
use super::queues::WaitQueues;
use super::rules::Rules;
use super::stats::SchedulerStats;
use super::timers::Timers;
use super::workers::Workers;

/// What a call asks for: a permit of a lane.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers put it together")]
pub struct Ask<'a> {
    /// The lane.
    pub lane: LaneKey<'a>,
    /// The level at which it is served.
    pub priority: Priority,
    /// Until when it may wait; without one, until it is granted or given up.
    pub deadline: Option<Instant>,
}

/// The answer to a call that asks for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all the answers")]
pub enum Turn {
    /// It holds a permit.
    Taken(Waited),
    /// It waits, and the waker that it passed is the one that will be woken.
    Wait,
    /// It waits; the caller clones its waker and passes it to [`Scheduler::set_waker`].
    NeedsWaker,
    /// It will not be admitted.
    Refused(Refusal),
}

/// The state machine. See the [module](super).
///
/// Each part keeps one invariant, which stands at its fields; the operations are steps over the
/// parts. An instant that is passed as `now` may lie in the past where
/// [`needs_time`](Scheduler::needs_time) is `false`.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) rules: Rules,
    /// The total. Invariant: as many permits run in it as in all lanes together.
    pub(super) capacity: Capacity,
    pub(super) queues: WaitQueues,
    pub(super) timers: Timers,
    /// Everything that is inside: calls that are counted, and permits without a call.
    pub(super) gate: Gate,
    pub(super) calls: Calls,
    pub(super) workers: Workers,
    /// Permits that are out without a call. Invariant: each is one of `present` of the gate. 0
    /// after a cut, which counts them as gone although their holders still release them.
    pub(super) permits: u64,
    pub(super) stats: SchedulerStats,
    /// See [`is_timed`](Scheduler::is_timed).
    pub(super) is_timed: bool,
}

impl Scheduler {
    /// A scheduler in which nothing runs or waits.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`], see [`Rules::check`].
    pub fn new(rules: Rules, now: Instant) -> Result<Self, InvalidRule> {
        // Everything below relies on these bounds: limits of at least 1, and numbers that fit 32
        // bits.
        rules.check()?;
        let is_timed = rules.ageing.is_some() || rules.rate.is_some();
        Ok(Self {
            capacity: Capacity::new(rules.total, &rules.reserve.total),
            queues: WaitQueues::new(&rules, now),
            rules,
            timers: Timers::new(now),
            gate: Gate::new(),
            calls: Calls::default(),
            workers: Workers::new(),
            permits: 0,
            stats: SchedulerStats::default(),
            is_timed,
        })
    }

    /// Enters without asking for a permit. The call is inside, where a close waits for it, until it
    /// leaves.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`] once a close has begun.
    pub fn enter(&mut self, now: Instant) -> Result<CallId, Refusal> {
        if self.gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        // `leave` is the counterpart: the gate counts the call until then.
        self.gate.present += 1;
        Ok(self.calls.insert(now, true, None))
    }

    /// Asks for a permit, now or in its turn; [`turn`](Self::turn) tells how that goes on.
    ///
    /// A call that holds a permit of that lane keeps it. One that holds a permit of another lane
    /// releases it first: no call ever holds two.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; the call stays inside and may ask again.
    pub fn admit(
        &mut self,
        id: CallId,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<State, Refusal> {
        let Some(slot) = self.prepare(id, ask, now, effects)? else {
            return Ok(State::Taken);
        };
        let lane = self.queues.lanes.find_or_make(ask.lane);
        // No call that waits could take this permit: such a call would have been started already.
        if self.may_start(lane, ask.priority, now) {
            self.take(slot, lane, ask.priority, now, effects);
            return Ok(State::Taken);
        }
        // The lane may have been made for this call alone, so it is marked on the way out as well.
        if let Err(refusal) = self.queues.check_room(lane) {
            self.queues.lanes.mark_idle_if_unused(lane);
            return Err(refusal);
        }
        self.line_up(slot, lane, ask, self.timers.moment(now), effects);
        Ok(State::Queued)
    }

    /// Enters and asks for a permit in one step. With a `waker` there is no need to set one.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; the call has not entered then.
    #[inline]
    pub fn enter_and_admit(
        &mut self,
        ask: Ask<'_>,
        waker: Option<Waker>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(CallId, State), Refusal> {
        if self.gate.stage != Stage::Open {
            effects.discard(waker);
            return Err(Refusal::Closed);
        }
        let lane = self.queues.lanes.find_or_make(ask.lane);
        // Everything that can refuse comes before the call exists: a refusal has nothing to undo.
        let starts = self.may_start(lane, ask.priority, now);
        if !starts && let Err(refusal) = self.queues.check_room(lane) {
            self.queues.lanes.mark_idle_if_unused(lane);
            effects.discard(waker);
            return Err(refusal);
        }
        self.gate.present += 1;
        let id = self.calls.insert(now, true, None);
        // Kept also where the permit is free: a close that cuts the call off wakes it.
        self.calls[id.slot].waker = waker;
        if starts {
            self.take(id.slot, lane, ask.priority, now, effects);
            return Ok((id, State::Taken));
        }
        self.line_up(id.slot, lane, ask, self.timers.moment(now), effects);
        Ok((id, State::Queued))
    }

    /// Asks for a permit for one attempt of the request that `first` stands for. The attempt is a
    /// call of its own with the age of `first`, and is not counted itself. A permit that `first`
    /// holds goes over to the attempt if it is of the lane asked for, and is released otherwise.
    ///
    /// # Errors
    ///
    /// The [`Refusal`]; the attempt has not entered then.
    pub fn admit_for(
        &mut self,
        first: Option<CallId>,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(CallId, State), Refusal> {
        let id = self.insert_attempt(first, now);
        if let Some(parent) = first.and_then(|first| self.calls.find(first))
            && self.calls[parent].state == CallState::Taken
        {
            let (lane, priority) = (self.calls[parent].lane, self.calls[parent].priority);
            // The permit moves without being released in between, so no waiting call can take it.
            self.calls[parent].state = CallState::Idle;
            if self.is_lane(lane, ask.lane) {
                let attempt = &mut self.calls[id.slot];
                attempt.state = CallState::Taken;
                attempt.lane = lane;
                attempt.priority = priority;
                return Ok((id, State::Taken));
            }
            self.release_in_lane(lane, self.timers.moment(now), effects);
        }
        match self.admit(id, ask, now, effects) {
            Ok(state) => Ok((id, state)),
            Err(refusal) => {
                // The attempt is not counted at the gate, so the outcome is of no consequence.
                self.leave(id, Outcome::Failed, now, effects);
                Err(refusal)
            }
        }
    }

    /// Releases the permit that a call holds. The call stays, and asks for the permits of its further
    /// attempts by [`admit_for`](Scheduler::admit_for): what waits before the next one holds none.
    pub fn release_of(&mut self, id: CallId, now: Instant, effects: &mut Effects) {
        let Some(slot) = self.calls.find(id) else {
            return;
        };
        let call = &mut self.calls[slot];
        if call.state == CallState::Taken {
            // Its waker stays: a close that cuts the call off wakes it.
            call.state = CallState::Idle;
            let lane = call.lane;
            self.release_in_lane(lane, self.timers.moment(now), effects);
        }
    }

    /// Where a call stands. A grant is taken up by this; a call that lost its grant, because it did
    /// not take it up in time, gets back into line.
    pub fn turn(&mut self, id: CallId, waker: &Waker, now: Instant, effects: &mut Effects) -> Turn {
        let Some(slot) = self.calls.find(id) else {
            return Turn::Refused(Refusal::Closed);
        };
        let now = self.timers.moment(now);
        // Before the look at the state: it may be granted a permit by getting back into line.
        if self.calls[slot].state == CallState::Parked {
            self.requeue(slot, now, effects);
        }
        let call = &mut self.calls[slot];
        match call.state {
            CallState::Granted if call.group == GroupId::CALLERS => {
                call.state = CallState::Taken;
                self.timers.forget_grant(slot, &mut self.calls);
                Turn::Taken(self.calls[slot].waited(now))
            }
            CallState::Taken => Turn::Taken(call.waited(now)),
            CallState::Refused(ended) => {
                // After a cut the refusal stays, so that the call cannot ask again.
                call.state = match self.gate.stage {
                    Stage::Open | Stage::Draining => CallState::Idle,
                    Stage::Canceling | Stage::Closed => call.state,
                };
                Turn::Refused(ended.into())
            }
            CallState::Idle => Turn::Refused(Refusal::Closed),
            // `Granted` here is a job, whose grant is taken up by a worker.
            CallState::Queued | CallState::Parked | CallState::Granted => match &call.waker {
                Some(known) if known.will_wake(waker) => Turn::Wait,
                _ => Turn::NeedsWaker,
            },
        }
    }

    /// Sets the waker that is woken when the call is granted a permit, is refused, or is cut off by
    /// a close. Returns `false`, and keeps nothing, if one of these has happened already.
    pub fn set_waker(&mut self, id: CallId, waker: Waker, effects: &mut Effects) -> bool {
        let Some(slot) = self.calls.find(id) else {
            effects.discard(Some(waker));
            return false;
        };
        let is_cut = self.is_cut(slot);
        let call = &mut self.calls[slot];
        let has_news = match call.state {
            // The waker of a granted job is that of its ticket, which waits for the end of the job.
            CallState::Granted => call.group == GroupId::CALLERS,
            // Asking for the turn once more puts a parked call back into line.
            CallState::Parked | CallState::Refused(_) => true,
            CallState::Idle | CallState::Taken => is_cut,
            CallState::Queued => false,
        };
        // Dropping a waker runs foreign code, so the one that is not kept leaves with the effects.
        let replaced = match has_news {
            true => Some(waker),
            false => call.waker.replace(waker),
        };
        effects.discard(replaced);
        !has_news
    }

    /// Wakes the waker of a call, so that its owner looks again.
    pub fn wake_owner(&mut self, id: CallId, effects: &mut Effects) {
        if let Some(slot) = self.calls.find(id) {
            effects.wake(self.calls[slot].waker.take());
        }
    }

    /// Leaves: whatever the call holds is released, and its outcome is counted.
    #[inline(always)] // Every request ends with it.
    pub fn leave(&mut self, id: CallId, outcome: Outcome, now: Instant, effects: &mut Effects) {
        // An id of a call that has left already, such as one of a slot that is used again, does
        // nothing.
        let Some(slot) = self.calls.find(id) else {
            return;
        };
        let now = self.timers.moment(now);
        // First, so that its permit is out of the count before the gate can report that nothing is
        // inside.
        self.release_call(slot, now, effects);
        self.depart(slot, outcome, now, effects);
        self.calls.remove(slot);
    }

    /// Changes the level of a call that waits; it keeps its age. Returns `false` if it does not
    /// wait.
    pub fn set_priority(
        &mut self,
        id: CallId,
        priority: Priority,
        now: Instant,
        effects: &mut Effects,
    ) -> bool {
        let Some(slot) = self.calls.find(id) else {
            return false;
        };
        match self.calls[slot].state {
            CallState::Parked => self.calls[slot].priority = priority,
            CallState::Queued => {
                // Out of the old line and into the new one; with its old age it may be the first
                // there.
                let now = self.timers.moment(now);
                let lane = self.calls[slot].lane;
                self.queues.remove(slot, &mut self.calls);
                self.calls[slot].priority = priority;
                self.queues.insert(slot, lane, &mut self.calls);
                self.refresh(lane, now);
                self.start_ready(now, effects);
            }
            _ => return false,
        }
        true
    }

    /// How long a call has waited up to now, if it had to; until its grant if it has one.
    pub fn waited(&self, id: CallId, now: Instant) -> Waited {
        let Some(slot) = self.calls.find(id) else {
            return Waited::default();
        };
        let now = self.timers.moment(now);
        let call = &self.calls[slot];
        match call.state {
            CallState::Queued => call.waits(now, self.queues.lanes[call.lane].lost(now)),
            _ => call.waited(now),
        }
    }

    /// What a call is doing; `None` if it has left.
    pub fn state(&self, id: CallId) -> Option<State> {
        let slot = self.calls.find(id)?;
        Some(self.calls[slot].state.into())
    }

    /// Whether the time matters right now: a call waits, a close has begun, or the time decides who
    /// starts. Otherwise any instant of the past serves as `now`, which spares reading a clock.
    #[inline]
    pub fn needs_time(&self) -> bool {
        self.is_contended() || self.gate.stage != Stage::Open || self.is_timed
    }

    /// Whether the time decides who starts, although no call waits: [`Rules::ageing`], or a rate.
    #[inline]
    pub fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// Whether the time of arrival decides the order: [`Rules::ageing`].
    #[inline]
    pub fn has_ageing(&self) -> bool {
        self.queues.has_ageing()
    }

    /// Whether any call is in line.
    #[inline]
    pub(super) fn is_contended(&self) -> bool {
        !self.queues.is_empty()
    }

    /// The time of the last sweep, or that when the scheduler was made.
    #[inline]
    pub fn last_sweep(&self) -> Instant {
        self.timers.last_sweep()
    }

    /// Puts a call in for one more attempt of the same request; `first` that has left, or is not
    /// there, gives it an age of its own.
    pub(super) fn insert_attempt(&mut self, first: Option<CallId>, now: Instant) -> CallId {
        let parent = first.and_then(|id| self.calls.find(id));
        let age = parent.map(|slot| self.calls[slot].key.age);
        // A bare call has no time of arrival, so the attempt begins its own.
        let timed = parent.filter(|slot| self.calls[*slot].keeps_times);
        let arrived = timed.map_or(now, |slot| self.calls[slot].cold.arrived);
        self.calls.insert(arrived, false, age)
    }

    /// Checks that the call may ask, and releases what it holds. `None` if it holds what it asks
    /// for.
    pub(super) fn prepare(
        &mut self,
        id: CallId,
        ask: Ask<'_>,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<Option<u32>, Refusal> {
        let slot = self.calls.find(id).ok_or(Refusal::Closed)?;
        let call = &self.calls[slot];
        // Even while a close is under way: it asks for nothing new.
        if call.state == CallState::Taken && self.is_lane(call.lane, ask.lane) {
            return Ok(None);
        }
        if self.gate.stage >= Stage::Canceling {
            return Err(Refusal::Closed);
        }
        if call.state != CallState::Idle {
            self.release_call(slot, self.timers.moment(now), effects);
        }
        self.calls[slot].keep_times(now);
        Ok(Some(slot))
    }

    fn is_lane(&self, lane: u32, key: LaneKey<'_>) -> bool {
        *self.queues.lanes[lane].text == *key.text
    }

    /// Takes a permit that is free.
    #[inline]
    pub(super) fn take(
        &mut self,
        slot: u32,
        lane: u32,
        priority: Priority,
        now: Instant,
        effects: &mut Effects,
    ) {
        self.take_permit(lane, now, effects);
        self.calls[slot].take(lane, priority);
    }

    /// Puts a call in line.
    #[inline]
    pub(super) fn line_up(
        &mut self,
        slot: u32,
        lane: u32,
        ask: Ask<'_>,
        now: Moment,
        effects: &mut Effects,
    ) {
        // Before the call is in line: a lane with a call in it must not be forgotten.
        self.queues.lanes.mark_busy(lane);
        self.calls[slot].priority = ask.priority;
        self.queues.insert(slot, lane, &mut self.calls);
        if self.calls[slot].keeps_times {
            self.begin_wait(slot, ask.deadline, now, effects);
        }
        self.stats.note_waiting(self.queues.callers());
        if self.queues.lanes[lane].is_spent {
            self.await_opening(lane, now, effects);
        }
        // The call may be the first of its line, and the lane open: then only a total permit or a
        // worker is missing.
        self.refresh(lane, now);
    }

    /// Notes in a call when it began to wait, and watches its deadline.
    fn begin_wait(
        &mut self,
        slot: u32,
        deadline: Option<Instant>,
        now: Moment,
        effects: &mut Effects,
    ) {
        let deadline = deadline.map(|deadline| self.timers.moment(deadline));
        let call = &mut self.calls[slot];
        let lane = &mut self.queues.lanes[call.lane];
        // Up to date first: the call must not be charged for what the lane lost before it came.
        lane.account(now);
        call.begin_wait(deadline, now, lane.lost(now));
        self.timers.watch_deadline(slot, &mut self.calls, effects);
    }
}
