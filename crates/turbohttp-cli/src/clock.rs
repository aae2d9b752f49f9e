//! The one place that asks for the time.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that others are to ask"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
