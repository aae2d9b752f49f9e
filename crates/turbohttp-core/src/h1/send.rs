//! The sending half of an exchange: head, content and its framing, without a stream.
//!
//! # Implementation
//!
//! ```text
//!               begin                wrote: all                flushed
//!  Complete ──────────> Writing ─────────────────> Flushing ─────────────> Complete
//!                          ^                         │   │ Expect, not answered
//!                          │  push, finish           │   v
//!                          ├──────────── AwaitContent│  AwaitContinue
//!                          │                  ^──────┘       │
//!                          └─────────────── proceed ─────────┘
//!
//!  any state but Complete ── stop ──> Stopped
//! ```
//!
//! Content takes one of two ways. A slice is lent by the driver to every write and never copied, but
//! for a small one that [`inline`](SendHalf::inline) appends to the head. Pieces are copied into `out`
//! together with their framing, one at a time, so that `out` never holds more than one of them.

use std::time::Instant;

use http::HeaderMap;

use super::encode::request_head;
use super::encode::{BodyLength, CHUNK_END, Encoded, LAST_CHUNK, RequestHead, chunk_head};
use super::error::{EncodeError, SendError};
use super::trailers::{check_trailers, push_last_chunk};

/// What the driver does next to get the request out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver must handle each")]
pub enum SendStep {
    /// Write [`SendHalf::unsent`] and report with [`SendHalf::wrote`].
    Write,
    /// Flush the stream and report with [`SendHalf::flushed`].
    Flush,
    /// Ask the source of the content for a piece and report with [`SendHalf::push`] or
    /// [`SendHalf::finish`].
    NeedContent,
    /// Wait for `100 Continue`, asked for at this instant (RFC 9110 section 10.1.1), until
    /// [`SendHalf::proceed`].
    AwaitContinue(Instant),
    /// Nothing more: the request is out, or its sending was stopped.
    Over,
}

/// How the driver holds the content of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete: in memory, or not yet")]
pub enum ContentSource {
    /// In one slice of the announced length, empty if there is none.
    Slice,
    /// In pieces that arrive over time.
    Pieces,
}

/// What of a request has been sent and what is still to be sent.
#[derive(Debug, Default)]
pub struct SendHalf {
    state: State,
    /// Head, inlined content and framed pieces. Invariant: `out[..out_sent]` has been written.
    out: Vec<u8>,
    out_sent: usize,
    /// Bytes at the end of the lent slice that were not written; 0 for pieces.
    slice_left: u64,
    /// Bytes of content that pieces gave so far.
    pushed_bytes: u64,
    /// Set if the content comes in pieces.
    pieces: Option<Pieces>,
    sent_bytes: u64,
    /// The content is held back until the server answers the Expect field.
    holds_back: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Complete,
    Writing,
    Flushing,
    AwaitContent,
    AwaitContinue(Instant),
    Stopped,
}

/// Content that comes in pieces.
#[derive(Clone, Copy, Debug)]
struct Pieces {
    /// Announced by Content-Length; `None` in the chunked coding.
    length: Option<u64>,
    ended: bool,
}

impl SendHalf {
    /// Writes the head into the output buffer and starts over.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the request cannot be written; nothing is to be sent then.
    #[inline]
    pub fn begin(
        &mut self,
        head: &RequestHead<'_>,
        content: ContentSource,
    ) -> Result<Encoded, EncodeError> {
        // Complete until the head is whole: a request that is refused leaves nothing to send.
        self.state = State::Complete;
        self.out.clear();
        self.out_sent = 0;
        let encoded = request_head(&mut self.out, head)?;
        self.state = State::Writing;
        self.pushed_bytes = 0;
        self.sent_bytes = 0;
        self.holds_back = encoded.expects_continue;
        let length = match head.body {
            BodyLength::None => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        };
        (self.slice_left, self.pieces) = match content {
            ContentSource::Slice => (length.unwrap_or_default(), None),
            ContentSource::Pieces => {
                let ended = false;
                (0, Some(Pieces { length, ended }))
            }
        };
        Ok(encoded)
    }

    /// Copies the whole lent slice behind the head, so that one write takes both. Without effect on
    /// content that waits for `100 Continue`.
    pub fn inline(&mut self, content: &[u8]) {
        debug_assert_eq!(content.len() as u64, self.slice_left, "the whole slice");
        if !self.holds_back {
            self.out.extend_from_slice(content);
            self.slice_left = 0;
        }
    }

    /// What to do next.
    #[inline]
    pub fn next_step(&self) -> SendStep {
        match self.state {
            State::Writing => SendStep::Write,
            State::Flushing => SendStep::Flush,
            State::AwaitContent => SendStep::NeedContent,
            State::AwaitContinue(since) => SendStep::AwaitContinue(since),
            State::Complete | State::Stopped => SendStep::Over,
        }
    }

    /// The bytes to write now: those of the output buffer, then those of `content`, the lent slice.
    #[inline]
    pub fn unsent<'a>(&'a self, content: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let left = match self.holds_back {
            true => 0,
            // The slice is in memory, so its length fits a usize.
            false => (self.slice_left as usize).min(content.len()),
        };
        let (_, rest) = content.split_at(content.len() - left);
        (&self.out[self.out_sent..], rest)
    }

    /// Notes that the stream took `length` bytes of [`unsent`](SendHalf::unsent).
    #[inline]
    pub fn wrote(&mut self, length: usize) {
        // A vectored write takes the output buffer first, and the slice only when that is out.
        let of_out = length.min(self.out.len() - self.out_sent);
        self.out_sent += of_out;
        self.slice_left -= (length - of_out) as u64;
        self.sent_bytes += length as u64;
        if self.out_sent == self.out.len() && (self.holds_back || self.slice_left == 0) {
            self.state = State::Flushing;
        }
    }

    /// Notes that the stream was flushed at `now`: all that was written is on its way.
    #[inline]
    pub fn flushed(&mut self, now: Instant) {
        self.state = match self.pieces {
            // From the flush: a head in a buffer of the stream asks for nothing yet.
            _ if self.holds_back => State::AwaitContinue(now),
            Some(Pieces { ended: false, .. }) => State::AwaitContent,
            _ => State::Complete,
        };
    }

    /// Lets content go that waits for `100 Continue`: the server said so, or said nothing for too long.
    /// Returns whether content was waiting.
    pub fn proceed(&mut self) -> bool {
        if !matches!(self.state, State::AwaitContinue(_)) {
            return false;
        }
        self.holds_back = false;
        // Not Writing for pieces: a write of no bytes would look like a stream that takes no more.
        self.state = match self.pieces {
            Some(_) => State::AwaitContent,
            None => State::Writing,
        };
        true
    }

    /// Takes a piece of content into the output buffer, framed.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the pieces add up to more than was announced.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let length = self.pieces.and_then(|pieces| pieces.length);
        self.pushed_bytes += piece.len() as u64;
        self.check_length(length, |given, announced| given <= announced)?;
        // In the chunked coding an empty chunk would end the body (RFC 9112 section 7.1).
        if piece.is_empty() {
            return Ok(());
        }
        self.restart_output();
        match length {
            Some(_) => self.out.extend_from_slice(piece),
            None => {
                chunk_head(&mut self.out, piece.len());
                self.out.extend_from_slice(piece);
                self.out.extend_from_slice(CHUNK_END);
            }
        }
        self.state = State::Writing;
        Ok(())
    }

    /// Notes that the source has no further piece.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the pieces add up to less than was announced.
    pub fn finish(&mut self) -> Result<(), SendError> {
        let length = self.pieces.and_then(|pieces| pieces.length);
        self.check_length(length, |given, announced| given == announced)?;
        self.pieces = Some(Pieces {
            length,
            ended: true,
        });
        // With a Content-Length the last piece was flushed before this one was asked for.
        self.state = State::Complete;
        if length.is_none() {
            self.restart_output();
            self.out.extend_from_slice(LAST_CHUNK);
            self.state = State::Writing;
        }
        Ok(())
    }

    /// [`finish`](SendHalf::finish) with fields behind the last chunk. A Content-Length leaves no place for
    /// them: then they are left out, as on any way that has no trailers (RFC 9110 section 6.5.1).
    ///
    /// # Errors
    ///
    /// [`SendError`] as `finish`, and for fields that are no trailers.
    #[cold]
    pub fn finish_with_trailers(&mut self, trailers: &HeaderMap) -> Result<(), SendError> {
        check_trailers(trailers)?;
        self.finish()?;
        if self.state == State::Writing {
            self.restart_output();
            push_last_chunk(&mut self.out, trailers);
        }
        Ok(())
    }

    /// Ends the sending before its time: the stream or the source of the content failed, or the server
    /// does not want the rest. Without effect on a request that is out.
    pub fn stop(&mut self) {
        if self.state != State::Complete {
            self.state = State::Stopped;
        }
    }

    /// Completes a request of which every announced byte was written, and whose source has not said yet
    /// that it has ended: the server has answered it as a whole.
    pub fn settle(&mut self) {
        let announced = self.pieces.and_then(|pieces| pieces.length);
        if self.state == State::AwaitContent && announced == Some(self.pushed_bytes) {
            self.state = State::Complete;
        }
    }

    /// Whether the content is held back until the server answers the Expect field: none of it was sent.
    #[inline]
    pub fn holds_back(&self) -> bool {
        self.holds_back
    }

    /// Whether nothing more will be sent.
    #[inline]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Complete | State::Stopped)
    }

    /// Whether the whole request was sent.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Bytes that the stream has taken, the head included.
    #[inline]
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Keeps an output buffer of at most `kept_bytes_max` for the next request.
    #[inline]
    pub fn release(&mut self, kept_bytes_max: usize) {
        if self.out.capacity() > kept_bytes_max {
            self.out = Vec::new();
            self.out_sent = 0;
        }
    }

    fn restart_output(&mut self) {
        self.out.clear();
        self.out_sent = 0;
    }

    fn check_length(
        &self,
        announced: Option<u64>,
        agrees: fn(u64, u64) -> bool,
    ) -> Result<(), SendError> {
        match announced {
            Some(announced) if !agrees(self.pushed_bytes, announced) => Err(SendError::Length {
                announced,
                given: self.pushed_bytes,
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
