//! The client: verbs, and the way of a request into its transport.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use http::Method;
use turbohttp_core::origin::Origin;
use turbohttp_core::pool::ObjectPoolStats;
use turbohttp_core::scheduler::{LaneKey, Rate, Scheduler, SchedulerAudit, SchedulerStats, Waited};
use turbohttp_core::timeline::Phase;

use crate::clock;
use crate::error::Result;
use crate::limiter::ConcurrencyLimiter;
use crate::net::{NetStats, NetWatch};
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::{CallGuard, CloseReport, Dispatcher, Shutdown};
use crate::url::IntoUrl;

mod builder;
mod call;
mod event_source;
mod inner;
mod line;
mod network;
mod policies;
mod request_builder;

pub use builder::ClientBuilder;
pub use event_source::EventSource;
pub use line::{Place, Waiting};
pub use network::IntoAddresses;
pub use request_builder::RequestBuilder;

use call::Call;
use inner::Inner;

/// An HTTP client: connections, pools, limits and options. A clone is the same client.
///
/// ```no_run
/// # async fn run() -> turbohttp::Result<()> {
/// use std::time::Duration;
/// use turbohttp::{Client, Limits, Shutdown};
///
/// let client = Client::builder()
///     .limits(Limits::default().per_host(8))
///     .timeout(Duration::from_secs(30))
///     .build()?;
/// let text = client.get("https://example.com/").send().await?.error_for_status()?.text().await?;
/// println!("{} bytes", text.len());
/// println!("{}", client.close(Shutdown::default()).await);
/// # Ok(())
/// # }
/// ```
///
/// When the last clone is dropped, the client is closed behind it: responses that are being read go on,
/// and with the last of them middlewares and transport are closed. [`close`](Client::close) does the
/// same within a time, and reports.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

/// Sends one GET request with a client of its own.
///
/// For more than one request make a [`Client`] and keep it: it has the connections.
///
/// # Errors
///
/// As [`Client::send`].
///
/// # Cancel safety
///
/// As [`Client::send`].
pub async fn get(url: impl IntoUrl) -> Result<Response> {
    Client::new()?.get(url).send().await
}

/// What a client holds right now: one snapshot of each of its parts, taken one after the other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Requests that exist: being built, sent, or read as responses.
    pub requests: u64,
    /// The pool of request contexts.
    pub contexts: ObjectPoolStats,
    /// What the scheduler has done so far.
    pub scheduler: SchedulerStats,
    /// The network's connections and buffers; `None` with another transport.
    pub net: Option<NetStats>,
}

impl Client {
    /// A client with default options.
    ///
    /// # Errors
    ///
    /// None with the default options; see [`ClientBuilder::build`].
    pub fn new() -> Result<Client> {
        Client::builder().build()
    }

    /// A builder with default options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A GET request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A HEAD request.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// A POST request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A PUT request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// A PATCH request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// A DELETE request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// An OPTIONS request.
    pub fn options(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::OPTIONS, url)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let request = Request {
            context: self.inner.contexts.take(),
        };
        RequestBuilder::new(self.clone(), request, method, &url.as_url())
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// On a connection that was used before and died before it gave one byte of an answer, an
    /// idempotent request whose body can be sent again is sent once more, on a fresh connection
    /// (RFC 9110 section 9.2.2). Nothing else is ever sent twice.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) with its kind, phase, origin and the timeline so far. Where nothing of the
    /// request was sent because no permit was to be had, [`Error::into_request`](crate::Error::into_request)
    /// returns it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that it was using, or resets its stream of HTTP/2, and releases
    /// everything else; whether the server saw the request is not known.
    ///
    /// # Panics
    ///
    /// In a tokio runtime whose time driver is off, polling panics where a wait is bounded in time: when a
    /// connection is made, with a transport of one's own, and where the request has a deadline and waits in
    /// a middleware or in a mock.
    pub fn send(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        // Nothing happens before the first poll: a call that is not polled is not counted.
        Call::new(&self.inner, request)
    }

    /// Sends a request; the same as [`send`](Client::send), by the name that reqwest has for it.
    ///
    /// # Errors
    ///
    /// As [`send`](Client::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Client::send).
    pub fn execute(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        self.send(request)
    }

    /// Closes the client and waits for the end.
    ///
    /// Every request from now on fails with [`ErrorKind::Closed`](crate::ErrorKind). Calls that are under
    /// way go on or are canceled, as `mode` says; then the middlewares are closed, the one added last
    /// first, and then the transport. All callers of `close` get the same report; a later call with a
    /// stronger mode or less time makes it come sooner. All clones are the same client, and its
    /// [`limiter`](Client::limiter) and its queues are closed with it.
    ///
    /// It needs no runtime, and works when the runtime that the client was used in is gone.
    ///
    /// A request counts until its body has ended or its [`Response`] is dropped, unless the body had
    /// arrived whole with its head: a close that is awaited by the owner of a response whose body is still
    /// on a connection takes its whole time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo the close: it goes on, and another call of `close` gives the
    /// report.
    pub async fn close(&self, mode: Shutdown) -> CloseReport {
        self.inner.scheduler().close(mode).await
    }

    /// Closes the client at once: what waits is canceled, what runs is cut off.
    pub fn close_now(&self) {
        self.inner.scheduler().begin_close(Shutdown::Now);
    }

    /// Whether a close has begun.
    pub fn is_closed(&self) -> bool {
        self.inner.scheduler().is_closed()
    }

    /// The scheduler of this client: to pause an origin, to change limits, to look. Its keys are
    /// origins: give an [`Origin`] or any URL.
    pub fn limiter(&self) -> ConcurrencyLimiter {
        ConcurrencyLimiter::of_origins(self.inner.scheduler().clone())
    }

    pub(crate) fn dispatcher(&self) -> &Arc<Dispatcher> {
        self.inner.scheduler()
    }

    /// Starts the clock of a request that goes into a queue, which is where its call begins. Returns
    /// when its time is up.
    pub(crate) fn prepare_queued(&self, request: &mut Request) -> Option<Instant> {
        self.begin_early(request, clock::now());
        request.context.request.is_collected = true;
        request.context.timing.limits.deadline
    }

    /// Starts the clock of a request before its call begins, which goes on with it.
    fn begin_early(&self, request: &mut Request, now: Instant) {
        let timing = &mut request.context.timing;
        timing.begin_call(now, &self.inner.settings);
        // The request may come back to its owner, who sends it in another way: then it begins anew.
        timing.end_call();
    }

    /// [`prepare_queued`](Client::prepare_queued) for a request whose body its caller reads.
    pub(crate) fn prepare_streamed(&self, request: &mut Request) -> Option<Instant> {
        let deadline = self.prepare_queued(request);
        request.context.request.is_collected = false;
        deadline
    }

    /// Gives a request from a queue the call that its job was started with, permit included.
    pub(crate) fn start_queued(&self, request: &mut Request, call: CallGuard, waited: Waited) {
        let now = clock::now();
        let context = &mut *request.context;
        context.timing.record_wait(waited, now, Phase::Queue);
        context.timing.begin_exchange(now);
        context.hold_call(call);
    }

    /// Sends a request from a queue, and reads its body into memory unless its caller does.
    pub(crate) async fn send_queued(&self, mut request: Request) -> Result<Response> {
        let is_collected = std::mem::take(&mut request.context.request.is_collected);
        let response = self.send(request).await?;
        match is_collected {
            // Boxed: the future of a collected body is large, and every worker would carry it.
            true => Box::pin(response.into_memory()).await,
            false => Ok(response),
        }
    }

    /// What is in use right now: permits, waiting requests, contexts, connections, buffers.
    pub fn audit(&self) -> Audit {
        let stats = self.stats();
        // The pools first and the scheduler after them: a request that ends in between looks like one that is
        // still inside, never like a leak.
        Audit {
            scheduler: self.inner.scheduler().read(Scheduler::audit),
            contexts: stats.contexts.outstanding,
            // `Counters::stats` never says that more are idle than open, so the difference is not below zero.
            connections: stats.net.as_ref().map_or(0, |net| net.open - net.idle),
            buffers: stats.net.as_ref().map_or(0, |net| net.buffers.outstanding),
        }
    }

    /// Closes the connections that are idle right now, and says how many they were: after a change of network or of
    /// names, or to give descriptors back. The client goes on, and what is in use is not touched. 0 for a transport
    /// other than the network.
    pub fn close_idle_connections(&self) -> usize {
        let net = self.inner.net_stats.as_ref();
        net.map_or(0, NetWatch::close_idle)
    }

    /// What the client holds right now.
    pub fn stats(&self) -> Stats {
        let contexts = self.inner.contexts.stats();
        Stats {
            requests: contexts.outstanding,
            contexts,
            scheduler: self.inner.scheduler().read(Scheduler::stats),
            net: self.inner.net_stats.as_ref().map(NetWatch::stats),
        }
    }
}

/// What of a client is in use right now: in a test, what must be idle at its end.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// # use turbohttp::{Client, MockReply, MockTransport, StatusCode};
/// let mock = MockTransport::new(MockReply::new(StatusCode::OK));
/// let client = Client::builder().transport(mock).build()?;
/// drop(client.get("http://mock.test/").send().await?);
/// assert!(client.audit().is_idle());
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Audit {
    /// Calls, permits, waiting calls, origins.
    pub scheduler: SchedulerAudit,
    /// Requests and responses that exist.
    pub contexts: u64,
    /// Connections in use.
    pub connections: u64,
    /// Read buffers in use.
    pub buffers: u64,
}

impl Audit {
    /// Whether nothing is in use: no call, no permit, no request, no connection, no buffer.
    pub fn is_idle(&self) -> bool {
        self.scheduler.is_idle() && self.contexts == 0 && self.connections == 0 && self.buffers == 0
    }
}

/// Sets the limit of one origin.
fn set_host_limit(dispatcher: &Dispatcher, origin: &Origin, limit: usize) -> Result<()> {
    let lane = LaneKey::from(origin);
    Ok(dispatcher.update(|scheduler, effects| {
        scheduler.set_lane_limit(lane, Some(limit), clock::now(), effects)
    })?)
}

/// Sets the rate of one origin.
fn set_host_rate(dispatcher: &Dispatcher, origin: &Origin, rate: Rate) -> Result<()> {
    let lane = LaneKey::from(origin);
    Ok(dispatcher.update(|scheduler, effects| {
        scheduler.set_lane_rate(lane, Some(rate), clock::now(), effects)
    })?)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("stats", &self.stats())
            .finish()
    }
}
