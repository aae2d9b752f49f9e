//! Obtaining a connection where the pool has none: the cold path of sending.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime;

use super::connect::Connected;
use super::connection::Connection;
use super::h1;
use super::h2;
use super::join::{Joined, join};
use super::proxy::ProxyServer;
use super::route::Route;
use super::shared::Shared;
use super::shortage::is_shortage;
use super::versions::{HttpVersions, Protocol};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::SHORTAGE_RETRY_MS;
use crate::request::Request;

/// How often a request looks by itself whether a shortage has ended.
const SHORTAGE_RETRY: Duration = Duration::from_millis(SHORTAGE_RETRY_MS);

/// Makes a connection for `request`, which travels along.
pub(super) async fn obtain(
    net: &Arc<Shared>,
    mut request: Request,
    proxy: Option<ProxyServer>,
) -> (Request, Result<(Connection, bool)>) {
    let origin = request.origin().clone();
    let context = &mut *request.context;
    let name = context.request.url.name();
    let route = net.connector.route(&origin, name, proxy.as_ref());
    let route = route.to_route();
    // A request that cannot be written is refused before a connection is made for it.
    let joined = match check(net, context, &route) {
        Ok(()) if shares_dial(net, context, &route) => Box::pin(join(net, context, &route)).await,
        Ok(()) => Ok(Joined::Alone),
        Err(error) => Err(error),
    };
    let connected = match joined {
        Ok(Joined::Exchange(exchange, is_reused)) => {
            context.timing.begin_exchange(clock::now());
            return (request, Ok((Connection::H2(exchange), is_reused)));
        }
        Ok(Joined::Connected(connected)) => Ok(connected),
        Ok(Joined::Alone) => {
            let versions = versions_for(net, context, &route);
            net.connector.connect(context, &route, versions).await
        }
        Err(error) => Err(error),
    };
    let connection = match connected {
        Ok(connected) => Ok((new_connection(net, context, connected, route), false)),
        Err(error) if is_shortage(&error) => {
            Box::pin(connect_in_shortage(net, context, route, error)).await
        }
        Err(error) => Err(error),
    };
    (request, connection)
}

/// Whether the request can be written on a connection of this route.
fn check(net: &Shared, context: &Context, route: &Route) -> Result<()> {
    h1::check_head(context, &route.origin, &net.wire.defaults)?;
    // A proxy is spoken to by HTTP/1.1, and so is the origin of a request that it forwards.
    let is_http2_alone =
        net.connector.versions() == HttpVersions::Http2 && route.forwarder().is_none();
    if is_http2_alone && context.needs_http1() {
        let message = "the request needs HTTP/1.1, and its client speaks HTTP/2 only by the option \
                       http2_prior_knowledge";
        return Err(Error::new(ErrorKind::Request, message));
    }
    Ok(())
}

fn new_connection(
    net: &Shared,
    context: &mut Context,
    connected: Connected,
    route: Route,
) -> Connection {
    let now = clock::now();
    context.timing.begin_exchange(now);
    // The origin may have been known to speak HTTP/1.1: from now on its dials are shared again.
    if connected.protocol == Protocol::Http2 {
        net.dials.learn(&route, Protocol::Http2);
    }
    Connection::new(connected, route, now, &net.wire, &net.pool)
}

/// Makes a connection, or takes an idle one, when a descriptor or a local port comes free: for as long as a
/// request may wait for a permit. What is idle for other routes is closed for it.
async fn connect_in_shortage(
    net: &Shared,
    context: &mut Context,
    route: Route,
    mut error: Error,
) -> Result<(Connection, bool)> {
    let waiting = net.wire.shortage.enter();
    let own = context
        .timing
        .limits
        .timeouts()
        .permit
        .unwrap_or(clock::FAR);
    let own = clock::after(clock::now(), own);
    let until = clock::earlier(Some(own), context.timing.limits.deadline);
    while until.is_some_and(|until| clock::now() < until) {
        let idle = poll_fn(|cx| Poll::Ready(net.pool.check_out_late(&route, cx, clock::now())));
        if let Some(connection) = idle.await {
            context.timing.begin_exchange(clock::now());
            return Ok((Connection::H1(connection), true));
        }
        if let Some(exchange) = shared_exchange(net, context, &route) {
            context.timing.begin_exchange(clock::now());
            return Ok((Connection::H2(exchange), true));
        }
        if !net.pool.close_oldest() {
            // Closed by its task, which says so.
            net.pool.end_idle_shared(1);
            // Others than this transport may free what is short as well, without a word.
            _ = tokio::time::timeout(SHORTAGE_RETRY, waiting.freed()).await;
        }
        let versions = versions_for(net, context, &route);
        match net.connector.connect(context, &route, versions).await {
            Ok(connected) => return Ok((new_connection(net, context, connected, route), false)),
            Err(again) if is_shortage(&again) => error = again,
            Err(other) => return Err(other),
        }
    }
    Err(error)
}

/// An exchange on a shared connection that was made while the request waited.
fn shared_exchange(net: &Shared, context: &Context, route: &Route) -> Option<h2::Checkout> {
    if versions_for(net, context, route) == HttpVersions::Http1 {
        return None;
    }
    let here = runtime::Handle::try_current().ok()?.id();
    net.pool.exchange_on(route.key(), here)
}

/// Whether the request may share a dial, and a connection.
fn shares_dial(net: &Shared, context: &Context, route: &Route) -> bool {
    net.dials
        .are_shared(route, versions_for(net, context, route))
}

/// What may be spoken on a connection for the request.
fn versions_for(net: &Shared, context: &Context, route: &Route) -> HttpVersions {
    match context.needs_http1() || net.dials.wants_http1(route) {
        true => HttpVersions::Http1,
        false => net.connector.versions(),
    }
}
