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
    queues: HashMap<Origin, VecDeque<Entry>, BuildHasherDefault<Precomputed>>,
    /// Invariant: the sum of the lengths of the queues.
    count: usize,
    janitor: Option<AbortHandle>,
    closed: bool,
}

struct Entry {
    connection: Box<Connection>,
    since: Instant,
}

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
        let queue = state.queues.get_mut(origin)?;
        let mut aged = Vec::new();
        // Mostly the last one: few programs use a client from more than one runtime.
        let is_here = |entry: &Entry| entry.connection.runtime() == here;
        let found = loop {
            let newest = match queue.back() {
                Some(entry) if is_here(entry) => queue.pop_back(),
                _ => {
                    let at = queue.iter().rposition(is_here);
                    at.and_then(|at| queue.remove(at))
                }
            };
            match newest {
                Some(entry) if self.has_aged(&entry, now) => aged.push(entry),
                fresh => break fresh,
            }
        };
        state.count -= aged.len() + usize::from(found.is_some());
        drop(state);
        drop(aged);
        found.map(|entry| entry.connection)
    }

    /// Puts a quiet connection aside.
    pub(crate) fn check_in(&self, shared: &Arc<Shared>, connection: Box<Connection>, now: Instant) {
        let entry = Entry {
            connection,
            since: now,
        };
        if self.has_aged(&entry, now) {
            return;
        }
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return;
        }
        let evicted = self.put(&mut state, entry);
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
    fn put(&self, state: &mut State, entry: Entry) -> Option<Entry> {
        if state.count < self.total
            && let Some(queue) = state.queues.get_mut(entry.connection.origin())
            && queue.len() < self.per_origin
        {
            state.count += 1;
            queue.push_back(entry);
            return None;
        }
        let evicted = self.make_room(state, entry.connection.origin());
        state.push(entry);
        evicted
    }

    /// Removes a connection where a cap would be passed: the origin's oldest, or the oldest of all.
    fn make_room(&self, state: &mut State, origin: &Origin) -> Option<Entry> {
        let at_origin = state.queues.get(origin).map_or(0, VecDeque::len);
        let evicted = if at_origin >= self.per_origin {
            state.queues.get_mut(origin).and_then(VecDeque::pop_front)
        } else if state.count >= self.total {
            let oldest = state.queues.values_mut().filter(|queue| !queue.is_empty());
            let oldest = oldest.min_by_key(|queue| queue.front().map(|entry| entry.since));
            oldest.and_then(VecDeque::pop_front)
        } else {
            None
        };
        state.count -= usize::from(evicted.is_some());
        evicted
    }

    fn has_aged(&self, entry: &Entry, now: Instant) -> bool {
        self.due(entry) <= now
    }

    /// When a connection will have aged: by resting, or by its lifetime.
    fn due(&self, entry: &Entry) -> Instant {
        let rested = clock::after(entry.since, self.age_max);
        match self.lifetime {
            Some(lifetime) => rested.min(clock::after(entry.connection.opened_at(), lifetime)),
            None => rested,
        }
    }

    /// Takes out what has aged; says when the next one will have.
    fn sweep(&self, now: Instant) -> (Vec<Entry>, Option<Instant>) {
        let mut state = self.lock();
        let mut aged = Vec::new();
        let mut next = None;
        for queue in state.queues.values_mut() {
            let (old, fresh): (VecDeque<_>, VecDeque<_>) =
                queue.drain(..).partition(|entry| self.has_aged(entry, now));
            *queue = fresh;
            aged.extend(old);
            for entry in &*queue {
                let due = self.due(entry);
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
    fn push(&mut self, entry: Entry) {
        let is_known = self.queues.contains_key(entry.connection.origin());
        if self.queues.len() >= IDLE_ORIGINS_MAX && !is_known {
            // At most `total` queues are in use; the empty ones were kept for their room only.
            self.queues.retain(|_, queue| !queue.is_empty());
        }
        self.count += 1;
        let origin = entry.connection.origin().clone();
        self.queues.entry(origin).or_default().push_back(entry);
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
