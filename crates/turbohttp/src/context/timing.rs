//! When things happened to a request, and when they must be over.

use std::time::Instant;

use turbohttp_core::pool::Reset;
use turbohttp_core::scheduler::Waited;
use turbohttp_core::timeline::{Mailbox, Phase, Timeline};

use crate::clock;
use crate::config::{Settings, TimeLimits};
use crate::trace;

/// The clock of one request: the only place where its instants are written.
#[derive(Default)]
pub(crate) struct Timing {
    pub(crate) limits: TimeLimits,
    /// When the exchange that is under way began: with the call, with a further attempt, when its permit
    /// came, or when its connection was made. `None` outside of a call.
    began: Option<Instant>,
    /// Calls that are under way with this request: one, and one more for each client that a transport
    /// sends by. At zero, a call begins a timeline and a deadline of its own.
    open_calls: u8,
    /// An attempt of this call was answered: the request was sent, whatever becomes of the next attempt.
    was_answered: bool,
    pub(crate) timeline: Timeline,
    pub(crate) mailbox: Mailbox,
}

impl Timing {
    /// A call begins. One inside of another call of the same request, by a client further down, shares
    /// its timeline, and can only bring the deadline forward.
    #[inline]
    pub(crate) fn begin_call(&mut self, now: Instant, settings: &Settings) {
        if self.open_calls == 0 {
            if self.timeline.has_begun() {
                self.timeline.reset();
            }
            self.timeline.begin(now);
            // Neither the deadline of a former call with the same request holds for this one, nor the
            // options of the client that sent it.
            self.limits.deadline = None;
            self.limits.settings = None;
            self.was_answered = false;
        }
        self.open_calls = self.open_calls.saturating_add(1);
        self.began = Some(now);
        let limit = self.limits.timeout.or(settings.timeouts.request);
        // A limit that the clock cannot add is none.
        let own = limit.and_then(|limit| now.checked_add(limit));
        self.limits.deadline = clock::earlier(self.limits.deadline, own);
        let settings = self.limits.settings.get_or_insert(*settings);
        if let Some(whole) = self.limits.timeout {
            settings.timeouts.allow(whole);
        }
    }

    /// A copy of a request leaves its call, and begins one of its own with the same options.
    #[cold]
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        let settings = *self.limits.settings();
        self.open_calls = 0;
        self.begin_call(now, &settings);
    }

    /// The call of a job goes on: a queue has begun its timeline and set its deadline.
    #[inline]
    pub(crate) fn resume_call(&mut self) {
        self.open_calls = self.open_calls.saturating_add(1);
    }

    /// A call has ended. What is sent with the same request from now on is a call of its own.
    #[inline]
    pub(crate) fn end_call(&mut self) {
        self.open_calls = self.open_calls.saturating_sub(1);
    }

    /// A further attempt begins: the time since the last event, in a middleware, belongs to no phase.
    pub(crate) fn begin_attempt(&mut self, now: Instant) {
        self.began = Some(now);
        self.timeline.end(now);
    }

    /// The exchange begins anew: its permit has come, or its connection.
    #[inline]
    pub(crate) fn begin_exchange(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// When the exchange began.
    #[inline]
    pub(crate) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// The exchange is over, and its request may be sent again.
    pub(crate) fn end_exchange(&mut self) {
        self.began = None;
    }

    /// The exchange has brought a response, which was given up for another attempt.
    pub(crate) fn end_answered(&mut self) {
        self.end_exchange();
        self.was_answered = true;
    }

    /// Whether an attempt of this call was answered.
    pub(crate) fn was_answered(&self) -> bool {
        self.was_answered
    }

    /// A transport is used without a client: its own options hold.
    #[cold]
    pub(crate) fn begin_without_client(&mut self, now: Instant, settings: &Settings) {
        self.began = Some(now);
        if self.open_calls > 0 {
            // A client sends it, and a transport or a middleware of the user took its time.
            self.timeline.end(now);
            return;
        }
        // What a former call or exchange with the same request has left does not hold for this one.
        if self.timeline.has_begun() {
            self.timeline.reset();
        }
        self.timeline.begin(now);
        self.was_answered = false;
        self.limits.settings = Some(*settings);
        let limit = self.limits.timeout.or(settings.timeouts.request);
        self.limits.deadline = limit.and_then(|limit| now.checked_add(limit));
    }

    /// A second request within the same call has its clock, too.
    pub(crate) fn copy_from(&mut self, other: &Timing) {
        self.limits.settings = other.limits.settings;
        self.limits.timeout = other.limits.timeout;
        self.limits.deadline = other.limits.deadline;
        self.open_calls = other.open_calls;
        self.timeline.clone_from(&other.timeline);
    }

    /// Records a wait for a permit that is over now; what neither a pause nor the origin's limit accounts
    /// for is `rest`.
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

    /// What the request is doing before its body arrives, as far as its timeline tells.
    #[cold]
    pub(crate) fn phase(&self) -> Phase {
        if let Some(open) = self.timeline.open_phase() {
            return open;
        }
        let last = self.timeline.spans().last().map(|span| span.phase);
        match last {
            // In no attempt yet, or in a middleware: from the outside, the head is waited for.
            _ if self.timeline.attempts() == 0 => Phase::Wait,
            Some(Phase::Send) => Phase::Wait,
            _ => Phase::Send,
        }
    }
}

impl Reset for Timing {
    #[inline]
    fn reset(&mut self) {
        let Timing {
            limits:
                TimeLimits {
                    settings,
                    timeout,
                    deadline,
                },
            began,
            open_calls,
            was_answered,
            timeline,
            mailbox,
        } = self;
        // First: a late writer must not reach the timeline of the next request.
        mailbox.retire();
        timeline.reset();
        *settings = None;
        *timeout = None;
        *deadline = None;
        *began = None;
        *open_calls = 0;
        *was_answered = false;
    }

    #[inline]
    fn is_blank(&self) -> bool {
        self.limits.settings.is_none()
            && self.limits.timeout.is_none()
            && self.limits.deadline.is_none()
            && self.began.is_none()
            && self.open_calls == 0
            && !self.was_answered
            && self.timeline.is_blank()
            && self.mailbox.is_blank()
    }
}
