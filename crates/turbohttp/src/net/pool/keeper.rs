//! The keeper of what is idle in one runtime: a task that closes what has aged and what its server has
//! closed (RFC 9112 section 9.5), and everything when the runtime ends. It lives as long as the pool and the
//! runtime, as connections come and go between two of its looks.
//!
//! A connection that is returned is left alone for a moment, as mostly it is used again at once. What is
//! idle still when the keeper comes by is watched: an event on it wakes the keeper, which then costs
//! nothing until the next one.
//!
//! ```text
//!             returned                   WATCH_AFTER
//!  Watching ───────────> Expecting ──────────────────> looks at all: closes, watches
//!     ^  │ an event, or something has aged                         │
//!     │  └───────────────────────────────────────────────────────> │
//!     └──────────────────────────────────────────────────────────────
//! ```

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::Notify;
use tokio::time::Sleep;

use super::{Closing, Entry, Pool, Queue};
use crate::clock;
use crate::limits::WATCH_AFTER_MS;
use crate::net::h1::Health;

/// How long a connection is idle before it is watched.
const WATCH_AFTER: Duration = Duration::from_millis(WATCH_AFTER_MS);

/// The keepers of a pool: one for each runtime in which something was idle.
#[derive(Default)]
pub(super) struct Keepers(Vec<Keeper>);

struct Keeper {
    runtime: runtime::Id,
    /// Tells the task that a connection was returned, or that the pool is closed.
    wake: Arc<Notify>,
    /// It comes by within [`WATCH_AFTER`], and has not to be told.
    is_expecting: bool,
}

impl Keepers {
    /// A connection of `runtime` is returned: its keeper comes by soon. `false` if it has to be started.
    #[inline]
    pub(super) fn expect(&mut self, runtime: runtime::Id) -> bool {
        match self.0.first() {
            // Few programs use a client from more than one runtime, and mostly requests flow.
            Some(first) if first.runtime == runtime && first.is_expecting => true,
            _ => self.tell(runtime),
        }
    }

    #[cold]
    fn tell(&mut self, runtime: runtime::Id) -> bool {
        let Some(keeper) = self.of(runtime) else {
            let (wake, is_expecting) = (Arc::default(), true);
            self.0.push(Keeper {
                runtime,
                wake,
                is_expecting,
            });
            return false;
        };
        if !std::mem::replace(&mut keeper.is_expecting, true) {
            keeper.wake.notify_one();
        }
        true
    }

    /// The pool is closed: the tasks find nothing to keep, and end.
    pub(super) fn end(self) {
        self.0.iter().for_each(|keeper| keeper.wake.notify_one());
    }

    fn of(&mut self, runtime: runtime::Id) -> Option<&mut Keeper> {
        self.0.iter_mut().find(|keeper| keeper.runtime == runtime)
    }
}

/// Starts the keeper of `pool` in `runtime`. In one that has ended, its task is dropped at once, and with it
/// what is idle there.
#[cold]
pub(super) fn start(pool: &Arc<Pool>, runtime: &runtime::Handle) {
    let here = runtime.id();
    let Some(wake) = pool
        .lock()
        .keepers
        .of(here)
        .map(|keeper| keeper.wake.clone())
    else {
        return;
    };
    let keeping = Keeping {
        // Weak: the keeper must not keep the transport alive, which would keep the keeper.
        pool: Arc::downgrade(pool),
        here,
        wake,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with the pool and with its runtime"
    )]
    runtime.spawn(keeping.run());
}

/// What the task owns: dropped with it, also by a runtime that ends.
struct Keeping {
    pool: Weak<Pool>,
    here: runtime::Id,
    wake: Arc<Notify>,
}

impl Keeping {
    async fn run(self) {
        // One timer for both waits: the keeper allocates nothing while requests flow.
        let mut timer = pin!(tokio::time::sleep(WATCH_AFTER));
        while !self.is_over() {
            // What was returned meanwhile is left alone for a moment, unless the pool is closed.
            timer.as_mut().reset((clock::now() + WATCH_AFTER).into());
            let mut closed = pin!(self.wake.notified());
            let moment = poll_fn(|cx| match closed.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => timer.as_mut().poll(cx),
            });
            moment.await;
            let mut returned = pin!(self.wake.notified());
            // Until something is returned: an event or the next age makes it look again.
            poll_fn(|cx| self.poll_watch(cx, returned.as_mut(), timer.as_mut())).await;
        }
    }

    /// Whether the pool is closed: nothing is returned any more.
    fn is_over(&self) -> bool {
        self.pool.upgrade().is_none_or(|pool| pool.lock().is_closed)
    }

    /// Closes what is to be closed and watches the rest. Ready if something was returned, or the pool is
    /// closed.
    fn poll_watch(
        &self,
        cx: &mut TaskContext<'_>,
        returned: Pin<&mut impl Future<Output = ()>>,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<()> {
        let Some(pool) = self.pool.upgrade() else {
            return Poll::Ready(());
        };
        let next = loop {
            match pool.look_after(self.here, cx, clock::now()) {
                Next::Again => {}
                Next::Closed => return Poll::Ready(()),
                Next::Due(due) => break Some(due),
                Next::Nothing => break None,
            }
        };
        if let Some(due) = next {
            timer.as_mut().reset(due.into());
            // Mostly its time has not come, so this arms it; it may come until then.
            if timer.poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        returned.poll(cx)
    }
}

/// What a keeper waits for beside what is returned.
enum Next {
    /// The age of what has been idle longest.
    Due(Instant),
    /// Nothing is idle.
    Nothing,
    /// Something has happened on a connection that is kept: it has to be watched again.
    Again,
    Closed,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.abandon(self.here, &self.wake);
        }
    }
}

impl Pool {
    /// Closes what has aged in the runtime `here` and what its server has closed, and watches the rest.
    fn look_after(&self, here: runtime::Id, cx: &mut TaskContext<'_>, now: Instant) -> Next {
        let mut state = self.lock();
        if state.is_closed {
            return Next::Closed;
        }
        let (mut aged, mut suspects) = (Closing::new(), Closing::new());
        let mut next: Option<Instant> = None;
        for queue in state.queues.iter_mut() {
            // Turned once around in place: no memory is taken.
            for _ in 0..queue.len() {
                let entry = queue.pop_front().expect("counted");
                let due = self.due(&entry);
                if entry.runtime() != here {
                    queue.push_back(entry);
                } else if due <= now {
                    aged.push_back(entry);
                } else if entry.poll_event(cx).is_ready() {
                    suspects.push_back(entry);
                } else {
                    next = Some(next.map_or(due, |next| next.min(due)));
                    queue.push_back(entry);
                }
            }
        }
        state.count -= aged.len() + suspects.len();
        // Until `judge` has closed them or put them back.
        state.leaving += suspects.len();
        if let Some(keeper) = state.keepers.of(here) {
            keeper.is_expecting = false;
        }
        self.close_entries(state, aged.len(), aged);
        match (suspects.is_empty(), next) {
            (false, _) => {
                self.judge(suspects, cx, now);
                Next::Again
            }
            (true, Some(due)) => Next::Due(due),
            (true, None) => Next::Nothing,
        }
    }

    /// Something has happened on these: mostly their server has closed them. TLS records that are no data
    /// are taken in.
    #[cold]
    fn judge(&self, suspects: Closing, cx: &mut TaskContext<'_>, now: Instant) {
        for Entry::Exclusive(mut connection) in suspects {
            let is_usable = connection.health(cx, now) != Health::Unusable;
            if !is_usable {
                let idle = now.saturating_duration_since(connection.since());
                self.closed_by_server(connection.route(), idle);
            }
            let mut state = self.lock();
            state.leaving -= 1;
            if is_usable && !state.is_closed {
                let evicted = self.put(&mut state, Entry::Exclusive(connection));
                self.close_entries(state, usize::from(evicted.is_some()), evicted);
            } else {
                self.close_entries(state, 1, connection);
            }
        }
    }

    /// The runtime `here` has ended: what is left of it is closed.
    fn abandon(&self, here: runtime::Id, wake: &Arc<Notify>) {
        let mut state = self.lock();
        // A keeper that has ended by itself is forgotten, and another one may have been started.
        let keeper = state.keepers.of(here);
        if keeper.is_none_or(|keeper| !Arc::ptr_eq(&keeper.wake, wake)) {
            return;
        }
        state.keepers.0.retain(|keeper| keeper.runtime != here);
        let mut left = Closing::new();
        for queue in state.queues.iter_mut() {
            let (of_here, others): (Queue, Queue) =
                queue.drain(..).partition(|entry| entry.runtime() == here);
            *queue = others;
            left.extend(of_here);
        }
        state.count -= left.len();
        self.close_entries(state, left.len(), left);
    }
}

impl Entry {
    /// Whether something has happened on it, as far as the reactor has reported; if not, the task is woken
    /// by the next event. Without a system call.
    fn poll_event(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Entry::Exclusive(connection) = self;
        connection.poll_event(cx)
    }
}
