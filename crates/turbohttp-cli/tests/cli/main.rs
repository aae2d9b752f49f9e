//! The built command against servers in this process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod batch;
mod batch_limits;
mod bench;
mod cache;
mod demo;
#[cfg(unix)]
mod downloads;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod follow;
mod get;
mod http2;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod lists;
#[cfg(unix)]
mod nginx;
#[cfg(unix)]
mod options;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod review;
#[cfg(unix)]
mod says;
#[cfg(unix)]
mod screen;
#[cfg(feature = "selfcheck")]
mod selfcheck;
#[cfg(unix)]
mod series;
mod setup;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
#[path = "../../../turbohttp/tests/download/ground.rs"]
#[allow(dead_code, reason = "the library's tests use the rest")]
mod site;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod through;
#[cfg(unix)]
mod times;
