//! Downloads to files: resumed, in parallel, checked, and whole or not there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]

mod ground;
#[cfg(unix)]
mod kill;
mod parallel;
mod resume;
mod review;
mod single;
