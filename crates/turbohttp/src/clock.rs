//! The one clock of the client: tokio's, so that tests can pause it.

use std::time::Instant;

/// The time now, by the runtime's monotonic clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
