//! Calls the scheduler when something in it is due: a deadline, the end of a pause, a grant that
//! nobody has taken up, the end of a close's patience.
//!
//! # Implementation
//!
//! A janitor is there only while something is due by itself: requests that find a permit free, and
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
pub(super) struct Janitor {
    desk: Arc<Desk>,
}

/// What the janitors share with those who call them.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    /// Wakes the task, or the thread, before its time.
    task: Notify,
    thread: Condvar,
}

#[derive(Default)]
struct State {
    /// The runtime of the task, if there is one.
    home: Option<Id>,
    task: Option<AbortHandle>,
    is_thread_there: bool,
    /// A runtime that has turned out to have no timer.
    timeless: Option<Id>,
    /// How often something has become due earlier; also when the scheduler goes.
    calls: u64,
}

impl State {
    /// Whether somebody keeps the time of those who are `here`.
    fn serves(&self, here: Option<Id>) -> bool {
        self.is_thread_there || (here.is_some() && self.home == here)
    }
}

impl Janitor {
    /// Something is due earlier than the janitor knows.
    pub(super) fn alarm(&self, control: &Dispatcher) {
        self.desk.call();
        self.serve(control);
    }

    /// Makes sure that somebody keeps the time of the caller, if there is anything to keep.
    pub(super) fn start_if_needed(&self, control: &Dispatcher) {
        // One lock after the other, never both.
        if control.look(Scheduler::has_due) {
            self.serve(control);
        }
    }

    fn serve(&self, control: &Dispatcher) {
        let runtime = Handle::try_current().ok();
        let here = runtime.as_ref().map(Handle::id);
        let mut state = self.desk.lock();
        if state.serves(here) {
            return;
        }
        match runtime {
            Some(runtime) if state.home.is_none() && state.timeless != here => {
                state.home = here;
                drop(state);
                self.start_task(control, &runtime);
            }
            _ => start_thread(&self.desk, &control.itself, state),
        }
    }

    fn start_task(&self, control: &Dispatcher, runtime: &Handle) {
        let shift = Shift::new(&self.desk, &control.itself, true);
        // Without the lock: a runtime that is shut down drops the task at once.
        #[expect(clippy::disallowed_methods, reason = "aborted with the scheduler")]
        let task = runtime.spawn(shift.work()).abort_handle();
        let mut state = self.desk.lock();
        if state.home.is_some() {
            state.task = Some(task);
        }
    }
}

impl Drop for Janitor {
    /// The scheduler is gone, and with it all that could become due.
    fn drop(&mut self) {
        let task = self.desk.lock().task.take();
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
        self.lock().calls += 1;
        self.task.notify_one();
        self.thread.notify_one();
    }
}

/// Starts the thread. Without one the next who needs it tries again.
fn start_thread(desk: &Arc<Desk>, control: &Weak<Dispatcher>, mut state: MutexGuard<'_, State>) {
    if std::mem::replace(&mut state.is_thread_there, true) {
        return;
    }
    drop(state);
    let shift = Shift::new(desk, control, false);
    let name = "turbohttp-janitor".to_owned();
    #[expect(
        clippy::disallowed_methods,
        reason = "ends when it is idle, or with the scheduler"
    )]
    let started = thread::Builder::new().name(name).spawn(|| shift.toil());
    if started.is_err() {
        desk.lock().is_thread_there = false;
    }
}

/// The work of one janitor, from its start until nothing is due.
struct Shift {
    desk: Arc<Desk>,
    control: Weak<Dispatcher>,
    /// The calls that have been heard.
    heard: u64,
    is_task: bool,
}

impl Shift {
    fn new(desk: &Arc<Desk>, control: &Weak<Dispatcher>, is_task: bool) -> Shift {
        Shift {
            desk: desk.clone(),
            control: control.clone(),
            heard: 0,
            is_task,
        }
    }

    /// As a task.
    async fn work(mut self) {
        while let Some(due) = self.sweep() {
            let called = self.desk.task.notified();
            // In a runtime without a timer this panics: the thread that follows needs none.
            let until = || tokio::time::timeout_at(due.into(), called);
            let Ok(until) = catch_unwind(AssertUnwindSafe(until)) else {
                self.desk.lock().timeless = Handle::try_current().ok().map(|here| here.id());
                return;
            };
            // Called early or not: what is due is looked up again.
            let _ = until.await;
        }
    }

    /// As a thread.
    fn toil(mut self) {
        while let Some(due) = self.sweep() {
            let mut state = self.desk.lock();
            while state.calls == self.heard {
                let left = due.saturating_duration_since(clock::now());
                if left.is_zero() {
                    break;
                }
                let waited = self.desk.thread.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Does what is due and says when to come again; `None` if the work is over.
    fn sweep(&mut self) -> Option<Instant> {
        loop {
            self.heard = self.desk.lock().calls;
            let due = self.control.upgrade().and_then(|control| {
                control.act(|scheduler, effects| scheduler.sweep(clock::now(), effects))
            });
            if let Some(due) = due {
                // A pause may be for ever, which timers cannot add to.
                return Some(due.min(clock::after(clock::now(), clock::FAR)));
            }
            let desk = self.desk.clone();
            let mut state = desk.lock();
            // Whoever calls from now on starts another janitor.
            if state.calls == self.heard || self.control.strong_count() == 0 {
                self.sign_off(&mut state);
                return None;
            }
        }
    }

    fn sign_off(&mut self, state: &mut State) {
        if std::mem::take(&mut self.is_task) {
            state.home = None;
            state.task = None;
        } else {
            state.is_thread_there = false;
        }
    }
}

impl Drop for Shift {
    /// A task that is dropped before its work was over went with its runtime, and others may wait.
    fn drop(&mut self) {
        if !self.is_task {
            return;
        }
        let desk = self.desk.clone();
        self.sign_off(&mut desk.lock());
        if let Some(control) = self.control.upgrade()
            && control.look(Scheduler::has_due)
        {
            start_thread(&self.desk, &self.control, self.desk.lock());
        }
    }
}
