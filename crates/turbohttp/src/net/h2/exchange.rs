//! One request and its response on a stream of a connection.
//!
//! ```text
//!        poll_open                    head, content to come
//!  Idle ───────────> Sent: the head is awaited ────────────> Body ──end──> Idle
//!   ^ in line for a stream               │ head and content whole
//!   └────────────────────────────────────┘
//! ```
//!
//! Dropping an exchange resets its stream; the connection lives on.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use turbohttp_core::h2::{Piece, StreamKey, Ticket};
use turbohttp_core::origin::Origin;

use super::connection::Connection;
use super::failure::Refusal;
use super::sending::Upload;
use crate::body::Content;
use crate::body::buffer::ReadMemory;
use crate::clock;
use crate::context::Context;
use crate::limits::{H2_EXCHANGES_KEPT_MAX, REPLAYS_MAX};
use crate::net::timer::Timer;

/// One request on a connection. It is kept for the next one when it is over.
pub(crate) struct Exchange {
    pub(super) connection: Arc<Connection>,
    /// The pool that it returns to, while it is in use.
    home: Option<Arc<dyn Home>>,
    /// The stream, from the first write to the end.
    pub(super) key: Option<StreamKey>,
    /// The place in line for a stream.
    pub(super) ticket: Option<Ticket>,
    /// When the waiting in line began.
    pub(super) waits_since: Option<Instant>,
    pub(super) stage: Stage,
    pub(super) upload: Upload,
    pub(super) timer: Timer,
    /// The piece of content that is lent out.
    pub(super) lent: Option<Piece<ReadMemory>>,
    /// What its failure says about sending the request again.
    pub(super) refusal: Refusal,
    /// How often the request was sent before and not processed.
    replays: u8,
    /// The last moment that is known.
    pub(super) since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The final head is awaited.
    Head,
    /// The head is here, and the content is still on the connection.
    Body,
    /// A piece of the content is awaited, and the timer runs.
    BodyAwaited,
    /// The response was whole with its head.
    Whole,
}

impl Exchange {
    pub(crate) fn new(connection: &Arc<Connection>) -> Box<Exchange> {
        Box::new(Exchange {
            connection: connection.clone(),
            home: None,
            key: None,
            ticket: None,
            waits_since: None,
            stage: Stage::Head,
            upload: Upload::Over,
            timer: Timer::default(),
            lent: None,
            refusal: Refusal::No,
            replays: 0,
            since: connection.opened_at,
        })
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Begins an exchange. Nothing is written yet: that is the first step of the round trip.
    #[inline]
    pub(crate) fn begin(&mut self, context: &mut Context, is_reused: bool, replays: u8) {
        self.replays = replays;
        self.stage = Stage::Head;
        self.refusal = Refusal::No;
        self.since = context.timing.began().unwrap_or_else(clock::now);
        context.response.addresses = self.connection.addresses;
        let timeline = &mut context.timing.timeline;
        timeline.set_connection(self.connection.id, is_reused);
        timeline.count_attempt();
    }

    /// Whether the server has not processed the request, so that it can be sent again whatever it is.
    pub(crate) fn is_unprocessed(&self) -> bool {
        self.refusal != Refusal::No
    }

    /// How often the request will have been sent and not processed if it is sent again; `None` if that is too
    /// often. A connection that goes away and has taken others does not count: there may be many of them in a
    /// row where each takes few requests, as nginx's do.
    #[cold]
    pub(crate) fn next_replay(&self) -> Option<u8> {
        if self.refusal == Refusal::Unpermitted {
            return None;
        }
        let streams = &self.connection.streams;
        // GOAWAY with requests served is how servers end connections in order (RFC 9113 section 6.8).
        if self.refusal == Refusal::Moved && streams.look(|streams| streams.has_taken_some()) {
            return Some(self.replays);
        }
        (self.replays < REPLAYS_MAX).then_some(self.replays + 1)
    }

    /// Whether the server wants the request by HTTP/1.1 (RFC 9113 section 7).
    pub(crate) fn wants_http1(&self) -> bool {
        self.refusal == Refusal::WantsHttp1
    }

    /// Whether the request announced an expectation, and none of its content was sent.
    pub(crate) fn holds_back_content(&self) -> bool {
        matches!(self.upload, Upload::HeldBack { .. })
    }

    /// Makes what follows the head the body of the response. The exchange goes along, unless the response
    /// has arrived whole.
    #[inline]
    fn deliver(mut self: Box<Self>, context: &mut Context) {
        match self.stage {
            Stage::Whole => {
                // The server may have answered before all of the content was sent: the piece goes here.
                self.upload = Upload::Over;
                self.return_to_pool();
            }
            _ => context.response.body.0 = Content::Connection(self),
        }
    }

    /// Ends the exchange: its stream is released, and reset if it has not ended.
    pub(crate) fn finish(mut self: Box<Self>) {
        self.release();
        self.return_to_pool();
    }

    #[inline]
    fn return_to_pool(mut self: Box<Self>) {
        if let Some(home) = self.home.take() {
            home.take_back(self);
        }
    }

    /// Releases what it has of the connection.
    pub(super) fn release(&mut self) {
        // A place in line that is left makes room for nobody: no stream was taken.
        if let Some(ticket) = self.ticket.take() {
            let streams = &self.connection.streams;
            streams.update(|streams, wakes| streams.leave(Some(ticket), wakes));
        }
        self.waits_since = None;
        if let Some(key) = self.key.take() {
            let now = clock::now();
            let streams = &self.connection.streams;
            // Dropped here, without the lock: buffers go to their pool, whose lock is another.
            drop(streams.update(|streams, wakes| streams.release(key, now, wakes)));
        }
        self.lent = None;
        self.upload = Upload::Over;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.release();
        if let Some(home) = self.home.take() {
            home.is_lost(&self.connection);
        }
    }
}

/// An exchange that a request has. Dropped, it is [finished](Exchange::finish): a request that is cancelled or
/// fails leaves it to the next one.
pub(crate) struct Checkout(Option<Box<Exchange>>);

const CHECKED_OUT: &str = "an exchange is here until it is taken out, which consumes the checkout";

impl Checkout {
    /// An exchange of the pool of `home`.
    #[inline]
    pub(crate) fn new(mut exchange: Box<Exchange>, home: Arc<dyn Home>) -> Checkout {
        exchange.home = Some(home);
        Checkout(Some(exchange))
    }

    /// See [`Exchange::deliver`].
    #[inline]
    pub(crate) fn deliver(mut self, context: &mut Context) {
        let exchange = self.0.take().expect(CHECKED_OUT);
        exchange.deliver(context);
    }
}

impl Deref for Checkout {
    type Target = Exchange;

    #[inline]
    fn deref(&self) -> &Exchange {
        self.0.as_deref().expect(CHECKED_OUT)
    }
}

impl DerefMut for Checkout {
    #[inline]
    fn deref_mut(&mut self) -> &mut Exchange {
        self.0.as_deref_mut().expect(CHECKED_OUT)
    }
}

impl Drop for Checkout {
    #[inline]
    fn drop(&mut self) {
        if let Some(exchange) = self.0.take() {
            exchange.finish();
        }
    }
}

/// The pool of connections, as far as a connection knows it.
pub(crate) trait Home: Send + Sync {
    /// Takes an exchange back that is over.
    fn take_back(self: Arc<Self>, exchange: Box<Exchange>);

    /// An exchange that was in use is freed.
    fn is_lost(&self, connection: &Arc<Connection>);

    /// Hands a connection out from now on, whose task has yet to begin.
    fn share(&self, connection: &Arc<Connection>);

    /// Hands the connection out no more.
    fn retire(&self, connection: &Arc<Connection>);

    /// The connection carries so many requests at once from now on.
    fn carries(&self, connection: &Arc<Connection>, requests: usize);

    /// How many requests the connections to an origin carry at once, those that may be made next included. `None`
    /// if there are none.
    fn carried(&self, origin: &Origin) -> Option<usize>;
}

/// Exchanges of one connection that are not in use.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "they come and go as boxes, which are what is kept"
)]
pub(crate) struct Spares(Vec<Box<Exchange>>);

impl Spares {
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Box<Exchange>> {
        self.0.pop()
    }

    /// Keeps an exchange; gives it back if there are enough.
    #[inline]
    pub(crate) fn put(&mut self, exchange: Box<Exchange>) -> Option<Box<Exchange>> {
        if self.0.len() >= H2_EXCHANGES_KEPT_MAX {
            return Some(exchange);
        }
        self.0.push(exchange);
        None
    }
}
