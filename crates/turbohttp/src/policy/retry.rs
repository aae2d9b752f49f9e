//! Whether a request is sent once more, and when.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use turbohttp_core::timeline::Phase;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{RETRIES_MAX, RETRY_STATUSES_MAX};

/// Whether and how a client sends a request again that has failed; off unless
/// [`ClientBuilder::retry`](crate::ClientBuilder::retry) is given one.
///
/// Sent again is a request of an idempotent method (RFC 9110 section 9.2.2), or one of which nothing was
/// sent, whose body can be sent again: after 408, 425, 429, 500, 502, 503, 504, after a failed connection
/// and after a timeout of one phase. Before the n-th retry the call waits a random time between zero and
/// `base * 2^(n-1)`, at most `cap` ("full jitter", Brooker 2015), or for as long as `Retry-After` says;
/// meanwhile it holds no permit. No wait goes past the deadline of the call: the last answer is returned
/// instead.
///
/// The retries of all calls of a client are bounded by a budget: 20 % of its requests, and 10 to begin
/// with.
///
/// A 429 or a 503 with `Retry-After` pauses its origin for all requests of the client, as
/// [`ConcurrencyLimiter::pause`](crate::ConcurrencyLimiter::pause) does, for at most
/// [`retry_after_max`](RetryPolicy::retry_after_max) and a tenth more at random.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use turbohttp::{Client, RetryPolicy};
///
/// let client = Client::builder().retry(RetryPolicy::default()).build()?; // up to 3 retries
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    retries: u32,
    base: Duration,
    cap: Duration,
    is_jittered: bool,
    within: Option<Duration>,
    statuses: Vec<StatusCode>,
    any_method: bool,
    every_error: bool,
    retry_after_max: Duration,
    pauses_origin: bool,
    budget_percent: u32,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            retries: 3,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(10),
            is_jittered: true,
            within: None,
            statuses: [408, 425, 429, 500, 502, 503, 504]
                .into_iter()
                .filter_map(|status| StatusCode::from_u16(status).ok())
                .collect(),
            any_method: false,
            every_error: false,
            retry_after_max: Duration::from_secs(60),
            pauses_origin: true,
            budget_percent: 20,
        }
    }
}

impl RetryPolicy {
    /// Retries each call up to `retries` times.
    pub fn up_to(retries: u32) -> RetryPolicy {
        RetryPolicy {
            retries,
            ..RetryPolicy::default()
        }
    }

    /// Sets the bound of the wait before the first retry, which doubles with each; default 100 ms.
    #[must_use]
    pub fn base(mut self, base: Duration) -> RetryPolicy {
        self.base = base;
        self
    }

    /// Sets the longest bound that the doubling comes to; default 10 s.
    #[must_use]
    pub fn cap(mut self, cap: Duration) -> RetryPolicy {
        self.cap = cap;
        self
    }

    /// Waits this long before each retry, neither doubled nor random.
    #[must_use]
    pub fn fixed_delay(mut self, delay: Duration) -> RetryPolicy {
        (self.base, self.cap, self.is_jittered) = (delay, delay, false);
        self
    }

    /// Begins no retry later than this after the beginning of the call; default none.
    #[must_use]
    pub fn within(mut self, time: impl Into<Option<Duration>>) -> RetryPolicy {
        self.within = time.into();
        self
    }

    /// Sets the statuses that are retried in place of the default ones.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> RetryPolicy {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Retries requests of every method, such as POST, which may then be done twice. Default `false`.
    #[must_use]
    pub fn any_method(mut self, any: bool) -> RetryPolicy {
        self.any_method = any;
        self
    }

    /// Retries after errors too that another attempt mostly does not change: a response that breaks HTTP, a
    /// refused certificate. Default `false`.
    #[must_use]
    pub fn every_error(mut self, every: bool) -> RetryPolicy {
        self.every_error = every;
        self
    }

    /// Sets how long a `Retry-After` may be; default 60 s. A longer one is not waited for: the response is
    /// returned, and its origin is paused for this long.
    #[must_use]
    pub fn retry_after_max(mut self, most: Duration) -> RetryPolicy {
        self.retry_after_max = most;
        self
    }

    /// Sets whether 429 and 503 with `Retry-After` pause their origin; default `true`.
    #[must_use]
    pub fn pause_origin(mut self, pause: bool) -> RetryPolicy {
        self.pauses_origin = pause;
        self
    }

    /// Sets how many retries there may be per hundred requests of the client; default 20. From 100 on
    /// there is no such bound.
    #[must_use]
    pub fn budget_percent(mut self, percent: u32) -> RetryPolicy {
        self.budget_percent = percent;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.retries > RETRIES_MAX {
            let bound = format!("at most {RETRIES_MAX}");
            return Err(Error::config("retry", &bound, self.retries));
        }
        if self.statuses.len() > RETRY_STATUSES_MAX {
            let bound = format!("at most {RETRY_STATUSES_MAX}");
            return Err(Error::config("retry.statuses", &bound, self.statuses.len()));
        }
        Ok(())
    }

    /// Whether a response of this status is retried.
    pub(super) fn retries_status(&self, status: StatusCode) -> bool {
        self.statuses.contains(&status)
    }

    /// Whether this error is retried, should its request be here and may be sent twice.
    pub(super) fn retries_error(&self, error: &Error) -> bool {
        match error.kind() {
            // The client itself refuses, and would again.
            ErrorKind::Closed | ErrorKind::Full | ErrorKind::Busy | ErrorKind::Canceled => false,
            ErrorKind::Config | ErrorKind::Url | ErrorKind::Request | ErrorKind::RequestBody => {
                false
            }
            ErrorKind::Runtime | ErrorKind::Panicked | ErrorKind::Redirect => false,
            ErrorKind::Timeout => !is_wait_for_permit(error.phase()),
            ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Io | ErrorKind::Truncated => true,
            _ => self.every_error,
        }
    }

    /// Whether a request may be done twice by this policy.
    pub(super) fn permits(&self, is_idempotent: bool, is_unsent: bool) -> bool {
        is_idempotent || is_unsent || self.any_method
    }

    /// How long to wait before the retry of this number, from 0; `None` after the last one.
    pub(crate) fn delay(&self, retry: u32) -> Option<Duration> {
        if retry >= self.retries {
            return None;
        }
        let doubled = self
            .base
            .saturating_mul(1u32.checked_shl(retry).unwrap_or(u32::MAX));
        let bound = doubled.min(self.cap);
        Some(match self.is_jittered {
            true => at_random(bound),
            false => bound,
        })
    }

    /// Whether a retry may begin at `then`, in a call that began at `began`.
    pub(super) fn is_in_time(&self, then: Instant, began: Option<Instant>) -> bool {
        match (self.within, began) {
            (Some(within), Some(began)) => then.saturating_duration_since(began) <= within,
            _ => true,
        }
    }

    /// What a `Retry-After` asks for, as this policy waits for it: how long the origin is paused, and
    /// whether the request is sent again behind the pause.
    pub(super) fn retry_after(&self, asked: Duration) -> (Duration, bool) {
        let is_waited_for = asked <= self.retry_after_max;
        let pause = asked.min(self.retry_after_max);
        // Jittered, so that the clients of one server do not come back at once.
        let jittered = pause.saturating_add(at_random(pause / 10));
        (jittered, is_waited_for)
    }

    /// Whether an answer of this status pauses its origin.
    pub(super) fn pauses(&self, status: StatusCode) -> bool {
        let is_asked = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        self.pauses_origin && is_asked.contains(&status)
    }
}

fn is_wait_for_permit(phase: Option<Phase>) -> bool {
    matches!(
        phase,
        None | Some(
            Phase::Backoff | Phase::Queue | Phase::Pause | Phase::HostPermit | Phase::TotalPermit
        )
    )
}

/// A time between zero and `most`.
fn at_random(most: Duration) -> Duration {
    most.mul_f64(fastrand::f64())
}

/// What the retries of a client may cost: each call pays in, each retry takes out.
///
/// In thousandths of a retry, so that a call can pay a fifth of one.
pub(crate) struct RetryBudget(AtomicI64);

impl RetryBudget {
    const RETRY: i64 = 1_000;
    /// Before there were calls.
    const FIRST: i64 = 10 * RetryBudget::RETRY;
    /// Saved up at most.
    const MOST: i64 = 100 * RetryBudget::RETRY;

    /// A call has begun.
    pub(super) fn pay_in(&self, policy: &RetryPolicy) {
        let share = i64::from(policy.budget_percent.min(100)) * RetryBudget::RETRY / 100;
        let pay = |balance: i64| Some((balance + share).min(RetryBudget::MOST));
        _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
    }

    /// Takes one retry out, if it is there.
    pub(super) fn take(&self, policy: &RetryPolicy) -> bool {
        let take =
            |balance: i64| (balance >= RetryBudget::RETRY).then(|| balance - RetryBudget::RETRY);
        policy.budget_percent >= 100
            || self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
    }
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget(AtomicI64::new(RetryBudget::FIRST))
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retries = self.0.load(Ordering::Relaxed) / RetryBudget::RETRY;
        f.debug_tuple("RetryBudget").field(&retries).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_end_after_the_last_retry() {
        let policy = RetryPolicy::up_to(40)
            .base(Duration::from_millis(100))
            .cap(Duration::from_secs(1));
        for retry in 0..40 {
            let bound = Duration::from_millis(100 << retry.min(4)).min(Duration::from_secs(1));
            let delay = policy.delay(retry).expect("40 retries");
            assert!(delay <= bound, "{retry}: {delay:?}");
        }
        assert_eq!(policy.delay(40), None);
    }

    #[test]
    fn budget_is_a_fifth_of_the_calls_and_ten_to_begin_with() {
        let (policy, budget) = (RetryPolicy::default(), RetryBudget::default());
        let taken = (0..1_000).filter(|_| budget.take(&policy)).count();
        assert_eq!(taken, 10);
        (0..50).for_each(|_| budget.pay_in(&policy));
        assert_eq!((0..1_000).filter(|_| budget.take(&policy)).count(), 10);
        (0..1_000_000).for_each(|_| budget.pay_in(&policy));
        assert_eq!(
            (0..1_000).filter(|_| budget.take(&policy)).count(),
            100,
            "saved up at most"
        );
    }

    #[test]
    fn retry_after_is_bounded_and_jittered_by_a_tenth() {
        let policy = RetryPolicy::default();
        let second = Duration::from_secs(1);
        for _ in 0..100 {
            let (pause, is_waited_for) = policy.retry_after(2 * second);
            assert!(is_waited_for && pause >= 2 * second && pause <= 2 * second + second / 5);
            let (pause, is_waited_for) = policy.retry_after(Duration::MAX);
            assert!(!is_waited_for && pause >= 60 * second && pause <= 66 * second);
            let endless = RetryPolicy::default().retry_after_max(Duration::MAX);
            assert_eq!(endless.retry_after(Duration::MAX), (Duration::MAX, true));
        }
    }
}
