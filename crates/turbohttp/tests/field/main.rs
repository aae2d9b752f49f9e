//! Faults that people who do this job have met with other clients: one file a kind.
//!
//! What the client does differently from curl and browsers on purpose stands in `docs/differences.md`.
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

mod content;
mod duplex;
#[cfg(target_os = "linux")]
mod ground;
#[cfg(feature = "__tls")]
mod handshakes;
mod names;
#[cfg(target_os = "linux")]
mod resolver;
mod rest;
mod runtimes;
mod strictness;
mod uploads;
mod waits;
