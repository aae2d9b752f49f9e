//! Every operation on a call in every state leads to the state that a table says.

use super::*;

const AWAY: Duration = Duration::from_secs(3_600);

/// A call in `state`, beside another one that holds the permit it would need.
fn call_in(state: State) -> (Bench, CallId, CallId) {
    let mut bench = Bench::new(1, 8);
    let other = bench.ask("a", Priority::Normal);
    let id = match state {
        State::Idle | State::Taken => bench.act(|scheduler, now, _| scheduler.enter(now).unwrap()),
        State::Refused(_) => bench.ask_until("a", Priority::Normal, Some(bench.now + MS)),
        State::Queued | State::Granted | State::Parked => bench.ask("a", Priority::Normal),
    };
    match state {
        State::Idle | State::Queued => {}
        State::Taken => {
            bench.release(other);
            bench.admit(id, "a").unwrap();
        }
        State::Granted => bench.release(other),
        State::Parked => {
            bench.release(other);
            bench.now += AWAY;
            bench.sweep();
            bench.now += AWAY;
            bench.sweep();
            bench.admit(other, "a").unwrap();
        }
        State::Refused(_) => {
            bench.now += AWAY;
            bench.sweep();
        }
    }
    assert_eq!(bench.state(id), Some(state));
    (bench, id, other)
}

type Operation = fn(&mut Bench, CallId, CallId);

/// What can happen to a call, in the order of the columns below.
const OPERATIONS: [(&str, Operation); 11] = [
    ("admit", |bench, id, _| {
        _ = bench.admit(id, "a");
    }),
    ("admit elsewhere", |bench, id, _| {
        _ = bench.admit(id, "b");
    }),
    ("try_admit", |bench, id, _| {
        bench.act(|scheduler, now, effects| {
            let ask = Ask {
                lane: LaneKey::new("a"),
                priority: Priority::Normal,
                deadline: None,
            };
            let _ = scheduler.try_admit(id, ask, now, effects);
        });
    }),
    ("turn", |bench, id, _| {
        bench.turn(id);
    }),
    ("release", |bench, id, _| bench.release(id)),
    ("set_priority", |bench, id, _| {
        bench.act(|scheduler, now, effects| {
            scheduler.set_priority(id, Priority::High, now, effects);
        });
    }),
    ("the other releases", |bench, _, other| bench.release(other)),
    ("time", |bench, _, _| {
        bench.now += AWAY;
        bench.sweep();
        bench.now += AWAY;
        bench.sweep();
    }),
    ("drain", |bench, _, _| bench.close(CloseMode::Drain)),
    ("cancel-pending", |bench, _, _| {
        bench.close(CloseMode::CancelPending)
    }),
    ("now", |bench, _, _| bench.close(CloseMode::Now)),
];

#[test]
fn every_operation_in_every_state_leads_where_the_table_says() {
    use State::{Granted, Idle, Parked, Queued, Taken};
    let expired = State::Refused(Refusal::Expired);
    let closed = State::Refused(Refusal::Closed);
    // admit, elsewhere, try, turn, release, priority, other, time, drain, cancel-pending, now
    let table = [
        (
            Idle,
            [
                Queued, Taken, Idle, Idle, Idle, Idle, Idle, Idle, Idle, Idle, closed,
            ],
        ),
        (
            Queued,
            [
                Queued, Taken, Idle, Queued, Idle, Queued, Granted, Queued, Queued, closed, closed,
            ],
        ),
        (
            Granted,
            [
                Taken, Taken, Taken, Taken, Idle, Granted, Granted, Parked, Granted, closed, closed,
            ],
        ),
        (
            Parked,
            [
                Queued, Taken, Idle, Queued, Idle, Parked, Parked, Parked, Parked, closed, closed,
            ],
        ),
        (
            Taken,
            [
                Taken, Taken, Taken, Taken, Idle, Taken, Taken, Taken, Taken, Taken, Taken,
            ],
        ),
        (
            expired,
            [
                Queued, Taken, Idle, Idle, Idle, expired, expired, expired, expired, expired,
                expired,
            ],
        ),
    ];
    for (from, row) in table {
        for ((name, operation), to) in OPERATIONS.into_iter().zip(row) {
            let (mut bench, id, other) = call_in(from);
            operation(&mut bench, id, other);
            assert_eq!(bench.state(id), Some(to), "{from:?}: {name}");
            bench.leave(id);
            assert_eq!(bench.state(id), None);
            bench.leave(other);
            assert!(bench.scheduler.audit().is_idle(), "{from:?}: {name}");
        }
    }
}

/// The id of a call that has left names no call, also when its slot is used by another one.
#[test]
fn an_id_of_the_past_names_nobody() {
    let mut bench = Bench::new(1, 1);
    let gone = bench.ask("a", Priority::Normal);
    bench.leave(gone);
    let present = bench.ask("a", Priority::Normal);
    assert_eq!(present.slot, gone.slot);
    bench.release(gone);
    bench.leave(gone);
    assert_eq!(bench.turn(gone), Turn::Refused(Refusal::Closed));
    assert_eq!(bench.admit(gone, "a"), Err(Refusal::Closed));
    assert_eq!(bench.state(present), Some(State::Taken));
    assert_eq!(bench.scheduler.audit().running, 1);
}

/// Once a close of any mode has begun, no call enters.
#[test]
fn nobody_comes_in_once_a_close_has_begun() {
    for mode in [CloseMode::Drain, CloseMode::CancelPending, CloseMode::Now] {
        let mut bench = Bench::new(1, 1);
        let group =
            bench.act(|scheduler, _, _| scheduler.open_group([1; Priority::COUNT]).unwrap());
        let inside = bench.ask("a", Priority::Normal);
        bench.close(mode);
        bench.act(|scheduler, now, effects| {
            assert_eq!(scheduler.enter(now), Err(Refusal::Closed));
            let ask = Ask {
                lane: LaneKey::new("a"),
                priority: Priority::Normal,
                deadline: None,
            };
            let submitted = scheduler.submit(group, ask, 0, now, effects);
            assert_eq!(submitted, Err(Refusal::Closed));
        });
        bench.leave(inside);
        assert_eq!(bench.scheduler.stage(), Stage::Closed);
    }
}

/// A drain admits what waits, level by level; a call that does not take up its turn is cut off at
/// the deadline.
#[test]
fn a_drain_serves_all_levels_and_ends_when_the_last_has_left() {
    let mut bench = Bench::new(1, 1);
    let first = bench.ask("a", Priority::Normal);
    let waiting: Vec<_> = Priority::ALL
        .iter()
        .map(|level| bench.ask("a", *level))
        .collect();
    bench.close(CloseMode::Drain);
    let mut last = first;
    for next in waiting {
        assert_eq!(bench.scheduler.report(), None);
        bench.leave(last);
        assert!(matches!(bench.turn(next), Turn::Taken(_)));
        last = next;
    }
    bench.leave(last);
    let report = bench.scheduler.report().unwrap();
    let all = Priority::COUNT as u64 + 1;
    assert_eq!((report.accepted, report.counts.completed), (all, all));
}

/// A grant that came before the deadline holds, however late its owner asks for its turn.
#[test]
fn a_deadline_that_passes_after_the_grant_takes_nothing_away() {
    let mut bench = Bench::new(1, 1);
    let first = bench.ask("a", Priority::Normal);
    let deadline = bench.now + MS;
    let second = bench.ask_until("a", Priority::Normal, Some(deadline));
    bench.leave(first);
    bench.now = deadline + MS;
    bench.sweep();
    assert!(matches!(bench.turn(second), Turn::Taken(_)));
    assert_eq!(bench.scheduler.audit().running, 1);
    bench.leave(second);
    assert!(bench.scheduler.audit().is_idle());
}
