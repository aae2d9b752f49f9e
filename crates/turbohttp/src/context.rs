//! The one pooled object of a request: it goes down as the request and comes up as the response.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};
use turbohttp_core::head::ResponseHead;
use turbohttp_core::origin::Origin;
use turbohttp_core::pool::Reset;
use turbohttp_core::scheduler::{Ask, LaneKey, Outcome, Priority, Refusal, Waited};
use turbohttp_core::timeline::{Mailbox, Phase, Timeline};

use crate::body::buffer::SpareBuffer;
use crate::body::{Body, BodyContext, ResponseBody};
use crate::clock;
use crate::config::{Settings, Timeouts};
use crate::error::{Error, ErrorKind, Result};
use crate::scheduler::CallGuard;
use crate::trace;
use crate::url::RequestUrl;

/// Fields that a reset map may keep room for.
const MAP_KEPT_FIELDS_MAX: usize = 64;

/// Everything that one request owns. Dropping its handle resets it and gives it back to its pool, on
/// every way out: one place to reset is one place where leakage is prevented.
#[derive(Default)]
pub(crate) struct Context {
    // The request.
    pub(crate) method: Method,
    pub(crate) url: RequestUrl,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) expect_continue: bool,
    /// What the request set for itself: bytes of a collected body.
    pub(crate) body_bytes_max: Option<usize>,
    pub(crate) time: RequestTime,
    /// When the attempt that is under way began; the network's part of it begins then.
    pub(crate) began: Option<Instant>,
    /// Calls that are under way with this request: one, and one more for each client that a transport
    /// sends by. At zero, a call begins a timeline and a deadline of its own.
    pub(crate) open_calls: u8,

    // The response.
    pub(crate) head: ResponseHead,
    pub(crate) received: ResponseBody,
    /// Both ends of the connection that carried the last attempt.
    pub(crate) addresses: Option<Addresses>,
    /// The response's fields as a map, built when it is first asked for.
    pub(crate) map: OnceLock<HeaderMap>,
    /// The map was lent out to be changed, so that the head is no longer what it says.
    pub(crate) is_map_changed: bool,
    /// An empty map with the room of a former one; the mutex only makes `&Response` shareable.
    pub(crate) spare_map: Mutex<HeaderMap>,

    // Both.
    /// Kept when the context is reset: see [`SpareBuffer`].
    pub(crate) spare: SpareBuffer,
    pub(crate) timeline: Timeline,
    pub(crate) mailbox: Mailbox,
    pub(crate) priority: Priority,
    /// Values of the user, by type; cleared with the request.
    pub(crate) extensions: Extensions,
    /// The body is to be in memory before the response is handed out: of a queue's request.
    pub(crate) is_collected: bool,
    // Last, so that the connection is released before its permit, on every way out.
    /// The permit of the last attempt, where the call does not hold it itself.
    pub(crate) permit: Option<CallGuard>,
    /// The call: of a request from a queue, with the permit that it was started with; of a response,
    /// while its body is on a connection. In between, the future of the call holds it.
    pub(crate) call: Option<CallGuard>,
    /// Calls and permits of the clients further down, where a transport sends by a client of its own.
    pub(crate) nested: Vec<CallGuard>,
}

/// Both ends of a connection, asked once when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// What the time of a request is bounded by.
#[derive(Default)]
pub(crate) struct RequestTime {
    /// The client's settings; set when the request is sent.
    pub(crate) settings: Option<Settings>,
    /// What the request set for itself, for the whole of it.
    pub(crate) timeout: Option<Duration>,
    /// When the whole of it must be over.
    pub(crate) deadline: Option<Instant>,
}

impl RequestTime {
    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.settings().timeouts
    }

    /// How long the whole request may take.
    pub(crate) fn allowed(&self) -> Duration {
        self.timeout.or(self.timeouts().request).unwrap_or_default()
    }

    fn reset(&mut self) {
        let RequestTime {
            settings,
            timeout,
            deadline,
        } = self;
        *settings = None;
        *timeout = None;
        *deadline = None;
    }

    fn is_blank(&self) -> bool {
        self.settings.is_none() && self.timeout.is_none() && self.deadline.is_none()
    }

    fn settings(&self) -> &Settings {
        self.settings.as_ref().unwrap_or(&Settings::DEFAULT)
    }
}

impl Context {
    /// The parts of this context that a body needs while it is read.
    pub(crate) fn receive(&mut self) -> (&mut ResponseBody, BodyContext<'_>) {
        let context = BodyContext {
            head: &mut self.head,
            timeline: &mut self.timeline,
            time: &self.time,
            spare: &mut self.spare,
        };
        (&mut self.received, context)
    }

    /// The most bytes a collected body may have.
    pub(crate) fn collect_bytes_max(&self) -> usize {
        self.body_bytes_max
            .unwrap_or(self.time.settings().body_bytes_max)
    }

    /// What this request asks of the scheduler.
    pub(crate) fn ask(&self, now: Instant) -> Result<Ask<'_>> {
        let Some(origin) = self.url.origin() else {
            return Err(Error::new(ErrorKind::Url, "request has no URL"));
        };
        let own = self
            .time
            .timeouts()
            .permit
            .map(|limit| clock::after(now, limit));
        let deadline = clock::earlier(own, self.time.deadline);
        Ok(Ask {
            lane: LaneKey::from(origin),
            priority: self.priority,
            deadline,
        })
    }

    /// Waits until `guard` holds the permit that was asked for, and records what kept it waiting.
    pub(crate) fn poll_permit(
        &mut self,
        guard: &mut CallGuard,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<()>> {
        let permit = ready!(guard.poll_permit(cx));
        let now = clock::now();
        let waited = match permit {
            Ok(waited) => waited,
            Err(_) => guard.waited(now),
        };
        self.record_wait(waited, now, Phase::TotalPermit);
        self.began = Some(now);
        Poll::Ready(permit.map(drop).map_err(|refusal| {
            guard.set_outcome(match refusal {
                Refusal::Expired => Outcome::Expired,
                Refusal::Closed => Outcome::Canceled,
                _ => Outcome::Failed,
            });
            let unread = guard.dispatcher().unread_responses();
            match refusal {
                Refusal::Expired => self.waited_in_vain(waited, unread),
                refusal => self.refused(refusal, waited),
            }
        }))
    }

    /// Records a wait that is over now; what neither a pause nor the host accounts for is `rest`.
    pub(crate) fn record_wait(&mut self, waited: Waited, now: Instant, rest: Phase) {
        let mut start = now.checked_sub(waited.sum()).unwrap_or(now);
        let parts = [
            (Phase::Pause, waited.paused),
            (Phase::HostPermit, waited.lane),
            (rest, waited.total),
        ];
        for (phase, length) in parts {
            if !length.is_zero() {
                self.timeline.record(phase, start, start + length);
                trace::waited(phase, length);
                start += length;
            }
        }
    }

    /// Why the scheduler did not give this request a permit, with what is known of it.
    #[cold]
    pub(crate) fn refused(&self, refusal: Refusal, waited: Waited) -> Error {
        self.explain(Error::refused(refusal).in_phase(permit_phase(waited)))
    }

    /// The wait for a permit has reached its bound; responses that nobody reads may be the reason.
    #[cold]
    fn waited_in_vain(&self, waited: Waited, unread: usize) -> Error {
        let length = waited.sum();
        let message = match unread {
            0 => format!("no permit came free within {length:.1?}"),
            1 => format!(
                "no permit came free within {length:.1?}: 1 response holds a permit and is unread"
            ),
            _ => format!(
                "no permit came free within {length:.1?}: {unread} responses hold permits and are unread"
            ),
        };
        let error = Error::new(ErrorKind::Timeout, message);
        self.explain(error.in_phase(permit_phase(waited)))
    }

    /// Adds origin and timeline to an error of this request.
    #[cold]
    pub(crate) fn explain(&self, error: Error) -> Error {
        let error = error.with_timeline(&self.timeline);
        match self.url.origin() {
            Some(origin) => error.at(origin),
            None => error,
        }
    }

    /// What the request is doing, as far as its timeline tells: for an error that ends it from outside.
    #[cold]
    fn phase(&self) -> Phase {
        if !self.received.has_ended() {
            return Phase::Receive;
        }
        match self.timeline.spans().last().map(|span| span.phase) {
            Some(Phase::Dns) => Phase::Connect,
            _ if self.timeline.attempts() == 0 => Phase::Wait,
            Some(Phase::Send) => Phase::Wait,
            _ => Phase::Send,
        }
    }

    /// A further attempt begins: what a middleware took before it belongs to no phase.
    pub(crate) fn begin_attempt(&mut self, now: Instant) {
        self.began = Some(now);
        self.timeline.end(now);
    }

    /// The call that a queue has started this request with.
    pub(crate) fn take_call(&mut self) -> Option<CallGuard> {
        self.call.take()
    }

    /// The request is over: the permit is released, and then the call ends.
    pub(crate) fn release(&mut self, outcome: Outcome) {
        self.permit = None;
        if let Some(call) = self.call.take() {
            call.leave(outcome);
        }
        if !self.nested.is_empty() {
            let guards = self.nested.drain(..);
            guards.for_each(|guard| guard.leave(outcome));
        }
    }

    /// Holds the permit of an attempt; what a client further down holds stays beside it.
    pub(crate) fn hold_permit(&mut self, permit: CallGuard) {
        self.nest();
        self.permit = Some(permit);
    }

    /// Holds the call, beside the permit of its last attempt.
    pub(crate) fn hold_call(&mut self, call: CallGuard) {
        if self.call.is_some() {
            self.nest();
        }
        self.call = Some(call);
    }

    fn nest(&mut self) {
        self.nested.extend(self.permit.take());
        self.nested.extend(self.call.take());
    }

    /// Whether a close has cut this request off.
    pub(crate) fn is_cut(&self) -> bool {
        self.call.as_ref().is_some_and(CallGuard::is_cut)
    }

    /// Drops what the context holds of a response, so that its request can be sent again.
    pub(crate) fn forget_response(&mut self) {
        self.received.finish(&mut self.head, &mut self.spare);
        self.addresses = None;
        self.release(Outcome::Completed);
        self.head.reset();
        self.forget_map();
        self.began = None;
    }

    /// The response's fields as a map.
    pub(crate) fn map(&self) -> &HeaderMap {
        self.map.get_or_init(|| {
            let mut map = std::mem::take(&mut *lock(&self.spare_map));
            self.head
                .iter()
                .for_each(|(name, value)| append(&mut map, name, value));
            map
        })
    }

    /// The response's fields as a map, to change them.
    pub(crate) fn map_mut(&mut self) -> &mut HeaderMap {
        self.map();
        self.is_map_changed = true;
        self.map.get_mut().expect("just built")
    }

    /// Appends a field to the response.
    pub(crate) fn push_field(&mut self, name: &str, value: &[u8]) {
        self.head.push(name, value);
        if let Some(map) = self.map.get_mut() {
            append(map, name, value);
        }
    }

    fn forget_map(&mut self) {
        self.is_map_changed = false;
        if let Some(mut map) = self.map.take() {
            clear_map(&mut map);
            *self
                .spare_map
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner) = map;
        }
    }
}

/// What kept a call waiting for its permit for most of the time.
#[cold]
fn permit_phase(waited: Waited) -> Phase {
    if waited.lane >= waited.paused.max(waited.total) {
        Phase::HostPermit
    } else if waited.paused >= waited.total {
        Phase::Pause
    } else {
        Phase::TotalPermit
    }
}

fn lock(map: &Mutex<HeaderMap>) -> MutexGuard<'_, HeaderMap> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A field that the map cannot hold stays in the head only.
pub(crate) fn append(map: &mut HeaderMap, name: &str, value: &[u8]) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
        map.append(name, value);
    }
}

thread_local! {
    /// Whether a [`Salvage`] is under way on this thread.
    static SALVAGING: Cell<bool> = const { Cell::new(false) };
    /// What the first context left that was reset meanwhile.
    static SALVAGED: RefCell<Option<Salvaged>> = const { RefCell::new(None) };
}

/// What is known of a request whose future was dropped from outside.
///
/// The context of a request is inside the futures of middlewares and transports, so that the call which
/// drops them cannot look at it. The context itself leaves what an error needs when it is reset on the
/// way.
pub(crate) struct Salvage(Option<Salvaged>);

struct Salvaged {
    origin: Option<Origin>,
    timeline: Timeline,
    phase: Phase,
    allowed: Duration,
}

impl Salvage {
    /// Runs `work`, which drops the futures of one call, and keeps what its context leaves behind.
    #[cold]
    pub(crate) fn of(work: impl FnOnce()) -> Salvage {
        // A drop may end another call in turn: that one has its own record.
        let outer = SALVAGED.take();
        let was_salvaging = SALVAGING.replace(true);
        work();
        SALVAGING.set(was_salvaging);
        Salvage(SALVAGED.replace(outer))
    }

    /// What the request was doing.
    pub(crate) fn phase(&self) -> Phase {
        self.0.as_ref().map_or(Phase::Wait, |found| found.phase)
    }

    /// How long the whole request was allowed to take.
    pub(crate) fn allowed(&self) -> Duration {
        self.0
            .as_ref()
            .map_or(Duration::ZERO, |found| found.allowed)
    }

    /// Adds phase, origin and timeline to an error.
    pub(crate) fn explain(self, error: Error) -> Error {
        let Some(found) = self.0 else { return error };
        let error = error.in_phase(found.phase).with_timeline(&found.timeline);
        match &found.origin {
            Some(origin) => error.at(origin),
            None => error,
        }
    }
}

impl Context {
    #[cold]
    fn leave_record(&self) {
        SALVAGED.with_borrow_mut(|salvaged| {
            salvaged.get_or_insert_with(|| Salvaged {
                origin: self.url.origin().cloned(),
                timeline: self.timeline.clone(),
                phase: self.phase(),
                allowed: self.time.allowed(),
            });
        });
    }
}

impl Reset for Context {
    // Together in one function, so that what the one has just set the other need not look at.
    #[inline]
    fn reset(&mut self) {
        if SALVAGING.get() {
            self.leave_record();
        }
        // Taken apart without `..`, so that a new field cannot be forgotten here.
        let Context {
            method,
            url,
            headers,
            body,
            expect_continue,
            body_bytes_max,
            time,
            began,
            open_calls,
            head,
            received,
            addresses,
            map,
            is_map_changed,
            spare_map,
            spare,
            timeline,
            mailbox,
            priority,
            extensions,
            is_collected,
            permit,
            call,
            nested,
        } = self;
        // What calls other code comes first, and plain stores after it, so that the compiler can see in
        // `is_blank` what they have stored.
        received.finish(head, spare);
        *permit = None;
        *call = None;
        nested.clear();
        if !extensions.is_empty() {
            extensions.clear();
        }
        url.reset();
        clear_map(headers);
        *body = Body::empty();
        if let Some(mut built) = map.take() {
            clear_map(&mut built);
            *spare_map.get_mut().unwrap_or_else(PoisonError::into_inner) = built;
        }
        mailbox.retire();
        *method = Method::GET;
        head.reset();
        *addresses = None;
        time.reset();
        timeline.reset();
        *priority = Priority::default();
        *is_collected = false;
        *open_calls = 0;
        *is_map_changed = false;
        *expect_continue = false;
        *body_bytes_max = None;
        *began = None;
    }

    #[inline]
    fn is_blank(&self) -> bool {
        self.method.as_str() == Method::GET.as_str()
            && self.url.is_blank()
            && self.headers.is_empty()
            && self.body.is_empty()
            && !self.expect_continue
            && self.body_bytes_max.is_none()
            && self.time.is_blank()
            && self.began.is_none()
            && self.head.is_blank()
            && self.received.has_ended()
            && self.addresses.is_none()
            && !self.is_map_changed
            && self.extensions.is_empty()
            && self.open_calls == 0
            && self.timeline.is_blank()
            && self.mailbox.is_blank()
            && self.priority == Priority::default()
            && !self.is_collected
            && self.permit.is_none()
            && self.call.is_none()
            && self.nested.is_empty()
            // An atomic load, behind which nothing is known any more.
            && self.map.get().is_none()
    }
}

#[inline(always)] // Mostly there is nothing to do.
fn clear_map(map: &mut HeaderMap) {
    if !map.is_empty() {
        map.clear();
    }
    if map.capacity() > MAP_KEPT_FIELDS_MAX {
        *map = HeaderMap::new();
    }
}
