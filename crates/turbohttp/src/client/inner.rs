//! What all clones of a client are.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, RANGE};
use turbohttp_core::origin::Origins;
use turbohttp_core::pool::ObjectPool;

use crate::clock;
use crate::config::Settings;
use crate::context::Context;
use crate::middleware::Pipeline;
use crate::net::NetWatch;
use crate::scheduler::Dispatcher;

/// The parts of a client. Dropping it, with the last clone, closes the client behind what runs.
pub(super) struct Inner {
    pub(super) pipeline: Arc<Pipeline>,
    /// Fields that a call adds to its request unless that sets them itself: all default fields where layers
    /// and other transports are to see them. A network without layers writes them from a template, all but
    /// the secret ones, which must not follow a redirect to another origin. A cache sees them, too: they may select.
    pub(super) default_headers: HeaderMap,
    /// Whether there are any.
    pub(super) adds_default_headers: bool,
    /// Fixed when the client is built, so that it is the same for every poll of a call.
    pub(super) is_layered: bool,
    pub(super) net_stats: Option<NetWatch>,
    pub(super) contexts: ObjectPool<Context>,
    pub(super) origins: Origins,
    pub(super) settings: Settings,
}

impl Inner {
    #[inline]
    pub(super) fn scheduler(&self) -> &Arc<Dispatcher> {
        &self.pipeline.carrier.scheduler
    }

    /// Whether something stands before the attempts of a call: hooks, middlewares, a cache. Without any, a call asks
    /// for its permit as it begins.
    #[inline]
    pub(super) fn is_layered(&self) -> bool {
        self.is_layered
    }

    /// Whether the timer of a call ends it at its deadline: the network without layers keeps it itself.
    #[inline]
    pub(super) fn needs_timer(&self) -> bool {
        self.is_layered() || !self.pipeline.carrier.transport.is_network()
    }

    /// Starts the clock of a call, or goes on with that of a job, and fills in what the request left to
    /// the client.
    #[inline]
    pub(super) fn prepare(&self, context: &mut Context, is_started: bool) -> Instant {
        let now = clock::now();
        match is_started {
            false => context.timing.begin_call(now, &self.settings),
            true => context.timing.resume_call(),
        }
        if self.adds_default_headers {
            self.add_default_headers(&mut context.request.headers);
        }
        now
    }

    /// Adds the default fields that the request does not set itself, with all values of a name.
    fn add_default_headers(&self, headers: &mut HeaderMap) {
        if headers.is_empty() {
            // Most requests set none: then no name has to be looked up.
            for (name, value) in &self.default_headers {
                headers.append(name.clone(), value.clone());
            }
            return;
        }
        for name in self.default_headers.keys() {
            // A range of a coded content is nothing that can be decoded.
            let is_against_range = *name == ACCEPT_ENCODING && headers.contains_key(RANGE);
            if !headers.contains_key(name) && !is_against_range {
                for value in self.default_headers.get_all(name) {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
    }
}

impl Drop for Inner {
    /// The last clone has gone, so that no call can begin; calls and responses that are under way go on.
    fn drop(&mut self) {
        self.scheduler().close_without_deadline();
    }
}
