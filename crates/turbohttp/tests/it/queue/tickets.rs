//! Tickets: canceling, expiring, panics, wakers.

use std::panic;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::time::Instant;
use turbohttp::Shutdown;

use super::*;
use crate::support::poll_times;

#[tokio::test(start_paused = true)]
async fn a_dropped_ticket_ends_its_job_wherever_it_is() {
    let bed = Bed::workers(1);
    bed.queue.start().unwrap();
    let running = bed.put(0, Act::Never);
    settle().await;
    let waiting = bed.put(1, Act::Done);
    let next = bed.put(2, Act::Done);
    drop(waiting);
    assert_eq!(bed.jobs_alive(), 2);
    // It would never wake its worker.
    drop(running);
    assert_eq!(next.await.unwrap(), 2);
    assert_eq!(bed.log(), [0, 2]);
    assert_eq!(bed.queue.stats().ended.canceled, 2);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test(start_paused = true)]
async fn a_canceled_ticket_says_so_at_once() {
    let bed = Bed::workers(1);
    bed.queue.start().unwrap();
    let mut running = bed.put(0, Act::Never);
    settle().await;
    let mut waiting = bed.put(1, Act::Done);
    for ticket in [&mut running, &mut waiting] {
        assert!(!ticket.is_done());
        assert!(ticket.try_result().is_none());
        assert!(ticket.cancel());
        assert!(ticket.is_done());
        assert!(!ticket.cancel());
        assert_eq!(kind((&mut *ticket).await), ErrorKind::Canceled);
        // It has been given; no panic, and a typed answer.
        assert_eq!(kind(ticket.await), ErrorKind::Closed);
    }
    settle().await;
    assert_eq!(bed.jobs_alive(), 0);
    let mut done = bed.put(2, Act::Done);
    settle().await;
    assert!(!done.cancel());
    assert_eq!(done.try_result().unwrap().unwrap(), 2);
    let stopped = bed.queue.stop(Shutdown::default()).await;
    assert_eq!(stopped.accepted, 0);
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_job_goes_on() {
    let bed = Bed::workers(1);
    bed.put(0, Act::Sleep(seconds(1))).detach();
    bed.put(1, Act::Done).detach();
    let options = SubmitOptions::default().within(Duration::from_millis(10));
    let late = bed.queue.try_submit_with(bed.job(2, Act::Done), options);
    late.unwrap().detach();
    bed.queue.start().unwrap();
    tokio::time::sleep(seconds(2)).await;
    assert_eq!(bed.log(), [0, 1]);
    // The detached job that expired is dropped too, although no ticket was polled.
    assert_eq!(bed.jobs_alive(), 0);
    assert_eq!(bed.queue.stats().ended.expired, 1);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_late_is_never_done() {
    let bed = Bed::workers(1);
    bed.queue.start().unwrap();
    let running = bed.put(0, Act::Sleep(seconds(10)));
    settle().await;
    let within = |id, limit| {
        let options = SubmitOptions::default().within(limit);
        bed.queue
            .try_submit_with(bed.job(id, Act::Done), options)
            .unwrap()
    };
    let early = within(1, seconds(3));
    let just = within(2, seconds(10));
    let fine = within(3, seconds(11));
    let began = Instant::now();
    assert_eq!(kind(early.await), ErrorKind::ExpiredInQueue);
    assert_eq!(began.elapsed(), seconds(3));
    // The worker comes free at the very moment in which the time is up.
    assert_eq!(kind(just.await), ErrorKind::ExpiredInQueue);
    assert_eq!(fine.await.unwrap(), 3);
    running.await.unwrap();
    assert_eq!(bed.log(), [0, 3]);
    // A time that is up before it begins.
    assert_eq!(
        kind(within(4, Duration::ZERO).await),
        ErrorKind::ExpiredInQueue
    );
    assert_eq!(bed.log(), [0, 3]);
    let stats = bed.queue.stats();
    assert_eq!((stats.ended.expired, stats.ended.completed), (3, 2));
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test(start_paused = true)]
async fn time_goes_on_for_those_who_wait_for_room() {
    let bed = Bed::new(QueueOptions::default().workers(1).per_priority(1));
    let first = bed.put(0, Act::Done);
    let options = SubmitOptions::default().within(seconds(1));
    let mut late = Box::pin(bed.queue.submit_with(bed.job(1, Act::Done), options));
    assert!(poll_times(&mut late, 1).await.is_none());
    tokio::time::advance(seconds(2)).await;
    bed.queue.start().unwrap();
    first.await.unwrap();
    assert_eq!(kind(late.await.unwrap().await), ErrorKind::ExpiredInQueue);
    assert_eq!(bed.log(), [0]);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test]
async fn panics_and_errors_reach_their_own_tickets_only() {
    silence_expected_panics();
    let bed = Bed::workers(4);
    bed.queue.start().unwrap();
    settle().await;
    for round in 0..250 {
        let at_once = bed.put(round, Act::PanicAtOnce);
        let later = bed.put(round, Act::PanicLater);
        let fine = bed.put(round, Act::Done);
        let failed = bed.put(round, Act::Fail);
        let in_drop = bed.put(round, Act::PanicInDrop);
        let error = at_once.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(
            error.to_string().ends_with(&format!("at once {round}")),
            "{error}"
        );
        let error = later.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(
            error.to_string().ends_with(&format!("later {round}")),
            "{error}"
        );
        assert_eq!(fine.await.unwrap(), round);
        let error = failed.await.unwrap_err();
        assert_eq!(error.to_string(), "failed");
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(source.to_string(), format!("source {round}"));
        settle().await;
        drop(in_drop);
        settle().await;
    }
    assert_eq!(tasks(), 4);
    assert_eq!(bed.queue.stats().panicked, 750);
    assert_eq!(bed.jobs_alive(), 0);
    assert_eq!(bed.put(9, Act::Done).await.unwrap(), 9);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn panics_in_drops_of_outputs_and_jobs_are_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("dropped");
            }
        }
    }
    struct Bombs;
    impl Execute for Bombs {
        type Job = Bomb;
        type Output = Bomb;
        async fn execute(&self, bomb: Bomb) -> Result<Bomb> {
            tokio::task::yield_now().await;
            Ok(bomb)
        }
    }
    silence_expected_panics();
    let queue = RequestQueue::with_executor(Bombs, QueueOptions::default().workers(1)).unwrap();
    queue.start().unwrap();
    queue.try_submit(Bomb).unwrap().detach();
    let dropped = queue.try_submit(Bomb).unwrap();
    let waiting = queue.try_submit(Bomb).unwrap();
    settle().await;
    let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(dropped)));
    drop(waiting);
    let options = SubmitOptions::default().within(Duration::ZERO);
    let late = queue.try_submit_with(Bomb, options).unwrap();
    assert_eq!(
        late.await.err().map(|error| error.kind()),
        Some(ErrorKind::ExpiredInQueue)
    );
    let bomb = queue.try_submit(Bomb).unwrap().await.unwrap();
    std::mem::forget(bomb);
    let left = queue.try_submit(Bomb).unwrap();
    queue.stop(Shutdown::Now).await;
    drop(left);
    expect_quiet(&queue.limiter()).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn wakers_may_panic_and_may_come_back() {
    silence_expected_panics();
    let bed = Arc::new(Bed::new(QueueOptions::default().workers(1).per_priority(4)));
    bed.queue.start().unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    for mode in 0..4 {
        let counter = woken.clone();
        let panicking = Waker::from(Arc::new(Hooked(move || {
            counter.fetch_add(1, SeqCst);
            panic!("a waker");
        })));
        let (counter, again) = (woken.clone(), bed.clone());
        let returning = Waker::from(Arc::new(Hooked(move || {
            counter.fetch_add(1, SeqCst);
            again.put_at(Priority::Low, 9, Act::Done).detach();
            again.queue.stats();
            assert!(again.queue.audit().total > 0);
        })));
        let mut one = bed.put(0, Act::Never);
        settle().await;
        let mut other = bed.put(1, Act::Done);
        for (ticket, waker) in [(&mut one, &panicking), (&mut other, &returning)] {
            let ticket = pin!(ticket);
            assert!(ticket.poll(&mut Context::from_waker(waker)).is_pending());
        }
        match mode {
            0 => drop((one, other)),
            1 => assert!(other.cancel() && one.cancel()),
            _ => {
                drop(one);
                settle().await;
                other.await.unwrap();
            }
        }
        settle().await;
    }
    assert!(woken.load(SeqCst) >= 4);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
    assert_eq!(bed.jobs_alive(), 0);
}

#[tokio::test]
async fn only_the_latest_waker_is_kept() {
    let bed = Bed::workers(1);
    let mut ticket = bed.put(0, Act::Done);
    let counts: Vec<_> = (0..3).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    for count in &counts {
        let count = count.clone();
        let waker = Waker::from(Arc::new(Hooked(move || {
            count.fetch_add(1, SeqCst);
        })));
        for _ in 0..2 {
            let poll = pin!(&mut ticket).poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending());
        }
    }
    bed.queue.start().unwrap();
    settle().await;
    let woken: Vec<_> = counts.iter().map(|count| count.load(SeqCst)).collect();
    assert_eq!(woken, [0, 0, 1]);
    // Neither the job nor the scheduler keeps a waker.
    assert!(counts.iter().all(|count| Arc::strong_count(count) == 1));
    assert_eq!(ticket.await.unwrap(), 0);
    bed.queue.stop(Shutdown::default()).await;
    expect_quiet(&bed.queue.limiter()).await;
}

#[tokio::test(start_paused = true)]
async fn a_ticket_may_be_dropped_at_any_poll() {
    for polls in 0..6 {
        let bed = Bed::workers(1);
        bed.queue.start().unwrap();
        let before = bed.put(0, Act::Sleep(seconds(1)));
        let mut ticket = bed.put(1, Act::Sleep(seconds(1)));
        for _ in 0..polls {
            if poll_times(&mut ticket, 1).await.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        drop(ticket);
        before.await.unwrap();
        settle().await;
        assert_eq!(bed.jobs_alive(), 0, "{polls} polls");
        assert_eq!(bed.put(2, Act::Done).await.unwrap(), 2);
        bed.queue.stop(Shutdown::default()).await;
        expect_quiet(&bed.queue.limiter()).await;
    }
}

#[test]
fn tickets_and_queues_go_wherever_they_are_needed() {
    fn is<T: Send + Sync + Unpin + 'static>() {}
    is::<Ticket<u64>>();
    is::<RequestQueue>();
    is::<RequestQueue<Worker>>();
    is::<turbohttp::Rejected<Job>>();
    fn sends<T: Send>(_: T) {}
    let bed = Bed::workers(1);
    sends(bed.queue.submit(bed.job(0, Act::Done)));
    sends(bed.queue.stop(Shutdown::Now));
}
