//! How long each operation of the scheduler takes with 10³, 10⁵ and 10⁶ calls waiting in up to
//! 10,000 lanes.
//!
//! `cargo run --release -p turbohttp-core --example scheduler_scale`
//!
//! The test `no_operation_looks_at_more_because_more_wait` counts looks and needs no clock; this
//! example shows the time.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a stopwatch that prints"
)]

use std::time::{Duration, Instant};

use turbohttp_core::scheduler::{
    Ask, CallId, Effects, LaneKey, Outcome, Priority, Rules, Scheduler, State, WAITING_MAX,
};

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
const LANES: usize = 10_000;
/// The number of operations that each figure is the mean of.
const STEPS: usize = 100_000;
const NAMES: [&str; 4] = ["enqueue", "cancel", "reprioritise", "pick"];

struct Crowd {
    scheduler: Scheduler,
    now: Instant,
    lanes: Vec<String>,
    waiting: Vec<CallId>,
    running: Vec<CallId>,
    dice: u64,
}

impl Crowd {
    fn new(count: usize, permits: usize, ageing: Option<Duration>) -> Crowd {
        let now = Instant::now();
        let mut rules = Rules::default();
        (rules.total, rules.per_lane, rules.ageing) = (permits, permits, ageing);
        (rules.waiting, rules.waiting_per_lane) = (WAITING_MAX, WAITING_MAX);
        let mut crowd = Crowd {
            scheduler: Scheduler::new(rules, now).unwrap(),
            now,
            lanes: (0..LANES.min(count))
                .map(|lane| format!("https://host-{lane}.example"))
                .collect(),
            waiting: Vec::new(),
            running: Vec::new(),
            dice: 0x9E37_79B9_7F4A_7C15,
        };
        for permit in 0..permits {
            let id = crowd.scheduler.enter(now).unwrap();
            let lane = permit % crowd.lanes.len();
            assert_eq!(crowd.admit(id, lane, Priority::Normal), State::Taken);
            crowd.running.push(id);
        }
        for _ in 0..count {
            crowd.enqueue();
        }
        crowd
    }

    fn below(&mut self, bound: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 16) as usize % bound
    }

    fn admit(&mut self, id: CallId, lane: usize, priority: Priority) -> State {
        let ask = Ask {
            lane: LaneKey::new(&self.lanes[lane]),
            priority,
            deadline: None,
        };
        let mut effects = Effects::default();
        let state = self.scheduler.admit(id, ask, self.now, &mut effects);
        effects.perform();
        state.unwrap()
    }

    fn enqueue(&mut self) {
        let (lane, level) = (self.below(self.lanes.len()), self.below(Priority::COUNT));
        let id = self.scheduler.enter(self.now).unwrap();
        assert_eq!(self.admit(id, lane, Priority::ALL[level]), State::Queued);
        self.waiting.push(id);
    }

    /// A call that waits, anywhere in line.
    fn some(&mut self) -> CallId {
        loop {
            let index = self.below(self.waiting.len());
            let id = self.waiting.swap_remove(index);
            if self.scheduler.state(id) == Some(State::Queued) {
                return id;
            }
        }
    }

    fn leave(&mut self, id: CallId, outcome: Outcome) {
        let mut effects = Effects::default();
        self.scheduler.leave(id, outcome, self.now, &mut effects);
        effects.perform();
    }

    fn reprioritise(&mut self, id: CallId, level: usize) {
        let mut effects = Effects::default();
        let level = Priority::ALL[level];
        self.scheduler
            .set_priority(id, level, self.now, &mut effects);
        effects.perform();
        self.waiting.push(id);
    }

    /// Means in nanoseconds. The number of calls that wait stays the same.
    fn measure(&mut self) -> [f64; 3] {
        let mut times = [Duration::ZERO; 3];
        let rounds = STEPS.div_ceil(self.waiting.len() / 2);
        let each = STEPS / rounds;
        for _ in 0..rounds {
            let chosen: Vec<CallId> = (0..each).map(|_| self.some()).collect();
            let start = Instant::now();
            for id in &chosen {
                self.leave(*id, Outcome::Canceled);
            }
            times[1] += start.elapsed();
            let start = Instant::now();
            for _ in 0..each {
                self.enqueue();
            }
            times[0] += start.elapsed();
            let chosen: Vec<(CallId, usize)> = (0..each)
                .map(|_| (self.some(), self.below(Priority::COUNT)))
                .collect();
            let start = Instant::now();
            for (id, level) in chosen {
                self.reprioritise(id, level);
            }
            times[2] += start.elapsed();
        }
        times.map(|time| time.as_nanos() as f64 / (rounds * each) as f64)
    }
}

/// The mean in nanoseconds of releasing a permit, which is granted to the next call.
fn pick(size: usize, ageing: Option<Duration>) -> f64 {
    let permits = (size / 2).min(STEPS / 10);
    let rounds = STEPS / 10 / permits;
    let mut time = Duration::ZERO;
    for _ in 0..rounds {
        let mut crowd = Crowd::new(size, permits, ageing);
        let held = std::mem::take(&mut crowd.running);
        let start = Instant::now();
        for id in held {
            crowd.leave(id, Outcome::Completed);
        }
        time += start.elapsed();
        assert_eq!(crowd.scheduler.audit().granted, permits);
    }
    time.as_nanos() as f64 / (rounds * permits) as f64
}

fn main() {
    println!("nanoseconds for one operation, {LANES} lanes at most");
    for ageing in [None, Some(Duration::from_secs(1))] {
        println!("\nageing: {ageing:?}");
        print!("{:<14}", "waiting");
        NAMES.iter().for_each(|name| print!("{name:>14}"));
        println!();
        let mut first = None;
        for size in SIZES {
            let [enqueue, cancel, change] = Crowd::new(size, 1, ageing).measure();
            let means = [enqueue, cancel, change, pick(size, ageing)];
            print!("{size:<14}");
            means.iter().for_each(|mean| print!("{mean:>14.0}"));
            let first = *first.get_or_insert(means);
            let ratio = |index: usize| means[index] / first[index];
            println!(
                "   x{:.1} x{:.1} x{:.1} x{:.1}",
                ratio(0),
                ratio(1),
                ratio(2),
                ratio(3)
            );
        }
    }
}
