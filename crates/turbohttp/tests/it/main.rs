//! The client against servers that behave, servers that do not, and callers that change their mind.
//!
//! Every test ends with an audit: nothing may be outstanding, whatever happened.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "tests panic, say what they skip, spawn and hold futures as their users do"
)]

mod alone;
mod bodies;
mod budget;
mod cancel;
mod client;
mod defaults;
mod delivery;
mod elsewhere;
mod flood;
mod forgotten;
mod lab;
mod limits;
#[cfg(unix)]
mod nginx;
mod pool;
mod queue;
mod review;
#[cfg(all(target_os = "linux", feature = "__tls"))]
mod roots;
mod seam;
#[cfg(feature = "__tls")]
mod sessions;
mod shutdown;
mod support;
#[cfg(feature = "__tls")]
mod tls;
mod wire;
