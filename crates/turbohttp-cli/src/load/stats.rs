//! Counts of what became of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use turbohttp::Error;

use crate::batch::histogram::Histogram;
use crate::output;

/// Takes the same room for any number of requests.
#[derive(Default)]
pub(crate) struct Stats {
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// By kind of error, with the text of the first one.
    pub(crate) failures: BTreeMap<&'static str, (u64, String)>,
    /// Under way when the time was over, or at a signal.
    pub(crate) dropped: u64,
    /// Due at the rate, and never sent, as all callers were waiting.
    pub(crate) unsent: u64,
    pub(crate) bytes: u64,
    /// Of the answers: from when each was due.
    pub(crate) latency: Latency,
    /// From when each was sent.
    pub(crate) alone: Latency,
    pub(crate) connections: Option<u64>,
}

/// Durations, and their sum.
#[derive(Default)]
pub(crate) struct Latency {
    pub(crate) histogram: Histogram,
    sum: Duration,
    pub(crate) min: Option<Duration>,
}

impl Latency {
    fn add(&mut self, duration: Duration) {
        self.histogram.add(duration);
        self.sum += duration;
        self.min = Some(self.min.map_or(duration, |min| min.min(duration)));
    }

    pub(crate) fn mean(&self, count: u64) -> Duration {
        let mean = self.sum.as_nanos() / u128::from(count.max(1));
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }
}

impl Stats {
    pub(crate) fn answered(&mut self, status: u16, bytes: u64, latency: Duration, alone: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        self.bytes += bytes;
        self.latency.add(latency);
        self.alone.add(alone);
    }

    pub(crate) fn failed(&mut self, error: &Error) {
        let told = || (0, output::client_chain(error));
        self.failures
            .entry(error.kind().name())
            .or_insert_with(told)
            .0 += 1;
    }

    /// Requests that were answered, whatever the status.
    pub(crate) fn answers(&self) -> u64 {
        self.statuses.values().sum()
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.values().map(|(count, _)| count).sum()
    }
}
