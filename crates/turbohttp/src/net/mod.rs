//! The network: a transport that speaks HTTP over TCP and TLS.
//!
//! `send.rs` is the loop to read first.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::config::{Limits, Timeouts};
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::Dispatcher;
use crate::transport::Transport;

mod builder;
mod connect;
mod connection;
mod counters;
mod detour;
mod dial;
mod exchange_rules;
mod h1;
mod h2;
mod join;
mod notes;
mod obtain;
mod pool;
mod proxy;
mod race;
mod resolve;
mod route;
mod send;
mod shared;
mod shortage;
mod sockets;
mod stream;
mod tcp;
mod timer;
#[cfg_attr(not(feature = "__tls"), path = "tls/none.rs")]
mod tls;
mod versions;
mod wire;

pub use builder::NetTransportBuilder;
pub use counters::NetStats;
pub use proxy::{NoProxy, Proxy, ProxyServer};
pub use resolve::Resolve;
pub(crate) use send::NetSend;
pub use sockets::IpVersion;
#[cfg(feature = "__tls")]
pub use tls::{Tls, TlsVersion};

use shared::Shared;

/// The transport that speaks HTTP over the network: HTTP/1.1 and HTTP/2, over TCP or TLS.
///
/// A [`Client`](crate::Client) makes one of its own. Made by hand, it can be wrapped by a transport of
/// one's own, and it works without a client: connections, the resolver and TLS are all its own. Without a
/// client there are no limits on requests at once, and the [`Timeouts`] it was made with hold; sent by a
/// client, a request has that client's.
///
/// # Examples
///
/// A transport that wraps the network:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use turbohttp::{Client, NetTransport, Request, Response, Result, Transport};
///
/// struct Counted {
///     network: NetTransport,
///     sent: AtomicU64,
/// }
///
/// impl Transport for Counted {
///     async fn send(&self, request: Request) -> Result<Response> {
///         self.sent.fetch_add(1, Ordering::Relaxed);
///         self.network.send(request).await
///     }
///
///     fn close(&self) -> Result<()> {
///         self.network.close()
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let network = NetTransport::builder()
///     .resolve("api.test", [([127, 0, 0, 1], 8080).into()])
///     .build()?;
/// let client = Client::builder()
///     .transport(Counted { network, sent: AtomicU64::new(0) })
///     .build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
pub struct NetTransport {
    pub(crate) shared: Arc<Shared>,
}

impl NetTransport {
    /// A transport with these limits and timeouts, and default options otherwise.
    ///
    /// # Errors
    ///
    /// As [`NetTransportBuilder::build`].
    pub fn new(limits: &Limits, timeouts: &Timeouts) -> Result<NetTransport> {
        NetTransport::builder()
            .limits(*limits)
            .timeouts(*timeouts)
            .build()
    }

    /// A builder with default options.
    pub fn builder() -> NetTransportBuilder {
        NetTransportBuilder::default()
    }

    /// The transport's connections and buffers right now: one snapshot.
    pub fn stats(&self) -> NetStats {
        self.watch().stats()
    }

    /// Tells this scheduler how many requests connections carry at once.
    pub(crate) fn reports_to(&self, scheduler: &Arc<Dispatcher>) {
        // Set once, by the client that the network was made for.
        _ = self.shared.wire.scheduler.set(Arc::downgrade(scheduler));
    }

    pub(crate) fn watch(&self) -> NetWatch {
        NetWatch {
            shared: self.shared.clone(),
        }
    }
}

impl Transport for NetTransport {
    /// Sends `request` on an idle connection of its origin, on one that carries many requests, or on a new one.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) with its kind, phase, origin and the timeline so far.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection it was using, or resets its stream of HTTP/2 and leaves the
    /// connection to the others; whether the server saw the request is not known.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        NetSend::new(&self.shared, request)
    }

    /// Closes the idle connections; those in use are closed when their responses end. Connections of HTTP/2 take
    /// no new requests, and say so by GOAWAY.
    fn close(&self) -> Result<()> {
        self.shared.pool.close();
        Ok(())
    }
}

/// A view of the network's counters that keeps no client alive.
pub(crate) struct NetWatch {
    shared: Arc<Shared>,
}

impl NetWatch {
    pub(crate) fn stats(&self) -> NetStats {
        let shared = &self.shared;
        let idle = shared.pool.idle_count();
        let tls = shared.connector.tls_counts();
        let http2 = shared.pool.http2_counts();
        let counters = &shared.wire.counters;
        counters.stats(idle, http2, tls, &shared.wire.buffers)
    }

    /// Whether anything may stand in for an origin of https.
    pub(crate) fn accepts_any_certificate(&self) -> bool {
        self.shared.connector.accepts_any_certificate()
    }

    pub(crate) fn close_idle(&self) -> usize {
        self.shared.pool.close_idle()
    }
}

impl Drop for NetTransport {
    /// Responses that are still being read close their connections when they end.
    fn drop(&mut self) {
        self.shared.pool.close();
    }
}

impl fmt::Debug for NetTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetTransport")
            .field("idle", &self.shared.pool.idle_count())
            .finish()
    }
}
