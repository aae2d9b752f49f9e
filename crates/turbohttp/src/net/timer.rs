//! The timer of a connection: a deadline that costs nothing while it keeps moving.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

/// One lazily armed sleep per connection.
///
/// # Implementation
///
/// The deadline is kept as its parts and added up only when something has to wait. The `Sleep` is armed
/// by the first wait, and reset only when it would fire too late, or has fired too early because the
/// deadline has moved on: a request on a busy connection makes no timer entry. While the same task
/// waits, the armed sleep has its waker already.
#[derive(Default)]
pub(crate) struct Timer {
    /// When the wait began, and how long it may take.
    own: Option<(Instant, Duration)>,
    /// When the whole request must be over.
    request: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The waker that the sleep was last polled with.
    waker: Option<Waker>,
}

impl Timer {
    /// Allows a wait of `limit` from `since`, and in any case no longer than until `request`.
    pub(crate) fn set(&mut self, since: Instant, limit: Duration, request: Option<Instant>) {
        self.own = Some((since, limit));
        self.request = request;
    }

    /// Whether the deadline has passed; if not, the task is woken when it does.
    ///
    /// The sleep is made in `runtime`, wherever this is polled.
    #[inline]
    pub(crate) fn poll_expired(&mut self, cx: &mut TaskContext<'_>, runtime: &Handle) -> Poll<()> {
        // Nothing was set, or both limits lie beyond what the clock can say.
        let Some(deadline) = self.deadline() else {
            return Poll::Pending;
        };
        // The usual case: the armed sleep is not too late, and wakes this task.
        if let (Some(sleep), Some(waker)) = (&self.sleep, &self.waker)
            && sleep.deadline() <= deadline
            && waker.will_wake(cx.waker())
            && !sleep.is_elapsed()
        {
            return Poll::Pending;
        }
        self.poll_sleep(deadline, cx, runtime)
    }

    /// Arms the sleep, or has it wake another task, or looks whether it has fired too early.
    fn poll_sleep(
        &mut self,
        deadline: tokio::time::Instant,
        cx: &mut TaskContext<'_>,
        runtime: &Handle,
    ) -> Poll<()> {
        let arm = || {
            let _inside = runtime.enter();
            Box::pin(tokio::time::sleep_until(deadline))
        };
        let sleep = self.sleep.get_or_insert_with(arm);
        // An earlier deadline must be told at once; a later one is told when the sleep has fired.
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        self.waker = Some(cx.waker().clone());
        loop {
            // Outside the task's budget: used up, it makes the sleep report Pending without being armed.
            std::task::ready!(pin!(unconstrained(sleep.as_mut())).poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }

    fn deadline(&self) -> Option<tokio::time::Instant> {
        // A limit beyond what the clock can say never passes.
        let own = self.own.and_then(|(since, limit)| since.checked_add(limit));
        let deadline = match (own, self.request) {
            (Some(own), Some(request)) => own.min(request),
            (own, request) => own.or(request)?,
        };
        Some(deadline.into())
    }
}
