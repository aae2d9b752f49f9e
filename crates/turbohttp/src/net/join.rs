//! Waiting for a dial, and the task that dials (`dial.rs` has what they share).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime;
use turbohttp_core::timeline::{Phase, Timeline};

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
use crate::limits::REDIAL_AFTER_MS;
use crate::request::Request;

/// How long no other connection is dialed where one could not be made, and there are some.
const REDIAL_AFTER: Duration = Duration::from_millis(REDIAL_AFTER_MS);

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
        net.pool.dial_begins(&waiter.dial);
        // The dial before may have ended since this request looked into the pool.
        if let Some(exchange) = net.pool.exchange_on(route.key(), here) {
            leave(net, &waiter.dial);
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
    let wait = poll_fn(|cx| match waiter.poll(cx, &mut context.timing.timeline) {
        Poll::Ready(taken) => Poll::Ready(Ok(taken)),
        // Looked for behind the poll, which has left the waker: what comes free from now on wakes it.
        Poll::Pending => match net.pool.exchange_beside(&waiter.dial) {
            Some(exchange) => Poll::Ready(Err(exchange)),
            None => Poll::Pending,
        },
    });
    let outcome = match deadline {
        None => wait.await,
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), wait).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let phase = end_phase(&mut context.timing.timeline);
                let allowed = context.timing.limits.allowed();
                return Err(Error::timeout(phase, "the request", allowed));
            }
        },
    };
    let taken = match outcome {
        Ok(taken) => taken,
        Err(exchange) => {
            end_phase(&mut context.timing.timeline);
            return Ok(Joined::Exchange(exchange, true));
        }
    };
    match taken {
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

/// Ends the phase of the dial that the request is in.
fn end_phase(timeline: &mut Timeline) -> Phase {
    let phase = timeline.open_phase().unwrap_or(Phase::Connect);
    timeline.finish(phase, clock::now());
    phase
}

/// No request joins the dial any more, nor is one that waits for it woken by what comes free.
fn leave(net: &Shared, dial: &Arc<Dial>) {
    net.dials.leave(dial);
    net.pool.dial_ends(dial);
}

/// Starts the task of a dial.
fn begin(net: &Arc<Shared>, dial: &Arc<Dial>, settings: Settings) {
    let dialing = Dialing {
        net: net.clone(),
        dial: dial.clone(),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "ends by the limits on connecting and REDIAL_AFTER, and with its runtime"
    )]
    tokio::spawn(async move {
        if let Some(refusal) = dialing.run(settings).await {
            refusal.hold().await;
        }
    });
}

/// What the task of a dial owns: dropped with it, also by a runtime that ends.
struct Dialing {
    net: Arc<Shared>,
    dial: Arc<Dial>,
}

impl Dialing {
    /// Dials. If that has failed, and there are other connections, what is to be waited out.
    async fn run(self, settings: Settings) -> Option<Refusal> {
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
        let connected = unless_given_up(connecting, dial).await?;
        // Before the connection is shared: its requests have it by the outcome, which says more of it.
        net.pool.dial_ends(dial);
        let refusal = match &connected {
            Ok(_) => None,
            Err(_) => Refusal::new(net, dial),
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
        refusal
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
        leave(&self.net, &self.dial);
        let message = "runtime of the dial has ended";
        let error = Error::new(ErrorKind::Runtime, message).unsent();
        self.dial.end(Outcome::Failed(error), None);
    }
}

/// Another connection of a route could not be made: while this is there, requests wait for those that are.
struct Refusal {
    /// Weak: a client that is dropped is not kept by its failures.
    net: Weak<Shared>,
    dial: Arc<Dial>,
}

impl Refusal {
    fn new(net: &Arc<Shared>, dial: &Arc<Dial>) -> Option<Refusal> {
        if !net.pool.refuse_another(&dial.route, dial.runtime) {
            return None;
        }
        h2::tell_of(&net.wire, &dial.route.origin, &*net.pool);
        Some(Refusal {
            net: Arc::downgrade(net),
            dial: dial.clone(),
        })
    }

    async fn hold(self) {
        tokio::time::sleep(REDIAL_AFTER).await;
    }
}

impl Drop for Refusal {
    fn drop(&mut self) {
        if let Some(net) = self.net.upgrade() {
            net.pool.permit_another(&self.dial.route, self.dial.runtime);
            h2::tell_of(&net.wire, &self.dial.route.origin, &*net.pool);
        }
    }
}
