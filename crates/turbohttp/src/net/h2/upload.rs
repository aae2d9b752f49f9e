//! Sending the content of a request: pulled by its own future, as far as windows and output take it.

use std::task::{Context as TaskContext, Poll, ready};

use bytes::Buf;
use http::StatusCode;
use turbohttp_core::h1::check_trailers;
use turbohttp_core::h2::{Sent, StreamKey};
use turbohttp_core::timeline::{Phase, Timeline};

use super::exchange::{Exchange, Stage};
use super::sending::Upload;
use crate::body::{Body, poll_piece, take_trailers};
use crate::clock;
use crate::config::TimeLimits;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::DUPLEX_PIECES_MAX;
use crate::net::exchange_rules::{
    CONTINUE_WAIT, Rest, is_late, request_timeout, source_failed, unfit_content, write_timeout,
};

/// One step of sending.
enum Step {
    /// Some bytes were taken.
    Progress,
    /// The content, a window or the output has to be waited for.
    Waits,
    /// All of it is sent.
    Over,
    /// The stream takes no more of it.
    Cut,
}

impl Exchange {
    /// Sends as much of the content as goes now.
    #[cold]
    pub(super) fn send_more(
        &mut self,
        cx: &mut TaskContext<'_>,
        body: &mut Body,
        time: &TimeLimits,
        timeline: &mut Timeline,
    ) -> Result<()> {
        let Some(key) = self.key else {
            return Ok(());
        };
        if let Upload::HeldBack { since } = self.upload {
            self.timer.set(since, CONTINUE_WAIT, time.deadline);
            return Ok(());
        }
        let mut has_progressed = false;
        // Both directions get their turn, whichever flows faster.
        for _ in 0..DUPLEX_PIECES_MAX {
            match self.send_step(cx, key, body)? {
                Step::Progress => has_progressed = true,
                Step::Waits => return self.note_progress(has_progressed, time),
                over @ (Step::Over | Step::Cut) => {
                    self.upload = match over {
                        // Why, the answer says, which is looked at next.
                        Step::Cut => Upload::Cut,
                        _ => Upload::Over,
                    };
                    let now = clock::now();
                    match self.stage {
                        Stage::Head => self.timer.set(now, time.timeouts().head, time.deadline),
                        // The head is here: from now on more of the body is waited for.
                        _ => self.stage = Stage::Body,
                    }
                    timeline.lap(Phase::Send, now);
                    return Ok(());
                }
            }
        }
        // Nothing has been waited for, so nothing else wakes the task.
        cx.waker().wake_by_ref();
        self.note_progress(has_progressed, time)
    }

    /// Progress restarts the timer of a write: a slow server is not a stalled one.
    fn note_progress(&mut self, has_progressed: bool, time: &TimeLimits) -> Result<()> {
        if !has_progressed {
            return Ok(());
        }
        let now = clock::now();
        // An upload that flows never waits, so its time is looked at here.
        if is_late(time, now) {
            return Err(request_timeout(time, Phase::Send));
        }
        self.timer.set(now, time.timeouts().body, time.deadline);
        if self.stage == Stage::BodyAwaited {
            self.stage = Stage::Body;
        }
        Ok(())
    }

    fn send_step(
        &mut self,
        cx: &mut TaskContext<'_>,
        key: StreamKey,
        body: &mut Body,
    ) -> Result<Step> {
        match &mut self.upload {
            Upload::Over | Upload::Cut | Upload::HeldBack { .. } => Ok(Step::Waits),
            Upload::Slice { sent } => {
                let from = *sent;
                let content = body.as_bytes().unwrap_or_default();
                let taken = self.send(cx, key, &content[from..], true);
                let Some(taken) = ready_step(&taken) else {
                    return Ok(step_of(&taken));
                };
                let sent = from + taken;
                self.upload = Upload::Slice { sent };
                Ok(match sent == content.len() {
                    true => Step::Over,
                    false => Step::Progress,
                })
            }
            // A piece is asked for only when the one before is sent: no more than one is in memory.
            Upload::Pieces { piece, .. } if piece.is_empty() => self.next_piece(cx, key, body),
            Upload::Pieces { piece, .. } => {
                let content = std::mem::take(piece);
                let taken = self.send(cx, key, &content, false);
                let rest = match ready_step(&taken) {
                    Some(taken) => content.slice(taken..),
                    None => content,
                };
                if let Upload::Pieces { piece, .. } = &mut self.upload {
                    *piece = rest;
                }
                Ok(step_of(&taken))
            }
        }
    }

    /// Asks the source for its next piece, and ends the stream at its end.
    fn next_piece(
        &mut self,
        cx: &mut TaskContext<'_>,
        key: StreamKey,
        body: &mut Body,
    ) -> Result<Step> {
        let Poll::Ready(next) = poll_piece(body, cx) else {
            return Ok(Step::Waits);
        };
        let Upload::Pieces {
            piece,
            given,
            length,
        } = &mut self.upload
        else {
            return Ok(Step::Over);
        };
        match next {
            Some(Ok(next)) => {
                *given += next.remaining() as u64;
                if length.is_some_and(|length| length < *given) {
                    return Err(wrong_length(*length, *given));
                }
                *piece = next;
                return Ok(Step::Progress);
            }
            Some(Err(error)) => return Err(source_failed(error)),
            None if length.is_some_and(|length| length != *given) => {
                return Err(wrong_length(*length, *given));
            }
            None => {}
        }
        let streams = &self.connection.streams;
        match take_trailers(body) {
            Some(trailers) if !trailers.is_empty() => {
                check_trailers(&trailers).map_err(|error| unfit_content(&error))?;
                streams.update(|streams, wakes| streams.send_trailers(key, &trailers, wakes));
            }
            _ => {
                streams.update(|streams, wakes| streams.send(key, &[], true, cx.waker(), wakes));
            }
        }
        Ok(Step::Over)
    }

    /// Sends a slice; the task is watched if it is blocked.
    fn send(
        &mut self,
        cx: &mut TaskContext<'_>,
        key: StreamKey,
        content: &[u8],
        ends: bool,
    ) -> Sent {
        let streams = &self.connection.streams;
        let ask = |cx: &mut TaskContext<'_>| {
            streams.update(|streams, wakes| streams.send(key, content, ends, cx.waker(), wakes))
        };
        match ask(cx) {
            Sent::Blocked { is_watched: false } => {
                self.watch(cx, key);
                ask(cx)
            }
            sent => sent,
        }
    }

    /// The content may be sent that was held back.
    #[cold]
    pub(super) fn proceed(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Result<()> {
        if !self.holds_back_content() {
            return Ok(());
        }
        self.upload = Upload::of(&context.request.body, 0);
        let limits = &context.timing.limits;
        self.timer
            .set(clock::now(), limits.timeouts().body, limits.deadline);
        let (body, timing) = (&mut context.request.body, &mut context.timing);
        self.send_more(cx, body, &timing.limits, &mut timing.timeline)
    }

    /// The final head is here, and the content is not all sent: whether the response can be handed out.
    #[cold]
    pub(super) fn poll_answered(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Poll<Result<()>> {
        let status = context.response.head.status();
        match Rest::after(status, self.holds_back_content(), false) {
            Rest::Stops => {
                // The stream is reset when the response has been read.
                self.upload = Upload::Over;
                return Poll::Ready(Ok(()));
            }
            Rest::GoesOn => {}
            Rest::Proceeds => self.proceed(cx, context)?,
        }
        let Some(key) = self.key else {
            return Poll::Ready(Ok(()));
        };
        let has_ended = self
            .connection
            .streams
            .look(|streams| streams.remaining(key) == Some(0) && streams.is_received(key));
        if !has_ended {
            return Poll::Ready(Ok(()));
        }
        let limits = &context.timing.limits;
        self.poll_rest(cx, status, limits)
    }

    /// The response has ended: waits until the rest of the request is out.
    #[cold]
    pub(super) fn poll_rest(
        &mut self,
        cx: &mut TaskContext<'_>,
        status: StatusCode,
        time: &TimeLimits,
    ) -> Poll<Result<()>> {
        if self.upload.is_over() || !status.is_success() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.timer.poll_expired(cx, &self.connection.runtime));
        Poll::Ready(Err(write_timeout(time)))
    }
}

fn ready_step(sent: &Sent) -> Option<usize> {
    match sent {
        Sent::Taken(bytes) => Some(*bytes),
        Sent::Blocked { .. } | Sent::Stopped => None,
    }
}

fn step_of(sent: &Sent) -> Step {
    match sent {
        Sent::Taken(_) => Step::Progress,
        Sent::Blocked { .. } => Step::Waits,
        Sent::Stopped => Step::Cut,
    }
}

#[cold]
fn wrong_length(announced: Option<u64>, given: u64) -> Error {
    let announced = announced.unwrap_or_default();
    let message = format!("the request body was announced with {announced} bytes and gave {given}");
    Error::new(ErrorKind::RequestBody, message).in_phase(Phase::Send)
}
