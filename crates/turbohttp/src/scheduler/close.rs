//! How a client is closed, and what is told about it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use turbohttp_core::scheduler::{CloseMode, Report};

use crate::clock;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::limits::{CLOSE_FAILURES_MAX, DRAIN_SECONDS};

/// How to close a client, a limiter or a queue.
///
/// Newcomers are refused in every mode from the moment of the call. A second close joins the first:
/// the stronger mode and the earlier end win, and all callers get the same report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shutdown {
    /// What waits and what runs goes on; what is left after `within` is cut off.
    Drain {
        /// How long to wait for what is inside.
        within: Duration,
    },
    /// What waits is canceled at once; what runs goes on, and what is left of it after `within` is cut
    /// off.
    CancelPending {
        /// How long to wait for what runs.
        within: Duration,
    },
    /// What waits is canceled and what runs is cut off, at once.
    Now,
}

impl Default for Shutdown {
    /// [`Shutdown::Drain`] within 30 s.
    fn default() -> Shutdown {
        Shutdown::Drain {
            within: Duration::from_secs(DRAIN_SECONDS),
        }
    }
}

impl Shutdown {
    pub(crate) fn parts(self, now: Instant) -> (CloseMode, Option<Instant>) {
        match self {
            Shutdown::Drain { within } => (CloseMode::Drain, Some(clock::after(now, within))),
            Shutdown::CancelPending { within } => {
                (CloseMode::CancelPending, Some(clock::after(now, within)))
            }
            Shutdown::Now => (CloseMode::Now, None),
        }
    }
}

/// What became of everything that was inside when a client or a limiter was closed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CloseReport {
    /// Requests that were inside: waiting, running, or being read. The sum of the five below.
    pub accepted: u64,
    /// Ended well: for a request, its body was read to the end.
    pub completed: u64,
    /// Ended in an error.
    pub failed: u64,
    /// Were given up by their callers, or were still waiting and were canceled by the close.
    pub canceled: u64,
    /// Waited longer than they were willing to.
    pub expired: u64,
    /// Were cut off by the close. A response that its owner does not read answers
    /// [`ErrorKind::Closed`] when it is read the next time.
    pub aborted: u64,
    /// From the first call to the end.
    pub elapsed: Duration,
    /// Components that could not be closed, in the order of the attempts; all others are closed.
    pub failures: Arc<[CloseFailure]>,
}

/// A component that could not be closed.
#[derive(Debug)]
#[non_exhaustive]
pub struct CloseFailure {
    /// Its type.
    pub component: &'static str,
    /// What went wrong; [`ErrorKind::Panicked`] if it panicked.
    pub error: Error,
}

impl CloseReport {
    pub(super) fn new(report: Report, failures: Failures) -> CloseReport {
        let counts = report.counts;
        CloseReport {
            accepted: report.accepted,
            completed: counts.completed,
            failed: counts.failed,
            canceled: counts.canceled,
            expired: counts.expired,
            aborted: counts.aborted,
            elapsed: report.elapsed,
            failures: failures.0.into(),
        }
    }
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CloseReport {
            accepted,
            completed,
            failed,
            canceled,
            expired,
            aborted,
            elapsed,
            failures,
        } = self;
        write!(
            f,
            "{accepted} inside: {completed} completed, {failed} failed, {canceled} canceled, \
             {expired} expired, {aborted} aborted; closed in {elapsed:.3?}"
        )?;
        match failures.len() {
            0 => Ok(()),
            count => write!(f, ", {count} components failed to close"),
        }
    }
}

/// Collects what goes wrong while components are closed.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<CloseFailure>);

impl Failures {
    /// Closes the component of this name; a failure or a panic is noted, so that the next one is closed
    /// all the same.
    pub(crate) fn close(&mut self, component: &'static str, close: impl FnOnce() -> Result<()>) {
        let error = match catch_unwind(AssertUnwindSafe(close)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(panic) => Error::panicked("component", panic),
        };
        if self.0.len() < CLOSE_FAILURES_MAX {
            self.0.push(CloseFailure { component, error });
        }
    }
}
