//! Wakers are woken and dropped outside the lock, and none is kept longer than its call.

use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Wake;

use super::*;
use crate::sync::Arc;

/// A waker that takes the scheduler's lock when it is woken or dropped, and may panic then. It
/// would deadlock if the lock were held.
struct CountingWaker {
    shared: Weak<SharedScheduler>,
    wakes: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
    panics: bool,
}

impl CountingWaker {
    fn look(&self) {
        if let Some(shared) = self.shared.upgrade() {
            let _ = shared.look(|scheduler| scheduler.capacity.running());
        }
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.look();
        self.wakes.fetch_add(1, SeqCst);
        assert!(!self.panics, "a waker that panics");
    }
}

impl Drop for CountingWaker {
    fn drop(&mut self) {
        self.look();
        self.drops.fetch_add(1, SeqCst);
        assert!(
            !self.panics || std::thread::panicking(),
            "a drop that panics"
        );
    }
}

struct Fixture {
    shared: Arc<SharedScheduler>,
    now: Instant,
    wakes: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Fixture {
    fn new(limit: usize) -> Fixture {
        let now = crate_now();
        let rules = Rules {
            total: limit,
            ..Rules::default()
        };
        Fixture {
            shared: Arc::new(SharedScheduler::new(rules, now).unwrap()),
            now,
            wakes: Arc::default(),
            drops: Arc::default(),
        }
    }

    fn counting_waker(&self, panics: bool) -> Waker {
        Waker::from(Arc::new(CountingWaker {
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

    /// Waits with a waker of which the scheduler has the only clone.
    fn wait(&self, panics: bool) -> CallId {
        let (id, waker) = (self.ask(), self.counting_waker(panics));
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
    let fixture = Fixture::new(1);
    let running = fixture.ask();
    let waiting: Vec<_> = (0..10_000).map(|_| fixture.wait(false)).collect();
    let _ = fixture
        .shared
        .close(CloseMode::CancelPending, None, fixture.now);
    assert_eq!(fixture.counts(), (10_000, 10_000));
    for id in waiting {
        let (poll, _) = fixture.shared.poll_turn(id, Waker::noop(), fixture.now);
        assert_eq!(poll, Poll::Ready(Err(Refusal::Closed)));
        fixture.leave(id);
    }
    fixture.leave(running);
    assert_eq!(fixture.shared.report().unwrap().counts.canceled, 10_000);
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    let fixture = Fixture::new(3);
    let running: Vec<_> = (0..3).map(|_| fixture.ask()).collect();
    let waiting = [true, false, true, true, false].map(|panics| fixture.wait(panics));
    // The messages of the expected panics would only clutter the output.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let ((), _) = fixture.shared.with(|scheduler, effects| {
        for id in running {
            scheduler.leave(id, Outcome::Completed, fixture.now, effects);
        }
    });
    assert_eq!(fixture.counts(), (3, 3), "two of them panicked");
    let _ = fixture.shared.close(CloseMode::Now, None, fixture.now);
    std::panic::set_hook(hook);
    assert_eq!(fixture.counts(), (5, 5), "one more did");
    for id in waiting {
        fixture.leave(id);
    }
    assert!(fixture.shared.look(Scheduler::audit).is_idle());
}

#[test]
fn a_waker_is_dropped_where_its_call_leaves_is_granted_or_has_another() {
    let fixture = Fixture::new(1);
    let running = fixture.ask();
    let [left, released, granted, changed] = [(); 4].map(|()| fixture.wait(false));
    fixture.leave(left);
    assert_eq!(fixture.counts(), (0, 1));
    let ((), _) = fixture
        .shared
        .with(|scheduler, effects| scheduler.release(released, fixture.now, effects));
    assert_eq!(fixture.counts(), (0, 2));
    let (is_kept, _) = fixture.shared.with(|scheduler, effects| {
        scheduler.set_waker(changed, fixture.counting_waker(false), effects)
    });
    assert!(is_kept);
    assert_eq!(fixture.counts(), (0, 3));
    fixture.leave(running);
    assert_eq!(fixture.counts(), (1, 4), "the grant");
    let (is_kept, _) = fixture.shared.with(|scheduler, effects| {
        scheduler.set_waker(granted, fixture.counting_waker(false), effects)
    });
    assert!(!is_kept, "it has its grant already");
    assert_eq!(fixture.counts(), (1, 5));
    for id in [granted, changed, released] {
        fixture.leave(id);
    }
    let (wakes, drops) = fixture.counts();
    assert_eq!((wakes, drops), (2, 6), "all that were made");
}

/// A waker that lets its call leave while it is woken, which grants the permit to the next call and
/// wakes that one.
#[test]
fn a_waker_may_act_on_the_scheduler() {
    struct Leaver(Weak<SharedScheduler>, CallId, Instant);

    impl Wake for Leaver {
        fn wake(self: Arc<Self>) {
            let shared = self.0.upgrade().expect("the test holds it");
            let _ = shared.leave(self.1, Outcome::Completed, self.2);
        }
    }

    let fixture = Fixture::new(1);
    let running = fixture.ask();
    for _ in 0..100 {
        let id = fixture.ask();
        let leaver = Leaver(Arc::downgrade(&fixture.shared), id, fixture.now);
        let waker = Waker::from(Arc::new(leaver));
        let (poll, _) = fixture.shared.poll_turn(id, &waker, fixture.now);
        assert!(poll.is_pending());
    }
    fixture.leave(running);
    let audit = fixture.shared.look(Scheduler::audit);
    assert!(audit.is_idle(), "{audit:?}");
    let stats = fixture.shared.look(Scheduler::stats);
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
