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
