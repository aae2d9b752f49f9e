//! Idle connections: capped per origin and in total, aged, newest first.
//!
//! # Implementation
//!
//! One short mutex. Each origin has a queue, oldest in front: the newest is handed out, as it is the
//! least likely to have been closed by its server, and the oldest makes room. Connections are dropped
//! after unlocking, as a drop closes a socket. A janitor task lives while anything is idle and closes
//! what has aged; it is ended with the client.

use std::collections::VecDeque;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use tokio::runtime;
use tokio::task::AbortHandle;
use turbohttp_core::origin::Origin;

use super::Shared;
use super::h1::Connection;
use crate::clock;
use crate::config::{Limits, Timeouts};
use crate::limits::IDLE_ORIGINS_MAX;

pub(crate) struct Idle {
    per_origin: usize,
    total: usize,
    age_max: Duration,
    lifetime: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By origin; in each the one that has rested longest comes first.
    queues: HashMap<Origin, Queue, BuildHasherDefault<Precomputed>>,
    /// Invariant: the sum of the lengths of the queues.
    count: usize,
    janitor: Option<AbortHandle>,
    closed: bool,
}

type Queue = VecDeque<Box<Connection>>;

/// Connections that are to be closed once the lock is free.
type Closing = VecDeque<Box<Connection>>;

impl Idle {
    pub(crate) fn new(limits: &Limits, timeouts: &Timeouts) -> Idle {
        Idle {
            per_origin: limits.idle_per_origin.min(limits.idle_total),
            total: limits.idle_total,
            age_max: timeouts.idle,
            lifetime: timeouts.lifetime,
            state: Mutex::new(State::default()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().count
    }

    /// The newest idle connection to `origin` that was made in the runtime `here` and has not aged.
    pub(crate) fn check_out(
        &self,
        origin: &Origin,
        here: runtime::Id,
        now: Instant,
    ) -> Option<Box<Connection>> {
        let mut state = self.lock();
        let newest = state.queues.get_mut(origin)?.pop_back()?;
        state.count -= 1;
        // Few programs use a client from more than one runtime, and what is used does not age.
        if newest.runtime() == here && !self.has_aged(&newest, now) {
            return Some(newest);
        }
        state.count += 1;
        let queue = state.queues.get_mut(origin)?;
        queue.push_back(newest);
        self.search(state, origin, here, now)
    }

    /// [`check_out`](Idle::check_out) where the newest will not do.
    #[cold]
    fn search(
        &self,
        mut state: MutexGuard<'_, State>,
        origin: &Origin,
        here: runtime::Id,
        now: Instant,
    ) -> Option<Box<Connection>> {
        let queue = state.queues.get_mut(origin)?;
        let mut aged = Closing::new();
        let found = loop {
            let runtimes = queue.iter().map(|connection| connection.runtime());
            let at = runtimes.rev().position(|runtime| runtime == here);
            match at.and_then(|from_end| queue.remove(queue.len() - 1 - from_end)) {
                Some(connection) if self.has_aged(&connection, now) => aged.push_back(connection),
                fresh => break fresh,
            }
        };
        state.count -= aged.len() + usize::from(found.is_some());
        drop(state);
        drop(aged);
        found
    }

    /// Puts a quiet connection aside.
    pub(crate) fn check_in(&self, shared: &Arc<Shared>, connection: Box<Connection>) {
        // It has not rested yet, so that only its lifetime can be over.
        if self.lifetime.is_some() && self.has_aged(&connection, connection.since()) {
            return;
        }
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return;
        }
        let evicted = self.put(&mut state, connection);
        // One that is finished went with its runtime.
        if state.janitor.as_ref().is_none_or(AbortHandle::is_finished) {
            self.start_janitor(&mut state, shared);
        }
        drop(state);
        drop(evicted);
    }

    /// Closes everything that is idle and takes nothing in any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.count = 0;
        let queues = std::mem::take(&mut state.queues);
        let janitor = state.janitor.take();
        drop(state);
        drop(queues);
        if let Some(janitor) = janitor {
            janitor.abort();
        }
    }

    /// Files a connection; returns the one that has to make room for it, if any.
    fn put(&self, state: &mut State, connection: Box<Connection>) -> Option<Box<Connection>> {
        if state.count < self.total
            && let Some(queue) = state.queues.get_mut(connection.origin())
            && queue.len() < self.per_origin
        {
            state.count += 1;
            queue.push_back(connection);
            return None;
        }
        let evicted = self.make_room(state, connection.origin());
        state.push(connection);
        evicted
    }

    /// Removes a connection where a cap would be passed: the origin's oldest, or the oldest of all.
    fn make_room(&self, state: &mut State, origin: &Origin) -> Option<Box<Connection>> {
        let at_origin = state.queues.get(origin).map_or(0, VecDeque::len);
        let evicted = if at_origin >= self.per_origin {
            state.queues.get_mut(origin).and_then(VecDeque::pop_front)
        } else if state.count >= self.total {
            let oldest = state.queues.values_mut().filter(|queue| !queue.is_empty());
            let oldest = oldest.min_by_key(|queue| queue.front().map(|oldest| oldest.since()));
            oldest.and_then(VecDeque::pop_front)
        } else {
            None
        };
        state.count -= usize::from(evicted.is_some());
        evicted
    }

    fn has_aged(&self, connection: &Connection, now: Instant) -> bool {
        self.due(connection) <= now
    }

    /// When a connection will have aged: by resting, or by its lifetime.
    fn due(&self, connection: &Connection) -> Instant {
        let rested = clock::after(connection.since(), self.age_max);
        match self.lifetime {
            Some(lifetime) => rested.min(clock::after(connection.opened_at(), lifetime)),
            None => rested,
        }
    }

    /// Takes out what has aged; says when the next one will have.
    fn sweep(&self, now: Instant) -> (Closing, Option<Instant>) {
        let mut state = self.lock();
        let mut aged = Closing::new();
        let mut next = None;
        for queue in state.queues.values_mut() {
            let (old, fresh): (Queue, Queue) = queue
                .drain(..)
                .partition(|connection| self.has_aged(connection, now));
            *queue = fresh;
            aged.extend(old);
            for connection in &*queue {
                let due = self.due(connection);
                next = Some(next.map_or(due, |next: Instant| next.min(due)));
            }
        }
        state.count -= aged.len();
        if next.is_none() {
            // The next connection that comes in starts another janitor.
            state.janitor = None;
            state.queues.clear();
        }
        (aged, next)
    }

    fn start_janitor(&self, state: &mut State, shared: &Arc<Shared>) {
        // Without a runtime (a response dropped on another thread) the next check-in tries again.
        if let Ok(runtime) = runtime::Handle::try_current() {
            let first = self
                .lifetime
                .map_or(self.age_max, |lifetime| lifetime.min(self.age_max));
            let task = runtime.spawn(clean(Arc::downgrade(shared), first));
            state.janitor = Some(task.abort_handle());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, connection: Box<Connection>) {
        let is_known = self.queues.contains_key(connection.origin());
        if self.queues.len() >= IDLE_ORIGINS_MAX && !is_known {
            // At most `total` queues are in use; the empty ones were kept for their room only.
            self.queues.retain(|_, queue| !queue.is_empty());
        }
        self.count += 1;
        let origin = connection.origin().clone();
        self.queues.entry(origin).or_default().push_back(connection);
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.close();
    }
}

/// Closes connections as they age, until none is left or the client is gone.
async fn clean(shared: Weak<Shared>, first: Duration) {
    let mut due = clock::after(clock::now(), first);
    loop {
        tokio::time::sleep_until(due.into()).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let (aged, next) = shared.idle.sweep(clock::now());
        drop(aged);
        match next {
            Some(next) => due = next,
            None => return,
        }
    }
}

/// Passes on the hash that an origin was made with.
#[derive(Default)]
struct Precomputed(u64);

impl std::hash::Hasher for Precomputed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("an origin writes one u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
