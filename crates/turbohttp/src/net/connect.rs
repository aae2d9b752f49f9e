//! Making a connection: resolve, race the addresses, TCP, the proxy, TLS. The cold path.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(unix)]
use tokio::net::UnixStream;
use turbohttp_core::h1::HeadLimits;
use turbohttp_core::origin::{Origin, Scheme};
use turbohttp_core::timeline::Phase;

use super::detour::ConnectTo;
use super::notes::enters;
use super::proxy::{Proxies, ProxyScheme, ProxyServer, open_tunnel};
use super::race::{Race, connect_error};
use super::resolve::{Overrides, Resolver, UserResolver};
use super::route::{Route, RouteKey};
use super::shortage::is_shortage;
use super::sockets::{Attempted, SocketOptions};
use super::stream::Stream;
use super::tls::{Tls, TlsSetup};
use super::versions::{HttpVersions, Protocol, TlsPurpose};
use crate::clock;
use crate::context::{Addresses, Context};
use crate::error::{Error, ErrorKind, Result};

/// Makes connections.
pub(crate) struct Connector {
    resolver: Resolver,
    options: Options,
    tls: TlsSetup,
}

/// How connections are made, beside TLS.
pub(crate) struct Options {
    pub(crate) sockets: SocketOptions,
    pub(crate) connect_to: Box<[ConnectTo]>,
    /// Where all connections lead, whatever their origin.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are none"))]
    pub(crate) unix_socket: Option<PathBuf>,
    pub(crate) proxies: Proxies,
    /// Of the answers of proxies.
    pub(crate) head_limits: HeadLimits,
    pub(crate) versions: HttpVersions,
}

/// A byte stream to a server, and what was agreed on it.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) protocol: Protocol,
    /// The two ends of the TCP connection, which with a proxy leads there.
    pub(crate) addresses: Option<Addresses>,
}

impl Connector {
    pub(crate) fn new(
        overrides: Overrides,
        resolver: Option<UserResolver>,
        options: Options,
        tls: Tls,
    ) -> Result<Connector> {
        Ok(Connector {
            resolver: Resolver::new(overrides, resolver),
            options,
            tls: TlsSetup::new(tls)?,
        })
    }

    /// The proxy for requests to `origin`.
    ///
    /// # Errors
    ///
    /// The choice of the user has panicked.
    pub(crate) fn proxy_for(&self, origin: &Origin) -> Result<Option<ProxyServer>> {
        self.options.proxies.choose(origin)
    }

    /// The route to `origin`, for which the resolver is asked for `name` where that is another one.
    pub(crate) fn route<'a>(
        &self,
        origin: &'a Origin,
        name: Option<&'a str>,
        proxy: Option<&'a ProxyServer>,
    ) -> RouteKey<'a> {
        // Where the options say the addresses, nothing is asked.
        let name = name.filter(|_| !self.resolver.is_overridden(origin.host()));
        RouteKey::new(origin, name, proxy)
    }

    /// A connection by `route`, its phases recorded in the timeline.
    ///
    /// Cancel safe: dropping the future closes what was half made.
    pub(crate) async fn connect(
        &self,
        context: &mut Context,
        route: &Route,
        versions: HttpVersions,
    ) -> Result<Connected> {
        // Every wait below is bounded by a timer, which is the runtime's.
        drop(clock::sleep_until(clock::now())?);
        // Of a connection that an earlier attempt made.
        context.timing.timeline.set_tls_resumed(None);
        #[cfg(unix)]
        if let Some(path) = &self.options.unix_socket {
            return Box::pin(self.connect_unix(context, route, path, versions)).await;
        }
        if let Some(proxy) = route.proxy() {
            return Box::pin(self.connect_by(context, route, proxy, versions)).await;
        }
        let target = self.target(route);
        let (tcp, addresses) = self.open(context, &target).await?;
        let stream = Stream::Plain(tcp);
        self.finish(context, &route.origin, stream, (Some(addresses), versions))
            .await
    }

    /// Where the connection of a route leads, which `connect_to` may say.
    fn target<'a>(&self, route: &'a Route) -> Cow<'a, Route> {
        match self.options.connect_to.is_empty() {
            true => Cow::Borrowed(route),
            false => super::detour::target(&self.options.connect_to, route),
        }
    }

    /// A TCP connection to the host of `route`.
    async fn open(&self, context: &mut Context, route: &Route) -> Result<Attempted> {
        let timeouts = *context.timing.limits.timeouts();
        let resolved = self.resolve(context, route, timeouts.dns).await?;
        let mut race = Race::new(&resolved, &self.options.sockets);
        let connecting = async {
            let connected = poll_fn(|cx| race.poll(cx)).await;
            connected.map_err(|error| connect_error(error, &resolved))
        };
        let limit = timeouts.connect;
        let connected = timed(context, Phase::Connect, "connecting", limit, connecting).await;
        // The host may have moved: what refuses or is silent is asked for anew.
        match &connected {
            // What is short here says nothing about the host.
            Err(error) if is_shortage(error) => {}
            Err(_) => self.resolver.forget(route, |_| true),
            Ok(_) if race.refused.is_empty() => {}
            Ok(_) => self
                .resolver
                .forget(route, |address| race.refused.contains(&address)),
        }
        connected
    }

    /// What is spoken on `stream`, which leads to `origin`.
    async fn finish(
        &self,
        context: &mut Context,
        origin: &Origin,
        stream: Stream,
        (addresses, versions): (Option<Addresses>, HttpVersions),
    ) -> Result<Connected> {
        let (stream, protocol) = match origin.scheme() {
            Scheme::Http if versions == HttpVersions::Http2 => (stream, Protocol::Http2),
            Scheme::Http => (stream, Protocol::Http1),
            // Boxed, so that the future of a plain connection has no room for a handshake.
            Scheme::Https => {
                Box::pin(self.secure(
                    context,
                    origin,
                    stream,
                    Phase::Tls,
                    TlsPurpose::Origin(versions),
                ))
                .await?
            }
        };
        Ok(Connected {
            stream,
            protocol,
            addresses,
        })
    }

    /// A connection by a proxy, which forwards requests or opens a tunnel.
    async fn connect_by(
        &self,
        context: &mut Context,
        route: &Route,
        proxy: &ProxyServer,
        versions: HttpVersions,
    ) -> Result<Connected> {
        let origin = &route.origin;
        let forwards = proxy.forwards(origin);
        let target = self.target(route);
        if forwards && target.origin != *origin {
            let message = format!(
                "connect_to leads {} elsewhere, which {proxy} cannot be told: it forwards by the URL",
                origin.as_str()
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let address = match proxy.scheme() {
            // The name is resolved here; of its addresses, the proxy is told the first.
            ProxyScheme::Socks5 => {
                let limit = context.timing.limits.timeouts().dns;
                self.resolve(context, &target, limit)
                    .await?
                    .first()
                    .copied()
            }
            _ => None,
        };
        let on_the_way = |error: Error| error.on_the_way_to(proxy);
        let own = Route::direct(proxy.origin());
        let (tcp, addresses) = self.open(context, &own).await.map_err(on_the_way)?;
        let mut stream = Stream::Plain(tcp);
        if proxy.scheme() == ProxyScheme::Https {
            // In the order of the phases there is one TLS handshake, that with the origin.
            let phase = if forwards { Phase::Tls } else { Phase::Tunnel };
            let secured =
                Box::pin(self.secure(context, proxy.origin(), stream, phase, TlsPurpose::Proxy))
                    .await;
            (stream, _) = secured.map_err(on_the_way)?;
        }
        if !forwards {
            let limit = context.timing.limits.timeouts().connect;
            let limits = self.options.head_limits;
            let asking = Box::pin(open_tunnel(stream, proxy, &target.origin, address, limits));
            let what = "asking the proxy for a tunnel";
            stream = timed(context, Phase::Tunnel, what, limit, asking).await?;
        }
        // What a proxy forwards it forwards by HTTP/1.1.
        let versions = if forwards {
            HttpVersions::Http1
        } else {
            versions
        };
        self.finish(context, origin, stream, (Some(addresses), versions))
            .await
    }

    #[cfg(unix)]
    async fn connect_unix(
        &self,
        context: &mut Context,
        route: &Route,
        path: &std::path::Path,
        versions: HttpVersions,
    ) -> Result<Connected> {
        let limit = context.timing.limits.timeouts().connect;
        let connecting = async {
            let connected = UnixStream::connect(path).await;
            connected.map_err(|error| {
                let message = format!("no connection to the socket {}", path.display());
                Error::new(ErrorKind::Connect, message).with_source(error)
            })
        };
        let unix = timed(context, Phase::Connect, "connecting", limit, connecting).await?;
        let stream = Stream::Layered(Box::new(unix));
        self.finish(context, &route.origin, stream, (None, versions))
            .await
    }

    async fn resolve(
        &self,
        context: &mut Context,
        route: &Route,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>> {
        let mut addresses = self.resolve_all(context, route, limit).await?;
        let sockets = &self.options.sockets;
        let found = addresses.len();
        addresses.retain(|address| sockets.has(address.ip()));
        match addresses.is_empty() && found > 0 {
            true => Err(no_address(sockets.family(), route)),
            false => Ok(addresses),
        }
    }

    async fn resolve_all(
        &self,
        context: &mut Context,
        route: &Route,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>> {
        // A literal address, an override or a remembered name takes no time, and is no phase.
        if let Some(known) = self.resolver.known(route) {
            return Ok(known);
        }
        // Boxed, so that the future of a connection to a known address has no room for a look-up.
        let lookup = Box::pin(async {
            let found = self.resolver.look_up(route).await;
            found.map_err(|error| {
                let message = format!("no address for {}", route.name());
                Error::new(ErrorKind::Dns, message).with_source(error)
            })
        });
        let found = timed(context, Phase::Dns, "looking the name up", limit, lookup).await?;
        // A resolver may answer without addresses, which is not an error of its own.
        match found.is_empty() {
            true => Err(no_address("address", route)),
            false => Ok(found),
        }
    }

    /// The phase that making a connection by `route` begins with.
    pub(crate) fn first_phase(&self, route: &Route) -> Phase {
        let is_known = match route.proxy() {
            Some(proxy) => self
                .resolver
                .known(&Route::direct(proxy.origin()))
                .is_some(),
            None => self.resolver.known(&self.target(route)).is_some(),
        };
        match is_known || self.options.unix_socket.is_some() {
            true => Phase::Connect,
            false => Phase::Dns,
        }
    }

    pub(crate) fn versions(&self) -> HttpVersions {
        self.options.versions
    }

    /// Whether anything may stand in for an origin of https.
    pub(crate) fn accepts_any_certificate(&self) -> bool {
        self.tls.accepts_any()
    }

    /// TLS handshakes, and those of them that resumed a session.
    pub(crate) fn tls_counts(&self) -> (u64, u64) {
        self.tls.counts()
    }

    /// TLS with the server of `origin`, recorded as this phase.
    async fn secure(
        &self,
        context: &mut Context,
        origin: &Origin,
        stream: Stream,
        phase: Phase,
        purpose: TlsPurpose,
    ) -> Result<(Stream, Protocol)> {
        let limit = context.timing.limits.timeouts().tls;
        // Boxed, as the session is large and would lie in the future of every new connection.
        let handshake = Box::pin(async {
            let secured = self.tls.secure(origin.host(), stream, purpose).await?;
            let protocol = Protocol::chosen(secured.alpn.as_deref(), purpose.versions(), origin)?;
            Ok((secured.stream, protocol, secured.resumed))
        });
        let (stream, protocol, resumed) =
            timed(context, phase, "the TLS handshake", limit, handshake).await?;
        context.timing.timeline.set_tls_resumed(Some(resumed));
        Ok((stream, protocol))
    }
}

#[cold]
fn no_address(what: &str, route: &Route) -> Error {
    let message = format!("no {what} for {}", route.name());
    Error::new(ErrorKind::Dns, message)
        .in_phase(Phase::Dns)
        .unsent()
}

/// Runs one phase under its own limit and the request's deadline, and records it.
async fn timed<T>(
    context: &mut Context,
    phase: Phase,
    what: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let start = clock::now();
    // Open until it is over: a call that is cut off meanwhile says in which phase.
    context.timing.timeline.start(phase, start);
    enters(context, phase);
    // The earlier of the two decides, and which one it was decides what the error says.
    let own = clock::after(start, limit);
    let (until, is_own) = match context.timing.limits.deadline {
        Some(deadline) if deadline < own => (deadline, false),
        _ => (own, true),
    };
    let outcome = tokio::time::timeout_at(until.into(), work).await;
    context.timing.timeline.finish(phase, clock::now());
    match outcome {
        // Nothing was sent yet, so any request may be sent again.
        Ok(done) => done.map_err(|error| match is_final(&error) {
            true => error.in_phase(phase),
            false => error.in_phase(phase).unsent(),
        }),
        Err(_) if is_own => Err(Error::timeout(phase, what, limit).unsent()),
        Err(_) => Err(Error::timeout(
            phase,
            "the request",
            context.timing.limits.allowed(),
        )),
    }
}

/// Whether sending the request again can only meet the same answer: a proxy has refused it for what it is.
#[cold]
fn is_final(error: &Error) -> bool {
    let status = error.status();
    error.kind() == ErrorKind::Proxy && status.is_some_and(|status| !status.is_server_error())
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::request::Request;

    fn connector() -> Connector {
        Connector::new(
            Overrides::default(),
            None,
            Options {
                sockets: SocketOptions::DEFAULT,
                connect_to: Box::default(),
                unix_socket: None,
                proxies: Proxies::default(),
                head_limits: HeadLimits::default(),
                versions: HttpVersions::default(),
            },
            Tls::default(),
        )
        .unwrap()
    }

    /// The resolver does not answer: the request waits for the limit of DNS and no longer.
    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_does_not_come_ends_at_its_own_limit() {
        let (answered, silence) = std::sync::mpsc::channel();
        let connector = Connector {
            resolver: Resolver::silent(silence),
            ..connector()
        };
        let mut request = Request::new(Method::GET, "http://name.test/").unwrap();
        let route = Route::direct(request.origin());
        let start = clock::now();
        let outcome = connector
            .connect(&mut request.context, &route, HttpVersions::default())
            .await;
        let error = outcome.err().expect("the resolver does not answer");
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Timeout, Some(Phase::Dns))
        );
        assert_eq!(
            (clock::now() - start).as_secs(),
            5,
            "in the runtime's paused time"
        );
        assert!(error.is_retryable(), "nothing was sent");
        drop(answered);
    }
}
