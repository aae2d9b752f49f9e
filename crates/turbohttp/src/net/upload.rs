//! The request on its way out: head, then body, as fast as the stream takes it.

use std::io::{self, IoSlice};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use turbohttp_core::h1::encode::{BodyLength, CHUNK_END, LAST_CHUNK, chunk_head};

use super::stream::Stream;
use crate::body::{Body, Outgoing, poll_piece};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{INLINE_BODY_BYTES_MAX, OUTPUT_KEPT_BYTES_MAX};

/// What of a request has been sent and what is still to come.
#[derive(Default)]
pub(crate) struct Upload {
    state: State,
    /// Head, small bodies and chunk framing: `out[out_sent..]` is to be sent.
    out: Vec<u8>,
    out_sent: usize,
    /// Bytes of the body that were taken from its source.
    body_taken: u64,
    sent_bytes: u64,
    source_ended: bool,
    expect_continue: bool,
    /// What made the stream take no more.
    failure: Option<io::Error>,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Complete,
    /// The head is being sent, or the body.
    Sending,
    /// The head is out; the body waits for `100 Continue` since then.
    Waiting(Instant),
    /// The stream took no more, or the body's source failed.
    Failed,
}

impl Upload {
    /// The empty buffer for the head.
    pub(crate) fn start(&mut self) -> &mut Vec<u8> {
        self.state = State::Sending;
        self.out.clear();
        self.out_sent = 0;
        self.body_taken = 0;
        self.sent_bytes = 0;
        self.source_ended = false;
        self.failure = None;
        &mut self.out
    }

    /// Takes the body in: a small one goes out in the same write as the head.
    pub(crate) fn add_body(&mut self, body: &Body, expect_continue: bool) {
        let has_body = !matches!(body.length(), BodyLength::None | BodyLength::Known(0));
        self.expect_continue = expect_continue && has_body;
        if let Outgoing::Bytes(bytes) = &body.0
            && bytes.len() <= INLINE_BODY_BYTES_MAX
            && !self.expect_continue
        {
            self.out.extend_from_slice(bytes);
            self.body_taken = bytes.len() as u64;
        }
    }

    /// Whether nothing more will be sent.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Complete | State::Failed)
    }

    /// Whether the whole request was sent.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Since when the body waits for `100 Continue`.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(since) => Some(since),
            _ => None,
        }
    }

    /// Lets a waiting body go; says whether one was waiting.
    pub(crate) fn proceed(&mut self) -> bool {
        let waiting = matches!(self.state, State::Waiting(_));
        if waiting {
            self.state = State::Sending;
        }
        waiting
    }

    /// What made the stream take no more.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Keeps a bounded buffer for the next request.
    pub(crate) fn release(&mut self) {
        self.state = State::Complete;
        if self.out.capacity() > OUTPUT_KEPT_BYTES_MAX {
            self.out = Vec::new();
        }
    }

    /// Sends until the request is out or the stream takes no more now.
    ///
    /// Only a failure of the body's source is returned; a failure of the stream is kept, as the
    /// server may have answered.
    pub(crate) fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        stream: &mut Stream,
        body: &mut Body,
    ) -> Result<Poll<()>> {
        match self.poll_send(cx, stream, body) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Ok(())) => {
                self.state = State::Complete;
                Ok(Poll::Ready(()))
            }
            Poll::Ready(Err(Stop::Stream(error))) => {
                self.state = State::Failed;
                self.failure = Some(error);
                Ok(Poll::Ready(()))
            }
            Poll::Ready(Err(Stop::Source(error))) => {
                self.state = State::Failed;
                Err(error)
            }
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut TaskContext<'_>,
        stream: &mut Stream,
        body: &mut Body,
    ) -> Poll<std::result::Result<(), Stop>> {
        loop {
            if matches!(self.state, State::Waiting(_)) {
                return Poll::Pending;
            }
            if self.expect_continue {
                ready!(self.poll_write(cx, stream, &[]))?;
                ready!(stream.poll_flush(cx))?;
                self.expect_continue = false;
                self.state = State::Waiting(clock::now());
                continue;
            }
            match &mut body.0 {
                Outgoing::Empty => {
                    ready!(self.poll_write(cx, stream, &[]))?;
                }
                Outgoing::Bytes(bytes) => {
                    ready!(self.poll_write(cx, stream, bytes))?;
                }
                Outgoing::Stream { length, source } => {
                    ready!(self.poll_write(cx, stream, &[]))?;
                    if !self.source_ended {
                        // Pieces gathered so far must not wait for the next one.
                        ready!(stream.poll_flush(cx))?;
                        match ready!(poll_piece(source, cx)) {
                            Some(piece) => self.add_piece(piece, *length)?,
                            None => self.end_of_source(*length)?,
                        }
                        continue;
                    }
                }
            }
            return stream.poll_flush(cx).map_err(Stop::Stream);
        }
    }

    /// Writes what is left of `out` and then of `body`, together where possible.
    fn poll_write(
        &mut self,
        cx: &mut TaskContext<'_>,
        stream: &mut Stream,
        body: &[u8],
    ) -> Poll<io::Result<()>> {
        loop {
            let head = &self.out[self.out_sent..];
            // A body of bytes is never longer than memory, so the cast loses nothing.
            let rest = &body[(self.body_taken as usize).min(body.len())..];
            let polled = match (head.is_empty(), rest.is_empty()) {
                (true, true) => return Poll::Ready(Ok(())),
                (false, true) => match self.sent_bytes {
                    0 => match stream.write_now(head) {
                        Some(written) => Poll::Ready(written),
                        None => stream.poll_write(cx, head),
                    },
                    _ => stream.poll_write(cx, head),
                },
                (true, false) => stream.poll_write(cx, rest),
                (false, false) => {
                    stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(rest)])
                }
            };
            let written = ready!(polled)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = written.min(head.len());
            self.out_sent += of_head;
            self.body_taken += (written - of_head) as u64;
            self.sent_bytes += written as u64;
        }
    }

    /// Takes a piece of a streamed body in.
    fn add_piece(
        &mut self,
        piece: io::Result<Bytes>,
        length: Option<u64>,
    ) -> std::result::Result<(), Stop> {
        let piece = piece.map_err(|error| {
            let message = "the source of the request body failed";
            Stop::Source(Error::new(ErrorKind::RequestBody, message).with_source(error))
        })?;
        self.body_taken += piece.len() as u64;
        if length.is_some_and(|length| self.body_taken > length) {
            return Err(Stop::Source(wrong_length(self.body_taken, length)));
        }
        self.out.clear();
        self.out_sent = 0;
        match length {
            Some(_) => self.out.extend_from_slice(&piece),
            // An empty piece would be the last chunk.
            None if piece.is_empty() => {}
            None => {
                chunk_head(&mut self.out, piece.len());
                self.out.extend_from_slice(&piece);
                self.out.extend_from_slice(CHUNK_END);
            }
        }
        Ok(())
    }

    /// The source has ended: as it was announced, or with the last chunk.
    fn end_of_source(&mut self, length: Option<u64>) -> std::result::Result<(), Stop> {
        if length.is_some_and(|length| self.body_taken != length) {
            return Err(Stop::Source(wrong_length(self.body_taken, length)));
        }
        self.source_ended = true;
        self.out.clear();
        self.out_sent = 0;
        if length.is_none() {
            self.out.extend_from_slice(LAST_CHUNK);
        }
        Ok(())
    }
}

/// What stops an upload.
enum Stop {
    Stream(io::Error),
    Source(Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Stream(error)
    }
}

#[cold]
fn wrong_length(given: u64, length: Option<u64>) -> Error {
    let announced = length.unwrap_or_default();
    let message = format!("the request body was announced with {announced} bytes and gave {given}");
    Error::new(ErrorKind::RequestBody, message)
}
