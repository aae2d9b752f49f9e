//! What a server counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

/// What a server has done so far: a snapshot, whose fields need not be of the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// The most connections that were open at once.
    pub connections_peak: u64,
    /// Requests whose head arrived whole, malformed ones included.
    pub requests: u64,
    /// Requests read but not yet answered.
    pub in_flight: u64,
    /// The most requests that were in flight at once.
    pub in_flight_peak: u64,
    /// Content received, without chunk framing.
    pub body_bytes_received: u64,
    /// Content sent, without chunk framing.
    pub body_bytes_sent: u64,
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    open: Level,
    requests: AtomicU64,
    in_flight: Level,
    body_bytes_received: AtomicU64,
    body_bytes_sent: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            connections: self.connections.load(Relaxed),
            connections_open: self.open.now.load(Relaxed),
            connections_peak: self.open.peak.load(Relaxed),
            requests: self.requests.load(Relaxed),
            in_flight: self.in_flight.now.load(Relaxed),
            in_flight_peak: self.in_flight.peak.load(Relaxed),
            body_bytes_received: self.body_bytes_received.load(Relaxed),
            body_bytes_sent: self.body_bytes_sent.load(Relaxed),
        }
    }

    /// Counts a connection, open until the guard is dropped.
    pub(crate) fn connection(&self) -> LevelGuard<'_> {
        self.connections.fetch_add(1, Relaxed);
        self.open.enter()
    }

    /// Counts a request, in flight until the guard is dropped, and tells its number from 1.
    pub(crate) fn request(&self) -> (u64, LevelGuard<'_>) {
        let number = self.requests.fetch_add(1, Relaxed) + 1;
        (number, self.in_flight.enter())
    }

    pub(crate) fn received(&self, body_bytes: usize) {
        self.body_bytes_received
            .fetch_add(body_bytes as u64, Relaxed);
    }

    pub(crate) fn sent(&self, body_bytes: usize) {
        self.body_bytes_sent.fetch_add(body_bytes as u64, Relaxed);
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_closed(&self) {
        loop {
            let closed = self.open.left.notified();
            tokio::pin!(closed);
            // Listens before it looks, so that a close in between is not missed.
            closed.as_mut().enable();
            if self.open.now.load(Relaxed) == 0 {
                return;
            }
            closed.await;
        }
    }
}

/// How many there are now, and how many there were at most.
#[derive(Default)]
struct Level {
    now: AtomicU64,
    peak: AtomicU64,
    /// Notified after one has left.
    left: Notify,
}

impl Level {
    fn enter(&self) -> LevelGuard<'_> {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        // A plain load first: the peak is rarely passed, and a load is cheaper than an exchange.
        if now > self.peak.load(Relaxed) {
            self.peak.fetch_max(now, Relaxed);
        }
        LevelGuard(self)
    }
}

/// Counts one in a level until it is dropped.
pub(crate) struct LevelGuard<'a>(&'a Level);

impl Drop for LevelGuard<'_> {
    fn drop(&mut self) {
        // First the count falls, then the waiters look at it.
        self.0.now.fetch_sub(1, Relaxed);
        self.0.left.notify_waiters();
    }
}
