//! What bodies can be beside plain bytes: forms, trailers, progress, events, and other protocols.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "tests panic, spawn and hold futures as their users do"
)]

#[allow(
    dead_code,
    reason = "shared with the tests of `everyday`, which use all of it"
)]
#[path = "../everyday/ground.rs"]
mod ground;
#[allow(
    dead_code,
    reason = "shared with the tests of `it`, which use all of it"
)]
#[path = "../it/support.rs"]
mod support;

mod events;
mod message;
#[cfg(feature = "multipart")]
mod multipart;
mod progress;
mod review;
mod trailers;
mod upgrade;
