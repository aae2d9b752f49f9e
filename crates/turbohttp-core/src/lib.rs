//! The parts of TurboHTTP that decide and never wait.
//!
//! A module belongs here if it waits for nothing and names no socket, clock, thread or runtime:
//! bytes and instants come in as parameters, decisions and counts go out. Programs depend on the
//! `turbohttp` crate; this one changes without notice.
//!
//! | Module | What |
//! | --- | --- |
//! | [`scheduler`] | which request may start now: priorities, limits per origin and in total, pauses, deadlines, closing |
//! | [`h1`] | the HTTP/1.1 client codec |
//! | [`h2`] | the HTTP/2 client codec, with HPACK |
//! | [`pool`] | bounded pools of objects and of buffers |
//! | [`timeline`] | when the phases of a request began and ended |
//! | [`origin`] | scheme, host and port: the key of connections and limits |
//! | [`head`] | the head of a response |
//! | [`events`] | server-sent events |
//! | [`cookie`] | cookies: which are set, kept, and sent where |
//! | [`sync`], [`contain`], [`earlier`] | small helpers that every crate of the workspace shares |
//!
//! Out of scope: sockets, TLS, timers, tasks, DNS, URLs with hosts that are not ASCII.
#![forbid(unsafe_code)]

pub mod contain;
pub mod cookie;
pub mod earlier;
pub mod events;
pub mod h1;
pub mod h2;
pub mod head;
pub mod origin;
pub mod pool;
pub mod scheduler;
pub mod sync;
pub mod timeline;
