//! The C ABI, called as C calls it, against a real server.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "tests of a C ABI: its functions take pointers, and a test that panics has failed"
)]

mod bodies;
mod end;
mod host;
mod options;
mod refusals;
mod requests;
