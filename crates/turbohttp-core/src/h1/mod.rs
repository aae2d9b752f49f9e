//! HTTP/1.1 as a client speaks it (RFC 9112): bytes and instants in, decisions out, no socket.
//!
//! ```text
//!  Exchange::begin ──> SendHalf:  head ──> content, framed ──> Complete        (send.rs, encode.rs)
//!
//!  receive_head:   AwaitHead ──1xx──> AwaitHead                                (head.rs)
//!                      │ final head: Framing decided                           (body.rs)
//!                      v
//!  decode:           Body ──data──> Body ──last byte──> Done
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
mod head;
mod send;

pub use error::{EncodeError, ParseError, SendError};
pub use exchange::{CloseReason, DecodedAll, Exchange, HeadStep, Reuse};
pub use send::{ContentSource, SendHalf, SendStep};

/// What a response may take at most.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes of one head, status line to blank line; also of all interim heads together and of a
    /// trailer section. Default 65,536: what common servers send at most, with room to spare.
    pub bytes: usize,
    /// Fields of one head, and of a trailer section. Default 128, at most [`FIELDS_MAX`].
    pub fields: usize,
}

/// The most fields a head may be allowed: a search for one passes over all of them.
pub const FIELDS_MAX: usize = 256;

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits {
            bytes: 64 * 1024,
            fields: 128,
        }
    }
}

impl HeadLimits {
    /// Limits of `bytes` and `fields`; fields beyond [`FIELDS_MAX`] count as that.
    pub fn new(bytes: usize, fields: usize) -> HeadLimits {
        HeadLimits {
            bytes,
            fields: fields.min(FIELDS_MAX),
        }
    }
}

#[cfg(test)]
mod tests;
