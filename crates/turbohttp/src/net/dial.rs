//! One dial for many: connections to origins of which it is not known what they speak.
//!
//! A server that turns out to speak HTTP/2 carries all requests on one connection, so that a crowd of requests
//! to a new origin makes one handshake and not one for each. The dial is a task of its own: no request waits
//! for the future of another, which nobody may poll. Each waits with its own deadline, and the dial ends with
//! the last one.
//!
//! ```text
//!   first request ──> starts the task ──┐
//!   others ─────────────────────────────┴─ wait ──> HTTP/2: an exchange each, on the shared connection
//!                                               ├──> HTTP/1.1: one takes the stream, the rest dial themselves
//!                                               └──> the error
//! ```

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use tokio::runtime;
use turbohttp_core::origin::Scheme;
use turbohttp_core::timeline::{Phase, Timeline};

use super::connect::Connected;
use super::h2;
use super::route::Route;
use super::shared::Shared;
use super::shortage::is_shortage;
use super::versions::{HttpVersions, Protocol};
use crate::clock;
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::IDLE_ORIGINS_MAX;
use crate::request::Request;

/// The dials under way, and what is known of origins.
#[derive(Default)]
pub(crate) struct Dials(Mutex<State>);

#[derive(Default)]
struct State {
    /// At most one for each route and runtime; bounded by the requests that wait, and by the time limits of
    /// those that were abandoned.
    under_way: Vec<Arc<Dial>>,
    /// Routes whose servers chose HTTP/1.1, the latest last.
    http1: VecDeque<Route>,
    /// Routes whose servers said that they want HTTP/1.1 (RFC 9113 section 7).
    http1_required: VecDeque<Route>,
}

/// What a request is to do that needs a connection.
pub(crate) enum Joined {
    /// It has an exchange on a shared connection; whether others had one before.
    Exchange(Box<h2::Exchange>, bool),
    /// It has a stream of its own.
    Connected(Connected),
    /// It dials by itself.
    Alone,
}

struct Dial {
    route: Route,
    runtime: runtime::Id,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    outcome: Option<Outcome>,
    /// The phase that the task is in, once it is in one.
    phase: Option<Phase>,
    /// Whether the handshake has resumed a session, if there was one.
    tls_resumed: Option<bool>,
    /// Requests that wait, each with a waker once it was polled. The dial ends with the last one.
    waiting: usize,
    wakers: Vec<Waker>,
    /// The task, while it connects.
    task: Option<Waker>,
}

enum Outcome {
    Shared,
    /// The stream is there until the first waiter takes it.
    Exclusive(Option<Connected>),
    /// The first waiter takes the error itself, the others what it says.
    Failed(Option<Error>, Error),
}

impl Outcome {
    fn failed(error: Error) -> Outcome {
        let said = said(&error);
        Outcome::Failed(Some(error), said)
    }
}

/// A copy of an error with what its source says.
fn said(error: &Error) -> Error {
    let copy = error.copy();
    match std::error::Error::source(error) {
        Some(source) => copy.with_source(source.to_string()),
        None => copy,
    }
}

/// Where the phases of a dial are noted: an extension of its request.
#[derive(Clone)]
struct Notes(Arc<Dial>);

/// Notes that a connection enters a phase, for those that wait for it.
#[cold]
pub(super) fn enters(context: &Context, phase: Phase) {
    if let Some(Notes(dial)) = context.extensions.get::<Notes>() {
        let mut progress = dial.lock();
        progress.phase = Some(phase);
        let wakers = std::mem::take(&mut progress.wakers);
        drop(progress);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Dials {
    /// Whether requests of this route share a dial.
    pub(crate) fn are_shared(&self, route: &Route, versions: HttpVersions) -> bool {
        match versions {
            HttpVersions::Http1 => false,
            HttpVersions::Http2 => route.forwarder().is_none(),
            HttpVersions::Negotiated => {
                route.origin.scheme() == Scheme::Https && !self.lock().http1.contains(route)
            }
        }
    }

    /// Whether the server of a route wants no HTTP/2.
    #[cold]
    pub(crate) fn wants_http1(&self, route: &Route) -> bool {
        self.lock().http1_required.contains(route)
    }

    /// The server of a route wants HTTP/1.1.
    #[cold]
    pub(crate) fn require_http1(&self, route: &Route) {
        remember(&mut self.lock().http1_required, route);
    }

    /// What the server of a route has chosen.
    fn learn(&self, route: &Route, protocol: Protocol) {
        let mut state = self.lock();
        match protocol {
            Protocol::Http1 => remember(&mut state.http1, route),
            Protocol::Http2 => state.http1.retain(|known| known != route),
        }
    }

    /// The dial of a route in this runtime, of which one more waits, and whether it was just begun.
    fn enter(&self, route: &Route, here: runtime::Id) -> (Arc<Dial>, bool) {
        let mut state = self.lock();
        let mut dials = state.under_way.iter();
        let found = dials.find(|dial| dial.runtime == here && dial.route == *route);
        let (dial, is_first) = match found {
            Some(dial) => (dial.clone(), false),
            None => {
                let dial = Arc::new(Dial {
                    route: route.clone(),
                    runtime: here,
                    progress: Mutex::default(),
                });
                state.under_way.push(dial.clone());
                (dial, true)
            }
        };
        // Under the lock of the table, which a dial that nobody waits for is removed under (lock order: the
        // table, then the dial).
        dial.lock().waiting += 1;
        (dial, is_first)
    }

    /// One less waits for a dial; the last one ends it.
    fn give_up(&self, dial: &Arc<Dial>) {
        let mut state = self.lock();
        let mut progress = dial.lock();
        progress.waiting -= 1;
        if progress.waiting > 0 || progress.outcome.is_some() {
            return;
        }
        state.under_way.retain(|other| !Arc::ptr_eq(other, dial));
        let task = progress.task.take();
        drop(progress);
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    fn leave(&self, dial: &Arc<Dial>) {
        self.lock()
            .under_way
            .retain(|other| !Arc::ptr_eq(other, dial));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the latest routes; the oldest is forgotten.
fn remember(routes: &mut VecDeque<Route>, route: &Route) {
    if routes.contains(route) {
        return;
    }
    if routes.len() >= IDLE_ORIGINS_MAX {
        routes.pop_front();
    }
    routes.push_back(route.clone());
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
    let (dial, is_first) = net.dials.enter(route, here);
    let waiter = Waiter {
        dials: &net.dials,
        dial,
    };
    if is_first {
        // The dial before may have ended since this request looked into the pool.
        if let Some(exchange) = net.pool.exchange_on(route.key(), here) {
            net.dials.leave(&waiter.dial);
            waiter.dial.end(Outcome::Shared, None);
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
        Taken::Failed(error) => Err(error),
        Taken::Alone => Ok(Joined::Alone),
        Taken::Shared => match net.pool.exchange_on(route.key(), here) {
            Some(exchange) => Ok(Joined::Exchange(exchange, !is_first)),
            // It has come and gone.
            None => Ok(Joined::Alone),
        },
    }
}

/// A request that waits for a dial.
struct Waiter<'a> {
    dials: &'a Dials,
    dial: Arc<Dial>,
}

impl Waiter<'_> {
    /// The outcome; meanwhile the phases of the dial are those of the request.
    fn poll(&self, cx: &mut TaskContext<'_>, timeline: &mut Timeline) -> Poll<Taken> {
        let waker = cx.waker().clone();
        let mut progress = self.dial.lock();
        let polled = progress.take_outcome();
        let (phase, resumed) = (progress.phase, progress.tls_resumed);
        if polled.is_pending() {
            progress.wakers.retain(|known| !known.will_wake(&waker));
            progress.wakers.push(waker);
        }
        drop(progress);
        let (open, now) = (timeline.open_phase(), clock::now());
        let phase = phase.or(open);
        if open != phase || polled.is_ready() {
            open.into_iter().for_each(|open| timeline.finish(open, now));
        }
        match polled {
            Poll::Ready(_) => timeline.set_tls_resumed(resumed),
            Poll::Pending if open != phase => {
                phase
                    .into_iter()
                    .for_each(|phase| timeline.start(phase, now));
            }
            Poll::Pending => {}
        }
        polled
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.dials.give_up(&self.dial);
    }
}

/// What a request that waits gets of an outcome.
enum Taken {
    Shared,
    Connected(Connected),
    Alone,
    Failed(Error),
}

impl Progress {
    fn take_outcome(&mut self) -> Poll<Taken> {
        Poll::Ready(match &mut self.outcome {
            None => return Poll::Pending,
            Some(Outcome::Shared) => Taken::Shared,
            Some(Outcome::Exclusive(stream)) => match stream.take() {
                Some(connected) => Taken::Connected(connected),
                None => Taken::Alone,
            },
            Some(Outcome::Failed(first, error)) => {
                Taken::Failed(first.take().unwrap_or_else(|| said(error)))
            }
        })
    }
}

impl Dial {
    /// Ready once nobody waits any more.
    fn poll_given_up(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut progress = self.lock();
        if progress.waiting == 0 {
            return Poll::Ready(());
        }
        let former = progress.task.replace(waker);
        drop(progress);
        drop(former);
        Poll::Pending
    }

    /// Ends the dial: all that wait are woken.
    fn end(&self, outcome: Outcome, tls_resumed: Option<bool>) {
        let mut progress = self.lock();
        if progress.outcome.is_some() {
            return;
        }
        progress.outcome = Some(outcome);
        progress.tls_resumed = tls_resumed;
        let wakers = std::mem::take(&mut progress.wakers);
        let task = progress.task.take();
        drop(progress);
        drop(task);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
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
        context.timing.limits.deadline = None;
        let notes = Notes(self.dial.clone());
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
            Err(error) => Outcome::failed(error),
            Ok(connected) => {
                net.dials.learn(&dial.route, connected.protocol);
                match connected.protocol {
                    Protocol::Http1 => Outcome::Exclusive(Some(connected)),
                    Protocol::Http2 => {
                        let route = dial.route.clone();
                        let now = clock::now();
                        let shared =
                            h2::Connection::start(connected, route, now, &net.wire, &net.pool);
                        net.pool.share(&shared);
                        Outcome::Shared
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
        self.dial.end(Outcome::failed(error), None);
    }
}
