//! The one pooled object of a request: it goes down as the request and comes up as the response.

use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use http::Extensions;
use turbohttp_core::h1::encode::Asks;
use turbohttp_core::pool::Reset;
use turbohttp_core::scheduler::{Ask, LaneKey, Outcome, Refusal, Waited};
use turbohttp_core::timeline::Phase;

use crate::body::buffer::SpareBuffer;
use crate::body::{BodyContext, ResponseBody};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::scheduler::CallGuard;

mod parts;
mod salvage;
mod timing;

pub(crate) use parts::{Added, Addresses, Http1Only, RequestParts, ResponseParts, append};
use salvage::Record;
pub(crate) use salvage::Salvage;
pub(crate) use timing::Timing;

/// Everything that one request owns. Dropping its handle resets it and returns it to its pool, on every
/// way out: there is one place where data of one request could reach another, and it is checked.
#[derive(Default)]
pub(crate) struct Context {
    pub(crate) request: RequestParts,
    pub(crate) response: ResponseParts,
    pub(crate) timing: Timing,
    /// Values of the user, by type.
    pub(crate) extensions: Extensions,
    /// Outlives a reset: see [`SpareBuffer`].
    pub(crate) spare: SpareBuffer,
    // Last, so that the connection is released before its permit, on every way out.
    holds: Holds,
}

/// What a request holds of schedulers.
#[derive(Default)]
struct Holds {
    /// The permit of the last attempt, where the call does not hold it itself.
    permit: Option<CallGuard>,
    /// The call: of a request from a queue, with the permit that it was started with; of a response,
    /// while its body is on a connection. In between, the future of the call holds it.
    call: Option<CallGuard>,
    /// Calls and permits of the clients further down, where a transport sends by a client of its own.
    nested: Vec<CallGuard>,
}

impl Context {
    /// Whether HTTP/1.1 alone can carry the request: it asks for that, or for another protocol (RFC 9113 section
    /// 8.6).
    #[inline]
    pub(crate) fn needs_http1(&self) -> bool {
        self.request.asks == Asks::Upgrade || self.extensions.get::<Http1Only>().is_some()
    }

    /// The parts of this context that a body needs while it is read.
    #[inline]
    pub(crate) fn receive(&mut self) -> (&mut ResponseBody, BodyContext<'_>) {
        let ResponseParts { head, body, .. } = &mut self.response;
        let context = BodyContext {
            head,
            timeline: &mut self.timing.timeline,
            time: &self.timing.limits,
            spare: &mut self.spare,
            upload: &mut self.request.body,
        };
        (body, context)
    }

    /// The most bytes a collected body may have.
    pub(crate) fn collect_bytes_max(&self) -> usize {
        let own = self.request.body_bytes_max;
        own.unwrap_or(self.timing.limits.settings().body_bytes_max)
    }

    /// What this request asks of the scheduler.
    #[inline]
    pub(crate) fn ask(&self, now: Instant) -> Result<Ask<'_>> {
        let Some(origin) = self.request.url.origin() else {
            return Err(Error::new(ErrorKind::Url, "request has no URL"));
        };
        let limits = &self.timing.limits;
        let own = limits.timeouts().permit;
        let own = own.map(|limit| clock::after(now, limit));
        Ok(Ask {
            lane: LaneKey::from(origin),
            priority: self.request.priority,
            deadline: clock::earlier(own, limits.deadline),
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
        // A refusal does not say how long the wait was; the scheduler knows until the guard leaves.
        let waited = match permit {
            Ok(waited) => waited,
            Err(_) => guard.waited(now),
        };
        self.timing.record_wait(waited, now, Phase::TotalPermit);
        self.timing.begin_exchange(now);
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

    /// Why the scheduler did not give this request a permit, with what is known of it.
    #[cold]
    pub(crate) fn refused(&self, refusal: Refusal, waited: Waited) -> Error {
        self.explain(Error::refused(refusal).in_phase(permit_phase(waited)))
    }

    /// The wait for a permit has reached its bound; unread responses may be the reason.
    #[cold]
    fn waited_in_vain(&self, waited: Waited, unread: usize) -> Error {
        let length = waited.sum();
        let holders = match unread {
            0 => String::new(),
            1 => ": 1 response holds a permit and is unread".to_owned(),
            _ => format!(": {unread} responses hold permits and are unread"),
        };
        let message = format!("no permit came free within {length:.1?}{holders}");
        let error = Error::new(ErrorKind::Timeout, message);
        self.explain(error.in_phase(permit_phase(waited)))
    }

    /// The wait of `guard` for a permit is given up, as its future is dropped: the error that the call
    /// ends with tells of the wait.
    #[cold]
    pub(crate) fn give_up_permit(&mut self, guard: &CallGuard) {
        let now = clock::now();
        let waited = guard.waited(now);
        self.timing.record_wait(waited, now, Phase::TotalPermit);
        // Open, it is what the request was doing.
        self.timing.timeline.start(permit_phase(waited), now);
    }

    /// Adds origin and timeline to an error of this request.
    #[cold]
    pub(crate) fn explain(&self, error: Error) -> Error {
        let error = error.with_timeline(&self.timing.timeline);
        match self.request.url.origin() {
            Some(origin) => error.at(origin),
            None => error,
        }
    }

    /// What the request is doing, for an error that ends it from outside.
    #[cold]
    fn phase(&self) -> Phase {
        match self.response.body.has_ended() {
            true => self.timing.phase(),
            false => Phase::Receive,
        }
    }

    /// Drops what the context holds of a response, so that its request can be sent again.
    pub(crate) fn forget_response(&mut self) {
        self.response.reset(&mut self.spare);
        // The answer was read as far as it was wanted: for the report of a close the call went well.
        self.release(Outcome::Completed);
        self.timing.end_answered();
    }

    /// The call that a queue has started this request with.
    #[inline]
    pub(crate) fn take_call(&mut self) -> Option<CallGuard> {
        self.holds.call.take()
    }

    /// Ready if a close has cut this request off; if not, the task is woken when one does.
    #[inline]
    pub(crate) fn poll_cut(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Holds { call, nested, .. } = &mut self.holds;
        let Some(call) = call else {
            return Poll::Pending;
        };
        // The permit is of the call's client, or of one further down, whose call is nested.
        for guard in std::iter::once(call).chain(nested) {
            if guard.poll_cut(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// The request is over: the permit is released, and then the call ends.
    #[inline]
    pub(crate) fn release(&mut self, outcome: Outcome) {
        let Holds {
            permit,
            call,
            nested,
        } = &self.holds;
        // A response whose body was in the read buffer has released both before it was handed out.
        if permit.is_some() || call.is_some() || !nested.is_empty() {
            self.release_held(outcome);
        }
    }

    fn release_held(&mut self, outcome: Outcome) {
        // The permit first: when the call is counted as over, its permits are free.
        self.holds.permit = None;
        if let Some(call) = self.holds.call.take() {
            call.leave(outcome);
        }
        if !self.holds.nested.is_empty() {
            let guards = self.holds.nested.drain(..);
            guards.for_each(|guard| guard.leave(outcome));
        }
    }

    /// Holds the permit of an attempt; what a client further down holds stays beside it.
    pub(crate) fn hold_permit(&mut self, permit: CallGuard) {
        self.holds.nest();
        self.holds.permit = Some(permit);
    }

    /// Whether the permit of an attempt is held here.
    pub(crate) fn has_permit(&self) -> bool {
        self.holds.permit.is_some()
    }

    /// Holds the call, beside the permit of its last attempt.
    pub(crate) fn hold_call(&mut self, call: CallGuard) {
        if self.holds.call.is_some() {
            self.holds.nest();
        }
        self.holds.call = Some(call);
    }

    /// Whether a close has cut this request off: that of its client, or of one further down, whose
    /// connection the body is on.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        let Holds { call, nested, .. } = &self.holds;
        // Without a call there is nothing nested: a body in memory is read at the cost of one look.
        call.as_ref()
            .is_some_and(|call| call.is_cut() || nested.iter().any(CallGuard::is_cut))
    }
}

impl Holds {
    fn nest(&mut self) {
        self.nested.extend(self.permit.take());
        self.nested.extend(self.call.take());
    }
}

impl Reset for Context {
    #[inline]
    fn reset(&mut self) {
        salvage::leave(|| Record {
            origin: self.request.url.origin().cloned(),
            timeline: self.timing.timeline.clone(),
            phase: self.phase(),
            allowed: self.timing.limits.allowed(),
        });
        // Taken apart without `..`, so that a new field cannot be forgotten here.
        let Context {
            request,
            response,
            timing,
            extensions,
            spare,
            holds:
                Holds {
                    permit,
                    call,
                    nested,
                },
        } = self;
        // What calls other code comes first, and plain stores after it, so that the compiler sees in
        // `is_blank` what they have stored.
        response.reset(spare);
        *permit = None;
        *call = None;
        nested.clear();
        if !extensions.is_empty() {
            extensions.clear();
        }
        request.reset();
        timing.reset();
    }

    #[inline]
    fn is_blank(&self) -> bool {
        self.request.is_blank()
            && self.timing.is_blank()
            && self.extensions.is_empty()
            && self.holds.permit.is_none()
            && self.holds.call.is_none()
            && self.holds.nested.is_empty()
            // Last, as it has an atomic load, behind which the compiler knows nothing of the stores.
            && self.response.is_blank()
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
