//! Running work with a permit.

use std::future::{Future, poll_fn};
use std::task::{Context as TaskContext, Poll};

use turbohttp_core::scheduler::{Ask, LaneKey, Outcome, PermitId, Priority};

use super::key::Key;
use crate::error::{Error, Result};
use crate::scheduler::{Dispatcher, PermitGuard, PermitWait};

/// Where a permit is asked for: a limiter and one of its keys, small enough to be copied into a future.
pub(super) trait Counter: Copy {
    fn dispatcher(&self) -> &Dispatcher;

    fn key(&self) -> LaneKey<'_>;
}

/// A key by its text.
#[derive(Clone, Copy)]
pub(super) struct Named<'a, 'k> {
    pub(super) dispatcher: &'a Dispatcher,
    pub(super) key: &'a Key<'k>,
}

impl Counter for Named<'_, '_> {
    fn dispatcher(&self) -> &Dispatcher {
        self.dispatcher
    }

    fn key(&self) -> LaneKey<'_> {
        self.key.lane()
    }
}

/// Runs `work` with a permit, and releases it afterwards.
pub(super) async fn run<F: Future>(counter: impl Counter, work: F) -> Result<F::Output> {
    let dispatcher = counter.dispatcher();
    // With waiters in line the attempt would fail, and would cost a lock.
    let free = match dispatcher.seems_contended() {
        true => None,
        false => dispatcher.try_acquire(counter.key(), Priority::default()),
    };
    let permit = match free {
        Some(permit) => permit,
        None => {
            let mut wait = None;
            poll_fn(|cx| poll_acquire(&counter, &mut wait, cx)).await?
        }
    };
    let mut permit = PermitGuard::new(dispatcher, permit);
    // In case `work` panics or is dropped.
    permit.outcome = Outcome::Canceled;
    let output = work.await;
    permit.outcome = Outcome::Completed;
    permit.release();
    Ok(output)
}

/// Takes a place in line at the first poll, and the permit when it is granted.
#[inline]
fn poll_acquire<'a>(
    counter: &'a impl Counter,
    wait: &mut Option<PermitWait<&'a Dispatcher>>,
    cx: &TaskContext<'_>,
) -> Poll<Result<PermitId>> {
    if let Some(wait) = wait {
        return wait.poll(cx);
    }
    let ask = Ask {
        lane: counter.key(),
        priority: Priority::default(),
        deadline: None,
    };
    match Dispatcher::acquire_or_queue(counter.dispatcher(), ask, cx) {
        Ok(Ok(permit)) => Poll::Ready(Ok(permit)),
        Ok(Err(place)) => {
            *wait = Some(place);
            Poll::Pending
        }
        Err(refusal) => Poll::Ready(Err(Error::refused(refusal))),
    }
}
