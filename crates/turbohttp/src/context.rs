//! The one pooled object of a request: it goes down as the request and comes up as the response.

use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use turbohttp_core::head::ResponseHead;
use turbohttp_core::pool::Reset;
use turbohttp_core::scheduler::{Ask, LaneKey, Outcome, Priority, Refusal, Waited};
use turbohttp_core::timeline::{Mailbox, Phase, Timeline};

use crate::admission::{Entry, Pass};
use crate::body::{Body, Receipt, Received};
use crate::clock;
use crate::config::{Settings, Timeouts};
use crate::error::{Error, ErrorKind, Result};
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
    /// When `send` was called.
    pub(crate) began: Option<Instant>,

    // The response.
    pub(crate) head: ResponseHead,
    pub(crate) received: Received,
    /// The response's fields as a map, built when first asked for.
    pub(crate) map: HeaderMap,
    pub(crate) map_built: bool,

    // Both.
    pub(crate) timeline: Timeline,
    pub(crate) mailbox: Mailbox,
    pub(crate) priority: Priority,
    /// The body is to be in memory before the response is handed out: of a queue's request.
    pub(crate) is_collected: bool,
    /// The call of the request that this is an attempt of, where a middleware may make several.
    pub(crate) attempt_of: Option<Entry>,
    // Last, so that the connection is back before its permit is, on every way out.
    /// The permit of this attempt, where it is not the pass's own.
    pub(crate) permit: Option<Pass>,
    /// The request's stay with its client; until there is a response, `Client::send` keeps it.
    pub(crate) pass: Option<Pass>,
    /// Passes and permits of clients that this request came through before: a transport may send by a
    /// client of its own.
    pub(crate) outer: Vec<Pass>,
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
    pub(crate) fn receive(&mut self) -> (&mut Received, Receipt<'_>) {
        let receipt = Receipt {
            head: &mut self.head,
            timeline: &mut self.timeline,
            time: &self.time,
        };
        (&mut self.received, receipt)
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
        let deadline = match (own, self.time.deadline) {
            (Some(own), Some(request)) => Some(own.min(request)),
            (own, request) => own.or(request),
        };
        Ok(Ask {
            lane: LaneKey::from(origin),
            priority: self.priority,
            deadline,
        })
    }

    /// Waits until `pass` holds the permit that was asked for, and records what kept it.
    pub(crate) fn poll_permit(
        &mut self,
        pass: &mut Pass,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<()>> {
        let permit = ready!(pass.poll_permit(cx));
        let now = clock::now();
        let waited = match permit {
            Ok(waited) => waited,
            Err(_) => pass.waited(now),
        };
        self.record_wait(waited, now, Phase::TotalPermit);
        self.began = Some(now);
        Poll::Ready(permit.map(drop).map_err(|refusal| {
            pass.ends(match refusal {
                Refusal::Expired => Outcome::Expired,
                Refusal::Closed => Outcome::Canceled,
                _ => Outcome::Failed,
            });
            self.refused(refusal, waited)
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

    /// Why the scheduler did not admit this request, with what is known of it.
    #[cold]
    pub(crate) fn refused(&self, refusal: Refusal, waited: Waited) -> Error {
        let phase = if waited.lane >= waited.paused.max(waited.total) {
            Phase::HostPermit
        } else if waited.paused >= waited.total {
            Phase::Pause
        } else {
            Phase::TotalPermit
        };
        let error = Error::refused(refusal);
        let error = match waited.sum() {
            Duration::ZERO => error,
            _ => error.in_phase(phase),
        };
        let error = error.with_timeline(&self.timeline);
        match self.url.origin() {
            Some(origin) => error.at(origin),
            None => error,
        }
    }

    /// The request is over: permit and pass go home, in this order.
    pub(crate) fn leave(&mut self, outcome: Outcome) {
        self.permit = None;
        if let Some(pass) = self.pass.take() {
            pass.leave(outcome);
        }
        if !self.outer.is_empty() {
            let passes = self.outer.drain(..);
            passes.for_each(|pass| pass.leave(outcome));
        }
    }

    /// Keeps the permit of an attempt in place of a former attempt's; another client's stays beside it.
    pub(crate) fn keep_permit(&mut self, permit: Pass) {
        if let Some(former) = self.permit.replace(permit) {
            self.outer.push(former);
        }
    }

    /// Keeps the pass of the request, beside those of the clients below.
    pub(crate) fn keep_pass(&mut self, pass: Pass) {
        if let Some(inner) = self.pass.replace(pass) {
            self.outer.push(inner);
        }
    }

    /// Whether a close has cut this request off.
    pub(crate) fn is_cut(&self) -> bool {
        self.pass.as_ref().is_some_and(Pass::is_cut)
    }
}

impl Reset for Context {
    // Together in one function, so that what the one has just set the other need not look at.
    #[inline]
    fn reset(&mut self) {
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
            head,
            received,
            map,
            map_built,
            timeline,
            mailbox,
            priority,
            is_collected,
            attempt_of,
            permit,
            pass,
            outer,
        } = self;
        received.finish(head);
        *permit = None;
        *pass = None;
        outer.clear();
        *priority = Priority::default();
        *is_collected = false;
        *attempt_of = None;
        *method = Method::GET;
        url.reset();
        clear_map(headers);
        *body = Body::empty();
        *expect_continue = false;
        *body_bytes_max = None;
        time.reset();
        *began = None;
        head.reset();
        if std::mem::take(map_built) {
            clear_map(map);
        }
        timeline.reset();
        mailbox.retire();
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
            && self.received.is_blank()
            && self.map.is_empty()
            && !self.map_built
            && self.timeline.is_blank()
            && self.mailbox.is_blank()
            && self.priority == Priority::default()
            && !self.is_collected
            && self.attempt_of.is_none()
            && self.permit.is_none()
            && self.pass.is_none()
            && self.outer.is_empty()
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
