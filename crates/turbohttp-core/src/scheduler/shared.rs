//! The scheduler behind its lock.

use std::task::{Poll, Waker};
use std::time::Instant;

use super::bounds::InvalidRule;
use super::call::{Refusal, Waited};
use super::effects::Effects;
use super::gate::Stage;
use super::ids::CallId;
use super::machine::{Scheduler, Turn};
use super::rules::Rules;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering};

/// The scheduler behind one lock, held for one operation. Wakers are woken and dropped after it is
/// released.
pub struct SharedScheduler {
    scheduler: Mutex<Scheduler>,
    /// The flag of the scheduler's gate, to be read without the lock.
    cut: Arc<AtomicBool>,
    /// Whether calls were in line when the lock was released last. A hint: readers do not take the
    /// lock, and decide nothing by it that must be right.
    contended: AtomicBool,
}

/// What the caller of [`SharedScheduler`] has to do after an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "tasks may be waiting for a report, or for a sweep"]
#[non_exhaustive]
pub struct Signals {
    /// A gate has closed: tasks that wait for its report are to be woken. `true` once for each
    /// gate.
    pub closed: bool,
    /// [`Scheduler::sweep`] is due earlier than it said last.
    pub alarm: bool,
}

impl SharedScheduler {
    /// See [`Scheduler::new`].
    ///
    /// # Errors
    ///
    /// [`InvalidRule`].
    pub fn new(rules: Rules, now: Instant) -> Result<Self, InvalidRule> {
        let scheduler = Scheduler::new(rules, now)?;
        Ok(Self {
            // The scheduler keeps its flag for life, so a copy of the pointer is enough.
            cut: scheduler.cut_flag(),
            scheduler: Mutex::new(scheduler),
            contended: AtomicBool::new(false),
        })
    }

    /// Whether everything inside is to stop at once. Takes no lock.
    #[inline]
    pub fn is_cut(&self) -> bool {
        // Pairs with the `Release` of `Gate::cut`: what the closing thread did before is seen as
        // well.
        self.cut.load(Ordering::Acquire)
    }

    /// Runs `act` under the lock, and performs the effects that it leaves after the lock is
    /// released.
    #[inline]
    pub fn with<R>(&self, act: impl FnOnce(&mut Scheduler, &mut Effects) -> R) -> (R, Signals) {
        let mut effects = Effects::default();
        let mut scheduler = self.scheduler.lock();
        let result = act(&mut scheduler, &mut effects);
        // Written only where it changes: under load before many origins the cache line stays shared
        // between threads.
        let is_contended = scheduler.is_contended();
        if is_contended != self.contended.load(Ordering::Relaxed) {
            self.contended.store(is_contended, Ordering::Relaxed);
        }
        // Wakers run foreign code, which may call this scheduler.
        drop(scheduler);
        let signals = Signals {
            closed: effects.closed,
            alarm: effects.alarm,
        };
        effects.perform();
        (result, signals)
    }

    /// Runs `alter` under the lock, which leaves no effects and changes nothing about who is in
    /// line.
    #[inline]
    pub fn alter<R>(&self, alter: impl FnOnce(&mut Scheduler) -> R) -> R {
        alter(&mut self.scheduler.lock())
    }

    /// Whether calls are probably in line. Takes no lock.
    #[inline]
    pub fn seems_contended(&self) -> bool {
        self.contended.load(Ordering::Relaxed)
    }

    /// Runs `look` under the lock.
    pub fn look<R>(&self, look: impl FnOnce(&Scheduler) -> R) -> R {
        look(&self.scheduler.lock())
    }

    /// Where a call stands; if it waits, `waker` will be woken. See [`Scheduler::turn`].
    pub fn poll_turn(
        &self,
        call: CallId,
        waker: &Waker,
        now: Instant,
    ) -> (Poll<Result<Waited, Refusal>>, Signals) {
        let (turn, signals) =
            self.with(|scheduler, effects| scheduler.turn(call, waker, now, effects));
        match turn {
            Turn::Taken(waited) => (Poll::Ready(Ok(waited)), signals),
            Turn::Refused(refusal) => (Poll::Ready(Err(refusal)), signals),
            Turn::Wait => (Poll::Pending, signals),
            Turn::NeedsWaker => {
                // Cloning a waker runs foreign code, which is not done under the lock. If the turn
                // has come meanwhile, `set_waker` refuses the clone and the second look finds it.
                let clone = waker.clone();
                let (is_kept, more) =
                    self.with(|scheduler, effects| scheduler.set_waker(call, clone, effects));
                let signals = signals.and(more);
                if is_kept {
                    return (Poll::Pending, signals);
                }
                let (poll, more) = self.poll_turn(call, waker, now);
                (poll, signals.and(more))
            }
        }
    }

    /// How far the scheduler is closed, see [`Scheduler::stage`].
    pub fn stage(&self) -> Stage {
        self.look(Scheduler::stage)
    }
}

impl Signals {
    /// What has to be done after either of two operations.
    pub fn and(self, other: Signals) -> Signals {
        Signals {
            closed: self.closed | other.closed,
            alarm: self.alarm | other.alarm,
        }
    }
}

impl std::fmt::Debug for SharedScheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedScheduler")
            .field("audit", &self.look(Scheduler::audit))
            .finish()
    }
}
