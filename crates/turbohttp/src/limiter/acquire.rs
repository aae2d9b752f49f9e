//! Waiting for a permit, and the permit.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use turbohttp_core::origin::Origin;
use turbohttp_core::scheduler::{Ask, LaneKey, Outcome, PermitId, Priority, Refusal};

#[cfg(doc)]
use super::ConcurrencyLimiter;
use super::key::Key;
use crate::clock;
use crate::error::{Error, Result};
use crate::scheduler::{Dispatcher, PermitGuard, PermitWait};

/// Waits for a permit; made by [`ConcurrencyLimiter::acquire`].
#[must_use = "futures do nothing unless polled"]
pub struct Acquire<'a> {
    dispatcher: &'a Arc<Dispatcher>,
    key: AcquireKey<'a>,
    priority: Priority,
    within: Option<Duration>,
    /// The place in line, after a poll that found no permit free.
    wait: Option<PermitWait<OwnedDispatcher>>,
}

/// The key of a permit that is waited for.
enum AcquireKey<'a> {
    Lane(LaneKey<'a>),
    Origin(Origin),
    /// Text that is no origin, at the limiter of a client. The first poll takes the error and returns it.
    Invalid(Option<Error>),
}

impl<'a> Acquire<'a> {
    pub(super) fn of_lane(dispatcher: &'a Arc<Dispatcher>, lane: LaneKey<'a>) -> Acquire<'a> {
        Acquire::at(dispatcher, AcquireKey::Lane(lane))
    }

    pub(super) fn new(dispatcher: &'a Arc<Dispatcher>, key: Result<Key<'a>>) -> Acquire<'a> {
        Acquire::at(
            dispatcher,
            match key {
                Ok(Key::Text(text)) => AcquireKey::Lane(LaneKey::new(text)),
                Ok(Key::Origin(origin)) => AcquireKey::Origin(origin),
                Err(error) => AcquireKey::Invalid(Some(error)),
            },
        )
    }

    fn at(dispatcher: &'a Arc<Dispatcher>, key: AcquireKey<'a>) -> Acquire<'a> {
        Acquire {
            dispatcher,
            key,
            priority: Priority::default(),
            within: None,
            wait: None,
        }
    }

    /// Sets the priority. Default: [`Priority::Normal`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets how long to wait at most, from the first poll; beyond that the future returns
    /// [`ErrorKind::Timeout`](crate::ErrorKind). Default: no bound.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Takes a permit or a place in line.
    fn ask(&mut self, cx: &TaskContext<'_>) -> Result<Option<PermitId>> {
        let dispatcher = self.dispatcher;
        let lane = match &mut self.key {
            AcquireKey::Lane(lane) => *lane,
            AcquireKey::Origin(origin) => LaneKey::from(&*origin),
            AcquireKey::Invalid(error) => {
                return Err(error.take().expect("not polled after it was ready"));
            }
        };
        // With waiters in line the attempt would fail, and would cost a lock.
        if !dispatcher.seems_contended()
            && let Some(permit) = dispatcher.try_acquire(lane, self.priority)
        {
            return Ok(Some(permit));
        }
        let ask = Ask {
            lane,
            priority: self.priority,
            deadline: self.within.map(|limit| clock::after(clock::now(), limit)),
        };
        match Dispatcher::acquire_or_queue(OwnedDispatcher(dispatcher.clone()), ask, cx) {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(wait)) => {
                self.wait = Some(wait);
                Ok(None)
            }
            Err(refusal) => Err(Error::refused(refusal)),
        }
    }
}

impl Future for Acquire<'_> {
    type Output = Result<Permit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Permit>> {
        let permit = match &mut self.wait {
            Some(wait) => std::task::ready!(wait.poll(cx)).map(Some),
            None => self.ask(cx),
        };
        match permit {
            // From here on the guard releases it; until now it was the scheduler's or the wait's.
            Ok(Some(permit)) => {
                let dispatcher = OwnedDispatcher(self.dispatcher.clone());
                Poll::Ready(Ok(Permit(PermitGuard::new(dispatcher, permit))))
            }
            // In line, with the waker of this task.
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}

/// The right to run one piece of work. Dropping it releases the permit.
#[must_use = "a permit that is dropped at once limits nothing"]
pub struct Permit(PermitGuard<OwnedDispatcher>);

impl Permit {
    /// Releases the permit, and counts the work as failed in the report of a close. A permit that is
    /// dropped counts as completed.
    pub fn failed(mut self) {
        self.0.outcome = Outcome::Failed;
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// A dispatcher that a permit keeps alive, as the permit may outlive its limiter.
#[derive(Clone)]
struct OwnedDispatcher(Arc<Dispatcher>);

impl Deref for OwnedDispatcher {
    type Target = Dispatcher;

    fn deref(&self) -> &Dispatcher {
        &self.0
    }
}

pub(super) fn try_acquire(dispatcher: &Arc<Dispatcher>, key: LaneKey<'_>) -> Result<Permit> {
    let priority = Priority::default();
    let permit = dispatcher.try_acquire(key, priority);
    match permit.or_else(|| dispatcher.try_acquire_paced(key, priority)) {
        Some(permit) => Ok(Permit(PermitGuard::new(
            OwnedDispatcher(dispatcher.clone()),
            permit,
        ))),
        // Read after the attempt: where a close comes in between, it is the reason.
        None if dispatcher.is_closed() => Err(Error::refused(Refusal::Closed)),
        None => Err(Error::refused(Refusal::Busy)),
    }
}
