//! Making a connection: resolve, race the addresses, TCP, TLS. The cold path.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Sleep;
use turbohttp_core::origin::{Origin, Scheme};
use turbohttp_core::timeline::Phase;

use super::NetOptions;
use super::resolve::Resolver;
use super::stream::Stream;
use crate::clock;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::NEXT_ADDRESS_MS;

pub(crate) struct Connector {
    resolver: Resolver,
    #[cfg(feature = "rustls")]
    tls: super::tls::TlsSetup,
}

impl Connector {
    pub(crate) fn new(options: NetOptions) -> Result<Connector> {
        Ok(Connector {
            resolver: Resolver::new(options.overrides),
            #[cfg(feature = "rustls")]
            tls: super::tls::TlsSetup::new(options.tls)?,
        })
    }

    /// A connection to `origin`, its phases recorded in the timeline.
    ///
    /// Cancel safe: dropping the future closes what was half made.
    pub(crate) async fn connect(&self, context: &mut Context, origin: &Origin) -> Result<Stream> {
        if tokio::runtime::Handle::try_current().is_err() {
            let message = "no tokio runtime: send requests from inside one";
            return Err(Error::new(ErrorKind::Runtime, message));
        }
        let timeouts = *context.time.timeouts();
        let addresses = self.resolve(context, origin, timeouts.dns).await?;
        let tcp = timed(
            context,
            Phase::Connect,
            "connecting",
            timeouts.connect,
            async {
                race(&addresses)
                    .await
                    .map_err(|error| connect_error(error, &addresses))
            },
        );
        let tcp = tcp.await?;
        match origin.scheme() {
            Scheme::Http => Ok(Stream::Plain(tcp)),
            Scheme::Https => Box::pin(self.secure(context, origin, tcp, timeouts.tls)).await,
        }
    }

    async fn resolve(
        &self,
        context: &mut Context,
        origin: &Origin,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>> {
        if let Some(known) = self.resolver.known(origin.host(), origin.port()) {
            return Ok(known);
        }
        let lookup = timed(context, Phase::Dns, "looking the name up", limit, async {
            let found = self.resolver.look_up(origin.host(), origin.port()).await;
            found.map_err(|error| {
                Error::new(ErrorKind::Dns, format!("no address for {}", origin.host()))
                    .with_source(error)
            })
        });
        let addresses = lookup.await?;
        if addresses.is_empty() {
            let message = format!("no address for {}", origin.host());
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
    ) -> Result<Stream> {
        let handshake = Box::pin(self.tls.handshake(origin.host(), tcp));
        let stream = timed(context, Phase::Tls, "the TLS handshake", limit, handshake).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    #[cfg(not(feature = "rustls"))]
    async fn secure(
        &self,
        _context: &mut Context,
        _origin: &Origin,
        _tcp: TcpStream,
        _limit: Duration,
    ) -> Result<Stream> {
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
    let own = clock::after(start, limit);
    let (until, is_own) = match context.time.deadline {
        Some(deadline) if deadline < own => (deadline, false),
        _ => (own, true),
    };
    let outcome = tokio::time::timeout_at(until.into(), work).await;
    let end = clock::now();
    context.timeline.record(phase, start, end);
    match outcome {
        // Nothing was sent yet, so any request may be sent again.
        Ok(done) => done.map_err(|error| error.in_phase(phase).unanswered()),
        Err(_) if is_own => Err(Error::timeout(phase, what, limit).unanswered()),
        Err(_) => Err(Error::timeout(phase, "the request", context.time.allowed())),
    }
}

#[cold]
fn connect_error(error: io::Error, addresses: &[SocketAddr]) -> Error {
    let message = match addresses {
        [only] => format!("no connection to {only}"),
        [first, rest @ ..] => format!("no connection to {first} or {} more addresses", rest.len()),
        [] => "no address to connect to".to_owned(),
    };
    Error::new(ErrorKind::Connect, message).with_source(error)
}

/// Connects to the first address that answers: each gets a head start over the next, and a refusal
/// passes the turn at once (RFC 8305 section 5). Losers are closed.
async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut race = Race {
        waiting: addresses.iter(),
        running: Vec::new(),
        head_start: Box::pin(tokio::time::sleep(Duration::ZERO)),
        last_error: None,
    };
    poll_fn(|cx| race.poll(cx)).await
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

struct Race<'a> {
    waiting: std::slice::Iter<'a, SocketAddr>,
    /// At most as many as there are addresses, which are bounded.
    running: Vec<Attempt>,
    head_start: Pin<Box<Sleep>>,
    last_error: Option<io::Error>,
}

impl Race<'_> {
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<TcpStream>> {
        if self.running.is_empty() && self.last_error.is_none() {
            self.start_next();
        }
        loop {
            let mut index = 0;
            while index < self.running.len() {
                match self.running[index].as_mut().poll(cx) {
                    Poll::Pending => index += 1,
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        self.last_error = Some(error);
                        drop(self.running.swap_remove(index));
                        self.start_next();
                    }
                }
            }
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

    fn start_next(&mut self) {
        if let Some(address) = self.waiting.next() {
            let address = *address;
            self.running.push(Box::pin(async move {
                let stream = TcpStream::connect(address).await?;
                // A request leaves in one write: waiting for more would only delay it.
                stream.set_nodelay(true)?;
                Ok(stream)
            }));
            let next = tokio::time::Instant::now() + Duration::from_millis(NEXT_ADDRESS_MS);
            self.head_start.as_mut().reset(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::limits::DNS_LOOKUPS_MAX;
    use crate::request::Request;

    /// A resolver that does not answer, as all its places are taken, costs the DNS limit and no more.
    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_does_not_come_ends_at_its_own_limit() {
        let connector = Connector::new(NetOptions::default()).unwrap();
        let places = connector.resolver.lookups.clone();
        let taken = places
            .acquire_many_owned(DNS_LOOKUPS_MAX as u32)
            .await
            .unwrap();
        let mut request = Request::new(Method::GET, "http://name.test/").unwrap();
        let origin = request.origin().clone();
        let start = clock::now();
        let outcome = connector.connect(&mut request.context, &origin).await;
        let error = outcome.err().expect("nobody answers");
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
        drop(taken);
    }
}
