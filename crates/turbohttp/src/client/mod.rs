//! The client: verbs, and the way of a request into its transport.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method};
use turbohttp_core::origin::{Origin, Origins};
use turbohttp_core::pool::{ObjectPool, ObjectPoolStats, Reset as _};
use turbohttp_core::scheduler::{LaneKey, Scheduler, SchedulerAudit, SchedulerStats, Waited};
use turbohttp_core::timeline::Phase;

use crate::clock;
use crate::config::Settings;
use crate::context::Context;
use crate::error::Result;
use crate::limiter::ConcurrencyLimiter;
use crate::middleware::Pipeline;
use crate::net::{NetStats, NetWatch};
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::{CallGuard, CloseReport, Dispatcher, Shutdown};
use crate::url::IntoUrl;

mod builder;
mod call;
mod request_builder;

pub use builder::{ClientBuilder, IntoAddresses};
pub use request_builder::RequestBuilder;

use call::Call;

/// An HTTP client: connections, pools and options. A clone is the same client.
///
/// When the last clone is dropped the client is closed behind it: responses still being read go on,
/// and with the last of them middlewares and transport are closed. [`close`](Client::close) does the
/// same within a time, and reports.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: Arc<Pipeline>,
    /// Header fields that every request carries unless it sets them itself. The network writes them
    /// from a template of its own.
    default_headers: HeaderMap,
    net_stats: Option<NetWatch>,
    contexts: ObjectPool<Context>,
    origins: Origins,
    settings: Settings,
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

/// What a client holds right now: one snapshot.
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
    /// Dropping the future closes the connection it was using and gives everything else back; whether
    /// the server saw the request is not known.
    pub fn send(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
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
    /// Every request from now on fails with [`ErrorKind::Closed`](crate::ErrorKind). What is inside
    /// goes on or is canceled, as `mode` says; then the middlewares are closed, the one added last
    /// first, and then the transport. Every caller, however many there are, gets the same report; a
    /// later call with a stronger mode or less time makes it come sooner. All clones are the same
    /// client, and so are its [`limiter`](Client::limiter) and its queues.
    ///
    /// It needs no runtime, and works when the one the client was used in is gone.
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
        self.inner.control().close(mode).await
    }

    /// Closes the client at once: what waits is canceled, what runs is cut off.
    pub fn close_now(&self) {
        self.inner.control().begin_close(Shutdown::Now);
    }

    /// Whether a close has begun.
    pub fn is_closed(&self) -> bool {
        self.inner.control().is_closed()
    }

    /// The scheduler of this client: to pause an origin, to change limits, to look. Its keys are
    /// origins: give an [`Origin`] or any URL.
    pub fn limiter(&self) -> ConcurrencyLimiter {
        ConcurrencyLimiter::of_origins(self.inner.control().clone())
    }

    pub(crate) fn control(&self) -> &Arc<Dispatcher> {
        self.inner.control()
    }

    /// Starts the clock of a request that goes into a queue, which is where its call begins. Returns
    /// when its time is up.
    pub(crate) fn prepare_queued(&self, request: &mut Request) -> Option<Instant> {
        self.inner.prepare(&mut request.context);
        request.context.is_collected = true;
        request.context.time.deadline
    }

    /// [`prepare_queued`](Client::prepare_queued) for a request whose body its caller reads.
    pub(crate) fn prepare_streamed(&self, request: &mut Request) -> Option<Instant> {
        let deadline = self.prepare_queued(request);
        request.context.is_collected = false;
        deadline
    }

    /// Gives a request from a queue the call that its job was started with, permit included.
    pub(crate) fn start_queued(&self, request: &mut Request, call: CallGuard, waited: Waited) {
        let now = clock::now();
        let context = &mut *request.context;
        context.record_wait(waited, now, Phase::Queue);
        context.began = Some(now);
        context.call = Some(call);
    }

    /// Sends a request from a queue, and reads its body into memory unless its caller does.
    pub(crate) async fn send_queued(&self, mut request: Request) -> Result<Response> {
        let is_collected = std::mem::take(&mut request.context.is_collected);
        let response = self.send(request).await?;
        match is_collected {
            true => Box::pin(response.into_memory()).await,
            false => Ok(response),
        }
    }

    /// What is out right now: permits, waiting requests, contexts, connections, buffers.
    pub fn audit(&self) -> Audit {
        let stats = self.stats();
        Audit {
            scheduler: self.inner.control().look(Scheduler::audit),
            contexts: stats.contexts.outstanding,
            connections: stats.net.as_ref().map_or(0, |net| net.open - net.idle),
            buffers: stats.net.as_ref().map_or(0, |net| net.buffers.outstanding),
        }
    }

    /// What the client holds right now.
    pub fn stats(&self) -> Stats {
        let contexts = self.inner.contexts.stats();
        Stats {
            requests: contexts.outstanding,
            contexts,
            scheduler: self.inner.control().look(Scheduler::stats),
            net: self.inner.net_stats.as_ref().map(NetWatch::stats),
        }
    }
}

/// What of a client is out right now, for tests of those who use it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Audit {
    /// Requests inside, permits, waiting requests, lanes.
    pub scheduler: SchedulerAudit,
    /// Requests and responses that exist.
    pub contexts: u64,
    /// Connections in use.
    pub connections: u64,
    /// Read buffers in use.
    pub buffers: u64,
}

impl Audit {
    /// Whether nothing is out.
    pub fn is_idle(&self) -> bool {
        self.scheduler.is_idle() && self.contexts == 0 && self.connections == 0 && self.buffers == 0
    }
}

impl Inner {
    #[inline]
    fn control(&self) -> &Arc<Dispatcher> {
        &self.pipeline.carrier.scheduler
    }

    /// Whether there are hooks or middlewares. Without any, a call asks for its permit as it begins.
    #[inline]
    fn is_layered(&self) -> bool {
        !self.pipeline.layers.is_empty()
    }

    /// Whether the timer of a call ends it at its deadline: the network without layers keeps it itself.
    #[inline]
    fn needs_timer(&self) -> bool {
        self.is_layered() || !self.pipeline.carrier.transport.is_network()
    }

    /// Starts the clock of a call and fills in what its request left to the client.
    fn prepare(&self, context: &mut Context) -> Instant {
        let now = clock::now();
        if context.open_calls == 0 {
            if context.timeline.has_begun() {
                context.timeline.reset();
            }
            context.timeline.begin(now);
            context.time.deadline = None;
        }
        // One that comes from a queue, or from a transport of another client, has begun already.
        context.open_calls = context.open_calls.saturating_add(1);
        context.began = Some(now);
        let limit = context.time.timeout.or(self.settings.timeouts.request);
        let own = limit.and_then(|limit| now.checked_add(limit));
        context.time.deadline = clock::earlier(context.time.deadline, own);
        context.time.settings.get_or_insert(self.settings);
        if self.needs_timer() {
            self.add_default_headers(context);
        }
        now
    }

    /// Middlewares, hooks and other transports than the network see the default fields in the request.
    fn add_default_headers(&self, context: &mut Context) {
        for (name, value) in &self.default_headers {
            if !context.headers.contains_key(name) {
                context.headers.append(name.clone(), value.clone());
            }
        }
    }
}

impl Drop for Inner {
    /// Nobody can send any more; what is inside goes on.
    fn drop(&mut self) {
        self.control().close_behind();
    }
}

/// Sets the limit of one origin.
fn set_host_limit(control: &Dispatcher, origin: &Origin, limit: Option<usize>) -> Result<()> {
    let lane = LaneKey::from(origin);
    Ok(control
        .act(|scheduler, effects| scheduler.set_lane_limit(lane, limit, clock::now(), effects))?)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("stats", &self.stats())
            .finish()
    }
}
