//! The parts of TurboHTTP that decide and never wait.
//!
//! A module belongs here if and only if it waits for nothing and names no socket, clock, thread or
//! runtime: bytes and instants come in as parameters, decisions and counts go out. Depend on the
//! `turbohttp` crate; this one changes freely.
//!
//! In scope: the scheduler that admits everything ([`scheduler`]), bounded pools ([`pool`]), the timeline of a request ([`timeline`]), the HTTP/1.1 client
//! codec ([`h1`]), the key of connections and limits ([`origin`]), the response head ([`head`]).
//! Out of scope: sockets, TLS, timers, tasks, DNS, URLs with non-ASCII hosts.
#![forbid(unsafe_code)]

mod ascii;
pub mod contain;
pub mod earlier;
pub mod h1;
pub mod head;
pub mod origin;
pub mod pool;
pub mod scheduler;
pub mod sync;
pub mod timeline;
