//! Building a client: options, middlewares, transport.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};
use turbohttp_core::origin::{Origin, Origins};
use turbohttp_core::pool::ObjectPool;

use super::{Client, Inner, set_host_limit};
use crate::admission::AdmissionControl;
use crate::config::{Limits, Settings, Timeouts};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::CONTEXTS_MAX;
use crate::middleware::{Limited, MapRequest, MapResponse, Middleware, Stack};
#[cfg(feature = "rustls")]
use crate::net::Tls;
use crate::net::{NetTransport, NetTransportBuilder};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Transport;

/// Collects what a [`Client`] is made of; options are checked by [`build`](ClientBuilder::build).
pub struct ClientBuilder<T = Network, S = ()> {
    limits: Limits,
    timeouts: Timeouts,
    defaults: HeaderMap,
    net: NetTransportBuilder,
    host_limits: Vec<(Origin, usize)>,
    transport: T,
    stack: S,
}

/// Stands for the network in a [`ClientBuilder`] that was given no other transport.
#[derive(Debug)]
#[non_exhaustive]
pub struct Network;

impl ClientBuilder<Network, ()> {
    pub(crate) fn new() -> ClientBuilder<Network, ()> {
        let mut defaults = HeaderMap::new();
        let agent = concat!("turbohttp/", env!("CARGO_PKG_VERSION"));
        defaults.insert(USER_AGENT, HeaderValue::from_static(agent));
        defaults.insert(ACCEPT, HeaderValue::from_static("*/*"));
        ClientBuilder {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            defaults,
            net: NetTransport::builder(),
            host_limits: Vec::new(),
            transport: Network,
            stack: (),
        }
    }
}

impl<T, S> ClientBuilder<T, S> {
    /// Sets how much the client may take and keep.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives one origin a limit of its own in place of [`Limits::per_host`].
    #[must_use]
    pub fn host_limit(mut self, origin: Origin, limit: usize) -> Self {
        self.host_limits.push((origin, limit));
        self
    }

    /// Sets how long the client waits.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets a field that every request carries unless it sets that field itself.
    ///
    /// By default there are `user-agent: turbohttp/VERSION` and `accept: */*`.
    #[must_use]
    pub fn default_header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.defaults.insert(name, value);
        self
    }

    /// Sends requests for `host` to these addresses instead of asking DNS; their ports are used as
    /// they are, except 0, which stands for the URL's port.
    #[must_use]
    pub fn resolve(mut self, host: &str, addresses: impl Into<Vec<SocketAddr>>) -> Self {
        self.net = self.net.resolve(host, addresses);
        self
    }

    /// Sets how TLS connections are made and checked.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.net = self.net.tls(tls);
        self
    }

    /// Adds a middleware; the first one added sees the request first.
    #[must_use]
    pub fn with<M: Middleware>(self, middleware: M) -> ClientBuilder<T, (S, M)> {
        ClientBuilder {
            limits: self.limits,
            timeouts: self.timeouts,
            defaults: self.defaults,
            net: self.net,
            host_limits: self.host_limits,
            transport: self.transport,
            stack: (self.stack, middleware),
        }
    }

    /// Adds a function that changes every request on its way down.
    #[must_use]
    pub fn map_request<F>(self, f: F) -> ClientBuilder<T, (S, MapRequest<F>)>
    where
        F: Fn(&mut Request) + Send + Sync + 'static,
    {
        self.with(MapRequest(f))
    }

    /// Adds a function that changes every response on its way up.
    #[must_use]
    pub fn map_response<F>(self, f: F) -> ClientBuilder<T, (S, MapResponse<F>)>
    where
        F: Fn(&mut Response) + Send + Sync + 'static,
    {
        self.with(MapResponse(f))
    }

    /// Replaces the network by another transport: a [`MockTransport`](crate::MockTransport), or your
    /// own.
    #[must_use]
    pub fn transport<U: Transport>(self, transport: U) -> ClientBuilder<U, S> {
        ClientBuilder {
            limits: self.limits,
            timeouts: self.timeouts,
            defaults: self.defaults,
            net: self.net,
            host_limits: self.host_limits,
            transport,
            stack: self.stack,
        }
    }

    /// Checks the options and makes the client. Nothing is connected or loaded yet, and no runtime is
    /// needed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the option, its bounds and its value.
    pub fn build(self) -> Result<Client>
    where
        T: IntoTransport,
        S: Stack<Limited<T::Transport>>,
    {
        self.limits.check()?;
        self.timeouts.check()?;
        let contexts = ObjectPool::new(CONTEXTS_MAX, Context::default)
            .map_err(|error| Error::new(ErrorKind::Config, "context pool").with_source(error))?;
        let transport =
            self.transport
                .into_transport(&self.limits, &self.timeouts, self.defaults, self.net)?;
        let net_stats = T::as_net(&transport).map(NetTransport::watch);
        let control = AdmissionControl::new(self.limits.rules())?;
        for (origin, limit) in self.host_limits {
            set_host_limit(&control, &origin, Some(limit))?;
        }
        let limited = Limited::new(control.clone(), transport);
        let held = Arc::new(self.stack.around(limited).into_held());
        control.owns(held.clone());
        Ok(Client {
            inner: Arc::new(Inner {
                control,
                transport: held,
                is_layered: !S::IS_EMPTY,
                net_stats,
                contexts,
                origins: Origins::default(),
                settings: Settings {
                    timeouts: self.timeouts,
                    body_bytes_max: self.limits.body_bytes,
                },
            }),
        })
    }
}

impl<T: fmt::Debug, S: fmt::Debug> fmt::Debug for ClientBuilder<T, S> {
    /// Default fields without their values, which can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .field("defaults", &self.defaults.keys().collect::<Vec<_>>())
            .field("net", &self.net)
            .field("transport", &self.transport)
            .field("stack", &self.stack)
            .finish()
    }
}

/// What a builder can make a transport of: the options for the network, or a transport itself.
#[doc(hidden)]
pub trait IntoTransport {
    /// The transport that it becomes.
    type Transport: Transport;

    /// Makes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the options for it are out of bounds.
    fn into_transport(
        self,
        limits: &Limits,
        timeouts: &Timeouts,
        defaults: HeaderMap,
        net: NetTransportBuilder,
    ) -> Result<Self::Transport>;

    /// The transport, where it is the network.
    fn as_net(transport: &Self::Transport) -> Option<&NetTransport>;
}

impl IntoTransport for Network {
    type Transport = NetTransport;

    fn into_transport(
        self,
        limits: &Limits,
        timeouts: &Timeouts,
        defaults: HeaderMap,
        net: NetTransportBuilder,
    ) -> Result<NetTransport> {
        net.limits(*limits)
            .timeouts(*timeouts)
            .default_fields(defaults)
            .build()
    }

    fn as_net(transport: &NetTransport) -> Option<&NetTransport> {
        Some(transport)
    }
}

impl<T: Transport> IntoTransport for T {
    type Transport = T;

    fn into_transport(
        self,
        _limits: &Limits,
        _timeouts: &Timeouts,
        _defaults: HeaderMap,
        _net: NetTransportBuilder,
    ) -> Result<T> {
        Ok(self)
    }

    fn as_net(_transport: &T) -> Option<&NetTransport> {
        None
    }
}
