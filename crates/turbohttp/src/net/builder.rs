//! The options of the network.

use std::env;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use turbohttp_core::h1::EncodeError;
use turbohttp_core::h1::encode::DefaultFields;

use super::NetTransport;
use super::connect::{Connector, Options};
use super::counters::Counters;
use super::detour::ConnectTo;
use super::dial::Dials;
use super::pool::Pool;
use super::proxy::{Proxies, Proxy};
use super::resolve::{Overrides, Resolve, UserResolver};
use super::shared::Shared;
use super::shortage::Shortage;
use super::sockets::{IpVersion, SocketOptions};
use super::tls::Tls;
use super::versions::HttpVersions;
use super::wire::{Life, Wire};
use crate::body::buffer::ReadPool;
use crate::config::{Limits, Settings, Timeouts};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::CONNECT_TO_MAX;
use crate::url::host_of;

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
    resolver: Option<UserResolver>,
    sockets: SocketOptions,
    /// As they were given, in the order in which they are asked.
    connect_to: Vec<(String, String)>,
    unix_socket: Option<PathBuf>,
    proxies: Vec<Proxy>,
    /// The first value that could not be read.
    mistake: Option<String>,
    lenient_fields: bool,
    versions: HttpVersions,
    tls: Tls,
}

impl Default for NetTransportBuilder {
    fn default() -> NetTransportBuilder {
        NetTransportBuilder {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            defaults: HeaderMap::new(),
            overrides: Vec::new(),
            resolver: None,
            sockets: SocketOptions::DEFAULT,
            connect_to: Vec::new(),
            unix_socket: None,
            proxies: Vec::new(),
            mistake: None,
            lenient_fields: false,
            versions: HttpVersions::default(),
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

    /// Speaks HTTP/1.1 only: HTTP/2 is not offered to servers. Default: over TLS the server chooses by ALPN
    /// (RFC 7301), and without TLS it is HTTP/1.1.
    pub fn http1_only(mut self) -> NetTransportBuilder {
        self.versions = HttpVersions::Http1;
        self
    }

    /// Speaks HTTP/2 only, without asking (RFC 9113 section 3.3): with servers of `http://` that are known to
    /// speak it, and with those of `https://`, to which nothing else is offered. A request that needs HTTP/1.1
    /// fails with [`ErrorKind::Request`]: one with [`upgrade`](crate::RequestBuilder::upgrade) or
    /// [`version`](crate::RequestBuilder::version).
    pub fn http2_prior_knowledge(mut self) -> NetTransportBuilder {
        self.versions = HttpVersions::Http2;
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

    /// Asks `resolver` for the addresses of names, in place of the system's. What
    /// [`resolve`](NetTransportBuilder::resolve) says wins over it.
    pub fn resolver(mut self, resolver: impl Resolve) -> NetTransportBuilder {
        self.resolver = Some(UserResolver::new(resolver));
        self
    }

    /// Leads connections to the host and port `from` to those of `to`, each given as `HOST:PORT`, as the option
    /// of curl does. An empty part of `from` is any, one of `to` the same: `connect_to(":443", "edge.test:8443")`.
    /// The first rule that is about an origin holds. Host field, TLS and limits stay those of the origin. A
    /// connection that a proxy makes is not led elsewhere.
    pub fn connect_to(mut self, from: &str, to: &str) -> NetTransportBuilder {
        self.connect_to.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Connects to this Unix socket, whatever the origin of a request: no name is looked up. Limits hold by
    /// origin all the same, and a response tells no addresses. Not together with a proxy.
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> NetTransportBuilder {
        self.unix_socket = Some(path.into());
        self
    }

    /// Connects from this address of the machine, and thereby to addresses of its family only.
    pub fn local_address(mut self, address: impl Into<Option<IpAddr>>) -> NetTransportBuilder {
        self.sockets.local_address = address.into();
        self
    }

    /// Connects from the first of these ports that is free; a request for which none is waits as for a
    /// permit.
    pub fn local_port(mut self, ports: RangeInclusive<u16>) -> NetTransportBuilder {
        self.sockets.local_ports = Some(ports);
        self
    }

    /// Connects by this network interface (SO_BINDTODEVICE), such as `eth0`. Linux and Android only; elsewhere
    /// it is an error of [`build`](NetTransportBuilder::build).
    pub fn interface(mut self, name: &str) -> NetTransportBuilder {
        self.sockets.interface = Some(name.into());
        self
    }

    /// Connects to addresses of one family only. Default both, in turn (RFC 8305).
    pub fn ip_version(mut self, version: IpVersion) -> NetTransportBuilder {
        self.sockets.version = version;
        self
    }

    /// Adds a rule that sends requests by a proxy. Default none: requests go to their origins directly, and
    /// the environment is not read.
    pub fn proxy(mut self, proxy: Proxy) -> NetTransportBuilder {
        self.proxies.push(proxy);
        self
    }

    /// Adds the rules that the environment names now, as curl does.
    ///
    /// | Variable | Is |
    /// | --- | --- |
    /// | `http_proxy`, `HTTP_PROXY` | the proxy for http; the latter is not read where `REQUEST_METHOD` is set, as the peer of a CGI program can set it |
    /// | `https_proxy`, `HTTPS_PROXY` | the proxy for https |
    /// | `all_proxy`, `ALL_PROXY` | the proxy for what is left |
    /// | `no_proxy`, `NO_PROXY` | the hosts that need none ([`NoProxy::parse`](crate::NoProxy::parse)) |
    ///
    /// The name in lower case wins, and an empty value is none. A value that cannot be read is an error of
    /// [`build`](NetTransportBuilder::build) that names its variable.
    pub fn proxy_from_env(mut self) -> NetTransportBuilder {
        match Proxy::from_variables(variable) {
            Ok(rules) => self.proxies.extend(rules),
            Err(error) => _ = self.mistake.get_or_insert_with(|| error.to_string()),
        }
        self
    }

    /// Sets how TLS connections are made and checked.
    #[cfg(feature = "__tls")]
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
        if let Some(mistake) = self.mistake {
            return Err(Error::new(ErrorKind::Config, mistake));
        }
        self.limits.check()?;
        self.timeouts.check()?;
        if let Some(whole) = self.timeouts.request {
            self.timeouts.allow(whole);
        }
        let settings = Settings {
            timeouts: self.timeouts,
            body_bytes_max: self.limits.body_bytes,
        };
        let buffers = ReadPool::new()
            .map_err(|error| Error::new(ErrorKind::Config, "read buffers").with_source(error))?;
        let shortage = Arc::<Shortage>::default();
        let has_proxies = !self.proxies.is_empty();
        let pool = Pool::new(&self.limits, &self.timeouts, shortage.clone(), has_proxies);
        let pool = Arc::new(pool);
        let defaults = std::mem::take(&mut self.defaults);
        let head_limits = self.limits.head().lenient(self.lenient_fields);
        let wire = Arc::new(Wire {
            buffers,
            counters: Counters::default(),
            shortage,
            defaults: DefaultFields::new(defaults).map_err(default_field_error)?,
            head_limits,
            scheduler: OnceLock::new(),
            h2_limits: self.limits.h2(head_limits),
            idle: self.timeouts.idle,
            life: Life::new(&self.timeouts),
        });
        Ok(NetTransport {
            shared: Arc::new(Shared {
                connector: self.connector()?,
                dials: Dials::default(),
                wire,
                pool,
                settings,
            }),
        })
    }

    fn connector(self) -> Result<Connector> {
        self.sockets.check()?;
        if self.connect_to.len() > CONNECT_TO_MAX {
            let bound = format!("at most {CONNECT_TO_MAX} rules");
            return Err(Error::config("connect_to", &bound, self.connect_to.len()));
        }
        if self.unix_socket.is_some() && !self.proxies.is_empty() {
            let message =
                "unix_socket and proxy exclude each other: both say where connections lead";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let connect_to = self.connect_to.iter();
        let connect_to: Result<_> = connect_to
            .map(|(from, to)| ConnectTo::parse(from, to))
            .collect();
        let options = Options {
            head_limits: self.limits.head(),
            versions: self.versions,
            sockets: self.sockets,
            connect_to: connect_to?,
            unix_socket: self.unix_socket,
            proxies: Proxies::new(self.proxies)?,
        };
        Connector::new(
            normal_overrides(self.overrides)?,
            self.resolver,
            options,
            self.tls,
        )
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
            .field("connect_to", &self.connect_to)
            .field("unix_socket", &self.unix_socket)
            .field("proxies", &self.proxies)
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
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

/// A variable of the environment; what is no Unicode is shown as such and refused by those who read it.
fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?;
    Some(value.to_string_lossy().into_owned())
}
