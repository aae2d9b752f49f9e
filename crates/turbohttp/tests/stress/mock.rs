//! Twenty storms of ten thousand requests on the mock transport, and some on two threads.

use tokio::runtime::{Builder, Runtime};
use turbohttp::{QueueStats, Shutdown};

use crate::booth::Pace;
use crate::crew::Crew;
use crate::oracle::Outcome;
use crate::plan::{Order, Plan, Route};

/// Orders of one storm.
const ORDERS: usize = 10_000;

/// For the last tasks, which need a few; on several threads their thread may have to wait for a core,
/// so far more.
const FAREWELL_TURNS: u64 = 10_000_000;

/// What every storm of [`ORDERS`] must have hit at least so often, or it proves nothing.
const FLOORS: [(&str, u64); 13] = [
    ("answered_direct", 1_500),
    ("answered_queued", 1_500),
    ("canceled_sent", 50),
    ("canceled_unsent", 100),
    ("expired", 50),
    ("failed", 500),
    ("late_sent", 10),
    ("late_unsent", 20),
    ("panicked", 150),
    ("refused", 10),
    ("slow_reads", 200),
    ("unpolled", 100),
    ("unread", 200),
];

fn one_thread() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

fn two_threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// One storm, settled; returns what became of each order.
fn storm(seed: u64, runtime: &Runtime, pace: Pace) -> Vec<Option<Outcome>> {
    storm_of(runtime, pace, || Crew::new(Plan::draw(seed, ORDERS), pace))
}

fn storm_of(runtime: &Runtime, pace: Pace, crew: impl FnOnce() -> Crew) -> Vec<Option<Outcome>> {
    crate::silence_expected_panics();
    runtime.block_on(async {
        let crew = crew();
        crew.work().await;
        settle(&crew, pace).await;
        crew.oracle.outcomes()
    })
}

/// The accounts at the end: the oracle has no complaint, the client agrees, and nothing is left.
async fn settle(crew: &Crew, pace: Pace) {
    let seed = crew.plan.seed;
    let events = crew.oracle.events();
    println!("seed {seed}: {events:?}");
    let complaints = crew.oracle.complaints();
    let some: Vec<_> = complaints.iter().take(20).collect();
    assert!(
        complaints.is_empty(),
        "seed {seed}: {} complaints: {some:#?}",
        complaints.len()
    );
    for (event, floor) in FLOORS {
        let hit = events.get(event).copied().unwrap_or(0);
        // Times by the real clock are short, and a turn of the runtime is a step of any length.
        let is_asked = pace == Pace::Clock
            || !matches!(event, "late_sent" | "late_unsent" | "expired" | "refused");
        assert!(
            hit >= floor || !is_asked,
            "seed {seed}: {event} hit {hit} times: {events:?}"
        );
    }
    for queue in [&crew.queued, &crew.streamed] {
        let stopped = queue.stop(Shutdown::default()).await;
        assert_eq!(stopped.accepted, 0, "seed {seed}: {stopped}");
    }
    agree_on_counts(crew, pace);
    agree_on_queues(crew, pace);
    agree_with_the_mock(crew, pace);
    is_idle(crew).await;
}

/// What the client says of itself is what the oracle saw.
fn agree_on_counts(crew: &Crew, pace: Pace) {
    let ended = crew.client.stats().scheduler.ended;
    let count = |is: fn(Outcome) -> bool| crew.oracle.count(is, |_| true);
    let is_collected = |order: &Order| order.route == Route::Queued;
    // An answer that the queue had read already was complete before it was dropped.
    let unread_but_complete = crew.oracle.count(is_unread, is_collected);
    let seen = [
        ended.completed,
        ended.failed,
        ended.canceled,
        ended.expired,
        ended.aborted,
    ];
    let expected = [
        count(|outcome| outcome == Outcome::Answered) + unread_but_complete,
        count(|outcome| matches!(outcome, Outcome::Failed | Outcome::Late)),
        count(|outcome| is_unread(outcome) || is_given_up(outcome)) - unread_but_complete,
        count(|outcome| matches!(outcome, Outcome::LateInLine | Outcome::Expired)),
        0,
    ];
    let seed = crew.plan.seed;
    match pace {
        Pace::Clock => assert_eq!(seen, expected, "seed {seed}"),
        // A ticket can be canceled when its request has ended, and before the job has: the request is
        // counted as what it was.
        Pace::Turns => {
            let tickets = count(|outcome| matches!(outcome, Outcome::Canceled(_)));
            let canceled = expected[2] - tickets..=expected[2];
            assert!(
                canceled.contains(&seen[2]),
                "seed {seed}: {seen:?}, not {expected:?}"
            );
            for kind in [0, 1, 3, 4] {
                assert!(
                    seen[kind] >= expected[kind],
                    "seed {seed}: {seen:?}, not {expected:?}"
                );
            }
            let sums = (seen.iter().sum::<u64>(), expected.iter().sum::<u64>());
            assert_eq!(sums.0, sums.1, "seed {seed}");
        }
    }
}

fn is_unread(outcome: Outcome) -> bool {
    outcome == Outcome::Unread
}

/// By its caller, or by a panic.
fn is_given_up(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Panicked | Outcome::Canceled(_) | Outcome::Left
    )
}

/// A job that was started and came to an error: its second attempt may have waited for a permit in vain.
fn is_failed_job(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed | Outcome::Late | Outcome::LateInLine | Outcome::Panicked
    )
}

fn agree_on_queues(crew: &Crew, pace: Pace) {
    let seed = crew.plan.seed;
    for (route, queue) in [
        (Route::Queued, &crew.queued),
        (Route::Streamed, &crew.streamed),
    ] {
        let stats: QueueStats = queue.stats();
        let count = |is: fn(Outcome) -> bool| crew.oracle.count(is, |order| order.route == route);
        let seen = [
            stats.ended.completed,
            stats.ended.failed,
            stats.ended.canceled,
            stats.ended.expired,
        ];
        let expected = [
            count(|outcome| is_unread(outcome) || outcome == Outcome::Answered),
            count(is_failed_job),
            count(|outcome| matches!(outcome, Outcome::Canceled(_))),
            count(|outcome| outcome == Outcome::Expired),
        ];
        assert_eq!(seen, expected, "seed {seed}, {route:?}");
        // On several threads a ticket may be canceled just as its job panics.
        let panics = count(|outcome| outcome == Outcome::Panicked);
        let has_all = match pace {
            Pace::Clock => stats.panicked == panics,
            Pace::Turns => stats.panicked >= panics,
        };
        assert!(has_all, "seed {seed}, {route:?}: {stats:?}, not {panics}");
        assert_eq!(
            (stats.ended.aborted, stats.running, stats.submitters),
            (0, 0, 0),
            "seed {seed}"
        );
        assert_eq!(stats.waiting.iter().sum::<usize>(), 0, "seed {seed}");
    }
}

/// Two accountants on the other side.
fn agree_with_the_mock(crew: &Crew, pace: Pace) {
    let (totals, mock) = (crew.oracle.totals(), crew.mock.stats());
    assert_eq!(mock.left + mock.dropped, mock.entered);
    let seed = crew.plan.seed;
    match pace {
        // A caller that leaves in the millisecond of the answer is counted as one or the other.
        Pace::Clock if crew.bare.is_some() => {
            assert_eq!(mock.entered, totals.left + totals.dropped, "seed {seed}");
            assert!(
                mock.peak <= crew.plan.peak() as u64,
                "seed {seed}: {mock:?}"
            );
        }
        Pace::Clock => assert_eq!(
            (mock.left, mock.dropped),
            (totals.left, totals.dropped),
            "seed {seed}"
        ),
        // Turns are taken before the mock.
        Pace::Turns => assert_eq!(mock.entered, totals.left, "seed {seed}"),
    }
}

/// No permit is held, and no task is left.
async fn is_idle(crew: &Crew) {
    let seed = crew.plan.seed;
    let audit = crew.client.audit();
    assert!(audit.is_idle(), "seed {seed}: {audit:?}");
    let closed = crew.client.close(Shutdown::default()).await;
    assert_eq!((closed.accepted, closed.failures.len()), (0, 0), "{closed}");
    assert_eq!(crew.mock.stats().closed, 1);
    no_task_is_left(seed).await;
}

/// What is told to end ends within some turns of the runtime.
async fn no_task_is_left(seed: u64) {
    let metrics = tokio::runtime::Handle::current().metrics();
    for _ in 0..FAREWELL_TURNS {
        if metrics.num_alive_tasks() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    let left = metrics.num_alive_tasks();
    assert_eq!(left, 0, "seed {seed}: {left} tasks are left");
}

fn storms(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        storm(seed, &one_thread(), Pace::Clock);
    }
}

/// Five seeds of each kind of client: the two bits at the end of a seed are its kind.
#[test]
fn storms_on_a_bare_client_add_up() {
    storms((0..40).filter(|seed| seed % 4 == 0).take(5));
}

#[test]
fn storms_behind_middlewares_add_up() {
    storms((0..40).filter(|seed| seed % 4 == 1).take(5));
}

#[test]
fn storms_that_are_short_of_the_total_add_up() {
    storms((0..40).filter(|seed| seed % 4 == 2).take(5));
}

#[test]
fn storms_that_are_short_of_the_total_behind_middlewares_add_up() {
    storms((0..40).filter(|seed| seed % 4 == 3).take(5));
}

/// The same where the client holds the mock itself, which it drives without a box; with permits for all
/// hosts, and short of them.
#[test]
fn storms_on_a_mock_without_a_box_add_up() {
    for seed in [300, 302] {
        let plan = Plan::draw(seed, ORDERS);
        storm_of(&one_thread(), Pace::Clock, || Crew::bare(plan));
    }
}

/// On one thread and a paused clock the same seed is the same storm, order by order.
#[test]
fn a_storm_comes_again_as_it_was() {
    let seed = 103;
    let first = storm(seed, &one_thread(), Pace::Clock);
    let second = storm(seed, &one_thread(), Pace::Clock);
    let differ = (0..ORDERS).find(|id| first[*id] != second[*id]);
    assert_eq!(differ, None, "seed {seed}");
}

/// The same on two threads that really race.
#[test]
fn storms_on_two_threads_add_up() {
    for seed in 200..204 {
        storm(seed, &two_threads(), Pace::Turns);
    }
}
