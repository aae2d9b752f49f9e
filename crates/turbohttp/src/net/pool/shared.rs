//! Connections that carry many requests at once, by route.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::HashTable;
use tokio::runtime;

use super::Pool;
use crate::net::counters::Http2Counts;
use crate::net::h2::{Checkout, Connection, Exchange, Home, Spares};
use crate::net::route::RouteKey;

/// A table of shared connections, asked by the hash that the origin of a route was made with. A connection
/// is here from its begin until it takes no new requests.
#[derive(Default)]
pub(super) struct SharedConnections(HashTable<Entry>);

struct Entry {
    connection: Arc<Connection>,
    spares: Spares,
}

impl SharedConnections {
    /// An exchange on the connection of this route in this runtime.
    #[inline]
    pub(super) fn check_out(
        &mut self,
        key: RouteKey<'_>,
        here: runtime::Id,
    ) -> Option<Box<Exchange>> {
        let hash = key.origin.precomputed_hash();
        let entry = self.0.find_mut(hash, |entry| {
            key.is_key_of(entry.connection.route()) && entry.connection.runtime() == here
        })?;
        let spare = entry.spares.take();
        Some(spare.unwrap_or_else(|| Exchange::new(&entry.connection)))
    }

    pub(super) fn insert(&mut self, connection: &Arc<Connection>) {
        let hash = hash_of(connection);
        let entry = Entry {
            connection: connection.clone(),
            spares: Spares::default(),
        };
        self.0
            .insert_unique(hash, entry, |entry| hash_of(&entry.connection));
    }

    /// Keeps an exchange for the next request; gives it back if its connection is not here any more.
    #[inline]
    pub(super) fn take_back(&mut self, exchange: Box<Exchange>) -> Option<Box<Exchange>> {
        let hash = hash_of(exchange.connection());
        let entry = self.0.find_mut(hash, |entry| {
            Arc::ptr_eq(&entry.connection, exchange.connection())
        });
        match entry {
            Some(entry) => entry.spares.put(exchange),
            None => Some(exchange),
        }
    }

    /// Removes a connection; it is dropped by the caller, without the lock.
    pub(super) fn remove(&mut self, connection: &Arc<Connection>) -> Option<Removed> {
        let hash = hash_of(connection);
        let found = self
            .0
            .find_entry(hash, |entry| Arc::ptr_eq(&entry.connection, connection));
        found.ok().map(|entry| Removed(entry.remove().0))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.0.iter().map(|entry| &entry.connection)
    }
}

/// A connection that was removed, with its spare exchanges.
pub(super) struct Removed(#[expect(dead_code, reason = "kept until it is dropped")] Entry);

fn hash_of(connection: &Connection) -> u64 {
    connection.route().origin.precomputed_hash()
}

impl Pool {
    /// Hands out a connection that carries many requests from now on. Where there are more connections then
    /// than may be idle, those that are idle make room.
    #[cold]
    pub(crate) fn share(self: &Arc<Self>, connection: &Arc<Connection>) {
        let mut state = self.lock();
        let is_closed = state.is_closed;
        let others = state.count + state.shared.0.len();
        if !is_closed {
            state.shared.insert(connection);
            self.is_unusual.store(true, Ordering::Relaxed);
        }
        drop(state);
        if is_closed {
            return connection.go_away();
        }
        self.end_idle_shared((others + 1).saturating_sub(self.total));
    }

    /// Ends shared connections without requests, so many at most, the oldest first. Their tasks close them.
    #[cold]
    pub(crate) fn end_idle_shared(&self, count: usize) {
        if count == 0 {
            return;
        }
        let mut shared: Vec<_> = self.lock().shared.iter().cloned().collect();
        shared.sort_unstable_by_key(|connection| connection.id());
        let idle = shared.iter().filter(|connection| connection.is_rested());
        for connection in idle.take(count) {
            connection.go_away();
            self.retire(connection);
        }
    }

    /// What the connections are like that are handed out.
    pub(crate) fn http2_counts(&self) -> Http2Counts {
        let shared: Vec<_> = self.lock().shared.iter().cloned().collect();
        let mut counts = Http2Counts::default();
        // Each is asked under a lock of its own, without that of the pool.
        for connection in shared {
            let (streams, glitches) = connection.counts();
            counts.connections += 1;
            counts.streams += streams;
            counts.glitches += glitches;
        }
        counts
    }

    /// An exchange on the shared connection of `route`, if there is one.
    #[inline(never)]
    pub(crate) fn exchange_on(
        self: &Arc<Self>,
        route: RouteKey<'_>,
        here: runtime::Id,
    ) -> Option<Checkout> {
        let exchange = self.lock().shared.check_out(route, here)?;
        Some(Checkout::new(exchange, self.clone()))
    }
}

impl Home for Pool {
    #[inline]
    fn take_back(self: Arc<Self>, exchange: Box<Exchange>) {
        let surplus = self.lock().shared.take_back(exchange);
        drop(surplus);
    }

    fn retire(&self, connection: &Arc<Connection>) {
        let removed = self.lock().shared.remove(connection);
        drop(removed);
    }

    fn carried_beside(&self, connection: &Arc<Connection>) -> Option<usize> {
        let origin = &connection.route().origin;
        let state = self.lock();
        let others = state
            .shared
            .iter()
            .filter(|other| !Arc::ptr_eq(other, connection) && other.route().origin == *origin);
        let others: Vec<_> = others.cloned().collect();
        drop(state);
        // Each is asked under a lock of its own, without that of the pool.
        others
            .iter()
            .filter_map(|other| other.capacity())
            .reduce(usize::saturating_add)
    }
}
