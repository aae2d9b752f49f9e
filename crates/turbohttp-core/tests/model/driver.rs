//! Applies every operation to the scheduler and to the reference, and compares them.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use turbohttp_core::scheduler::{
    Ask, CallId, CloseMode, Effects, LaneKey, Outcome, PermitId, Priority, Refusal, Rules,
    Scheduler, Stage, State, Turn, Waited,
};
use turbohttp_core::scheduler::{GroupId, Rate, Reserve};

use super::coverage::Coverage;
use super::rates::Pace;
use super::reference::{Event, Micros, Plan, Reference};

type Log = Arc<Mutex<Vec<Event>>>;

/// A waker that logs the event of its wake.
struct LoggingWaker {
    log: Log,
    event: Event,
}

impl Wake for LoggingWaker {
    fn wake(self: Arc<Self>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(self.event);
    }
}

pub(crate) const LANES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A call: its name in the reference and its id in the scheduler.
struct Entry {
    name: usize,
    id: CallId,
    waker: Waker,
}

pub(crate) struct Driver {
    base: Instant,
    scheduler: Scheduler,
    pub(crate) model: Reference,
    groups: Vec<GroupId>,
    entries: Vec<Entry>,
    /// Permits without a call.
    permits: Vec<(usize, PermitId)>,
    names: usize,
    log: Log,
    /// The call that the operation is about: a spurious wake of it is allowed.
    subject: Option<Event>,
    armed: Option<Micros>,
    is_alarmed: bool,
    /// Every instant in use, so that no two things are due at the same time.
    instants: Vec<Micros>,
    before: (usize, Vec<usize>),
    pub(crate) coverage: Coverage,
}

fn rules_of(plan: &Plan) -> Rules {
    let mut rules = Rules::default();
    rules.total = plan.total;
    rules.per_lane = plan.per_lane;
    rules.waiting = plan.waiting;
    rules.waiting_per_lane = plan.waiting_per_lane;
    rules.idle_lanes = plan.idle_lanes;
    rules.ageing = plan.ageing.map(Duration::from_micros);
    rules.reserve = Reserve::default();
    rules.reserve.total = plan.reserve_total;
    rules.reserve.per_lane = plan.reserve_lane;
    rules.rate = plan.rate.map(rate_of);
    rules
}

/// One permit in `interval` microseconds.
fn rate_of(pace: Pace) -> Rate {
    Rate::new(1, Duration::from_micros(pace.interval)).burst(pace.burst as u32)
}

impl Driver {
    pub(crate) fn new(plan: Plan, capacities: &[[usize; Priority::COUNT]]) -> Driver {
        #[allow(clippy::disallowed_methods, reason = "a mark to count from")]
        let base = Instant::now();
        let mut scheduler = Scheduler::new(rules_of(&plan), base).unwrap();
        let groups = capacities
            .iter()
            .map(|capacity| scheduler.open_group(*capacity).unwrap())
            .collect();
        Driver {
            base,
            scheduler,
            model: Reference::new(plan, capacities),
            groups,
            entries: Vec::new(),
            permits: Vec::new(),
            names: 0,
            log: Log::default(),
            subject: None,
            armed: None,
            is_alarmed: false,
            instants: Vec::new(),
            before: (0, vec![0; LANES.len()]),
            coverage: Coverage::default(),
        }
    }

    pub(crate) fn names(&self) -> Vec<usize> {
        self.entries.iter().map(|entry| entry.name).collect()
    }

    fn at(&self, micros: Micros) -> Instant {
        self.base + Duration::from_micros(micros)
    }

    /// The instant this much later, moved to one at which nothing else is due.
    pub(crate) fn free_instant(&mut self, after: Micros) -> Micros {
        let mut at = self.model.now + after;
        while self.instants.contains(&at) {
            at += 1;
        }
        let now = self.model.now;
        self.instants.retain(|known| *known >= now);
        self.instants.push(at);
        at
    }

    fn entry(&self, name: usize) -> &Entry {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.expect("the driver names calls that are inside")
    }

    fn bell(&self, event: Event) -> Waker {
        Waker::from(Arc::new(LoggingWaker {
            log: Arc::clone(&self.log),
            event,
        }))
    }

    fn welcome(&mut self, id: CallId) -> usize {
        let name = self.names;
        self.names += 1;
        let waker = self.bell(Event::Call(name));
        self.entries.push(Entry { name, id, waker });
        name
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Scheduler, Instant, &mut Effects) -> R) -> R {
        let now = self.at(self.model.now);
        let mut effects = Effects::default();
        let result = act(&mut self.scheduler, now, &mut effects);
        assert_eq!(
            effects.closed(),
            std::mem::take(&mut self.model.closed),
            "whether a gate has closed"
        );
        self.is_alarmed |= effects.alarm();
        assert_eq!(effects.perform(), 0);
        self.compare();
        result
    }

    pub(crate) fn enter(&mut self) -> Option<usize> {
        let is_open = self.model.gate.stage == Stage::Open;
        if is_open {
            let name = self.names;
            self.model.insert(name, None, true);
        }
        let now = self.at(self.model.now);
        let entered = self.scheduler.enter(now);
        assert_eq!(entered.is_ok(), is_open, "{entered:?}");
        entered.ok().map(|id| self.welcome(id))
    }

    /// Enters for one more attempt of the request of another call.
    pub(crate) fn enter_for(&mut self, first: Option<usize>) -> usize {
        let id = first.map(|first| self.entry(first).id);
        let now = self.at(self.model.now);
        let child = self.scheduler.enter_for(id, now);
        let name = self.welcome(child);
        self.model.insert(name, first, false);
        name
    }

    pub(crate) fn admit(
        &mut self,
        name: usize,
        lane: usize,
        priority: Priority,
        timeout: Option<Micros>,
    ) {
        let deadline = timeout.map(|timeout| self.free_instant(timeout));
        self.subject = Some(Event::Call(name));
        let expected = self.model.admit(name, lane, priority, deadline);
        let until = deadline.map(|deadline| self.at(deadline));
        let id = self.entry(name).id;
        let result = self.act(|scheduler, now, effects| {
            scheduler.admit(id, ask(lane, priority, until), now, effects)
        });
        assert_eq!(result, expected, "admit");
        match result {
            Ok(State::Taken) => self.coverage.taken_at_once += 1,
            Ok(_) => {
                self.coverage.queued += 1;
                self.register(name);
            }
            Err(_) => self.coverage.refused += 1,
        }
    }

    /// Enters and asks in one step; after a refusal there is no call.
    pub(crate) fn enter_and_admit(
        &mut self,
        lane: usize,
        priority: Priority,
        timeout: Option<Micros>,
    ) {
        let deadline = timeout.map(|timeout| self.free_instant(timeout));
        let name = self.names;
        let expected = match self.model.gate.stage {
            Stage::Open => {
                self.model.insert(name, None, true);
                self.model.call(name).has_waker = true;
                self.model.admit(name, lane, priority, deadline)
            }
            _ => Err(Refusal::Closed),
        };
        if expected.is_err() && self.model.gate.stage == Stage::Open {
            self.model.remove(name);
        }
        let until = deadline.map(|deadline| self.at(deadline));
        let waker = self.bell(Event::Call(name));
        let result = self.act(|scheduler, now, effects| {
            scheduler.enter_and_admit(ask(lane, priority, until), Some(waker), now, effects)
        });
        assert_eq!(result.map(|(_, state)| state), expected, "enter_and_admit");
        if let Ok((id, _)) = result {
            self.coverage.came_in_at_once += 1;
            self.welcome(id);
            self.compare();
        }
    }

    /// One attempt of the request of `first`, in one step.
    pub(crate) fn admit_for(&mut self, first: usize, lane: usize, priority: Priority) {
        let name = self.names;
        self.model.insert(name, Some(first), false);
        self.subject = Some(Event::Call(first));
        let parent = self.model.call(first).clone();
        let is_handed_over = parent.state == State::Taken && parent.lane == lane;
        let expected = if is_handed_over {
            let child = self.model.call(name);
            (child.state, child.lane) = (State::Taken, lane);
            child.priority = parent.priority;
            self.model.call(first).state = State::Idle;
            Ok(State::Taken)
        } else {
            if parent.state == State::Taken {
                let has_waker = parent.has_waker;
                self.model.release_call(first);
                self.model.call(first).has_waker = has_waker;
            }
            self.model.admit(name, lane, priority, None)
        };
        if expected.is_err() {
            self.model.leave(name, Outcome::Failed);
        }
        let id = self.entry(first).id;
        let result = self.act(|scheduler, now, effects| {
            scheduler.admit_for(Some(id), ask(lane, priority, None), now, effects)
        });
        assert_eq!(result.map(|(_, state)| state), expected, "admit_for");
        self.coverage.handed_over += u64::from(is_handed_over);
        if let Ok((id, state)) = result {
            self.welcome(id);
            self.compare();
            if state == State::Queued {
                self.register(name);
            }
        }
    }

    pub(crate) fn try_admit(&mut self, name: usize, lane: usize, priority: Priority) {
        self.subject = Some(Event::Call(name));
        let expected = self.model.try_admit(name, lane, priority);
        let id = self.entry(name).id;
        let result = self.act(|scheduler, now, effects| {
            scheduler.try_admit(id, ask(lane, priority, None), now, effects)
        });
        assert_eq!(result, expected, "try_admit");
        self.coverage.busy += u64::from(result == Err(Refusal::Busy));
    }

    /// What a future does when it is polled.
    pub(crate) fn poll(&mut self, name: usize) {
        self.subject = Some(Event::Call(name));
        if self.model.call(name).state == State::Parked {
            self.coverage.came_back += 1;
            self.model.call(name).state = State::Queued;
            let lane = self.model.call(name).lane;
            if self.model.lane_waiting(lane) == 1 {
                self.model.pace(lane);
            }
            self.model.start_all();
        }
        let now = self.model.now;
        let stays_refused = self.model.gate.admits_nothing();
        let call = self.model.call(name);
        let expected = match call.state {
            State::Granted | State::Taken if call.group.is_none() => {
                call.state = State::Taken;
                self.model.granted.retain(|other| *other != name);
                Some(Ok(()))
            }
            State::Taken => Some(Ok(())),
            State::Refused(refusal) => {
                if !stays_refused {
                    call.state = State::Idle;
                }
                Some(Err(refusal))
            }
            State::Idle => Some(Err(Refusal::Closed)),
            State::Granted | State::Queued | State::Parked => None,
        };
        let call = call_wait(self.model.call(name), now);
        let (id, waker) = (self.entry(name).id, self.entry(name).waker.clone());
        let turn = self.act(|scheduler, now, effects| scheduler.turn(id, &waker, now, effects));
        match (turn, expected) {
            (Turn::Taken(waited), Some(Ok(()))) => check_wait(waited, call),
            (Turn::Refused(refusal), Some(Err(expected))) => assert_eq!(refusal, expected),
            (Turn::Wait, None) => {}
            (Turn::NeedsWaker, None) => self.register(name),
            (turn, expected) => panic!("turn of {name}: {turn:?}, expected {expected:?}"),
        }
    }

    /// Sets the waker.
    fn register(&mut self, name: usize) {
        let call = self.model.call(name).clone();
        let has_news = match call.state {
            State::Granted => call.group.is_none(),
            State::Parked | State::Refused(_) => true,
            State::Idle | State::Taken => self.model.is_cut(&call),
            State::Queued => false,
        };
        if !has_news {
            self.model.call(name).has_waker = true;
        }
        let (id, waker) = (self.entry(name).id, self.entry(name).waker.clone());
        let is_kept = self.act(|scheduler, _, effects| scheduler.set_waker(id, waker, effects));
        assert_eq!(is_kept, !has_news, "set_waker");
    }

    /// Sets the waker, in any state of the call.
    pub(crate) fn attach(&mut self, name: usize) {
        self.subject = Some(Event::Call(name));
        self.register(name);
    }

    pub(crate) fn release(&mut self, name: usize) {
        self.subject = Some(Event::Call(name));
        self.note_cancel(name);
        self.model.release_call(name);
        let id = self.entry(name).id;
        self.act(|scheduler, now, effects| scheduler.release(id, now, effects));
    }

    pub(crate) fn leave(&mut self, name: usize, outcome: Outcome) {
        self.subject = Some(Event::Call(name));
        self.note_cancel(name);
        self.model.leave(name, outcome);
        let id = self.entry(name).id;
        self.entries.retain(|entry| entry.name != name);
        self.act(|scheduler, now, effects| scheduler.leave(id, outcome, now, effects));
        assert_eq!(self.scheduler.state(id), None);
    }

    fn note_cancel(&mut self, name: usize) {
        let call = self.model.call(name);
        let (state, is_job) = (call.state, call.group.is_some());
        self.coverage.canceled_in_line += u64::from(state == State::Queued);
        self.coverage.canceled_granted += u64::from(state == State::Granted && !is_job);
        self.coverage.canceled_assigned += u64::from(state == State::Granted && is_job);
        self.coverage.canceled_parked += u64::from(state == State::Parked);
    }

    pub(crate) fn set_priority(&mut self, name: usize, priority: Priority) {
        self.subject = Some(Event::Call(name));
        let waits = self.model.call(name).waits();
        if waits {
            self.model.call(name).priority = priority;
            self.model.start_all();
        }
        let id = self.entry(name).id;
        let result =
            self.act(|scheduler, now, effects| scheduler.set_priority(id, priority, now, effects));
        assert_eq!(result, waits, "set_priority");
        self.coverage.reprioritised += u64::from(waits);
    }

    pub(crate) fn pause(&mut self, lane: usize, time: Micros) {
        let until = self.free_instant(time + 1);
        self.model.use_lane(lane);
        self.model.pauses.retain(|(paused, _)| *paused != lane);
        self.model.pauses.push((lane, until));
        let until = self.at(until);
        self.act(|scheduler, now, effects| {
            let lane = LaneKey::new(LANES[lane]);
            scheduler.pause(lane, until, now, effects).unwrap();
        });
        self.coverage.paused += 1;
    }

    pub(crate) fn resume(&mut self, lane: usize) {
        let was_paused = self.model.is_paused(lane);
        if was_paused {
            self.model.pauses.retain(|(paused, _)| *paused != lane);
            self.model.start_all();
            self.model.mark_idle_if_unused(lane);
        }
        let result = self.act(|scheduler, now, effects| {
            scheduler.resume(LaneKey::new(LANES[lane]), now, effects)
        });
        assert_eq!(result, was_paused, "resume");
    }

    pub(crate) fn set_total(&mut self, limit: usize) {
        let kept: usize = self.model.plan.reserve_total.iter().sum();
        let is_valid = limit > kept;
        if is_valid {
            self.coverage.lowered += u64::from(limit < self.model.running());
            self.model.plan.total = limit;
            self.model.start_all();
        }
        let result =
            self.act(|scheduler, now, effects| scheduler.set_total(limit, now, effects).is_ok());
        assert_eq!(result, is_valid, "set_total");
    }

    pub(crate) fn set_per_lane(&mut self, limit: usize) {
        let kept: usize = self.model.plan.reserve_lane.iter().sum();
        let is_valid = limit > kept;
        if is_valid {
            self.model.plan.per_lane = limit;
            self.model.start_all();
        }
        let result =
            self.act(|scheduler, now, effects| scheduler.set_per_lane(limit, now, effects).is_ok());
        assert_eq!(result, is_valid, "set_per_lane");
    }

    pub(crate) fn set_lane_limit(&mut self, lane: usize, limit: Option<usize>) {
        if limit != Some(0) {
            self.model.overrides.retain(|(known, _)| *known != lane);
            self.model
                .overrides
                .extend(limit.map(|limit| (lane, limit)));
            self.model.start_all();
        }
        let result = self.act(|scheduler, now, effects| {
            let lane = LaneKey::new(LANES[lane]);
            scheduler.set_lane_limit(lane, limit, now, effects).is_ok()
        });
        assert_eq!(result, limit != Some(0), "set_lane_limit");
    }

    pub(crate) fn set_rate(&mut self, rate: Option<Pace>) {
        self.model.set_rate(rate);
        self.act(|scheduler, now, effects| {
            let rate = rate.map(rate_of);
            scheduler.set_rate(rate, now, effects).unwrap();
        });
    }

    pub(crate) fn set_lane_rate(&mut self, lane: usize, rate: Option<Pace>) {
        self.model.set_lane_rate(lane, rate);
        self.act(|scheduler, now, effects| {
            let (lane, rate) = (LaneKey::new(LANES[lane]), rate.map(rate_of));
            scheduler.set_lane_rate(lane, rate, now, effects).unwrap();
        });
    }

    pub(crate) fn pass(&mut self, time: Micros) {
        self.model.pass(time);
    }

    pub(crate) fn sweep(&mut self) {
        let refused = |model: &Reference| {
            let expired = |state| state == State::Refused(Refusal::Expired);
            model.calls.iter().filter(|v| expired(v.state)).count() as u64
        };
        let before = refused(&self.model);
        let now = self.model.now;
        let due = self.model.openings().filter(|(at, _)| *at <= now);
        self.coverage.opened += due.count() as u64;
        let expected = self.model.sweep();
        self.coverage.expired += refused(&self.model) - before;
        let now = self.model.now;
        assert!(expected.is_none_or(|due| due > now), "nothing is overdue");
        // The value that `sweep` returns replaces alarms that it raised on its way.
        self.armed = expected;
        let due = self.act(|scheduler, now, effects| scheduler.sweep(now, effects));
        assert_eq!(due, expected.map(|at| self.at(at)), "when to come again");
        self.is_alarmed = false;
    }

    pub(crate) fn ask_what_is_due(&mut self) {
        assert_eq!(self.scheduler.has_due(), self.model.due().is_some());
    }

    pub(crate) fn close(&mut self, group: Option<usize>, mode: CloseMode, time: Option<Micros>) {
        let deadline = time.map(|time| self.free_instant(time));
        self.model.close(group, mode, deadline);
        let deadline = deadline.map(|deadline| self.at(deadline));
        let group = group.map(|group| self.groups[group]);
        self.act(|scheduler, now, effects| match group {
            Some(group) => scheduler.close_group(group, mode, deadline, now, effects),
            None => scheduler.close(mode, deadline, now, effects),
        });
        self.coverage.closes += 1;
    }

    pub(crate) fn submit(
        &mut self,
        group: usize,
        lane: usize,
        priority: Priority,
        timeout: Option<Micros>,
    ) {
        let deadline = timeout.map(|timeout| self.free_instant(timeout));
        let name = self.names;
        let expected = self.model_submit(group, name, lane, priority, deadline);
        let until = deadline.map(|deadline| self.at(deadline));
        let its = self.groups[group];
        let result = self.act(|scheduler, now, effects| {
            let ask = ask(lane, priority, until);
            scheduler.submit(its, ask, name as u64, now, effects)
        });
        assert_eq!(result.err(), expected.err(), "submit");
        if let Ok(id) = result {
            self.coverage.submitted += 1;
            self.welcome(id);
            self.subject = Some(Event::Call(name));
            self.compare();
            self.register(name);
        }
    }

    fn model_submit(
        &mut self,
        group: usize,
        name: usize,
        lane: usize,
        priority: Priority,
        deadline: Option<Micros>,
    ) -> Result<(), Refusal> {
        let model = &mut self.model;
        let its = &model.groups[group];
        if model.gate.stage != Stage::Open || its.gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        let limit = its.capacity[priority.index()];
        let in_line = model.calls.iter().filter(|call| {
            call.group == Some(group) && call.priority == priority && call.state == State::Queued
        });
        if in_line.count() >= limit {
            let bound = turbohttp_core::scheduler::Bound::Group(priority);
            return Err(Refusal::Full { bound, limit });
        }
        model.insert(name, None, true);
        let call = model.call(name);
        (call.group, call.is_job) = (Some(group), true);
        model.line_up(name, lane, priority, deadline);
        model.start_all();
        Ok(())
    }

    pub(crate) fn poll_worker(&mut self, group: usize, worker: u32) {
        self.subject = Some(Event::Worker(group, worker));
        let its = &mut self.model.groups[group];
        its.idle.retain(|(known, _)| *known != worker);
        if its.assigned.is_empty() {
            its.idle.push((worker, false));
            self.model.start_all();
        }
        let its = &mut self.model.groups[group];
        let expected = (!its.assigned.is_empty()).then(|| its.assigned.remove(0));
        match expected {
            Some(name) => {
                self.model.call(name).state = State::Taken;
                self.model.call(name).has_waker = false;
            }
            None => its.idle.last_mut().unwrap().1 = true,
        }
        let waker = self.bell(Event::Worker(group, worker));
        let its = self.groups[group];
        let poll = self
            .act(|scheduler, now, effects| scheduler.poll_worker(its, worker, waker, now, effects));
        match (poll, expected) {
            (Poll::Pending, None) => {}
            (Poll::Ready(job), Some(name)) => {
                assert_eq!((job.call, job.tag), (self.entry(name).id, name as u64));
                let now = self.model.now;
                check_wait(job.waited, call_wait(self.model.call(name), now));
                self.coverage.picked += 1;
            }
            (poll, expected) => panic!("worker: {poll:?}, expected {expected:?}"),
        }
    }

    pub(crate) fn forget_worker(&mut self, group: usize, worker: u32) {
        self.subject = Some(Event::Worker(group, worker));
        let its = &mut self.model.groups[group];
        let was_idle = its.idle.iter().any(|(known, _)| *known == worker);
        its.idle.retain(|(known, _)| *known != worker);
        if !was_idle
            && !its.assigned.is_empty()
            && let Some((other, _)) = its.idle.pop()
        {
            self.model.events.push(Event::Worker(group, other));
            self.coverage.called_instead += 1;
        }
        let its = self.groups[group];
        self.act(|scheduler, _, effects| scheduler.forget_worker(its, worker, effects));
    }

    pub(crate) fn finish_job(&mut self, name: usize, outcome: Outcome) {
        self.model.finish_job(name, outcome);
        let id = self.entry(name).id;
        self.act(|scheduler, now, effects| scheduler.finish_job(id, outcome, now, effects));
    }
}

fn ask(lane: usize, priority: Priority, deadline: Option<Instant>) -> Ask<'static> {
    Ask {
        lane: LaneKey::new(LANES[lane]),
        priority,
        deadline,
    }
}

/// Paused, full, and the sum.
fn call_wait(call: &super::reference::Call, now: Micros) -> [Micros; 3] {
    match call.since {
        Some(since) => [call.paused, call.full, now - since],
        None => [0; 3],
    }
}

fn check_wait(waited: Waited, [paused, full, sum]: [Micros; 3]) {
    let [paused, full, sum] = [paused, full, sum].map(Duration::from_micros);
    assert_eq!(waited.sum(), sum, "in all");
    // The time from the grant to the next `turn` is added to the largest part.
    let late = [waited.paused - paused, waited.lane - full];
    assert!(
        late.contains(&Duration::ZERO),
        "paused {paused:?}, full {full:?}: {waited:?}"
    );
}

mod compare;
mod permits;

impl Driver {
    /// Nothing is out, and only lanes that are idle or paused are known.
    pub(crate) fn assert_quiet(&mut self) {
        let audit = self.scheduler.audit();
        assert!(audit.is_idle(), "{audit:?}");
        assert_eq!(audit.origins, audit.idle_origins + audit.paused);
    }
}
