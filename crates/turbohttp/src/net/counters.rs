//! Counts of the network. Only rare events are counted with atomics; the rest is read from the pools.

use std::sync::atomic::{AtomicU64, Ordering};

use turbohttp_core::pool::BufferPoolStats;

use crate::body::buffer::ReadPool;

#[derive(Default)]
pub(crate) struct Counters {
    opened: AtomicU64,
    closed: AtomicU64,
    replayed: AtomicU64,
    /// Of connections that have ended.
    glitches: AtomicU64,
}

/// What the connections of HTTP/2 that take requests are like now.
#[derive(Clone, Copy, Default)]
pub(crate) struct Http2Counts {
    pub(crate) connections: u64,
    pub(crate) streams: u64,
    pub(crate) glitches: u64,
}

/// The network's connections and buffers: one snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NetStats {
    /// Connections made since the client was built.
    pub opened: u64,
    /// Connections closed since.
    pub closed: u64,
    /// Connections open now, idle ones among them.
    pub open: u64,
    /// Connections idle now.
    pub idle: u64,
    /// Requests sent a second time because their connection had died unused.
    pub replayed: u64,
    /// TLS handshakes completed since the client was built.
    pub tls_handshakes: u64,
    /// Those of them that resumed the session of a former connection (RFC 8446 section 2.2).
    pub tls_resumed: u64,
    /// Connections of HTTP/2 that take requests now; one that goes away is not among them, and is open until its
    /// last response has ended.
    pub http2_connections: u64,
    /// Streams that are open on them now (RFC 9113 section 5.1).
    pub http2_streams: u64,
    /// Frames over HTTP/2 since the client was built that cost work and brought nothing, such as PING, SETTINGS and
    /// frames of streams that were reset; those of a connection that goes away when it has ended. Many of them in a
    /// short time end a connection.
    pub http2_glitches: u64,
    /// The pool of read buffers. Spare ones are neither out nor among its idle ones.
    pub buffers: BufferPoolStats,
    /// Read buffers that stay with the pooled contexts of requests, for their next response; at most
    /// [`SPARE_BUFFERS_MAX`](crate::limits::SPARE_BUFFERS_MAX).
    pub spare_buffers: u64,
}

impl Counters {
    /// The number of the connection just opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn replayed(&self) {
        self.replayed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn glitches(&self, glitches: u64) {
        self.glitches.fetch_add(glitches, Ordering::Relaxed);
    }

    pub(crate) fn stats(
        &self,
        idle: usize,
        http2: Http2Counts,
        tls: (u64, u64),
        buffers: &ReadPool,
    ) -> NetStats {
        // Closed first: a connection between the two loads then counts as open, not as closed twice.
        let closed = self.closed.load(Ordering::Relaxed);
        let opened = self.opened.load(Ordering::Relaxed);
        let open = opened.saturating_sub(closed);
        NetStats {
            opened,
            closed,
            open,
            // The pool was looked at earlier: what it has closed since then is not open any more.
            idle: open.min(idle as u64),
            replayed: self.replayed.load(Ordering::Relaxed),
            http2_connections: http2.connections,
            http2_streams: http2.streams,
            http2_glitches: http2.glitches + self.glitches.load(Ordering::Relaxed),
            tls_handshakes: tls.0,
            tls_resumed: tls.1,
            buffers: buffers.stats(),
            spare_buffers: buffers.spare_count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_are_idle_than_open() {
        let counters = Counters::default();
        counters.opened();
        counters.closed();
        // The pool was asked before it closed its one connection.
        let stats = counters.stats(1, Http2Counts::default(), (0, 0), &ReadPool::new().unwrap());
        assert_eq!((stats.open, stats.idle), (0, 0));
    }
}
