//! Waiting for a dial, and the task that dials (`dial.rs` has what they share).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime;
use turbohttp_core::timeline::Phase;

use super::connect::Connected;
use super::dial::{Dial, Outcome, Taken};
use super::h2;
use super::notes::Notes;
use super::route::Route;
use super::shared::Shared;
use super::shortage::is_shortage;
use super::versions::Protocol;
use crate::clock;
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;

/// What a request is to do that needs a connection.
pub(crate) enum Joined {
    /// It has an exchange on a shared connection; whether others had one before.
    Exchange(h2::Checkout, bool),
    /// It has a stream of its own.
    Connected(Connected),
    /// It dials by itself.
    Alone,
}

/// Waits for the dial of a route, which is begun if there is none.
///
/// # Errors
///
/// What the dial failed by, or that the deadline of this request has passed.
///
/// Cancel safe: the dial goes on for others, and ends if there are none.
pub(crate) async fn join(
    net: &Arc<Shared>,
    context: &mut Context,
    route: &Route,
) -> Result<Joined> {
    // Said by the clock before anything is begun: a runtime without one cannot bound a wait.
    drop(clock::sleep_until(clock::now())?);
    let here = runtime::Handle::current().id();
    let (waiter, is_first) = net.dials.enter(route, here);
    if is_first {
        // The dial before may have ended since this request looked into the pool.
        if let Some(exchange) = net.pool.exchange_on(route.key(), here) {
            net.dials.leave(&waiter.dial);
            let shared = exchange.connection().clone();
            waiter.dial.end(Outcome::Shared(shared), None);
            return Ok(Joined::Exchange(exchange, true));
        }
        begin(net, &waiter.dial, *context.timing.limits.settings());
    }
    // Until the task says more.
    let first = net.connector.first_phase(route);
    context.timing.timeline.start(first, clock::now());
    let deadline = context.timing.limits.deadline;
    let wait = poll_fn(|cx| waiter.poll(cx, &mut context.timing.timeline));
    let outcome = match deadline {
        None => wait.await,
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), wait).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let phase = context.timing.timeline.open_phase();
                let phase = phase.unwrap_or(Phase::Connect);
                context.timing.timeline.finish(phase, clock::now());
                let allowed = context.timing.limits.allowed();
                return Err(Error::timeout(phase, "the request", allowed));
            }
        },
    };
    match outcome {
        Taken::Connected(connected) => Ok(Joined::Connected(connected)),
        // Those that are there are full, and yet better than none.
        Taken::Failed(error) => match net.pool.exchange_in_line(route.key(), here) {
            Some(exchange) => Ok(Joined::Exchange(exchange, true)),
            None => Err(error),
        },
        Taken::Alone => Ok(Joined::Alone),
        Taken::Shared(connection) => {
            let exchange = net.pool.exchange_on(route.key(), here);
            // One that has come and gone says why.
            let exchange = exchange.unwrap_or_else(|| net.pool.exchange_of(&connection));
            Ok(Joined::Exchange(exchange, !is_first))
        }
    }
}

/// Starts the task of a dial.
fn begin(net: &Arc<Shared>, dial: &Arc<Dial>, settings: Settings) {
    let dialing = Dialing {
        net: net.clone(),
        dial: dial.clone(),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "ends by the limits on connecting, and with its runtime"
    )]
    tokio::spawn(dialing.run(settings));
}

/// What the task of a dial owns: dropped with it, also by a runtime that ends.
struct Dialing {
    net: Arc<Shared>,
    dial: Arc<Dial>,
}

impl Dialing {
    async fn run(self, settings: Settings) {
        // A context of its own, as the phases of a connection are written into one.
        let mut request = Request::blank();
        let context = &mut *request.context;
        context.timing.begin_without_client(clock::now(), &settings);
        // The dial has the limits of each phase; the deadlines are those of the requests that wait.
        context.timing.limits.deadline = None;
        let dial = self.dial.clone();
        let notes = Notes(Arc::new(move |phase| dial.enters(phase)));
        context.extensions.insert(notes);
        let (net, dial) = (&self.net, &self.dial);
        let versions = net.connector.versions();
        let connecting = Box::pin(net.connector.connect(context, &dial.route, versions));
        let Some(connected) = unless_given_up(connecting, dial).await else {
            return;
        };
        let outcome = match connected {
            // Each request waits for the end of a shortage by itself.
            Err(error) if is_shortage(&error) => Outcome::Exclusive(None),
            Err(error) => Outcome::Failed(error),
            Ok(connected) => {
                net.dials.learn(&dial.route, connected.protocol);
                match connected.protocol {
                    Protocol::Http1 => Outcome::Exclusive(Some(connected)),
                    Protocol::Http2 => {
                        let route = dial.route.clone();
                        let now = clock::now();
                        let shared = h2::start(connected, route, now, &net.wire, &net.pool);
                        Outcome::Shared(shared)
                    }
                }
            }
        };
        net.dials.leave(dial);
        // A stream that nobody takes is closed with the dial.
        dial.end(outcome, context.timing.timeline.tls_resumed());
    }
}

/// The outcome of `connecting`; `None` as soon as nobody waits for it.
async fn unless_given_up<T>(
    mut connecting: Pin<Box<impl Future<Output = T>>>,
    dial: &Dial,
) -> Option<T> {
    poll_fn(|cx| match connecting.as_mut().poll(cx) {
        Poll::Ready(connected) => Poll::Ready(Some(connected)),
        Poll::Pending => dial.poll_given_up(cx).map(|()| None),
    })
    .await
}

impl Drop for Dialing {
    fn drop(&mut self) {
        self.net.dials.leave(&self.dial);
        let message = "runtime of the dial has ended";
        let error = Error::new(ErrorKind::Runtime, message).unsent();
        self.dial.end(Outcome::Failed(error), None);
    }
}
