//! The order of starts with five levels.

use std::task::Waker;
use std::time::Instant;

use super::admission::{
    Ask, Effects, LaneKey, Outcome, Priority, Rules, Scheduler, State, Turn, VisitId,
};

/// Enters a visit that waits in one of three lanes.
fn ask(scheduler: &mut Scheduler, index: usize, now: Instant) -> (usize, usize, VisitId) {
    let priority = Priority::ALL[index * 7 % Priority::COUNT];
    let ask = Ask {
        lane: LaneKey::new(["a", "b", "c"][index % 3]),
        priority,
        deadline: None,
    };
    let id = scheduler.enter(now).unwrap();
    let state = scheduler.admit(id, ask, now, &mut Effects::default());
    assert!(matches!(state, Ok(State::Queued)));
    (priority.index(), index, id)
}

#[test]
fn a_fifth_level_is_served_in_its_place() {
    assert_eq!(Priority::COUNT, 5);
    assert_eq!("RAISED".parse(), Ok(Priority::Raised));
    #[allow(clippy::disallowed_methods, reason = "a mark to count from")]
    let now = Instant::now();
    let rules = Rules {
        total: 1,
        ..Rules::default()
    };
    let mut scheduler = Scheduler::new(rules, now).unwrap();
    let mut effects = Effects::default();
    let mut running = scheduler.enter(now).unwrap();
    let first = Ask {
        lane: LaneKey::new("a"),
        priority: Priority::Low,
        deadline: None,
    };
    scheduler.admit(running, first, now, &mut effects).unwrap();
    let mut waiting: Vec<_> = (0..10_000)
        .map(|index| ask(&mut scheduler, index, now))
        .collect();
    waiting.sort_unstable_by_key(|(level, index, _)| (*level, *index));
    for (level, index, next) in waiting {
        scheduler.leave(running, Outcome::Completed, now, &mut effects);
        let turn = scheduler.turn(next, Waker::noop(), now, &mut effects);
        assert!(matches!(turn, Turn::Taken(_)), "{level}, {index}: {turn:?}");
        running = next;
    }
    scheduler.leave(running, Outcome::Completed, now, &mut effects);
    assert_eq!(effects.perform(), 0);
    assert!(scheduler.audit().is_quiet());
}
