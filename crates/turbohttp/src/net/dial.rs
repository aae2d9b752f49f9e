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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use tokio::runtime;
use turbohttp_core::origin::Scheme;
use turbohttp_core::timeline::{Phase, Timeline};

use super::connect::Connected;
use super::h2;
use super::route::Route;
use super::versions::{HttpVersions, Protocol};
use crate::clock;
use crate::error::Error;
use crate::limits::IDLE_ORIGINS_MAX;

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

/// One dial, and what those that wait for it share.
pub(super) struct Dial {
    pub(super) route: Route,
    pub(super) runtime: runtime::Id,
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
    /// It ends by itself: requests have taken streams of other connections meanwhile, and the next ones may not.
    goes_on: bool,
    wakers: Vec<Waker>,
    /// The task, while it connects.
    task: Option<Waker>,
}

/// How a dial has ended.
pub(super) enum Outcome {
    /// On this connection, which may have come and gone when a request looks for it.
    Shared(Arc<h2::Connection>),
    /// The stream is there until the first waiter takes it.
    Exclusive(Option<Connected>),
    /// Each waiter takes a copy.
    Failed(Error),
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
    pub(super) fn learn(&self, route: &Route, protocol: Protocol) {
        let mut state = self.lock();
        match protocol {
            Protocol::Http1 => remember(&mut state.http1, route),
            Protocol::Http2 => state.http1.retain(|known| known != route),
        }
    }

    /// A place among those that wait for the dial of a route in this runtime, and whether it was just begun.
    pub(super) fn enter(&self, route: &Route, here: runtime::Id) -> (Waiter<'_>, bool) {
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
        let dials = self;
        (Waiter { dials, dial }, is_first)
    }

    /// One less waits for a dial; the last one ends it.
    fn give_up(&self, dial: &Arc<Dial>) {
        let mut state = self.lock();
        let mut progress = dial.lock();
        progress.waiting -= 1;
        if !progress.is_given_up() || progress.outcome.is_some() {
            return;
        }
        // A request that comes now begins a dial of its own.
        state.under_way.retain(|other| !Arc::ptr_eq(other, dial));
        let task = progress.task.take();
        drop(progress);
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    pub(super) fn leave(&self, dial: &Arc<Dial>) {
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

/// A request that waits for a dial.
pub(super) struct Waiter<'a> {
    dials: &'a Dials,
    pub(super) dial: Arc<Dial>,
}

impl Waiter<'_> {
    /// The outcome; meanwhile the phases of the dial are those of the request.
    pub(super) fn poll(&self, cx: &mut TaskContext<'_>, timeline: &mut Timeline) -> Poll<Taken> {
        let waker = cx.waker().clone();
        let mut progress = self.dial.lock();
        let polled = progress.take_outcome();
        // Copied out: the timeline is written without the lock.
        let (phase, resumed) = (progress.phase, progress.tls_resumed);
        if polled.is_pending() {
            // One waker for each task, however often it is polled.
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
pub(super) enum Taken {
    Shared(Arc<h2::Connection>),
    Connected(Connected),
    Alone,
    Failed(Error),
}

impl Progress {
    fn is_given_up(&self) -> bool {
        self.waiting == 0 && !self.goes_on
    }

    fn take_outcome(&mut self) -> Poll<Taken> {
        Poll::Ready(match &mut self.outcome {
            None => return Poll::Pending,
            Some(Outcome::Shared(connection)) => Taken::Shared(connection.clone()),
            Some(Outcome::Exclusive(stream)) => match stream.take() {
                Some(connected) => Taken::Connected(connected),
                None => Taken::Alone,
            },
            Some(Outcome::Failed(error)) => Taken::Failed(error.copy_with_source()),
        })
    }
}

impl Dial {
    /// It enters a phase: those that wait note it.
    pub(super) fn enters(&self, phase: Phase) {
        let mut progress = self.lock();
        progress.phase = Some(phase);
        drop(progress);
        self.wake();
    }

    /// Wakes those that wait: there may be something for them to take.
    pub(super) fn wake(&self) {
        let wakers = std::mem::take(&mut self.lock().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// It does not end with the last request that waits for it.
    pub(super) fn goes_on(&self) {
        self.lock().goes_on = true;
    }

    /// It does from now on; its task, if that has to be woken for it.
    pub(super) fn stops(&self) -> Option<Waker> {
        let mut progress = self.lock();
        progress.goes_on = false;
        match progress.is_given_up() {
            true => progress.task.take(),
            false => None,
        }
    }

    /// Ready once nobody waits any more.
    pub(super) fn poll_given_up(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut progress = self.lock();
        if progress.is_given_up() {
            return Poll::Ready(());
        }
        let former = progress.task.replace(waker);
        drop(progress);
        drop(former);
        Poll::Pending
    }

    /// Ends the dial: all that wait are woken.
    pub(super) fn end(&self, outcome: Outcome, tls_resumed: Option<bool>) {
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
