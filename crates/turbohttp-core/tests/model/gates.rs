//! The gates of the reference, and what becomes due in it as time passes.

use turbohttp_core::scheduler::{CloseMode, Outcome, Refusal, Stage, State};

use super::reference::{Call, GRANT, Micros, Reference};

#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) stage: Stage,
    /// How many calls ended in which way, in the order of `Outcome`.
    pub(crate) counts: [u64; 5],
    pub(crate) began: Micros,
    pub(crate) accepted: u64,
    pub(crate) before: [u64; 5],
    pub(crate) deadline: Option<Micros>,
    pub(crate) is_cut: bool,
    /// How many were accepted, how they ended, and how many microseconds the close took.
    pub(crate) report: Option<(u64, [u64; 5], Micros)>,
}

impl Default for Gate {
    fn default() -> Self {
        Gate {
            stage: Stage::Open,
            counts: [0; 5],
            began: 0,
            accepted: 0,
            before: [0; 5],
            deadline: None,
            is_cut: false,
            report: None,
        }
    }
}

impl Gate {
    pub(crate) fn admits_nothing(&self) -> bool {
        matches!(self.stage, Stage::Canceling | Stage::Closed)
    }

    fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Draining | Stage::Canceling)
    }

    fn begin(&mut self, mode: CloseMode, deadline: Option<Micros>, now: Micros, inside: u64) {
        if self.stage == Stage::Open {
            (self.began, self.accepted, self.before) = (now, inside, self.counts);
        }
        self.deadline = [self.deadline, deadline].into_iter().flatten().min();
        self.stage = match mode {
            CloseMode::Drain => self.stage.max(Stage::Draining),
            CloseMode::CancelPending | CloseMode::Now => Stage::Canceling,
        };
    }

    /// Returns `true` if the gate closes by this.
    fn end_if(&mut self, is_empty: bool, now: Micros) -> bool {
        if !is_empty || !self.is_closing() {
            return false;
        }
        let ended = std::array::from_fn(|index| self.counts[index] - self.before[index]);
        self.report = Some((self.accepted, ended, now - self.began));
        self.stage = Stage::Closed;
        true
    }
}

impl Reference {
    fn inside(&self, group: Option<usize>) -> u64 {
        let is_inside = |call: &&Call| match group {
            None => call.is_counted,
            Some(_) => call.is_job && call.group == group,
        };
        self.calls.iter().filter(is_inside).count() as u64
    }

    fn gate_of(&mut self, group: Option<usize>) -> &mut Gate {
        match group {
            None => &mut self.gate,
            Some(group) => &mut self.groups[group].gate,
        }
    }

    fn end_gate(&mut self, group: Option<usize>) {
        let is_empty = self.inside(group) == 0;
        let now = self.now;
        self.closed |= self.gate_of(group).end_if(is_empty, now);
    }

    pub(crate) fn finish_job(&mut self, name: usize, outcome: Outcome) {
        let group = self.call(name).group;
        if std::mem::take(&mut self.call(name).is_job) {
            self.gate_of(group).counts[outcome as usize] += 1;
            self.end_gate(group);
        }
    }

    pub(crate) fn depart(&mut self, name: usize, outcome: Outcome) {
        self.finish_job(name, outcome);
        if std::mem::take(&mut self.call(name).is_counted) {
            self.gate.counts[outcome as usize] += 1;
            self.end_gate(None);
        }
    }

    pub(crate) fn close(
        &mut self,
        group: Option<usize>,
        mode: CloseMode,
        deadline: Option<Micros>,
    ) {
        if self.gate_of(group).stage == Stage::Closed {
            return;
        }
        let every: Vec<Option<usize>> = match group {
            Some(group) => vec![Some(group)],
            None => (0..self.groups.len()).map(Some).chain([None]).collect(),
        };
        let (now, mut inside) = (self.now, Vec::new());
        for gate in &every {
            inside.push(self.inside(*gate));
        }
        for (gate, inside) in every.iter().zip(inside) {
            if self.gate_of(*gate).stage != Stage::Closed {
                self.gate_of(*gate).begin(mode, deadline, now, inside);
            }
        }
        let is_late = deadline.is_some_and(|deadline| deadline <= now);
        if is_late || mode != CloseMode::Drain {
            self.refuse_waiting(group);
        }
        if is_late || mode == CloseMode::Now {
            self.cut(group);
        }
        for gate in every {
            self.end_gate(gate);
        }
    }

    /// The calls of a group, or all, in the order of their seats.
    fn of(&self, group: Option<usize>) -> Vec<usize> {
        let mut calls: Vec<&Call> = self.calls.iter().collect();
        calls.retain(|call| group.is_none() || call.group == group);
        calls.sort_by_key(|call| call.seat);
        calls.iter().map(|call| call.name).collect()
    }

    fn refuse_waiting(&mut self, group: Option<usize>) {
        for with_permit in [false, true] {
            for name in self.of(group) {
                let call = self.call(name);
                let is_next = match with_permit {
                    false => call.waits(),
                    true => call.state == State::Granted,
                };
                if is_next {
                    self.refuse(name, Refusal::Closed);
                    self.depart(name, Outcome::Canceled);
                }
            }
        }
    }

    fn refuse(&mut self, name: usize, refusal: Refusal) {
        self.wake(name);
        self.release_call(name);
        self.call(name).state = State::Refused(refusal);
        if refusal == Refusal::Expired && self.call(name).is_job {
            self.depart(name, Outcome::Expired);
        }
    }

    fn cut(&mut self, group: Option<usize>) {
        self.gate_of(group).is_cut = true;
        if group.is_none() {
            self.groups
                .iter_mut()
                .for_each(|group| group.gate.is_cut = true);
        }
        for name in self.of(group) {
            self.wake(name);
            if self.call(name).state == State::Idle {
                self.call(name).state = State::Refused(Refusal::Closed);
            }
            self.depart(name, Outcome::Aborted);
        }
    }

    pub(crate) fn is_cut(&self, call: &Call) -> bool {
        self.gate.is_cut
            || call
                .group
                .is_some_and(|group| self.groups[group].gate.is_cut)
    }

    /// Advances the time, which is added to the loss of each waiting call: to a pause, to the
    /// lane's limit, or to neither.
    pub(crate) fn pass(&mut self, time: Micros) {
        self.now += time;
        for index in 0..self.calls.len() {
            let lane = self.calls[index].lane;
            if self.calls[index].state != State::Queued {
                continue;
            }
            if self.is_paused(lane) || self.is_spent(lane) {
                self.calls[index].paused += time;
            } else if self.lane_running(lane) >= self.lane_limit(lane) {
                self.calls[index].full += time;
            }
        }
    }

    pub(crate) fn sweep(&mut self) -> Option<Micros> {
        let now = self.now;
        self.swept = self.swept.max(now);
        self.pauses.sort_by_key(|(_, until)| *until);
        let over = self.pauses.iter().filter(|(_, until)| *until <= now);
        for (lane, _) in over.copied().collect::<Vec<_>>() {
            self.pauses.retain(|(paused, _)| *paused != lane);
            self.mark_idle_if_unused(lane);
        }
        self.open_due();
        self.start_all();
        self.park_stale_grants();
        while let Some((_, name)) = self.deadlines().min().filter(|(at, _)| *at <= now) {
            self.refuse(name, Refusal::Expired);
        }
        for group in (0..self.groups.len()).map(Some).chain([None]) {
            let gate = self.gate_of(group);
            if gate.is_closing() && gate.deadline.is_some_and(|at| at <= now) {
                self.refuse_waiting(group);
                self.cut(group);
                self.end_gate(group);
            }
        }
        self.due()
    }

    fn deadlines(&self) -> impl Iterator<Item = (Micros, usize)> {
        let waiting = self.calls.iter().filter(|call| call.waits());
        waiting.filter_map(|call| Some((call.deadline?, call.name)))
    }

    pub(crate) fn deadlines_count(&self) -> usize {
        self.deadlines().count()
    }

    fn park_stale_grants(&mut self) {
        if self.granted.is_empty() || self.now < self.epoch_began + GRANT {
            return;
        }
        self.epoch += 1;
        self.epoch_began = self.now;
        while let Some(&name) = self.granted.first()
            && self.call(name).epoch + 1 < self.epoch
        {
            self.parked += 1;
            self.granted.remove(0);
            self.call(name).state = State::Parked;
            let lane = self.call(name).lane;
            self.put_back(lane);
            self.start_all();
            self.mark_idle_if_unused(lane);
        }
    }

    /// When a sweep has something to do next.
    pub(crate) fn due(&self) -> Option<Micros> {
        let deadlines = self.deadlines().map(|(at, _)| at);
        let pauses = self.pauses.iter().map(|(_, until)| *until);
        let grants = (!self.granted.is_empty()).then_some(self.epoch_began + GRANT);
        let gates = self.groups.iter().map(|group| &group.gate);
        let gates = gates
            .chain([&self.gate])
            .filter(|gate| gate.is_closing())
            .filter_map(|gate| gate.deadline);
        let openings = self.openings().map(|(at, _)| at);
        deadlines
            .chain(pauses)
            .chain(openings)
            .chain(grants)
            .chain(gates)
            .min()
    }
}
