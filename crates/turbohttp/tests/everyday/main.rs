//! From a URL to its answer, as everyday clients have it: redirects, retries, credentials.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]

mod adaptive;
#[cfg(feature = "cookies")]
mod cookies;
mod credentials;
#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod decoding;
mod ground;
mod rates;
mod redirects;
mod retries;
mod review;
