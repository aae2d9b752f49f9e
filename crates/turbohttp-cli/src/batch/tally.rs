//! Counts of what became of many lines.

use std::collections::BTreeMap;
use std::time::Duration;

use turbohttp::{Phase, Timeline};

use super::histogram::Histogram;
use super::outcome::{Outcome, Verdict};

/// Takes the same room for any number of outcomes.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) ok: u64,
    pub(crate) http_errors: u64,
    /// At most one entry per kind of error.
    pub(crate) failed_by_kind: BTreeMap<&'static str, u64>,
    pub(crate) bad_lines: u64,
    /// Lines whose files were there.
    pub(crate) skipped: u64,
    /// Requests that an interrupt ended, waiting or running.
    pub(crate) canceled: u64,
    pub(crate) bytes: u64,
    /// Of requests that were answered whole, whatever the status; without the waits.
    pub(crate) latency: Histogram,
    /// Of all requests, in the order of [`REASONS`].
    pub(crate) waits: [Waits; REASONS.len()],
}

/// What a request may wait for before it is started.
pub(crate) const REASONS: [Phase; 4] = [
    Phase::Queue,
    Phase::Pause,
    Phase::HostPermit,
    Phase::TotalPermit,
];

/// The waits for one reason.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waits {
    /// Requests that waited.
    pub(crate) count: u64,
    sum: Duration,
    pub(crate) max: Duration,
}

impl Waits {
    fn add(&mut self, wait: Duration) {
        if !wait.is_zero() {
            self.count += 1;
            self.sum += wait;
            self.max = self.max.max(wait);
        }
    }

    /// The sum tells nobody anything: requests wait beside one another.
    pub(crate) fn mean(&self) -> Duration {
        let mean_ns = self.sum.as_nanos() / u128::from(self.count.max(1));
        Duration::from_nanos(u64::try_from(mean_ns).unwrap_or(u64::MAX))
    }
}

/// How long a request waited before it was started.
pub(crate) fn waited(timeline: &Timeline) -> Duration {
    REASONS.map(|phase| timeline.duration(phase)).iter().sum()
}

impl Tally {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.bytes += outcome.bytes;
        let timeline = outcome.timeline.as_deref();
        if let Some(timeline) = timeline {
            for (waits, phase) in self.waits.iter_mut().zip(REASONS) {
                waits.add(timeline.duration(phase));
            }
        }
        match &outcome.verdict {
            Verdict::Answered(status) => {
                if *status < 400 {
                    self.ok += 1;
                } else {
                    self.http_errors += 1;
                }
                if let Some(timeline) = timeline {
                    let latency = timeline.total().saturating_sub(waited(timeline));
                    self.latency.add(latency);
                }
            }
            Verdict::Failed(_) if outcome.is_canceled() => self.canceled += 1,
            Verdict::Failed(failed) => *self.failed_by_kind.entry(failed.kind).or_default() += 1,
            Verdict::Skipped => self.skipped += 1,
            Verdict::Bad(_) => self.bad_lines += 1,
        }
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed_by_kind.values().sum()
    }

    /// Requests that came to an end of their own, good or bad.
    pub(crate) fn finished(&self) -> u64 {
        self.ok + self.http_errors + self.failed()
    }

    /// Whether every line was answered below 400 and whole.
    pub(crate) fn is_all_ok(&self) -> bool {
        self.finished() == self.ok && self.bad_lines == 0 && self.canceled == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use turbohttp::{Phase, Timeline};

    use super::{Tally, waited};
    use crate::batch::outcome::{Failed, Outcome, Verdict};

    fn outcome(waits: &[(Phase, u64)], verdict: Verdict) -> Outcome {
        let mut at = crate::clock::now();
        let mut timeline = Timeline::new();
        timeline.begin(at);
        for (phase, ms) in waits.iter().copied().chain([(Phase::Wait, 5)]) {
            let end = at + Duration::from_millis(ms);
            timeline.record(phase, at, end);
            at = end;
        }
        timeline.end(at);
        let mut outcome = Outcome::new(1, 0);
        outcome.timeline = Some(Box::new(timeline));
        outcome.verdict = verdict;
        outcome
    }

    fn failed(kind: &'static str) -> Verdict {
        Verdict::Failed(Failed {
            kind,
            phase: None,
            message: String::new(),
            status: None,
        })
    }

    #[test]
    fn waits_are_counted_by_reason_and_are_no_part_of_the_latency() {
        let mut tally = Tally::default();
        let both = [(Phase::HostPermit, 30), (Phase::Queue, 10)];
        let first = outcome(&both, Verdict::Answered(200));
        let all = first.timeline.as_deref().map(waited);
        assert_eq!(all, Some(Duration::from_millis(40)));
        tally.add(&first);
        tally.add(&outcome(&[(Phase::Queue, 20)], Verdict::Answered(404)));
        let told = tally.waits.map(|waits| {
            let (mean, max) = (waits.mean().as_millis(), waits.max.as_millis());
            (waits.count, mean, max)
        });
        assert_eq!(told, [(2, 15, 20), (0, 0, 0), (1, 30, 30), (0, 0, 0)]);
        assert_eq!(tally.latency.max(), Duration::from_millis(5));
    }

    #[test]
    fn what_was_canceled_has_not_come_to_its_end() {
        let mut tally = Tally::default();
        tally.add(&outcome(&[], failed("canceled")));
        tally.add(&outcome(&[], failed("expired_in_queue")));
        assert_eq!(
            (tally.canceled, tally.failed(), tally.finished()),
            (1, 1, 1)
        );
        assert!(!tally.is_all_ok());
    }
}
