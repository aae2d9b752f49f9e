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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Waker};
use std::time::{Duration, Instant};

use tokio::runtime;

use super::h1::{self, Health, Owner};
use super::route::{Route, RouteKey};
use super::shortage::Shortage;
use crate::clock;
use crate::config::{Limits, Timeouts};
use crate::limits::{HASTY_MS, HASTY_ROUTES_MAX, HASTY_SECONDS};

mod another;
mod keeper;
mod queues;
mod shared;

use keeper::Keepers;
use queues::Queues;
use shared::SharedConnections;

/// A server that closes a connection this soon after an answer, without having said so, is hasty.
const HASTY: Duration = Duration::from_millis(HASTY_MS);

/// The connections of one transport that are not checked out.
pub(crate) struct Pool {
    per_route: usize,
    /// Connections to one route that carry many requests.
    shared_per_route: usize,
    total: usize,
    age_max: Duration,
    lifetime: Option<Duration>,
    shortage: Arc<Shortage>,
    /// Whether a request has to be looked at more closely: there are proxies, or connections that are shared.
    is_unusual: AtomicBool,
    state: Mutex<State>,
}

/// A connection in the pool that carries one request at a time. Checking it out takes the entry out of its
/// queue; returning it pushes it as the newest of its route. It counts against the limits of idle connections
/// while it is here.
///
/// Those that carry many, as HTTP/2 does, are in `shared.rs`: checking one out hands out an exchange on it,
/// and the connection stays.
enum Entry {
    Exclusive(Box<h1::Connection>),
}

/// What the pool had for a request.
pub(crate) enum CheckedOut {
    Ready(Box<h1::Connection>),
    /// TLS records have arrived on it, which need not be data: [`h1::Connection::drain_tls`] tells.
    TlsRecords(Box<h1::Connection>),
}

#[derive(Default)]
struct State {
    /// In each queue the entry that has been idle longest is in front.
    queues: Queues,
    shared: SharedConnections,
    /// Invariant: the sum of the lengths of the queues.
    count: usize,
    /// Entries that have left the queues and are being closed. They count as idle until their sockets are closed: no
    /// request has them.
    leaving: usize,
    keepers: Keepers,
    /// Routes whose servers are hasty, and until when that counts: no request that cannot be repeated
    /// uses an idle connection of theirs.
    hasty: Vec<(Route, Instant)>,
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
    pub(crate) fn new(
        limits: &Limits,
        timeouts: &Timeouts,
        shortage: Arc<Shortage>,
        has_proxies: bool,
    ) -> Pool {
        Pool {
            per_route: limits.idle_per_origin.min(limits.idle_total),
            shared_per_route: limits.h2_connections_per_host,
            total: limits.idle_total,
            age_max: timeouts.idle,
            lifetime: timeouts.lifetime,
            shortage,
            is_unusual: AtomicBool::new(has_proxies),
            state: Mutex::new(State::default()),
        }
    }

    /// Whether routes may be more than origins, or connections be shared.
    #[inline]
    pub(crate) fn is_unusual(&self) -> bool {
        self.is_unusual.load(Ordering::Relaxed)
    }

    /// Connections that are idle now, shared ones without a request among them.
    pub(crate) fn idle_count(&self) -> usize {
        let state = self.lock();
        let count = state.count + state.leaving;
        let shared: Vec<_> = state.shared.iter().cloned().collect();
        drop(state);
        // Each is asked under a lock of its own, without that of the pool.
        count + shared.iter().filter(|one| one.is_idle()).count()
    }

    /// The newest healthy connection of `route` that was made in the runtime `here`. Those on which
    /// something has happened while they were idle are closed. `is_repeatable` says whether the request
    /// can be sent again if the server has closed the connection all the same.
    #[inline]
    pub(crate) fn check_out(
        self: &Arc<Self>,
        route: RouteKey<'_>,
        here: runtime::Id,
        is_repeatable: impl Fn() -> bool,
        cx: &mut TaskContext<'_>,
        now: Instant,
    ) -> Option<CheckedOut> {
        // The health is looked at without the lock, as it costs a system call.
        while let Some(Entry::Exclusive(mut connection)) =
            self.take(route, here, &is_repeatable, now)
        {
            match connection.health(cx, now) {
                Health::Idle => {
                    connection.checked_out(self.clone());
                    return Some(CheckedOut::Ready(connection));
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

    /// [`check_out`](Pool::check_out) apart from the way of most requests.
    #[cold]
    #[inline(never)]
    pub(crate) fn check_out_by_way(
        self: &Arc<Self>,
        route: RouteKey<'_>,
        here: runtime::Id,
        is_repeatable: bool,
        cx: &mut TaskContext<'_>,
        now: Instant,
    ) -> Option<CheckedOut> {
        loop {
            let state = self.lock();
            if !is_repeatable && state.is_hasty(route, now) {
                return None;
            }
            let Entry::Exclusive(mut connection) = self.search(state, route, here, now)?;
            let health = connection.health(cx, now);
            if health == Health::Unusable {
                let idle = now.saturating_duration_since(connection.since());
                self.closed_by_server(connection.route(), idle);
                continue;
            }
            connection.checked_out(self.clone());
            return Some(match health {
                Health::TlsRecords => CheckedOut::TlsRecords(connection),
                _ => CheckedOut::Ready(connection),
            });
        }
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
        let hasty = &mut state.hasty;
        hasty.retain(|(other, until)| *until > now && other != route);
        // Linear, as such servers are few; of more than so many the first ones are forgotten.
        if hasty.len() == HASTY_ROUTES_MAX {
            hasty.remove(0);
        }
        hasty.push((route.clone(), now + Duration::from_secs(HASTY_SECONDS)));
    }

    /// Removes the newest entry of `route` that was made in the runtime `here` and has not aged.
    #[inline]
    fn take(
        &self,
        route: RouteKey<'_>,
        here: runtime::Id,
        is_repeatable: &impl Fn() -> bool,
        now: Instant,
    ) -> Option<Entry> {
        let mut state = self.lock();
        if !state.hasty.is_empty() && state.is_hasty(route, now) && !is_repeatable() {
            return None;
        }
        // An empty queue is kept for its room: the next return of this route allocates nothing.
        let queue = state.queues.of_key(route)?;
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
        let queue = state.queues.of_way(route)?;
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
        self.close_entries(state, aged.len(), aged);
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
        if !state.keepers.expect(entry.runtime()) {
            return self.return_unkept(state, entry);
        }
        let evicted = match self.put_plainly(&mut state, entry) {
            None => None,
            Some(entry) => self.put(&mut state, entry),
        };
        match evicted {
            None => drop(state),
            Some(entry) => self.close_entries(state, 1, entry),
        }
        self.shortage.freed();
    }

    /// Closes entries that have left the queues, without the lock, as closing is a system call for each.
    #[cold]
    fn close_entries(&self, mut state: MutexGuard<'_, State>, count: usize, entries: impl Sized) {
        state.leaving += count;
        drop(state);
        drop(entries);
        if count > 0 {
            self.lock().leaving -= count;
        }
    }

    /// Puts a connection back in whose runtime nothing was idle so far.
    #[cold]
    fn return_unkept(self: &Arc<Self>, mut state: MutexGuard<'_, State>, entry: Entry) {
        let runtime = entry.runtime_handle().clone();
        let evicted = self.put(&mut state, entry);
        self.close_entries(state, usize::from(evicted.is_some()), evicted);
        keeper::start(self, &runtime);
        self.shortage.freed();
    }

    /// The newest connection of `route` that was returned while a request could not have a new one. Over TLS
    /// none on which something has happened.
    #[cold]
    pub(crate) fn check_out_late(
        self: &Arc<Self>,
        route: &Route,
        cx: &mut TaskContext<'_>,
        now: Instant,
    ) -> Option<Box<h1::Connection>> {
        let here = runtime::Handle::try_current().ok()?.id();
        loop {
            let Entry::Exclusive(mut connection) =
                self.search(self.lock(), route.key(), here, now)?;
            if connection.health(cx, now) == Health::Idle {
                connection.checked_out(self.clone());
                return Some(connection);
            }
        }
    }

    /// Closes the connection that has been idle longest; `false` if nothing is idle.
    pub(crate) fn close_oldest(&self) -> bool {
        let mut state = self.lock();
        let Some(oldest) = state.take_oldest() else {
            return false;
        };
        state.count -= 1;
        self.close_entries(state, 1, oldest);
        true
    }

    /// Closes everything that is idle now, and says how many connections that were.
    pub(crate) fn close_idle(&self) -> usize {
        let mut state = self.lock();
        let queues = std::mem::take(&mut state.queues);
        let closed = std::mem::take(&mut state.count);
        let shared: Vec<_> = state.shared.iter().cloned().collect();
        // Shared connections are no entries: each says by itself when it is closed.
        self.close_entries(state, closed, queues);
        let idle = shared.iter().filter(|connection| connection.is_idle());
        let idle = idle.map(|connection| connection.go_away()).count();
        closed + idle
    }

    /// Closes everything that is idle; what is returned later is closed at once.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let count = std::mem::take(&mut state.count);
        let queues = std::mem::take(&mut state.queues);
        let keepers = std::mem::take(&mut state.keepers);
        let shared: Vec<_> = state.shared.iter().cloned().collect();
        // Under the lock: no request has a dial go on any more.
        let dials = std::mem::take(&mut state.shared.dials);
        let tasks: Vec<_> = dials.iter().filter_map(|dial| dial.stops()).collect();
        self.close_entries(state, count, queues);
        tasks.into_iter().for_each(Waker::wake);
        keepers.end();
        // Their tasks end when the last request does.
        shared.iter().for_each(|connection| connection.go_away());
    }

    /// Files an entry of a known route where both limits leave room, which is the common case; otherwise
    /// gives it back.
    #[inline]
    fn put_plainly(&self, state: &mut State, entry: Entry) -> Option<Entry> {
        let Entry::Exclusive(connection) = &entry;
        if state.count < self.total
            && let Some(queue) = state.queues.of_returned(connection.route())
            && queue.len() < self.per_route
        {
            state.count += 1;
            queue.push_back(entry);
            return None;
        }
        Some(entry)
    }

    /// Files an entry; returns the one that has to make room for it, if any.
    #[cold]
    fn put(&self, state: &mut State, entry: Entry) -> Option<Entry> {
        let Entry::Exclusive(connection) = &entry;
        let route = connection.route().clone();
        let evicted = self.make_room(state, &route);
        state.count += 1;
        state.queues.push(route, entry);
        evicted
    }

    /// Removes an entry where a limit would be passed: the route's oldest, or the oldest of all.
    fn make_room(&self, state: &mut State, route: &Route) -> Option<Entry> {
        let at_route = state.queues.of(route).map_or(0, |queue| queue.len());
        let evicted = if at_route >= self.per_route {
            state.queues.of(route).and_then(VecDeque::pop_front)
        } else if state.count >= self.total {
            state.take_oldest()
        } else {
            None
        };
        state.count -= usize::from(evicted.is_some());
        evicted
    }

    #[inline]
    fn has_aged(&self, entry: &Entry, now: Instant) -> bool {
        self.due(entry) <= now
    }

    /// When an entry will have aged: by being idle, for as long as the client or the server keeps it, or by
    /// its lifetime.
    #[inline(always)]
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
    /// Whether the server of `route` is known to close connections behind its answers.
    #[cold]
    fn is_hasty(&self, route: RouteKey<'_>, now: Instant) -> bool {
        let found = self.hasty.iter().find(|(hasty, _)| route.is_key_of(hasty));
        found.is_some_and(|(_, until)| *until > now)
    }

    /// Takes the entry that has been idle longest; the caller counts it.
    fn take_oldest(&mut self) -> Option<Entry> {
        // Linear in the routes, of which there are at most IDLE_ORIGINS_MAX.
        let used = self.queues.iter_mut().filter(|queue| !queue.is_empty());
        let oldest = used.min_by_key(|queue| queue.front().map(Entry::since));
        oldest.and_then(VecDeque::pop_front)
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
