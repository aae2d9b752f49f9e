//! One connection: what its exchanges and its task share.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime;
use turbohttp_core::h2::SharedStreams;

use crate::body::buffer::ReadMemory;
use crate::context::Addresses;
use crate::net::route::Route;
use crate::net::wire::Wire;

/// What the exchanges of a connection and its task share.
pub(crate) struct Connection {
    pub(super) streams: SharedStreams<ReadMemory>,
    pub(super) route: Route,
    pub(super) addresses: Option<Addresses>,
    pub(super) id: u64,
    pub(super) opened_at: Instant,
    /// The runtime whose reactor the socket is registered with.
    pub(super) runtime: runtime::Handle,
    pub(super) wire: Arc<Wire>,
}

impl Connection {
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
