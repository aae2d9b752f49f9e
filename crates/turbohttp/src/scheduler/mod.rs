//! Admission: the one scheduler of a client or a limiter, with what it needs of the world.
//!
//! The decisions are core's [`Scheduler`]; here are the clock, the timer driver that calls it when
//! something is due, and the end: what is told and closed when the last call has left.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;
use turbohttp_core::scheduler::{
    Ask, CallId, CloseMode, Effects, Refusal, Report, Rules, Scheduler, SharedScheduler, Signals,
    Stage, State, Waited,
};

mod close;
mod guard;
mod permit;
mod timer;

pub use close::{CloseFailure, CloseReport, Shutdown};
pub(crate) use close::{Failures, InWords};
pub(crate) use guard::CallGuard;
pub(crate) use permit::{PermitGuard, PermitWait};

use timer::Timer;

use crate::clock;
use crate::error::Result;

/// What a client closes when its last request has left: its middlewares and its transport.
pub(crate) trait Components: Send + Sync {
    /// Closes every component once, and collects what goes wrong.
    fn close(&self, failures: &mut Failures);
}

/// A scheduler with a clock, a timer driver and an end.
pub(crate) struct Dispatcher {
    scheduler: SharedScheduler,
    timer: Timer,
    /// Somebody's end has come: whoever waits for a report looks.
    ended: Notify,
    /// Taken by whoever ends it.
    ending: Mutex<Option<Ending>>,
    closed: OnceLock<CloseReport>,
    itself: Weak<Dispatcher>,
    /// Permits held by responses whose bodies are unread.
    unread: AtomicUsize,
}

impl Dispatcher {
    pub(crate) fn new(rules: Rules) -> Result<Arc<Dispatcher>> {
        let scheduler = SharedScheduler::new(rules, clock::now())?;
        Ok(Arc::new_cyclic(|itself| Dispatcher {
            scheduler,
            timer: Timer::default(),
            ended: Notify::new(),
            ending: Mutex::new(Some(Ending::default())),
            closed: OnceLock::new(),
            itself: itself.clone(),
            unread: AtomicUsize::new(0),
        }))
    }

    /// Says what is to be closed at the end. It is kept until then.
    pub(crate) fn set_components(&self, components: Arc<dyn Components>) {
        *self.lock_ending() = Some(Ending {
            components: Some(components),
        });
    }

    /// Begins a call that holds no permit itself: its attempts ask for theirs.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Result<CallGuard, Refusal> {
        let entered = self.update(|scheduler, _| scheduler.enter(now));
        entered.map(|call| CallGuard::new(self.clone(), call))
    }

    /// Comes in and asks for a permit in one step; `waker` is woken when there is one, and when a close
    /// cuts the request off.
    #[inline]
    pub(crate) fn enter_and_ask(
        self: &Arc<Self>,
        ask: Ask<'_>,
        waker: &Waker,
        now: Instant,
    ) -> Result<(CallGuard, State), Refusal> {
        let clone = waker.clone();
        let watched = guard::identity(&clone);
        let clone = Some(clone);
        self.update(|scheduler, effects| scheduler.enter_and_admit(ask, clone, now, effects))
            .map(|(call, state)| (CallGuard::watched(self.clone(), call, watched), state))
    }

    /// Asks for a permit for one attempt of `call`, with the age of that call. A permit that the call
    /// holds itself, as a job of a queue does, becomes the attempt's.
    pub(crate) fn ask_for(
        self: &Arc<Self>,
        call: CallId,
        ask: Ask<'_>,
        now: Instant,
    ) -> Result<(CallGuard, State), Refusal> {
        self.update(|scheduler, effects| scheduler.admit_for(Some(call), ask, now, effects))
            .map(|(attempt, state)| (CallGuard::new(self.clone(), attempt), state))
    }

    /// Does what is due by `now`, as the timer driver does at its time.
    #[cold]
    pub(crate) fn sweep(&self, now: Instant) {
        self.update(|scheduler, effects| scheduler.sweep(now, effects));
    }

    /// Whether everything inside is to stop at once. Takes no lock.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.scheduler.is_cut()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.scheduler.stage() != Stage::Open
    }

    /// Does something with the scheduler, and what follows from it.
    #[inline]
    pub(crate) fn update<R>(&self, update: impl FnOnce(&mut Scheduler, &mut Effects) -> R) -> R {
        let (result, signals) = self.scheduler.with(update);
        if signals != Signals::default() {
            self.handle_signals(signals);
        }
        result
    }

    /// How many permits are held by responses whose bodies are unread.
    pub(crate) fn unread_responses(&self) -> usize {
        self.unread.load(Ordering::Relaxed)
    }

    /// Looks at the scheduler.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Scheduler) -> R) -> R {
        self.scheduler.look(read)
    }

    /// Where a waiting call stands.
    pub(crate) fn poll_turn(
        &self,
        call: CallId,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Waited, Refusal>> {
        let (poll, signals) = self.scheduler.poll_turn(call, cx.waker(), clock::now());
        if signals != Signals::default() {
            self.handle_signals(signals);
        }
        if poll.is_pending() {
            // The timer driver may have gone with its runtime.
            self.timer.ensure_running(self);
        }
        poll
    }

    /// Closes everything in this way, and waits for the end.
    pub(crate) async fn close(&self, mode: Shutdown) -> CloseReport {
        self.begin_close(mode);
        self.wait_until_closed().await
    }

    /// Closes in this way, or goes on closing; returns at once.
    pub(crate) fn begin_close(&self, mode: Shutdown) {
        let now = clock::now();
        let (mode, deadline) = mode.parts(now);
        self.update(|scheduler, effects| scheduler.close(mode, deadline, now, effects));
    }

    /// Refuses newcomers; those inside go on for as long as they take.
    pub(crate) fn close_without_deadline(&self) {
        let now = clock::now();
        self.update(|scheduler, effects| scheduler.close(CloseMode::Drain, None, now, effects));
    }

    /// Makes sure that what is due by itself happens: the timer driver may have gone with its runtime.
    pub(crate) fn ensure_timer(&self) {
        self.timer.ensure_running(self);
    }

    /// Waits for the end of a close that has begun, or will.
    pub(crate) async fn wait_until_closed(&self) -> CloseReport {
        self.wait_for(|this| this.closed.get().cloned()).await
    }

    /// Waits until `look` finds what is there once some gate has closed.
    pub(crate) async fn wait_for<R>(&self, read: impl Fn(&Self) -> Option<R>) -> R {
        loop {
            // Registered before the look, so that an end between the two is not missed.
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if let Some(found) = read(self) {
                return found;
            }
            // The timer driver may have gone with its runtime.
            self.timer.ensure_running(self);
            ended.await;
        }
    }

    #[cold]
    fn handle_signals(&self, signals: Signals) {
        if signals.alarm {
            self.timer.alarm(self);
        }
        if signals.closed {
            self.update(|scheduler, effects| scheduler.dismiss_workers(effects));
            if let Some(report) = self.read(Scheduler::final_report) {
                self.end(report);
            }
            self.ended.notify_waiters();
        }
    }

    /// Closes what is owned, once, and then makes the report visible.
    fn end(&self, report: Report) {
        // Whoever comes second, a component that closes its own client included, does not wait here.
        let Some(ending) = self.lock_ending().take() else {
            return;
        };
        let mut failures = Failures::default();
        if let Some(components) = &ending.components {
            components.close(&mut failures);
        }
        // Nobody else sets it. What is dropped after it is foreign, and may panic: nobody waits for it.
        let _ = self.closed.set(CloseReport::new(report, failures));
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(ending)));
        if let Err(panic) = dropped {
            std::mem::forget(panic);
        }
    }

    fn lock_ending(&self) -> MutexGuard<'_, Option<Ending>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be done at the end.
#[derive(Default)]
struct Ending {
    components: Option<Arc<dyn Components>>,
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("scheduler", &self.scheduler)
            .finish_non_exhaustive()
    }
}
