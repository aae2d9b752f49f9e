//! The one clock of the client: tokio's, so that tests can pause it.

use std::time::{Duration, Instant};

pub(crate) use turbohttp_core::earlier::earlier;

/// Longer than any wait; adding it to an instant does not overflow.
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The end of a wait of `limit` from `since`, where that can be said.
pub(crate) fn after(since: Instant, limit: Duration) -> Instant {
    since + limit.min(FAR)
}

/// The time now, by the runtime's monotonic clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
