//! Rates of lanes beside everything else: priorities, pauses, limits, closes, and other lanes.

use super::*;

/// One permit in 10 ms, three at once.
fn rate() -> Rate {
    Rate::new(100, Duration::from_secs(1)).burst(3)
}

impl Bench {
    fn set_lane_rate(&mut self, lane: &str, rate: Option<Rate>) {
        let lane = LaneKey::new(lane);
        self.act(|scheduler, now, effects| {
            scheduler.set_lane_rate(lane, rate, now, effects).unwrap();
        });
    }

    fn pause_for(&mut self, lane: &str, time: Duration) {
        let until = self.now + time;
        self.act(|scheduler, now, effects| {
            let lane = LaneKey::new(lane);
            scheduler.pause(lane, until, now, effects).unwrap();
        });
    }

    fn resume(&mut self, lane: &str) -> bool {
        self.act(|scheduler, now, effects| scheduler.resume(LaneKey::new(lane), now, effects))
    }

    /// Passes the time, sweeping at every moment at which something is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.sweep().filter(|due| *due <= end) {
            self.now = due;
        }
        self.now = end;
        self.sweep();
    }

    /// Takes up the grants of these calls, lets them leave, and says which.
    fn serve(&mut self, calls: &mut Vec<CallId>) -> usize {
        let before = calls.len();
        let ready: Vec<CallId> = calls.clone();
        for id in ready {
            if self.state(id) == Some(State::Granted) || self.state(id) == Some(State::Taken) {
                assert!(matches!(self.turn(id), Turn::Taken(_)));
                self.leave(id);
                calls.retain(|other| *other != id);
            }
        }
        before - calls.len()
    }

    fn ask_many(&mut self, lane: &str, count: usize) -> Vec<CallId> {
        (0..count)
            .map(|_| self.ask(lane, Priority::Normal))
            .collect()
    }
}

#[test]
fn a_burst_starts_at_once_and_the_rest_one_by_one() {
    let mut bench = Bench::new(64, 64);
    bench.set_lane_rate("a", Some(rate()));
    let mut calls = bench.ask_many("a", 10);
    assert_eq!(bench.serve(&mut calls), 3, "the burst");
    for _ in 0..7 {
        bench.pass(9 * MS);
        assert_eq!(bench.serve(&mut calls), 0);
        bench.pass(MS);
        assert_eq!(bench.serve(&mut calls), 1);
    }
    assert!(!bench.scheduler.has_due(), "no call waits for the rate");
    // A rest of five intervals saves up three permits.
    bench.pass(50 * MS);
    let mut calls = bench.ask_many("a", 5);
    assert_eq!(bench.serve(&mut calls), 3);
    for id in calls {
        bench.leave(id);
    }
    assert!(!bench.scheduler.has_due(), "the last that waited has gone");
    assert!(bench.scheduler.audit().is_idle());
}

#[test]
fn a_lane_closed_by_its_rate_delays_no_other_and_holds_no_permit() {
    let mut bench = Bench::new(8, 2);
    bench.set_lane_rate("slow", Some(Rate::new(1, Duration::from_secs(3600))));
    let first = bench.ask("slow", Priority::Critical);
    bench.leave(first);
    let waiting: Vec<CallId> = (0..20)
        .map(|_| bench.ask("slow", Priority::Critical))
        .collect();
    assert_eq!(bench.scheduler.audit().running, 0);
    for _ in 0..100 {
        let mut pair = bench.ask_many("fast", 2);
        assert_eq!(bench.serve(&mut pair), 2, "both permits of the total");
    }
    bench.pass(Duration::from_secs(3600));
    let is_granted = |id: &&CallId| bench.state(**id) == Some(State::Granted);
    assert_eq!(waiting.iter().filter(is_granted).count(), 1);
    assert_eq!(bench.state(waiting[0]), Some(State::Granted));
}

#[test]
fn permits_of_a_rate_go_by_priority_then_age() {
    let mut bench = Bench::new(64, 64);
    bench.set_lane_rate("a", Some(rate().burst(1)));
    let first = bench.ask("a", Priority::Low);
    bench.leave(first);
    let low = bench.ask("a", Priority::Low);
    let normal = bench.ask("a", Priority::Normal);
    let job = bench.submit("a", Priority::High);
    assert_eq!(bench.work(0), None);
    let normal_too = bench.ask("a", Priority::Normal);
    bench.pass(10 * MS);
    assert_eq!(
        bench.work(0),
        Some(job),
        "the most urgent, a job of a queue"
    );
    for next in [normal, normal_too, low] {
        bench.pass(10 * MS);
        assert!(matches!(bench.turn(next), Turn::Taken(_)));
    }
}

#[test]
fn a_wait_for_the_rate_is_a_pause_and_one_for_the_limit_is_not() {
    let mut bench = Bench::new(1, 8);
    bench.set_lane_rate("a", Some(rate().burst(1)));
    let first = bench.ask("a", Priority::Normal);
    let second = bench.ask("a", Priority::Normal);
    bench.pass(25 * MS);
    bench.leave(first);
    let Turn::Taken(waited) = bench.turn(second) else {
        panic!("granted");
    };
    // The first 8 ms, as the next permit may come 2 ms early; then the lane was full.
    assert_eq!((waited.paused, waited.lane), (8 * MS, 17 * MS));
    assert_eq!(waited.total, Duration::ZERO);
}

/// Each row: a pause before the rate has closed the lane or after, and what ends it.
#[test]
fn a_pause_and_a_rate_do_not_undo_each_other() {
    let mut bench = Bench::new(64, 64);
    bench.set_lane_rate("a", Some(rate().burst(1)));
    let mut calls = bench.ask_many("a", 4);
    assert_eq!(bench.serve(&mut calls), 1);
    // A shorter pause ends, and the rate goes on.
    bench.pause_for("a", 5 * MS);
    bench.pass(5 * MS);
    assert_eq!(bench.serve(&mut calls), 0, "closed by the rate");
    bench.pass(5 * MS);
    assert_eq!(bench.serve(&mut calls), 1);
    // A resume does not open what the rate has closed.
    bench.pause_for("a", 50 * MS);
    assert!(bench.resume("a"));
    assert!(!bench.resume("a"), "it is paused no more");
    assert_eq!(bench.serve(&mut calls), 0);
    // The rate opens, and a longer pause goes on.
    bench.pause_for("a", 50 * MS);
    bench.pass(20 * MS);
    assert_eq!(bench.serve(&mut calls), 0, "paused");
    assert_eq!(bench.scheduler.audit().paused, 1);
    // Of two requests for a pause the longer one holds, whatever the rate does.
    let (now, later) = (bench.now, bench.now + 10 * MS);
    bench.act(|scheduler, _, effects| {
        let lane = LaneKey::new("a");
        scheduler.extend_pause(lane, later, now, effects).unwrap();
    });
    bench.pass(29 * MS);
    assert_eq!(bench.serve(&mut calls), 0);
    bench.pass(MS);
    assert_eq!(
        bench.serve(&mut calls),
        1,
        "no burst of what the pause has kept"
    );
    bench.pass(10 * MS);
    assert_eq!(bench.serve(&mut calls), 1);
    assert!(bench.scheduler.audit().is_idle());
}

#[test]
fn a_rate_is_set_changed_and_removed_while_calls_wait() {
    let mut bench = Bench::new(64, 64);
    let mut calls = bench.ask_many("a", 4);
    assert_eq!(bench.serve(&mut calls), 4, "no rate yet");
    let hour = Duration::from_secs(3600);
    bench.set_lane_rate("a", Some(Rate::new(1, hour)));
    let mut calls = bench.ask_many("a", 9);
    assert_eq!(bench.serve(&mut calls), 1);
    // What was taken at the slower rate counts for one interval of the new one.
    bench.set_lane_rate("a", Some(rate().burst(1)));
    bench.pass(9 * MS);
    assert_eq!(bench.serve(&mut calls), 0);
    bench.pass(MS);
    assert_eq!(bench.serve(&mut calls), 1);
    // The common rate does not hold for a lane that has its own.
    bench.act(|scheduler, now, effects| {
        let rate = Rate::new(1, hour);
        scheduler.set_rate(Some(rate), now, effects).unwrap();
    });
    bench.pass(10 * MS);
    assert_eq!(bench.serve(&mut calls), 1);
    bench.set_lane_rate("a", None);
    bench.pass(10 * MS);
    assert_eq!(bench.serve(&mut calls), 1, "due before the change");
    bench.pass(hour - 20 * MS);
    assert_eq!(bench.serve(&mut calls), 0, "the common one by now");
    bench.pass(20 * MS);
    assert_eq!(bench.serve(&mut calls), 1);
    bench.act(|scheduler, now, effects| {
        scheduler.set_rate(None, now, effects).unwrap();
    });
    assert_eq!(bench.serve(&mut calls), 4, "all that waited");
    assert!(!bench.scheduler.has_due() && !bench.scheduler.is_timed());
    let refused = bench.act(|scheduler, now, effects| {
        scheduler.set_lane_rate(LaneKey::new("a"), Some(rate().burst(0)), now, effects)
    });
    assert!(refused.is_err());
}

#[test]
fn a_rate_of_its_own_outlives_the_lane_and_a_common_one_begins_anew() {
    let mut bench = Bench::with(Rules {
        rate: Some(rate().burst(1)),
        idle_lanes: 1,
        ..Rules::default()
    });
    bench.set_lane_rate("own", Some(rate().burst(1)));
    let forget = |bench: &mut Bench, lane: &str| {
        let id = bench.ask(lane, Priority::Normal);
        assert_eq!(bench.state(id), Some(State::Taken));
        bench.leave(id);
        for other in ["x", "y"] {
            bench.scheduler.queues.lanes.find(LaneKey::new(other));
            let id = bench.ask(other, Priority::Normal);
            bench.leave(id);
        }
        assert_eq!(bench.scheduler.queues.lanes.find(LaneKey::new(lane)), None);
        let again = bench.ask(lane, Priority::Normal);
        let state = bench.state(again);
        bench.leave(again);
        state
    };
    assert_eq!(forget(&mut bench, "own"), Some(State::Queued));
    bench.pass(100 * MS);
    assert_eq!(forget(&mut bench, "common"), Some(State::Taken));
    bench.pass(100 * MS);
    // A limit of its own does not make the rate its own.
    bench.act(|scheduler, now, effects| {
        let lane = LaneKey::new("limited");
        scheduler
            .set_lane_limit(lane, Some(4), now, effects)
            .unwrap();
    });
    assert_eq!(forget(&mut bench, "limited"), Some(State::Taken));
    bench.pass(100 * MS);
    assert!(bench.scheduler.audit().is_idle());
}

/// Lanes that are merely spent are idle: a hundred thousand of them do not stay.
#[test]
fn lanes_that_are_spent_are_bounded() {
    let hour = Duration::from_secs(3600);
    let mut bench = Bench::with(Rules {
        rate: Some(Rate::new(1, hour)),
        ..Rules::default()
    });
    for index in 0..100_000 {
        let lane = format!("{index}");
        let mut calls = bench.ask_many(&lane, 3);
        assert_eq!(bench.serve(&mut calls), 1);
        for id in calls {
            bench.leave(id);
        }
        assert!(bench.scheduler.queues.lanes.len() <= 129);
    }
    assert!(!bench.scheduler.has_due());
}

/// A permit that was granted and never used goes back into the bucket.
#[test]
fn a_grant_that_is_not_taken_up_costs_the_rate_nothing() {
    let mut bench = Bench::new(64, 64);
    bench.set_lane_rate("a", Some(rate().burst(1)));
    let first = bench.ask("a", Priority::Normal);
    bench.leave(first);
    let [gone, asleep, next] = [0; 3].map(|_| bench.ask("a", Priority::Normal));
    bench.pass(10 * MS);
    assert_eq!(bench.state(gone), Some(State::Granted));
    bench.leave(gone);
    assert_eq!(bench.state(asleep), Some(State::Granted), "at once");
    // Nobody takes it up: parked, and its permit goes to the next one.
    for _ in 0..3 {
        bench.pass(100 * MS);
    }
    assert_eq!(bench.state(asleep), Some(State::Parked));
    assert!(matches!(bench.turn(next), Turn::Taken(_)));
    bench.leave(next);
    assert!(matches!(
        bench.turn(asleep),
        Turn::NeedsWaker | Turn::Taken(_)
    ));
    bench.pass(10 * MS);
    assert!(matches!(bench.turn(asleep), Turn::Taken(_)));
}

#[test]
fn a_close_refuses_what_waits_for_the_rate_or_lets_it_go_on() {
    for mode in [CloseMode::Drain, CloseMode::CancelPending, CloseMode::Now] {
        let mut bench = Bench::new(64, 64);
        bench.set_lane_rate("a", Some(rate().burst(1)));
        let mut calls = bench.ask_many("a", 3);
        bench.close(mode);
        if mode == CloseMode::Drain {
            for _ in 0..3 {
                assert_eq!(bench.serve(&mut calls), 1);
                bench.pass(10 * MS);
            }
        }
        for id in calls {
            if bench.state(id) == Some(State::Taken) {
                bench.leave(id);
                continue;
            }
            assert_eq!(bench.turn(id), Turn::Refused(Refusal::Closed));
            bench.leave(id);
        }
        assert!(bench.scheduler.report().is_some());
        assert!(bench.scheduler.audit().is_idle() && !bench.scheduler.has_due());
    }
}

#[test]
fn a_deadline_passes_while_a_call_waits_for_the_rate() {
    let mut bench = Bench::new(64, 64);
    bench.set_lane_rate("a", Some(Rate::new(1, Duration::from_secs(1))));
    let first = bench.ask("a", Priority::Normal);
    let until = bench.now + 5 * MS;
    let late = bench.ask_until("a", Priority::Normal, Some(until));
    bench.pass(5 * MS);
    assert_eq!(bench.turn(late), Turn::Refused(Refusal::Expired));
    bench.leave(late);
    bench.leave(first);
    assert!(!bench.scheduler.has_due(), "no one waits for the rate");
}

#[test]
fn lanes_with_a_rate_of_their_own_are_bounded() {
    let mut bench = Bench::new(4, 4);
    for index in 0..OVERRIDES_MAX {
        bench.set_lane_rate(&index.to_string(), Some(rate()));
    }
    let set = |bench: &mut Bench, rate| {
        bench.act(|scheduler, now, effects| {
            scheduler.set_lane_rate(LaneKey::new("more"), rate, now, effects)
        })
    };
    assert!(set(&mut bench, Some(rate())).is_err());
    bench.set_lane_rate("7", None);
    assert!(set(&mut bench, Some(rate())).is_ok());
    assert!(bench.scheduler.is_timed());
    bench.set_lane_rate("more", None);
    for index in 0..OVERRIDES_MAX {
        bench.set_lane_rate(&index.to_string(), None);
    }
    assert!(!bench.scheduler.is_timed());
}
