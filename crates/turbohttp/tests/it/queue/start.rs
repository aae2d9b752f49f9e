//! Starting: once, whole or not at all.

use std::thread;

use turbohttp::{Shutdown, Started};

use super::*;

#[test]
fn of_64_threads_one_starts_the_workers() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let bed = Bed::workers(4);
    let gate = Arc::new(Semaphore::new(0));
    let tickets: Vec<_> = (0..64)
        .map(|id| bed.put(id, Act::Gate(gate.clone())))
        .collect();
    let (queue, handle) = (&bed.queue, runtime.handle());
    let started = thread::scope(|scope| {
        let start = || {
            let _inside = handle.enter();
            queue.start().unwrap()
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(start)).collect();
        let started = threads.into_iter().map(|thread| thread.join().unwrap());
        started.filter(|started| *started == Started::Now).count()
    });
    assert_eq!(started, 1);
    assert_eq!(bed.seen.readied.load(SeqCst), 4);
    assert!(bed.queue.is_running());
    runtime.block_on(async {
        assert_eq!(tasks(), 4);
        while bed.entered() < 4 {
            tokio::task::yield_now().await;
        }
        settle().await;
        assert_eq!(bed.entered(), 4);
        gate.add_permits(64);
        for ticket in tickets {
            ticket.await.unwrap();
        }
        assert_eq!(bed.seen.peak.load(SeqCst), 4);
        bed.queue.stop(Shutdown::default()).await;
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
        assert_quiet(&bed.queue.limiter());
    });
}

#[test]
fn without_a_runtime_nothing_is_started_and_nothing_is_lost() {
    let bed = Bed::workers(2);
    let ticket = bed.put(1, Act::Done);
    let error = bed.queue.start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert!(std::error::Error::source(&error).is_some());
    assert!(!bed.queue.is_running());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        assert_eq!(bed.queue.start().unwrap(), Started::Now);
        assert_eq!(bed.queue.start().unwrap(), Started::Already);
        assert_eq!(ticket.await.unwrap(), 1);
        bed.queue.stop(Shutdown::default()).await;
        expect_quiet(&bed.queue.limiter()).await;
        assert_eq!(tasks(), 0);
    });
    // Where it has been started does not matter for a second call.
    assert_eq!(kind(bed.queue.start()), ErrorKind::Closed);
}

#[test]
fn in_a_runtime_that_is_shut_down_nothing_is_started_and_nothing_is_lost() {
    let bed = Bed::workers(3);
    let ticket = bed.put(1, Act::Done);
    let dead = tokio::runtime::Runtime::new().unwrap();
    let handle = dead.handle().clone();
    dead.shutdown_timeout(seconds(5));
    {
        let _inside = handle.enter();
        assert_eq!(kind(bed.queue.start()), ErrorKind::Runtime);
    }
    assert!(!ticket.is_done());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        assert_eq!(bed.queue.start().unwrap(), Started::Now);
        assert_eq!(ticket.await.unwrap(), 1);
        bed.queue.stop(Shutdown::default()).await;
        expect_quiet(&bed.queue.limiter()).await;
    });
}

#[tokio::test]
async fn an_executor_that_is_not_ready_stops_the_start_and_may_be_asked_again() {
    for panics in [0, 1] {
        let bed = Bed::workers(4);
        let ticket = bed.put(1, Act::Done);
        bed.seen.unready.store(3, SeqCst);
        bed.seen.panics_when_unready.store(panics, SeqCst);
        let error = bed.queue.start().unwrap_err();
        match panics {
            0 => assert_eq!(error.to_string(), "not ready"),
            _ => {
                assert_eq!(error.kind(), ErrorKind::Panicked);
                assert!(error.to_string().contains("not ready at all"), "{error}");
            }
        }
        assert_eq!(bed.seen.readied.load(SeqCst), 3);
        settle().await;
        assert_eq!(tasks(), 0);
        assert!(!bed.queue.is_running());
        assert!(!ticket.is_done());
        assert_eq!(bed.queue.start().unwrap(), Started::Now);
        settle().await;
        assert_eq!(ticket.await.unwrap(), 1);
        assert_eq!(tasks(), 4);
        bed.queue.stop(Shutdown::default()).await;
        expect_quiet(&bed.queue.limiter()).await;
        assert_eq!(tasks(), 0);
    }
}

#[tokio::test]
async fn a_queue_that_was_never_started_cancels_what_it_holds() {
    for mode in [Shutdown::default(), Shutdown::Now] {
        let bed = Bed::workers(1);
        let mut tickets: Vec<_> = (0..10).map(|id| bed.put(id, Act::Done)).collect();
        let stopped = bed.queue.stop(mode).await;
        assert_eq!((stopped.accepted, stopped.ended.canceled), (10, 10));
        assert!(
            stopped.elapsed < seconds(1),
            "without workers it does not drain"
        );
        assert_eq!(
            tally(&mut tickets),
            BTreeMap::from([(Some("canceled"), 10)])
        );
        assert_eq!(kind(bed.queue.start()), ErrorKind::Closed);
        let tried = bed.queue.try_submit(bed.job(1, Act::Done));
        assert_eq!(tried.unwrap_err().kind(), ErrorKind::Closed);
        let submitted = bed.queue.submit(bed.job(1, Act::Done)).await;
        assert_eq!(submitted.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(bed.jobs_alive(), 0);
        assert_quiet(&bed.queue.limiter());
    }
}
