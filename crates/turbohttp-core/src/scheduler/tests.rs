//! The scheduler by example; `tests/model` compares it with a reference.

use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::*;

const MS: Duration = Duration::from_millis(1);

struct Bench {
    scheduler: Scheduler,
    now: Instant,
}

impl Bench {
    fn new(per_lane: usize, total: usize) -> Bench {
        Self::with(Rules {
            per_lane,
            total,
            ..Rules::default()
        })
    }

    fn with(rules: Rules) -> Bench {
        let now = crate_now();
        Bench {
            scheduler: Scheduler::new(rules, now).unwrap(),
            now,
        }
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Scheduler, Instant, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let result = act(&mut self.scheduler, self.now, &mut effects);
        assert_eq!(effects.perform(), 0);
        result
    }

    fn ask(&mut self, lane: &str, priority: Priority) -> CallId {
        self.ask_until(lane, priority, None)
    }

    fn ask_until(&mut self, lane: &str, priority: Priority, deadline: Option<Instant>) -> CallId {
        self.act(|scheduler, now, effects| {
            let id = scheduler.enter(now).unwrap();
            let ask = Ask {
                lane: LaneKey::new(lane),
                priority,
                deadline,
            };
            scheduler.admit(id, ask, now, effects).unwrap();
            id
        })
    }

    fn state(&self, id: CallId) -> Option<State> {
        self.scheduler.state(id)
    }

    fn turn(&mut self, id: CallId) -> Turn {
        self.act(|scheduler, now, effects| scheduler.turn(id, Waker::noop(), now, effects))
    }

    fn leave(&mut self, id: CallId) {
        self.act(|scheduler, now, effects| {
            scheduler.leave(id, Outcome::Completed, now, effects);
        });
    }

    fn turn_with(&mut self, id: CallId, waker: &Waker) {
        let waker = waker.clone();
        self.act(|scheduler, _, effects| scheduler.set_waker(id, waker, effects));
    }

    fn admit(&mut self, id: CallId, lane: &str) -> Result<State, Refusal> {
        let ask = Ask {
            lane: LaneKey::new(lane),
            priority: Priority::Normal,
            deadline: None,
        };
        self.act(|scheduler, now, effects| scheduler.admit(id, ask, now, effects))
    }

    fn release(&mut self, id: CallId) {
        self.act(|scheduler, now, effects| scheduler.release(id, now, effects));
    }

    fn close(&mut self, mode: CloseMode) {
        self.act(|scheduler, now, effects| scheduler.close(mode, None, now, effects));
    }

    /// Makes the group that [`submit`](Self::submit) and [`work`](Self::work) use.
    fn open(&mut self) {
        if self.scheduler.workers.ids().count() == 0 {
            self.act(|scheduler, _, _| scheduler.open_group([8; Priority::COUNT]).unwrap());
        }
    }

    fn submit(&mut self, lane: &str, priority: Priority) -> CallId {
        self.open();
        let ask = Ask {
            lane: LaneKey::new(lane),
            priority,
            deadline: None,
        };
        self.act(|scheduler, now, effects| {
            scheduler.submit(GroupId(1), ask, 0, now, effects).unwrap()
        })
    }

    fn work(&mut self, worker: u32) -> Option<CallId> {
        let poll = self.act(|scheduler, now, effects| {
            let waker = Waker::noop().clone();
            scheduler.poll_worker(GroupId(1), worker, waker, now, effects)
        });
        match poll {
            Poll::Ready(picked) => Some(picked.call),
            Poll::Pending => None,
        }
    }

    fn sweep(&mut self) -> Option<Instant> {
        self.act(|scheduler, now, effects| scheduler.sweep(now, effects))
    }
}

#[allow(clippy::disallowed_methods, reason = "a mark to count from")]
fn crate_now() -> Instant {
    Instant::now()
}

#[test]
fn a_full_lane_holds_up_itself_only() {
    let mut bench = Bench::new(1, 2);
    let first = bench.ask("a", Priority::Normal);
    let second = bench.ask("a", Priority::Critical);
    assert_eq!(bench.state(second), Some(State::Queued));
    let other = bench.ask("b", Priority::Low);
    assert_eq!(bench.state(other), Some(State::Taken));
    bench.leave(first);
    assert_eq!(bench.state(second), Some(State::Granted));
    assert!(matches!(bench.turn(second), Turn::Taken(_)));
    bench.leave(second);
    bench.leave(other);
    assert!(bench.scheduler.audit().is_idle());
}

#[test]
fn order_is_priority_then_age() {
    let mut bench = Bench::new(1, 1);
    let running = bench.ask("a", Priority::Normal);
    let low = bench.ask("a", Priority::Low);
    let normal = bench.ask("b", Priority::Normal);
    let high = bench.ask("c", Priority::High);
    let normal_too = bench.ask("a", Priority::Normal);
    let mut last = running;
    for next in [high, normal, normal_too, low] {
        bench.leave(last);
        assert_eq!(bench.state(next), Some(State::Granted));
        assert!(matches!(bench.turn(next), Turn::Taken(_)));
        last = next;
    }
}

/// Goes through `Priority::ALL`, so a level that is added is served in its place or fails this
/// test.
#[test]
fn every_level_is_served_in_its_place() {
    let mut bench = Bench::new(1, 1);
    let mut last = bench.ask("a", Priority::Normal);
    let levels = Priority::ALL.iter().rev();
    let mut waiting: Vec<_> = levels.map(|level| bench.ask("a", *level)).collect();
    assert_eq!(waiting.len(), Priority::COUNT);
    while let Some(next) = waiting.pop() {
        bench.leave(last);
        assert!(matches!(bench.turn(next), Turn::Taken(_)));
        last = next;
    }
    for level in Priority::ALL {
        assert_eq!(level.to_string().parse(), Ok(*level));
    }
    assert_eq!("urgent".parse::<Priority>(), Err(UnknownPriority));
}

#[test]
fn a_grant_that_nobody_takes_up_is_passed_on_and_the_place_is_kept() {
    let mut bench = Bench::new(1, 8);
    let running = bench.ask("a", Priority::Normal);
    let asleep = bench.ask("a", Priority::Normal);
    let awake = bench.ask("a", Priority::Normal);
    let last = bench.ask("a", Priority::Normal);
    bench.leave(running);
    assert_eq!(bench.state(asleep), Some(State::Granted));
    for _ in 0..3 {
        bench.now = bench.sweep().unwrap_or(bench.now);
    }
    assert_eq!(bench.state(awake), Some(State::Granted));
    assert_eq!(bench.state(asleep), Some(State::Parked));
    assert!(matches!(bench.turn(awake), Turn::Taken(_)));
    assert_eq!(bench.turn(asleep), Turn::NeedsWaker);
    bench.leave(awake);
    assert_eq!(
        bench.state(asleep),
        Some(State::Granted),
        "before the younger one"
    );
    bench.leave(asleep);
    assert_eq!(bench.state(last), Some(State::Granted));
}

#[test]
fn waits_are_told_apart_and_add_up() {
    let mut bench = Bench::new(1, 1);
    let other = bench.ask("b", Priority::Normal);
    let until = bench.now + 20 * MS;
    bench.act(|scheduler, now, effects| {
        scheduler
            .pause(LaneKey::new("a"), until, now, effects)
            .unwrap();
    });
    let id = bench.ask("a", Priority::Normal);
    bench.now = bench.sweep().unwrap();
    assert_eq!(bench.now, until);
    bench.sweep();
    bench.now += 5 * MS;
    bench.leave(other);
    let Turn::Taken(waited) = bench.turn(id) else {
        panic!("granted");
    };
    assert_eq!(
        (waited.paused, waited.lane, waited.total),
        (20 * MS, Duration::ZERO, 5 * MS)
    );
}

#[test]
fn closing_refuses_what_waits_and_reports_all() {
    let mut bench = Bench::new(1, 1);
    let running = bench.ask("a", Priority::Normal);
    let waiting = bench.ask("a", Priority::Normal);
    let deadline = bench.now + 30 * MS;
    bench.act(|scheduler, now, effects| {
        scheduler.close(CloseMode::CancelPending, Some(deadline), now, effects);
    });
    assert_eq!(bench.turn(waiting), Turn::Refused(Refusal::Closed));
    bench.now = bench.sweep().unwrap();
    assert_eq!(bench.sweep(), None);
    let report = bench.scheduler.report().unwrap();
    assert_eq!(
        (
            report.accepted,
            report.counts.canceled,
            report.counts.aborted
        ),
        (2, 1, 1)
    );
    bench.leave(running);
    bench.leave(waiting);
    assert!(bench.scheduler.audit().is_idle());
}

#[test]
fn a_job_starts_when_a_worker_is_there() {
    let mut bench = Bench::new(4, 8);
    let ids = bench.act(|scheduler, now, effects| {
        let group = scheduler.open_group([2; Priority::COUNT]).unwrap();
        let ask = |priority| Ask {
            lane: LaneKey::new("a"),
            priority,
            deadline: None,
        };
        let low = scheduler
            .submit(group, ask(Priority::Low), 1, now, effects)
            .unwrap();
        let high = scheduler
            .submit(group, ask(Priority::High), 2, now, effects)
            .unwrap();
        assert_eq!(scheduler.position(low), Some(1));
        assert_eq!(scheduler.position(high), Some(0));
        let mut picked = Vec::new();
        for worker in 0..3 {
            let poll = scheduler.poll_worker(group, worker, Waker::noop().clone(), now, effects);
            if let Poll::Ready(job) = poll {
                picked.push(job.tag);
            }
        }
        assert_eq!(picked, [2, 1]);
        [low, high]
    });
    assert!(
        ids.into_iter()
            .all(|id| bench.state(id) == Some(State::Taken))
    );
}

mod fairness;
mod lanes;
mod limits;
mod rates;
mod scale;
mod transitions;
mod wakers;

#[test]
fn a_lane_grants_no_more_than_its_connections_carry() {
    let mut bench = Bench::new(8, 8);
    let first: Vec<_> = (0..3).map(|_| bench.ask("a", Priority::Normal)).collect();
    let set = |bench: &mut Bench, capacity| {
        bench.act(|scheduler, now, effects| {
            scheduler.set_lane_capacity(LaneKey::new("a"), capacity, now, effects);
        });
    };
    set(&mut bench, Some(2));
    let low = bench.ask("a", Priority::Low);
    let high = bench.ask("a", Priority::High);
    // What runs goes on; of what waits, the most urgent starts when one of two is free.
    bench.leave(first[0]);
    assert_eq!(bench.state(high), Some(State::Queued));
    bench.leave(first[1]);
    assert_eq!(bench.state(high), Some(State::Granted));
    assert_eq!(bench.state(low), Some(State::Queued));
    set(&mut bench, Some(0));
    bench.leave(high);
    bench.leave(first[2]);
    assert_eq!(
        bench.state(low),
        Some(State::Queued),
        "the lane stands still"
    );
    let elsewhere = bench.ask("b", Priority::Low);
    assert_eq!(bench.state(elsewhere), Some(State::Taken));
    set(&mut bench, None);
    assert_eq!(bench.state(low), Some(State::Granted));
}

#[test]
fn a_lane_whose_connections_say_what_they_carry_is_kept_while_it_is_idle() {
    let mut bench = Bench::with(Rules {
        per_lane: 8,
        idle_lanes: 1,
        ..Rules::default()
    });
    let set = |bench: &mut Bench, lane, capacity| {
        bench.act(|scheduler, now, effects| {
            scheduler.set_lane_capacity(LaneKey::new(lane), capacity, now, effects);
        });
    };
    let use_once = |bench: &mut Bench, lane| {
        let call = bench.ask(lane, Priority::Normal);
        bench.leave(call);
    };
    use_once(&mut bench, "a");
    set(&mut bench, "a", Some(1));
    // One that is not known yet is made.
    set(&mut bench, "b", Some(1));
    for lane in ["c", "d", "e"] {
        use_once(&mut bench, lane);
    }
    assert_eq!(bench.scheduler.idle_lanes().collect::<String>(), "e");
    for lane in ["a", "b"] {
        let first = bench.ask(lane, Priority::Normal);
        let second = bench.ask(lane, Priority::Normal);
        assert_eq!(bench.state(second), Some(State::Queued), "{lane}");
        bench.leave(first);
        assert_eq!(bench.state(second), Some(State::Granted), "{lane}");
        bench.leave(second);
    }
    // Taken back, they are lanes as all others: idle, and forgotten in their turn.
    set(&mut bench, "a", None);
    assert_eq!(bench.scheduler.idle_lanes().collect::<String>(), "a");
    set(&mut bench, "b", None);
    assert_eq!(bench.scheduler.idle_lanes().collect::<String>(), "b");
    use_once(&mut bench, "c");
    assert_eq!(bench.scheduler.queues.lanes.len(), 1);
    // A lane that is not known has nothing to be taken back, and is not made for it.
    set(&mut bench, "f", None);
    assert_eq!(bench.scheduler.queues.lanes.len(), 1);
}
