//! Sending a request and receiving the final head of its response.
//!
//! What is to be sent, core's sending half says; what has arrived is looked at even while the request is
//! still going out, as a server may answer early.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use tokio::task::coop::unconstrained;
use turbohttp_core::h1::{CloseReason, HeadStep, SendHalf, SendStep};
use turbohttp_core::timeline::Phase;

use super::{Connection, Stage};
use crate::body::buffer::SpareBuffer;
use crate::body::{Body, Outgoing, poll_piece};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::CONTINUE_WAIT_MS;
use crate::net::stream::Stream;

/// How long content waits for `100 Continue`.
const CONTINUE_WAIT: Duration = Duration::from_millis(CONTINUE_WAIT_MS);

impl Connection {
    /// Sends the request and receives the final head of its response: what can be sent first, then
    /// what has arrived, as a server may answer before it has the whole request.
    ///
    /// An error is marked as unanswered if no byte of a response had arrived and no time was up.
    pub(crate) fn poll_round_trip(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Poll<Result<()>> {
        if !self.exchange.send_half().is_over()
            && let Err(error) = self.poll_upload(cx, context)
        {
            return Poll::Ready(Err(self.round_trip_failed(error, context)));
        }
        let error = match self.poll_head(cx, context) {
            Poll::Ready(Ok(())) => {
                self.head_received(context);
                return Poll::Ready(Ok(()));
            }
            // What stopped the upload says more than the end of the stream that followed.
            Poll::Ready(Err(error)) => match self.write_failure.take() {
                Some(failure) if error.is_retryable() => upload_error(failure).unanswered(),
                _ => error,
            },
            Poll::Pending => ready!(self.poll_head_timer(cx, context)),
        };
        Poll::Ready(Err(self.round_trip_failed(error, context)))
    }

    #[cold]
    fn round_trip_failed(&self, error: Error, context: &mut Context) -> Error {
        context
            .timing
            .timeline
            .lap(self.phase_before_head(), clock::now());
        error
    }

    /// Sends as much of the request as the stream takes. A failure to write is kept: the server may
    /// have answered before it closed.
    fn poll_upload(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Result<()> {
        // Progress restarts the timer of a write: a slow server is not a stalled one.
        let half = self.exchange.send_half_mut();
        let before = half.sent_bytes();
        let sent = poll_send(half, &mut self.stream, &mut context.request.body, cx);
        let (time, timer) = (&context.timing.limits, &mut self.timer);
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
                    if time.deadline.is_some_and(|deadline| deadline <= now) {
                        let allowed = time.allowed();
                        return Err(Error::timeout(Phase::Send, "the request", allowed));
                    }
                    timer.set(now, time.timeouts().body, time.deadline);
                }
                return Ok(());
            }
        };
        timer.set(over_at, time.timeouts().head, time.deadline);
        context.timing.timeline.lap(Phase::Send, over_at);
        Ok(())
    }

    fn poll_head(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Result<()>> {
        loop {
            if !self.input.is_empty() {
                let input = self.input.filled();
                match self
                    .exchange
                    .receive_head(input, &mut context.response.head)
                {
                    Ok(HeadStep::NeedMore) => {}
                    Ok(HeadStep::Interim { consumed, proceed }) => {
                        self.input.consume(consumed);
                        // Fields of an interim response are not those of the final one.
                        context.response.head.reset();
                        if proceed && self.exchange.send_half_mut().proceed() {
                            let limit = context.timing.limits.timeouts().body;
                            self.timer
                                .set(clock::now(), limit, context.timing.limits.deadline);
                            self.poll_upload(cx, context)?;
                        }
                        continue;
                    }
                    Ok(HeadStep::Final { consumed }) => {
                        self.input.consume(consumed);
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) => return Poll::Ready(Err(self.failed(error.into()))),
                }
            }
            match ready!(self.poll_answer(cx, &mut context.spare)) {
                Ok(0) => return Poll::Ready(Err(self.head_truncated())),
                Ok(_) => self.stage = Stage::Answered,
                Err(error) => return Poll::Ready(Err(self.head_failed(error))),
            }
        }
    }

    #[inline]
    fn head_received(&mut self, context: &mut Context) {
        let now = clock::now();
        context.timing.timeline.lap(self.phase_before_head(), now);
        self.since = now;
        self.stage = Stage::Body;
    }

    /// The error if the time for sending or for the head is up.
    fn poll_head_timer(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Error> {
        loop {
            ready!(self.timer.poll_expired(cx, &self.runtime));
            let now = clock::now();
            let deadline = context.timing.limits.deadline;
            let is_over_time = deadline.is_some_and(|deadline| deadline <= now);
            // A server that does not say 100 Continue gets the content anyway (RFC 9110 section 10.1.1).
            if !is_over_time && self.exchange.send_half_mut().proceed() {
                self.timer.set(
                    now,
                    context.timing.limits.timeouts().body,
                    context.timing.limits.deadline,
                );
                if let Err(error) = self.poll_upload(cx, context) {
                    return Poll::Ready(error);
                }
                continue;
            }
            let phase = self.phase_before_head();
            let (what, limit) = match phase {
                _ if is_over_time => ("the request", context.timing.limits.allowed()),
                Phase::Wait => (
                    "waiting for the response head",
                    context.timing.limits.timeouts().head,
                ),
                _ => (
                    "a write of the request",
                    context.timing.limits.timeouts().body,
                ),
            };
            return Poll::Ready(Error::timeout(phase, what, limit));
        }
    }

    /// Reads what the server says. While the request is still going out, outside the task's budget:
    /// an upload that flows would use it up, and the answer would never be seen.
    fn poll_answer(
        &mut self,
        cx: &mut TaskContext<'_>,
        spare: &mut SpareBuffer,
    ) -> Poll<io::Result<usize>> {
        if self.exchange.send_half().is_over() {
            return self.poll_fill(cx, spare);
        }
        pin!(unconstrained(poll_fn(|cx| self.poll_fill(cx, spare)))).poll(cx)
    }

    fn phase_before_head(&self) -> Phase {
        if self.exchange.send_half().is_complete() {
            Phase::Wait
        } else {
            Phase::Send
        }
    }

    #[cold]
    fn head_truncated(&mut self) -> Error {
        let error = self.exchange.end_of_stream_in_head(self.input.len());
        self.failed(error.into())
    }

    #[cold]
    fn head_failed(&mut self, error: io::Error) -> Error {
        let message = "connection failed before the response head";
        self.failed(Error::io(Phase::Wait, message, error))
    }

    #[cold]
    fn failed(&mut self, error: Error) -> Error {
        self.exchange.close_because(CloseReason::Failed);
        let error = error.in_phase(Phase::Wait);
        match self.stage {
            Stage::Unanswered => error.unanswered(),
            _ => error,
        }
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

/// Sends until the request is out, or until the stream, the source of the content or the server has to
/// be waited for. Returns when the last byte was flushed.
fn poll_send(
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
            // After a flush, so that the piece before it does not wait for this one.
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
    let taken = match ready!(poll_piece(body, cx)) {
        Some(Ok(piece)) => half.push(&piece),
        Some(Err(error)) => {
            let message = "the source of the request body failed";
            let error = Error::new(ErrorKind::RequestBody, message).with_source(error);
            return Poll::Ready(Err(Stop::Source(error.in_phase(Phase::Send))));
        }
        None => half.finish(),
    };
    Poll::Ready(taken.map_err(|error| {
        let error = Error::new(ErrorKind::RequestBody, error.to_string());
        Stop::Source(error.in_phase(Phase::Send))
    }))
}

#[cold]
fn upload_error(error: io::Error) -> Error {
    Error::io(
        Phase::Send,
        "connection failed while the request was sent",
        error,
    )
}
