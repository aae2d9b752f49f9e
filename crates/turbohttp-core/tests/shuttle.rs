//! The whole scheduler under many schedules: callers that give up, jobs and workers, limits that
//! change, and a close at any moment. The streams of an HTTP/2 connection have a scene of their own.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test --release -p turbohttp-core --test shuttle -- --nocapture`
//!
//! `TURBOHTTP_SHUTTLE_ITERATIONS` sets the schedules of each test. Shuttle prints the schedule of a
//! failure; a task that sleeps for ever is reported as a deadlock.
#![cfg(shuttle)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the threads are shuttle's, the moments are marks, a failed unwrap is a failed test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler as Schedules};
use shuttle::thread::{self, Thread};
use turbohttp_core::scheduler::{
    Ask, CallId, CloseMode, GroupId, LaneKey, Outcome, Priority, Refusal, Rules, SharedScheduler,
    Signals, Stage, State,
};

#[path = "shuttle/streams.rs"]
mod streams;

const ITERATIONS: usize = 20_000;
/// The depth of the second scheduler (PCT): it finds bugs that need this many changes of thread at
/// certain moments.
const PCT_DEPTH: usize = 4;
const LANES: [&str; 2] = ["a", "b"];
const JOBS: usize = 4;

/// Counts what happened in all schedules: a race that was never hit proves nothing.
static HITS: [AtomicU64; 7] = [const { AtomicU64::new(0) }; 7];
const NAMES: [&str; 7] = [
    "callers ran",
    "callers refused",
    "left with a grant",
    "jobs run",
    "jobs canceled in line",
    "jobs canceled once assigned",
    "jobs refused by the close",
];

fn hit(index: usize) {
    HITS[index].fetch_add(1, SeqCst);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn own_waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

fn dice(below: usize) -> usize {
    shuttle::rand::thread_rng().gen_range(0..below)
}

/// How one job ended.
#[derive(Default)]
struct Fate {
    call: shuttle::sync::Mutex<Option<CallId>>,
    runs: AtomicUsize,
    cancels: AtomicUsize,
}

struct Fixture {
    shared: SharedScheduler,
    group: GroupId,
    now: Instant,
    /// The limit is 2 at most.
    inside: AtomicUsize,
    jobs: [Fate; JOBS],
    ends: AtomicUsize,
    workers: [shuttle::sync::Mutex<Option<Waker>>; 2],
}

impl Fixture {
    fn new() -> Arc<Fixture> {
        let now = Instant::now();
        let mut rules = Rules::default();
        (rules.total, rules.per_lane, rules.idle_lanes) = (2, 1, 1);
        let shared = SharedScheduler::new(rules, now).unwrap();
        let (group, _) = shared.with(|scheduler, _| {
            let capacity = [JOBS; Priority::COUNT];
            scheduler.open_group(capacity).unwrap()
        });
        Arc::new(Fixture {
            shared,
            group,
            now,
            inside: AtomicUsize::new(0),
            jobs: Default::default(),
            ends: AtomicUsize::new(0),
            workers: Default::default(),
        })
    }

    /// Does what the signals ask for: after the end, workers are woken to see it.
    fn heed(&self, signals: Signals) {
        if signals.closed {
            self.ends.fetch_add(1, SeqCst);
            for worker in &self.workers {
                let waker = worker.lock().unwrap().take();
                waker.iter().for_each(Waker::wake_by_ref);
            }
        }
    }

    fn leave(&self, id: CallId, outcome: Outcome) {
        self.heed(self.shared.leave(id, outcome, self.now));
    }

    fn run(&self, id: CallId) {
        let inside = self.inside.fetch_add(1, SeqCst);
        assert!(inside < 2, "{inside} are inside already");
        thread::yield_now();
        self.inside.fetch_sub(1, SeqCst);
        self.leave(id, Outcome::Completed);
    }

    fn give_up(&self, id: CallId) {
        let ((), signals) = self.shared.with(|scheduler, effects| {
            if scheduler.state(id) == Some(State::Granted) {
                hit(2);
            }
            scheduler.leave(id, Outcome::Canceled, self.now, effects);
        });
        self.heed(signals);
    }

    fn caller(&self) {
        let waker = own_waker();
        for _ in 0..2 {
            let (entered, _) = self.shared.with(|scheduler, _| scheduler.enter(self.now));
            let Ok(id) = entered else {
                return hit(1);
            };
            let (state, signals) = self.shared.admit(id, ask(), self.now);
            self.heed(signals);
            if let Err(refusal) = state {
                assert_eq!(refusal, Refusal::Closed);
                self.leave(id, Outcome::Canceled);
                return hit(1);
            }
            self.await_turn(id, &waker);
        }
    }

    fn await_turn(&self, id: CallId, waker: &Waker) {
        let is_patient = dice(2) == 0;
        loop {
            let (poll, signals) = self.shared.poll_turn(id, waker, self.now);
            self.heed(signals);
            match poll {
                Poll::Ready(Ok(_)) => {
                    hit(0);
                    return self.run(id);
                }
                Poll::Ready(Err(refusal)) => {
                    assert_eq!(refusal, Refusal::Closed);
                    hit(1);
                    return self.leave(id, Outcome::Canceled);
                }
                Poll::Pending if is_patient => thread::park(),
                Poll::Pending => {
                    thread::yield_now();
                    return self.give_up(id);
                }
            }
        }
    }

    /// Submits jobs and cancels some of them.
    fn submitter(&self) {
        for (index, job) in self.jobs.iter().enumerate() {
            let (submitted, signals) = self.shared.with(|scheduler, effects| {
                let submitted =
                    scheduler.submit(self.group, ask(), index as u64, self.now, effects);
                *job.call.lock().unwrap() = submitted.ok();
                submitted
            });
            self.heed(signals);
            match submitted {
                Ok(id) if dice(2) == 0 => self.cancel(id, job),
                Ok(_) => {}
                Err(refusal) => assert_eq!(refusal, Refusal::Closed),
            }
        }
    }

    fn cancel(&self, id: CallId, job: &Fate) {
        thread::yield_now();
        let ((), signals) = self.shared.with(|scheduler, effects| {
            match scheduler.state(id) {
                Some(State::Queued) => hit(4),
                Some(State::Granted) => hit(5),
                _ => return,
            }
            job.cancels.fetch_add(1, SeqCst);
            scheduler.leave(id, Outcome::Canceled, self.now, effects);
        });
        self.heed(signals);
    }

    fn worker(&self, number: u32) {
        let waker = own_waker();
        *self.workers[number as usize].lock().unwrap() = Some(waker.clone());
        loop {
            let clone = waker.clone();
            let (poll, signals) = self.shared.with(|scheduler, effects| {
                scheduler.poll_worker(self.group, number, clone, self.now, effects)
            });
            self.heed(signals);
            match poll {
                Poll::Ready(job) => {
                    hit(3);
                    self.jobs[job.tag as usize].runs.fetch_add(1, SeqCst);
                    self.run(job.call);
                }
                Poll::Pending if self.is_over() => break,
                Poll::Pending => thread::park(),
            }
        }
        let ((), signals) = self.shared.with(|scheduler, effects| {
            scheduler.forget_worker(self.group, number, effects);
        });
        self.heed(signals);
    }

    fn is_over(&self) -> bool {
        self.shared
            .look(|scheduler| scheduler.group_stage(self.group) == Stage::Closed)
    }

    /// Changes limits, advances the time, and closes.
    fn keeper(&self) {
        for _ in 0..dice(4) {
            let kind = dice(4);
            let ((), signals) = self.shared.with(|scheduler, effects| {
                let now = self.now;
                match kind {
                    0 => scheduler.set_total(1 + dice(2), now, effects).unwrap(),
                    1 => scheduler.set_per_lane(1 + dice(2), now, effects).unwrap(),
                    2 => {
                        let limit = (dice(2) == 0).then_some(2);
                        let lane = LaneKey::new(LANES[0]);
                        scheduler.set_lane_limit(lane, limit, now, effects).unwrap();
                    }
                    _ => drop(scheduler.sweep(now + Duration::from_secs(1), effects)),
                }
            });
            self.heed(signals);
            thread::yield_now();
        }
        let mode = [CloseMode::Drain, CloseMode::CancelPending][dice(2)];
        self.heed(self.shared.close(mode, None, self.now));
    }

    /// Checks that a job was run, canceled by its owner, or refused by the close. Returns how often
    /// it was run.
    fn end_of(&self, job: &Fate) -> usize {
        let (runs, cancels) = (job.runs.load(SeqCst), job.cancels.load(SeqCst));
        let Some(id) = *job.call.lock().unwrap() else {
            assert_eq!(runs + cancels, 0, "what was not accepted ends in no way");
            return 0;
        };
        let state = self.shared.look(|scheduler| scheduler.state(id));
        let is_refused = state == Some(State::Refused(Refusal::Closed));
        assert_eq!(runs + cancels + usize::from(is_refused), 1, "{state:?}");
        if is_refused {
            hit(6);
            self.leave(id, Outcome::Canceled);
        }
        runs
    }

    /// Checks that every job has ended once, and that nothing is out.
    fn check(&self) {
        let report = self.shared.report().unwrap();
        assert_eq!(report.accepted, report.counts.sum());
        let stats = self.shared.look(|scheduler| scheduler.stats());
        let runs: usize = self.jobs.iter().map(|job| self.end_of(job)).sum();
        assert!(stats.ended.completed as usize >= runs);
        // One poll may see both.
        let ends = self.ends.load(SeqCst);
        assert!(
            (1..=2).contains(&ends),
            "the group's end and the end: {ends}"
        );
        let audit = self.shared.look(|scheduler| scheduler.audit());
        assert!(audit.is_idle(), "{audit:?}");
        assert!(audit.busy.is_empty(), "{audit:?}");
    }
}

fn ask() -> Ask<'static> {
    Ask {
        lane: LaneKey::new(LANES[dice(2)]),
        priority: Priority::ALL[dice(Priority::COUNT)],
        deadline: None,
    }
}

fn scene() {
    let fixture = Fixture::new();
    let roles: [fn(&Fixture); 5] = [
        Fixture::caller,
        Fixture::caller,
        Fixture::submitter,
        |fixture| fixture.worker(0),
        |fixture| fixture.worker(1),
    ];
    let threads = roles.map(|role| {
        let fixture = Arc::clone(&fixture);
        thread::spawn(move || role(&fixture))
    });
    fixture.keeper();
    for thread in threads {
        thread.join().unwrap();
    }
    fixture.check();
}

fn iterations() -> usize {
    let iterations = std::env::var("TURBOHTTP_SHUTTLE_ITERATIONS");
    iterations.map_or(ITERATIONS, |iterations| {
        iterations
            .parse()
            .expect("TURBOHTTP_SHUTTLE_ITERATIONS is a number")
    })
}

fn explore(name: &str, schedules: impl Schedules + 'static) {
    let runner = shuttle::Runner::new(schedules, shuttle::Config::default());
    let executions = runner.run(scene);
    println!("{name}: {executions} schedules of 6 threads");
}

/// One test for both, as they share the counts.
#[test]
fn every_job_is_run_or_canceled_once_and_nobody_sleeps_for_ever() {
    explore("random", RandomScheduler::new(iterations()));
    explore("pct", PctScheduler::new(PCT_DEPTH, iterations()));
    for (name, hits) in NAMES.iter().zip(&HITS) {
        let hits = hits.load(SeqCst);
        println!("  {name:<28} {hits:>9}");
        assert!(hits > 1_000, "{name}: {hits} times only");
    }
}
