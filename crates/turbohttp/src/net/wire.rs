//! What every connection of a transport needs, whether it is in the pool or not.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use turbohttp_core::h1::HeadLimits;
use turbohttp_core::h1::encode::DefaultFields;
use turbohttp_core::h2;

use super::counters::Counters;
use super::shortage::Shortage;
use crate::body::buffer::ReadPool;
use crate::config::Timeouts;
use crate::scheduler::Dispatcher;

/// Kept apart from the pool, so that an idle connection, which the pool holds, does not hold the pool.
pub(crate) struct Wire {
    pub(crate) buffers: ReadPool,
    pub(crate) counters: Counters,
    pub(crate) shortage: Arc<Shortage>,
    /// Fields of every request that does not set them itself.
    pub(crate) defaults: DefaultFields,
    pub(crate) head_limits: HeadLimits,
    /// The scheduler of the client that uses this network, which is told what connections carry at once.
    pub(crate) scheduler: OnceLock<Weak<Dispatcher>>,
    /// What a shared connection may cost.
    pub(crate) h2_limits: h2::Limits,
    /// How long a shared connection is kept without requests.
    pub(crate) idle: Duration,
    /// What else bounds the life of a shared connection; `None` if nothing does.
    pub(crate) life: Option<Life>,
}

/// What bounds the life of a shared connection beside its rest.
pub(crate) struct Life {
    /// How old it may become.
    pub(crate) longest: Option<Duration>,
    /// How long its server may be silent, while streams are open, before it is sent a PING.
    pub(crate) ping: Option<Duration>,
}

impl Life {
    pub(crate) fn new(timeouts: &Timeouts) -> Option<Life> {
        let (longest, ping) = (timeouts.lifetime, timeouts.ping_interval());
        (longest.is_some() || ping.is_some()).then_some(Life { longest, ping })
    }
}
