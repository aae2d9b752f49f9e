//! The bounds of limits, and limits that change while calls run and wait.

use super::*;

fn refused(change: impl FnOnce(&mut Rules)) -> InvalidRule {
    let mut rules = Rules::default();
    change(&mut rules);
    Scheduler::new(rules, crate_now()).unwrap_err()
}

#[test]
fn a_limit_of_nothing_or_beyond_its_bound_is_refused() {
    for (field, error) in [
        ("total", refused(|rules| rules.total = 0)),
        ("total", refused(|rules| rules.total = PERMITS_MAX + 1)),
        ("per_lane", refused(|rules| rules.per_lane = 0)),
        ("per_lane", refused(|rules| rules.per_lane = usize::MAX)),
        ("waiting", refused(|rules| rules.waiting = 0)),
        ("waiting", refused(|rules| rules.waiting = WAITING_MAX + 1)),
        (
            "waiting_per_lane",
            refused(|rules| rules.waiting_per_lane = 0),
        ),
        ("idle_lanes", refused(|rules| rules.idle_lanes = 0)),
        (
            "ageing",
            refused(|rules| rules.ageing = Some(Duration::ZERO)),
        ),
        (
            "reserve.total",
            refused(|rules| rules.reserve.total[0] = rules.total),
        ),
        (
            "reserve.per_lane",
            refused(|rules| rules.reserve.per_lane = [usize::MAX; Priority::COUNT]),
        ),
    ] {
        assert_eq!(error.field, field);
        assert!(error.to_string().starts_with(&format!("{field} must be ")));
    }
    let both = refused(|rules| {
        rules.ageing = Some(MS);
        rules.reserve.total[0] = 1;
    });
    assert_eq!(
        both.to_string(),
        "reserve must be none where ageing is on (got 1)"
    );
}

#[test]
fn the_largest_limits_are_taken() {
    let rules = Rules {
        total: PERMITS_MAX,
        per_lane: PERMITS_MAX,
        waiting: WAITING_MAX,
        waiting_per_lane: WAITING_MAX,
        idle_lanes: PERMITS_MAX,
        ageing: Some(bounds::AGEING_MAX),
        ..Rules::default()
    };
    let mut bench = Bench::with(rules);
    let id = bench.ask("a", Priority::Low);
    assert_eq!(bench.state(id), Some(State::Taken));
    bench.act(|scheduler, now, effects| {
        scheduler.set_total(1, now, effects).unwrap();
        for limit in [0, PERMITS_MAX + 1, usize::MAX] {
            assert!(scheduler.set_total(limit, now, effects).is_err());
            assert!(scheduler.set_per_lane(limit, now, effects).is_err());
            let lane = LaneKey::new("a");
            assert!(
                scheduler
                    .set_lane_limit(lane, Some(limit), now, effects)
                    .is_err()
            );
        }
    });
    // The longest step still keeps the levels apart.
    let waiting =
        [Priority::Low, Priority::Normal, Priority::High].map(|priority| bench.ask("a", priority));
    bench.leave(id);
    assert_eq!(bench.state(waiting[2]), Some(State::Granted));
    // A longer step would overflow the rank.
    let endless = Rules {
        ageing: Some(Duration::MAX),
        ..Rules::default()
    };
    assert_eq!(endless.check().unwrap_err().field, "ageing");
}

#[test]
fn a_limit_that_is_lowered_takes_nothing_away_and_comes_to_hold() {
    let mut bench = Bench::new(8, 8);
    let running: Vec<_> = (0..8).map(|_| bench.ask("a", Priority::Normal)).collect();
    let waiting: Vec<_> = (0..8).map(|_| bench.ask("a", Priority::Normal)).collect();
    bench.act(|scheduler, now, effects| scheduler.set_total(3, now, effects).unwrap());
    let mut out = Vec::new();
    for id in running {
        assert_eq!(bench.state(id), Some(State::Taken));
        bench.leave(id);
        out.push(bench.scheduler.audit().running);
    }
    assert_eq!(out, [7, 6, 5, 4, 3, 3, 3, 3]);
    let granted = waiting
        .iter()
        .filter(|id| bench.state(**id) == Some(State::Granted));
    assert_eq!(granted.count(), 3);
}

#[test]
fn a_limit_that_is_raised_wakes_exactly_as_many() {
    type Raise = fn(&mut Scheduler, Instant, &mut Effects);
    let raises: [Raise; 3] = [
        |scheduler, now, effects| scheduler.set_total(6, now, effects).unwrap(),
        |scheduler, now, effects| scheduler.set_per_lane(6, now, effects).unwrap(),
        |scheduler, now, effects| {
            let lane = LaneKey::new("a");
            scheduler
                .set_lane_limit(lane, Some(6), now, effects)
                .unwrap();
        },
    ];
    for (index, raise) in raises.into_iter().enumerate() {
        let mut bench = match index {
            0 => Bench::new(16, 2),
            _ => Bench::new(2, 16),
        };
        for _ in 0..12 {
            let id = bench.ask("a", Priority::Normal);
            bench.turn_with(id, Waker::noop());
        }
        let wakes = bench.act(|scheduler, now, effects| {
            raise(scheduler, now, effects);
            effects.wakes()
        });
        assert_eq!(wakes, 4);
        assert_eq!(bench.scheduler.audit().running, 6);
    }
}

#[test]
fn one_release_wakes_one_of_a_thousand() {
    let mut bench = Bench::new(1_000, 1);
    let mut running = bench.ask("a", Priority::Normal);
    let waiting: Vec<_> = (0..1_000)
        .map(|index| {
            let id = bench.ask(&format!("{}", index % 10), Priority::Normal);
            bench.turn_with(id, Waker::noop());
            id
        })
        .collect();
    for next in waiting {
        let wakes = bench.act(|scheduler, now, effects| {
            scheduler.leave(running, Outcome::Completed, now, effects);
            effects.wakes()
        });
        assert_eq!(wakes, 1);
        assert!(matches!(bench.turn(next), Turn::Taken(_)));
        running = next;
    }
}

#[test]
fn what_waits_is_bounded_in_all_and_in_each_lane() {
    let mut bench = Bench::with(Rules {
        per_lane: 1,
        total: 2,
        waiting: 5,
        waiting_per_lane: 3,
        ..Rules::default()
    });
    let refusal = |bench: &mut Bench, lane: &str| {
        bench.act(|scheduler, now, effects| {
            let id = scheduler.enter(now).unwrap();
            let ask = Ask {
                lane: LaneKey::new(lane),
                priority: Priority::Normal,
                deadline: None,
            };
            let refusal = scheduler.admit(id, ask, now, effects).err();
            refusal.inspect(|_| scheduler.leave(id, Outcome::Failed, now, effects))
        })
    };
    for lane in ["a", "b", "a", "a"] {
        assert_eq!(refusal(&mut bench, lane), None);
    }
    let canceled = bench.ask("a", Priority::Low);
    let full = |bound, limit| Some(Refusal::Full { bound, limit });
    assert_eq!(refusal(&mut bench, "a"), full(Bound::Lane, 3));
    assert_eq!(refusal(&mut bench, "b"), None);
    assert_eq!(refusal(&mut bench, "b"), None);
    assert_eq!(refusal(&mut bench, "c"), full(Bound::Waiting, 5));
    // A call that leaves the line frees its place at once.
    bench.leave(canceled);
    assert_eq!(refusal(&mut bench, "c"), None);
    assert_eq!(refusal(&mut bench, "c"), full(Bound::Waiting, 5));
}

/// A job waits for a worker while a caller takes a permit: the lane's limit holds for both
/// together.
#[test]
fn a_caller_that_passes_a_job_without_a_worker_counts_for_the_job() {
    let mut bench = Bench::new(1, 8);
    let job = bench.submit("a", Priority::Normal);
    let caller = bench.ask("a", Priority::Low);
    assert_eq!(bench.state(caller), Some(State::Taken));
    assert_eq!(bench.work(0), None);
    assert_eq!(bench.scheduler.audit().running, 1);
    bench.leave(caller);
    assert_eq!(bench.work(0), Some(job));
}

#[test]
fn a_reserve_is_left_free_by_all_below_it() {
    let mut reserve = Reserve::default();
    reserve.total[Priority::Critical.index()] = 1;
    reserve.total[Priority::High.index()] = 1;
    let mut bench = Bench::with(Rules {
        total: 4,
        reserve,
        ..Rules::default()
    });
    let asked = [
        (Priority::Low, State::Taken),
        (Priority::Normal, State::Taken),
        (Priority::Normal, State::Queued),
        (Priority::High, State::Taken),
        (Priority::High, State::Queued),
        (Priority::Critical, State::Taken),
        (Priority::Critical, State::Queued),
    ];
    for (index, (priority, state)) in asked.into_iter().enumerate() {
        let id = bench.ask("a", priority);
        assert_eq!(bench.state(id), Some(state), "{index}");
    }
}

/// The last permit of a lane goes to an urgent caller; a less urgent one that waited for the total
/// is not started beyond it.
#[test]
fn a_lane_that_an_urgent_caller_has_filled_is_full_for_the_rest() {
    let mut reserve = Reserve::default();
    reserve.total[Priority::Critical.index()] = 2;
    let mut bench = Bench::with(Rules {
        total: 3,
        per_lane: 1,
        reserve,
        ..Rules::default()
    });
    let other = bench.ask("b", Priority::Low);
    let waiting = bench.ask("a", Priority::Low);
    let urgent = bench.ask("a", Priority::Critical);
    bench.leave(other);
    assert_eq!(
        bench.state(waiting),
        Some(State::Queued),
        "the lane is full"
    );
    bench.leave(urgent);
    assert_eq!(bench.state(waiting), Some(State::Granted));
}

#[test]
fn an_adaptive_limit_starts_what_it_admits_and_is_bounded_by_the_ordinary_one() {
    let mut bench = Bench::with(Rules {
        per_lane: 4,
        adaptive: Some(AdaptiveLimit::aimd().initial(2)),
        ..Rules::default()
    });
    let answered = Observation::Answered(MS);
    let observe = |bench: &mut Bench, observation| {
        bench.act(|scheduler, now, effects| {
            scheduler.observe(LaneKey::new("a"), observation, now, effects);
        });
    };
    let limit = |bench: &Bench| bench.scheduler.audit().busy[0].limit;
    // Of a lane that is not known nothing is kept.
    observe(&mut bench, answered);
    assert_eq!(bench.scheduler.audit().origins, 0);
    let calls: Vec<CallId> = (0..8).map(|_| bench.ask("a", Priority::Normal)).collect();
    assert_eq!((bench.scheduler.audit().running, limit(&bench)), (2, 2));
    for running in [3, 4, 4] {
        observe(&mut bench, answered);
        assert_eq!(bench.scheduler.audit().running, running, "one more at once");
    }
    // What runs goes on, and what is released is kept until the lower limit holds.
    observe(&mut bench, Observation::Overloaded);
    assert_eq!((bench.scheduler.audit().running, limit(&bench)), (4, 3));
    bench.leave(calls[0]);
    assert_eq!(bench.scheduler.audit().running, 3);
    // The limit of the lane is the ceiling, and above it the server decides.
    bench.act(|scheduler, now, effects| {
        let lane = LaneKey::new("a");
        scheduler
            .set_lane_limit(lane, Some(1), now, effects)
            .unwrap();
    });
    assert_eq!(limit(&bench), 1);
    bench.act(|scheduler, now, effects| {
        scheduler.set_per_lane(100, now, effects).unwrap();
        let lane = LaneKey::new("a");
        scheduler.set_lane_limit(lane, None, now, effects).unwrap();
    });
    assert_eq!(limit(&bench), 1, "it has to grow again");
    for id in calls {
        bench.leave(id);
    }
    assert!(bench.scheduler.audit().is_idle());
}
