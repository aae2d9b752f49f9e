//! Threads that ask for permits and give up at random. No permit is lost, at whatever moment a call
//! leaves.
#![cfg(not(any(loom, shuttle)))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "threads are what is tested, figures are printed, a failed unwrap is a failed test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use turbohttp_core::scheduler::{
    Ask, CallId, LaneKey, Outcome, Priority, Rules, SharedScheduler, State,
};

const THREADS: u64 = 8;
const ASKS: u64 = 1_000_000;
/// How often a call must have left with a grant that it had not taken up.
const HITS_MIN: u64 = 1_000;
const LANES: [&str; 3] = ["a", "b", "c"];

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A pseudorandom sequence that is the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

#[derive(Default)]
struct Tally {
    taken: AtomicU64,
    left_in_line: AtomicU64,
    left_with_grant: AtomicU64,
    inside: AtomicU64,
}

struct Stage {
    shared: SharedScheduler,
    tally: Tally,
    now: Instant,
    limit: u64,
}

impl Stage {
    fn new(limit: usize) -> Stage {
        let now = Instant::now();
        let mut rules = Rules::default();
        (rules.total, rules.per_lane) = (limit, limit.div_ceil(2));
        Stage {
            shared: SharedScheduler::new(rules, now).unwrap(),
            tally: Tally::default(),
            now,
            limit: limit as u64,
        }
    }

    fn ask(&self, dice: &mut Dice) -> (CallId, State) {
        let ask = Ask {
            lane: LaneKey::new(LANES[dice.below(3) as usize]),
            priority: Priority::ALL[dice.below(Priority::COUNT as u64) as usize],
            deadline: None,
        };
        let (entered, _) = self.shared.with(|scheduler, _| scheduler.enter(self.now));
        let id = entered.unwrap();
        let (state, _) = self.shared.admit(id, ask, self.now);
        (id, state.unwrap())
    }

    fn is_mine(&self, id: CallId, waker: &Waker) -> bool {
        let (poll, _) = self.shared.poll_turn(id, waker, self.now);
        matches!(poll, Poll::Ready(Ok(_)))
    }

    /// Leaves, and counts in which state, which is read under the same lock.
    fn give_up(&self, id: CallId) {
        let ((), _) = self.shared.with(|scheduler, effects| {
            let count = match scheduler.state(id) {
                Some(State::Granted) => &self.tally.left_with_grant,
                Some(State::Queued | State::Parked) => &self.tally.left_in_line,
                state => panic!("a waiter is {state:?}"),
            };
            count.fetch_add(1, SeqCst);
            scheduler.leave(id, Outcome::Canceled, self.now, effects);
        });
    }

    fn run(&self, id: CallId, dice: &mut Dice) {
        let inside = self.tally.inside.fetch_add(1, SeqCst);
        assert!(inside < self.limit, "{inside} are inside already");
        self.tally.taken.fetch_add(1, SeqCst);
        if dice.below(4) == 0 {
            thread::yield_now();
        }
        self.tally.inside.fetch_sub(1, SeqCst);
        let _ = self.shared.leave(id, Outcome::Completed, self.now);
    }

    fn call(&self, waker: &Waker, dice: &mut Dice) {
        let (id, state) = self.ask(dice);
        if state == State::Taken {
            return self.run(id, dice);
        }
        // Some calls leave at once, some after a few polls, some wait for their turn.
        let mut looks = match dice.below(4) {
            0 => u64::MAX,
            _ => dice.below(4),
        };
        loop {
            if looks == 0 {
                return self.give_up(id);
            }
            if self.is_mine(id, waker) {
                return self.run(id, dice);
            }
            match looks {
                u64::MAX => thread::park(),
                _ => looks -= 1,
            }
            if dice.below(2) == 0 {
                thread::yield_now();
            }
        }
    }
}

/// Makes `count` calls by all threads together. Returns how many left with a grant that they had
/// not taken up.
fn churn(limit: usize, calls: u64) -> u64 {
    let stage = Stage::new(limit);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let stage = &stage;
            scope.spawn(move || {
                let waker = Waker::from(Arc::new(Unpark(thread::current())));
                let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ (number * 64 + limit as u64));
                for _ in 0..calls / THREADS {
                    stage.call(&waker, &mut dice);
                }
            });
        }
    });
    let tally = &stage.tally;
    let count = |count: &AtomicU64| count.load(SeqCst);
    let (line, grant) = (count(&tally.left_in_line), count(&tally.left_with_grant));
    println!(
        "limit {limit}: {} ran, {line} left the line, {grant} left with a grant",
        count(&tally.taken)
    );
    assert_eq!(count(&tally.taken) + line + grant, calls);
    let audit = stage.shared.look(|scheduler| scheduler.audit());
    assert!(audit.is_idle(), "{audit:?}");
    let stats = stage.shared.look(|scheduler| scheduler.stats());
    assert_eq!(stats.ended.completed, count(&tally.taken));
    assert_eq!(stats.ended.sum(), calls);
    // The whole limit can be taken at once, and not one permit more.
    let mut dice = Dice(7);
    let lanes: Vec<_> = (0..limit * 8).map(|_| stage.ask(&mut dice).1).collect();
    let taken = lanes.iter().filter(|state| **state == State::Taken).count();
    assert_eq!(taken, limit, "permits after all that");
    grant
}

#[test]
fn no_permit_is_lost_where_waiters_leave_at_random() {
    let hits: u64 = (1..=8).map(|limit| churn(limit, ASKS / 8)).sum();
    println!("{ASKS} calls, {hits} left with a grant in their hands");
    assert!(hits > HITS_MIN, "the race was hit {hits} times only");
}
