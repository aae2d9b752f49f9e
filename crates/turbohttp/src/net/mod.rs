//! The network: check a connection out or make one, drive one exchange on it, hand it up.
//!
//! This is the loop one reads first: [`NetTransport::send`].

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method};
use turbohttp_core::h1::encode::{self, DefaultFields};
use turbohttp_core::h1::{EncodeError, HeadLimits};
use turbohttp_core::origin::Origin;
use turbohttp_core::pool::{BufferOptions, BufferPool, BufferPoolStats, ClearPolicy};

use crate::body::Received;
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
use h1::Connection;
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

    /// One exchange: on an idle connection of the origin, or on a new one.
    async fn exchange(&self, context: &mut Context, origin: &Origin) -> Result<Box<Connection>> {
        let began = began(context);
        if let Some(mut connection) = self.take_idle(origin, began).await {
            if let Err(error) = connection.begin(context) {
                connection.finish_now();
                return Err(error);
            }
            context.timeline.set_connection(connection.id(), true);
            match connection.round_trip(context).await {
                Ok(()) => return Ok(connection),
                Err(error) if error.is_retryable() && can_be_sent_again(context, &connection) => {
                    self.shared.counters.replayed();
                    context.head.reset();
                    context.began = Some(clock::now());
                }
                Err(error) => return Err(error),
            }
        }
        self.check(context, origin)?;
        // Making a connection is the cold path: boxed, so that the warm future stays small.
        let mut connection = Box::pin(self.connect(context, origin)).await?;
        context.timeline.set_connection(connection.id(), false);
        connection.begin(context)?;
        connection.round_trip(context).await?;
        Ok(connection)
    }

    /// The newest idle connection on which nothing has happened since it was put aside.
    async fn take_idle(&self, origin: &Origin, now: Instant) -> Option<Box<Connection>> {
        // A socket says nothing where nobody drives its runtime.
        let here = tokio::runtime::Handle::try_current().ok()?.id();
        while let Some(mut connection) = self.shared.idle.check_out(origin, here, now) {
            if connection.is_quiet(now).await {
                connection.leave_home(&self.shared);
                return Some(connection);
            }
        }
        None
    }

    /// Whether the request can be written at all, before a connection is made for it.
    fn check(&self, context: &Context, origin: &Origin) -> Result<()> {
        let head = h1::request_head(context, origin, &self.shared.defaults);
        encode::request_head(&mut Vec::new(), &head)?;
        Ok(())
    }

    async fn connect(&self, context: &mut Context, origin: &Origin) -> Result<Box<Connection>> {
        let stream = self.shared.connector.connect(context, origin).await?;
        let now = clock::now();
        context.began = Some(now);
        Ok(Connection::new(stream, origin.clone(), now, &self.shared))
    }
}

impl Transport for NetTransport {
    async fn send(&self, mut request: Request) -> Result<Response> {
        let context = &mut *request.context;
        let Some(origin) = context.url.origin().cloned() else {
            return Err(Error::new(ErrorKind::Url, "request has no URL"));
        };
        match self.exchange(context, &origin).await {
            Ok(connection) if connection.is_done() => connection.finish_now(),
            Ok(connection) => context.received = Received::Live(connection),
            Err(error) => return Err(error.at(&origin).with_timeline(&context.timeline)),
        }
        Ok(Response::new(request))
    }

    fn close(&self) -> Result<()> {
        self.shared.idle.close();
        Ok(())
    }

    fn into_held(self) -> Held {
        Held::Net(self)
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
