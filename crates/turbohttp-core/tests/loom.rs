//! Every interleaving of the pools, of the late recorder, of the scheduler and of the streams of an HTTP/2
//! connection, in small.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p turbohttp-core --test loom -- --nocapture`
//!
//! Each test is one race and ends in an equation. At most [`PREEMPTIONS_MAX`] threads are
//! interrupted against their will in one execution, unless `LOOM_MAX_PREEMPTIONS` says otherwise.
#![cfg(loom)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the threads are loom's, the moments are marks, a failed unwrap is a failed test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use loom::thread;
use turbohttp_core::pool::{
    BufferOptions, BufferPool, ClearPolicy, ObjectPool, ObjectPoolStats, PoolBox, Reset,
};
use turbohttp_core::timeline::{Mailbox, Phase, Timeline};

#[path = "loom/scheduler.rs"]
mod scheduler;
#[path = "loom/streams.rs"]
mod streams;

const PREEMPTIONS_MAX: usize = 3;

/// Runs `race` in every interleaving and prints how many there were.
fn model(name: &str, race: impl Fn() + Sync + Send + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS_MAX));
    let counter = Arc::clone(&executions);
    builder.check(move || {
        counter.fetch_add(1, SeqCst);
        race();
    });
    println!("{name}: {} executions", executions.load(SeqCst));
}

/// Declares an object type of its own for a test, with a count of those alive outside the model.
macro_rules! tallied {
    ($live:ident, $name:ident) => {
        static $live: AtomicUsize = AtomicUsize::new(0);

        struct $name {
            owner: usize,
        }

        impl $name {
            fn make() -> Self {
                $live.fetch_add(1, SeqCst);
                Self { owner: 0 }
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                $live.fetch_sub(1, SeqCst);
            }
        }

        impl Reset for $name {
            fn reset(&mut self) {
                self.owner = 0;
            }
            fn is_blank(&self) -> bool {
                self.owner == 0
            }
        }
    };
}

fn assert_balanced(stats: ObjectPoolStats) {
    assert!(stats.idle <= stats.cap, "{stats:?}");
    let placed = stats.outstanding + stats.idle as u64 + stats.discarded + stats.poisoned;
    assert_eq!(
        stats.made + stats.adopted,
        placed + stats.detached,
        "{stats:?}"
    );
}

/// Three threads release into a cap of 1 or 2: never more than the cap is idle, and the pool is
/// full at the end.
fn returners(cap: usize) {
    tallied!(LIVE, Item);
    LIVE.store(0, SeqCst);
    let pool = ObjectPool::new(cap, Item::make).unwrap();
    let held: [PoolBox<Item>; 3] = std::array::from_fn(|_| pool.take());
    let returners = held.map(|item| {
        let pool = pool.clone();
        thread::spawn(move || {
            drop(item);
            assert!(pool.count() <= cap);
        })
    });
    assert_balanced(pool.stats());
    for returner in returners {
        returner.join().unwrap();
    }
    let stats = pool.stats();
    assert_eq!((stats.idle, pool.count(), stats.outstanding), (cap, cap, 0));
    assert_eq!(LIVE.load(SeqCst), cap, "made - dropped - outstanding");
    drop(pool);
    assert_eq!(LIVE.load(SeqCst), 0);
}

/// One test for both, because they share the count of living items.
#[test]
fn cap_holds_with_three_returners() {
    model("cap 1, three returners", || returners(1));
    model("cap 2, three returners", || returners(2));
}

/// Two threads rent and release; no object has two owners.
#[test]
fn object_has_one_owner() {
    tallied!(LIVE, Item);
    model("take beside take", || {
        LIVE.store(0, SeqCst);
        let pool = ObjectPool::new(1, Item::make).unwrap();
        drop(pool.take());
        let renters = [1, 2].map(|me| {
            let pool = pool.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    let mut item = pool.take();
                    assert_eq!(std::mem::replace(&mut item.owner, me), 0);
                    assert!(pool.count() <= 1);
                    assert_eq!(item.owner, me);
                }
            })
        });
        for renter in renters {
            renter.join().unwrap();
        }
        assert_balanced(pool.stats());
        assert_eq!((pool.count(), LIVE.load(SeqCst)), (1, 1));
    });
}

/// Take, release and clear at the same time lose no object and keep none twice.
#[test]
fn clear_beside_take_and_return_loses_nothing() {
    tallied!(LIVE, Item);
    model("take, return, clear", || {
        LIVE.store(0, SeqCst);
        let pool = ObjectPool::new(1, Item::make).unwrap();
        let held = pool.take();
        let returner = thread::spawn(move || drop(held));
        let taker = thread::spawn({
            let pool = pool.clone();
            move || pool.take().owner = 7
        });
        let cleared = pool.clear();
        assert!(cleared <= 1);
        assert_balanced(pool.stats());
        returner.join().unwrap();
        taker.join().unwrap();
        let stats = pool.stats();
        assert_balanced(stats);
        assert_eq!((stats.outstanding, LIVE.load(SeqCst)), (0, stats.idle));
    });
}

/// A release while the last handle is dropped leaves nothing alive.
#[test]
fn return_beside_the_end_of_the_pool_leaks_nothing() {
    tallied!(LIVE, Item);
    model("return, end of pool", || {
        LIVE.store(0, SeqCst);
        let pool = ObjectPool::new(2, Item::make).unwrap();
        let held = [pool.take(), pool.take()];
        let returners = held.map(|item| thread::spawn(move || drop(item)));
        drop(pool);
        for returner in returners {
            returner.join().unwrap();
        }
        assert_eq!(LIVE.load(SeqCst), 0);
    });
}

/// The bytes that are idle never exceed the bound, with releases and a clear at the same time.
#[test]
fn total_bytes_hold_with_three_returners() {
    model("buffers: three returners, clear", || {
        let options = BufferOptions::default()
            .smallest(16)
            .largest(32)
            .total_bytes(48);
        let pool = BufferPool::new(options.clear(ClearPolicy::Both)).unwrap();
        let held = [16, 32, 32].map(|len| pool.take(len).unwrap());
        let returners = held.map(|buffer| thread::spawn(move || drop(buffer)));
        let stats = pool.stats();
        assert!(stats.retained_bytes <= 48, "{stats:?}");
        let freed = pool.clear();
        assert!(freed <= 48);
        for returner in returners {
            returner.join().unwrap();
        }
        let stats = pool.stats();
        let kept: usize = stats.buckets.iter().map(|bucket| bucket.idle).sum();
        assert!(stats.retained_bytes <= 48);
        assert_eq!(
            (stats.made, stats.outstanding),
            (kept as u64 + stats.discarded, 0)
        );
    });
}

/// A buffer that is released beside a thread that rents the next shows nothing of its former owner.
/// The pools run without debug assertions here, so that clearing in debug builds alone would show.
#[test]
fn buffer_is_blank_beside_a_return() {
    model("buffers: take beside return", || {
        let options = BufferOptions::default().smallest(16).largest(16);
        let pool = BufferPool::new(options).unwrap();
        let mut held = pool.take(16).unwrap();
        held.fill(7);
        let returner = thread::spawn(move || drop(held));
        let buffer = pool.take(16).unwrap();
        assert!(buffer.iter().all(|&byte| byte == 0), "{:?}", &buffer[..]);
        drop(buffer);
        returner.join().unwrap();
    });
}

/// A recorder of a former request writes while the mailbox serves one request after another. Its
/// mark never shows in a later one, and each write is delivered, thrown away with its request, or
/// refused and counted.
#[test]
fn late_write_never_shows_in_a_later_request() {
    model("record beside retire", || {
        let base = Instant::now();
        let mark = move |request: u64| base + Duration::from_nanos(request);
        let mut mailbox = Mailbox::new();
        let writers = [(); 2].map(|()| {
            let recorder = mailbox.recorder();
            thread::spawn(move || {
                let first = recorder.record(Phase::Wait, mark(1), mark(1));
                let second = recorder.record(Phase::Wait, mark(1), mark(1));
                assert!(
                    first.is_ok() || second.is_err(),
                    "refused once, refused for ever"
                );
                u64::from(first.is_err()) + u64::from(second.is_err())
            })
        });
        for request in 1..=3 {
            let own = mailbox.recorder();
            own.record(Phase::Send, mark(request), mark(request))
                .unwrap();
            let mut timeline = Timeline::new();
            timeline.begin(base);
            mailbox.drain_into(&mut timeline);
            let marks: Vec<_> = timeline
                .spans()
                .map(|span| span.start.as_nanos() as u64)
                .collect();
            assert!(marks.contains(&request));
            assert!(
                marks.iter().all(|&mark| mark == request),
                "a foreign event: {marks:?}"
            );
            mailbox.retire();
            own.record(Phase::Send, mark(request), mark(request))
                .unwrap_err();
        }
        let refused: u64 = writers.map(|writer| writer.join().unwrap()).iter().sum();
        assert_eq!(mailbox.late_writes(), refused + 3);
    });
}
