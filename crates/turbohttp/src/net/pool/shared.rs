//! Connections that carry many requests at once, by route.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use hashbrown::HashTable;
use tokio::runtime;
use turbohttp_core::origin::Origin;

use super::{Pool, State};
use crate::net::counters::Http2Counts;
use crate::net::dial::Dial;
use crate::net::h2::{Checkout, Connection, Exchange, Home, Spares};
use crate::net::route::{Route, RouteKey};

/// A table of shared connections, asked by the hash that the origin of a route was made with. A connection
/// is here from its begin until it takes no new requests.
#[derive(Default)]
pub(super) struct SharedConnections {
    pub(super) table: HashTable<Entry>,
    /// Dials under way, whose requests take what comes free meanwhile.
    pub(super) dials: Vec<Arc<Dial>>,
    /// Routes, by runtime, of which another connection could not be made a moment ago.
    pub(super) refused: Vec<(Route, runtime::Id)>,
}

pub(super) struct Entry {
    pub(super) connection: Arc<Connection>,
    spares: Spares,
    /// How many requests it carries at once, as its task has said last.
    pub(super) carries: usize,
    /// Exchanges that are out.
    in_use: usize,
}

impl Entry {
    #[inline]
    fn is_of(&self, key: RouteKey<'_>, here: runtime::Id) -> bool {
        key.is_key_of(self.connection.route()) && self.connection.runtime() == here
    }

    /// Requests beyond those that it carries.
    fn line(&self) -> usize {
        self.in_use.saturating_sub(self.carries)
    }

    #[inline]
    fn check_out(&mut self) -> Box<Exchange> {
        self.in_use += 1;
        let spare = self.spares.take();
        spare.unwrap_or_else(|| Exchange::new(&self.connection))
    }
}

impl SharedConnections {
    /// An exchange on the connection of this route in this runtime. Where there may be `most` of them, those that
    /// are full have none unless there are so many, or another one could not be made a moment ago.
    #[inline]
    pub(super) fn check_out(
        &mut self,
        key: RouteKey<'_>,
        here: runtime::Id,
        most: usize,
    ) -> Option<Box<Exchange>> {
        let hash = key.origin.precomputed_hash();
        let entry = match most {
            1 => self.table.find_mut(hash, |entry| entry.is_of(key, here)),
            most => self.choose(key, here, most),
        };
        entry.map(Entry::check_out)
    }

    /// The connection that the next request goes to: the fullest one that has room, so that those that are not
    /// needed come to rest; without any, that with the shortest line, unless another one may be made.
    #[cold]
    fn choose(&mut self, key: RouteKey<'_>, here: runtime::Id, most: usize) -> Option<&mut Entry> {
        let is_refused = self.is_refused(key, here);
        let (mut count, mut free, mut full) = (0, None::<&mut Entry>, None::<&mut Entry>);
        let of_hash = self.table.iter_hash_mut(key.origin.precomputed_hash());
        for entry in of_hash.filter(|entry| entry.is_of(key, here)) {
            count += 1;
            if entry.in_use < entry.carries {
                if free.as_ref().is_none_or(|best| best.in_use < entry.in_use) {
                    free = Some(entry);
                }
            } else if full.as_ref().is_none_or(|best| entry.line() < best.line()) {
                full = Some(entry);
            }
        }
        free.or(full.filter(|_| is_refused || count >= most))
    }

    /// Whether there is a connection of this route in this runtime.
    pub(super) fn has_some(&self, key: RouteKey<'_>, here: runtime::Id) -> bool {
        let mut of_hash = self.table.iter_hash(key.origin.precomputed_hash());
        of_hash.any(|entry| entry.is_of(key, here))
    }

    /// Whether requests wait for a dial that may take what comes free.
    #[inline]
    fn is_awaited(&self) -> bool {
        !self.dials.is_empty()
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
        self.table
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
        self.table
            .find_mut(hash, |entry| Arc::ptr_eq(&entry.connection, connection))
    }

    /// Removes a connection; it is dropped by the caller, without the lock.
    pub(super) fn remove(&mut self, connection: &Arc<Connection>) -> Option<Removed> {
        let hash = hash_of(connection);
        let found = self
            .table
            .find_entry(hash, |entry| Arc::ptr_eq(&entry.connection, connection));
        found.ok().map(|entry| Removed(entry.remove().0))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.table.iter().map(|entry| &entry.connection)
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

    /// An exchange on a connection of `route`, and be all of them full.
    #[cold]
    pub(crate) fn exchange_in_line(
        self: &Arc<Self>,
        route: RouteKey<'_>,
        here: runtime::Id,
    ) -> Option<Checkout> {
        let exchange = self.lock().shared.check_out(route, here, 0)?;
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
        let mut state = self.lock();
        if state.shared.is_awaited() {
            return take_back_awaited(state, exchange);
        }
        let surplus = state.shared.take_back(exchange);
        drop(state);
        drop(surplus);
    }

    /// Where there are more connections then than may be idle, those that are idle make room.
    #[cold]
    fn share(&self, connection: &Arc<Connection>) {
        // Under a lock of its own, before that of the pool.
        let carries = connection.capacity().unwrap_or_default();
        let mut state = self.lock();
        let is_closed = state.is_closed;
        let others = state.count + state.shared.table.len();
        if !is_closed {
            state.shared.insert(connection, carries);
            self.is_unusual.store(true, Ordering::Relaxed);
        }
        let dials = state.shared.dials_beside(connection);
        drop(state);
        if is_closed {
            return connection.go_away();
        }
        dials.iter().for_each(|dial| dial.wake());
        self.end_idle_shared((others + 1).saturating_sub(self.total));
    }

    fn retire(&self, connection: &Arc<Connection>) {
        let removed = self.lock().shared.remove(connection);
        drop(removed);
    }

    #[cold]
    fn is_lost(&self, connection: &Arc<Connection>) {
        let mut state = self.lock();
        if let Some(entry) = state.shared.find_mut(connection) {
            entry.in_use -= 1;
        }
        let dials = state.shared.dials_beside(connection);
        drop(state);
        dials.iter().for_each(|dial| dial.wake());
    }

    fn carries(&self, connection: &Arc<Connection>, requests: usize) {
        let mut state = self.lock();
        if let Some(entry) = state.shared.find_mut(connection) {
            entry.carries = requests;
        }
        let dials = state.shared.dials_beside(connection);
        drop(state);
        dials.iter().for_each(|dial| dial.wake());
    }

    fn carried(&self, origin: &Origin) -> Option<usize> {
        self.lock().shared.carried(origin, self.shared_per_route)
    }
}

/// [`Pool::take_back`] while requests wait for a dial: they are woken to take the stream that is free.
#[cold]
fn take_back_awaited(mut state: MutexGuard<'_, State>, exchange: Box<Exchange>) {
    let dials = state.shared.dials_beside(exchange.connection());
    let surplus = state.shared.take_back(exchange);
    drop(state);
    drop(surplus);
    dials.iter().for_each(|dial| dial.wake());
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::net::TcpStream;
    use tokio::runtime::{Builder, Handle, Runtime};
    use turbohttp_core::origin::Scheme;

    use super::*;
    use crate::clock;
    use crate::config::{Limits, Timeouts};
    use crate::net::NetTransport;
    use crate::net::connect::Connected;
    use crate::net::h2;
    use crate::net::stream::Stream;
    use crate::net::versions::Protocol;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A connection to a server that says nothing, in the runtime of this handle. Its task does not run.
    fn start(
        net: &NetTransport,
        listener: &TcpListener,
        reactor: &Runtime,
        runtime: &Handle,
    ) -> Arc<Connection> {
        let address = listener.local_addr().unwrap();
        let tcp = reactor.block_on(TcpStream::connect(address)).unwrap();
        let _inside = runtime.enter();
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
        let connection = start(&net, &listener, &reactor, &ended);
        assert!(!connection.is_live());
        assert_eq!(net.stats().http2_connections, 0);
    }

    /// Each runtime has its own connections, so that each may make another one.
    #[test]
    fn what_may_be_made_is_counted_by_route_and_runtime() {
        let limits = Limits::default().h2_connections_per_host(2);
        let net = NetTransport::new(&limits, &Timeouts::default()).unwrap();
        let (listener, runtimes) = (TcpListener::bind("127.0.0.1:0").unwrap(), [(); 2]);
        let runtimes = runtimes.map(|()| runtime());
        let pool = &net.shared.pool;
        let mut carried = Vec::new();
        for reactor in [&runtimes[0], &runtimes[1], &runtimes[0], &runtimes[1]] {
            let connection = start(&net, &listener, reactor, reactor.handle());
            carried.push(pool.carried(&connection.route().origin));
        }
        // Each carries 100 before its server has said what it permits.
        assert_eq!(carried, [200, 400, 400, 400].map(Some));
    }

    #[test]
    fn the_shortest_line_is_taken_where_another_connection_cannot_be_made() {
        let limits = Limits::default().h2_connections_per_host(3);
        let net = NetTransport::new(&limits, &Timeouts::default()).unwrap();
        let (listener, reactor) = (TcpListener::bind("127.0.0.1:0").unwrap(), runtime());
        let (pool, here) = (&net.shared.pool, reactor.handle().id());
        let connections = [(); 2].map(|()| start(&net, &listener, &reactor, reactor.handle()));
        let route = connections[0].route();
        // The first one has a line, whichever the table has first.
        for (connection, carries) in connections.iter().zip([1, 2]) {
            pool.carries(connection, carries);
        }
        let out = [0, 0, 1, 1].map(|at: usize| pool.exchange_of(&connections[at]));
        let id = |exchange: Option<Checkout>| exchange.map(|exchange| exchange.connection().id());
        assert_eq!(id(pool.exchange_on(route.key(), here)), None);
        let shortest = Some(connections[1].id());
        assert_eq!(id(pool.exchange_in_line(route.key(), here)), shortest);
        assert!(pool.refuse_another(route, here));
        assert_eq!(pool.carried(&route.origin), Some(3));
        assert_eq!(id(pool.exchange_on(route.key(), here)), shortest);
        pool.permit_another(route, here);
        assert_eq!(pool.carried(&route.origin), Some(5));
        assert_eq!(id(pool.exchange_on(route.key(), here)), None);
        drop(out);
    }
}
