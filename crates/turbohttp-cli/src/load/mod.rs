//! A load: callers that send the same request, one after the other or when it is due.

mod report;
mod schedule;
mod stats;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use turbohttp::{Error, RequestBuilder, Shutdown};

pub(crate) use report::{json, text};
pub(crate) use schedule::Schedule;
pub(crate) use stats::Stats;

use crate::clock;
use crate::interrupt::{Interrupts, Stop};
use crate::plan::LoadPlan;

/// How a load came to its end.
pub(crate) struct Ended {
    pub(crate) stats: Stats,
    pub(crate) took: Duration,
    pub(crate) stop: Option<Stop>,
}

/// What all callers share.
struct Load {
    plan: LoadPlan,
    began: Instant,
    /// The number of the request that is sent next, from 0.
    next: AtomicU64,
    stats: Mutex<Stats>,
}

/// Sends until the schedule is over, or a signal.
pub(crate) async fn run(plan: LoadPlan, interrupts: &mut Interrupts) -> anyhow::Result<Ended> {
    let load = Arc::new(Load {
        began: clock::now(),
        plan,
        next: AtomicU64::new(0),
        stats: Mutex::default(),
    });
    let mut callers = JoinSet::new();
    for _ in 0..load.plan.callers {
        let load = load.clone();
        callers.spawn(async move { load.call_all().await });
    }
    let all = async {
        while let Some(ended) = callers.join_next().await {
            ended.context("a caller ended by a panic")?;
        }
        anyhow::Ok(())
    };
    let stop = tokio::select! {
        biased;
        stop = interrupts.next() => Some(stop),
        ended = all => {
            ended?;
            None
        }
    };
    let took = clock::now().saturating_duration_since(load.began);
    callers.shutdown().await;
    let network = load.plan.client.stats().net;
    load.plan.client.close(Shutdown::Now).await;
    let mut stats = std::mem::take(&mut *load.stats());
    stats.connections = network.map(|network| network.opened);
    let due = load.plan.schedule.due_within(took).unwrap_or(0);
    stats.unsent = due.saturating_sub(stats.answers() + stats.failures() + stats.dropped);
    Ok(Ended { stats, took, stop })
}

impl Load {
    fn stats(&self) -> std::sync::MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One caller: takes the next request that is to be sent until there is none.
    async fn call_all(&self) {
        let schedule = &self.plan.schedule;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let now = clock::now();
            let Some(due) = schedule.due(number, self.began, now) else {
                return;
            };
            if due > now {
                tokio::time::sleep_until(due.into()).await;
            }
            // A caller that was free when the request was due has omitted nothing: what its timer came too late is
            // not the server's.
            let sent = clock::now();
            let since = if due < now { due } else { sent };
            let mut under_way = UnderWay(Some(self));
            let answered = match schedule.end(self.began) {
                None => Some(self.call().await),
                Some(end) => {
                    let calling = tokio::time::timeout_at(end.into(), self.call());
                    calling.await.ok()
                }
            };
            let now = clock::now();
            let Some(answered) = answered else { continue };
            under_way.0 = None;
            let mut stats = self.stats();
            match answered {
                Ok((status, bytes)) => {
                    let latency = now.saturating_duration_since(since);
                    let alone = now.saturating_duration_since(sent);
                    stats.answered(status, bytes, latency, alone);
                }
                Err(error) => stats.failed(&error),
            }
        }
    }

    /// One request, to the end of its answer: the status, and the bytes of the body.
    async fn call(&self) -> Result<(u16, u64), Error> {
        let mut response = self.request().send().await?;
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len() as u64;
        }
        Ok((response.status().as_u16(), bytes))
    }

    fn request(&self) -> RequestBuilder {
        let plan = &self.plan;
        let mut request = plan.client.request(plan.method.clone(), &*plan.url);
        if !plan.headers.is_empty() {
            request = request.headers(plan.headers.clone());
        }
        if !plan.body.is_empty() {
            request = request.body(plan.body.clone());
        }
        request
    }
}

/// A request that has been sent: dropped before its end, by a signal or when the time is over, it is counted.
struct UnderWay<'a>(Option<&'a Load>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(load) = self.0 {
            load.stats().dropped += 1;
        }
    }
}
