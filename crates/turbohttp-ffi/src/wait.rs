//! How long a function of the ABI may wait.

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait of one call: a thread of a managed runtime that waits longer keeps it from unloading.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Until when a call waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(Option<Instant>);

impl Until {
    /// So many milliseconds from now, at most as many as a call may wait. 0 asks no clock.
    pub(crate) fn after(ms: u32) -> Until {
        Until((ms > 0).then(|| later(u64::from(ms)).min(later(WAIT_MAX.as_millis() as u64))))
    }

    /// So long from now, however long that is.
    pub(crate) fn after_at_most(time: Duration) -> Until {
        Until(Some(later(time.as_millis() as u64)))
    }

    /// Waits for the condition; the guard, and whether there was time to wait.
    pub(crate) fn wait<'a, T>(
        self,
        condition: &Condvar,
        guard: MutexGuard<'a, T>,
    ) -> (MutexGuard<'a, T>, bool) {
        let left = self.left();
        if left.is_zero() {
            return (guard, false);
        }
        let waited = condition.wait_timeout(guard, left);
        (waited.unwrap_or_else(PoisonError::into_inner).0, true)
    }

    /// The time that is left.
    pub(crate) fn left(self) -> Duration {
        self.0.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(later(0))
        })
    }
}

/// The instant so many milliseconds from now.
pub(crate) fn later(ms: u64) -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "threads of the host wait, where no runtime is driven and no clock paused"
    )]
    let now = Instant::now();
    now + Duration::from_millis(ms)
}
