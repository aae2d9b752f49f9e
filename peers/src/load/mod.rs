//! Callers at work: for a time, or for a number of requests.

mod crowd;
mod tasks;
mod threads;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::histogram::Histogram;

pub(crate) use crowd::{Crowd, Rate, Sender};
pub(crate) use tasks::{Peer, Tasks};
pub(crate) use threads::{BlockingPeer, Threads};

/// A client with its callers, of whatever kind.
pub(crate) trait Load {
    /// Lets every caller make requests until they are over; tells how many were made.
    fn drive(&mut self, until: Until, histogram: &Arc<Histogram>) -> Result<u64>;
}

/// When the callers stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After this time, each with the request it is at.
    Passed(Duration),
    /// After this many requests in all.
    Made(u64),
}

impl Until {
    /// What each of so many callers is to do.
    pub(crate) fn shares(self, callers: usize) -> impl Iterator<Item = Share> {
        let start = Instant::now();
        let callers = callers as u64;
        (0..callers).map(move |number| match self {
            Until::Passed(time) => Share::Until(start + time),
            // The first callers make one more where it does not divide.
            Until::Made(total) => {
                Share::Requests(total / callers + u64::from(number < total % callers))
            }
        })
    }
}

/// What one caller is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Request after request until then.
    Until(Instant),
    /// So many, without a clock, which would be counted with the instructions.
    Requests(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_shared_out_without_a_rest() {
        let shares: Vec<Share> = Until::Made(7).shares(3).collect();
        assert_eq!(shares, [3, 2, 2].map(Share::Requests));
    }
}
