//! Making a connection: resolve, race the addresses, TCP, TLS. The cold path.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use turbohttp_core::contain;
use turbohttp_core::origin::{Origin, Scheme};
use turbohttp_core::timeline::Phase;

use super::resolve::{Overrides, Resolver};
use super::route::{Route, RouteKey};
use super::shortage::{self, is_short, is_shortage};
use super::stream::Stream;
use crate::clock;
use crate::context::{Addresses, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{KEEPALIVE_SECONDS_MAX, NEXT_ADDRESS_MS, USER_TIMEOUT_MS_MAX};

/// Makes connections.
pub(crate) struct Connector {
    resolver: Resolver,
    sockets: SocketOptions,
    #[cfg(feature = "rustls")]
    tls: super::tls::TlsSetup,
}

/// What the system is asked to do for every connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    /// After how long of silence, and how often then, the peer is probed (SO_KEEPALIVE).
    pub(crate) keepalive: Option<Duration>,
    /// How long sent bytes may stay unacknowledged (TCP_USER_TIMEOUT, RFC 5482).
    pub(crate) user_timeout: Option<Duration>,
}

impl SocketOptions {
    /// Keep-alive as curl has it.
    pub(crate) const DEFAULT: SocketOptions = SocketOptions {
        keepalive: Some(Duration::from_secs(60)),
        user_timeout: None,
    };

    /// Refuses what the system cannot be told, and would refuse for every connection: it counts keep-alive
    /// in whole seconds, and the user timeout in milliseconds.
    pub(crate) fn check(self) -> Result<()> {
        let (second, most) = (
            Duration::from_secs(1),
            Duration::from_secs(KEEPALIVE_SECONDS_MAX),
        );
        if let Some(time) = self.keepalive
            && !(second..=most).contains(&time)
        {
            let bound = format!("{second:?}..={most:?}");
            return Err(Error::config("tcp_keepalive", &bound, format!("{time:?}")));
        }
        let (least, most) = (
            Duration::from_millis(1),
            Duration::from_millis(USER_TIMEOUT_MS_MAX),
        );
        if let Some(limit) = self.user_timeout
            && !(least..=most).contains(&limit)
        {
            let bound = format!("{least:?}..={most:?}");
            return Err(Error::config(
                "tcp_user_timeout",
                &bound,
                format!("{limit:?}"),
            ));
        }
        Ok(())
    }

    fn apply(self, stream: &TcpStream) -> io::Result<()> {
        // A request leaves in one write: waiting for more would only delay it.
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        if let Some(time) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(time).with_interval(time);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(limit) = self.user_timeout {
            socket.set_tcp_user_timeout(Some(limit))?;
        }
        Ok(())
    }
}

/// A byte stream to a server, and what was agreed on it.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) protocol: Protocol,
    pub(crate) addresses: Addresses,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
}

impl Protocol {
    /// What a server has chosen by ALPN (RFC 7301); a server without ALPN speaks HTTP/1.1.
    #[cfg(feature = "rustls")]
    fn chosen(alpn: Option<&[u8]>, origin: &Origin) -> Result<Protocol> {
        match alpn {
            None | Some(b"http/1.1") => Ok(Protocol::Http1),
            Some(other) => {
                let name = other.escape_ascii();
                let message = format!(
                    "{} chose the protocol \"{name}\", which was not offered (http/1.1 was)",
                    origin.host()
                );
                Err(Error::new(ErrorKind::Tls, message))
            }
        }
    }
}

impl Connector {
    pub(crate) fn new(
        overrides: Overrides,
        sockets: SocketOptions,
        #[cfg(feature = "rustls")] tls: super::tls::Tls,
    ) -> Result<Connector> {
        Ok(Connector {
            resolver: Resolver::new(overrides),
            sockets,
            #[cfg(feature = "rustls")]
            tls: super::tls::TlsSetup::new(tls)?,
        })
    }

    /// The route to `origin`, for which the resolver is asked for `name` where that is another one.
    #[inline]
    pub(crate) fn route<'a>(&self, origin: &'a Origin, name: Option<&'a str>) -> RouteKey<'a> {
        // Where the options say the addresses, nothing is asked.
        let name = name.filter(|_| !self.resolver.is_overridden(origin.host()));
        RouteKey { origin, name }
    }

    /// A connection by `route`, its phases recorded in the timeline.
    ///
    /// Cancel safe: dropping the future closes what was half made.
    pub(crate) async fn connect(&self, context: &mut Context, route: &Route) -> Result<Connected> {
        // Every wait below is bounded by a timer, which is the runtime's.
        drop(clock::sleep_until(clock::now())?);
        let origin = &route.origin;
        let timeouts = *context.timing.limits.timeouts();
        let resolved = self.resolve(context, route, timeouts.dns).await?;
        let mut race = Race::new(&resolved, self.sockets);
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
        let (tcp, addresses) = connected?;
        match origin.scheme() {
            Scheme::Http => Ok(Connected {
                stream: Stream::Plain(tcp),
                protocol: Protocol::Http1,
                addresses,
            }),
            // Boxed, so that the future of a plain connection has no room for a handshake.
            Scheme::Https => {
                let securing = self.secure(context, origin, tcp, timeouts.tls);
                let (stream, protocol) = Box::pin(securing).await?;
                Ok(Connected {
                    stream,
                    protocol,
                    addresses,
                })
            }
        }
    }

    async fn resolve(
        &self,
        context: &mut Context,
        route: &Route,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>> {
        // A literal address, an override or a remembered name takes no time, and is no phase.
        if let Some(known) = self.resolver.known(route) {
            return Ok(known);
        }
        let message = || format!("no address for {}", route.name());
        // Boxed, so that the future of a connection to a known address has no room for a look-up.
        let lookup = Box::pin(async {
            let found = self.resolver.look_up(route).await;
            found.map_err(|error| Error::new(ErrorKind::Dns, message()).with_source(error))
        });
        let addresses = timed(context, Phase::Dns, "looking the name up", limit, lookup).await?;
        // A resolver may answer without addresses, which is not an error of its own.
        if addresses.is_empty() {
            let message = message();
            return Err(Error::new(ErrorKind::Dns, message).in_phase(Phase::Dns));
        }
        Ok(addresses)
    }

    #[cfg(feature = "rustls")]
    async fn secure(
        &self,
        context: &mut Context,
        origin: &Origin,
        tcp: TcpStream,
        limit: Duration,
    ) -> Result<(Stream, Protocol)> {
        // Boxed, as the session is large and would lie in the future of every new connection.
        let handshake = Box::pin(async {
            let stream = self.tls.handshake(origin.host(), tcp).await?;
            let (_, session) = stream.get_ref();
            let protocol = Protocol::chosen(session.alpn_protocol(), origin)?;
            Ok((stream, protocol))
        });
        let handshake = timed(context, Phase::Tls, "the TLS handshake", limit, handshake);
        let (stream, protocol) = handshake.await?;
        Ok((Stream::Tls(Box::new(stream)), protocol))
    }

    #[cfg(not(feature = "rustls"))]
    async fn secure(
        &self,
        _context: &mut Context,
        _origin: &Origin,
        _tcp: TcpStream,
        _limit: Duration,
    ) -> Result<(Stream, Protocol)> {
        Err(Error::new(
            ErrorKind::Tls,
            "this build has no TLS (feature \"rustls\")",
        ))
    }
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
        Ok(done) => done.map_err(|error| error.in_phase(phase).unsent()),
        Err(_) if is_own => Err(Error::timeout(phase, what, limit).unsent()),
        Err(_) => Err(Error::timeout(
            phase,
            "the request",
            context.timing.limits.allowed(),
        )),
    }
}

/// Polls an attempt; in a runtime without its driver for sockets it panics, which is an error here.
fn poll_attempt(attempt: &mut Attempt, cx: &mut TaskContext<'_>) -> Poll<io::Result<Attempted>> {
    contain::catch(|| attempt.as_mut().poll(cx)).unwrap_or_else(|payload| {
        contain::discard(payload);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::Unsupported,
            NO_IO_DRIVER,
        )))
    })
}

const NO_IO_DRIVER: &str = "tokio runtime has no driver for sockets: build it with enable_all()";

#[cold]
fn connect_error(error: io::Error, addresses: &[SocketAddr]) -> Error {
    if error.kind() == io::ErrorKind::Unsupported && error.to_string() == NO_IO_DRIVER {
        return Error::new(ErrorKind::Runtime, NO_IO_DRIVER);
    }
    let message = match addresses {
        [only] => format!("no connection to {only}"),
        [first, rest @ ..] => format!("no connection to {first} or {} more addresses", rest.len()),
        [] => "no address to connect to".to_owned(),
    };
    Error::new(ErrorKind::Connect, message).with_source(error)
}

type Attempted = (TcpStream, Addresses);
type Attempt = Pin<Box<dyn Future<Output = io::Result<Attempted>> + Send>>;

/// Connects to the first address that answers: each gets a head start over the next, and a refusal
/// starts the next at once (RFC 8305 section 5). The others are closed when the race is dropped.
struct Race<'a> {
    waiting: std::slice::Iter<'a, SocketAddr>,
    sockets: SocketOptions,
    /// At most as many as there are addresses: `ADDRESSES_MAX`.
    running: Vec<(IpAddr, Attempt)>,
    head_start: Pin<Box<Sleep>>,
    last_error: Option<io::Error>,
    /// The addresses whose attempts have failed.
    refused: Vec<IpAddr>,
}

impl Race<'_> {
    fn new(addresses: &[SocketAddr], sockets: SocketOptions) -> Race<'_> {
        Race {
            waiting: addresses.iter(),
            sockets,
            running: Vec::new(),
            head_start: Box::pin(tokio::time::sleep(Duration::ZERO)),
            last_error: None,
            refused: Vec::new(),
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<Attempted>> {
        if self.running.is_empty() && self.last_error.is_none() {
            self.start_next();
        }
        loop {
            let mut index = 0;
            while index < self.running.len() {
                match poll_attempt(&mut self.running[index].1, cx) {
                    Poll::Pending => index += 1,
                    Poll::Ready(Ok(connected)) => return Poll::Ready(Ok(connected)),
                    Poll::Ready(Err(error)) => {
                        let (address, _) = self.running.swap_remove(index);
                        self.failed(address, error);
                        self.start_next();
                    }
                }
            }
            // Each failure has started the next attempt, so that there is no address left.
            if self.running.is_empty() {
                let none = || io::Error::new(io::ErrorKind::NotFound, "no address");
                return Poll::Ready(Err(self.last_error.take().unwrap_or_else(none)));
            }
            if self.waiting.len() == 0 {
                return Poll::Pending;
            }
            std::task::ready!(self.head_start.as_mut().poll(cx));
            self.start_next();
        }
    }

    #[cold]
    fn failed(&mut self, address: IpAddr, error: io::Error) {
        if !is_short(&error) {
            self.refused.push(address);
        }
        // A refusal says more of the host than an address that cannot be reached from here.
        let is_unreachable = error.kind() == io::ErrorKind::NetworkUnreachable;
        if !is_unreachable || self.last_error.is_none() {
            self.last_error = Some(error);
        }
    }

    fn start_next(&mut self) {
        if let Some(address) = self.waiting.next() {
            let attempt: Attempt = Box::pin(attempt(*address, self.sockets));
            self.running.push((address.ip(), attempt));
            let next = tokio::time::Instant::now() + Duration::from_millis(NEXT_ADDRESS_MS);
            self.head_start.as_mut().reset(next);
        }
    }
}

/// Connects to one address.
async fn attempt(address: SocketAddr, sockets: SocketOptions) -> io::Result<Attempted> {
    let connected = TcpStream::connect(address).await;
    let stream = connected.map_err(|error| shortage::explain(error, address))?;
    sockets.apply(&stream)?;
    // Asked once, so that a response can tell them without a system call.
    let addresses = Addresses {
        remote: stream.peer_addr()?,
        local: stream.local_addr()?,
    };
    // Where nobody listens on a local port, the system may choose that very port for this end, and TCP
    // connects the socket to itself (RFC 9293 section 3.5, simultaneous open).
    if addresses.remote == addresses.local {
        let message = "nobody listens there: the socket was connected to itself";
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, message));
    }
    Ok((stream, addresses))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::request::Request;

    fn connector() -> Connector {
        Connector::new(
            Overrides::default(),
            SocketOptions::DEFAULT,
            #[cfg(feature = "rustls")]
            super::super::tls::Tls::default(),
        )
        .unwrap()
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn protocol_that_was_not_offered_is_refused_by_name() {
        let origin = Origin::new(Scheme::Https, "a.test", 443);
        for alpn in [None, Some(&b"http/1.1"[..])] {
            assert_eq!(Protocol::chosen(alpn, &origin).unwrap(), Protocol::Http1);
        }
        let error = Protocol::chosen(Some(b"h2"), &origin).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        let message = error.to_string();
        assert!(
            message.contains("\"h2\"") && message.contains("a.test"),
            "{message}"
        );
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
        let route = Route {
            origin: request.origin().clone(),
            name: None,
        };
        let start = clock::now();
        let outcome = connector.connect(&mut request.context, &route).await;
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
