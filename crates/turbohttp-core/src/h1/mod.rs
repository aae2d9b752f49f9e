//! HTTP/1.1 as a client speaks it (RFC 9112): bytes and instants in, decisions out, no socket.
//!
//! ```text
//!  Exchange::begin ──> SendHalf:  head ──> content, framed ──> Complete        (send.rs, encode.rs, trailers.rs)
//!
//!  receive_head:   AwaitHead ──1xx──> AwaitHead                                (head.rs)
//!                      │ final head: Framing decided                           (framing.rs)
//!                      v
//!  decode:           Body ──data──> Body ──last byte──> Done                   (body.rs)
//!
//!  reuse:            both halves over: keep, or close and why                  (exchange.rs)
//! ```
//!
//! An [`Exchange`] is one request and its response on one connection. The driver writes what the
//! [`SendHalf`] says, feeds the exchange what has arrived from the start of what was not consumed, and
//! is told how much to consume. Any split of the bytes gives the same result. The two halves do not wait
//! for each other: a response may arrive while its request is still being sent.

pub mod body;
pub mod encode;
mod error;
mod exchange;
pub mod framing;
pub(crate) mod head;
mod limits;
mod send;
mod trailers;

pub use error::{EncodeError, ParseError, SendError};
pub use exchange::{CloseReason, DecodedAll, Exchange, HeadStep, Reuse};
pub use limits::{FIELDS_MAX, HeadLimits};
pub use send::{ContentSource, SendHalf, SendStep};
pub use trailers::check_trailers;

#[cfg(test)]
mod tests;
