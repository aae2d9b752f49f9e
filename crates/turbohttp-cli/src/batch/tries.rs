//! What is tried when a line has failed: the same URL again, then its mirrors.

use std::time::Duration;

use turbohttp::ErrorKind;

use super::line::Job;
use super::outcome::{Outcome, Verdict};

/// The wait before the first try of the same URL again; it doubles up to [`DELAY_MAX`].
const DELAY: Duration = Duration::from_millis(200);
const DELAY_MAX: Duration = Duration::from_secs(10);

/// What has been tried of one line.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// Of the present URL, again.
    again: u32,
    /// Mirrors that were begun with.
    mirrors: usize,
}

impl Tries {
    /// The URL to try next and the wait before; `None` if the line has come to its end.
    pub(crate) fn next<'a>(
        &mut self,
        job: &'a Job,
        outcome: &Outcome,
    ) -> Option<(&'a str, Duration)> {
        let failure = failure(outcome)?;
        if self.again < job.retry && failure == Failure::Passing {
            let delay = DELAY.saturating_mul(1 << self.again.min(16)).min(DELAY_MAX);
            self.again += 1;
            let url = match self.mirrors {
                0 => &job.url,
                mirror => &job.mirrors[mirror - 1],
            };
            return Some((url, delay));
        }
        let mirror = job.mirrors.get(self.mirrors)?;
        self.mirrors += 1;
        self.again = 0;
        Some((mirror, Duration::ZERO))
    }
}

#[derive(PartialEq, Eq)]
enum Failure {
    /// The same server may do better in a moment.
    Passing,
    /// Only another server may.
    Lasting,
}

/// How the line has failed; `None` if it has not, or if no server can help.
fn failure(outcome: &Outcome) -> Option<Failure> {
    let is = |kinds: &[ErrorKind], name: &str| kinds.iter().any(|kind| kind.name() == name);
    match &outcome.verdict {
        Verdict::Answered(408 | 425 | 429 | 500 | 502 | 503 | 504) => Some(Failure::Passing),
        Verdict::Answered(400..) => Some(Failure::Lasting),
        Verdict::Failed(failed) => {
            let ours = [
                ErrorKind::Canceled,
                ErrorKind::Closed,
                ErrorKind::Config,
                ErrorKind::ExpiredInQueue,
                ErrorKind::Output,
            ];
            let passing = [
                ErrorKind::Connect,
                ErrorKind::Dns,
                ErrorKind::Io,
                ErrorKind::Proxy,
                ErrorKind::Timeout,
                ErrorKind::Truncated,
            ];
            match (is(&ours, failed.kind), is(&passing, failed.kind)) {
                (true, _) => None,
                (false, true) => Some(Failure::Passing),
                (false, false) => Some(Failure::Lasting),
            }
        }
        _ => None,
    }
}
