//! Callers that are tasks of a runtime.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::{Load, Share, Until};
use crate::histogram::Histogram;
use crate::peers::{Setup, Work};

/// Workers of the multi-thread runtime.
const WORKERS: usize = 2;

/// One caller of a client: makes one request after the other.
pub(crate) trait Peer: Sized + Send + 'static {
    /// This many callers, of one client where there is such a thing.
    fn callers(work: Arc<Work>, count: usize) -> impl Future<Output = Result<Vec<Self>>>;

    /// Makes one request and reads its answer.
    fn exchange(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// A runtime and the callers in it.
pub(crate) struct Tasks<P> {
    callers: Vec<P>,
    /// Behind the callers, so that they are dropped first.
    runtime: Runtime,
}

impl<P: Peer> Tasks<P> {
    pub(crate) fn new(setup: &Setup) -> Result<Tasks<P>> {
        let mut builder = match setup.multi_thread {
            false => Builder::new_current_thread(),
            true => Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(WORKERS).enable_all().build()?;
        let callers = runtime.block_on(P::callers(setup.work.clone(), setup.callers))?;
        Ok(Tasks { callers, runtime })
    }
}

impl<P: Peer> Load for Tasks<P> {
    fn drive(&mut self, until: Until, histogram: &Arc<Histogram>) -> Result<u64> {
        let callers = std::mem::take(&mut self.callers);
        let driven = drive(callers, until, histogram);
        let (callers, requests) = self.runtime.block_on(driven)?;
        self.callers = callers;
        Ok(requests)
    }
}

/// Lets every caller do its share, and gives them back with the number of requests made.
async fn drive<P: Peer>(
    callers: Vec<P>,
    until: Until,
    histogram: &Arc<Histogram>,
) -> Result<(Vec<P>, u64)> {
    let shares = until.shares(callers.len());
    let mut tasks = JoinSet::new();
    for (share, caller) in shares.zip(callers) {
        match share {
            Share::Until(deadline) => {
                tasks.spawn(for_a_time(caller, deadline, histogram.clone()));
            }
            Share::Requests(count) => {
                tasks.spawn(for_a_number(caller, count));
            }
        }
    }
    let (mut callers, mut requests) = (Vec::new(), 0);
    while let Some(ended) = tasks.join_next().await {
        let (caller, made) = ended??;
        callers.push(caller);
        requests += made;
    }
    Ok((callers, requests))
}

async fn for_a_time<P: Peer>(
    mut caller: P,
    deadline: Instant,
    histogram: Arc<Histogram>,
) -> Result<(P, u64)> {
    let mut made = 0;
    let mut before = Instant::now();
    while before < deadline {
        caller.exchange().await?;
        made += 1;
        // One look at the clock serves as the end of this request and the start of the next.
        let after = Instant::now();
        histogram.record(after - before);
        before = after;
    }
    Ok((caller, made))
}

async fn for_a_number<P: Peer>(mut caller: P, count: u64) -> Result<(P, u64)> {
    for _ in 0..count {
        caller.exchange().await?;
    }
    Ok((caller, count))
}
