//! Bounds, and waiting for room.

use turbohttp::{Limits, Shutdown};

use super::*;
use crate::support::poll_times;

#[test]
fn options_are_checked() {
    let base = QueueOptions::default();
    let cases = [
        (base.workers(0), "queue.workers must be 1..=65536 (got 0)"),
        (
            base.per_priority(0),
            "queue.per_priority must be 1..=1048576 (got 0)",
        ),
        (
            base.submitters(0),
            "queue.submitters must be 1..=1048576 (got 0)",
        ),
        (
            base.workers(65_537),
            "queue.workers must be 1..=65536 (got 65537)",
        ),
        (
            base.per_priority((1 << 20) + 1),
            "queue.per_priority must be 1..=1048576 (got 1048577)",
        ),
        (
            base.submitters(usize::MAX),
            "queue.submitters must be 1..=1048576 (got 18446744073709551615)",
        ),
        (
            base.limits(Limits::default().total(0)),
            "limits.total must be 1..=1048576 (got 0)",
        ),
    ];
    for (options, message) in cases {
        let error = RequestQueue::with_executor(Worker(Arc::default()), options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.to_string(), message);
    }
    let client = turbohttp::Client::new().unwrap();
    let own = base.limits(Limits::default());
    let error = RequestQueue::new(&client, own).unwrap_err();
    assert!(
        error.to_string().contains("queue.limits must be none"),
        "{error}"
    );
    let error = RequestQueue::new(&client, base.workers(0)).unwrap_err();
    assert!(error.to_string().contains("queue.workers"), "{error}");
}

#[tokio::test]
async fn each_level_takes_exactly_as_many_as_it_may() {
    for &priority in Priority::ALL {
        let bed = Bed::workers(1);
        let mut tickets: Vec<_> = (0..1_000)
            .map(|id| bed.put_at(priority, id, Act::Done))
            .collect();
        let options = SubmitOptions::default().priority(priority);
        let rejected = bed
            .queue
            .try_submit_with(bed.job(1_000, Act::Done), options)
            .unwrap_err();
        assert_eq!(rejected.kind(), ErrorKind::Full);
        let message = rejected.to_string();
        assert!(
            message.contains("1000") && message.contains(priority.name()),
            "{message}"
        );
        assert_eq!(rejected.into_job().unwrap().id, 1_000);
        assert_eq!(bed.queue.depth(priority), 1_000);
        // The others have room.
        for &other in Priority::ALL.iter().filter(|other| **other != priority) {
            tickets.push(bed.put_at(other, 2_000, Act::Done));
            // It is there already, which needs no room.
            assert!(tickets[0].set_priority(priority).unwrap());
            let moved = tickets.pop().unwrap();
            assert_eq!(kind(moved.set_priority(priority)), ErrorKind::Full);
        }
        // A place is free at once, wherever the job stood.
        drop(tickets.remove(500));
        tickets.push(bed.put_at(priority, 1_001, Act::Done));
        assert!(tickets[3].cancel());
        assert!(!tickets[3].cancel());
        tickets.push(bed.put_at(priority, 1_002, Act::Done));
        let options = SubmitOptions::default().priority(priority);
        let full = bed.queue.try_submit_with(bed.job(1, Act::Done), options);
        assert_eq!(full.unwrap_err().kind(), ErrorKind::Full);
        drop(tickets);
        assert_eq!(bed.jobs_alive(), 0);
        assert_quiet(&bed.queue.limiter());
    }
}

#[tokio::test]
async fn those_who_wait_for_room_come_in_in_order_without_being_polled() {
    let bed = Bed::new(
        QueueOptions::default()
            .workers(1)
            .per_priority(2)
            .submitters(3),
    );
    let first = bed.put(0, Act::Done);
    let second = bed.put(1, Act::Done);
    let submit = |id| Box::pin(bed.queue.submit(bed.job(id, Act::Done)));
    let mut waiting = vec![submit(2), submit(3), submit(4)];
    for future in &mut waiting {
        assert!(poll_times(future, 1).await.is_none());
    }
    let full = submit(5).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Full);
    assert!(full.to_string().contains("3 wait for room"), "{full}");
    assert_eq!(full.into_job().unwrap().id, 5);
    assert_eq!(bed.queue.stats().submitters, 3);
    // A level of its own has room of its own.
    let high = bed.put_at(Priority::High, 6, Act::Done);
    // Dropping the future frees its place among the submitters that wait.
    drop(waiting.remove(0));
    assert_eq!(bed.queue.stats().submitters, 2);
    assert_eq!(bed.jobs_alive(), 5);
    drop(first);
    // The job is enqueued although its future was not polled; the next submitter still waits, and
    // `try_submit` is refused.
    assert_eq!(bed.queue.stats().submitters, 1);
    assert_eq!(bed.queue.depth(Priority::Normal), 2);
    let tried = bed.queue.try_submit(bed.job(7, Act::Done));
    assert_eq!(tried.unwrap_err().kind(), ErrorKind::Full);
    let third = waiting.remove(0).await.unwrap();
    assert!(poll_times(&mut waiting[0], 1).await.is_none());
    // A job that moves to another level leaves room as well.
    assert!(second.set_priority(Priority::Low).unwrap());
    let fourth = waiting.remove(0).await.unwrap();
    bed.queue.start().unwrap();
    for ticket in [high, third, fourth, second] {
        ticket.await.unwrap();
    }
    assert_eq!(bed.log(), [6, 3, 4, 1]);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test(start_paused = true)]
async fn submitters_are_let_in_by_workers_and_turned_away_by_a_stop() {
    let bed = Bed::new(QueueOptions::default().workers(1).per_priority(1));
    bed.queue.start().unwrap();
    let running = bed.put(0, Act::Sleep(seconds(5)));
    settle().await;
    let queued = bed.put(1, Act::Done);
    let submit = |id| {
        let queue = bed.queue.clone();
        let job = bed.job(id, Act::Sleep(seconds(1)));
        tokio::spawn(async move { queue.submit(job).await })
    };
    let (second, third) = (submit(2), submit(3));
    settle().await;
    running.await.unwrap();
    queued.await.unwrap();
    let second = second.await.unwrap().unwrap();
    let third = third.await.unwrap().unwrap();
    let fourth = submit(4);
    settle().await;
    let stopping = bed.queue.stop(Shutdown::Drain {
        within: seconds(30),
    });
    let mut stopping = Box::pin(stopping);
    assert!(poll_times(&mut stopping, 1).await.is_none());
    let began = tokio::time::Instant::now();
    let turned_away = fourth.await.unwrap().unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(turned_away.kind(), ErrorKind::Closed);
    assert_eq!(turned_away.into_job().unwrap().id, 4);
    let stopped = stopping.await;
    assert_eq!((stopped.accepted, stopped.ended.completed), (2, 2));
    second.await.unwrap();
    third.await.unwrap();
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test]
async fn a_submit_may_be_dropped_at_any_poll() {
    for polls in 0..4 {
        let bed = Bed::new(QueueOptions::default().workers(1).per_priority(1));
        let first = bed.put(0, Act::Done);
        let mut submit = Box::pin(bed.queue.submit(bed.job(1, Act::Done)));
        for poll in 0..polls {
            if poll == 2 {
                first.cancel();
            }
            if poll_times(&mut submit, 1).await.is_some() {
                break;
            }
        }
        drop(submit);
        drop(first);
        assert_eq!(bed.jobs_alive(), 0, "{polls} polls");
        assert_eq!(bed.queue.stats().submitters, 0);
        assert_quiet(&bed.queue.limiter());
        let after = bed.put(2, Act::Done);
        bed.queue.start().unwrap();
        after.await.unwrap();
        bed.queue.stop(Shutdown::Now).await;
        expect_quiet(&bed.queue.limiter()).await;
    }
}

#[tokio::test]
async fn the_table_of_jobs_shrinks_after_a_burst() {
    let bed = Bed::new(QueueOptions::default().workers(1).per_priority(5_000));
    for _ in 0..3 {
        let tickets: Vec<_> = (0..5_000).map(|id| bed.put(id, Act::Never)).collect();
        drop(tickets);
        assert_eq!(bed.jobs_alive(), 0);
        assert_quiet(&bed.queue.limiter());
    }
}
