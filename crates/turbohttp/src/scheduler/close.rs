//! How a client is closed, and the report of that.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use turbohttp_core::scheduler::{CloseMode, Counts, Report};

use crate::clock;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{self, Error, Result};
use crate::limits::{CLOSE_FAILURES_MAX, DRAIN_SECONDS};

/// How to close a client or a limiter, or to stop a queue.
///
/// Every mode refuses new requests from the moment of the call. A second close joins the first one: the
/// stronger mode and the earlier end hold, and all callers get the same report.
///
/// ```
/// use std::time::Duration;
/// use turbohttp::{ConcurrencyLimiter, Limits, Shutdown};
///
/// # async fn run() -> turbohttp::Result<()> {
/// let limiter = ConcurrencyLimiter::new(&Limits::default())?;
/// let within = Duration::from_secs(5);
/// let report = limiter.close(Shutdown::Drain { within }).await;
/// assert_eq!((report.accepted, report.ended.aborted), (0, 0));
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shutdown {
    /// What waits and what runs goes on; what is left after `within` is cut off.
    Drain {
        /// How long to wait for what is inside, from the call.
        within: Duration,
    },
    /// What waits is canceled at once; what runs goes on, and what is left of it after `within` is cut
    /// off.
    CancelPending {
        /// How long to wait for what runs, from the call.
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
    /// The mode, and when what is left is cut off.
    pub(crate) fn parts(self, now: Instant) -> (CloseMode, Option<Instant>) {
        match self {
            Shutdown::Drain { within } => (CloseMode::Drain, Some(clock::after(now, within))),
            Shutdown::CancelPending { within } => {
                (CloseMode::CancelPending, Some(clock::after(now, within)))
            }
            // No deadline: the scheduler cuts off at the call itself.
            Shutdown::Now => (CloseMode::Now, None),
        }
    }
}

/// How everything ended that was inside when a client or a limiter was closed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CloseReport {
    /// Requests that were waiting, running, or having their bodies read; the sum of
    /// [`ended`](CloseReport::ended). Of a limiter: its permits, and calls that waited for one.
    pub accepted: u64,
    /// How they ended. A request is `completed` when its body was read to the end, `canceled` if its
    /// caller dropped it or if the close refused it while it waited, `expired` if its wait for a permit
    /// took too long, and `aborted` if the close cut it off: a response that was unread then returns
    /// [`ErrorKind::Closed`] when it is read the next time.
    pub ended: Counts,
    /// From the first call of `close` until nothing was inside any more.
    pub elapsed: Duration,
    /// Components that could not be closed, in the order of the attempts; all others are closed. At most
    /// 64.
    pub failures: Arc<[CloseFailure]>,
}

/// A component that could not be closed.
#[derive(Debug)]
#[non_exhaustive]
pub struct CloseFailure {
    /// The name of its type.
    pub component: &'static str,
    /// The error that it returned; [`ErrorKind::Panicked`] if it panicked.
    pub error: Error,
}

impl CloseReport {
    pub(super) fn new(report: Report, failures: Failures) -> CloseReport {
        CloseReport {
            accepted: report.accepted,
            ended: report.counts,
            elapsed: report.elapsed,
            failures: failures.0.into(),
        }
    }
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CloseReport {
            accepted,
            ended,
            elapsed,
            failures,
        } = self;
        let ended = InWords(ended);
        write!(f, "{accepted} inside: {ended}; closed in {elapsed:.3?}")?;
        match failures.len() {
            0 => Ok(()),
            count => write!(f, ", {count} components failed to close"),
        }
    }
}

/// Counts of outcomes as the reports print them.
pub(crate) struct InWords<'a>(pub(crate) &'a Counts);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            completed,
            failed,
            canceled,
            expired,
            aborted,
            ..
        } = self.0;
        write!(
            f,
            "{completed} completed, {failed} failed, {canceled} canceled, {expired} expired, \
             {aborted} aborted"
        )
    }
}

/// Collects the errors of components that are closed one after the other.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<CloseFailure>);

impl Failures {
    /// Closes the component of this name. An error or a panic is kept, and the caller goes on with the
    /// next component.
    pub(crate) fn close(&mut self, component: &'static str, close: impl FnOnce() -> Result<()>) {
        // The outer result is that of the panic, the inner one that of the component.
        let closed = error::contain("component", close);
        let Err(error) = closed.and_then(|closed| closed) else {
            return;
        };
        if self.0.len() < CLOSE_FAILURES_MAX {
            self.0.push(CloseFailure { component, error });
        }
    }
}
