//! HTTP/1.1 on one connection: core's exchange driven over a stream. `round_trip.rs` goes to the head of
//! the response, `body.rs` on from there, and `upload.rs` sends the request beside both. The request's
//! own future writes and reads.
//!
//! There is no task and no channel per connection. A future that is dropped drops its connection,
//! which closes it; only a connection whose exchange is over goes back to the pool.
//!
//! ```text
//!            begin                first byte              final head
//!  Idle ──────────────> Unanswered ────────> Answered ──────────────┬─────> Body <──────┐
//!   ^                                                               │        │ wait     │ read
//!   │                                                               │        v          │
//!   ├── the whole body had arrived: deliver ────────────────────────┤   BodyAwaited ──> BodyRead
//!   │                                                               └─> BodyAhead ──> Body, BodyBroken
//!   └── the body has ended: return_to_pool
//! ```

use std::future::{Future, poll_fn};
use std::io;
use std::ops::{Deref, Range};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::task::coop::unconstrained;
use turbohttp_core::h1::encode::{self, DefaultFields, RequestHead};
use turbohttp_core::h1::{CloseReason, ContentSource, Exchange, ParseError, Reuse};
use turbohttp_core::head::ResponseHead;
use turbohttp_core::origin::Origin;

use super::connect::Connected;
use super::route::Route;
use super::stream::{Peeked, Stream};
use super::timer::Timer;
use super::wire::Wire;
use crate::body::buffer::{ReadBuffer, SpareBuffer};
use crate::body::{Content, Outgoing};
use crate::clock;
use crate::context::{Addresses, Context};
use crate::error::Result;
use crate::limits::{INLINE_BODY_BYTES_MAX, OUTPUT_KEPT_BYTES_MAX};

mod body;
mod round_trip;
mod tunnel;
mod upload;

/// How long a connection may have been idle before the system is asked for its health: short beside
/// what a server needs to close it, long beside the pause between two requests under load.
const ASK_AFTER: Duration = Duration::from_millis(1);

/// What is known of an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing has happened on it: no byte, no end, no error.
    Idle,
    /// It was closed, has failed, or has sent what belongs to no response.
    Unusable,
    /// TLS records have arrived, which need not be data: [`Connection::drain_tls`] tells.
    TlsRecords,
}

/// How far the response of the exchange has got. The request has stages of its own, in core's sending
/// half: a response may be at any of these while its request is still being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is no exchange.
    Idle,
    /// No byte of a response has arrived: a failure now may be answered by sending the request again.
    Unanswered,
    /// Some byte has arrived, possibly of an interim response only.
    Answered,
    /// The final head has arrived, and nothing was read since: what the body has was read with the head.
    Body,
    /// As `Body`, and what was decoded together with the head has not been handed out; the fault
    /// follows it, if there is one.
    BodyAhead(Option<ParseError>),
    /// What was decoded together with the head has been handed out, and this is wrong with the bytes
    /// behind it.
    BodyBroken(ParseError),
    /// A read of the body is awaited, and the timer runs. In all other stages of the body the caller
    /// takes its time, which is not the server's.
    BodyAwaited,
    /// Bytes were read after those of the head, so the end of the body has an instant of its own.
    BodyRead,
}

/// The pool of a connection, as far as the connection knows it.
pub(crate) trait Owner: Send + Sync {
    /// Takes a connection back whose exchange is over and which can serve another request.
    fn take_back(self: Arc<Self>, connection: Box<Connection>);
}

/// A connection that speaks HTTP/1.1, and the exchange that is going on.
pub(crate) struct Connection {
    stream: Stream,
    route: Route,
    addresses: Option<Addresses>,
    /// What the heads of its requests have in common.
    head_template: Box<[u8]>,
    /// The default fields of requests that a proxy forwards; those of all others are in `wire`.
    forwarded: Option<Box<DefaultFields>>,
    id: u64,
    opened_at: Instant,
    /// The runtime whose reactor the socket is registered with: only there do events wake a task.
    runtime: runtime::Handle,
    /// The pool that it returns to; `None` in the pool, which would keep itself alive.
    owner: Option<Arc<dyn Owner>>,

    exchange: Exchange,
    stage: Stage,
    input: ReadBuffer,
    timer: Timer,
    /// The slice of the body that is lent out, and what is consumed when the next one is asked for.
    chunk: Range<usize>,
    chunk_consumed: usize,
    /// What made the stream take no more of the request.
    write_failure: Option<io::Error>,
    /// The last moment that is known: when the request began, its head arrived, or its body ended.
    since: Instant,
    /// Since when it had been idle before this exchange.
    idle_since: Instant,
    wire: OpenWire,
}

impl Connection {
    pub(crate) fn new(
        connected: Connected,
        route: Route,
        now: Instant,
        wire: &Arc<Wire>,
        owner: Arc<dyn Owner>,
    ) -> Box<Connection> {
        let forwarder = route.forwarder();
        let forwarded = forwarder.map(|proxy| wire.defaults.for_proxy(proxy.authorization()));
        let defaults = forwarded.as_ref().unwrap_or(&wire.defaults);
        Box::new(Connection {
            stream: connected.stream,
            addresses: connected.addresses,
            head_template: defaults.head_template(route.origin.authority()),
            forwarded: forwarded.map(Box::new),
            route,
            id: wire.counters.opened(),
            opened_at: now,
            runtime: runtime::Handle::current(),
            owner: Some(owner),
            exchange: Exchange::new(false, false, wire.head_limits),
            stage: Stage::Idle,
            input: ReadBuffer::new(),
            timer: Timer::default(),
            chunk: 0..0,
            chunk_consumed: 0,
            write_failure: None,
            since: now,
            idle_since: now,
            wire: OpenWire(wire.clone()),
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    pub(crate) fn addresses(&self) -> Option<Addresses> {
        self.addresses
    }

    /// Notes that it was checked out of the pool of `owner`.
    #[inline]
    pub(crate) fn checked_out(&mut self, owner: Arc<dyn Owner>) {
        self.owner = Some(owner);
    }

    /// Since when it has been idle, if it is.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// How long it had been idle before this exchange.
    pub(crate) fn idle_before(&self) -> Duration {
        self.since.saturating_duration_since(self.idle_since)
    }

    pub(crate) fn opened_at(&self) -> Instant {
        self.opened_at
    }

    pub(crate) fn runtime(&self) -> &runtime::Handle {
        &self.runtime
    }

    /// How long the server says that it keeps the connection while it is idle: somewhat less, as its word
    /// and the next request are under way for a while.
    pub(crate) fn kept_by_server(&self) -> Option<Duration> {
        let seconds = self.exchange.keep_alive_seconds()?;
        let kept = Duration::from_secs(seconds.into());
        Some(kept.saturating_sub(Duration::from_secs(1)).max(kept / 2))
    }

    /// Whether something has happened on an idle connection, as far as the reactor has reported; if not,
    /// the task is woken by the next event.
    pub(crate) fn poll_event(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.stream.poll_event(cx)
    }

    /// Whether it can be used again, as far as is known at this end.
    ///
    /// A connection that was used a moment ago is judged by what the reactor has reported, which costs no
    /// system call; for one that has been idle for longer the system is asked.
    #[inline]
    pub(crate) fn health(&mut self, cx: &mut TaskContext<'_>, now: Instant) -> Health {
        if !self.stream.is_idle_so_far(cx) {
            return Health::Unusable;
        }
        if now < self.since + ASK_AFTER {
            return Health::Idle;
        }
        match self.stream.peek() {
            Peeked::Nothing => Health::Idle,
            Peeked::Something => Health::Unusable,
            Peeked::Records => Health::TlsRecords,
        }
    }

    /// Takes in the TLS records that have arrived; gives the connection back if they were no data and no
    /// end.
    pub(crate) async fn drain_tls(mut self: Box<Self>) -> Option<Box<Self>> {
        self.stream.drain_tls().await.then_some(self)
    }

    /// Whether not one byte of the request left, so that it can be sent again whatever it is.
    pub(crate) fn sent_nothing(&self) -> bool {
        self.exchange.send_half().sent_bytes() == 0
    }

    /// Whether the request announced an expectation, and none of its content was sent.
    pub(crate) fn holds_back_content(&self) -> bool {
        self.exchange.send_half().holds_back()
    }

    /// Begins an exchange: writes the head into the output buffer. A request that cannot be written
    /// leaves the connection as it was.
    #[inline]
    pub(crate) fn begin(&mut self, context: &mut Context) -> Result<()> {
        let (origin, template) = (&self.route.origin, &self.head_template);
        let (defaults, target) = match &self.forwarded {
            None => (&self.wire.defaults, context.request.url.target()),
            Some(defaults) => (&**defaults, context.request.url.as_str()),
        };
        let head = request_head(context, origin, defaults, target, template);
        let content = match &context.request.body.0 {
            Outgoing::Empty | Outgoing::Bytes(_) => ContentSource::Slice,
            Outgoing::Stream { .. } => ContentSource::Pieces,
        };
        // The only step that can fail, and the first: the connection is as it was if it does.
        self.exchange.begin(&head, content)?;
        if let Outgoing::Bytes(bytes) = &context.request.body.0
            && bytes.len() <= INLINE_BODY_BYTES_MAX
        {
            self.exchange.send_half_mut().inline(bytes);
        }
        // The first write is bounded like any other; the time for the head begins when all is sent.
        self.stage = Stage::Unanswered;
        self.idle_since = self.since;
        self.since = context.timing.began().unwrap_or_else(clock::now);
        self.timer.set(
            self.since,
            context.timing.limits.timeouts().body,
            context.timing.limits.deadline,
        );
        Ok(())
    }

    /// Makes what follows the head the body of the response. A body that has arrived whole takes the read
    /// buffer along, and the connection returns to the pool at once; so it does without a body.
    #[inline]
    pub(crate) fn deliver(mut self: Box<Self>, context: &mut Context) {
        if matches!(self.stage, Stage::Body) {
            if self.exchange.is_done() {
                return self.return_to_pool(&mut context.spare);
            }
            if self.exchange.may_hold_rest(self.input.filled()) {
                self.decode_ahead(&mut context.response.head);
            }
        }
        if matches!(self.stage, Stage::BodyAhead(None)) && self.exchange.is_done() {
            // Before the buffer is taken: bytes behind the body cost the connection.
            let surplus = self.input.len() - self.chunk_consumed;
            if let Some(body) = self.input.take_body(self.chunk.clone()) {
                context.response.body.0 = Content::Buffered(body);
            }
            return self.end_exchange(surplus);
        }
        // Not whole: the caller gets what there is, and then the rest or the error.
        context.response.body.0 = Content::Connection(self);
    }

    /// Decodes what has arrived together with the head, in place.
    #[inline]
    fn decode_ahead(&mut self, head: &mut ResponseHead) {
        let all = self.exchange.decode_all(self.input.filled_mut(), head);
        self.chunk = all.data;
        self.chunk_consumed = all.consumed;
        self.stage = Stage::BodyAhead(all.error);
        if all.error.is_some() {
            // The decoder stopped inside the fault: whatever it would make of the rest is no message.
            self.exchange.close_because(CloseReason::Failed);
        }
    }

    /// Reads into the input buffer. While the request is still going out before the head, outside the
    /// task's budget: an upload that flows would use it up, and the answer would never be seen.
    #[inline(always)]
    fn poll_fill(
        &mut self,
        cx: &mut TaskContext<'_>,
        spare: &mut SpareBuffer,
    ) -> Poll<io::Result<usize>> {
        if !self.exchange.send_half().is_over() && !self.has_head() {
            return self.poll_fill_unconstrained(cx, spare);
        }
        let (stream, input) = (&mut self.stream, &mut self.input);
        stream.poll_fill(cx, input, &self.wire.buffers, spare)
    }

    #[cold]
    fn poll_fill_unconstrained(
        &mut self,
        cx: &mut TaskContext<'_>,
        spare: &mut SpareBuffer,
    ) -> Poll<io::Result<usize>> {
        let (stream, input) = (&mut self.stream, &mut self.input);
        let fill = poll_fn(|cx| stream.poll_fill(cx, input, &self.wire.buffers, spare));
        pin!(unconstrained(fill)).poll(cx)
    }

    /// Ends the exchange: back to the pool if the connection can serve another request, otherwise closed.
    #[inline]
    pub(crate) fn return_to_pool(mut self: Box<Self>, spare: &mut SpareBuffer) {
        let surplus = self.input.len();
        self.input.release(spare);
        self.end_exchange(surplus);
    }

    /// [`return_to_pool`](Connection::return_to_pool) without its read buffer, which had `surplus` bytes
    /// that belong to no response.
    #[inline]
    fn end_exchange(mut self: Box<Self>, surplus: usize) {
        let reuse = self.exchange.reuse(surplus);
        self.exchange.send_half_mut().release(OUTPUT_KEPT_BYTES_MAX);
        self.stage = Stage::Idle;
        self.chunk = 0..0;
        self.chunk_consumed = 0;
        // Otherwise the drop at the end of this function closes the socket.
        if reuse == Reuse::Keep
            && let Some(owner) = self.owner.take()
        {
            owner.take_back(self);
        }
    }
}

/// What every connection needs, counted as an open one. The last field of its connection: when it is
/// dropped, the stream is closed.
struct OpenWire(Arc<Wire>);

impl Deref for OpenWire {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.0
    }
}

impl Drop for OpenWire {
    fn drop(&mut self) {
        self.0.counters.closed();
        self.0.shortage.freed();
    }
}

/// Whether the request can be written at all, before a connection is made for it.
pub(super) fn check_head(
    context: &Context,
    origin: &Origin,
    defaults: &DefaultFields,
) -> Result<()> {
    let template = defaults.head_template(origin.authority());
    let target = context.request.url.target();
    let head = request_head(context, origin, defaults, target, &template);
    encode::request_head(&mut Vec::new(), &head)?;
    Ok(())
}

/// The parts of a request that go into its head.
#[inline]
fn request_head<'a>(
    context: &'a Context,
    origin: &'a Origin,
    defaults: &'a DefaultFields,
    target: &'a str,
    head_template: &'a [u8],
) -> RequestHead<'a> {
    RequestHead {
        method: &context.request.method,
        target,
        authority: origin.authority(),
        headers: &context.request.headers,
        defaults,
        head_template,
        body: context.request.body.length(),
        asks: context.request.asks,
    }
}
