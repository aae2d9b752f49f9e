//! A second request where the first one takes unusually long.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use turbohttp_core::h1::encode::Asks;
use turbohttp_core::origin::Origin;

use super::latencies::Latencies;
use super::origins::Origins;
use crate::clock;
use crate::error::Result;
use crate::middleware::{Middleware, Next};
use crate::request::Request;
use crate::response::Response;

/// Below so many answers of an origin, nothing is known of what is usual there.
const ANSWERS_MIN: u32 = 20;

/// What hedges may cost: each call pays in a share of one, up to so many.
const SAVED_MAX: f64 = 10.0;

/// Sends a request a second time if its answer takes longer than is usual at its origin, and takes the answer that
/// comes first ("hedged requests", Dean and Barroso, The Tail at Scale, 2013).
///
/// Only requests of idempotent methods whose body can be sent twice and that ask for no other protocol are hedged, and at
/// most one in ten
/// ([`budget`](Hedge::budget)). Both are attempts of the same call: the second one waits for a permit of its own, and
/// the one that is not wanted any more is dropped, which closes its connection or resets its stream. An error of one is kept until the
/// other one has ended. What an origin's answers take is kept for up to 1,024 origins.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use turbohttp::{Client, Hedge};
///
/// let client = Client::builder().with(Hedge::percentile(0.95)).build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Hedge {
    after: After,
    share: f64,
    origins: Mutex<Origins<State>>,
}

#[derive(Clone, Copy, Debug)]
enum After {
    Percentile(f64),
    Delay(Duration),
}

/// What is known of one origin.
#[derive(Debug, Default)]
struct State {
    latencies: Latencies,
    /// Hedges that have been paid for.
    saved: f64,
}

impl Hedge {
    /// Hedges what takes longer than this share of the answers of its origin, from 0.5 to 0.999 (values out of range
    /// are cut to it); nothing, before 20 answers have come.
    pub fn percentile(share: f64) -> Hedge {
        Hedge::after(After::Percentile(share.clamp(0.5, 0.999)))
    }

    /// Hedges what takes longer than this.
    pub fn delay(delay: Duration) -> Hedge {
        Hedge::after(After::Delay(delay))
    }

    fn after(after: After) -> Hedge {
        Hedge {
            after,
            share: 0.1,
            origins: Mutex::default(),
        }
    }

    /// Sets the most that hedges may add to the requests of an origin, as a share from 0 to 1; default 0.1.
    #[must_use]
    pub fn budget(mut self, share: f64) -> Hedge {
        // NaN would be no bound.
        if !share.is_nan() {
            self.share = share.clamp(0.0, 1.0);
        }
        self
    }

    /// Pays for a call, and says when its hedge is due.
    fn begin(&self, request: &Request, now: Instant) -> Option<Instant> {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let state = origins.get_or_make(request.origin(), State::default);
        state.saved = (state.saved + self.share).min(SAVED_MAX);
        let delay = match self.after {
            After::Delay(delay) => delay,
            After::Percentile(_) if state.latencies.count() < ANSWERS_MIN => return None,
            After::Percentile(share) => state.latencies.percentile(share),
        };
        Some(clock::after(now, delay))
    }

    /// Takes one hedge out of what was saved, if it is there.
    fn take(&self, request: &Request) -> bool {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = origins.get(request.origin()).map(|state| &mut state.saved);
        match saved {
            Some(saved) if *saved >= 1.0 => {
                *saved -= 1.0;
                true
            }
            _ => false,
        }
    }

    fn note(&self, origin: &Origin, latency: Duration) {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = origins.get(origin) {
            state.latencies.add(latency);
        }
    }
}

impl Middleware for Hedge {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let began = clock::now();
        // That of the call: a redirect may lead to another one, which answers in a time of its own.
        let origin = request.origin().clone();
        let due = self.begin(&request, began);
        let parts = &request.context.request;
        // A second connection that has switched protocols is none that its server would forget.
        let may_be_hedged = parts.is_idempotent() && parts.asks != Asks::Upgrade;
        let copy = match due {
            Some(due) if may_be_hedged => request.try_clone().map(|copy| (copy, due)),
            _ => None,
        };
        let answer = match copy {
            None => next.run(request).await,
            Some((copy, due)) => self.race(request, copy, due, &next).await,
        };
        if answer.is_ok() {
            // Of the call and not of the answer: what the first attempt took without an answer counts too.
            self.note(&origin, clock::now().saturating_duration_since(began));
        }
        answer
    }
}

impl Hedge {
    async fn race(
        &self,
        request: Request,
        copy: Request,
        due: Instant,
        next: &Next<'_>,
    ) -> Result<Response> {
        let mut first = pin!(next.run(request));
        let mut sleep = pin!(clock::sleep_until(due)?);
        // The request first: an answer that is there when its time is up is no late one.
        let early = poll_fn(|cx| match first.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
        });
        if let Some(answer) = early.await {
            return answer;
        }
        if !self.take(&copy) {
            return first.await;
        }
        // Dropped with this future, as `first` is: what has lost closes its connection and releases its permit.
        let second = pin!(next.run(copy));
        first_good(first, second).await
    }
}

/// The first answer of two that is no error; the error of the first one if both are.
async fn first_good<F>(mut first: Pin<&mut F>, mut second: Pin<&mut F>) -> Result<Response>
where
    F: Future<Output = Result<Response>>,
{
    let (mut failed, mut has_second_failed) = (None, false);
    poll_fn(|cx| {
        if failed.is_none() {
            match first.as_mut().poll(cx) {
                Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
                Poll::Ready(Err(error)) => failed = Some(error),
                Poll::Pending => {}
            }
        }
        if !has_second_failed {
            match second.as_mut().poll(cx) {
                Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
                Poll::Ready(Err(_)) => has_second_failed = true,
                Poll::Pending => {}
            }
        }
        // Of two errors the first one's is told: the second request was ours, and nobody asked for it.
        match (has_second_failed, failed.take()) {
            (true, Some(error)) => Poll::Ready(Err(error)),
            (_, kept) => {
                failed = kept;
                Poll::Pending
            }
        }
    })
    .await
}
