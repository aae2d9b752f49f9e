//! One connection: what its exchanges and its task share.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime;
use turbohttp_core::h2::{ConnectionEnd, SharedStreams};

use crate::body::buffer::ReadMemory;
use crate::clock;
use crate::context::Addresses;
use crate::net::route::Route;
use crate::net::wire::{Life, Wire};

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

    /// Its open streams, and the frames that cost work and brought nothing.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.streams
            .look(|streams| (streams.open_count() as u64, streams.glitches()))
    }

    /// Whether no request is under way, and at least one has been: one that was just made is made for one.
    pub(crate) fn is_rested(&self) -> bool {
        self.streams
            .look(|streams| streams.used_count() == 0 && streams.has_taken_some())
    }

    /// Counts the connections of a transport, in the order in which they were made.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether new requests are taken.
    pub(crate) fn is_live(&self) -> bool {
        self.streams.look(|streams| streams.is_live())
    }

    /// The earlier of two: when it is too old, and when its server has been silent for too long; and the latter
    /// alone. A PING is sent when that is now. `unread` are the bytes that have arrived and are no whole frame yet.
    ///
    /// # Errors
    ///
    /// [`ConnectionEnd::Silent`] if the PING was not answered.
    #[cold]
    pub(super) fn life_due(
        &self,
        life: &Life,
        is_live: bool,
        unread: usize,
    ) -> Result<(Option<Instant>, Option<Instant>), ConnectionEnd> {
        let longest = life.longest.filter(|_| is_live);
        let life_due = longest.map(|longest| clock::after(self.opened_at, longest));
        let Some(interval) = life.ping else {
            return Ok((life_due, None));
        };
        let now = clock::now();
        let ping_due = self
            .streams
            .update(|streams, wakes| streams.keep_alive(interval, unread, now, wakes))?;
        Ok((clock::earlier(life_due, ping_due), ping_due))
    }

    /// How many requests it carries at once; `None` if it takes no new ones.
    pub(crate) fn capacity(&self) -> Option<usize> {
        self.streams
            .look(|streams| streams.is_live().then(|| streams.capacity()))
    }

    /// Takes no new requests, says so, and ends when the last one has.
    pub(crate) fn go_away(&self) {
        self.streams.update(|streams, wakes| streams.go_away(wakes));
    }
}
