//! Proxies and the ways to a server: what is on the wire, and what is said when it goes wrong.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "tests panic, say what they skip, spawn and hold futures as their users do"
)]

#[allow(
    dead_code,
    reason = "shared with the tests of `it`, which use all of it"
)]
#[path = "../it/support.rs"]
mod support;

#[cfg(feature = "__tls")]
mod connect;
mod forward;
#[cfg(target_os = "linux")]
mod race;
mod reach;
#[cfg(all(unix, feature = "__tls"))]
mod real;
#[cfg(feature = "__tls")]
mod review;
#[cfg(feature = "__tls")]
mod secure;
#[cfg(feature = "socks")]
mod socks;
