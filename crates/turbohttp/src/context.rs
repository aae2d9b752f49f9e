//! The one pooled object of a request: it goes down as the request and comes up as the response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use turbohttp_core::head::ResponseHead;
use turbohttp_core::pool::Reset;
use turbohttp_core::timeline::{Mailbox, Timeline};

use crate::body::{Body, Receipt, Received};
use crate::config::{Settings, Timeouts};
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
    /// The client's settings; set when the request is sent.
    pub(crate) settings: Option<Arc<Settings>>,
    /// What the request set for itself: time for the whole of it, and bytes of a collected body.
    pub(crate) timeout: Option<Duration>,
    pub(crate) body_bytes_max: Option<usize>,
    /// When `send` was called.
    pub(crate) began: Option<Instant>,
    pub(crate) deadline: Option<Instant>,

    // The response.
    pub(crate) head: ResponseHead,
    pub(crate) received: Received,
    /// The response's fields as a map, built when first asked for.
    pub(crate) map: HeaderMap,
    pub(crate) map_built: bool,

    // Both.
    pub(crate) timeline: Timeline,
    pub(crate) mailbox: Mailbox,
}

impl Context {
    /// The parts of this context that a body needs while it is read.
    pub(crate) fn receive(&mut self) -> (&mut Received, Receipt<'_>) {
        let receipt = Receipt {
            head: &mut self.head,
            timeline: &mut self.timeline,
            deadline: self.deadline,
            timeout: self.timeout,
            settings: self.settings.as_deref().unwrap_or(&Settings::DEFAULT),
        };
        (&mut self.received, receipt)
    }

    /// The most bytes a collected body may have.
    pub(crate) fn collect_bytes_max(&self) -> usize {
        self.body_bytes_max
            .unwrap_or(self.settings().body_bytes_max)
    }

    /// How long the whole request may take.
    pub(crate) fn time_allowed(&self) -> Duration {
        self.timeout.or(self.timeouts().request).unwrap_or_default()
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.settings().timeouts
    }

    fn settings(&self) -> &Settings {
        self.settings.as_deref().unwrap_or(&Settings::DEFAULT)
    }
}

impl Reset for Context {
    fn reset(&mut self) {
        // Taken apart without `..`, so that a new field cannot be forgotten here.
        let Context {
            method,
            url,
            headers,
            body,
            expect_continue,
            settings,
            timeout,
            body_bytes_max,
            began,
            deadline,
            head,
            received,
            map,
            map_built,
            timeline,
            mailbox,
        } = self;
        received.finish(head);
        *method = Method::GET;
        url.reset();
        clear_map(headers);
        *body = Body::empty();
        *expect_continue = false;
        *settings = None;
        *timeout = None;
        *body_bytes_max = None;
        *began = None;
        *deadline = None;
        head.reset();
        clear_map(map);
        *map_built = false;
        timeline.reset();
        mailbox.retire();
    }

    fn is_blank(&self) -> bool {
        self.method.as_str() == Method::GET.as_str()
            && self.url.is_blank()
            && self.headers.is_empty()
            && self.body.is_empty()
            && !self.expect_continue
            && self.settings.is_none()
            && self.timeout.is_none()
            && self.body_bytes_max.is_none()
            && self.began.is_none()
            && self.deadline.is_none()
            && self.head.is_blank()
            && self.received.is_blank()
            && self.map.is_empty()
            && !self.map_built
            && self.timeline.is_blank()
            && self.mailbox.is_blank()
    }
}

fn clear_map(map: &mut HeaderMap) {
    if map.capacity() > MAP_KEPT_FIELDS_MAX {
        *map = HeaderMap::new();
    } else if !map.is_empty() {
        map.clear();
    }
}
