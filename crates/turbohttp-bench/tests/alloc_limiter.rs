//! What the limiter allocates in steady state, where nobody waits and where 10,000 tasks do: nothing.
//!
//! One test in one process, as all threads are counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::{Future, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;
use turbohttp::{ConcurrencyLimiter, LimiterLane, Limits};
use turbohttp_bench::meter::{self, Reading};

#[global_allocator]
static ALLOCATOR: meter::Meter = meter::Meter;

const KEY: &str = "http://host.test:8080";
const TASKS: u64 = 10_000;
const TIMES: u64 = 40;

fn limiter() -> ConcurrencyLimiter {
    let limits = Limits::default().per_host(64).total(64);
    ConcurrencyLimiter::new(&limits.waiting(1 << 16).waiting_per_host(1 << 16)).unwrap()
}

/// Counts of each kind, of which the least is held to the bound.
const TRIES: usize = 3;

/// With a key or with a handle of it.
#[derive(Clone)]
enum By {
    Key(ConcurrencyLimiter),
    Lane(LimiterLane),
}

impl By {
    async fn run(&self, work: impl Future) {
        match self {
            By::Key(limiter) => limiter.execute(KEY, work).await.map(drop).unwrap(),
            By::Lane(lane) => lane.execute(work).await.map(drop).unwrap(),
        }
    }
}

async fn allocations_alone(way: By) -> u64 {
    for _ in 0..100 {
        way.run(ready(())).await;
    }
    let before = Reading::now();
    for _ in 0..10_000 {
        way.run(ready(())).await;
    }
    Reading::now().since(before).allocations
}

/// Counted while every task is there: between a quarter and three quarters of the way.
async fn allocations_in_a_crowd(way: By) -> u64 {
    let done = Arc::new(AtomicU64::new(0));
    let readings = Arc::new([const { AtomicU64::new(0) }; 2]);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (way, done, readings) = (way.clone(), done.clone(), readings.clone());
        tasks.spawn(async move {
            for _ in 0..TIMES {
                // Yields, so that others come in between.
                way.run(tokio::task::yield_now()).await;
                let reading = match done.fetch_add(1, Ordering::Relaxed) + 1 {
                    done if done == TASKS * TIMES / 4 => &readings[0],
                    done if done == TASKS * TIMES / 4 * 3 => &readings[1],
                    _ => continue,
                };
                reading.store(Reading::now().allocations, Ordering::Relaxed);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let [from, to] = [0, 1].map(|index| readings[index].load(Ordering::Relaxed));
    assert!(
        from > TASKS,
        "every task was allocated before counting began"
    );
    to - from
}

#[test]
fn acquiring_and_releasing_allocates_nothing() {
    assert!(
        meter::proves_itself(),
        "the counting allocator does not count"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limiter = limiter();
    let lane = limiter.lane(KEY).unwrap();
    for way in [By::Key(limiter.clone()), By::Lane(lane)] {
        // The harness has a thread of its own, which allocates a few times as it starts to wait: it can
        // only add to a count, and is quiet by the next one.
        let least = |count: &dyn Fn() -> u64| (0..TRIES).map(|_| count()).min();
        let alone = least(&|| runtime.block_on(allocations_alone(way.clone())));
        assert_eq!(alone, Some(0), "alone");
        let crowd = least(&|| runtime.block_on(allocations_in_a_crowd(way.clone())));
        assert_eq!(
            crowd,
            Some(0),
            "10,000 tasks in flight before a limit of 64"
        );
    }
    assert!(limiter.audit().is_idle());
}
