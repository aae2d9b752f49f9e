//! Calls the scheduler when something in it is due: a deadline, the end of a pause, a grant that
//! nobody has taken up, the end of a close's patience.
//!
//! # Implementation
//!
//! A timer driver is there only while something is due by itself: requests that find a permit free, and
//! waits without deadlines, need none. It is a task of the runtime that first needs it. Whoever needs
//! it elsewhere cannot know whether anybody drives that runtime, so a thread does the same then; so
//! there are two at most, and what is due is done by whichever comes first. Both hold the scheduler
//! weakly and go with it. A task that goes with its runtime leaves a thread in its place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use turbohttp_core::scheduler::Scheduler;

use super::Dispatcher;
use crate::clock;

#[derive(Default)]
pub(super) struct Timer {
    shared: Arc<Shared>,
}

/// What the timer drivers share with those who call them.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the task, or the thread, before its time.
    task: Notify,
    thread: Condvar,
}

#[derive(Default)]
struct State {
    /// The runtime of the task, if there is one.
    runtime: Option<Id>,
    task: Option<AbortHandle>,
    has_thread: bool,
    /// A runtime that has turned out to have no timer.
    no_timer: Option<Id>,
    /// How often something has become due earlier; also when the scheduler goes.
    wakeups: u64,
}

impl State {
    /// Whether somebody keeps the time of those who are `here`.
    fn covers(&self, here: Option<Id>) -> bool {
        self.has_thread || (here.is_some() && self.runtime == here)
    }
}

impl Timer {
    /// Something is due earlier than the timer driver knows.
    pub(super) fn alarm(&self, dispatcher: &Dispatcher) {
        self.shared.wake();
        self.start_unless_covered(dispatcher);
    }

    /// Makes sure that somebody keeps the time of the caller, if there is anything to keep.
    pub(super) fn ensure_running(&self, dispatcher: &Dispatcher) {
        // One lock after the other, never both.
        if dispatcher.read(Scheduler::has_due) {
            self.start_unless_covered(dispatcher);
        }
    }

    fn start_unless_covered(&self, dispatcher: &Dispatcher) {
        let runtime = Handle::try_current().ok();
        let here = runtime.as_ref().map(Handle::id);
        let mut state = self.shared.lock();
        if state.covers(here) {
            return;
        }
        match runtime {
            Some(runtime) if state.runtime.is_none() && state.no_timer != here => {
                state.runtime = here;
                drop(state);
                self.start_task(dispatcher, &runtime);
            }
            _ => start_thread(&self.shared, &dispatcher.itself, state),
        }
    }

    fn start_task(&self, dispatcher: &Dispatcher, runtime: &Handle) {
        let driver = TimerDriver::new(&self.shared, &dispatcher.itself, true);
        // Without the lock: a runtime that is shut down drops the task at once.
        let task = runtime.spawn(driver.run_as_task()).abort_handle();
        let mut state = self.shared.lock();
        if state.runtime.is_some() {
            state.task = Some(task);
        }
    }
}

impl Drop for Timer {
    /// The scheduler is gone, and with it all that could become due.
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.lock().wakeups += 1;
        self.task.notify_one();
        self.thread.notify_one();
    }
}

/// Starts the thread. Without one the next who needs it tries again.
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
    let started = thread::Builder::new()
        .name(name)
        .spawn(|| driver.run_on_thread());
    if started.is_err() {
        shared.lock().has_thread = false;
    }
}

/// The work of one timer driver, from its start until nothing is due.
struct TimerDriver {
    shared: Arc<Shared>,
    dispatcher: Weak<Dispatcher>,
    /// The wakeups that have been seen_wakeups.
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

    /// As a task.
    async fn run_as_task(mut self) {
        while let Some(due) = self.sweep() {
            let called = self.shared.task.notified();
            // In a runtime without a timer this panics: the thread that follows needs none.
            let until = || tokio::time::timeout_at(due.into(), called);
            let Ok(until) = catch_unwind(AssertUnwindSafe(until)) else {
                self.shared.lock().no_timer = Handle::try_current().ok().map(|here| here.id());
                return;
            };
            // Called early or not: what is due is looked up again.
            let _ = until.await;
        }
    }

    /// As a thread.
    fn run_on_thread(mut self) {
        while let Some(due) = self.sweep() {
            let mut state = self.shared.lock();
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

    /// Does what is due and says when to come again; `None` if the work is over.
    fn sweep(&mut self) -> Option<Instant> {
        loop {
            self.seen_wakeups = self.shared.lock().wakeups;
            let due = self.dispatcher.upgrade().and_then(|dispatcher| {
                dispatcher.update(|scheduler, effects| scheduler.sweep(clock::now(), effects))
            });
            if let Some(due) = due {
                // A pause may be for ever, which timers cannot add to.
                return Some(due.min(clock::after(clock::now(), clock::FAR)));
            }
            let shared = self.shared.clone();
            let mut state = shared.lock();
            // Whoever wakeups from now on starts another timer driver.
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
    /// A task that is dropped before its work was over went with its runtime, and others may wait.
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
