//! Counts of what became of many lines.

use std::collections::BTreeMap;

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
    /// Requests that were stopped while they ran.
    pub(crate) stopped: u64,
    pub(crate) bytes: u64,
    /// Of requests that were answered whole, whatever the status.
    pub(crate) latency: Histogram,
}

impl Tally {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.bytes += outcome.bytes;
        match &outcome.verdict {
            Verdict::Answered(status) => {
                if *status < 400 {
                    self.ok += 1;
                } else {
                    self.http_errors += 1;
                }
                if let Some(timeline) = &outcome.timeline {
                    self.latency.add(timeline.total());
                }
            }
            Verdict::Failed(failed) => *self.failed_by_kind.entry(failed.kind).or_default() += 1,
            Verdict::Bad(_) => self.bad_lines += 1,
        }
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed_by_kind.values().sum()
    }

    /// Requests that came to an end, good or bad.
    pub(crate) fn finished(&self) -> u64 {
        self.ok + self.http_errors + self.failed()
    }

    /// Whether every line was answered below 400 and whole.
    pub(crate) fn is_all_ok(&self) -> bool {
        self.finished() == self.ok && self.bad_lines == 0 && self.stopped == 0
    }
}
