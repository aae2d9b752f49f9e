//! What a cache answers, and what it sends: RFC 9111 for a private cache.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]

mod calls;
mod directory;
#[allow(dead_code, reason = "each of the tests needs another part of it")]
#[path = "../everyday/ground.rs"]
mod everyday;
mod ground;
mod kill;
mod network;
mod rules;
mod table;
