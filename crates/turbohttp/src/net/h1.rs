//! Drives the HTTP/1.1 codec over a stream, up to the head of the response (`body.rs` goes on): the request's own future writes and reads.
//!
//! There is no task and no channel per connection. A future that is dropped drops its connection,
//! which closes it; only a connection whose exchange is over and quiet goes back to the idle ones.

use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use http::Method;
use tokio::runtime;
use tokio::task::coop::unconstrained;
use turbohttp_core::h1::encode::{self, DefaultFields, RequestHead};
use turbohttp_core::h1::{CloseReason, Exchange, HeadLimits, HeadStep, Reuse};
use turbohttp_core::origin::Origin;
use turbohttp_core::timeline::Phase;

use super::Shared;
use super::buffer::ReadBuffer;
use super::counters::Counters;
use super::stream::{Peeked, Stream};
use super::timer::Timer;
use super::upload::Upload;
use crate::clock;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::CONTINUE_WAIT_MS;

mod body;

const IN_USE: &str = "a connection in use has a home";

/// How long a connection may have rested before the system is asked whether it is quiet: short beside
/// what a server needs to close it, long beside the pause between two requests under load.
const ASK_AFTER: Duration = Duration::from_millis(1);

/// How long a body waits for `100 Continue`.
const CONTINUE_WAIT: Duration = Duration::from_millis(CONTINUE_WAIT_MS);

/// What is known of a connection that was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    Yes,
    No,
    /// TLS records have come, which need not be data: [`Connection::after_records`] tells.
    AfterRecords,
}

/// A connection that speaks HTTP/1.1, and the exchange that is going on.
pub(crate) struct Connection {
    stream: Stream,
    origin: Origin,
    /// What the heads of its requests have in common.
    head_template: Box<[u8]>,
    id: u64,
    opened_at: Instant,
    /// Whose reactor it is registered with: elsewhere nobody would wake it.
    runtime: runtime::Handle,
    /// Where it goes when it is quiet; `None` while it is there.
    home: Option<Arc<Shared>>,
    counters: Arc<Counters>,
    limits: HeadLimits,

    exchange: Exchange,
    upload: Upload,
    input: ReadBuffer,
    timer: Timer,
    /// The slice of the body that is lent out, and what is consumed when the next one is asked for.
    chunk: Range<usize>,
    chunk_consumed: usize,
    /// The last moment that is known: when the request began, its head arrived, or its body ended.
    since: Instant,
    /// Some byte of a response has arrived, be it of an interim one.
    answered: bool,
    /// Bytes were read after the head's last read, so the end of the body has an instant of its own.
    read_since_head: bool,
    /// A read of the body is awaited. Until then the caller takes its time, which is not the server's.
    waiting: bool,
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        origin: Origin,
        now: Instant,
        shared: &Arc<Shared>,
    ) -> Box<Connection> {
        Box::new(Connection {
            stream,
            usual: shared.defaults.head_template(origin.authority()),
            origin,
            id: shared.counters.opened(),
            opened_at: now,
            runtime: runtime::Handle::current(),
            home: Some(shared.clone()),
            counters: shared.counters.clone(),
            limits: shared.head_limits,
            exchange: Exchange::new(false, false, shared.head_limits),
            upload: Upload::default(),
            input: ReadBuffer::new(),
            timer: Timer::default(),
            chunk: 0..0,
            chunk_consumed: 0,
            since: now,
            answered: false,
            read_since_head: false,
            waiting: false,
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn leave_home(&mut self, shared: &Arc<Shared>) {
        self.home = Some(shared.clone());
    }

    /// Since when it has been idle, if it is.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    pub(crate) fn opened_at(&self) -> Instant {
        self.opened_at
    }

    pub(crate) fn runtime(&self) -> runtime::Id {
        self.runtime.id()
    }

    /// Whether nothing has happened on a connection that was put aside: no byte, no end, no error.
    ///
    /// One that was used a moment ago is believed what the reactor has seen, which costs no system
    /// call; one that has rested is asked.
    pub(crate) fn quiet(&mut self, cx: &mut TaskContext<'_>, now: Instant) -> Quiet {
        if !self.stream.is_quiet_so_far(cx) {
            return Quiet::No;
        }
        if now < self.since + ASK_AFTER {
            return Quiet::Yes;
        }
        match self.stream.peek() {
            Peeked::Nothing => Quiet::Yes,
            Peeked::Something => Quiet::No,
            Peeked::Records => Quiet::AfterRecords,
        }
    }

    /// Takes in the records that have come; the connection, if they were no data and no end.
    pub(crate) async fn after_records(mut self: Box<Self>) -> Option<Box<Self>> {
        self.stream.take_records().await.then_some(self)
    }

    /// Whether not one byte of the request left, so that it can be sent again whatever it is.
    pub(crate) fn sent_nothing(&self) -> bool {
        self.upload.sent_bytes() == 0
    }

    /// Whether the response is over with its head.
    pub(crate) fn is_done(&self) -> bool {
        self.exchange.is_done()
    }

    /// Writes the head into the buffer. A request that cannot be written leaves the connection as it was.
    pub(crate) fn begin(&mut self, context: &mut Context) -> Result<()> {
        let shared = self.home.as_ref().expect(IN_USE);
        let head = request_head(context, &self.origin, &shared.defaults, &self.usual);
        let encoded = encode::request_head(self.upload.start(), &head)?;
        let to_head = context.method == Method::HEAD;
        self.exchange = Exchange::new(to_head, encoded.closing, self.limits);
        self.upload.add_body(&context.body, context.expect_continue);
        self.since = context.began.unwrap_or_else(clock::now);
        self.answered = false;
        self.read_since_head = false;
        self.timer.set(
            self.since,
            context.time.timeouts().body,
            context.time.deadline,
        );
        Ok(())
    }

    /// Sends the request and receives the final head of its response: what can be sent first, then
    /// what has come, as a server may answer before it has the whole request.
    ///
    /// An error is marked as unanswered if no byte of a response had arrived and no time was up.
    pub(crate) fn poll_round_trip(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Poll<Result<()>> {
        if !self.upload.is_over()
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
            Poll::Ready(Err(error)) => match self.upload.take_failure() {
                Some(failure) if error.is_retryable() => upload_error(failure).unanswered(),
                _ => error,
            },
            Poll::Pending => ready!(self.poll_head_timer(cx, context)),
        };
        Poll::Ready(Err(self.round_trip_failed(error, context)))
    }

    #[cold]
    fn round_trip_failed(&self, error: Error, context: &mut Context) -> Error {
        context.timeline.lap(self.phase_before_head(), clock::now());
        error
    }

    /// Sends as much of the request as the stream takes. A failure to write is kept: the server may
    /// have answered before it closed.
    fn poll_upload(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Result<()> {
        let before = self.upload.sent_bytes();
        let over = self.upload.poll(cx, &mut self.stream, &mut context.body)?;
        if over.is_ready() {
            let now = clock::now();
            context.timeline.lap(Phase::Send, now);
            self.timer
                .set(now, context.time.timeouts().head, context.time.deadline);
        } else if let Some(since) = self.upload.waiting_since() {
            self.timer.set(since, CONTINUE_WAIT, context.time.deadline);
        } else if self.upload.sent_bytes() != before {
            let now = clock::now();
            // An upload that flows never waits, so its time is looked at here.
            if context
                .time
                .deadline
                .is_some_and(|deadline| deadline <= now)
            {
                return Err(Error::timeout(
                    Phase::Send,
                    "the request",
                    context.time.allowed(),
                ));
            }
            self.timer
                .set(now, context.time.timeouts().body, context.time.deadline);
        }
        Ok(())
    }

    fn poll_head(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Result<()>> {
        loop {
            if !self.input.is_empty() {
                match self
                    .exchange
                    .receive_head(self.input.filled(), &mut context.head)
                {
                    Ok(HeadStep::NeedMore) => {}
                    Ok(HeadStep::Interim { consumed, proceed }) => {
                        self.input.consume(consumed);
                        context.head.reset();
                        if proceed && self.upload.proceed() {
                            let limit = context.time.timeouts().body;
                            self.timer.set(clock::now(), limit, context.time.deadline);
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
            match ready!(self.poll_answer(cx)) {
                Ok(0) => return Poll::Ready(Err(self.head_truncated())),
                Ok(_) => self.answered = true,
                Err(error) => return Poll::Ready(Err(self.head_failed(error))),
            }
        }
    }

    fn head_received(&mut self, context: &mut Context) {
        let now = clock::now();
        context.timeline.lap(self.phase_before_head(), now);
        if !self.upload.is_complete() {
            self.exchange.close_because(CloseReason::RequestUnfinished);
        }
        self.since = now;
        self.read_since_head = false;
        self.waiting = false;
    }

    /// The error if the time for sending or for the head is up.
    fn poll_head_timer(&mut self, cx: &mut TaskContext<'_>, context: &mut Context) -> Poll<Error> {
        loop {
            ready!(self.timer.poll_expired(cx, &self.runtime));
            let now = clock::now();
            // A server that does not say 100 Continue gets the body anyway.
            let is_over_time = context
                .time
                .deadline
                .is_some_and(|deadline| deadline <= now);
            if !is_over_time && self.upload.proceed() {
                self.timer
                    .set(now, context.time.timeouts().body, context.time.deadline);
                if let Err(error) = self.poll_upload(cx, context) {
                    return Poll::Ready(error);
                }
                continue;
            }
            let phase = self.phase_before_head();
            return Poll::Ready(if is_over_time {
                Error::timeout(phase, "the request", context.time.allowed())
            } else if phase == Phase::Wait {
                Error::timeout(
                    phase,
                    "waiting for the response head",
                    context.time.timeouts().head,
                )
            } else {
                Error::timeout(
                    phase,
                    "a write of the request",
                    context.time.timeouts().body,
                )
            });
        }
    }

    /// Reads what the server says. While the request is still going out, outside the task's budget:
    /// an upload that flows would use it up, and the answer would never be seen.
    fn poll_answer(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        if self.upload.is_over() {
            return self.poll_fill(cx);
        }
        pin!(unconstrained(poll_fn(|cx| self.poll_fill(cx)))).poll(cx)
    }

    fn phase_before_head(&self) -> Phase {
        if self.upload.is_complete() {
            Phase::Wait
        } else {
            Phase::Send
        }
    }

    fn poll_fill(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        let home = self.home.as_ref().expect(IN_USE);
        self.input.poll_fill(&mut self.stream, &home.buffers, cx)
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
        if self.answered {
            error
        } else {
            error.unanswered()
        }
    }

    /// Ends a response that is over with its head.
    pub(crate) fn finish_now(self: Box<Self>) {
        self.go_home();
    }

    /// To the idle ones if the connection can serve another request, otherwise closed.
    fn go_home(mut self: Box<Self>) {
        let reuse = self.exchange.reuse(self.input.len());
        self.input.release();
        self.upload.release();
        self.chunk = 0..0;
        self.chunk_consumed = 0;
        if reuse == Reuse::Keep
            && let Some(home) = self.home.take()
        {
            home.idle.check_in(&home, self);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.counters.closed();
    }
}

/// What of a request goes into its head.
pub(super) fn request_head<'a>(
    context: &'a Context,
    origin: &'a Origin,
    defaults: &'a DefaultFields,
    usual: &'a [u8],
) -> RequestHead<'a> {
    RequestHead {
        method: &context.method,
        target: context.url.target(),
        authority: origin.authority(),
        headers: &context.headers,
        defaults,
        usual,
        body: context.body.length(),
        expect_continue: context.expect_continue,
    }
}

#[cold]
fn upload_error(error: io::Error) -> Error {
    Error::io(
        Phase::Send,
        "connection failed while the request was sent",
        error,
    )
}
