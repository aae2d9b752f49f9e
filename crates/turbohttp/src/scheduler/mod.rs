//! The dispatcher of a client or a limiter: core's scheduler with a clock, a timer and an end.
//!
//! Core's [`Scheduler`] decides who may start. [`Dispatcher`] passes it the time, sweeps it when
//! something is due ([`timer`]), and after the last call has left closes the components and keeps the
//! report. [`CallGuard`] and [`PermitGuard`] release what a call or a permit holds when they drop.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Instant;

use tokio::sync::Notify;
use turbohttp_core::contain::contain;
use turbohttp_core::origin::Origin;
use turbohttp_core::scheduler::{
    Ask, CallId, CloseMode, Effects, LaneKey, Refusal, Report, Rules, Scheduler, SharedScheduler,
    Signals, Stage, State, Waited,
};
use turbohttp_core::sync::lock;
use turbohttp_core::timeline::Phase;

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
use crate::error::{Error, Result};

/// What a client closes when its last call has left: its middlewares and its transport.
pub(crate) trait Components: Send + Sync {
    /// Closes every component once, and collects their errors.
    fn close(&self, failures: &mut Failures);
}

/// The scheduler behind its lock, with a clock, a timer and an end.
pub(crate) struct Dispatcher {
    scheduler: SharedScheduler,
    timer: Timer,
    /// Notified when a gate closes, that of a queue included; tasks that wait for a report check again.
    ended: Notify,
    /// Notified when a close has begun: calls that wait for nothing of the scheduler check again.
    closing: Notify,
    /// Taken by the thread that ends the dispatcher, so that components are closed once.
    ending: Mutex<Option<Ending>>,
    /// Set after the components are closed.
    closed: OnceLock<CloseReport>,
    /// For the timer drivers, which hold the dispatcher weakly.
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
            closing: Notify::new(),
            ending: Mutex::new(Some(Ending::default())),
            closed: OnceLock::new(),
            itself: itself.clone(),
            unread: AtomicUsize::new(0),
        }))
    }

    /// Sets what is to be closed at the end, and keeps it alive until then.
    pub(crate) fn set_components(&self, components: Arc<dyn Components>) {
        *lock(&self.ending) = Some(Ending {
            components: Some(components),
        });
    }

    /// Begins a call that holds no permit itself: each of its attempts asks for one.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Result<CallGuard, Refusal> {
        let entered = self.update(|scheduler, _| scheduler.enter(now));
        entered.map(|call| CallGuard::new(self.clone(), call))
    }

    /// Begins a call and asks for its permit under one lock. `waker` is woken when the permit is granted,
    /// and when a close cuts the call off.
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

    /// Begins a call that nothing polls yet, and asks for its permit under one lock.
    pub(crate) fn enter_unpolled(
        self: &Arc<Self>,
        ask: Ask<'_>,
        now: Instant,
    ) -> Result<CallGuard, Refusal> {
        self.update(|scheduler, effects| scheduler.enter_and_admit(ask, None, now, effects))
            .map(|(call, state)| CallGuard::unpolled(self.clone(), call, state))
    }

    /// Asks for a permit for one attempt of `call`, with the age of that call. A permit that the call
    /// holds itself, as that of a queue's job does, becomes the attempt's.
    pub(crate) fn ask_for(
        self: &Arc<Self>,
        call: CallId,
        ask: Ask<'_>,
        now: Instant,
    ) -> Result<(CallGuard, State), Refusal> {
        self.update(|scheduler, effects| scheduler.admit_for(Some(call), ask, now, effects))
            .map(|(attempt, state)| (CallGuard::new(self.clone(), attempt), state))
    }

    /// Releases the permit that `call` holds itself; the call stays.
    #[cold]
    pub(crate) fn release_of(&self, call: CallId) {
        let now = clock::now();
        self.update(|scheduler, effects| scheduler.release_of(call, now, effects));
    }

    /// Says how many permits of this origin are of use: what its connections carry at once.
    #[cold]
    pub(crate) fn set_capacity(&self, origin: &Origin, capacity: Option<usize>) {
        let (lane, now) = (LaneKey::from(origin), clock::now());
        self.update(|scheduler, effects| {
            scheduler.set_lane_capacity(lane, capacity, now, effects);
        });
    }

    /// Does what is due by `now`, as a timer driver does when it wakes.
    #[cold]
    pub(crate) fn sweep(&self, now: Instant) {
        self.update(|scheduler, effects| scheduler.sweep(now, effects));
    }

    /// Whether a close has cut off everything inside. Takes no lock.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.scheduler.is_cut()
    }

    /// Whether new calls are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.scheduler.stage() != Stage::Open
    }

    /// Runs `update` under the scheduler's lock, and then, without the lock, what follows from it:
    /// wakers, the timer, the end.
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

    /// Reads the scheduler under its lock.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Scheduler) -> R) -> R {
        self.scheduler.look(read)
    }

    /// Whether a waiting call has its permit; if not, its task is woken when it has, or is refused.
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
            // A timer driver that was a task of another runtime may have been dropped with it.
            self.timer.ensure_running(self);
        }
        poll
    }

    /// Closes in this mode, and waits for the end.
    pub(crate) async fn close(&self, mode: Shutdown) -> CloseReport {
        self.begin_close(mode);
        self.wait_until_closed().await
    }

    /// Begins a close, or makes one that has begun stronger or shorter. Does not wait.
    pub(crate) fn begin_close(&self, mode: Shutdown) {
        let now = clock::now();
        let (mode, deadline) = mode.parts(now);
        self.update(|scheduler, effects| scheduler.close(mode, deadline, now, effects));
        self.closing.notify_waiters();
    }

    /// Waits for a close that lets nothing more be sent.
    ///
    /// Cancel safe.
    pub(crate) async fn until_canceling(&self) {
        self.until(|| self.scheduler.stage() >= Stage::Canceling)
            .await;
    }

    /// Waits for any close: from then on new calls are refused.
    ///
    /// Cancel safe.
    pub(crate) async fn until_closing(&self) {
        self.until(|| self.is_closed()).await;
    }

    async fn until(&self, has_come: impl Fn() -> bool) {
        loop {
            // Registered before the look, so that a close that begins between the two is not missed.
            let mut closing = pin!(self.closing.notified());
            closing.as_mut().enable();
            if has_come() {
                return;
            }
            closing.await;
        }
    }

    /// Waits for something that is no permit, between two attempts: a close that cancels what is pending ends
    /// the wait.
    ///
    /// Cancel safe, if `wait` is.
    pub(crate) async fn unless_canceling<T>(&self, wait: impl Future<Output = T>) -> Result<T> {
        let (mut wait, mut closing) = (pin!(wait), pin!(self.until_canceling()));
        poll_fn(|cx| {
            if let Poll::Ready(done) = wait.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            ready!(closing.as_mut().poll(cx));
            Poll::Ready(Err(Error::closed().in_phase(Phase::Backoff)))
        })
        .await
    }

    /// Refuses new calls; those inside go on for as long as they take.
    pub(crate) fn close_without_deadline(&self) {
        let now = clock::now();
        self.update(|scheduler, effects| scheduler.close(CloseMode::Drain, None, now, effects));
    }

    /// Starts a timer driver if something is due by itself and none covers the current runtime: the
    /// former one may have been dropped with its runtime.
    pub(crate) fn ensure_timer(&self) {
        self.timer.ensure_running(self);
    }

    /// Waits for the end of a close that has begun, or will begin.
    pub(crate) async fn wait_until_closed(&self) -> CloseReport {
        self.wait_for(|this| this.closed.get().cloned()).await
    }

    /// Waits until `find` returns something; it is called again each time that a gate has closed.
    pub(crate) async fn wait_for<R>(&self, find: impl Fn(&Self) -> Option<R>) -> R {
        loop {
            // Registered before `find` is called, so that a gate that closes between the two is not missed.
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if let Some(found) = find(self) {
                return found;
            }
            // The deadline of the close needs a driver, and the former one may be gone with its runtime.
            self.timer.ensure_running(self);
            ended.await;
        }
    }

    /// Acts on what the scheduler has signaled, without its lock.
    #[cold]
    fn handle_signals(&self, signals: Signals) {
        if signals.alarm {
            self.timer.alarm(self);
        }
        if signals.closed {
            self.update(|scheduler, effects| scheduler.dismiss_workers(effects));
            // A queue's gate signals this too; the final report is there when the client's has closed.
            if let Some(report) = self.read(Scheduler::final_report) {
                self.end(report);
            }
            self.ended.notify_waiters();
        }
    }

    /// Closes the components, once, and then publishes the report.
    fn end(&self, report: Report) {
        // A second thread does not wait here, nor does a component that closes its own client.
        let Some(ending) = lock(&self.ending).take() else {
            return;
        };
        let mut failures = Failures::default();
        if let Some(components) = &ending.components {
            components.close(&mut failures);
        }
        // Set here only, by the thread that took `ending`. The components are values of the user, whose
        // drop may panic or take its time: so the report is published before it.
        let _ = self.closed.set(CloseReport::new(report, failures));
        contain(|| drop(ending));
    }
}

/// What is closed at the end.
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
