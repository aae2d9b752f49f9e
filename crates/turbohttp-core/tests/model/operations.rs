//! Turning random words into rules and operations.

use turbohttp_core::scheduler::{CloseMode, Outcome, Priority, State};

use super::coverage::Coverage;
use super::driver::{Driver, LANES};
use super::rates::Pace;
use super::reference::{Micros, Plan};

const MS: Micros = 1_000;
const GUESTS_MAX: usize = 18;

/// Takes small numbers out of a word.
struct Word(u64);

impl Word {
    fn below(&mut self, bound: u64) -> u64 {
        let value = self.0 % bound;
        self.0 /= bound;
        value
    }

    fn size(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    fn lane(&mut self) -> usize {
        // The first lanes get most of the calls.
        self.size(LANES.len()).min(self.size(LANES.len()))
    }

    fn priority(&mut self) -> Priority {
        Priority::ALL[self.size(Priority::COUNT)]
    }

    fn timeout(&mut self) -> Option<Micros> {
        (self.below(3) == 0).then(|| self.below(120) * MS)
    }

    fn pace(&mut self) -> Option<Pace> {
        // From a hundred thousand permits per second to ten, and none.
        let interval = [10, 700, 3 * MS, 20 * MS, 100 * MS][self.size(5)];
        let burst = 1 + self.below(4);
        (self.below(4) > 0).then_some(Pace { interval, burst })
    }

    fn outcome(&mut self) -> Outcome {
        [
            Outcome::Completed,
            Outcome::Failed,
            Outcome::Canceled,
            Outcome::Expired,
        ][self.size(4)]
    }
}

fn plan(word: &mut Word, has_ageing: bool) -> Plan {
    let mut plan = Plan {
        total: 1 + word.size(5),
        per_lane: 1 + word.size(3),
        waiting: 2 + word.size(10),
        waiting_per_lane: 1 + word.size(6),
        idle_lanes: 1 + word.size(3),
        ageing: has_ageing.then(|| 1 + word.below(40 * MS)),
        reserve_total: [0; Priority::COUNT],
        reserve_lane: [0; Priority::COUNT],
        rate: None,
    };
    if word.below(3) == 0 {
        plan.rate = word.pace();
    }
    if !has_ageing && word.below(2) == 0 {
        for _ in 1..plan.total {
            // The last entry stands for a permit that is not reserved.
            let level = word.size(Priority::COUNT);
            plan.reserve_total[level] += usize::from(level + 1 < Priority::COUNT);
        }
        for _ in 1..plan.per_lane {
            let level = word.size(Priority::COUNT);
            plan.reserve_lane[level] += usize::from(level + 1 < Priority::COUNT);
        }
    }
    plan
}

/// Runs one case; panics where the two sides differ.
pub(crate) fn run(seed: u64, words: &[u64], has_ageing: bool) -> Coverage {
    let mut word = Word(seed);
    let plan = plan(&mut word, has_ageing);
    let groups = word.size(3);
    let capacities: Vec<_> = (0..groups)
        .map(|_| [(); Priority::COUNT].map(|()| word.size(4)))
        .collect();
    let mut case = Case {
        driver: Driver::new(plan, &capacities),
        groups,
    };
    for (index, word) in words.iter().enumerate() {
        // After a close few operations have an effect, so closes come late.
        let may_close = index > words.len() * 4 / 5;
        case.step(Word(*word), may_close);
    }
    case.end();
    let (model, mut covered) = (&case.driver.model, case.driver.coverage);
    covered.operations += words.len() as u64;
    covered.grants += model.starts;
    covered.parked += model.parked;
    covered.forgotten_lanes += model.forgotten;
    let gates = model.groups.iter().map(|group| &group.gate);
    let reports = gates
        .chain([&model.gate])
        .filter(|gate| gate.report.is_some());
    covered.reports += reports.count() as u64;
    covered
}

struct Case {
    driver: Driver,
    groups: usize,
}

impl Case {
    fn step(&mut self, mut word: Word, may_close: bool) {
        match word.below(100) {
            0..20 => self.call(word),
            20..40 => self.with_guest(word),
            40..52 => self.part(word),
            52..66 => self.time(word),
            66..78 => self.adjust(word),
            78..96 if self.groups > 0 => self.work(word),
            96..100 if may_close => self.close(word),
            _ => self.poll(word),
        }
    }

    fn some(&self, word: &mut Word) -> Option<usize> {
        let names = self.driver.names();
        (!names.is_empty()).then(|| names[word.size(names.len())])
    }

    /// A caller: jobs are admitted by workers only.
    fn caller(&mut self, word: &mut Word) -> Option<usize> {
        let name = self.some(word)?;
        self.driver.model.call(name).group.is_none().then_some(name)
    }

    /// Whether another attempt of the same request waits: the order of two with the same age is not
    /// specified.
    fn has_twin(&mut self, name: usize) -> bool {
        let age = self.driver.model.call(name).age;
        self.driver.model.calls.iter().any(|other| {
            let is_under_way = other.waits() || other.state == State::Granted;
            other.name != name && other.age == age && is_under_way
        })
    }

    fn call(&mut self, mut word: Word) {
        if self.driver.names().len() >= GUESTS_MAX {
            return self.part(word);
        }
        let (lane, priority) = (word.lane(), word.priority());
        let name = match word.below(9) {
            0 => {
                let Some(first) = self.caller(&mut word) else {
                    return;
                };
                if self.has_twin(first) || self.driver.model.call(first).waits() {
                    return;
                }
                if self.driver.model.call(first).state == State::Granted {
                    return;
                }
                return self.driver.admit_for(first, lane, priority);
            }
            1 => {
                let timeout = word.timeout();
                return self.driver.enter_and_admit(lane, priority, timeout);
            }
            2 => return self.permits(word, lane, priority),
            3 => {
                let first = self.some(&mut word);
                self.driver.coverage.children += u64::from(first.is_some());
                Some(self.driver.enter_for(first))
            }
            _ => self.driver.enter(),
        };
        let Some(name) = name else { return };
        if self.has_twin(name) {
            return;
        }
        match word.below(6) {
            0 => {}
            1 => self.driver.try_admit(name, lane, priority),
            _ => self.driver.admit(name, lane, priority, word.timeout()),
        }
    }

    fn permits(&mut self, mut word: Word, lane: usize, priority: Priority) {
        let permits = self.driver.permits();
        if permits.is_empty() || (permits.len() < 4 && word.below(2) == 0) {
            return self.driver.try_take_permit(lane, priority);
        }
        let name = permits[word.size(permits.len())];
        self.driver
            .release_permit(name, word.outcome(), word.below(2) == 0);
    }

    fn with_guest(&mut self, mut word: Word) {
        let (kind, priority) = (word.below(20), word.priority());
        let Some(name) = self.some(&mut word) else {
            return;
        };
        let is_caller = self.driver.model.call(name).group.is_none();
        match kind {
            0..3 if is_caller && !self.has_twin(name) => {
                let lane = word.lane();
                self.driver.admit(name, lane, priority, word.timeout());
            }
            3 if is_caller && !self.has_twin(name) => {
                self.driver.try_admit(name, word.lane(), priority);
            }
            4..8 => self.driver.set_priority(name, priority),
            8 => self.driver.attach(name),
            _ => self.driver.poll(name),
        }
    }

    fn poll(&mut self, mut word: Word) {
        if let Some(name) = self.some(&mut word) {
            self.driver.poll(name);
        }
    }

    fn part(&mut self, mut word: Word) {
        let kind = word.below(4);
        let Some(name) = self.some(&mut word) else {
            return;
        };
        match kind {
            0 => self.driver.release(name),
            1 => self.driver.detach_permit(name),
            _ => self.driver.leave(name, word.outcome()),
        }
    }

    fn time(&mut self, mut word: Word) {
        match word.below(12) {
            0 => self.driver.ask_what_is_due(),
            1..4 => self.driver.pass(word.below(50 * MS)),
            4 => self.driver.sweep(),
            5..8 => {
                self.driver.pass(word.below(130 * MS));
                self.driver.sweep();
            }
            // Advance to exactly the moment at which something is due.
            _ => {
                let now = self.driver.model.now;
                let due = self.driver.model.due().unwrap_or(now);
                self.driver.pass(due.saturating_sub(now));
                self.driver.sweep();
            }
        }
    }

    fn adjust(&mut self, mut word: Word) {
        let lane = word.lane();
        match word.below(13) {
            10 if word.below(2) == 0 => self.driver.set_rate(word.pace()),
            10..13 => self.driver.set_lane_rate(lane, word.pace()),
            0..3 => self.driver.pause(lane, word.below(60 * MS)),
            3..6 => self.driver.resume(lane),
            6 => self.driver.set_total(word.size(6)),
            7 => self.driver.set_per_lane(word.size(4)),
            8 => self.driver.set_lane_limit(lane, Some(word.size(4))),
            _ => self.driver.set_lane_limit(lane, None),
        }
    }

    fn work(&mut self, mut word: Word) {
        let group = word.size(self.groups);
        let worker = word.below(3) as u32;
        match word.below(18) {
            0..7 if self.driver.names().len() < GUESTS_MAX => {
                let (lane, priority) = (word.lane(), word.priority());
                let timeout = word.timeout();
                self.driver.submit(group, lane, priority, timeout);
            }
            0..15 => self.driver.poll_worker(group, worker),
            15 | 16 => self.driver.forget_worker(group, worker),
            _ => {
                if let Some(name) = self.some(&mut word) {
                    self.driver.finish_job(name, word.outcome());
                }
            }
        }
    }

    fn close(&mut self, mut word: Word) {
        let which = word.size(self.groups + 1);
        let mode = [CloseMode::Drain, CloseMode::CancelPending, CloseMode::Now][word.size(3)];
        let time = (word.below(2) == 0).then(|| word.below(40) * MS);
        self.driver.close(which.checked_sub(1), mode, time);
    }

    /// Lets every call leave, and checks that nothing is out.
    fn end(&mut self) {
        for name in self.driver.permits() {
            self.driver.release_permit(name, Outcome::Completed, false);
        }
        for name in self.driver.names() {
            self.driver.leave(name, Outcome::Completed);
        }
        for group in 0..self.groups {
            for worker in 0..3 {
                self.driver.forget_worker(group, worker);
            }
        }
        self.driver.assert_quiet();
    }
}
