//! Calls the scheduler when something in it is due: a deadline, the end of a pause, a grant that
//! nobody has taken up, the end of a close's patience.
//!
//! # Implementation
//!
//! There is one janitor per scheduler at most, and only while something is due by itself: requests
//! that find a permit free, and waits without deadlines, need none. It is a task of the runtime
//! that first needs it; where there is none it is a thread. It holds the scheduler weakly, goes with
//! it, and says so when it goes with its runtime, so that the next one who waits starts another.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use turbohttp_core::admission::Scheduler;

use super::AdmissionControl;
use crate::clock;

#[derive(Default)]
pub(super) struct Janitor {
    desk: Arc<Desk>,
}

/// What the janitor shares with those who call it.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    /// Wakes the task, or the thread, before its time.
    task: Notify,
    thread: Condvar,
}

#[derive(Default)]
struct State {
    is_there: bool,
    /// Something has become due earlier, or the scheduler is gone.
    is_called: bool,
    task: Option<AbortHandle>,
}

impl Janitor {
    /// Something is due earlier than the janitor knows.
    pub(super) fn alarm(&self, control: &AdmissionControl) {
        let mut state = self.desk.lock();
        if state.is_there {
            state.is_called = true;
            drop(state);
            self.desk.call();
        } else {
            self.start(state, control);
        }
    }

    /// Starts a janitor if something is due and the one before went with its runtime.
    pub(super) fn start_if_needed(&self, control: &AdmissionControl) {
        // One lock after the other, never both.
        let is_there = self.desk.lock().is_there;
        if is_there || !control.look(Scheduler::needs_alarm) {
            return;
        }
        let state = self.desk.lock();
        if !state.is_there {
            self.start(state, control);
        }
    }

    fn start(&self, mut state: MutexGuard<'_, State>, control: &AdmissionControl) {
        state.is_there = true;
        state.is_called = false;
        let shift = Shift {
            desk: self.desk.clone(),
            control: control.itself.clone(),
            is_over: false,
        };
        // A runtime that is shut down drops the task at once, and a thread may fail to start: either
        // way the shift says so itself, for which it takes the lock.
        drop(state);
        let Ok(runtime) = Handle::try_current() else {
            return shift.start_thread();
        };
        let task = runtime.spawn(shift.work()).abort_handle();
        let mut state = self.desk.lock();
        if state.is_there {
            state.task = Some(task);
            return;
        }
        drop(state);
        if control.look(Scheduler::needs_alarm) {
            self.start_thread(control);
        }
    }

    /// Starts a janitor as a thread, if there is none meanwhile.
    fn start_thread(&self, control: &AdmissionControl) {
        let mut state = self.desk.lock();
        if std::mem::replace(&mut state.is_there, true) {
            return;
        }
        state.is_called = false;
        drop(state);
        let shift = Shift {
            desk: self.desk.clone(),
            control: control.itself.clone(),
            is_over: false,
        };
        shift.start_thread();
    }
}

impl Drop for Janitor {
    /// The scheduler is gone, and with it all that could become due.
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        state.is_called = true;
        let task = state.task.take();
        drop(state);
        self.desk.call();
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) {
        self.task.notify_one();
        self.thread.notify_one();
    }
}

/// The work of one janitor, from its start until nothing is due.
struct Shift {
    desk: Arc<Desk>,
    control: Weak<AdmissionControl>,
    is_over: bool,
}

impl Shift {
    /// As a task.
    async fn work(mut self) {
        while let Some(due) = self.sweep() {
            // Called early or not: what is due is looked up again.
            let called = self.desk.task.notified();
            let _ = tokio::time::timeout_at(due.into(), called).await;
        }
    }

    /// Works in a thread of its own; without one the next who waits tries again.
    fn start_thread(self) {
        let name = "turbohttp-janitor".to_owned();
        drop(thread::Builder::new().name(name).spawn(|| self.toil()));
    }

    /// As a thread.
    fn toil(mut self) {
        while let Some(due) = self.sweep() {
            let desk = self.desk.clone();
            let mut state = desk.lock();
            while !state.is_called {
                let left = due.saturating_duration_since(clock::now());
                if left.is_zero() {
                    break;
                }
                let waited = desk.thread.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Does what is due and says when to come again; `None` if the work is over.
    fn sweep(&mut self) -> Option<Instant> {
        loop {
            self.desk.lock().is_called = false;
            let due = self.control.upgrade().and_then(|control| {
                control.act(|scheduler, effects| scheduler.sweep(clock::now(), effects))
            });
            if due.is_some() {
                return due;
            }
            let mut state = self.desk.lock();
            // Whoever calls from now on starts another janitor.
            if !state.is_called || self.control.strong_count() == 0 {
                state.is_there = false;
                state.task = None;
                self.is_over = true;
                return None;
            }
        }
    }
}

impl Drop for Shift {
    /// A janitor that is dropped before its work was over went with its runtime.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.desk.lock();
        state.is_there = false;
        state.task = None;
        drop(state);
        if let Some(control) = self.control.upgrade() {
            // Those who wait elsewhere are asked to look: the first of them starts another.
            control.act(|scheduler, effects| {
                scheduler.disarm();
                scheduler.wake_waiting(effects);
            });
            control.nudge_waiting_for_end();
        }
    }
}
