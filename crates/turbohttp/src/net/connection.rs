//! One connection to a server, whatever protocol it speaks.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use super::connect::Connected;
use super::h1;
use super::h2;
use super::pool::Pool;
use super::route::Route;
use super::versions::Protocol;
use super::wire::Wire;
use crate::context::Context;
use crate::error::Result;

/// A connection that a request has checked out.
///
/// A protocol is a variant, with one arm in each of the operations below. Those of a protocol that
/// carries many requests at once act on its one request: [`begin`](Connection::begin) opens a stream,
/// dropping the value resets that stream, and the connection itself stays in the pool.
pub(crate) enum Connection {
    H1(Box<h1::Connection>),
    H2(Box<h2::Exchange>),
}

impl Connection {
    /// A connection that was just made, checked out.
    pub(crate) fn new(
        connected: Connected,
        route: Route,
        now: Instant,
        wire: &Arc<Wire>,
        pool: &Arc<Pool>,
    ) -> Connection {
        match connected.protocol {
            Protocol::Http1 => {
                let owner = pool.clone();
                Connection::H1(h1::Connection::new(connected, route, now, wire, owner))
            }
            Protocol::Http2 => {
                let shared = h2::Connection::start(connected, route, now, wire, pool);
                pool.share(&shared);
                Connection::H2(h2::Exchange::on(&shared, pool))
            }
        }
    }

    /// Puts a request into the connection, and the connection's number and addresses into the context.
    ///
    /// # Errors
    ///
    /// A request that cannot be written; the connection is in its pool again then.
    #[inline]
    pub(crate) fn begin(self, context: &mut Context, is_reused: bool) -> Result<Connection> {
        let mut connection = match self {
            Connection::H1(connection) => connection,
            Connection::H2(mut exchange) => {
                exchange.begin(context, is_reused);
                return Ok(Connection::H2(exchange));
            }
        };
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
        Ok(Connection::H1(connection))
    }

    /// Sends the request and receives the final head of its response.
    #[inline]
    pub(crate) fn poll_round_trip(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
    ) -> Poll<Result<()>> {
        match self {
            Connection::H1(connection) => connection.poll_round_trip(cx, context),
            Connection::H2(exchange) => exchange.poll_round_trip(cx, context),
        }
    }

    /// Makes what follows the head the body of the response in `context`. The connection goes along,
    /// unless the body has already arrived whole.
    #[inline]
    pub(crate) fn deliver(self, context: &mut Context) {
        match self {
            Connection::H1(connection) => connection.deliver(context),
            Connection::H2(exchange) => exchange.deliver(context),
        }
    }

    /// Whether nothing of the request was processed, so that it can be sent again whatever it is.
    pub(crate) fn sent_nothing(&self) -> bool {
        match self {
            Connection::H1(connection) => connection.sent_nothing(),
            Connection::H2(exchange) => exchange.is_unprocessed(),
        }
    }

    /// Whether the request announced an expectation, and none of its content was sent.
    pub(crate) fn holds_back_content(&self) -> bool {
        match self {
            Connection::H1(connection) => connection.holds_back_content(),
            Connection::H2(exchange) => exchange.holds_back_content(),
        }
    }
}
