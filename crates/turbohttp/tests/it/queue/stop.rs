//! Stopping, in every mode.

use std::task::{Context, Waker};

use tokio::time::Instant;
use turbohttp::Shutdown;

use super::*;
use crate::support::poll_times;

fn drain(within: u64) -> Shutdown {
    Shutdown::Drain {
        within: seconds(within),
    }
}

fn cancel_pending(within: u64) -> Shutdown {
    Shutdown::CancelPending {
        within: seconds(within),
    }
}

/// A queue with so many jobs that run and so many that wait.
async fn busy(workers: usize, waiting: u64, act: Act) -> (Bed, Vec<Ticket<u64>>) {
    let bed = Bed::workers(workers);
    bed.queue.start().unwrap();
    let mut tickets: Vec<_> = (0..workers as u64)
        .map(|id| bed.put(id, act.clone()))
        .collect();
    settle().await;
    assert_eq!(bed.entered(), workers);
    tickets.extend((0..waiting).map(|id| bed.put(100 + id, act.clone())));
    (bed, tickets)
}

async fn expect_end(bed: &Bed) {
    expect_quiet(&bed.queue.limiter()).await;
    // A timer driver, if one runs, sweeps once more when the time of the stop is up.
    assert!(tasks() <= 1);
    tokio::time::sleep(seconds(3_601)).await;
    assert_eq!(tasks(), 0);
    assert_eq!(bed.jobs_alive(), 0);
    assert!(!bed.queue.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_everything_in_order_and_takes_nothing_more() {
    let (bed, mut tickets) = busy(4, 1_000, Act::Sleep(Duration::from_millis(10))).await;
    let stopping = bed.queue.stop(drain(30));
    let late = async {
        settle().await;
        let rejected = bed.queue.try_submit(bed.job(9, Act::Done)).unwrap_err();
        assert_eq!(rejected.kind(), ErrorKind::Closed);
    };
    let (stopped, ()) = tokio::join!(stopping, late);
    assert_eq!((stopped.accepted, stopped.ended.completed), (1_004, 1_004));
    assert_eq!(stopped.elapsed, Duration::from_millis(2_510));
    let text = stopped.to_string();
    assert!(
        text.starts_with("1004 jobs: 1004 completed, 0 failed"),
        "{text}"
    );
    assert_eq!(bed.log()[4..], (100..1_100).collect::<Vec<_>>());
    assert_eq!(tally(&mut tickets), BTreeMap::from([(None, 1_004)]));
    expect_end(&bed).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_its_time_is_up() {
    let (bed, mut tickets) = busy(2, 3, Act::Sleep(seconds(31))).await;
    let began = Instant::now();
    let stopped = bed.queue.stop(drain(30)).await;
    assert_eq!(began.elapsed(), seconds(30));
    assert_eq!(
        (
            stopped.accepted,
            stopped.ended.aborted,
            stopped.ended.canceled
        ),
        (5, 2, 3)
    );
    assert_eq!(stopped.elapsed, seconds(30));
    assert_eq!(tally(&mut tickets), BTreeMap::from([(Some("canceled"), 5)]));
    assert_eq!(bed.seen.ended.load(SeqCst), 0);
    expect_end(&bed).await;

    let (bed, mut tickets) = busy(2, 0, Act::Sleep(seconds(29))).await;
    let stopped = bed.queue.stop(drain(30)).await;
    assert_eq!((stopped.ended.completed, stopped.elapsed), (2, seconds(29)));
    assert_eq!(tally(&mut tickets), BTreeMap::from([(None, 2)]));
    expect_end(&bed).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_of_a_paused_lane_ends_by_its_time() {
    let bed = Bed::workers(2);
    bed.queue.start().unwrap();
    let until = Instant::now() + seconds(3_600);
    bed.queue.limiter().pause("", until.into_std()).unwrap();
    let mut tickets = vec![bed.put(1, Act::Done)];
    let stopped = bed.queue.stop(drain(30)).await;
    assert_eq!((stopped.ended.canceled, stopped.elapsed), (1, seconds(30)));
    assert_eq!(tally(&mut tickets), BTreeMap::from([(Some("canceled"), 1)]));
    expect_end(&bed).await;
}

#[tokio::test(start_paused = true)]
async fn cancel_pending_cancels_what_waits_and_nothing_else() {
    let (bed, mut tickets) = busy(4, 1_000, Act::Sleep(seconds(5))).await;
    let stopping = bed.queue.stop(cancel_pending(30));
    let mut stopping = Box::pin(stopping);
    assert!(poll_times(&mut stopping, 1).await.is_none());
    assert_eq!(
        tally(&mut tickets[4..]),
        BTreeMap::from([(Some("canceled"), 1_000)])
    );
    let stopped = stopping.await;
    assert_eq!(
        (
            stopped.accepted,
            stopped.ended.completed,
            stopped.ended.canceled
        ),
        (1_004, 4, 1_000)
    );
    assert_eq!(stopped.elapsed, seconds(5));
    assert_eq!(tally(&mut tickets[..4]), BTreeMap::from([(None, 4)]));
    assert_eq!(bed.entered(), 4);
    expect_end(&bed).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_can_become_stronger_and_never_weaker() {
    let (bed, mut tickets) = busy(4, 1_000, Act::Sleep(seconds(5))).await;
    let mut first = Box::pin(bed.queue.stop(drain(3_600)));
    assert!(poll_times(&mut first, 1).await.is_none());
    tokio::time::sleep(seconds(7)).await;
    assert_eq!(bed.entered(), 8);
    let (first, second, third) = tokio::join!(
        first,
        bed.queue.stop(cancel_pending(30)),
        bed.queue.stop(drain(60))
    );
    assert_eq!(first, second);
    assert_eq!(first, third);
    assert_eq!((first.ended.completed, first.ended.canceled), (8, 996));
    assert_eq!(first.elapsed, seconds(10));
    assert_eq!(
        tally(&mut tickets),
        BTreeMap::from([(None, 8), (Some("canceled"), 996)])
    );
    expect_end(&bed).await;

    let (bed, mut tickets) = busy(2, 2, Act::Never).await;
    let mut patient = Box::pin(bed.queue.stop(drain(3_600)));
    assert!(poll_times(&mut patient, 1).await.is_none());
    bed.queue.stop_now();
    let stopped = patient.await;
    assert_eq!((stopped.ended.aborted, stopped.ended.canceled), (2, 2));
    assert_eq!(tally(&mut tickets), BTreeMap::from([(Some("canceled"), 4)]));
    expect_end(&bed).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_dropped_goes_on() {
    for polls in 0..4 {
        let (bed, mut tickets) = busy(2, 2, Act::Sleep(seconds(5))).await;
        let _ = poll_times(bed.queue.stop(drain(30)), polls).await;
        let stopped = bed.queue.stop(drain(30)).await;
        assert_eq!(
            (stopped.accepted, stopped.ended.completed),
            (4, 4),
            "{polls} polls"
        );
        assert_eq!(bed.queue.stop(Shutdown::Now).await, stopped);
        assert_eq!(tally(&mut tickets), BTreeMap::from([(None, 4)]));
        expect_end(&bed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_are_there_when_a_stop_returns() {
    for round in 0..200 {
        let bed = Bed::workers(4);
        bed.queue.start().unwrap();
        let mut tickets: Vec<_> = (0..40)
            .map(|id| match id % 4 {
                0 => bed.put(id, Act::PanicLater),
                1 => bed.put(id, Act::Fail),
                2 => bed.put(id, Act::Gate(Arc::new(Semaphore::new(round % 2)))),
                _ => bed.put(id, Act::Done),
            })
            .collect();
        let mode = match round % 3 {
            0 => Shutdown::Now,
            1 => Shutdown::CancelPending {
                within: Duration::from_millis(1),
            },
            _ => Shutdown::Drain {
                within: Duration::from_millis(2),
            },
        };
        let stopped = bed.queue.stop(mode).await;
        let stats = bed.queue.stats();
        let tally = tally(&mut tickets);
        let count = |name| tally.get(&name).copied().unwrap_or_default() as u64;
        let sum = stopped.ended.completed
            + stopped.ended.failed
            + stopped.ended.canceled
            + stopped.ended.expired
            + stopped.ended.aborted;
        assert_eq!(stopped.accepted, sum);
        assert_eq!(stats.ended.completed, count(None), "{tally:?} {stats:?}");
        assert_eq!(
            stats.ended.failed,
            count(Some("panicked")) + count(Some("transport"))
        );
        assert_eq!(
            stats.ended.canceled + stats.ended.aborted,
            count(Some("canceled"))
        );
        assert_eq!((stats.running, stats.waiting), (0, [0; Priority::COUNT]));
        let limiter = bed.queue.limiter();
        while !limiter.audit().is_idle() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_job_that_a_worker_has_just_picked_up_is_stopped_before_it_begins() {
    // The worker lets the next one in before it begins, and that one's waker stops the queue.
    let bed = Arc::new(Bed::new(QueueOptions::default().workers(1).per_priority(1)));
    let picked = Arc::new(Mutex::new(bed.put(0, Act::Done)));
    let seen = Arc::new(Mutex::new(None));
    let (hook_bed, hook_picked, hook_seen) = (bed.clone(), picked.clone(), seen.clone());
    let waker = Waker::from(Arc::new(Hooked(move || {
        hook_bed.queue.stop_now();
        let report = hook_bed.queue.stats();
        let result = hook_picked.lock().unwrap().try_result();
        *hook_seen.lock().unwrap() = Some((report, result.map(kind)));
    })));
    let mut submit = Box::pin(bed.queue.submit(bed.job(1, Act::Done)));
    let poll = submit.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll.is_pending());
    bed.queue.start().unwrap();
    settle().await;
    let (stats, result) = seen.lock().unwrap().take().unwrap();
    assert_eq!((stats.ended.aborted, stats.running), (1, 0));
    assert_eq!(result, Some(ErrorKind::Canceled));
    assert_eq!(bed.entered(), 0);
    drop(submit);
    expect_quiet(&bed.queue.limiter()).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_does_not_go_on_although_it_was_woken_before() {
    let gate = Arc::new(Semaphore::new(0));
    let (bed, mut tickets) = busy(2, 0, Act::Gate(gate.clone())).await;
    gate.add_permits(2);
    bed.queue.stop_now();
    settle().await;
    assert_eq!(bed.seen.ended.load(SeqCst), 0);
    assert_eq!(tally(&mut tickets), BTreeMap::from([(Some("canceled"), 2)]));
    expect_end(&bed).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_the_stop_of_its_queue_ends_with_it() {
    struct Selfish(Mutex<Option<RequestQueue<Selfish>>>);
    impl Execute for Selfish {
        type Job = bool;
        type Output = ();
        async fn execute(&self, stops: bool) -> Result<()> {
            let queue = self.0.lock().unwrap().clone().unwrap();
            if stops {
                queue.stop(Shutdown::default()).await;
                unreachable!("it waits for itself");
            }
            // The only worker waits for this job, so no worker is left to run it.
            queue.submit(true).await?.await
        }
    }
    for stops in [true, false] {
        let executor = Selfish(Mutex::new(None));
        let queue = RequestQueue::with_executor(executor, QueueOptions::default().workers(1));
        let queue = queue.unwrap();
        *queue.executor().0.lock().unwrap() = Some(queue.clone());
        queue.start().unwrap();
        let mut ticket = queue.try_submit(stops).unwrap();
        settle().await;
        let began = Instant::now();
        let stopped = queue.stop(Shutdown::default()).await;
        assert_eq!(began.elapsed(), seconds(30));
        assert_eq!(stopped.ended.aborted, 1);
        assert_eq!(kind(ticket.try_result().unwrap()), ErrorKind::Canceled);
        *queue.executor().0.lock().unwrap() = None;
        expect_quiet(&queue.limiter()).await;
        assert_eq!(tasks(), 0);
    }
}
