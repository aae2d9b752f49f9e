//! The timer: sweeps the scheduler when something in it is due by itself, such as a deadline, the end of
//! a pause, a grant that was not taken up, or the end of a close's time.
//!
//! # Implementation
//!
//! A timer driver runs only while something is due by itself: requests that find a permit free, and
//! waits without deadlines, need none. The first driver is a task of the runtime that first needs it. A
//! caller elsewhere cannot know whether that runtime is driven, so it starts a second driver, a thread;
//! there are at most these two, and the one that wakes first does the work. Both hold the dispatcher
//! weakly and end with it. A task that its runtime drops starts the thread in its place.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use turbohttp_core::contain;
use turbohttp_core::scheduler::Scheduler;
use turbohttp_core::sync::lock;

use super::Dispatcher;
use crate::clock;

/// Starts timer drivers as they are needed, and wakes them when something becomes due earlier.
#[derive(Default)]
pub(super) struct Timer {
    shared: Arc<Shared>,
}

/// What the timer drivers share with the callers that start and wake them.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the task before its time.
    task: Notify,
    /// Wakes the thread before its time.
    thread: Condvar,
}

#[derive(Default)]
struct State {
    /// The runtime of the task, if there is one.
    runtime: Option<Id>,
    task: Option<AbortHandle>,
    has_thread: bool,
    /// A runtime that turned out to have no timer: it gets no second task.
    no_timer: Option<Id>,
    /// How often something has become due earlier, or the dispatcher was dropped. A driver that sees it
    /// changed sweeps once more before it sleeps or ends.
    wakeups: u64,
}

impl State {
    /// Whether a driver wakes in time for callers in this runtime, or outside any.
    fn covers(&self, runtime: Option<Id>) -> bool {
        self.has_thread || (runtime.is_some() && self.runtime == runtime)
    }
}

impl Timer {
    /// Something is due earlier than the last sweep said.
    pub(super) fn alarm(&self, dispatcher: &Dispatcher) {
        self.shared.wake();
        self.start_unless_covered(dispatcher);
    }

    /// Starts a driver for the caller's runtime if something is due by itself and none covers it.
    pub(super) fn ensure_running(&self, dispatcher: &Dispatcher) {
        // The scheduler's lock is released before that of the timer is taken.
        if dispatcher.read(Scheduler::has_due) {
            self.start_unless_covered(dispatcher);
        }
    }

    fn start_unless_covered(&self, dispatcher: &Dispatcher) {
        let runtime = Handle::try_current().ok();
        let id = runtime.as_ref().map(Handle::id);
        let mut state = self.shared.lock();
        if state.covers(id) {
            return;
        }
        match runtime {
            Some(runtime) if state.runtime.is_none() && state.no_timer != id => {
                state.runtime = id;
                drop(state);
                self.start_task(dispatcher, &runtime);
            }
            _ => start_thread(&self.shared, &dispatcher.itself, state),
        }
    }

    fn start_task(&self, dispatcher: &Dispatcher, runtime: &Handle) {
        let driver = TimerDriver::new(&self.shared, &dispatcher.itself, true);
        // Without the lock: a runtime that is shut down drops the task within `spawn`, and the drop of
        // the driver takes the lock.
        #[expect(clippy::disallowed_methods, reason = "aborted with the scheduler")]
        let task = runtime.spawn(driver.run_as_task()).abort_handle();
        let mut state = self.shared.lock();
        // Unless the task has ended already.
        if state.runtime.is_some() {
            state.task = Some(task);
        }
    }
}

impl Drop for Timer {
    /// The dispatcher is dropped, and nothing can become due any more.
    fn drop(&mut self) {
        let task = self.shared.lock().task.take();
        self.shared.wake();
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn wake(&self) {
        self.lock().wakeups += 1;
        self.task.notify_one();
        self.thread.notify_one();
    }
}

/// Starts the thread, unless there is one. If the system refuses it, the next caller tries again.
fn start_thread(
    shared: &Arc<Shared>,
    dispatcher: &Weak<Dispatcher>,
    mut state: MutexGuard<'_, State>,
) {
    if std::mem::replace(&mut state.has_thread, true) {
        return;
    }
    drop(state);
    let driver = TimerDriver::new(shared, dispatcher, false);
    let name = "turbohttp-timer".to_owned();
    #[expect(
        clippy::disallowed_methods,
        reason = "ends when nothing is due, or with the scheduler"
    )]
    let started = thread::Builder::new()
        .name(name)
        .spawn(|| driver.run_on_thread());
    if started.is_err() {
        shared.lock().has_thread = false;
    }
}

/// One timer driver, from its start until nothing is due by itself.
struct TimerDriver {
    shared: Arc<Shared>,
    dispatcher: Weak<Dispatcher>,
    /// [`State::wakeups`] as it was before the last sweep.
    seen_wakeups: u64,
    is_task: bool,
}

impl TimerDriver {
    fn new(shared: &Arc<Shared>, dispatcher: &Weak<Dispatcher>, is_task: bool) -> TimerDriver {
        TimerDriver {
            shared: shared.clone(),
            dispatcher: dispatcher.clone(),
            seen_wakeups: 0,
            is_task,
        }
    }

    async fn run_as_task(mut self) {
        while let Some(due) = self.sweep() {
            let woken = self.shared.task.notified();
            // Panics in a runtime without a timer. The drop of this driver then starts the thread, which
            // needs none.
            let sleep = contain::catch(|| tokio::time::timeout_at(due.into(), woken));
            let Ok(sleep) = sleep else {
                self.shared.lock().no_timer = Handle::try_current().ok().map(|here| here.id());
                return;
            };
            // In time or woken early: the next sweep finds out what is due.
            let _ = sleep.await;
        }
    }

    fn run_on_thread(mut self) {
        while let Some(due) = self.sweep() {
            let mut state = self.shared.lock();
            // A condition variable may wake without cause, so the time is checked again.
            while state.wakeups == self.seen_wakeups {
                let left = due.saturating_duration_since(clock::now());
                if left.is_zero() {
                    break;
                }
                let waited = self.shared.thread.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Does what is due, and returns when something is due next; `None` if nothing is, and the driver
    /// ends.
    fn sweep(&mut self) -> Option<Instant> {
        loop {
            self.seen_wakeups = self.shared.lock().wakeups;
            let due = self.dispatcher.upgrade().and_then(|dispatcher| {
                dispatcher.update(|scheduler, effects| scheduler.sweep(clock::now(), effects))
            });
            if let Some(due) = due {
                // A pause may be for ever, and a timer cannot add that to an instant.
                return Some(due.min(clock::after(clock::now(), clock::FAR)));
            }
            let shared = self.shared.clone();
            let mut state = shared.lock();
            // Under the lock that `wake` takes: an alarm either is seen here, or finds no driver and
            // starts one.
            if state.wakeups == self.seen_wakeups || self.dispatcher.strong_count() == 0 {
                self.mark_stopped(&mut state);
                return None;
            }
        }
    }

    fn mark_stopped(&mut self, state: &mut State) {
        if std::mem::take(&mut self.is_task) {
            state.runtime = None;
            state.task = None;
        } else {
            state.has_thread = false;
        }
    }
}

impl Drop for TimerDriver {
    /// A task that is dropped before it has stopped was dropped by its runtime: the thread takes over,
    /// for waiters elsewhere.
    fn drop(&mut self) {
        if !self.is_task {
            return;
        }
        let shared = self.shared.clone();
        self.mark_stopped(&mut shared.lock());
        if let Some(dispatcher) = self.dispatcher.upgrade()
            && dispatcher.read(Scheduler::has_due)
        {
            start_thread(&self.shared, &self.dispatcher, self.shared.lock());
        }
    }
}
