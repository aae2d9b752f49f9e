//! HTTP/2: many requests on one connection. `drive.rs` is the task that reads and writes the connection,
//! `exchange.rs` one request and its response, `body.rs` and `upload.rs` their contents.
//!
//! Core's codec is shared by the task and the exchanges, behind one lock: a request appends its HEADERS to
//! the output of the connection, leaves its waker, and pokes the task if that is parked. No request waits
//! for another: a future that is not polled keeps its own stream only.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime;
use turbohttp_core::h2::{Limits, SharedStreams};

use super::connect::Connected;
use super::route::Route;
use super::wire::Wire;
use crate::body::buffer::ReadMemory;
use crate::context::Addresses;
use crate::limits::H2_EXCHANGES_KEPT_MAX;

mod body;
mod drive;
mod exchange;
mod failure;
mod upload;

pub(crate) use exchange::Exchange;

/// The pool of connections, as far as a connection knows it.
pub(crate) trait Home: Send + Sync {
    /// Takes an exchange back that is over.
    fn take_back(self: Arc<Self>, exchange: Box<Exchange>);

    /// Hands the connection out no more. Returns whether another one to its origin is handed out.
    fn retire(&self, connection: &Arc<Connection>) -> bool;
}

/// What the exchanges of a connection and its task share.
pub(crate) struct Connection {
    pub(super) streams: SharedStreams<ReadMemory>,
    route: Route,
    addresses: Option<Addresses>,
    id: u64,
    opened_at: Instant,
    /// The runtime whose reactor the socket is registered with.
    runtime: runtime::Handle,
    wire: Arc<Wire>,
}

impl Connection {
    /// Makes a connection of a byte stream, and starts its task.
    pub(crate) fn start(
        connected: Connected,
        route: Route,
        now: Instant,
        wire: &Arc<Wire>,
        home: &Arc<impl Home + 'static>,
    ) -> Arc<Connection> {
        let limits = Limits::new(wire.head_limits, wire.requests_per_host);
        let connection = Arc::new(Connection {
            streams: SharedStreams::new(limits),
            route,
            addresses: connected.addresses,
            id: wire.counters.opened(),
            opened_at: now,
            runtime: runtime::Handle::current(),
            wire: wire.clone(),
        });
        let home: Arc<dyn Home> = home.clone();
        drive::start(&connection, connected.stream, Arc::downgrade(&home));
        connection
    }

    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    pub(crate) fn runtime(&self) -> runtime::Id {
        self.runtime.id()
    }

    /// Whether no request is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.look(|streams| streams.used_count() == 0)
    }

    /// Whether new requests are taken.
    pub(crate) fn is_live(&self) -> bool {
        self.streams.look(|streams| streams.is_live())
    }

    /// Takes no new requests, says so, and ends when the last one has.
    pub(crate) fn go_away(&self) {
        self.streams.update(|streams, wakes| streams.go_away(wakes));
    }
}

/// Exchanges of one connection that are not in use.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "they come and go as boxes, which are what is kept"
)]
pub(crate) struct Spares(Vec<Box<Exchange>>);

impl Spares {
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Box<Exchange>> {
        self.0.pop()
    }

    /// Keeps an exchange; gives it back if there are enough.
    #[inline]
    pub(crate) fn put(&mut self, exchange: Box<Exchange>) -> Option<Box<Exchange>> {
        if self.0.len() >= H2_EXCHANGES_KEPT_MAX {
            return Some(exchange);
        }
        self.0.push(exchange);
        None
    }
}
