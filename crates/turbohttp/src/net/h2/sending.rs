//! How far the content of a request is.

use std::time::Instant;

use bytes::Bytes;
use turbohttp_core::h1::encode::{Asks, BodyLength};

use crate::body::{Body, Outgoing};

/// How far the content of a request is.
#[derive(Debug)]
pub(super) enum Upload {
    /// All of it is sent, or no more of it is wanted.
    Over,
    /// The stream took no more of it: the server has stopped it, or it has failed.
    Cut,
    /// Content in memory, of which so many bytes are sent.
    Slice { sent: usize },
    /// Content that arrives over time.
    Pieces {
        /// What is left of the last piece.
        piece: Bytes,
        given: u64,
        length: Option<u64>,
    },
    /// Content that waits for `100 Continue`.
    HeldBack { since: Instant },
}

impl Upload {
    /// What is left of the content after the stream was opened with `sent` bytes of it.
    #[inline]
    pub(super) fn begin(body: &Body, sent: usize, asks: Asks, now: Instant) -> Upload {
        match &body.0 {
            Outgoing::Empty => Upload::Over,
            Outgoing::Bytes(bytes) if sent == bytes.len() => Upload::Over,
            Outgoing::Stream { .. } if body.length() == BodyLength::Known(0) => Upload::Over,
            _ if asks == Asks::Continue => Upload::HeldBack { since: now },
            _ => Upload::of(body, sent),
        }
    }

    pub(super) fn of(body: &Body, sent: usize) -> Upload {
        let length = match body.length() {
            BodyLength::Known(length) => Some(length),
            BodyLength::None | BodyLength::Unknown => None,
        };
        match &body.0 {
            Outgoing::Empty => Upload::Over,
            Outgoing::Bytes(_) => Upload::Slice { sent },
            Outgoing::Stream { .. } => Upload::Pieces {
                piece: Bytes::new(),
                given: 0,
                length,
            },
        }
    }

    #[inline]
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Upload::Over | Upload::Cut)
    }
}
