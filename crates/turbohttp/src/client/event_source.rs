//! Server-sent events that go on after the end of a connection.
//!
//! ```text
//!            send                  200                 end, or a failure of the network
//!  Opening ────────> response ──────────> Open ──────────────────────────────> Waiting
//!     ^                 │ 204, another status or type │ close                     │ time is up
//!     │                 v                             v                           │
//!     │               Ended <─────────────────────────┴────────── close ──────────┤
//!     └───────────────────────────────────────────────────────────────────────────┘
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use turbohttp_core::events::{Event, EventParser};
use turbohttp_core::timeline::Phase;

use super::Client;
use super::request_builder::RequestBuilder;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{
    EVENT_BYTES_MAX, EVENT_FAILURES_MAX, EVENT_ID_BYTES_MAX, EVENT_RETRY_MS, EVENT_RETRY_MS_MAX,
    EVENT_WAIT_MS_MAX, EVENT_WAIT_MS_MIN,
};
use crate::request::Request;
use crate::response::{EventStream, Response};
use crate::scheduler::Dispatcher;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl RequestBuilder {
    /// Reads server-sent events (HTML standard, section 9.2) by GET, and reconnects when the connection ends;
    /// see [`EventSource`]. With another method, send the request and take
    /// [`Response::events`](crate::Response::events).
    pub fn events(self) -> EventSource {
        let (client, request) = self.build_split();
        EventSource::new(client, request)
    }
}

/// The events of a URL, over as many connections as it takes; made by [`RequestBuilder::events`]. Also a
/// [`Stream`] of them.
///
/// Nothing is sent before it is first asked. When a response ends, or the network fails behind the first one,
/// the source waits and sends the request again, with the id of the last event in `Last-Event-ID`; a request that has
/// this field begins behind that event. It waits for
/// as long as the last field `retry` says (at most an hour), for 3 s if there was none; doubled with every
/// connection that brings no event, up to 60 s, and somewhat longer at random. It holds no permit meanwhile.
///
/// It ends with status 204, as that is how a server asks for it; with an error where the first connection
/// fails, where a status other than 200 or a Content-Type other than `text/event-stream` comes, where an event
/// passes [`EVENT_BYTES_MAX`], and where the network fails
/// [`EVENT_FAILURES_MAX`] times in a row; and with
/// [`ErrorKind::Closed`] when the client is closed.
///
/// [`Timeouts::body`](crate::Timeouts::body) bounds the time between two pieces of a response, and
/// [`Timeouts::request`](crate::Timeouts::request) the whole of one: when they pass, the source reconnects.
///
/// ```no_run
/// # async fn run() -> turbohttp::Result<()> {
/// let client = turbohttp::Client::new()?;
/// let mut events = client.get("https://example.com/news").events();
/// while let Some(event) = events.next().await {
///     println!("{}", event?.data);
/// }
/// # Ok(())
/// # }
/// ```
pub struct EventSource {
    client: Client,
    state: State,
    /// What is sent with each connection, but for the id; `None` if it cannot be built.
    request: Option<Request>,
    last_id: String,
    /// What the server has asked for, in milliseconds.
    retry_ms: u64,
    /// A response has been accepted.
    was_open: bool,
    /// The connection that is open has brought an event.
    has_event: bool,
    /// Connections in a row that brought no event.
    barren: u32,
    /// Failures in a row of the network.
    failures: u32,
}

enum State {
    Idle,
    Opening(Boxed<Result<Response>>),
    Open(Box<EventStream>),
    Waiting(Boxed<Result<()>>),
    Failed(Error),
    Ended,
}

impl EventSource {
    fn new(client: Client, request: Result<Request>) -> EventSource {
        let (mut request, state) = match request.and_then(prepared) {
            Ok(request) => (Some(request), State::Idle),
            Err(error) => (None, State::Failed(error)),
        };
        // An id that the caller knows is one like those that come: a later one replaces it, also by none.
        let last_id = request.as_mut().and_then(take_id).unwrap_or_default();
        EventSource {
            client,
            state,
            request,
            last_id,
            retry_ms: EVENT_RETRY_MS,
            was_open: false,
            has_event: false,
            barren: 0,
            failures: 0,
        }
    }

    /// The id of the last event, or the one that the request began with; empty if there is none.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The next event; `None` when the server has ended the stream by status 204, and after an error.
    ///
    /// # Errors
    ///
    /// As [`Client::send`] and [`Response::chunk`](crate::Response::chunk), where they end the source;
    /// [`ErrorKind::Status`], [`ErrorKind::Decode`] for another Content-Type, [`ErrorKind::TooLarge`],
    /// [`ErrorKind::Closed`], [`ErrorKind::Request`] for a method other than GET or a body that is sent once.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost, and the connection stays open until the source is dropped.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Event>>> {
        loop {
            let step = match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Idle => self.open(),
                State::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(response) => self.accept(response),
                    Err(error) => self.failed(error),
                },
                State::Open(stream) => match ready!(Pin::new(stream).poll_next(cx)) {
                    Some(Ok(event)) => {
                        self.has_event = true;
                        self.last_id.clone_from(&event.id);
                        return Poll::Ready(Some(Ok(event)));
                    }
                    Some(Err(error)) => self.failed(error),
                    None => self.wait(),
                },
                State::Waiting(waiting) => match ready!(waiting.as_mut().poll(cx)) {
                    Ok(()) => self.open(),
                    Err(error) => State::Failed(error),
                },
                State::Failed(_) => State::Ended,
            };
            // What was open is dropped here, and with it its connection and its permit.
            if let State::Failed(error) = std::mem::replace(&mut self.state, step) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Sends the request, with the id of the last event.
    fn open(&mut self) -> State {
        let Some(mut request) = self.request.as_ref().and_then(Request::try_clone) else {
            return State::Ended;
        };
        // An id that no field can carry is left out: the stream begins anew.
        let length = self.last_id.len();
        if (1..=EVENT_ID_BYTES_MAX).contains(&length)
            && let Ok(id) = HeaderValue::from_bytes(self.last_id.as_bytes())
        {
            request.headers_mut().insert(LAST_EVENT_ID, id);
        }
        // Of its own, as the future of a call borrows its client.
        let client = self.client.clone();
        State::Opening(Box::pin(async move { client.send(request).await }))
    }

    /// Looks at the head of a response: its events are read, or it ends the source.
    fn accept(&mut self, response: Response) -> State {
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return State::Ended;
        }
        if status != StatusCode::OK {
            let message = format!("server answered {status} to a request for events");
            let error = Error::new(ErrorKind::Status, message).with_status(status);
            return State::Failed(response.explain(error));
        }
        let content_type = response.header("content-type").unwrap_or("none");
        let essence = content_type.split(';').next().unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case("text/event-stream") {
            let message = format!("Content-Type is {content_type:?} and not text/event-stream");
            return State::Failed(response.explain(Error::new(ErrorKind::Decode, message)));
        }
        (self.was_open, self.has_event, self.failures) = (true, false, 0);
        let parser = EventParser::new(EVENT_BYTES_MAX).after(&self.last_id);
        State::Open(Box::new(EventStream::new(response, parser)))
    }

    /// Reconnects where the network failed behind the first response; anything else ends the source.
    fn failed(&mut self, error: Error) -> State {
        self.failures += 1;
        let may_go_on = self.was_open && self.failures <= EVENT_FAILURES_MAX;
        match may_go_on && is_of_network(&error) {
            true => self.wait(),
            false => State::Failed(error),
        }
    }

    fn wait(&mut self) -> State {
        if let State::Open(stream) = &self.state {
            // Also what came without an event.
            self.last_id = stream.parser().last_id().to_owned();
            self.retry_ms = stream.parser().retry_ms().unwrap_or(self.retry_ms);
        }
        self.barren = match std::mem::take(&mut self.has_event) {
            true => 0,
            false => self.barren.saturating_add(1),
        };
        let delay = delay_ms(self.retry_ms, self.barren);
        // So that many clients of one server do not come back at once.
        let spread = match self.barren {
            0 => 0,
            _ => fastrand::u64(0..=delay / 4),
        };
        let delay = Duration::from_millis(delay + spread);
        State::Waiting(Box::pin(pause(self.client.dispatcher().clone(), delay)))
    }
}

/// How long is waited before a reconnect, in milliseconds: `retry_ms`, doubled for each of the `barren`
/// connections but the first.
fn delay_ms(retry_ms: u64, barren: u32) -> u64 {
    let retry_ms = retry_ms.min(EVENT_RETRY_MS_MAX);
    if barren == 0 {
        return retry_ms;
    }
    let most = EVENT_WAIT_MS_MAX.max(retry_ms);
    let doubled = 1_u64.checked_shl(barren - 1).unwrap_or(u64::MAX);
    retry_ms
        .max(EVENT_WAIT_MS_MIN)
        .saturating_mul(doubled)
        .min(most)
}

/// Waits; a close of the client ends it.
async fn pause(scheduler: Arc<Dispatcher>, delay: Duration) -> Result<()> {
    let mut sleep = pin!(clock::sleep_until(clock::after(clock::now(), delay))?);
    let mut closing = pin!(scheduler.until_closing());
    poll_fn(|cx| {
        // The close first: a wait of no time must not outrun it.
        if closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(Error::closed().in_phase(Phase::Backoff)));
        }
        sleep.as_mut().poll(cx).map(Ok)
    })
    .await
}

/// The request with the fields that ask for events.
fn prepared(mut request: Request) -> Result<Request> {
    if request.method() != Method::GET || !request.body().can_be_sent_again() {
        let message =
            "a source of events sends GET again and again, without a body that is sent once";
        return Err(Error::new(ErrorKind::Request, message));
    }
    let fields = [(ACCEPT, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    for (name, value) in fields {
        let entry = request.headers_mut().entry(name);
        entry.or_insert(HeaderValue::from_static(value));
    }
    Ok(request)
}

/// The id that the request has in Last-Event-ID.
fn take_id(request: &mut Request) -> Option<String> {
    let value = request.headers_mut().remove(LAST_EVENT_ID)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Whether it may go away by itself.
fn is_of_network(error: &Error) -> bool {
    use ErrorKind::{Connect, Dns, Io, Proxy, Timeout, Truncated};

    matches!(
        error.kind(),
        Dns | Connect | Proxy | Io | Timeout | Truncated
    )
}

impl Stream for EventSource {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("request", &self.request)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_without_events_and_stay_bounded() {
        assert_eq!(delay_ms(0, 0), 0);
        assert_eq!(delay_ms(3_000, 0), 3_000);
        let waits = [1, 2, 3, 4, 5, 6, 7, 100, u32::MAX].map(|barren| delay_ms(3_000, barren));
        let expected = [3, 6, 12, 24, 48, 60, 60, 60, 60];
        assert_eq!(waits, expected.map(|seconds| seconds * 1_000));
        // A server that asks for no wait, and brings nothing, is not asked without one.
        assert_eq!(delay_ms(0, 1), EVENT_WAIT_MS_MIN);
        assert_eq!(delay_ms(u64::MAX, 9), EVENT_RETRY_MS_MAX);
    }
}
