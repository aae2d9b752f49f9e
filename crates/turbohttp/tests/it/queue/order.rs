//! The order in which jobs start.

use turbohttp::{Limits, Shutdown};

use super::*;

/// Priorities in an order that only the seed decides.
fn mixed(seed: u64, count: usize) -> Vec<Priority> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize
    };
    let levels = Priority::ALL;
    (0..count).map(|_| levels[next() % levels.len()]).collect()
}

async fn order_of(seed: u64, count: usize, workers: usize) -> (Vec<u64>, Vec<Priority>) {
    let bed = Bed::new(QueueOptions::default().workers(workers).per_priority(count));
    let priorities = mixed(seed, count);
    let tickets: Vec<_> = (0..)
        .zip(&priorities)
        .map(|(id, priority)| bed.put_at(*priority, id, Act::Done))
        .collect();
    bed.queue.start().unwrap();
    for ticket in tickets {
        ticket.await.unwrap();
    }
    let stopped = bed.queue.stop(Shutdown::default()).await;
    assert_eq!(stopped.accepted, 0);
    expect_quiet(&bed.queue.limiter()).await;
    (bed.log(), priorities)
}

#[tokio::test]
async fn one_worker_serves_in_the_order_of_priority_and_age() {
    let (log, priorities) = order_of(7, 10_000, 1).await;
    let mut expected: Vec<u64> = (0..10_000).collect();
    expected.sort_by_key(|id| (priorities[*id as usize], *id));
    assert_eq!(log, expected);
    for _ in 0..3 {
        assert_eq!(order_of(7, 10_000, 1).await.0, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_workers_never_start_what_is_less_urgent_while_more_urgent_work_waits() {
    // All of it waits before the first is started, so starts are in order except that workers may
    // overtake each other between the start and the executor's note.
    let workers = 4;
    let (log, priorities) = order_of(11, 4_000, workers).await;
    let mut waiting = [0usize; Priority::COUNT];
    for priority in &priorities {
        waiting[priority.index()] += 1;
    }
    for id in log {
        let level = priorities[id as usize].index();
        let before: usize = waiting[..level].iter().sum();
        assert!(before < workers, "{before} more urgent jobs wait");
        waiting[level] -= 1;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_comes_free_takes_the_most_urgent() {
    let bed = Bed::workers(4);
    bed.queue.start().unwrap();
    let mut tickets = Vec::new();
    for (id, priority) in (0..).zip(mixed(3, 400)) {
        tickets.push(bed.put_at(priority, id, Act::Sleep(Duration::from_millis(id % 7 + 1))));
    }
    settle().await;
    // From here on one starts as one ends: the order of starts is that of urgency.
    let priorities = mixed(3, 400);
    for ticket in tickets {
        ticket.await.unwrap();
    }
    let log = bed.log();
    let levels: Vec<Priority> = log[4..].iter().map(|id| priorities[*id as usize]).collect();
    assert!(levels.is_sorted(), "{levels:?}");
    assert_eq!(bed.seen.peak.load(SeqCst), 4);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_lane_delays_no_other() {
    let limits = Limits::default().per_host(2).total(8);
    let bed = Bed::new(QueueOptions::default().workers(2).limits(limits));
    let limiter = bed.queue.limiter();
    let until = tokio::time::Instant::now() + seconds(60);
    limiter.pause("dead", until.into_std()).unwrap();
    bed.queue.start().unwrap();
    let put = |id, lane| {
        let job = Job {
            lane: Some(lane),
            ..bed.job(id, Act::Done)
        };
        bed.queue.try_submit(job).unwrap()
    };
    let dead: Vec<_> = (0..100).map(|id| put(id, "dead")).collect();
    let alive: Vec<_> = (100..200).map(|id| put(id, "alive")).collect();
    let began = tokio::time::Instant::now();
    for ticket in alive {
        ticket.await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(bed.log(), (100..200).collect::<Vec<_>>());
    for ticket in dead {
        ticket.await.unwrap();
    }
    assert_eq!(began.elapsed(), seconds(60));
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&limiter).await;
}

#[tokio::test(start_paused = true)]
async fn position_and_priority_of_a_waiting_job() {
    let bed = Bed::workers(1);
    let mut tickets: Vec<_> = (0..5)
        .map(|id| bed.put_at(Priority::Normal, id, Act::Done))
        .collect();
    let low = bed.put_at(Priority::Low, 5, Act::Done);
    assert_eq!(low.position(), Some(5));
    assert_eq!(tickets[3].position(), Some(3));
    assert_eq!(bed.queue.depth(Priority::Normal), 5);
    // It keeps its age at the new level.
    assert!(low.set_priority(Priority::Critical).unwrap());
    assert!(tickets[4].set_priority(Priority::Critical).unwrap());
    assert_eq!(low.position(), Some(1));
    assert_eq!(tickets[4].position(), Some(0));
    assert_eq!(tickets[0].position(), Some(2));
    assert_eq!(bed.queue.depth(Priority::Critical), 2);
    assert_eq!(bed.queue.depth(Priority::Low), 0);
    assert!(format!("{low:?}").contains("position: Some(1)"));
    bed.queue.start().unwrap();
    for ticket in &mut tickets {
        ticket.await.unwrap();
    }
    assert_eq!(bed.log(), [4, 5, 0, 1, 2, 3]);
    assert_eq!(low.position(), None);
    assert!(!low.set_priority(Priority::High).unwrap());
    drop(low);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}
