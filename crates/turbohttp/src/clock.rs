//! The one clock of the client: tokio's, so that tests can pause it.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::Sleep;
use turbohttp_core::contain;

pub(crate) use turbohttp_core::earlier::earlier;

use crate::error::{Error, ErrorKind, Result};

/// Longer than any wait; adding it to an instant does not overflow.
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The end of a wait of `limit` from `since`, where that can be said.
pub(crate) fn after(since: Instant, limit: Duration) -> Instant {
    since + limit.min(FAR)
}

/// A timer of the current runtime.
///
/// # Errors
///
/// [`ErrorKind::Runtime`] outside of a runtime, and in one that was built without its time driver.
pub(crate) fn sleep_until(at: Instant) -> Result<Sleep> {
    if Handle::try_current().is_err() {
        return Err(no_runtime());
    }
    // tokio has no other way to ask for the driver.
    contain::catch(|| tokio::time::sleep_until(at.into())).map_err(|payload| {
        contain::discard(payload);
        let message = "tokio runtime has no time driver: build it with enable_all()";
        Error::new(ErrorKind::Runtime, message)
    })
}

#[cold]
pub(crate) fn no_runtime() -> Error {
    let message = "no tokio runtime: send requests from inside one";
    Error::new(ErrorKind::Runtime, message)
}

/// The time now, by the runtime's monotonic clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
