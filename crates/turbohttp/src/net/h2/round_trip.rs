//! Sending a request and receiving the final head of its response.

use std::task::{Context as TaskContext, Poll, ready};

use turbohttp_core::h1::encode::{Asks, BodyLength, RequestHead};
use turbohttp_core::h2::{Answer, ConnectionEnd, Opened, Request, StreamError, StreamKey};
use turbohttp_core::scheduler::Priority;
use turbohttp_core::timeline::Phase;

use super::exchange::{Exchange, Stage};
use super::failure::{Refusal, gone, permits_none, stream_error};
use super::sending::Upload;
use crate::body::buffer::{BufferedBody, ReadMemory};
use crate::body::{Content, Outgoing};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::net::exchange_rules::{head_timeout, is_late, line_timeout};

impl Exchange {
    /// Sends the request and receives the final head of its response.
    #[inline]
    pub(crate) fn poll_round_trip(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Poll<Result<()>> {
        if self.key.is_none() {
            ready!(self.poll_open(cx, context))?;
        }
        if !self.upload.is_over() {
            let (body, timing) = (&mut context.request.body, &mut context.timing);
            self.send_more(cx, body, &timing.limits, &mut timing.timeline)?;
        }
        if self.stage == Stage::Head {
            ready!(self.poll_head(cx, context))?;
        }
        match self.upload.is_over() {
            true => Poll::Ready(Ok(())),
            false => self.poll_answered(cx, context),
        }
    }

    /// Opens a stream with the head of the request, and as much of its content as goes at once.
    fn poll_open(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Result<()>> {
        // Comes back where the request waits in line, or is refused.
        let mut spare = context.spare.take();
        let opened = self.open(cx, context, &mut spare);
        if let Some(spare) = spare {
            context.spare.put(spare);
        }
        let (key, sent) = match opened? {
            Opened::Stream { key, sent } => (key, sent),
            Opened::Waiting(ticket) => {
                self.ticket = Some(ticket);
                return self.poll_line(cx, context).map(Err);
            }
            Opened::Gone => {
                self.ticket = None;
                return Poll::Ready(Err(self.gone(context)));
            }
        };
        self.key = Some(key);
        self.ticket = None;
        let now = match self.waits_since.take() {
            None => self.since,
            Some(_) => {
                let now = clock::now();
                context.timing.timeline.lap(Phase::HostPermit, now);
                now
            }
        };
        self.upload = Upload::begin(&context.request.body, sent, context.request.asks, now);
        let timeouts = context.timing.limits.timeouts();
        let limit = match self.upload.is_over() {
            true => {
                context.timing.timeline.lap(Phase::Send, now);
                timeouts.head
            }
            false => timeouts.body,
        };
        self.timer.set(now, limit, context.timing.limits.deadline);
        Poll::Ready(Ok(()))
    }

    /// The connection takes no more requests: another one does, unless the server has broken the protocol.
    #[cold]
    fn gone(&mut self, context: &mut Context) -> Error {
        let streams = &self.connection.streams;
        if let Some(error) = streams.look(|streams| streams.fault()) {
            let end = StreamError::Connection(ConnectionEnd::Broken(error));
            return stream_error(end, true, Phase::Send).0;
        }
        if self.waits_since.take().is_some() {
            context.timing.timeline.lap(Phase::HostPermit, clock::now());
        }
        self.refusal = Refusal::Moved;
        gone()
    }

    #[inline]
    fn open(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
        spare: &mut Option<ReadMemory>,
    ) -> Result<Opened> {
        let connection = &self.connection;
        let asks = context.request.asks;
        let body = context.request.body.length();
        let (content, ends): (&[u8], bool) = match &context.request.body.0 {
            Outgoing::Empty => (&[], true),
            Outgoing::Bytes(bytes) if asks != Asks::Continue => (bytes, true),
            Outgoing::Bytes(bytes) => (&[], bytes.is_empty()),
            Outgoing::Stream { .. } => (&[], body == BodyLength::Known(0)),
        };
        let origin = &connection.route.origin;
        let head = RequestHead {
            method: &context.request.method,
            target: context.request.url.target(),
            authority: origin.authority(),
            headers: &context.request.headers,
            defaults: &connection.wire.defaults,
            head_template: &[],
            body,
            asks,
        };
        let request = Request {
            head: &head,
            scheme: origin.scheme().as_str(),
            urgency: urgency(context.request.priority),
        };
        let level = context.request.priority.index() as u8;
        // Cloned and dropped outside of the lock: both are foreign code.
        let mut waker = Some(cx.waker().clone());
        let opened = connection.streams.update(|streams, wakes| {
            let place = (level, self.ticket);
            // One lock for head, content, waker and poke.
            streams.open(&request, content, ends, place, spare, &mut waker, wakes)
        });
        Ok(opened?)
    }

    /// Waits in line for a stream: how long, the limit of the wait for a permit says.
    #[cold]
    fn poll_line(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Error> {
        let limits = &context.timing.limits;
        let permit = limits.timeouts().permit.unwrap_or(clock::FAR);
        let connection = &self.connection;
        // A server that permits nothing is waited for as long as a connection may rest.
        let is_in_vain = connection.streams.look(|streams| streams.permits_none());
        let own = match is_in_vain {
            true => permit.min(connection.wire.idle),
            false => permit,
        };
        let since = *self.waits_since.get_or_insert(self.since);
        self.timer.set(since, own, limits.deadline);
        ready!(self.timer.poll_expired(cx, &self.connection.runtime));
        let now = clock::now();
        // Nothing of it was written: a retry may do so with any method.
        let error = match own < permit && !is_late(limits, now) {
            true => {
                self.refusal = Refusal::Unpermitted;
                permits_none()
            }
            false => {
                self.refusal = Refusal::Unprocessed;
                line_timeout(limits, own).unsent()
            }
        };
        context.timing.timeline.lap(Phase::HostPermit, now);
        Poll::Ready(error)
    }

    fn poll_head(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Result<()>> {
        let mut was_watched = false;
        loop {
            let key = self.key.expect("a stream is open");
            let head = &mut context.response.head;
            let streams = &self.connection.streams;
            let answer = streams.update(|streams, wakes| {
                let answer = streams.answer(key, head, cx.waker(), wakes);
                let is_failed = matches!(answer, Answer::Failed(_));
                (answer, is_failed && streams.is_unwritten(key))
            });
            let now;
            match answer.0 {
                Answer::Pending { is_watched } => {
                    if !is_watched && !was_watched {
                        self.watch(cx, key);
                        was_watched = true;
                        continue;
                    }
                    let error = ready!(self.poll_head_timer(cx, context));
                    return Poll::Ready(Err(self.head_failed(error, context)));
                }
                // The server asks for the content that was held back.
                Answer::Proceed => {
                    self.proceed(cx, context)?;
                    continue;
                }
                Answer::Whole { piece, spare } => {
                    now = clock::now();
                    self.key = None;
                    self.stage = Stage::Whole;
                    if let Some(piece) = piece {
                        let body = BufferedBody::whole(piece.memory, piece.filled);
                        context.response.body.0 = Content::Buffered(body);
                    }
                    if let Some(spare) = spare {
                        context.spare.put(spare);
                    }
                }
                Answer::Head => {
                    now = clock::now();
                    self.stage = Stage::Body;
                }
                Answer::Failed(error) => {
                    let (error, refusal) = stream_error(error, answer.1, self.phase_of(error));
                    self.refusal = refusal;
                    return Poll::Ready(Err(self.head_failed(error, context)));
                }
            }
            let phase = self.phase_before_head();
            context.timing.timeline.lap(phase, now);
            self.since = now;
            return Poll::Ready(Ok(()));
        }
    }

    /// Has the task of `cx` woken by the stream. Something may have happened meanwhile, so that the caller
    /// asks once more.
    #[cold]
    pub(super) fn watch(&self, cx: &mut TaskContext<'_>, key: StreamKey) {
        let waker = cx.waker().clone();
        let streams = &self.connection.streams;
        let former = streams.update(|streams, _| streams.watch(key, waker));
        drop(former);
    }

    #[cold]
    fn head_failed(&self, error: Error, context: &mut Context) -> Error {
        let phase = self.phase_before_head();
        context.timing.timeline.lap(phase, clock::now());
        error
    }

    fn phase_before_head(&self) -> Phase {
        match self.upload {
            Upload::Over => Phase::Wait,
            _ => Phase::Send,
        }
    }

    /// What went on when the stream failed: content was sent, or the head awaited. Where the server has answered
    /// what it must not, the answer was awaited, whatever went out beside it.
    #[cold]
    fn phase_of(&self, error: StreamError) -> Phase {
        match error {
            StreamError::Connection(ConnectionEnd::Broken(_)) => Phase::Wait,
            StreamError::Reset(_) | StreamError::NotProcessed(_) | StreamError::Connection(_)
                if !self.holds_back_content() =>
            {
                self.phase_before_head()
            }
            _ => Phase::Wait,
        }
    }

    fn poll_head_timer(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Error> {
        loop {
            ready!(self.timer.poll_expired(cx, &self.connection.runtime));
            let limits = &context.timing.limits;
            let is_over_time = is_late(limits, clock::now());
            // A server that does not say 100 Continue gets the content anyway (RFC 9110 section 10.1.1).
            if !is_over_time && self.holds_back_content() {
                if let Err(error) = self.proceed(cx, context) {
                    return Poll::Ready(error);
                }
                continue;
            }
            return Poll::Ready(head_timeout(limits, self.phase_before_head()));
        }
    }
}

/// The urgency that a level is sent with (RFC 9218 section 4.1); the usual one is not said.
fn urgency(priority: Priority) -> Option<u8> {
    match priority {
        Priority::Critical => Some(0),
        Priority::High => Some(2),
        Priority::Low => Some(6),
        _ => None,
    }
}
