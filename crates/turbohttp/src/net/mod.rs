//! The network: check a connection out or make one, drive one exchange on it, hand it up.
//!
//! This is the loop one reads first: [`NetTransport::send`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use http::{HeaderMap, Method};
use turbohttp_core::h1::encode::{self, DefaultFields};
use turbohttp_core::h1::{EncodeError, HeadLimits};
use turbohttp_core::origin::Origin;
use turbohttp_core::pool::{BufferOptions, BufferPool, BufferPoolStats, ClearPolicy};

use crate::body::ResponseBody;
use crate::clock;
use crate::config::{Limits, Timeouts};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{
    READ_BUFFERS_BYTES_MAX, READ_BUFFERS_PER_SIZE_MAX, READ_BYTES_MAX, READ_BYTES_MIN,
};
use crate::request::Request;
use crate::response::Response;
use crate::transport::{Held, Transport};

mod buffer;
mod connect;
mod counters;
mod h1;
mod idle;
mod resolve;
mod stream;
mod timer;
#[cfg(feature = "rustls")]
mod tls;
mod upload;

pub use counters::NetStats;
#[cfg(feature = "rustls")]
pub use tls::Tls;

use connect::Connector;
use counters::Counters;
use h1::{Connection, Quiet};
use idle::Idle;
use resolve::Overrides;

/// Options of the network that are not numbers.
#[doc(hidden)]
#[derive(Default)]
pub struct NetOptions {
    pub(crate) overrides: Overrides,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Tls,
}

impl fmt::Debug for NetOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetOptions")
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}

/// The transport that speaks HTTP over the network.
pub struct NetTransport {
    shared: Arc<Shared>,
}

/// What the transport shares with its connections.
pub(crate) struct Shared {
    idle: Idle,
    buffers: BufferPool,
    counters: Arc<Counters>,
    connector: Connector,
    defaults: DefaultFields,
    head_limits: HeadLimits,
}

impl NetTransport {
    pub(crate) fn new(
        limits: &Limits,
        timeouts: &Timeouts,
        defaults: HeaderMap,
        options: NetOptions,
    ) -> Result<NetTransport> {
        let buffers = BufferPool::new(
            BufferOptions::default()
                .smallest(READ_BYTES_MIN)
                .largest(READ_BYTES_MAX)
                .per_bucket(READ_BUFFERS_PER_SIZE_MAX)
                .total_bytes(READ_BUFFERS_BYTES_MAX)
                // Read buffers never leave this crate: only bytes that a read put there for this
                // very response are shown, so there is nothing to clear.
                .clear(ClearPolicy::None),
        );
        let buffers = buffers
            .map_err(|error| Error::new(ErrorKind::Config, "read buffers").with_source(error))?;
        Ok(NetTransport {
            shared: Arc::new(Shared {
                idle: Idle::new(limits, timeouts),
                buffers,
                counters: Arc::new(Counters::default()),
                connector: Connector::new(options)?,
                defaults: DefaultFields::new(defaults).map_err(default_field_error)?,
                head_limits: limits.head(),
            }),
        })
    }

    pub(crate) fn watch(&self) -> NetWatch {
        NetWatch {
            shared: self.shared.clone(),
        }
    }

    /// Whether the request can be written at all, before a connection is made for it.
    fn check(&self, context: &Context, origin: &Origin) -> Result<()> {
        let defaults = &self.shared.defaults;
        let usual = defaults.usual(origin.authority());
        let head = h1::request_head(context, origin, defaults, &usual);
        encode::request_head(&mut Vec::new(), &head)?;
        Ok(())
    }

    /// Makes a connection to the origin of `request`, which travels along.
    async fn connect(&self, mut request: Request) -> (Request, Result<Box<Connection>>) {
        let origin = request.origin().clone();
        let connected = self.connect_to(&mut request.context, &origin).await;
        (request, connected)
    }

    async fn connect_to(&self, context: &mut Context, origin: &Origin) -> Result<Box<Connection>> {
        self.check(context, origin)?;
        let stream = self.shared.connector.connect(context, origin).await?;
        let now = clock::now();
        context.began = Some(now);
        Ok(Connection::new(stream, origin.clone(), now, &self.shared))
    }
}

impl Transport for NetTransport {
    fn send(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        NetSend::new(self, request)
    }

    fn close(&self) -> Result<()> {
        self.shared.idle.close();
        Ok(())
    }

    fn into_held(self) -> Held {
        Held::Net(self)
    }
}

/// The future of [`NetTransport::send`].
///
/// Written by hand, as every request carries it through the futures around it: what only some requests
/// need is boxed, and all the rest is kept in the context and in the connection.
///
/// A request waits for one of two things: for its round trip, if it has a connection, or for its
/// connection. They follow one another, except that a round trip on a connection that was used before
/// may lead back to a new one.
pub(crate) struct NetSend<'a> {
    net: &'a NetTransport,
    // Before the request: on every way out the connection goes first.
    /// How a connection is come by where no idle one will do as it is.
    way: Option<Way<'a>>,
    connection: Option<Box<Connection>>,
    /// `None` while a connection is made, which takes it along, and at the end.
    request: Option<Request>,
}

enum Way<'a> {
    /// A connection that rested has records to take in: only then is it known whether it is quiet.
    Records(Boxed<'a, Option<Box<Connection>>>),
    Connect(Boxed<'a, (Request, Result<Box<Connection>>)>),
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

const HELD: &str = "a request is here unless its connection is being made";

impl<'a> NetSend<'a> {
    #[inline]
    pub(crate) fn new(net: &'a NetTransport, request: Request) -> NetSend<'a> {
        NetSend {
            net,
            way: None,
            connection: None,
            request: Some(request),
        }
    }

    /// Comes by a connection, and puts the request into it.
    fn poll_connection(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        loop {
            match &mut self.way {
                None => {
                    if let Some(connection) = self.check_out(cx)? {
                        return Poll::Ready(self.begin_again(connection));
                    }
                }
                Some(Way::Records(records)) => {
                    let connection = ready!(records.as_mut().poll(cx));
                    self.way = None;
                    if let Some(connection) = connection {
                        return Poll::Ready(self.begin_again(connection));
                    }
                }
                Some(Way::Connect(connecting)) => {
                    let (request, connected) = ready!(connecting.as_mut().poll(cx));
                    self.way = None;
                    self.request = Some(request);
                    return Poll::Ready(self.begin(connected?, false));
                }
            }
        }
    }

    /// The newest idle connection on which nothing has happened since it was put aside; where there is
    /// none, the way to one.
    #[inline]
    fn check_out(&mut self, cx: &mut TaskContext<'_>) -> Result<Option<Box<Connection>>> {
        let net = self.net;
        let context = &mut *self.request.as_mut().expect(HELD).context;
        let began = began(context);
        let Some(origin) = context.url.origin() else {
            return Err(Error::new(ErrorKind::Url, "request has no URL"));
        };
        // A socket says nothing where nobody drives its runtime.
        if let Ok(here) = tokio::runtime::Handle::try_current() {
            let here = here.id();
            while let Some(mut connection) = net.shared.idle.check_out(origin, here, began) {
                match connection.quiet(cx, began) {
                    Quiet::Yes => return Ok(Some(connection)),
                    Quiet::No => {}
                    Quiet::AfterRecords => {
                        self.way = Some(Way::Records(Box::pin(connection.after_records())));
                        return Ok(None);
                    }
                }
            }
        }
        self.connect();
        Ok(None)
    }

    /// Making a connection is the cold path.
    #[cold]
    fn connect(&mut self) {
        let request = self.request.take().expect(HELD);
        self.way = Some(Way::Connect(Box::pin(self.net.connect(request))));
    }

    #[inline]
    fn begin_again(&mut self, mut connection: Box<Connection>) -> Result<()> {
        connection.leave_home(&self.net.shared);
        self.begin(connection, true)
    }

    /// Puts the request into the connection. One that cannot be written leaves the connection as it
    /// was.
    fn begin(&mut self, mut connection: Box<Connection>, is_reused: bool) -> Result<()> {
        let context = &mut *self.request.as_mut().expect(HELD).context;
        if let Err(error) = connection.begin(context) {
            connection.finish_now();
            return Err(error);
        }
        context.timeline.set_connection(connection.id(), is_reused);
        context.timeline.count_attempt();
        self.connection = Some(connection);
        Ok(())
    }

    /// What is to become of a request whose round trip has failed: sent once more, or over.
    #[cold]
    fn failed(&mut self, connection: Box<Connection>, error: Error) -> Result<()> {
        let context = &mut *self.request.as_mut().expect(HELD).context;
        let may_be_sent_again = context.timeline.is_connection_reused()
            && error.is_retryable()
            && can_be_sent_again(context, &connection);
        if !may_be_sent_again {
            return Err(error);
        }
        drop(connection);
        self.net.shared.counters.replayed();
        context.head.reset();
        context.began = Some(clock::now());
        self.connect();
        Ok(())
    }

    fn poll_round_trip(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Box<Connection>>> {
        loop {
            if let (Some(connection), Some(request)) = (&mut self.connection, &mut self.request) {
                let done = ready!(connection.poll_round_trip(cx, &mut request.context));
                let connection = self.connection.take().expect("just looked at");
                match done {
                    Ok(()) => return Poll::Ready(Ok(connection)),
                    Err(error) => self.failed(connection, error)?,
                }
            }
            ready!(self.poll_connection(cx))?;
        }
    }
}

impl Future for NetSend<'_> {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let sent = ready!(self.poll_round_trip(cx));
        let mut request = self.request.take().expect(HELD);
        let context = &mut *request.context;
        match sent {
            Ok(connection) if connection.is_done() => connection.finish_now(),
            Ok(connection) => context.received = ResponseBody::Live(connection),
            Err(error) => {
                let error = error.with_timeline(&context.timeline);
                return Poll::Ready(Err(match context.url.origin() {
                    Some(origin) => error.at(origin),
                    None => error,
                }));
            }
        }
        Poll::Ready(Ok(Response::new(request)))
    }
}

/// When the network's part of a request begins: with the request, unless a middleware came first.
fn began(context: &mut Context) -> Instant {
    if let Some(began) = context.began {
        return began;
    }
    let now = clock::now();
    context.began = Some(now);
    // What the middleware took belongs to no phase.
    context.timeline.end(now);
    now
}

/// Whether a request that got no answer may be sent again: if nothing of it was sent, or if its method
/// has the same effect when it is done twice (RFC 9110 section 9.2.2).
fn can_be_sent_again(context: &Context, connection: &Connection) -> bool {
    let idempotent = matches!(
        context.method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    );
    (idempotent || connection.sent_nothing()) && context.body.can_be_sent_again()
}

#[cold]
fn default_field_error(error: EncodeError) -> Error {
    Error::new(ErrorKind::Config, format!("default header: {error}"))
}

/// A view of the network's counters that keeps no client alive.
#[doc(hidden)]
pub struct NetWatch {
    shared: Arc<Shared>,
}

impl NetWatch {
    pub(crate) fn stats(&self) -> NetStats {
        let buffers: BufferPoolStats = self.shared.buffers.stats();
        self.shared.counters.stats(self.shared.idle.len(), buffers)
    }
}

impl fmt::Debug for NetWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetWatch")
    }
}

impl Drop for NetTransport {
    /// The client is gone: responses still being read close their connections at their end.
    fn drop(&mut self) {
        self.shared.idle.close();
    }
}

impl fmt::Debug for NetTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetTransport")
            .field("idle", &self.shared.idle.len())
            .finish()
    }
}
