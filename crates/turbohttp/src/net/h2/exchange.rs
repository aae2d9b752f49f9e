//! One request and its response on a stream of a connection.
//!
//! ```text
//!        poll_open                    head, content to come
//!  Idle ───────────> Sent: the head is awaited ────────────> Body ──end──> Idle
//!   ^ in line for a stream               │ head and content whole
//!   └────────────────────────────────────┘
//! ```
//!
//! Dropping an exchange resets its stream; the connection lives on.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use turbohttp_core::h1::encode::{Asks, BodyLength, RequestHead};
use turbohttp_core::h2::{Answer, Opened, Piece, Request, StreamKey, Ticket};
use turbohttp_core::scheduler::Priority;
use turbohttp_core::timeline::Phase;

use super::failure::{Refusal, gone, stream_error};
use super::upload::Upload;
use super::{Connection, Home};
use crate::body::buffer::{BufferedBody, ReadMemory};
use crate::body::{Content, Outgoing};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::REPLAYS_MAX;
use crate::net::timer::Timer;

/// One request on a connection. It is kept for the next one when it is over.
pub(crate) struct Exchange {
    pub(super) connection: Arc<Connection>,
    /// The pool that it returns to, while it is in use.
    home: Option<Arc<dyn Home>>,
    /// The stream, from the first write to the end.
    pub(super) key: Option<StreamKey>,
    /// The place in line for a stream.
    ticket: Option<Ticket>,
    /// When the waiting in line began.
    waits_since: Option<Instant>,
    pub(super) stage: Stage,
    pub(super) upload: Upload,
    pub(super) timer: Timer,
    /// The piece of content that is lent out.
    pub(super) lent: Option<Piece<ReadMemory>>,
    /// What its failure says about sending the request again.
    refusal: Refusal,
    /// How often the request was sent before and not processed.
    replays: u8,
    /// The last moment that is known.
    pub(super) since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The final head is awaited.
    Head,
    /// The head is here, and the content is still on the connection.
    Body,
    /// A piece of the content is awaited, and the timer runs.
    BodyAwaited,
    /// The response was whole with its head.
    Whole,
}

impl Exchange {
    pub(crate) fn new(connection: &Arc<Connection>) -> Box<Exchange> {
        Box::new(Exchange {
            connection: connection.clone(),
            home: None,
            key: None,
            ticket: None,
            waits_since: None,
            stage: Stage::Head,
            upload: Upload::Over,
            timer: Timer::default(),
            lent: None,
            refusal: Refusal::No,
            replays: 0,
            since: connection.opened_at,
        })
    }

    /// An exchange on this connection, checked out of this pool.
    pub(crate) fn on(
        connection: &Arc<Connection>,
        home: &Arc<impl Home + 'static>,
    ) -> Box<Exchange> {
        let mut exchange = Exchange::new(connection);
        exchange.checked_out(home.clone());
        exchange
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Notes that it was checked out of the pool of `home`.
    #[inline]
    pub(crate) fn checked_out(&mut self, home: Arc<dyn Home>) {
        self.home = Some(home);
    }

    /// Begins an exchange. Nothing is written yet: that is the first step of the round trip.
    #[inline]
    pub(crate) fn begin(&mut self, context: &mut Context, is_reused: bool, replays: u8) {
        self.replays = replays;
        self.stage = Stage::Head;
        self.refusal = Refusal::No;
        self.upload = Upload::Over;
        self.since = context.timing.began().unwrap_or_else(clock::now);
        context.response.addresses = self.connection.addresses;
        let timeline = &mut context.timing.timeline;
        timeline.set_connection(self.connection.id, is_reused);
        timeline.count_attempt();
    }

    /// Whether the server has not processed the request, so that it can be sent again whatever it is.
    pub(crate) fn is_unprocessed(&self) -> bool {
        self.refusal != Refusal::No
    }

    /// How often the request will have been sent and not processed if it is sent again; `None` if that is too
    /// often. A connection that goes away and has taken others does not count: there may be many of them in a
    /// row where each takes few requests, as nginx's do.
    #[cold]
    pub(crate) fn next_replay(&self) -> Option<u8> {
        let streams = &self.connection.streams;
        if self.refusal == Refusal::Moved && streams.look(|streams| streams.has_taken_some()) {
            return Some(self.replays);
        }
        (self.replays < REPLAYS_MAX).then_some(self.replays + 1)
    }

    /// Whether the server wants the request by HTTP/1.1 (RFC 9113 section 7).
    pub(crate) fn wants_http1(&self) -> bool {
        self.refusal == Refusal::WantsHttp1
    }

    /// Whether the request announced an expectation, and none of its content was sent.
    pub(crate) fn holds_back_content(&self) -> bool {
        matches!(self.upload, Upload::HeldBack { .. })
    }

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
                self.refusal = Refusal::Moved;
                return Poll::Ready(Err(gone()));
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
        let mut waker = Some(cx.waker().clone());
        let opened = connection.streams.update(|streams, wakes| {
            let place = (level, self.ticket);
            streams.open(&request, content, ends, place, spare, &mut waker, wakes)
        });
        Ok(opened?)
    }

    /// Waits in line for a stream: how long, the limit of the wait for a permit says.
    #[cold]
    fn poll_line(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Error> {
        let limits = &context.timing.limits;
        let own = limits.timeouts().permit.unwrap_or(clock::FAR);
        let since = *self.waits_since.get_or_insert(self.since);
        self.timer.set(since, own, limits.deadline);
        ready!(self.timer.poll_expired(cx, &self.connection.runtime));
        let now = clock::now();
        let is_request = limits.deadline.is_some_and(|deadline| deadline <= now);
        let (what, limit) = match is_request {
            true => ("the request", limits.allowed()),
            false => ("waiting for a stream", own),
        };
        self.refusal = Refusal::Unprocessed;
        let error = Error::timeout(Phase::HostPermit, what, limit).unsent();
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
                    let (error, refusal) = stream_error(error, answer.1, Phase::Wait);
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
        match self.upload.is_over() {
            true => Phase::Wait,
            false => Phase::Send,
        }
    }

    fn poll_head_timer(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Error> {
        loop {
            ready!(self.timer.poll_expired(cx, &self.connection.runtime));
            let now = clock::now();
            let limits = &context.timing.limits;
            let is_over_time = limits.deadline.is_some_and(|deadline| deadline <= now);
            // A server that does not say 100 Continue gets the content anyway (RFC 9110 section 10.1.1).
            if !is_over_time && self.holds_back_content() {
                if let Err(error) = self.proceed(cx, context) {
                    return Poll::Ready(error);
                }
                continue;
            }
            let phase = self.phase_before_head();
            let (what, limit) = match phase {
                _ if is_over_time => ("the request", limits.allowed()),
                Phase::Wait => ("waiting for the response head", limits.timeouts().head),
                _ => (super::upload::A_WRITE, limits.timeouts().body),
            };
            return Poll::Ready(Error::timeout(phase, what, limit));
        }
    }

    /// Makes what follows the head the body of the response. The exchange goes along, unless the response
    /// has arrived whole.
    #[inline]
    pub(crate) fn deliver(self: Box<Self>, context: &mut Context) {
        match self.stage {
            Stage::Whole => self.return_to_pool(),
            _ => context.response.body.0 = Content::Connection(self),
        }
    }

    /// Ends the exchange: its stream is released, and reset if it has not ended.
    pub(crate) fn finish(mut self: Box<Self>) {
        self.release();
        self.return_to_pool();
    }

    #[inline]
    fn return_to_pool(mut self: Box<Self>) {
        if let Some(home) = self.home.take() {
            home.take_back(self);
        }
    }

    /// Releases what it has of the connection.
    pub(super) fn release(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let streams = &self.connection.streams;
            streams.update(|streams, wakes| streams.leave(Some(ticket), wakes));
        }
        self.waits_since = None;
        if let Some(key) = self.key.take() {
            let now = clock::now();
            let streams = &self.connection.streams;
            // Dropped here, without the lock: buffers go to their pool, whose lock is another.
            drop(streams.update(|streams, wakes| streams.release(key, now, wakes)));
        }
        self.lent = None;
        self.upload = Upload::Over;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.release();
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
