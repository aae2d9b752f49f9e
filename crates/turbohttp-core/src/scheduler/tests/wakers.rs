//! X5: wakers are woken and dropped outside the lock, and none is kept beyond its call.

use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Wake;

use super::*;
use crate::sync::Arc;

/// A waker that looks at the scheduler when it is woken or dropped, and may panic then. That it comes
/// through says that the lock is free.
struct Odd {
    shared: Weak<SharedScheduler>,
    wakes: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
    panics: bool,
}

impl Odd {
    fn look(&self) {
        if let Some(shared) = self.shared.upgrade() {
            let _ = shared.look(|scheduler| scheduler.capacity.running());
        }
    }
}

impl Wake for Odd {
    fn wake(self: Arc<Self>) {
        self.look();
        self.wakes.fetch_add(1, SeqCst);
        assert!(!self.panics, "a waker that panics");
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.look();
        self.drops.fetch_add(1, SeqCst);
        assert!(
            !self.panics || std::thread::panicking(),
            "a drop that panics"
        );
    }
}

struct Hall {
    shared: Arc<SharedScheduler>,
    now: Instant,
    wakes: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Hall {
    fn new(limit: usize) -> Hall {
        let now = crate_now();
        let rules = Rules {
            total: limit,
            ..Rules::default()
        };
        Hall {
            shared: Arc::new(SharedScheduler::new(rules, now).unwrap()),
            now,
            wakes: Arc::default(),
            drops: Arc::default(),
        }
    }

    fn odd(&self, panics: bool) -> Waker {
        Waker::from(Arc::new(Odd {
            shared: Arc::downgrade(&self.shared),
            wakes: Arc::clone(&self.wakes),
            drops: Arc::clone(&self.drops),
            panics,
        }))
    }

    fn ask(&self) -> CallId {
        let id = self
            .shared
            .with(|scheduler, _| scheduler.enter(self.now))
            .0
            .unwrap();
        let ask = Ask {
            lane: LaneKey::new("a"),
            priority: Priority::Normal,
            deadline: None,
        };
        self.shared.admit(id, ask, self.now).0.unwrap();
        id
    }

    /// Waits with a waker of its own, of which the scheduler has the only one.
    fn wait(&self, panics: bool) -> CallId {
        let (id, waker) = (self.ask(), self.odd(panics));
        let (is_kept, _) = self
            .shared
            .with(|scheduler, effects| scheduler.set_waker(id, waker, effects));
        assert!(is_kept);
        id
    }

    fn leave(&self, id: CallId) {
        let _ = self.shared.leave(id, Outcome::Completed, self.now);
    }

    fn counts(&self) -> (usize, usize) {
        (self.wakes.load(SeqCst), self.drops.load(SeqCst))
    }
}

#[test]
fn ten_thousand_are_refused_by_a_close_and_woken_without_the_lock() {
    let hall = Hall::new(1);
    let running = hall.ask();
    let waiting: Vec<_> = (0..10_000).map(|_| hall.wait(false)).collect();
    let _ = hall.shared.close(CloseMode::CancelPending, None, hall.now);
    assert_eq!(hall.counts(), (10_000, 10_000));
    for id in waiting {
        let (poll, _) = hall.shared.poll_turn(id, Waker::noop(), hall.now);
        assert_eq!(poll, Poll::Ready(Err(Refusal::Closed)));
        hall.leave(id);
    }
    hall.leave(running);
    assert_eq!(hall.shared.report().unwrap().counts.canceled, 10_000);
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    let hall = Hall::new(3);
    let running: Vec<_> = (0..3).map(|_| hall.ask()).collect();
    let waiting = [true, false, true, true, false].map(|panics| hall.wait(panics));
    // Their messages are no news.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let ((), _) = hall.shared.with(|scheduler, effects| {
        for id in running {
            scheduler.leave(id, Outcome::Completed, hall.now, effects);
        }
    });
    assert_eq!(hall.counts(), (3, 3), "two of them panicked");
    let _ = hall.shared.close(CloseMode::Now, None, hall.now);
    std::panic::set_hook(hook);
    assert_eq!(hall.counts(), (5, 5), "one more did");
    for id in waiting {
        hall.leave(id);
    }
    assert!(hall.shared.look(Scheduler::audit).is_idle());
}

#[test]
fn a_waker_is_dropped_where_its_call_leaves_is_granted_or_has_another() {
    let hall = Hall::new(1);
    let running = hall.ask();
    let [left, released, granted, changed] = [(); 4].map(|()| hall.wait(false));
    hall.leave(left);
    assert_eq!(hall.counts(), (0, 1));
    let ((), _) = hall
        .shared
        .with(|scheduler, effects| scheduler.release(released, hall.now, effects));
    assert_eq!(hall.counts(), (0, 2));
    let (is_kept, _) = hall
        .shared
        .with(|scheduler, effects| scheduler.set_waker(changed, hall.odd(false), effects));
    assert!(is_kept);
    assert_eq!(hall.counts(), (0, 3));
    hall.leave(running);
    assert_eq!(hall.counts(), (1, 4), "the grant");
    let (is_kept, _) = hall
        .shared
        .with(|scheduler, effects| scheduler.set_waker(granted, hall.odd(false), effects));
    assert!(!is_kept, "it has its grant already");
    assert_eq!(hall.counts(), (1, 5));
    for id in [granted, changed, released] {
        hall.leave(id);
    }
    let (wakes, drops) = hall.counts();
    assert_eq!((wakes, drops), (2, 6), "all that were made");
}

/// A waker that asks the scheduler for its turn while it is woken, and wakes the next one by it.
#[test]
fn a_waker_may_act_on_the_scheduler() {
    struct Leaver(Weak<SharedScheduler>, CallId, Instant);

    impl Wake for Leaver {
        fn wake(self: Arc<Self>) {
            let shared = self.0.upgrade().expect("the test holds it");
            let _ = shared.leave(self.1, Outcome::Completed, self.2);
        }
    }

    let hall = Hall::new(1);
    let running = hall.ask();
    for _ in 0..100 {
        let id = hall.ask();
        let leaver = Leaver(Arc::downgrade(&hall.shared), id, hall.now);
        let waker = Waker::from(Arc::new(leaver));
        let (poll, _) = hall.shared.poll_turn(id, &waker, hall.now);
        assert!(poll.is_pending());
    }
    hall.leave(running);
    let audit = hall.shared.look(Scheduler::audit);
    assert!(audit.is_idle(), "{audit:?}");
    let stats = hall.shared.look(Scheduler::stats);
    assert_eq!((stats.ended.completed, stats.grants_released), (101, 100));
}

#[test]
fn a_worker_is_not_woken_for_what_it_gets_at_once() {
    let mut bench = Bench::new(4, 4);
    let job = bench.submit("a", Priority::Normal);
    let (poll, wakes) = bench.act(|scheduler, now, effects| {
        let poll = scheduler.poll_worker(GroupId(1), 0, Waker::noop().clone(), now, effects);
        (poll, effects.wakes())
    });
    assert!(matches!(poll, Poll::Ready(picked) if picked.call == job));
    assert_eq!(wakes, 0);
}
