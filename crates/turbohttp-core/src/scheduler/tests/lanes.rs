//! Lanes are made and forgotten; limits and pauses that were set for them stay.

use super::*;

fn limit_of(bench: &Bench, lane: &str) -> usize {
    let audit = bench.scheduler.audit();
    audit
        .busy
        .iter()
        .find(|busy| busy.origin == lane)
        .unwrap()
        .limit
}

#[test]
fn a_hundred_thousand_lanes_go_through_128_and_hot_ones_keep_their_limits() {
    let mut bench = Bench::with(Rules {
        per_lane: 2,
        total: 4_096,
        ..Rules::default()
    });
    let hot: Vec<String> = (0..64).map(|index| format!("hot {index}")).collect();
    let mut held = Vec::new();
    for lane in &hot {
        held.push([
            bench.ask(lane, Priority::Normal),
            bench.ask(lane, Priority::Normal),
        ]);
    }
    for index in 0..100_000 {
        let cold = bench.ask(&format!("cold {index}"), Priority::Normal);
        bench.leave(cold);
        let lanes = &bench.scheduler.queues.lanes;
        assert!(lanes.idle_count() <= 128 && lanes.len() <= 128 + 64);
        let lane = &hot[index % 64];
        let waiting = bench.ask(lane, Priority::Normal);
        assert_eq!(bench.state(waiting), Some(State::Queued), "two run already");
        let [first, second] = held[index % 64];
        bench.leave(first);
        assert!(matches!(bench.turn(waiting), Turn::Taken(_)));
        held[index % 64] = [second, waiting];
    }
    assert_eq!(bench.scheduler.stats().origins_forgotten, 100_000 - 128);
    let slots = bench.scheduler.queues.lanes.end();
    assert!(slots <= 128 + 64 + 1, "{slots} places for lanes");
}

#[test]
fn the_lane_idle_longest_is_forgotten_first() {
    let mut bench = Bench::with(Rules {
        idle_lanes: 3,
        ..Rules::default()
    });
    let idle = |bench: &Bench| bench.scheduler.idle_lanes().collect::<String>();
    for lane in ["a", "b", "c", "a", "d"] {
        let id = bench.ask(lane, Priority::Normal);
        bench.leave(id);
    }
    assert_eq!(idle(&bench), "cad", "a was used again, b was not");
    let busy = bench.ask("c", Priority::Normal);
    for lane in ["e", "f"] {
        let id = bench.ask(lane, Priority::Normal);
        bench.leave(id);
    }
    assert_eq!(idle(&bench), "def");
    bench.leave(busy);
    assert_eq!(idle(&bench), "efc");
}

#[test]
fn a_lane_with_a_permit_out_is_not_forgotten() {
    let mut bench = Bench::with(Rules {
        per_lane: 2,
        idle_lanes: 1,
        ..Rules::default()
    });
    let held = ["a", "a"].map(|lane| bench.ask(lane, Priority::Normal));
    bench.leave(held[0]);
    for lane in ["b", "c"] {
        let id = bench.ask(lane, Priority::Normal);
        bench.leave(id);
    }
    let more = ["a", "a"].map(|lane| bench.ask(lane, Priority::Normal));
    let states = more.map(|id| bench.state(id));
    assert_eq!(states, [Some(State::Taken), Some(State::Queued)]);
}

#[test]
fn limits_and_pauses_of_a_lane_outlive_its_being_forgotten() {
    let mut bench = Bench::with(Rules {
        per_lane: 4,
        idle_lanes: 1,
        ..Rules::default()
    });
    let until = bench.now + 50 * MS;
    bench.act(|scheduler, now, effects| {
        let own = LaneKey::new("own");
        scheduler
            .set_lane_limit(own, Some(1), now, effects)
            .unwrap();
        let paused = LaneKey::new("paused");
        scheduler.pause(paused, until, now, effects).unwrap();
    });
    for lane in ["own", "x", "paused", "y", "z"] {
        let id = bench.ask(lane, Priority::Normal);
        bench.leave(id);
    }
    let paused = bench.ask("paused", Priority::Critical);
    assert_eq!(bench.state(paused), Some(State::Queued));
    let first = bench.ask("own", Priority::Normal);
    assert_eq!(limit_of(&bench, "own"), 1);
    let second = bench.ask("own", Priority::Normal);
    assert_eq!(bench.state(second), Some(State::Queued));
    bench.act(|scheduler, now, effects| {
        let own = LaneKey::new("own");
        scheduler.set_lane_limit(own, None, now, effects).unwrap();
    });
    assert_eq!(bench.state(second), Some(State::Granted));
    bench.now = until;
    bench.sweep();
    assert_eq!(bench.state(paused), Some(State::Granted));
    for id in [first, second, paused] {
        bench.leave(id);
    }
}

#[test]
fn lanes_with_rules_of_their_own_are_bounded() {
    let mut bench = Bench::new(4, 4);
    let until = bench.now + 50 * MS;
    bench.act(|scheduler, now, effects| {
        for index in 0..OVERRIDES_MAX {
            let lane = index.to_string();
            let lane = LaneKey::new(&lane);
            scheduler
                .set_lane_limit(lane, Some(2), now, effects)
                .unwrap();
            scheduler.pause(lane, until, now, effects).unwrap();
        }
        let known = LaneKey::new("7");
        scheduler
            .set_lane_limit(known, Some(3), now, effects)
            .unwrap();
        scheduler.pause(known, until, now, effects).unwrap();
        let other = LaneKey::new("other");
        assert!(
            scheduler
                .set_lane_limit(other, Some(2), now, effects)
                .is_err()
        );
        assert!(scheduler.pause(other, until, now, effects).is_err());
        assert!(scheduler.resume(known, now, effects));
        scheduler.set_lane_limit(known, None, now, effects).unwrap();
        scheduler
            .set_lane_limit(other, Some(2), now, effects)
            .unwrap();
        scheduler.pause(other, until, now, effects).unwrap();
    });
    bench.now = until;
    bench.sweep();
    let audit = bench.scheduler.audit();
    assert_eq!((audit.paused, audit.origins), (0, 128));
}

/// A call that lost its grant gets back into the same lane, although 1,000 other lanes were made
/// meanwhile.
#[test]
fn a_place_that_is_kept_keeps_its_lane() {
    let mut bench = Bench::with(Rules {
        per_lane: 1,
        idle_lanes: 1,
        ..Rules::default()
    });
    let running = bench.ask("a", Priority::Normal);
    let asleep = bench.ask("a", Priority::Normal);
    bench.leave(running);
    for _ in 0..3 {
        bench.now = bench.sweep().unwrap_or(bench.now);
    }
    assert_eq!(bench.state(asleep), Some(State::Parked));
    for index in 0..1_000 {
        let other = bench.ask(&format!("other {index}"), Priority::Normal);
        bench.leave(other);
    }
    let busy = bench.ask("b", Priority::Normal);
    bench.turn(asleep);
    assert!(matches!(bench.turn(asleep), Turn::Taken(_)));
    let next = bench.ask("a", Priority::Normal);
    assert_eq!(
        bench.state(next),
        Some(State::Queued),
        "one lane a, and it is full"
    );
    for id in [asleep, next, busy] {
        bench.leave(id);
    }
    assert!(bench.scheduler.audit().is_idle());
    assert_eq!(bench.scheduler.audit().origins, 1);
}

#[test]
fn a_pinned_lane_is_kept_until_it_is_unpinned_as_often() {
    let mut bench = Bench::with(Rules {
        idle_lanes: 1,
        ..Rules::default()
    });
    let key = LaneKey::new("pinned");
    let pins = [0, 1].map(|_| bench.scheduler.pin(key).unwrap());
    let churn = |bench: &mut Bench| {
        for lane in ["a", "b", "c"] {
            let id = bench.ask(lane, Priority::Normal);
            bench.leave(id);
        }
    };
    for pin in &pins {
        churn(&mut bench);
        let found = bench.scheduler.queues.lanes.find(key);
        assert_eq!(found, bench.scheduler.queues.lanes.find(pin.key()));
        assert!(found.is_some());
        assert!(bench.scheduler.audit().busy.is_empty());
        assert_eq!(bench.scheduler.audit().pinned_origins, 1);
        bench.scheduler.unpin(pin);
    }
    assert_eq!(bench.scheduler.audit().pinned_origins, 0);
    churn(&mut bench);
    assert_eq!(bench.scheduler.queues.lanes.find(key), None);
}

#[test]
fn so_many_lanes_may_be_pinned_and_no_more() {
    let mut bench = Bench::new(1, 1);
    for index in 0..PINNED_LANES_MAX {
        let text = format!("lane {index}");
        let _kept = bench.scheduler.pin(LaneKey::new(&text)).unwrap();
    }
    let refused = bench.scheduler.pin(LaneKey::new("one more")).unwrap_err();
    assert_eq!(refused.limit, PINNED_LANES_MAX);
    let known = LaneKey::new("lane 0");
    let again = bench.scheduler.pin(known).unwrap();
    bench.scheduler.unpin(&again);
}

/// A place in line that keeps no times is in a slot whose former call had a deadline.
#[test]
fn a_place_in_line_without_a_call_has_no_deadline_of_a_former_one() {
    let mut bench = Bench::new(1, 1);
    let first = bench.ask("a", Priority::Normal);
    let deadline = bench.now + MS;
    let former = bench.ask_until("a", Priority::Normal, Some(deadline));
    bench.leave(former);
    let ask = Ask {
        lane: LaneKey::new("a"),
        priority: Priority::Normal,
        deadline: None,
    };
    let asked = bench.act(|scheduler, now, effects| {
        scheduler.request_permit(ask, Waker::noop().clone(), now, effects)
    });
    let Ok(PermitRequest::Queued(asleep)) = asked else {
        panic!("the permit is out");
    };
    assert_eq!(asleep.slot, former.slot);
    bench.leave(first);
    for _ in 0..4 {
        bench.now += 100 * MS;
        bench.sweep();
    }
    assert_eq!(bench.state(asleep), Some(State::Parked));
    assert!(matches!(bench.turn(asleep), Turn::Taken(_)));
}

#[test]
fn a_place_in_line_without_a_call_turns_into_a_permit() {
    let mut bench = Bench::new(1, 1);
    let pin = bench.scheduler.pin(LaneKey::new("a")).unwrap();
    let ask = |bench: &mut Bench, deadline| {
        let ask = Ask {
            lane: pin.key(),
            priority: Priority::Normal,
            deadline,
        };
        bench.act(|scheduler, now, effects| {
            scheduler.request_permit(ask, Waker::noop().clone(), now, effects)
        })
    };
    let Ok(PermitRequest::Taken(first)) = ask(&mut bench, None) else {
        panic!("the permit is free");
    };
    let Ok(PermitRequest::Queued(second)) = ask(&mut bench, None) else {
        panic!("the permit is out");
    };
    let late = bench.now + MS;
    let Ok(PermitRequest::Queued(third)) = ask(&mut bench, Some(late)) else {
        panic!("the permit is out");
    };
    assert_eq!(bench.scheduler.claim_permit(second), None);
    assert_eq!(bench.scheduler.waited(second, late), Waited::default());
    bench.act(|scheduler, now, effects| {
        scheduler.release_permit(first, Outcome::Completed, now, effects);
    });
    assert_eq!(bench.state(second), Some(State::Granted));
    let permit = bench.scheduler.claim_permit(second).unwrap();
    assert_eq!(bench.state(second), None);
    bench.now = late;
    bench.sweep();
    assert_eq!(bench.turn(third), Turn::Refused(Refusal::Expired));
    bench.leave(third);
    bench.act(|scheduler, now, effects| {
        scheduler.release_permit(permit, Outcome::Completed, now, effects);
    });
    assert!(bench.scheduler.audit().is_idle());
}
