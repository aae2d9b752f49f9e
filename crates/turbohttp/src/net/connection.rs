//! One connection to a server, whatever protocol it speaks.

use std::sync::Arc;
use std::time::Instant;

use super::connect::Connected;
use super::h1;
use super::h2;
use super::pool::Pool;
use super::route::Route;
use super::versions::Protocol;
use super::wire::Wire;

/// What carries a request, where it does not matter often which of the two it is: a connection, or an
/// exchange on one that carries many requests.
pub(crate) enum Connection {
    H1(Box<h1::Connection>),
    H2(h2::Checkout),
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
                let shared = h2::start(connected, route, now, wire, pool);
                Connection::H2(pool.exchange_of(&shared))
            }
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
