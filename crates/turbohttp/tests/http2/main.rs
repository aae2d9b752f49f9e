//! HTTP/2 against a server that shares no code with the client, and against frames one by one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]

mod cancel;
mod dial;
mod early;
mod everyday;
mod exchanges;
mod farewell;
mod floods;
mod flow;
mod fragments;
mod ground;
mod life;
mod options;
mod origin;
mod replay;
mod review;
mod streams;
mod sweep;
mod upgrade;
