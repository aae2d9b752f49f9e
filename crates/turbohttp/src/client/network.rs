//! The options of a client that are about its network.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use super::builder::ClientBuilder;
#[cfg(feature = "__tls")]
use crate::net::Tls;
use crate::net::{IpVersion, Proxy, Resolve};

impl ClientBuilder {
    /// Sends requests for `host` to these addresses instead of asking DNS; their ports are used as
    /// they are, except 0, which stands for the URL's port.
    #[must_use]
    pub fn resolve(mut self, host: &str, addresses: impl IntoAddresses) -> Self {
        self.net = self.net.resolve(host, addresses.into_addresses());
        self
    }

    /// The same as [`resolve`](ClientBuilder::resolve), by the name that reqwest has for it.
    #[must_use]
    pub fn resolve_to_addrs(self, host: &str, addresses: &[SocketAddr]) -> Self {
        self.resolve(host, addresses)
    }

    /// Passes malformed field lines of responses over; see
    /// [`NetTransportBuilder::lenient_fields`](crate::NetTransportBuilder::lenient_fields).
    #[must_use]
    pub fn lenient_fields(mut self, lenient: bool) -> Self {
        self.net = self.net.lenient_fields(lenient);
        self
    }

    /// Speaks HTTP/1.1 only; see
    /// [`NetTransportBuilder::http1_only`](crate::NetTransportBuilder::http1_only).
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.net = self.net.http1_only();
        self
    }

    /// Speaks HTTP/2 only, without asking; see
    /// [`NetTransportBuilder::http2_prior_knowledge`](crate::NetTransportBuilder::http2_prior_knowledge).
    #[must_use]
    pub fn http2_prior_knowledge(mut self) -> Self {
        self.net = self.net.http2_prior_knowledge();
        self
    }

    /// Sets after how long of silence a peer is probed; see
    /// [`NetTransportBuilder::tcp_keepalive`](crate::NetTransportBuilder::tcp_keepalive).
    #[must_use]
    pub fn tcp_keepalive(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.net = self.net.tcp_keepalive(time);
        self
    }

    /// Sets how long sent bytes may stay unacknowledged; see
    /// [`NetTransportBuilder::tcp_user_timeout`](crate::NetTransportBuilder::tcp_user_timeout).
    #[must_use]
    pub fn tcp_user_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.net = self.net.tcp_user_timeout(limit);
        self
    }

    /// Asks this resolver for the addresses of names; see
    /// [`NetTransportBuilder::resolver`](crate::NetTransportBuilder::resolver).
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.net = self.net.resolver(resolver);
        self
    }

    /// Leads connections to one host and port to another; see
    /// [`NetTransportBuilder::connect_to`](crate::NetTransportBuilder::connect_to).
    #[must_use]
    pub fn connect_to(mut self, from: &str, to: &str) -> Self {
        self.net = self.net.connect_to(from, to);
        self
    }

    /// Connects to this Unix socket, whatever the origin; see
    /// [`NetTransportBuilder::unix_socket`](crate::NetTransportBuilder::unix_socket).
    #[cfg(unix)]
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.net = self.net.unix_socket(path);
        self
    }

    /// Connects from this address of the machine; see
    /// [`NetTransportBuilder::local_address`](crate::NetTransportBuilder::local_address).
    #[must_use]
    pub fn local_address(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.net = self.net.local_address(address);
        self
    }

    /// Connects from the first of these ports that is free; see
    /// [`NetTransportBuilder::local_port`](crate::NetTransportBuilder::local_port).
    #[must_use]
    pub fn local_port(mut self, ports: RangeInclusive<u16>) -> Self {
        self.net = self.net.local_port(ports);
        self
    }

    /// Connects by this network interface; see
    /// [`NetTransportBuilder::interface`](crate::NetTransportBuilder::interface).
    #[must_use]
    pub fn interface(mut self, name: &str) -> Self {
        self.net = self.net.interface(name);
        self
    }

    /// Connects to addresses of one family only; see
    /// [`NetTransportBuilder::ip_version`](crate::NetTransportBuilder::ip_version).
    #[must_use]
    pub fn ip_version(mut self, version: IpVersion) -> Self {
        self.net = self.net.ip_version(version);
        self
    }

    /// Adds a rule that sends requests by a proxy; see
    /// [`NetTransportBuilder::proxy`](crate::NetTransportBuilder::proxy).
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.net = self.net.proxy(proxy);
        self
    }

    /// Adds the rules about proxies that the environment names now; see
    /// [`NetTransportBuilder::proxy_from_env`](crate::NetTransportBuilder::proxy_from_env).
    #[must_use]
    pub fn proxy_from_env(mut self) -> Self {
        self.net = self.net.proxy_from_env();
        self
    }

    /// Sets how TLS connections are made and checked.
    #[cfg(feature = "__tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.net = self.net.tls(tls);
        self
    }
}

/// What the addresses of a host can be given as: one, or several.
pub trait IntoAddresses {
    /// The addresses, in the order in which they are tried.
    fn into_addresses(self) -> Vec<SocketAddr>;
}

impl IntoAddresses for SocketAddr {
    fn into_addresses(self) -> Vec<SocketAddr> {
        vec![self]
    }
}

impl IntoAddresses for Vec<SocketAddr> {
    fn into_addresses(self) -> Vec<SocketAddr> {
        self
    }
}

impl IntoAddresses for &[SocketAddr] {
    fn into_addresses(self) -> Vec<SocketAddr> {
        self.to_vec()
    }
}

impl<const N: usize> IntoAddresses for [SocketAddr; N] {
    fn into_addresses(self) -> Vec<SocketAddr> {
        self.to_vec()
    }
}
