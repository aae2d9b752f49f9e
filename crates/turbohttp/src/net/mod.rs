//! The network: a transport that speaks HTTP over TCP and TLS.
//!
//! `send.rs` is the loop to read first.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use turbohttp_core::h1::EncodeError;
use turbohttp_core::h1::encode::DefaultFields;

use crate::body::buffer::ReadPool;
use crate::config::{Limits, Settings, Timeouts};
use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Transport;
use crate::url::host_of;

mod connect;
mod connection;
mod counters;
mod h1;
mod pool;
mod resolve;
mod route;
mod send;
mod shared;
mod shortage;
mod stream;
mod timer;
#[cfg(feature = "rustls")]
mod tls;
mod wire;

pub use counters::NetStats;
pub(crate) use send::NetSend;
#[cfg(feature = "rustls")]
pub use tls::Tls;

use connect::{Connector, SocketOptions};
use counters::Counters;
use pool::Pool;
use resolve::Overrides;
use shared::Shared;
use shortage::Shortage;
use wire::Wire;

/// The transport that speaks HTTP over the network: HTTP/1.1, over TCP or TLS.
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

/// Collects the options of a [`NetTransport`]; they are checked by [`build`](NetTransportBuilder::build).
#[derive(Clone)]
#[must_use = "a builder makes nothing until `build`"]
pub struct NetTransportBuilder {
    limits: Limits,
    timeouts: Timeouts,
    /// Fields of every request that does not set them itself.
    defaults: HeaderMap,
    /// As they were given; brought into normal form when the transport is built.
    overrides: Vec<(String, Vec<SocketAddr>)>,
    sockets: SocketOptions,
    lenient_fields: bool,
    #[cfg(feature = "rustls")]
    tls: Tls,
}

impl Default for NetTransportBuilder {
    fn default() -> NetTransportBuilder {
        NetTransportBuilder {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            defaults: HeaderMap::new(),
            overrides: Vec::new(),
            sockets: SocketOptions::DEFAULT,
            lenient_fields: false,
            #[cfg(feature = "rustls")]
            tls: Tls::default(),
        }
    }
}

impl NetTransportBuilder {
    /// Sets how much a response may take, and how many connections are kept idle. The limits on requests
    /// at once and on collected bodies are a client's, but for a request that no client sends.
    pub fn limits(mut self, limits: Limits) -> NetTransportBuilder {
        self.limits = limits;
        self
    }

    /// Sets how long idle connections are kept, and how long a request that no client sends may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> NetTransportBuilder {
        self.timeouts = timeouts;
        self
    }

    /// Connects to these addresses for `host` instead of asking DNS; their ports are used as they are,
    /// except 0, which stands for the URL's port. Every spelling of the host is the same: case, a final
    /// dot, IDNA, the forms of an address. Of two entries for one host the last holds.
    pub fn resolve(
        mut self,
        host: &str,
        addresses: impl Into<Vec<SocketAddr>>,
    ) -> NetTransportBuilder {
        self.overrides.push((host.to_owned(), addresses.into()));
        self
    }

    /// Passes malformed field lines of a response over, as browsers do, instead of refusing the response.
    /// [`Response::skipped_fields`](crate::Response::skipped_fields) counts them. A malformed line that is
    /// about the framing is refused all the same (RFC 9112 section 6.3), and the connection is closed
    /// after the response. Default `false`.
    pub fn lenient_fields(mut self, lenient: bool) -> NetTransportBuilder {
        self.lenient_fields = lenient;
        self
    }

    /// Probes the peer of a silent connection after `time` and then again each `time` (SO_KEEPALIVE), so
    /// that one whose peer has gone without a word is found; `None` does not. Default 60 s, as curl.
    pub fn tcp_keepalive(mut self, time: impl Into<Option<Duration>>) -> NetTransportBuilder {
        self.sockets.keepalive = time.into();
        self
    }

    /// Fails a connection whose peer has not acknowledged sent bytes for `limit` (TCP_USER_TIMEOUT, RFC
    /// 5482). Default `None`: the system's own time, mostly a quarter of an hour. Linux and Android only;
    /// elsewhere it has no effect.
    pub fn tcp_user_timeout(mut self, limit: impl Into<Option<Duration>>) -> NetTransportBuilder {
        self.sockets.user_timeout = limit.into();
        self
    }

    /// Sets how TLS connections are made and checked.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, tls: Tls) -> NetTransportBuilder {
        self.tls = tls;
        self
    }

    pub(crate) fn default_fields(mut self, defaults: HeaderMap) -> NetTransportBuilder {
        self.defaults = defaults;
        self
    }

    /// Checks the options and makes the transport. Nothing is connected or loaded yet, and no runtime is
    /// needed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the option, its bounds and its value.
    pub fn build(mut self) -> Result<NetTransport> {
        self.limits.check()?;
        self.timeouts.check()?;
        if let Some(whole) = self.timeouts.request {
            self.timeouts.allow(whole);
        }
        self.sockets.check()?;
        let overrides = normal_overrides(self.overrides)?;
        let buffers = ReadPool::new()
            .map_err(|error| Error::new(ErrorKind::Config, "read buffers").with_source(error))?;
        let shortage = Arc::<Shortage>::default();
        Ok(NetTransport {
            shared: Arc::new(Shared {
                wire: Arc::new(Wire {
                    buffers,
                    counters: Counters::default(),
                    shortage: shortage.clone(),
                    defaults: DefaultFields::new(self.defaults).map_err(default_field_error)?,
                    head_limits: self.limits.head().lenient(self.lenient_fields),
                }),
                pool: Arc::new(Pool::new(&self.limits, &self.timeouts, shortage)),
                connector: Connector::new(
                    overrides,
                    self.sockets,
                    #[cfg(feature = "rustls")]
                    self.tls,
                )?,
                settings: Settings {
                    timeouts: self.timeouts,
                    body_bytes_max: self.limits.body_bytes,
                },
            }),
        })
    }
}

impl fmt::Debug for NetTransportBuilder {
    /// Default fields without their values, which can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetTransportBuilder")
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .field("defaults", &self.defaults.keys().collect::<Vec<_>>())
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
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

    pub(crate) fn watch(&self) -> NetWatch {
        NetWatch {
            shared: self.shared.clone(),
        }
    }
}

impl Transport for NetTransport {
    /// Sends `request` on an idle connection of its origin, or on a new one.
    ///
    /// # Errors
    ///
    /// [`Error`] with its kind, phase, origin and the timeline so far.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection it was using; whether the server saw the request is not
    /// known.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        NetSend::new(&self.shared, request)
    }

    /// Closes the idle connections; those in use are closed when their responses end.
    fn close(&self) -> Result<()> {
        self.shared.pool.close();
        Ok(())
    }
}

fn normal_overrides(given: Vec<(String, Vec<SocketAddr>)>) -> Result<Overrides> {
    let normal = given.into_iter().map(|(text, addresses)| {
        // An entry that no request can match would look like a guard and be none.
        let host = host_of(&text).map_err(|message| {
            let message = format!("resolve: {text:?} is no host: {message}");
            Error::new(ErrorKind::Config, message)
        })?;
        Ok((host, addresses))
    });
    normal.collect()
}

#[cold]
fn default_field_error(error: EncodeError) -> Error {
    Error::new(ErrorKind::Config, format!("default header: {error}"))
}

/// A view of the network's counters that keeps no client alive.
pub(crate) struct NetWatch {
    shared: Arc<Shared>,
}

impl NetWatch {
    pub(crate) fn stats(&self) -> NetStats {
        let shared = &self.shared;
        let idle = shared.pool.idle_count();
        shared.wire.counters.stats(idle, &shared.wire.buffers)
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
