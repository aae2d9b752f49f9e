//! What a server counted.

use tokio::sync::watch;

/// What a server has done so far, at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// The most connections that were open at once.
    pub connections_peak: u64,
    /// Handshakes of TLS that succeeded.
    pub handshakes: u64,
    /// Connections that spoke HTTP/1.1. One that sent nothing spoke nothing.
    pub http1_connections: u64,
    /// What was done over HTTP/2.
    pub http2: Http2Stats,
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

/// What a server has done over HTTP/2, as the frames on its connections tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2Stats {
    /// Connections that spoke HTTP/2.
    pub connections: u64,
    /// Streams that clients opened, refused ones included.
    pub streams: u64,
    /// Streams open now: neither ended on both sides nor reset, on connections that are open.
    pub streams_open: u64,
    /// The most streams that were open at once on one connection.
    pub streams_peak: u64,
    /// RST_STREAM frames from clients.
    pub resets_received: Resets,
    /// RST_STREAM frames to clients.
    pub resets_sent: Resets,
    /// DATA frames from clients.
    pub data_received: u64,
    /// SETTINGS frames from clients, without acknowledgements.
    pub settings_received: u64,
    /// PING frames from clients, without acknowledgements.
    pub pings_received: u64,
    /// GOAWAY frames from clients.
    pub goaways_received: u64,
    /// GOAWAY frames to clients.
    pub goaways_sent: u64,
    /// WINDOW_UPDATE frames from clients.
    pub window_updates_received: u64,
}

/// Streams that were reset, by error code (RFC 9113 §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resets([u64; RESET_CODES + 1]);

/// How many error codes RFC 9113 §7 knows. Further ones are counted as one.
const RESET_CODES: usize = 14;

impl Resets {
    /// How many with this code: 8 is CANCEL. Codes of 14 and more are counted as one.
    pub fn with(&self, code: u32) -> u64 {
        self.0[Resets::place(code)]
    }

    /// How many with any code.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    #[cfg(feature = "h2")]
    pub(crate) fn count(&mut self, code: u32) {
        self.0[Resets::place(code)] += 1;
    }

    fn place(code: u32) -> usize {
        usize::try_from(code).map_or(RESET_CODES, |code| code.min(RESET_CODES))
    }
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(crate) struct Counters(watch::Sender<Stats>);

impl Counters {
    pub(crate) fn snapshot(&self) -> Stats {
        *self.0.borrow()
    }

    /// Counts a connection, open until the guard is dropped.
    pub(crate) fn connection(&self) -> Counted<'_> {
        self.count(|stats| {
            stats.connections += 1;
            stats.connections_open += 1;
            stats.connections_peak = stats.connections_peak.max(stats.connections_open);
        });
        // Those who wait for the last connection look again.
        Counted(self, |counters| {
            counters.0.send_modify(|stats| stats.connections_open -= 1);
        })
    }

    pub(crate) fn handshake(&self) {
        self.count(|stats| stats.handshakes += 1);
    }

    pub(crate) fn http1_connection(&self) {
        self.count(|stats| stats.http1_connections += 1);
    }

    /// Counts what was seen on a connection of HTTP/2.
    #[cfg(feature = "h2")]
    pub(crate) fn http2(&self, change: impl FnOnce(&mut Http2Stats)) {
        self.count(|stats| change(&mut stats.http2));
    }

    /// Counts a request, in flight until the guard is dropped, and tells its number from 1.
    pub(crate) fn request(&self) -> (u64, Counted<'_>) {
        let mut number = 0;
        self.count(|stats| {
            stats.requests += 1;
            stats.in_flight += 1;
            stats.in_flight_peak = stats.in_flight_peak.max(stats.in_flight);
            number = stats.requests;
        });
        let end = |counters: &Counters| counters.count(|stats| stats.in_flight -= 1);
        (number, Counted(self, end))
    }

    pub(crate) fn received(&self, body_bytes: usize) {
        self.count(|stats| stats.body_bytes_received += body_bytes as u64);
    }

    pub(crate) fn sent(&self, body_bytes: usize) {
        self.count(|stats| stats.body_bytes_sent += body_bytes as u64);
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_closed(&self) {
        let mut stats = self.0.subscribe();
        // The sender is there as long as this waits.
        let _ = stats.wait_for(|stats| stats.connections_open == 0).await;
    }

    /// Nobody is woken: nobody waits for this.
    fn count(&self, change: impl FnOnce(&mut Stats)) {
        self.0.send_if_modified(|stats| {
            change(stats);
            false
        });
    }
}

/// One of those that are there now; what counts it off is called when this is dropped.
pub(crate) struct Counted<'a>(&'a Counters, fn(&Counters));

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.1(self.0);
    }
}
