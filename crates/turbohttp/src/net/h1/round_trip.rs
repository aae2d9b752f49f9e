//! Sending a request and receiving the final head of its response.
//!
//! What has arrived is looked at even while the request is still going out (`upload.rs`), as a server may
//! answer early.

use std::io;
use std::task::{Context as TaskContext, Poll, ready};

use turbohttp_core::h1::{CloseReason, HeadStep};
use turbohttp_core::timeline::Phase;

use super::upload::upload_error;
use super::{Connection, Stage};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::net::exchange_rules::{head_timeout, is_late};

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
            && let Err(error) = self.send_more(cx, context)
        {
            return Poll::Ready(Err(self.round_trip_failed(error, context)));
        }
        if matches!(self.stage, Stage::Unanswered | Stage::Answered) {
            let polled = self.poll_head(cx, context);
            let error = match polled {
                Poll::Ready(Ok(())) => return self.head_received(cx, context),
                // What stopped the upload says more than the end of the stream that followed.
                Poll::Ready(Err(error)) => match self.write_failure.take() {
                    Some(failure) if error.is_retryable() => upload_error(failure).unanswered(),
                    _ => error,
                },
                Poll::Pending => ready!(self.poll_head_timer(cx, context)),
            };
            return Poll::Ready(Err(self.round_trip_failed(error, context)));
        }
        self.poll_answered(cx, context)
    }

    #[cold]
    fn round_trip_failed(&self, error: Error, context: &mut Context) -> Error {
        context
            .timing
            .timeline
            .lap(self.phase_before_head(), clock::now());
        error
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
                            self.send_more(cx, context)?;
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
            match ready!(self.poll_fill(cx, &mut context.spare)) {
                Ok(0) => return Poll::Ready(Err(self.head_truncated())),
                Ok(_) => self.stage = Stage::Answered,
                Err(error) => return Poll::Ready(Err(self.head_failed(error))),
            }
        }
    }

    #[inline]
    fn head_received(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Poll<Result<()>> {
        let now = clock::now();
        context.timing.timeline.lap(self.phase_before_head(), now);
        self.since = now;
        self.stage = Stage::Body;
        match self.exchange.send_half().is_complete() {
            true => Poll::Ready(Ok(())),
            false => self.poll_answered(cx, context),
        }
    }

    /// The error if the time for sending or for the head is up.
    fn poll_head_timer(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Error> {
        loop {
            ready!(self.timer.poll_expired(cx, &self.runtime));
            let now = clock::now();
            let is_over_time = is_late(&context.timing.limits, now);
            // A server that does not say 100 Continue gets the content anyway (RFC 9110 section 10.1.1).
            if !is_over_time && self.exchange.send_half_mut().proceed() {
                self.timer.set(
                    now,
                    context.timing.limits.timeouts().body,
                    context.timing.limits.deadline,
                );
                if let Err(error) = self.send_more(cx, context) {
                    return Poll::Ready(error);
                }
                continue;
            }
            let phase = self.phase_before_head();
            return Poll::Ready(head_timeout(&context.timing.limits, phase));
        }
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
        // A TLS session that ends without close_notify: a head that is not whole is none in any case.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return self.head_truncated();
        }
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
