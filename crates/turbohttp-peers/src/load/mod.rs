//! Callers at work: for a time, or for a number of requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::histogram::Histogram;
use crate::peers::Peer;

/// When the callers stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After this time, each with the request it is at.
    Passed(Duration),
    /// After this many requests in all.
    Made(u64),
}

/// Lets every caller make requests, and gives them back with the number made.
pub(crate) async fn drive<P: Peer>(
    callers: Vec<P>,
    until: Until,
    histogram: &Arc<Histogram>,
) -> Result<(Vec<P>, u64)> {
    let count = callers.len() as u64;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, caller) in (0..).zip(callers) {
        match until {
            Until::Passed(time) => {
                tasks.spawn(for_a_time(caller, start + time, histogram.clone()));
            }
            Until::Made(total) => {
                // The first callers make one more where it does not divide.
                let share = total / count + u64::from(number < total % count);
                tasks.spawn(for_a_number(caller, share));
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

/// Without a clock, which would be counted with the instructions.
async fn for_a_number<P: Peer>(mut caller: P, count: u64) -> Result<(P, u64)> {
    for _ in 0..count {
        caller.exchange().await?;
    }
    Ok((caller, count))
}
