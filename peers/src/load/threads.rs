//! Callers that are threads, for a client that blocks.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Result, anyhow};

use super::{Load, Share, Until};
use crate::histogram::Histogram;
use crate::peers::{Setup, Work};

/// One caller of a client that blocks.
pub(crate) trait BlockingPeer: Sized + Send + 'static {
    /// This many callers of one client.
    fn callers(work: Arc<Work>, count: usize) -> Result<Vec<Self>>;

    /// Makes one request and reads its answer.
    fn exchange(&mut self) -> Result<()>;
}

/// The callers; each has a thread while it is driven.
pub(crate) struct Threads<P>(Vec<P>);

impl<P: BlockingPeer> Threads<P> {
    pub(crate) fn new(setup: &Setup) -> Result<Threads<P>> {
        Ok(Threads(P::callers(setup.work.clone(), setup.callers)?))
    }
}

impl<P: BlockingPeer> Load for Threads<P> {
    fn drive(&mut self, until: Until, histogram: &Arc<Histogram>) -> Result<u64> {
        let callers = std::mem::take(&mut self.0);
        let shares = until.shares(callers.len());
        let threads: Vec<JoinHandle<_>> = shares
            .zip(callers)
            .map(|(share, caller)| {
                let histogram = histogram.clone();
                thread::spawn(move || call(caller, share, &histogram))
            })
            .collect();
        let mut requests = 0;
        for thread in threads {
            let ended = thread.join().map_err(|_| anyhow!("a caller panicked"))?;
            let (caller, made) = ended?;
            self.0.push(caller);
            requests += made;
        }
        Ok(requests)
    }
}

fn call<P: BlockingPeer>(mut caller: P, share: Share, histogram: &Histogram) -> Result<(P, u64)> {
    let deadline = match share {
        Share::Until(deadline) => deadline,
        Share::Requests(count) => {
            for _ in 0..count {
                caller.exchange()?;
            }
            return Ok((caller, count));
        }
    };
    let mut made = 0;
    let mut before = Instant::now();
    while before < deadline {
        caller.exchange()?;
        made += 1;
        let after = Instant::now();
        histogram.record(after - before);
        before = after;
    }
    Ok((caller, made))
}
