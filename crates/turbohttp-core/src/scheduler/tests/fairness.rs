//! How long a call can be made to wait.

use super::*;

/// With equal levels no call overtakes another: a call waits for those before it and for no others.
#[test]
fn among_equals_nobody_is_overtaken() {
    const LIMIT: usize = 4;
    let mut bench = Bench::new(16, LIMIT);
    let mut running: Vec<_> = (0..LIMIT)
        .map(|_| bench.ask("a", Priority::Normal))
        .collect();
    let ahead: Vec<_> = (0..40)
        .map(|index| bench.ask(["a", "b", "c"][index % 3], Priority::Normal))
        .collect();
    let mine = bench.ask("b", Priority::Normal);
    let mut queue = ahead;
    queue.push(mine);
    let mut releases = 0;
    loop {
        // Younger calls keep entering.
        queue.push(bench.ask("c", Priority::Normal));
        bench.leave(running.remove(0));
        releases += 1;
        let next = queue.remove(0);
        assert_eq!(
            bench.state(next),
            Some(State::Granted),
            "in the order of arrival"
        );
        if next == mine {
            break;
        }
        bench.turn(next);
        running.push(next);
    }
    assert_eq!(releases, 41, "those ahead and itself");
}

fn under_endless_load(ageing: Option<Duration>) -> Option<Duration> {
    let mut bench = Bench::with(Rules {
        total: 1,
        ageing,
        ..Rules::default()
    });
    let mut running = bench.ask("a", Priority::Critical);
    let low = bench.ask("b", Priority::Low);
    let began = bench.now;
    let mut urgent = std::collections::VecDeque::new();
    for _ in 0..1_000 {
        // Two enter while one is served, so the line grows without end.
        urgent.push_back(bench.ask("a", Priority::Critical));
        urgent.push_back(bench.ask("a", Priority::Critical));
        bench.now += MS;
        bench.leave(running);
        if bench.state(low) == Some(State::Granted) {
            return Some(bench.now - began);
        }
        running = urgent.pop_front().unwrap();
        assert!(matches!(bench.turn(running), Turn::Taken(_)));
    }
    None
}

#[test]
fn endless_urgent_work_starves_the_rest_only_without_ageing() {
    assert_eq!(under_endless_load(None), None);
    // The calls that entered within the bound are served first; each takes a millisecond, in which
    // two more enter.
    let step = 10 * MS;
    let bound = step * (Priority::Low.index() as u32) * 2 + 2 * MS;
    let waited = under_endless_load(Some(step)).unwrap();
    assert!(waited <= bound, "{waited:?} beyond {bound:?}");
    assert!(waited > step, "{waited:?}: a level counts for something");
}

/// A further attempt keeps the age of the first, and what waits before it holds no permit.
#[test]
fn a_further_attempt_stands_where_the_first_would() {
    let mut bench = Bench::new(1, 1);
    let first = bench.ask("a", Priority::Normal);
    let younger = bench.ask("a", Priority::Normal);
    bench.release(first);
    assert!(
        matches!(bench.turn(younger), Turn::Taken(_)),
        "no permit is held meanwhile"
    );
    let youngest = bench.ask("a", Priority::Normal);
    let again = bench.act(|scheduler, now, _| scheduler.enter_for(Some(first), now));
    bench.admit(again, "a").unwrap();
    bench.leave(younger);
    assert_eq!(bench.state(again), Some(State::Granted));
    assert_eq!(bench.state(youngest), Some(State::Queued));
}

/// Two pauses end in the same sweep: the most urgent call starts, whichever pause ended first.
#[test]
fn pauses_that_end_together_are_one_moment() {
    let mut bench = Bench::new(1, 1);
    for (lane, after) in [("a", 5), ("b", 6)] {
        let until = bench.now + after * MS;
        bench.act(|scheduler, now, effects| {
            scheduler
                .pause(LaneKey::new(lane), until, now, effects)
                .unwrap();
        });
    }
    let low = bench.ask("a", Priority::Low);
    let critical = bench.ask("b", Priority::Critical);
    bench.now += 10 * MS;
    bench.sweep();
    assert_eq!(bench.state(critical), Some(State::Granted));
    assert_eq!(bench.state(low), Some(State::Queued));
}

#[test]
fn a_job_that_its_worker_leaves_behind_is_left_to_another() {
    let mut bench = Bench::new(4, 4);
    bench.open();
    assert_eq!((bench.work(1), bench.work(2)), (None, None));
    let job = bench.submit("a", Priority::Normal);
    // The worker that became idle last has been woken, and is forgotten instead of picking up the
    // job.
    let wakes = bench.act(|scheduler, _, effects| {
        scheduler.forget_worker(GroupId(1), 2, effects);
        effects.wakes()
    });
    assert_eq!(wakes, 1, "the other one");
    assert_eq!(bench.work(1), Some(job));
}
