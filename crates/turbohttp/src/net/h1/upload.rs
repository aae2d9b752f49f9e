//! Sending a request: does on the stream what core's sending half says.

use std::io::{self, IoSlice};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use turbohttp_core::h1::{SendHalf, SendStep};

use crate::body::{Body, Outgoing, poll_piece};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::net::stream::Stream;

/// What stops the sending of a request before its end.
pub(super) enum Stop {
    /// The stream takes no more. The server may have answered before it closed.
    Stream(io::Error),
    /// The content could not be obtained, or is not what was announced.
    Source(Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Stream(error)
    }
}

/// Sends until the request is out, or until the stream, the source of the content or the server has to
/// be waited for. Returns when the last byte was flushed.
pub(super) fn poll_send(
    half: &mut SendHalf,
    stream: &mut Stream,
    body: &mut Body,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<Instant, Stop>> {
    let mut flushed_at = None;
    loop {
        match half.next_step() {
            SendStep::Write => {
                let content: &[u8] = match &body.0 {
                    Outgoing::Bytes(bytes) => bytes,
                    Outgoing::Empty | Outgoing::Stream { .. } => &[],
                };
                ready!(poll_write(half, stream, content, cx))?;
            }
            SendStep::Flush => {
                ready!(stream.poll_flush(cx))?;
                let now = clock::now();
                half.flushed(now);
                flushed_at = Some(now);
            }
            SendStep::NeedContent => ready!(poll_content(half, body, cx))?,
            SendStep::AwaitContinue(_) => return Poll::Pending,
            SendStep::Over => return Poll::Ready(Ok(flushed_at.unwrap_or_else(clock::now))),
        }
    }
}

/// Writes once: what is left of the output buffer and then of `content`, together where possible.
#[inline]
fn poll_write(
    half: &mut SendHalf,
    stream: &mut Stream,
    content: &[u8],
    cx: &mut TaskContext<'_>,
) -> Poll<io::Result<()>> {
    let (head, rest) = half.unsent(content);
    let polled = match (head.is_empty(), rest.is_empty()) {
        (false, true) => match half.sent_bytes() {
            // The socket of a request that begins mostly takes all of it.
            0 => match stream.write_now(head) {
                Some(written) => Poll::Ready(written),
                None => stream.poll_write(cx, head),
            },
            _ => stream.poll_write(cx, head),
        },
        (true, _) => stream.poll_write(cx, rest),
        (false, false) => stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(rest)]),
    };
    match ready!(polled)? {
        // A stream that takes nothing although it is writable would be asked for ever.
        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        written => {
            half.wrote(written);
            Poll::Ready(Ok(()))
        }
    }
}

/// Gives the sending half the next piece of the content, or its end.
fn poll_content(
    half: &mut SendHalf,
    body: &mut Body,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<(), Stop>> {
    let Outgoing::Stream { source, .. } = &mut body.0 else {
        unreachable!("only a stream gives its content in pieces");
    };
    let taken = match ready!(poll_piece(source, cx)) {
        Some(Ok(piece)) => half.push(&piece),
        Some(Err(error)) => {
            let message = "the source of the request body failed";
            let error = Error::new(ErrorKind::RequestBody, message).with_source(error);
            return Poll::Ready(Err(Stop::Source(error)));
        }
        None => half.finish(),
    };
    Poll::Ready(
        taken.map_err(|error| Stop::Source(Error::new(ErrorKind::RequestBody, error.to_string()))),
    )
}
