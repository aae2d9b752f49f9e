//! One key of a limiter, looked up once.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use turbohttp_core::scheduler::{LaneKey, PinnedLane};

#[cfg(doc)]
use super::ConcurrencyLimiter;
use super::acquire::{Acquire, Permit, try_acquire};
use super::execute::{Counter, run};
use crate::error::Result;
use crate::scheduler::Dispatcher;

/// One key of a [`ConcurrencyLimiter`], looked up once; made by [`ConcurrencyLimiter::lane`].
///
/// A clone is a handle of the same key. The example is at [`ConcurrencyLimiter::lane`].
#[derive(Clone)]
pub struct LimiterLane(pub(super) Arc<Handle>);

pub(super) struct Handle {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) lane: PinnedLane,
}

impl LimiterLane {
    /// [`ConcurrencyLimiter::acquire`] for this key.
    ///
    /// # Errors
    ///
    /// Those of [`ConcurrencyLimiter::acquire`].
    ///
    /// # Cancel safety
    ///
    /// That of [`ConcurrencyLimiter::acquire`].
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire::of_lane(&self.0.dispatcher, self.key())
    }

    /// [`ConcurrencyLimiter::try_acquire`] for this key.
    ///
    /// # Errors
    ///
    /// Those of [`ConcurrencyLimiter::try_acquire`].
    pub fn try_acquire(&self) -> Result<Permit> {
        try_acquire(&self.0.dispatcher, self.key())
    }

    /// [`ConcurrencyLimiter::execute`] for this key.
    ///
    /// # Errors
    ///
    /// Those of [`ConcurrencyLimiter::execute`].
    ///
    /// # Cancel safety
    ///
    /// That of [`ConcurrencyLimiter::execute`].
    pub fn execute<F: Future>(&self, work: F) -> impl Future<Output = Result<F::Output>> {
        // The pinned key is passed on as it is: no lookup, and no count of a reference changes.
        run(&*self.0, work)
    }

    #[inline]
    fn key(&self) -> LaneKey<'_> {
        self.0.lane.key()
    }
}

impl fmt::Debug for LimiterLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LimiterLane")
            .field(&self.key().text())
            .finish()
    }
}

impl Counter for &Handle {
    fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    fn key(&self) -> LaneKey<'_> {
        self.lane.key()
    }
}

impl Drop for Handle {
    /// The scheduler may forget the key again.
    fn drop(&mut self) {
        self.dispatcher
            .update(|scheduler, _| scheduler.unpin(&self.lane));
    }
}
