//! Sending one request: check a connection out or make one, drive one exchange on it, deliver the body.
//!
//! This is the loop of the network: [`NetSend::poll`](Future::poll).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use http::StatusCode;
use http::header::EXPECT;
use tokio::runtime;

use super::connection::Connection;
use super::h1;
use super::h2::{self, Home};
use super::obtain::obtain;
use super::pool::CheckedOut;
use super::proxy::ProxyServer;
use super::route::RouteKey;
use super::shared::Shared;
use turbohttp_core::h1::encode::Asks;

use crate::clock;
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;
use crate::response::Response;

/// The future of [`NetTransport::send`](crate::Transport::send).
///
/// Written by hand, as every request carries it through the futures around it: what only some requests
/// need is boxed, and all the rest is kept in the context and in the connection.
///
/// A request waits for one of two things: for its round trip, if it has a connection, or for its
/// connection. They follow one another, except that a round trip on a connection that was used before
/// may lead back to a new one.
pub(crate) struct NetSend<'a> {
    net: &'a Arc<Shared>,
    // Before the request: fields are dropped in this order, and the connection is to be closed before
    // the context is in its pool again.
    acquire: Option<Acquire<'a>>,
    connection: Option<Box<h1::Connection>>,
    /// `None` while a connection is made, which takes it along, and at the end.
    request: Option<Request>,
}

/// How a connection is obtained where the pool has none that can be used as it is; and the exchange, once the
/// request has one of HTTP/2, which costs HTTP/1.1 no word here.
enum Acquire<'a> {
    /// An idle connection has TLS records to take in: only then is its health known.
    DrainTls(Boxed<'a, Option<Box<h1::Connection>>>),
    /// The request travels along; the connection says whether it was used before.
    Connect {
        connecting: Boxed<'a, (Request, Result<(Connection, bool)>)>,
        replays: u8,
    },
    /// The pool is asked once more: the request was sent so often, and not processed.
    Again {
        replays: u8,
    },
    Exchange(h2::Checkout),
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

const REQUEST_HELD: &str = "a request is here unless its connection is being made";

impl<'a> NetSend<'a> {
    #[inline]
    pub(crate) fn new(net: &'a Arc<Shared>, request: Request) -> NetSend<'a> {
        NetSend {
            net,
            acquire: None,
            connection: None,
            request: Some(request),
        }
    }

    /// Obtains a connection where the pool had none that can be used as it is, and puts the request into it;
    /// `true` if an exchange has gone the whole way.
    #[inline(never)]
    fn poll_acquire(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<bool>> {
        loop {
            match &mut self.acquire {
                // There is a connection now, or the pool is asked again.
                None => return Poll::Ready(Ok(false)),
                Some(Acquire::Exchange(_)) => return self.poll_exchange(cx),
                Some(Acquire::DrainTls(draining)) => {
                    let connection = ready!(draining.as_mut().poll(cx));
                    self.acquire = None;
                    if let Some(connection) = connection {
                        self.begin(connection, true)?;
                    }
                }
                Some(Acquire::Again { replays }) => {
                    let replays = *replays;
                    self.acquire = None;
                    // As by any way: this is seldom.
                    self.check_out_by_way(cx, clock::now(), replays)?;
                }
                Some(Acquire::Connect {
                    connecting,
                    replays,
                }) => {
                    let (request, connected) = ready!(connecting.as_mut().poll(cx));
                    let replays = *replays;
                    self.acquire = None;
                    self.request = Some(request);
                    let (connection, is_reused) = connected?;
                    match connection {
                        Connection::H2(exchange) => {
                            self.begin_exchange(exchange, is_reused, replays);
                        }
                        Connection::H1(connection) => self.begin(connection, is_reused)?,
                    }
                }
            }
        }
    }

    /// Begins on the newest idle connection of the route that is healthy; without one, `acquire` is set.
    #[inline]
    fn check_out(&mut self, cx: &mut TaskContext<'_>) -> Result<()> {
        let net = self.net;
        let context = &mut *self.request.as_mut().expect(REQUEST_HELD).context;
        let now = began(context, &net.settings);
        let Some(origin) = context.request.url.origin() else {
            return Err(Error::new(ErrorKind::Url, "request has no URL"));
        };
        if context.request.url.name().is_some() || net.pool.is_unusual() {
            return self.check_out_by_way(cx, now, 0);
        }
        // Outside a runtime no socket would report an event; connecting says so in its error.
        if let Ok(here) = runtime::Handle::try_current() {
            let route = RouteKey::direct(origin);
            let is_repeatable = || can_be_repeated(context);
            match net.pool.check_out(route, here.id(), is_repeatable, cx, now) {
                Some(CheckedOut::Ready(connection)) => return self.begin(connection, true),
                Some(other) => return self.checked_out(other),
                None => {}
            }
        }
        self.connect(None, 0);
        Ok(())
    }

    /// What follows a connection that cannot simply be begun on.
    #[inline(never)]
    fn checked_out(&mut self, found: CheckedOut) -> Result<()> {
        match found {
            CheckedOut::Ready(connection) => self.begin(connection, true)?,
            CheckedOut::TlsRecords(connection) => {
                self.acquire = Some(Acquire::DrainTls(Box::pin(connection.drain_tls())));
            }
        }
        Ok(())
    }

    /// [`check_out`](NetSend::check_out) for a route that is more than its origin, and where connections are shared.
    #[cold]
    #[inline(never)]
    fn check_out_by_way(
        &mut self,
        cx: &mut TaskContext<'_>,
        now: Instant,
        replays: u8,
    ) -> Result<()> {
        let net = self.net;
        let context = &*self.request.as_ref().expect(REQUEST_HELD).context;
        let Some(origin) = context.request.url.origin() else {
            return Err(Error::new(ErrorKind::Url, "request has no URL"));
        };
        let proxy = net.connector.proxy_for(origin)?;
        if let Ok(here) = runtime::Handle::try_current() {
            let name = context.request.url.name();
            let route = net.connector.route(origin, name, proxy.as_ref());
            let is_repeatable = can_be_repeated(context);
            if !context.needs_http1()
                && let Some(exchange) = net.pool.exchange_on(route, here.id())
            {
                self.begin_exchange(exchange, true, replays);
                return Ok(());
            }
            let pool = &net.pool;
            if let Some(found) = pool.check_out_by_way(route, here.id(), is_repeatable, cx, now) {
                return self.checked_out(found);
            }
        }
        self.connect(proxy, replays);
        Ok(())
    }

    /// Making a connection is the cold path.
    #[cold]
    fn connect(&mut self, proxy: Option<ProxyServer>, replays: u8) {
        let request = self.request.take().expect(REQUEST_HELD);
        let connecting = Box::pin(obtain(self.net, request, proxy));
        self.acquire = Some(Acquire::Connect {
            connecting,
            replays,
        });
    }

    #[inline]
    fn begin(&mut self, mut connection: Box<h1::Connection>, is_reused: bool) -> Result<()> {
        let context = &mut *self.request.as_mut().expect(REQUEST_HELD).context;
        if let Err(error) = connection.begin(context) {
            connection.return_to_pool(&mut context.spare);
            return Err(error);
        }
        // Copies: the connection may be in use by another request when the response is asked for them.
        context.response.addresses = connection.addresses();
        context
            .timing
            .timeline
            .set_connection(connection.id(), is_reused);
        context.timing.timeline.count_attempt();
        self.connection = Some(connection);
        Ok(())
    }

    fn begin_exchange(&mut self, mut exchange: h2::Checkout, is_reused: bool, replays: u8) {
        let context = &mut *self.request.as_mut().expect(REQUEST_HELD).context;
        exchange.begin(context, is_reused, replays);
        self.acquire = Some(Acquire::Exchange(exchange));
    }

    /// Decides what follows a round trip that failed: the request is sent once more, or the error is
    /// returned.
    #[cold]
    fn failed(&mut self, connection: Connection, error: Error) -> Result<()> {
        let context = &mut *self.request.as_mut().expect(REQUEST_HELD).context;
        if let Connection::H1(closed) = &connection
            && error.is_retryable()
            && context.timing.timeline.is_connection_reused()
        {
            let pool = &self.net.pool;
            pool.closed_by_server(closed.route(), closed.idle_before());
        }
        let is_refused = match &connection {
            Connection::H1(_) => false,
            Connection::H2(exchange) => {
                leave_shared(self.net, exchange);
                exchange.is_unprocessed()
            }
        };
        // By HTTP/1.1 the next connection is a new one, which is the last.
        let next = match &connection {
            Connection::H1(_) => Some(0),
            Connection::H2(exchange) => exchange.next_replay(),
        };
        let may_be_sent_again = error.is_retryable() && can_be_sent_again(context, &connection);
        if !may_be_sent_again {
            return Err(error.not_retryable());
        }
        // A stream that was refused says nothing about its connection, and the time of a wait is up whatever
        // the connection.
        let is_worth_it = (is_refused || context.timing.timeline.is_connection_reused())
            && error.kind() != ErrorKind::Timeout;
        let Some(next) = next.filter(|_| is_worth_it) else {
            return Err(match connection.sent_nothing() {
                true => error.unsent(),
                false => error,
            });
        };
        context.request.body.begin_anew()?;
        self.send_again(connection, next);
        Ok(())
    }

    /// The server knows no expectations: the same request goes out without one (RFC 9110 section 10.1.1).
    #[cold]
    fn send_without_expectation(&mut self, connection: Connection) {
        let request = &mut self.request.as_mut().expect(REQUEST_HELD).context.request;
        request.asks = Asks::Nothing;
        request.headers.remove(EXPECT);
        self.send_again(connection, 0);
    }

    /// Sends the request once more, on a new connection.
    fn send_again(&mut self, connection: Connection, replays: u8) {
        let context = &mut *self.request.as_mut().expect(REQUEST_HELD).context;
        let way = match &connection {
            Connection::H1(closed) => Some(closed.route().proxy().cloned()),
            Connection::H2(_) => None,
        };
        // The dead connection is closed before its replacement is opened: it is a descriptor.
        drop(connection);
        self.net.wire.counters.replayed();
        context.response.head.reset();
        context.timing.begin_exchange(clock::now());
        match way {
            // A shared connection that has died is in the pool no more.
            None => self.acquire = Some(Acquire::Again { replays }),
            // Not the pool again: its other idle connections may have died in the same moment.
            Some(proxy) => self.connect(proxy, 0),
        }
    }

    /// Sends the request, receives the head of its response, and makes what follows its body.
    #[inline(always)] // The way of every request.
    fn poll_round_trip(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        loop {
            if let (Some(connection), Some(request)) = (&mut self.connection, &mut self.request) {
                let done = ready!(connection.poll_round_trip(cx, &mut request.context));
                // Taken only now: a future that is dropped while it waits drops the connection.
                let connection = self.connection.take().expect("just looked at");
                match done {
                    Ok(())
                        if refuses_expectation(&request.context)
                            && connection.holds_back_content() =>
                    {
                        self.send_without_expectation(Connection::H1(connection));
                    }
                    Ok(()) => {
                        connection.deliver(&mut request.context);
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) => self.failed(Connection::H1(connection), error)?,
                }
            } else if self.acquire.is_none() {
                self.check_out(cx)?;
            } else if ready!(self.poll_acquire(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The same of a request on a stream; `false` if it is to be sent again.
    #[inline(never)]
    fn poll_exchange(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<bool>> {
        let request = self.request.as_mut().expect(REQUEST_HELD);
        let Some(Acquire::Exchange(exchange)) = &mut self.acquire else {
            return Poll::Ready(Ok(false));
        };
        let done = ready!(exchange.poll_round_trip(cx, &mut request.context));
        // Taken only now: a future that is dropped while it waits resets the stream.
        let Some(Acquire::Exchange(exchange)) = self.acquire.take() else {
            return Poll::Ready(Ok(false));
        };
        match done {
            Ok(()) if refuses_expectation(&request.context) && exchange.holds_back_content() => {
                self.send_without_expectation(Connection::H2(exchange));
                Poll::Ready(Ok(false))
            }
            Ok(()) => {
                exchange.deliver(&mut request.context);
                Poll::Ready(Ok(true))
            }
            Err(error) => Poll::Ready(self.failed(Connection::H2(exchange), error).map(|()| false)),
        }
    }
}

impl Future for NetSend<'_> {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let sent = ready!(self.poll_round_trip(cx));
        let request = self.request.take().expect(REQUEST_HELD);
        Poll::Ready(match sent {
            Ok(()) => Ok(Response::new(request)),
            Err(error) => {
                let error = request.context.explain(error);
                Err(match error.is_unsent() {
                    true => error.with_request(Some(request)),
                    false => error.with_sent(request),
                })
            }
        })
    }
}

/// A shared connection that takes no more requests is handed out no more, which its task may not have got
/// round to; and one whose server wants HTTP/1.1 ends.
#[cold]
fn leave_shared(net: &Shared, exchange: &h2::Exchange) {
    let shared = exchange.connection();
    if exchange.wants_http1() {
        net.dials.require_http1(shared.route());
        shared.go_away();
    }
    if !shared.is_live() {
        net.pool.retire(shared);
    }
}

/// When the network's part of a request begins: with the request, unless a middleware came first or
/// there is no client.
#[inline]
fn began(context: &mut Context, settings: &Settings) -> Instant {
    match context.timing.began() {
        Some(began) => began,
        None => begin_here(context, settings),
    }
}

#[cold]
fn begin_here(context: &mut Context, settings: &Settings) -> Instant {
    let now = clock::now();
    context.timing.begin_without_client(now, settings);
    now
}

/// Whether the server has answered 417, as one does to content that waits for its word.
#[inline]
fn refuses_expectation(context: &Context) -> bool {
    context.response.head.status() == StatusCode::EXPECTATION_FAILED
}

/// Whether the request may be sent twice: its method has the same effect then (RFC 9110 section 9.2.2), and
/// its body can be sent again. A stream that was read from cannot be read again, whatever the method.
#[inline]
fn can_be_repeated(context: &Context) -> bool {
    context.request.is_idempotent() && context.request.body.can_be_sent_again()
}

/// Whether a request that got no answer may be sent again: if nothing of it was sent, if its content was
/// held back, without which it asks for nothing, or if it may be sent twice.
fn can_be_sent_again(context: &Context, connection: &Connection) -> bool {
    // A stream that was not begun is as it was.
    let is_unspent = context.request.body.check_unspent().is_ok();
    match connection.holds_back_content() || connection.sent_nothing() {
        true => is_unspent,
        false => can_be_repeated(context),
    }
}
