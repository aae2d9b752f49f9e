//! The connection pool: what is idle, per route and in total, aged, newest first.
//!
//! # Implementation
//!
//! One mutex, held for one operation. Each route has a queue, oldest in front: the newest is checked out,
//! as it is the least likely to have been closed by its server, and the oldest makes room. Connections
//! are looked at and dropped after unlocking, as both are system calls. What is idle in a runtime has a
//! keeper there (`keeper.rs`), a task that closes what has aged, what its server has closed, and
//! everything when the runtime ends.

use std::collections::VecDeque;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context as TaskContext;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use tokio::runtime;

use super::connection::Connection;
use super::h1::{self, Health, Owner};
use super::route::{Route, RouteKey};
use super::shortage::Shortage;
use crate::clock;
use crate::config::{Limits, Timeouts};
use crate::limits::{HASTY_MS, HASTY_SECONDS, IDLE_ORIGINS_MAX};

mod keeper;

use keeper::Keepers;

/// A server that closes a connection this soon after an answer, without having said so, is hasty.
const HASTY: Duration = Duration::from_millis(HASTY_MS);

/// The connections of one transport that are not checked out.
pub(crate) struct Pool {
    per_route: usize,
    total: usize,
    age_max: Duration,
    lifetime: Option<Duration>,
    shortage: Arc<Shortage>,
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
    keepers: Keepers,
    /// Routes whose servers are hasty, and until when that counts: no request that cannot be repeated
    /// uses an idle connection of theirs.
    hasty: HashMap<Route, Instant, BuildHasherDefault<Precomputed>>,
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

    /// How long the server says that it keeps the connection.
    fn kept_by_server(&self) -> Option<Duration> {
        let Entry::Exclusive(connection) = self;
        connection.kept_by_server()
    }

    /// The runtime whose reactor it is registered with.
    fn runtime(&self) -> runtime::Id {
        self.runtime_handle().id()
    }

    fn runtime_handle(&self) -> &runtime::Handle {
        let Entry::Exclusive(connection) = self;
        connection.runtime()
    }
}

impl Pool {
    pub(crate) fn new(limits: &Limits, timeouts: &Timeouts, shortage: Arc<Shortage>) -> Pool {
        Pool {
            per_route: limits.idle_per_origin.min(limits.idle_total),
            total: limits.idle_total,
            age_max: timeouts.idle,
            lifetime: timeouts.lifetime,
            shortage,
            state: Mutex::new(State::default()),
        }
    }

    /// Connections that are idle now.
    pub(crate) fn idle_count(&self) -> usize {
        self.lock().count
    }

    /// The newest healthy connection of `route` that was made in the runtime `here`. Those on which
    /// something has happened while they were idle are closed. `is_repeatable` says whether the request
    /// can be sent again if the server has closed the connection all the same.
    #[inline]
    pub(crate) fn check_out(
        self: &Arc<Self>,
        route: RouteKey<'_>,
        here: runtime::Id,
        is_repeatable: bool,
        cx: &mut TaskContext<'_>,
        now: Instant,
    ) -> Option<CheckedOut> {
        if !is_repeatable && self.is_hasty(route, now) {
            return None;
        }
        // The health is looked at without the lock, as it costs a system call.
        while let Some(Entry::Exclusive(mut connection)) = self.take(route, here, now) {
            match connection.health(cx, now, is_repeatable) {
                Health::Idle => {
                    connection.checked_out(self.clone());
                    return Some(CheckedOut::Ready(Connection::H1(connection)));
                }
                Health::TlsRecords => {
                    connection.checked_out(self.clone());
                    return Some(CheckedOut::TlsRecords(connection));
                }
                Health::Unusable => {
                    let idle = now.saturating_duration_since(connection.since());
                    self.closed_by_server(connection.route(), idle);
                }
            }
        }
        None
    }

    /// Whether the server of `route` is known to close connections behind its answers.
    fn is_hasty(&self, route: RouteKey<'_>, now: Instant) -> bool {
        let state = self.lock();
        state.hasty.get(&route).is_some_and(|until| *until > now)
    }

    /// The server has closed a connection of `route` that had been idle for so long: it is hasty if it did
    /// so right behind its answer.
    #[cold]
    pub(crate) fn closed_by_server(&self, route: &Route, idle: Duration) {
        if idle > HASTY {
            return;
        }
        let now = clock::now();
        let mut state = self.lock();
        if state.hasty.len() >= IDLE_ORIGINS_MAX {
            state.hasty.retain(|_, until| *until > now);
        }
        if state.hasty.len() < IDLE_ORIGINS_MAX {
            let until = now + Duration::from_secs(HASTY_SECONDS);
            state.hasty.insert(route.clone(), until);
        }
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
        // It has not been idle yet, so that only its lifetime can be over, or the server keeps nothing.
        let may_have_aged = self.lifetime.is_some() || entry.kept_by_server().is_some();
        if may_have_aged && self.has_aged(&entry, entry.since()) {
            return;
        }
        let mut state = self.lock();
        if state.is_closed {
            // In this order: the drop of the entry closes a socket, which is a system call.
            drop(state);
            drop(entry);
            return;
        }
        let runtime = entry.runtime_handle();
        // A reference is counted for the one that starts a keeper only.
        let wanted = state.keepers.expect(runtime.id()).then(|| runtime.clone());
        let evicted = self.put(&mut state, entry);
        drop(state);
        drop(evicted);
        if let Some(runtime) = wanted {
            keeper::start(self, &runtime);
        }
        self.shortage.freed();
    }

    /// Closes the connection that has been idle longest; `false` if nothing is idle.
    pub(crate) fn close_oldest(&self) -> bool {
        let mut state = self.lock();
        let oldest = state.take_oldest();
        state.count -= usize::from(oldest.is_some());
        drop(state);
        oldest.is_some()
    }

    /// Closes everything that is idle; what is returned later is closed at once.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.count = 0;
        let queues = std::mem::take(&mut state.queues);
        let keepers = std::mem::take(&mut state.keepers);
        drop(state);
        drop(queues);
        keepers.end();
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
            state.take_oldest()
        } else {
            None
        };
        state.count -= usize::from(evicted.is_some());
        evicted
    }

    fn has_aged(&self, entry: &Entry, now: Instant) -> bool {
        self.due(entry) <= now
    }

    /// When an entry will have aged: by being idle, for as long as the client or the server keeps it, or by
    /// its lifetime.
    fn due(&self, entry: &Entry) -> Instant {
        let kept = entry.kept_by_server().unwrap_or(self.age_max);
        let idle = clock::after(entry.since(), self.age_max.min(kept));
        match self.lifetime {
            Some(lifetime) => idle.min(clock::after(entry.opened_at(), lifetime)),
            None => idle,
        }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every state between two statements is valid, so a poisoned one is used as it is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the entry that has been idle longest; the caller counts it.
    fn take_oldest(&mut self) -> Option<Entry> {
        // Linear in the routes, of which there are at most IDLE_ORIGINS_MAX.
        let used = self.queues.values_mut().filter(|queue| !queue.is_empty());
        let oldest = used.min_by_key(|queue| queue.front().map(Entry::since));
        oldest.and_then(VecDeque::pop_front)
    }

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
