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
    /// How many requests it carries at once, as its task has said last.
    carries: usize,
    /// Exchanges that are out.
    in_use: usize,
}

impl Entry {
    #[inline]
    fn check_out(&mut self) -> Box<Exchange> {
        self.in_use += 1;
        let spare = self.spares.take();
        spare.unwrap_or_else(|| Exchange::new(&self.connection))
    }
}

impl SharedConnections {
    /// An exchange on the connection of this route in this runtime. Where there may be `most` of them, those that
    /// are full have none unless there are so many.
    #[inline]
    pub(super) fn check_out(
        &mut self,
        key: RouteKey<'_>,
        here: runtime::Id,
        most: usize,
    ) -> Option<Box<Exchange>> {
        let chosen = match most {
            1 => None,
            most => Some(self.choose(key, here, most)?),
        };
        let hash = key.origin.precomputed_hash();
        let entry = self
            .0
            .find_mut(hash, |Entry { connection, .. }| match chosen {
                None => key.is_key_of(connection.route()) && connection.runtime() == here,
                Some(id) => connection.id() == id,
            })?;
        Some(entry.check_out())
    }

    /// The connection that the next request goes to, by its number: the fullest one that has room, so that those
    /// that are not needed come to rest; without any, that with the shortest line, if there are `most` already.
    #[cold]
    fn choose(&self, key: RouteKey<'_>, here: runtime::Id, most: usize) -> Option<u64> {
        let of_hash = self.0.iter_hash(key.origin.precomputed_hash());
        let known = of_hash.filter(|entry| {
            key.is_key_of(entry.connection.route()) && entry.connection.runtime() == here
        });
        let (free, full): (Vec<&Entry>, Vec<&Entry>) =
            known.partition(|entry| entry.in_use < entry.carries);
        let chosen = match free.is_empty() && full.len() >= most {
            false => free.iter().max_by_key(|entry| entry.in_use),
            true => full.iter().min_by_key(|entry| entry.in_use),
        };
        chosen.map(|entry| entry.connection.id())
    }

    /// An exchange on this connection, if it is here.
    fn check_out_of(&mut self, connection: &Arc<Connection>) -> Option<Box<Exchange>> {
        self.find_mut(connection).map(Entry::check_out)
    }

    fn insert(&mut self, connection: &Arc<Connection>, carries: usize) {
        let hash = hash_of(connection);
        let entry = Entry {
            connection: connection.clone(),
            spares: Spares::default(),
            carries,
            in_use: 0,
        };
        self.0
            .insert_unique(hash, entry, |entry| hash_of(&entry.connection));
    }

    /// Keeps an exchange for the next request; gives it back if its connection is not here any more.
    #[inline]
    pub(super) fn take_back(&mut self, exchange: Box<Exchange>) -> Option<Box<Exchange>> {
        match self.find_mut(exchange.connection()) {
            Some(entry) => {
                entry.in_use -= 1;
                entry.spares.put(exchange)
            }
            None => Some(exchange),
        }
    }

    #[inline]
    fn find_mut(&mut self, connection: &Arc<Connection>) -> Option<&mut Entry> {
        let hash = hash_of(connection);
        self.0
            .find_mut(hash, |entry| Arc::ptr_eq(&entry.connection, connection))
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
        let most = self.shared_per_route;
        let exchange = self.lock().shared.check_out(route, here, most)?;
        Some(Checkout::new(exchange, self.clone()))
    }

    /// An exchange on a connection of `route`, and be it full.
    #[cold]
    pub(crate) fn exchange_in_line(
        self: &Arc<Self>,
        route: RouteKey<'_>,
        here: runtime::Id,
    ) -> Option<Checkout> {
        let exchange = self.lock().shared.check_out(route, here, 1)?;
        Some(Checkout::new(exchange, self.clone()))
    }

    /// An exchange on this connection, which may have come and gone: the exchange says so then.
    #[cold]
    pub(crate) fn exchange_of(self: &Arc<Self>, connection: &Arc<Connection>) -> Checkout {
        let known = self.lock().shared.check_out_of(connection);
        let exchange = known.unwrap_or_else(|| Exchange::new(connection));
        Checkout::new(exchange, self.clone())
    }
}

impl Home for Pool {
    #[inline]
    fn take_back(self: Arc<Self>, exchange: Box<Exchange>) {
        let surplus = self.lock().shared.take_back(exchange);
        drop(surplus);
    }

    /// Where there are more connections then than may be idle, those that are idle make room.
    #[cold]
    fn share(&self, connection: &Arc<Connection>) {
        // Under a lock of its own, before that of the pool.
        let carries = connection.capacity().unwrap_or_default();
        let mut state = self.lock();
        let is_closed = state.is_closed;
        let others = state.count + state.shared.0.len();
        if !is_closed {
            state.shared.insert(connection, carries);
            self.is_unusual.store(true, Ordering::Relaxed);
        }
        drop(state);
        if is_closed {
            return connection.go_away();
        }
        self.end_idle_shared((others + 1).saturating_sub(self.total));
    }

    fn retire(&self, connection: &Arc<Connection>) {
        let removed = self.lock().shared.remove(connection);
        drop(removed);
    }

    #[cold]
    fn is_lost(&self, connection: &Arc<Connection>) {
        if let Some(entry) = self.lock().shared.find_mut(connection) {
            entry.in_use -= 1;
        }
    }

    fn carried_with(&self, connection: &Arc<Connection>, own: Option<usize>) -> Option<usize> {
        let origin = &connection.route().origin;
        let mut state = self.lock();
        if let (Some(own), Some(entry)) = (own, state.shared.find_mut(connection)) {
            entry.carries = own;
        }
        let of_origin = state.shared.0.iter_hash(origin.precomputed_hash());
        let others = of_origin.filter(|other| {
            !Arc::ptr_eq(&other.connection, connection)
                && other.connection.route().origin == *origin
        });
        let (mut count, mut sum, mut largest) = (0, 0_usize, 0);
        for carries in others.map(|other| other.carries).chain(own) {
            count += 1;
            sum = sum.saturating_add(carries);
            largest = largest.max(carries);
        }
        drop(state);
        // What may yet be made carries as much as what there is: requests that wait for it make it.
        let missing = self.shared_per_route.saturating_sub(count);
        (count > 0).then(|| sum.saturating_add(largest.saturating_mul(missing)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::net::TcpStream;
    use tokio::runtime::{Builder, Runtime};
    use turbohttp_core::origin::{Origin, Scheme};

    use super::*;
    use crate::clock;
    use crate::config::{Limits, Timeouts};
    use crate::net::NetTransport;
    use crate::net::connect::Connected;
    use crate::net::h2;
    use crate::net::route::Route;
    use crate::net::stream::Stream;
    use crate::net::versions::Protocol;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A connection in the runtime that is entered, to a server that says nothing.
    fn start(net: &NetTransport, listener: &TcpListener, reactor: &Runtime) -> Arc<Connection> {
        let address = listener.local_addr().unwrap();
        let tcp = reactor.block_on(TcpStream::connect(address)).unwrap();
        let connected = Connected {
            stream: Stream::Plain(tcp),
            protocol: Protocol::Http2,
            addresses: None,
        };
        let origin = Origin::new(Scheme::Http, "127.0.0.1", address.port());
        let route = Route::direct(&origin);
        let shared = &net.shared;
        h2::start(connected, route, clock::now(), &shared.wire, &shared.pool)
    }

    /// The task of a connection ends before anything else is done: here as its runtime has ended.
    #[test]
    fn a_connection_whose_task_has_ended_at_once_is_not_handed_out() {
        let net = NetTransport::new(&Limits::default(), &Timeouts::default()).unwrap();
        let (listener, reactor) = (TcpListener::bind("127.0.0.1:0").unwrap(), runtime());
        let ended = runtime().handle().clone();
        let inside = ended.enter();
        let connection = start(&net, &listener, &reactor);
        drop(inside);
        assert!(!connection.is_live());
        assert_eq!(net.stats().http2_connections, 0);
    }
}
