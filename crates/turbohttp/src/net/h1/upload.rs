//! Sending what of a request is not out yet: before the head of the response, and beside its body.
//!
//! What is to be sent, core's sending half says. A final head does not stop the sending (RFC 9112 section
//! 9.5): an echo or a gateway answers while it reads. An error status stops it, and so does the end of a
//! response after which the server closes. No success is reported of a request that was cut.

use std::io::{self, IoSlice};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use http::StatusCode;
use turbohttp_core::h1::{SendHalf, SendStep};
use turbohttp_core::timeline::{Phase, Timeline};

use super::{Connection, Stage};
use crate::body::{Body, BodyContext, Outgoing, poll_piece, take_trailers};
use crate::clock;
use crate::config::TimeLimits;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::DUPLEX_PIECES_MAX;
use crate::net::exchange_rules::{
    CONTINUE_WAIT, Rest, is_late, request_timeout, source_failed, unfit_content, write_timeout,
};
use crate::net::stream::Stream;

impl Connection {
    /// Sends as much of the request as the stream takes.
    #[inline]
    pub(super) fn send_more(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Result<()> {
        let (body, timing) = (&mut context.request.body, &mut context.timing);
        self.send_parts(cx, body, &timing.limits, &mut timing.timeline)
    }

    /// Sends as much of the request as the stream takes. A failure to write is kept: the server may
    /// have answered before it closed.
    fn send_parts(
        &mut self,
        cx: &mut TaskContext<'_>,
        body: &mut Body,
        time: &TimeLimits,
        timeline: &mut Timeline,
    ) -> Result<()> {
        // Progress restarts the timer of a write: a slow server is not a stalled one.
        let (half, timer) = (self.exchange.send_half_mut(), &mut self.timer);
        let before = half.sent_bytes();
        let sent = poll_send(half, &mut self.stream, body, cx);
        let over_at = match sent {
            Poll::Ready(Ok(now)) => now,
            Poll::Ready(Err(Stop::Stream(error))) => {
                // The response is still read: a server may answer 413 and close its receiving side.
                half.stop();
                self.write_failure = Some(error);
                clock::now()
            }
            Poll::Ready(Err(Stop::Source(error))) => {
                half.stop();
                return Err(error);
            }
            Poll::Pending => {
                if let SendStep::AwaitContinue(since) = half.next_step() {
                    timer.set(since, CONTINUE_WAIT, time.deadline);
                } else if half.sent_bytes() != before {
                    let now = clock::now();
                    // An upload that flows never waits, so its time is looked at here.
                    if is_late(time, now) {
                        return Err(request_timeout(time, Phase::Send));
                    }
                    timer.set(now, time.timeouts().body, time.deadline);
                }
                return Ok(());
            }
        };
        timer.set(over_at, time.timeouts().head, time.deadline);
        timeline.lap(Phase::Send, over_at);
        Ok(())
    }

    /// The final head is here, and the request is not complete: whether the response can be handed out.
    ///
    /// It can while its body is still arriving: the rest of the request goes out as the body is read.
    /// One that has arrived whole waits for the end of the request.
    #[cold]
    pub(super) fn poll_answered(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Poll<Result<()>> {
        let status = context.response.head.status();
        let is_closing = self.exchange.is_closing();
        let half = self.exchange.send_half_mut();
        match Rest::after(status, half.holds_back(), is_closing) {
            Rest::Stops => half.stop(),
            Rest::GoesOn => {}
            Rest::Proceeds => {
                half.proceed();
                self.send_more(cx, context)?;
            }
        }
        if self.stage == Stage::Body && self.exchange.may_hold_rest(self.input.filled()) {
            self.decode_ahead(&mut context.response.head);
        }
        if !self.exchange.is_done() {
            return Poll::Ready(Ok(()));
        }
        let timing = &mut context.timing;
        self.poll_rest(cx, status, &timing.limits)
    }

    /// Beside the body of a response: sends what the stream takes.
    #[cold]
    pub(super) fn send_beside_body(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut BodyContext<'_>,
    ) -> Result<()> {
        let sent = self.exchange.send_half().sent_bytes();
        let BodyContext {
            upload,
            time,
            timeline,
            ..
        } = context;
        self.send_parts(cx, upload, time, timeline)?;
        // The timer was set for the upload: the wait for more of the body begins anew with its progress.
        if self.exchange.send_half().sent_bytes() != sent && self.stage == Stage::BodyAwaited {
            self.stage = Stage::BodyRead;
        }
        Ok(())
    }

    /// The response has ended: waits until the rest of the request is out, or stops it.
    ///
    /// # Errors
    ///
    /// The server calls it a success and has not taken the whole request.
    #[cold]
    pub(super) fn poll_rest(
        &mut self,
        cx: &mut TaskContext<'_>,
        status: StatusCode,
        time: &TimeLimits,
    ) -> Poll<Result<()>> {
        let is_closing = self.exchange.is_closing();
        let half = self.exchange.send_half_mut();
        half.settle();
        if !half.is_over() && !is_closing {
            ready!(self.timer.poll_expired(cx, &self.runtime));
            return Poll::Ready(Err(write_timeout(time)));
        }
        half.stop();
        if half.is_complete() || !status.is_success() {
            return Poll::Ready(Ok(()));
        }
        let sent = half.sent_bytes();
        let message = format!(
            "server answered {status} before the request was sent whole: {sent} bytes of it were"
        );
        let error = Error::new(ErrorKind::Io, message).in_phase(Phase::Send);
        Poll::Ready(Err(match self.write_failure.take() {
            Some(failure) => error.with_source(failure),
            None => error,
        }))
    }

    /// Whether the final head has arrived.
    #[inline]
    pub(super) fn has_head(&self) -> bool {
        !matches!(self.stage, Stage::Unanswered | Stage::Answered)
    }
}

/// What stops the sending of a request before its end.
enum Stop {
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

/// Sends until the request is out, until the stream, the source of the content or the server has to be
/// waited for, or until the answer is to be looked at. Returns when the last byte was flushed.
fn poll_send(
    half: &mut SendHalf,
    stream: &mut Stream,
    body: &mut Body,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<Instant, Stop>> {
    let mut flushed_at = None;
    let mut pieces = 0;
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
            // After a flush, so that the piece before it does not wait for this one.
            SendStep::NeedContent => {
                // Both directions get their turn, whichever flows faster.
                if pieces == DUPLEX_PIECES_MAX {
                    // Nothing has been waited for, so nothing else wakes the task.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                pieces += 1;
                ready!(poll_content(half, body, cx))?;
            }
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
    let taken = match ready!(poll_piece(body, cx)) {
        Some(Ok(piece)) => half.push(&piece),
        Some(Err(error)) => {
            return Poll::Ready(Err(Stop::Source(source_failed(error))));
        }
        None => match take_trailers(body) {
            None => half.finish(),
            Some(trailers) => half.finish_with_trailers(&trailers),
        },
    };
    Poll::Ready(taken.map_err(|error| Stop::Source(unfit_content(&error))))
}

#[cold]
pub(super) fn upload_error(error: io::Error) -> Error {
    Error::io(
        Phase::Send,
        "connection failed while the request was sent",
        error,
    )
}
