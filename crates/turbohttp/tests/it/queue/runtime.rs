//! Without a runtime, with one that goes, and when the last handle goes.

use std::sync::Weak;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use turbohttp::Shutdown;

use super::*;

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    ]
}

/// Four jobs that run for ever and a thousand that wait.
fn full(runtime: &Runtime) -> (Bed, Vec<Ticket<u64>>) {
    let bed = Bed::workers(4);
    let mut tickets = Vec::new();
    runtime.block_on(async {
        bed.queue.start().unwrap();
        tickets.extend((0..4).map(|id| bed.put(id, Act::Never)));
        while bed.entered() < 4 {
            tokio::task::yield_now().await;
        }
        tickets.extend((0..1_000).map(|id| bed.put(100 + id, Act::Done)));
    });
    (bed, tickets)
}

fn expect_gone(
    runtime: Option<Runtime>,
    limiter: &ConcurrencyLimiter,
    seen: &Weak<Seen>,
    mut tickets: Vec<Ticket<u64>>,
    kind: &'static str,
) {
    assert_eq!(tally(&mut tickets), BTreeMap::from([(Some(kind), 1_004)]));
    if let Some(runtime) = runtime {
        runtime.block_on(async {
            while tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
    }
    assert_quiet(limiter);
    assert!(seen.upgrade().is_none(), "the executor is still there");
}

#[test]
fn dropping_the_queue_resolves_everything_wherever_it_happens() {
    for place in 0..3 {
        for runtime in runtimes() {
            let (bed, tickets) = full(&runtime);
            let Bed { queue, seen } = bed;
            let limiter = queue.limiter();
            let held = Arc::downgrade(&seen.held);
            let seen = Arc::downgrade(&{ seen });
            assert!(seen.upgrade().is_some());
            match place {
                0 => runtime.block_on(async { drop(queue) }),
                1 => drop(queue),
                _ => thread::spawn(|| drop(queue)).join().unwrap(),
            }
            expect_gone(Some(runtime), &limiter, &seen, tickets, "canceled");
            assert!(held.upgrade().is_none(), "a job is still there");
        }
    }
}

#[test]
fn when_the_runtime_goes_everything_resolves() {
    for runtime in runtimes() {
        let (bed, tickets) = full(&runtime);
        let limiter = bed.queue.limiter();
        drop(runtime);
        assert!(!bed.queue.is_running());
        assert_eq!(bed.entered(), 4);
        assert_quiet(&limiter);
        let rejected = bed.queue.try_submit(bed.job(1, Act::Done)).unwrap_err();
        assert_eq!(rejected.kind(), ErrorKind::Closed);
        drop(rejected);
        let other = Builder::new_current_thread().enable_all().build().unwrap();
        other.block_on(async {
            assert_eq!(kind(bed.queue.start()), ErrorKind::Closed);
            let stopped = bed.queue.stop(Shutdown::default()).await;
            assert_eq!(
                (
                    stopped.accepted,
                    stopped.ended.canceled,
                    stopped.ended.aborted
                ),
                (1_004, 1_000, 4)
            );
        });
        let Bed { queue, seen } = bed;
        let seen = Arc::downgrade(&{ seen });
        drop(queue);
        expect_gone(None, &limiter, &seen, tickets, "runtime");
    }
}

#[test]
fn when_the_runtime_goes_while_nothing_runs_what_waits_resolves() {
    for runtime in runtimes() {
        let bed = Bed::workers(2);
        let mut ticket = bed.put(0, Act::Done);
        let until = std::time::Instant::now() + seconds(3_600);
        bed.queue.limiter().pause("", until).unwrap();
        runtime.block_on(async {
            bed.queue.start().unwrap();
            settle().await;
        });
        assert!(!ticket.is_done());
        drop(runtime);
        assert_eq!(kind(ticket.try_result().unwrap()), ErrorKind::Runtime);
        assert!(!bed.queue.is_running());
        let rejected = bed.queue.try_submit(bed.job(1, Act::Done)).unwrap_err();
        assert_eq!(rejected.kind(), ErrorKind::Closed);
        assert_quiet(&bed.queue.limiter());
    }
}

#[test]
fn when_the_runtime_goes_during_a_drain_the_drain_ends() {
    for runtime in runtimes() {
        let (bed, mut tickets) = full(&runtime);
        let queue = bed.queue.clone();
        // Waits for the end in another runtime.
        let (told, began) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut stopping = Box::pin(queue.stop(Shutdown::Drain {
                    within: seconds(20),
                }));
                assert!(crate::support::poll_times(&mut stopping, 1).await.is_none());
                told.send(()).unwrap();
                stopping.await
            })
        });
        began.recv().unwrap();
        drop(runtime);
        let stopped = waiter.join().unwrap();
        assert_eq!((stopped.ended.canceled, stopped.ended.aborted), (1_000, 4));
        assert!(stopped.elapsed < seconds(15));
        assert_eq!(
            tally(&mut tickets),
            BTreeMap::from([(Some("runtime"), 1_004)])
        );
        assert_quiet(&bed.queue.limiter());
    }
}

#[test]
fn dropping_the_queue_after_its_runtime_is_fine() {
    for runtime in runtimes() {
        let (bed, tickets) = full(&runtime);
        drop(runtime);
        let limiter = bed.queue.limiter();
        let Bed { queue, seen } = bed;
        let seen = Arc::downgrade(&{ seen });
        drop(queue);
        expect_gone(None, &limiter, &seen, tickets, "runtime");
    }
}

#[test]
fn the_last_handle_may_go_inside_a_job() {
    struct Last(Mutex<Option<RequestQueue<Last>>>, Arc<AtomicUsize>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.1.fetch_add(1, SeqCst);
        }
    }
    impl Execute for Last {
        type Job = ();
        type Output = ();
        async fn execute(&self, (): ()) -> Result<()> {
            let queue = self.0.lock().unwrap().take();
            drop(queue);
            pending().await
        }
    }
    for runtime in runtimes() {
        let dropped = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            let last = Last(Mutex::new(None), dropped.clone());
            let queue = RequestQueue::with_executor(last, QueueOptions::default().workers(2));
            let queue = queue.unwrap();
            let limiter = queue.limiter();
            queue.start().unwrap();
            *queue.executor().0.lock().unwrap() = Some(queue.clone());
            let ticket = queue.try_submit(()).unwrap();
            drop(queue);
            assert_eq!(kind(ticket.await), ErrorKind::Canceled);
            while tasks() > 0 {
                tokio::task::yield_now().await;
            }
            assert_quiet(&limiter);
        });
        assert_eq!(dropped.load(SeqCst), 1);
    }
}

#[test]
fn every_handle_may_go_on_a_thread_without_a_runtime() {
    let bed = Bed::new(QueueOptions::default().workers(1).per_priority(1));
    let options = SubmitOptions::default().within(seconds(3_600));
    let ticket = bed
        .queue
        .try_submit_with(bed.job(0, Act::Done), options)
        .unwrap();
    drop(bed.queue.submit(bed.job(1, Act::Done)));
    drop(bed.queue.stop(Shutdown::Now));
    drop(ticket);
    assert_eq!(bed.jobs_alive(), 0);
    assert_quiet(&bed.queue.limiter());
    bed.put(2, Act::Done).detach();
    bed.queue.stop_now();
    bed.queue.stop_now();
    assert_eq!(bed.jobs_alive(), 0);
    assert_quiet(&bed.queue.limiter());
}
