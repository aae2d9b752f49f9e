//! What has happened in a scheduler so far.

use super::gate::Counts;

/// What has happened in a scheduler since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchedulerStats {
    /// How calls ended.
    pub ended: Counts,
    /// The most permits that were out at once.
    pub running_peak: usize,
    /// The most calls that waited at once, jobs of queues excluded.
    pub waiting_peak: usize,
    /// Grants whose permit went to another call because their owner had gone.
    pub grants_released: u64,
    /// Grants whose permit went to another call because their owner did not take them up in time,
    /// which is between [`GRANT_MS`](super::GRANT_MS) milliseconds and twice as long.
    pub grants_parked: u64,
    /// Idle origins or keys that were forgotten, so that the number of those that are kept stays
    /// bounded.
    pub origins_forgotten: u64,
}

impl SchedulerStats {
    #[inline]
    pub(super) fn note_running(&mut self, running: usize) {
        self.running_peak = self.running_peak.max(running);
    }

    #[inline]
    pub(super) fn note_waiting(&mut self, waiting: usize) {
        self.waiting_peak = self.waiting_peak.max(waiting);
    }
}
