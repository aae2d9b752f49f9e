use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;

const THREADS: usize = 8;

/// An object that panics or stays stained when it is reset or dropped, as a test asks for.
#[derive(Debug, Default)]
struct Puppet {
    secret: Vec<u8>,
    on_reset: OnReset,
    panics_on_drop: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum OnReset {
    #[default]
    Obey,
    Forget,
    Panic,
    PanicWithBomb,
}

/// A panic payload that panics itself when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("payload");
    }
}

impl Reset for Puppet {
    fn reset(&mut self) {
        match self.on_reset {
            OnReset::Obey => self.secret.clear(),
            OnReset::Forget => {}
            OnReset::Panic => panic!("reset"),
            OnReset::PanicWithBomb => panic_any(Bomb),
        }
    }

    fn is_blank(&self) -> bool {
        self.secret.is_empty()
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        assert!(!self.panics_on_drop, "drop");
    }
}

fn pool(cap: usize) -> ObjectPool<Puppet> {
    ObjectPool::new(cap, Puppet::default).unwrap()
}

/// The equation of [`ObjectPoolStats`]: each object is counted in one place.
fn assert_balanced(stats: ObjectPoolStats) {
    assert_eq!(
        stats.made + stats.adopted,
        stats.outstanding + stats.idle as u64 + stats.discarded + stats.poisoned + stats.detached,
        "{stats:?}"
    );
    assert!(stats.idle <= stats.cap, "{stats:?}");
}

/// A cap of 0 is an error that names the value.
#[test]
fn cap_of_zero_is_refused() {
    let refused = ObjectPool::new(0, Puppet::default).unwrap_err();
    assert_eq!(refused.to_string(), "object pool cap is 0, the least is 1");
}

#[test]
fn box_is_one_pointer_wide() {
    assert_eq!(size_of::<PoolBox<Puppet>>(), size_of::<usize>());
}

#[test]
fn pool_and_box_cross_threads() {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<ObjectPool<Puppet>>();
    assert_send_sync::<PoolBox<Puppet>>();
}

/// One call of the factory for each miss, none for a hit.
#[test]
fn factory_is_called_exactly_on_misses() {
    thread_local!(static MADE: Cell<u64> = const { Cell::new(0) });
    let make = || {
        MADE.set(MADE.get() + 1);
        Puppet::default()
    };
    let pool = ObjectPool::new(4, make).unwrap();
    let held: Vec<_> = (0..6).map(|_| pool.take()).collect();
    drop(held);
    for _ in 0..100 {
        drop((pool.take(), pool.take(), pool.take(), pool.take()));
    }
    let stats = pool.stats();
    assert_eq!((MADE.get(), stats.made, stats.reused), (6, 6, 400));
    assert_eq!((stats.idle, stats.discarded), (4, 2));
    assert_balanced(stats);
}

/// The count goes down with each object that is taken, and up when it is released.
#[test]
fn count_follows_takes_and_returns() {
    let pool = ObjectPool::new(2, Puppet::default).unwrap();
    drop([pool.take(), pool.take(), pool.take()]);
    assert_eq!(pool.count(), 2);
    let held = pool.take();
    assert_eq!(pool.count(), 1);
    drop(held);
    assert_eq!(pool.count(), 2);
}

/// A factory that panics changes nothing in the pool.
#[test]
fn factory_that_panics_is_not_counted() {
    let pool: ObjectPool<Puppet> = ObjectPool::new(1, || panic!("make")).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| pool.take())).is_err());
    assert_eq!(
        pool.stats(),
        ObjectPoolStats {
            cap: 1,
            ..ObjectPoolStats::default()
        }
    );
    pool.put(Puppet::default());
    assert!(pool.take().is_blank());
}

/// 8 threads push ten times the cap; it holds at every sample and is reached.
#[test]
fn cap_holds_under_contention() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    const CAP: usize = 16;

    struct Counted;
    impl Default for Counted {
        fn default() -> Self {
            LIVE.fetch_add(1, Ordering::Relaxed);
            Self
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            LIVE.fetch_sub(1, Ordering::Relaxed);
        }
    }
    impl Reset for Counted {
        fn reset(&mut self) {}
        fn is_blank(&self) -> bool {
            true
        }
    }

    let pool = ObjectPool::new(CAP, Counted::default).unwrap();
    let overflowing = || {
        for _ in 0..100 {
            let held: Vec<_> = (0..CAP * 10).map(|_| pool.take()).collect();
            for object in held {
                drop(object);
                assert!(pool.count() <= CAP);
                assert!(pool.stats().idle <= CAP);
            }
        }
    };
    thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(overflowing)));
    });
    let stats = pool.stats();
    assert_eq!((stats.idle, pool.count(), stats.outstanding), (CAP, CAP, 0));
    assert_eq!(LIVE.load(Ordering::Relaxed), CAP);
    assert!(stats.discarded > 0);
    assert_balanced(stats);
}

/// In steady state nearly all are reused, one owner each, and the count is in bounds.
#[test]
fn churn_reuses_and_shares_nothing() {
    #[derive(Default)]
    struct Owned {
        is_taken: AtomicBool,
        secret: Option<u64>,
    }
    impl Reset for Owned {
        fn reset(&mut self) {
            self.secret = None;
            self.is_taken.store(false, Ordering::Relaxed);
        }
        fn is_blank(&self) -> bool {
            self.secret.is_none()
        }
    }

    let pool = ObjectPool::new(2 * THREADS, Owned::default).unwrap();
    let churning = |me: u64| {
        for round in 0..10_000 {
            let (mut one, mut two) = (pool.take(), pool.take());
            for object in [&mut one, &mut two] {
                assert!(!object.is_taken.swap(true, Ordering::Relaxed));
                assert_eq!(object.secret.replace(me), None);
            }
            assert!(pool.count() <= 2 * THREADS);
            if round % 100 == 0 {
                thread::yield_now();
            }
            assert_eq!((one.secret, two.secret), (Some(me), Some(me)));
        }
    };
    let churning = &churning;
    thread::scope(|scope| {
        (0..THREADS as u64).for_each(|me| drop(scope.spawn(move || churning(me))));
    });
    let stats = pool.stats();
    let reuse_ratio = stats.reused as f64 / (stats.reused + stats.made) as f64;
    assert!(reuse_ratio > 0.9, "{stats:?}");
    assert_eq!(stats.reused + stats.made, 2 * 10_000 * THREADS as u64);
    assert_eq!(pool.count(), stats.idle);
    assert_balanced(stats);
}

/// A reset that panics loses its object and nothing else.
#[test]
fn reset_that_panics_is_contained_and_its_object_is_not_reused() {
    for on_reset in [OnReset::Panic, OnReset::PanicWithBomb] {
        for panics_on_drop in [false, true] {
            let pool = pool(4);
            let mut object = pool.take();
            *object = Puppet {
                secret: vec![1],
                on_reset,
                panics_on_drop,
            };
            drop(object);
            let stats = pool.stats();
            assert_eq!((stats.poisoned, stats.idle, stats.outstanding), (1, 0, 0));
            assert!(pool.take().is_blank());
            assert_eq!(pool.stats().made, 2);
            assert_balanced(pool.stats());
        }
    }
}

/// A drop that panics, over the cap or by `clear`, is contained.
#[test]
fn drop_that_panics_is_contained() {
    let pool = pool(1);
    let held = [pool.take(), pool.take()];
    for mut object in held {
        object.panics_on_drop = true;
    }
    assert_eq!(pool.stats().discarded, 1);
    assert_eq!(pool.clear(), 1);
    let mut adopted = Puppet::default();
    adopted.panics_on_drop = true;
    pool.put(adopted);
    drop(pool);
}

/// An object that is released while its owner is panicking is not kept, and the process does not
/// abort.
#[test]
fn object_of_a_panicking_owner_is_dropped() {
    let pool = pool(4);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut object = pool.take();
        object.secret.push(1);
        object.on_reset = OnReset::Panic;
        object.panics_on_drop = true;
        panic!("owner");
    }));
    assert!(unwound.is_err());
    let stats = pool.stats();
    assert_eq!(
        (
            stats.discarded,
            stats.poisoned,
            stats.idle,
            stats.outstanding
        ),
        (1, 0, 0, 0)
    );
    assert_balanced(stats);
}

/// An object that its reset has left stained is never rented again, in release as well.
#[test]
fn stained_object_is_discarded() {
    let pool = pool(4);
    let mut object = pool.take();
    object.secret.push(1);
    object.on_reset = OnReset::Forget;
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(object)));
    assert_eq!(dropped.is_err(), cfg!(debug_assertions));
    let stats = pool.stats();
    assert_eq!((stats.discarded, stats.idle, stats.outstanding), (1, 0, 0));
    assert!(pool.take().is_blank());
}

/// The object that is rented again is blank, and it is the same one.
#[test]
fn object_comes_back_blank() {
    let pool = pool(4);
    let mut object = pool.take();
    object.secret.extend([7; 32]);
    let before = object.secret.as_ptr();
    drop(object);
    let object = pool.take();
    assert_eq!(
        object.secret.as_ptr(),
        before,
        "not the same object, so nothing is shown"
    );
    assert!(object.secret.is_empty());
}

/// A reset may rent from the pool that runs it.
#[test]
fn reset_may_rent_from_its_own_pool() {
    #[derive(Default)]
    struct Nested(Option<ObjectPool<Nested>>);
    impl Reset for Nested {
        fn reset(&mut self) {
            if let Some(pool) = self.0.take() {
                drop((pool.take(), pool.take()));
                pool.clear();
            }
        }
        fn is_blank(&self) -> bool {
            self.0.is_none()
        }
    }

    let pool = ObjectPool::new(2, Nested::default).unwrap();
    let mut object = pool.take();
    object.0 = Some(pool.clone());
    drop(object);
    assert_eq!((pool.stats().made, pool.stats().idle), (3, 1));
}

/// `clear` empties the pool, and objects that are out are kept when they are released.
#[test]
fn clear_empties_and_later_returns_refill() {
    let pool = pool(8);
    let mut held: Vec<_> = (0..8).map(|_| pool.take()).collect();
    let late = held.split_off(5);
    drop(held);
    assert_eq!((pool.count(), pool.clear(), pool.count()), (5, 5, 0));
    drop(late);
    assert_eq!((pool.count(), pool.clear(), pool.clear()), (3, 3, 0));
    assert_balanced(pool.stats());
}

/// `clear` beside releases leaves every object counted.
#[test]
fn clear_beside_returns_loses_nothing() {
    let pool = pool(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5_000).for_each(|_| drop((pool.take(), pool.take()))));
        }
        scope.spawn(|| {
            for _ in 0..5_000 {
                assert!(pool.clear() <= 4);
                assert_balanced(pool.stats());
            }
        });
    });
    assert_eq!(pool.stats().outstanding, 0);
    assert_balanced(pool.stats());
}

/// A box outlives its pool; the idle objects do not.
#[test]
fn box_outlives_its_pool() {
    thread_local!(static DROPPED: Cell<u32> = const { Cell::new(0) });
    #[derive(Default)]
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.set(DROPPED.get() + 1);
        }
    }
    impl Reset for Counted {
        fn reset(&mut self) {}
        fn is_blank(&self) -> bool {
            true
        }
    }

    let pool = ObjectPool::new(4, Counted::default).unwrap();
    let held = [pool.take(), pool.take(), pool.take()];
    drop(pool.take());
    drop(pool.clone());
    assert_eq!(DROPPED.get(), 0, "a clone is not the pool's end");
    drop(pool);
    assert_eq!(DROPPED.get(), 1, "the idle one");
    let [first, others @ ..] = held;
    drop(first);
    assert_eq!(
        DROPPED.get(),
        2,
        "one that comes too late is not kept until the others come"
    );
    drop(others);
    assert_eq!(DROPPED.get(), 4);
}

#[test]
fn detached_object_is_out_of_care() {
    let pool = pool(4);
    let mut object = pool.take();
    object.secret.push(1);
    let own = object.detach();
    assert_eq!(own.secret, [1]);
    let stats = pool.stats();
    assert_eq!((stats.detached, stats.outstanding, stats.idle), (1, 0, 0));
    pool.put(own);
    assert_eq!((pool.stats().adopted, pool.stats().idle), (1, 1));
    assert!(pool.take().is_blank());
    assert_balanced(pool.stats());
}

/// `mem::forget` of boxes loses those and no others.
#[test]
fn forgotten_boxes_are_lost_alone() {
    let pool = pool(4);
    for _ in 0..100 {
        mem::forget(pool.take());
    }
    drop(pool.take());
    let stats = pool.stats();
    assert_eq!(
        (stats.outstanding, stats.idle),
        (100, 0).max((100, stats.idle))
    );
    assert!(stats.idle <= 1);
    assert!(stats.made <= 101);
    assert_balanced(stats);
}

/// Objects that are out at one time are all different.
#[test]
fn objects_out_at_one_time_are_different() {
    let pool = pool(THREADS);
    let seen = Mutex::new(HashSet::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let object = pool.take();
                    let identity = std::ptr::from_ref(&*object).addr();
                    assert!(seen.lock().insert(identity));
                    assert!(seen.lock().remove(&identity));
                    drop(object);
                }
            });
        }
    });
}
