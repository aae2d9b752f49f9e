//! A reference scheduler, simple and slow: one list of calls, searched from the beginning at every
//! step. Nothing is stored that can be counted.

use turbohttp_core::scheduler::{Bound, GRANT_MS, Outcome, Priority, Refusal, State};

use super::gates::Gate;
use super::rates::{Pace, Rates};

/// Moments and lengths of time are microseconds since the beginning of a case.
pub(crate) type Micros = u64;

pub(crate) const GRANT: Micros = GRANT_MS * 1_000;

/// Who was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Call(usize),
    Worker(usize, u32),
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: usize,
    /// Closes go through the calls in the order of their slots.
    pub(crate) seat: usize,
    pub(crate) age: usize,
    pub(crate) arrived: Micros,
    pub(crate) group: Option<usize>,
    pub(crate) state: State,
    pub(crate) priority: Priority,
    pub(crate) lane: usize,
    pub(crate) deadline: Option<Micros>,
    pub(crate) is_counted: bool,
    pub(crate) is_job: bool,
    pub(crate) has_waker: bool,
    pub(crate) since: Option<Micros>,
    pub(crate) paused: Micros,
    pub(crate) full: Micros,
    pub(crate) epoch: u64,
}

impl Call {
    pub(crate) fn holds_permit(&self) -> bool {
        matches!(self.state, State::Granted | State::Taken)
    }

    pub(crate) fn waits(&self) -> bool {
        matches!(self.state, State::Queued | State::Parked)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) capacity: [usize; Priority::COUNT],
    /// Idle workers and whether they have a waker; the one that became idle last is woken first.
    pub(crate) idle: Vec<(u32, bool)>,
    pub(crate) assigned: Vec<usize>,
    pub(crate) gate: Gate,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) total: usize,
    pub(crate) per_lane: usize,
    pub(crate) waiting: usize,
    pub(crate) waiting_per_lane: usize,
    pub(crate) idle_lanes: usize,
    pub(crate) ageing: Option<Micros>,
    pub(crate) reserve_total: [usize; Priority::COUNT],
    pub(crate) reserve_lane: [usize; Priority::COUNT],
    pub(crate) rate: Option<Pace>,
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) plan: Plan,
    pub(crate) now: Micros,
    pub(crate) calls: Vec<Call>,
    seats_free: Vec<usize>,
    seats: usize,
    pub(crate) overrides: Vec<(usize, usize)>,
    pub(crate) pauses: Vec<(usize, Micros)>,
    pub(crate) rates: Rates,
    /// Lanes in which nothing happens, the one idle longest first.
    pub(crate) idle: Vec<usize>,
    pub(crate) groups: Vec<Group>,
    pub(crate) gate: Gate,
    pub(crate) granted: Vec<usize>,
    pub(crate) epoch: u64,
    pub(crate) epoch_began: Micros,
    pub(crate) swept: Micros,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: bool,
    pub(crate) starts: u64,
    pub(crate) grants_released: u64,
    pub(crate) parked: u64,
    pub(crate) forgotten: u64,
    pub(crate) running_peak: usize,
    pub(crate) waiting_peak: usize,
}

impl Reference {
    pub(crate) fn new(plan: Plan, capacities: &[[usize; Priority::COUNT]]) -> Reference {
        let groups = capacities.iter().map(|&capacity| Group {
            capacity,
            idle: Vec::new(),
            assigned: Vec::new(),
            gate: Gate::default(),
        });
        let mut rates = Rates::default();
        rates.common = plan.rate;
        Reference {
            plan,
            rates,
            now: 0,
            calls: Vec::new(),
            seats_free: Vec::new(),
            seats: 0,
            overrides: Vec::new(),
            pauses: Vec::new(),
            idle: Vec::new(),
            groups: groups.collect(),
            gate: Gate::default(),
            granted: Vec::new(),
            epoch: 0,
            epoch_began: 0,
            swept: 0,
            events: Vec::new(),
            closed: false,
            starts: 0,
            grants_released: 0,
            parked: 0,
            forgotten: 0,
            running_peak: 0,
            waiting_peak: 0,
        }
    }

    pub(crate) fn call(&mut self, name: usize) -> &mut Call {
        let found = self.calls.iter_mut().find(|call| call.name == name);
        found.expect("the driver names calls that are inside")
    }

    fn count(&self, is_it: impl Fn(&Call) -> bool) -> usize {
        self.calls.iter().filter(|call| is_it(call)).count()
    }

    pub(crate) fn running(&self) -> usize {
        self.count(Call::holds_permit)
    }

    pub(crate) fn lane_running(&self, lane: usize) -> usize {
        self.count(|call| call.lane == lane && call.holds_permit())
    }

    pub(crate) fn waiting(&self) -> usize {
        self.count(|call| call.group.is_none() && call.state == State::Queued)
    }

    pub(crate) fn lane_waiting(&self, lane: usize) -> usize {
        self.count(|call| call.lane == lane && call.state == State::Queued)
    }

    pub(crate) fn lane_limit(&self, lane: usize) -> usize {
        let own = self.overrides.iter().find(|(known, _)| *known == lane);
        own.map_or(self.plan.per_lane, |(_, limit)| *limit)
    }

    pub(crate) fn is_paused(&self, lane: usize) -> bool {
        self.pauses.iter().any(|(paused, _)| *paused == lane)
    }

    /// Whether a call runs, waits or is parked here, or the lane is paused.
    pub(crate) fn is_used(&self, lane: usize) -> bool {
        let is_here = |call: &Call| call.lane == lane && (call.holds_permit() || call.waits());
        self.calls.iter().any(is_here) || self.is_paused(lane)
    }

    /// How many permits this level may see in use: the reserves of the levels above it are left
    /// free, and one permit is open to all.
    fn leaves_reserve(
        running: usize,
        limit: usize,
        kept: &[usize; Priority::COUNT],
        priority: Priority,
    ) -> bool {
        let kept: usize = kept[..priority.index()].iter().sum();
        running < limit.saturating_sub(kept).max(1)
    }

    pub(crate) fn may_start(&self, lane: usize, priority: Priority) -> bool {
        let plan = &self.plan;
        let here = self.lane_running(lane);
        let limit = self.lane_limit(lane);
        !self.is_paused(lane)
            && !self.is_spent(lane)
            && Self::leaves_reserve(self.running(), plan.total, &plan.reserve_total, priority)
            && Self::leaves_reserve(here, limit, &plan.reserve_lane, priority)
    }

    /// The key in the order of starts: the least one starts first.
    pub(crate) fn key(&self, call: &Call) -> (u64, usize) {
        let level = call.priority.index() as u64;
        match self.plan.ageing {
            None => (level, call.age),
            Some(step) => (call.arrived + level * step, call.age),
        }
    }

    /// The call that is to start next, if one may.
    pub(crate) fn next(&self) -> Option<usize> {
        let may = |call: &&Call| {
            let has_worker = call
                .group
                .is_none_or(|group| !self.groups[group].idle.is_empty());
            call.state == State::Queued && has_worker && self.may_start(call.lane, call.priority)
        };
        let first = self
            .calls
            .iter()
            .filter(may)
            .min_by_key(|call| self.key(call));
        first.map(|call| call.name)
    }

    pub(crate) fn start_all(&mut self) {
        while let Some(name) = self.next() {
            self.starts += 1;
            self.call(name).state = State::Granted;
            let lane = self.call(name).lane;
            self.spend(lane);
            match self.call(name).group {
                None => self.grant(name),
                Some(group) => {
                    let group_of = &mut self.groups[group];
                    group_of.assigned.push(name);
                    if let Some((worker, true)) = group_of.idle.pop() {
                        self.events.push(Event::Worker(group, worker));
                    }
                }
            }
            self.running_peak = self.running_peak.max(self.running());
        }
    }

    fn grant(&mut self, name: usize) {
        self.wake(name);
        if self.granted.is_empty() {
            self.epoch += 1;
            self.epoch_began = self.epoch_began.max(self.now).max(self.swept);
        }
        self.call(name).epoch = self.epoch;
        self.granted.push(name);
    }

    pub(crate) fn wake(&mut self, name: usize) {
        if std::mem::take(&mut self.call(name).has_waker) {
            self.events.push(Event::Call(name));
        }
    }

    /// Marks a lane as idle if it is unused, and forgets the one idle longest if there are too
    /// many.
    pub(crate) fn mark_idle_if_unused(&mut self, lane: usize) {
        if self.is_used(lane) || self.idle.contains(&lane) {
            return;
        }
        self.idle.push(lane);
        if self.idle.len() > self.plan.idle_lanes {
            let forgotten = self.idle.remove(0);
            self.forget_bucket(forgotten);
            self.forgotten += 1;
        }
    }

    pub(crate) fn use_lane(&mut self, lane: usize) {
        self.idle.retain(|idle| *idle != lane);
    }

    pub(crate) fn insert(&mut self, name: usize, first: Option<usize>, is_counted: bool) {
        let (age, arrived) = match first {
            Some(first) => (self.call(first).age, self.call(first).arrived),
            None => (name, self.now),
        };
        let seat = self.seats_free.pop().unwrap_or_else(|| {
            self.seats += 1;
            self.seats - 1
        });
        self.calls.push(Call {
            name,
            seat,
            age,
            arrived,
            group: None,
            state: State::Idle,
            priority: Priority::default(),
            lane: usize::MAX,
            deadline: None,
            is_counted,
            is_job: false,
            has_waker: false,
            since: None,
            paused: 0,
            full: 0,
            epoch: 0,
        });
    }

    pub(crate) fn remove(&mut self, name: usize) {
        let seat = self.call(name).seat;
        self.calls.retain(|call| call.name != name);
        self.free_seat(seat);
    }

    /// A permit without a call has no seat.
    pub(crate) fn detach_permit(&mut self, name: usize) {
        let call = self.call(name);
        (call.has_waker, call.group) = (false, None);
        let seat = std::mem::replace(&mut call.seat, usize::MAX);
        self.free_seat(seat);
    }

    fn free_seat(&mut self, seat: usize) {
        if seat != usize::MAX {
            self.seats_free.push(seat);
        }
    }

    /// Whether it may ask; `Ok(false)` if it holds what it asks for.
    fn prepare(&mut self, name: usize, lane: usize) -> Result<bool, Refusal> {
        let call = self.call(name);
        if call.state == State::Taken && call.lane == lane {
            return Ok(false);
        }
        if self.gate.admits_nothing() {
            return Err(Refusal::Closed);
        }
        if self.call(name).state != State::Idle {
            self.release_call(name);
        }
        Ok(true)
    }

    pub(crate) fn take(&mut self, name: usize, lane: usize, priority: Priority) {
        self.use_lane(lane);
        let call = self.call(name);
        call.state = State::Taken;
        call.lane = lane;
        call.priority = priority;
        call.since = None;
        self.spend(lane);
        self.running_peak = self.running_peak.max(self.running());
    }

    pub(crate) fn line_up(
        &mut self,
        name: usize,
        lane: usize,
        priority: Priority,
        deadline: Option<Micros>,
    ) {
        self.use_lane(lane);
        let now = self.now;
        let call = self.call(name);
        call.state = State::Queued;
        call.lane = lane;
        call.priority = priority;
        call.deadline = deadline;
        call.since = Some(now);
        (call.paused, call.full) = (0, 0);
        if self.lane_waiting(lane) == 1 {
            self.pace(lane);
        }
        self.waiting_peak = self.waiting_peak.max(self.waiting());
    }

    pub(crate) fn admit(
        &mut self,
        name: usize,
        lane: usize,
        priority: Priority,
        deadline: Option<Micros>,
    ) -> Result<State, Refusal> {
        if !self.prepare(name, lane)? {
            return Ok(State::Taken);
        }
        self.reopen(lane);
        if self.may_start(lane, priority) {
            self.take(name, lane, priority);
            return Ok(State::Taken);
        }
        let here = self
            .count(|call| call.group.is_none() && call.lane == lane && call.state == State::Queued);
        let limits = [
            (Bound::Waiting, self.waiting(), self.plan.waiting),
            (Bound::Lane, here, self.plan.waiting_per_lane),
        ];
        for (bound, count, limit) in limits {
            if count >= limit {
                self.mark_idle_if_unused(lane);
                return Err(Refusal::Full { bound, limit });
            }
        }
        self.line_up(name, lane, priority, deadline);
        Ok(State::Queued)
    }

    pub(crate) fn try_admit(
        &mut self,
        name: usize,
        lane: usize,
        priority: Priority,
    ) -> Result<(), Refusal> {
        if !self.prepare(name, lane)? {
            return Ok(());
        }
        self.reopen(lane);
        if self.may_start(lane, priority) {
            self.take(name, lane, priority);
            return Ok(());
        }
        self.mark_idle_if_unused(lane);
        Err(Refusal::Busy)
    }

    /// Releases everything the call holds, and starts the calls that are next.
    pub(crate) fn release_call(&mut self, name: usize) {
        let call = self.call(name);
        call.has_waker = false;
        let lane = call.lane;
        let state = std::mem::replace(&mut call.state, State::Idle);
        if state == State::Granted {
            self.grants_released += 1;
            self.granted.retain(|other| *other != name);
            for group in &mut self.groups {
                group.assigned.retain(|other| *other != name);
            }
            self.put_back(lane);
        }
        if !matches!(state, State::Idle | State::Refused(_)) {
            self.start_all();
            self.mark_idle_if_unused(lane);
        }
    }

    pub(crate) fn leave(&mut self, name: usize, outcome: Outcome) {
        self.release_call(name);
        self.depart(name, outcome);
        self.remove(name);
    }
}
