//! HTTP/2: many requests on one connection. `drive.rs` is the task that reads and writes the connection,
//! `exchange.rs` one request and its response, which `round_trip.rs` takes to the head, and `body.rs` and
//! `upload.rs` beyond.
//!
//! Core's codec is shared by the task and the exchanges, behind one lock: a request appends its HEADERS to
//! the output of the connection, leaves its waker, and pokes the task if that is parked. No request waits
//! for another: a future that is not polled keeps its own stream only.

mod body;
mod capacity;
mod connection;
mod drive;
mod exchange;
mod failure;
mod round_trip;
mod sending;
mod upload;

pub(crate) use capacity::tell_of;
pub(crate) use connection::Connection;
pub(crate) use drive::start;
pub(crate) use exchange::{Checkout, Exchange, Home, Spares};
