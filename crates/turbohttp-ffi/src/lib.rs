//! TurboHTTP through a C ABI.
//!
//! The ABI calls nothing of its caller: what happens is polled ([`th_poll`](exports::events::th_poll)). A
//! callback would run code of the caller on threads of the engine, which keeps a managed runtime from being
//! unloaded, and crashes it at times.
//!
//! ```text
//! th_submit ──> in line ──> a task of the engine's runtime ──> HEADERS, READABLE, WRITABLE, DONE ──> th_poll
//!                               │       ▲
//!            th_body_read <── window   window <── th_body_write
//! ```
//!
//! - [`abi`] has the types and constants, [`exports`] the functions, by what they are about.
//! - `Registry` holds the clients, `Requests` the requests of one, both by slot and generation: a handle is a
//!   number, and one that was released is refused.
//! - `Call` is a request from its submit to its release; `run` is the task that makes its exchange.
//! - `Events` is the line of requests that have something to say: each stands in it once, so that it never is
//!   longer than there are requests.
//! - `ReadWindow` and `WriteWindow` are the windows of its bodies, `Memory` what all of them share.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod abi;
mod call;
mod config;
mod engine;
mod events;
pub mod exports;
mod fault;
mod guard;
mod head;
mod memory;
mod pointers;
mod progress;
mod read_window;
mod registry;
mod requests;
mod run;
mod submit;
mod wait;
mod write_window;
