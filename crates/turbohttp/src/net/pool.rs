//! The connection pool: what is idle, per route and in total, aged, newest first.
//!
//! # Implementation
//!
//! One mutex, held for one operation. Each route has a queue, oldest in front: the newest is checked out,
//! as it is the least likely to have been closed by its server, and the oldest makes room. Connections
//! are looked at and dropped after unlocking, as both are system calls. A sweeper task lives while
//! anything is idle and closes what has aged; it is ended with the pool.

use std::collections::VecDeque;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Context as TaskContext;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use tokio::runtime;
use tokio::task::AbortHandle;

use super::connection::Connection;
use super::h1::{self, Health, Owner};
use super::route::{Route, RouteKey};
use crate::clock;
use crate::config::{Limits, Timeouts};
use crate::limits::IDLE_ORIGINS_MAX;

/// The connections of one transport that are not checked out.
pub(crate) struct Pool {
    per_route: usize,
    total: usize,
    age_max: Duration,
    lifetime: Option<Duration>,
    state: Mutex<State>,
}

/// A connection in the pool. How it is checked out and returned depends on how many requests it carries
/// at once:
///
/// - An *exclusive* one carries one. Checking it out takes the entry out of its queue; returning it pushes
///   it as the newest of its route. It counts against the limits of idle connections while it is here.
/// - A *shared* one carries many, as HTTP/2 does, and is to be a second variant. Checking it out hands
///   out a counted handle and leaves the entry here, as long as the connection takes new requests: a
///   connection that drains (GOAWAY), that is at the peer's limit of streams, or that has aged is passed
///   over. Returning is the drop of the handle. It is idle, and subject to the limits of idle
///   connections, while its count is zero; at the drop of the last handle of a draining one the entry is
///   removed.
enum Entry {
    Exclusive(Box<h1::Connection>),
}

/// What the pool had for a request.
pub(crate) enum CheckedOut {
    Ready(Connection),
    /// TLS records have arrived on it, which need not be data: [`h1::Connection::drain_tls`] tells.
    TlsRecords(Box<h1::Connection>),
}

#[derive(Default)]
struct State {
    /// In each queue the entry that has been idle longest is in front.
    queues: HashMap<Route, Queue, BuildHasherDefault<Precomputed>>,
    /// Invariant: the sum of the lengths of the queues.
    count: usize,
    sweeper: Option<AbortHandle>,
    is_closed: bool,
}

type Queue = VecDeque<Entry>;

/// Entries that are to be closed once the lock is free.
type Closing = VecDeque<Entry>;

impl Entry {
    /// Since when it has been idle.
    fn since(&self) -> Instant {
        let Entry::Exclusive(connection) = self;
        connection.since()
    }

    fn opened_at(&self) -> Instant {
        let Entry::Exclusive(connection) = self;
        connection.opened_at()
    }

    /// The runtime whose reactor it is registered with.
    fn runtime(&self) -> runtime::Id {
        let Entry::Exclusive(connection) = self;
        connection.runtime()
    }
}

impl Pool {
    pub(crate) fn new(limits: &Limits, timeouts: &Timeouts) -> Pool {
        Pool {
            per_route: limits.idle_per_origin.min(limits.idle_total),
            total: limits.idle_total,
            age_max: timeouts.idle,
            lifetime: timeouts.lifetime,
            state: Mutex::new(State::default()),
        }
    }

    /// Connections that are idle now.
    pub(crate) fn idle_count(&self) -> usize {
        self.lock().count
    }

    /// The newest healthy connection of `route` that was made in the runtime `here`. Those on which
    /// something has happened while they were idle are closed.
    #[inline]
    pub(crate) fn check_out(
        self: &Arc<Self>,
        route: RouteKey<'_>,
        here: runtime::Id,
        cx: &mut TaskContext<'_>,
        now: Instant,
    ) -> Option<CheckedOut> {
        // The health is looked at without the lock, as it costs a system call.
        while let Some(Entry::Exclusive(mut connection)) = self.take(route, here, now) {
            match connection.health(cx, now) {
                Health::Idle => {
                    connection.checked_out(self.clone());
                    return Some(CheckedOut::Ready(Connection::H1(connection)));
                }
                Health::TlsRecords => {
                    connection.checked_out(self.clone());
                    return Some(CheckedOut::TlsRecords(connection));
                }
                Health::Unusable => {}
            }
        }
        None
    }

    /// Removes the newest entry of `route` that was made in the runtime `here` and has not aged.
    fn take(&self, route: RouteKey<'_>, here: runtime::Id, now: Instant) -> Option<Entry> {
        let mut state = self.lock();
        // An empty queue is kept for its room: the next return of this route allocates nothing.
        let queue = state.queues.get_mut(&route)?;
        let newest = queue.back()?;
        // Few programs use a client from more than one runtime, and what is used does not age.
        if newest.runtime() != here || self.has_aged(newest, now) {
            return self.search(state, route, here, now);
        }
        let newest = queue.pop_back();
        state.count -= 1;
        newest
    }

    /// [`take`](Pool::take) where the newest entry cannot be used.
    #[cold]
    fn search(
        &self,
        mut state: MutexGuard<'_, State>,
        route: RouteKey<'_>,
        here: runtime::Id,
        now: Instant,
    ) -> Option<Entry> {
        let queue = state.queues.get_mut(&route)?;
        let mut aged = Closing::new();
        // From the newest on, until one is fresh; those of other runtimes are left where they are.
        let found = loop {
            let runtimes = queue.iter().map(Entry::runtime);
            let at = runtimes.rev().position(|runtime| runtime == here);
            match at.and_then(|from_end| queue.remove(queue.len() - 1 - from_end)) {
                Some(entry) if self.has_aged(&entry, now) => aged.push_back(entry),
                fresh => break fresh,
            }
        };
        state.count -= aged.len() + usize::from(found.is_some());
        drop(state);
        drop(aged);
        found
    }

    /// Puts a connection back whose exchange is over.
    fn return_exclusive(self: &Arc<Self>, connection: Box<h1::Connection>) {
        let entry = Entry::Exclusive(connection);
        // It has not been idle yet, so that only its lifetime can be over.
        if self.lifetime.is_some() && self.has_aged(&entry, entry.since()) {
            return;
        }
        let mut state = self.lock();
        if state.is_closed {
            // In this order: the drop of the entry closes a socket, which is a system call.
            drop(state);
            drop(entry);
            return;
        }
        let evicted = self.put(&mut state, entry);
        // The task of a runtime that was shut down is finished.
        if state.sweeper.as_ref().is_none_or(AbortHandle::is_finished) {
            self.start_sweeper(&mut state);
        }
        drop(state);
        drop(evicted);
    }

    /// Closes everything that is idle; what is returned later is closed at once.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.count = 0;
        let queues = std::mem::take(&mut state.queues);
        let sweeper = state.sweeper.take();
        drop(state);
        drop(queues);
        // Aborted after unlocking: its drop may free the last reference of the transport.
        if let Some(sweeper) = sweeper {
            sweeper.abort();
        }
    }

    /// Files an entry; returns the one that has to make room for it, if any.
    #[inline]
    fn put(&self, state: &mut State, entry: Entry) -> Option<Entry> {
        let Entry::Exclusive(connection) = &entry;
        // The common case: the route is known and both limits leave room.
        if state.count < self.total
            && let Some(queue) = state.queues.get_mut(connection.route())
            && queue.len() < self.per_route
        {
            state.count += 1;
            queue.push_back(entry);
            return None;
        }
        let route = connection.route().clone();
        let evicted = self.make_room(state, &route);
        state.push(route, entry);
        evicted
    }

    /// Removes an entry where a limit would be passed: the route's oldest, or the oldest of all.
    fn make_room(&self, state: &mut State, route: &Route) -> Option<Entry> {
        let at_route = state.queues.get(route).map_or(0, VecDeque::len);
        let evicted = if at_route >= self.per_route {
            state.queues.get_mut(route).and_then(VecDeque::pop_front)
        } else if state.count >= self.total {
            // Linear in the routes, of which there are at most IDLE_ORIGINS_MAX.
            let oldest = state.queues.values_mut().filter(|queue| !queue.is_empty());
            let oldest = oldest.min_by_key(|queue| queue.front().map(Entry::since));
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

    /// When an entry will have aged: by being idle, or by its lifetime.
    fn due(&self, entry: &Entry) -> Instant {
        let idle = clock::after(entry.since(), self.age_max);
        match self.lifetime {
            Some(lifetime) => idle.min(clock::after(entry.opened_at(), lifetime)),
            None => idle,
        }
    }

    /// Removes what has aged; says when the next entry will have.
    fn sweep(&self, now: Instant) -> (Closing, Option<Instant>) {
        let mut state = self.lock();
        let mut aged = Closing::new();
        let mut next = None;
        for queue in state.queues.values_mut() {
            let (old, fresh): (Queue, Queue) =
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
            // The next connection that is returned starts another sweeper.
            state.sweeper = None;
            state.queues.clear();
        }
        (aged, next)
    }

    fn start_sweeper(self: &Arc<Self>, state: &mut State) {
        // Without a runtime (a response dropped on another thread) the next return tries again.
        if let Ok(runtime) = runtime::Handle::try_current() {
            let first = self
                .lifetime
                .map_or(self.age_max, |lifetime| lifetime.min(self.age_max));
            // Under the lock, so that two returns cannot start two. Spawning wakes the runtime only.
            #[expect(clippy::disallowed_methods, reason = "ends with the pool")]
            let task = runtime.spawn(clean(Arc::downgrade(self), first));
            state.sweeper = Some(task.abort_handle());
        }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every state between two statements is valid, so a poisoned one is used as it is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    #[cold]
    fn push(&mut self, route: Route, entry: Entry) {
        if self.queues.len() >= IDLE_ORIGINS_MAX && !self.queues.contains_key(&route) {
            // At most `total` queues are in use; the empty ones were kept for their room only.
            self.queues.retain(|_, queue| !queue.is_empty());
        }
        self.count += 1;
        self.queues.entry(route).or_default().push_back(entry);
    }
}

impl Owner for Pool {
    #[inline]
    fn take_back(self: Arc<Self>, connection: Box<h1::Connection>) {
        self.return_exclusive(connection);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// Closes connections as they age, until none is left or the transport is gone.
async fn clean(pool: Weak<Pool>, first: Duration) {
    let mut due = clock::after(clock::now(), first);
    loop {
        tokio::time::sleep_until(due.into()).await;
        // Weak: the sweeper must not keep the transport alive, which would keep the sweeper.
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let (aged, next) = pool.sweep(clock::now());
        drop(aged);
        match next {
            Some(next) => due = next,
            None => return,
        }
    }
}

/// Passes on the hash that the origin of a route was made with.
#[derive(Default)]
struct Precomputed(u64);

impl std::hash::Hasher for Precomputed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        // A field that is added to `Route` must be mixed into the hash of its origin.
        unreachable!("a route writes one u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
