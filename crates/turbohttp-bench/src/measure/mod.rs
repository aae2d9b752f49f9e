//! The measurements, one file each.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use turbohttp::{Error, ErrorKind, Result};

use crate::budgets::{Budgets, is_max};
use crate::plant::Plant;
use crate::report::Gate;

pub(crate) mod allocations;
pub(crate) mod leaks;
pub(crate) mod overhead;
pub(crate) mod pooling;
pub(crate) mod throughput;

/// How much is measured. Counts are exact with any of them; what depends on time is steadier with more.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Effort {
    /// Requests in each of the ten blocks whose allocations are counted.
    pub allocation_block: u64,
    /// For how long throughput is sustained.
    pub window: Duration,
    /// Blocks that the overhead is taken from, in each round.
    pub overhead_blocks: u64,
    /// Requests in each of them.
    pub overhead_block: u64,
    /// Rounds at most, of which the quietest counts: more are made only while it misses.
    pub overhead_rounds: u64,
    /// Requests in each of the three blocks of the search for leaks.
    pub leak_block: u64,
    /// How long silence is waited for after each of them.
    pub quiet_within: Duration,
    /// Whether the aims are gates that need a quiet machine and a release build.
    pub by_hand: bool,
}

impl Effort {
    /// What `turbohttp bench` does: under a minute.
    pub fn full() -> Effort {
        Effort {
            allocation_block: 1_000,
            window: Duration::from_secs(5),
            overhead_blocks: 1_000,
            overhead_block: 256,
            overhead_rounds: 10,
            leak_block: 10_000,
            quiet_within: Duration::from_secs(30),
            by_hand: true,
        }
    }

    /// The same counts, and shorter looks at the clock: for CI, whose floors any machine passes.
    pub fn brief() -> Effort {
        Effort {
            window: Duration::from_millis(500),
            overhead_blocks: 200,
            overhead_block: 64,
            overhead_rounds: 20,
            by_hand: false,
            ..Effort::full()
        }
    }

    /// What `turbohttp bench --quick` does: a first look, with too few requests to find what happens
    /// seldom.
    pub fn quick() -> Effort {
        Effort {
            allocation_block: 100,
            leak_block: 1_000,
            ..Effort::brief()
        }
    }

    /// As little as shows a planted regression: for tests of the gates.
    pub fn least() -> Effort {
        Effort {
            allocation_block: 10,
            window: Duration::from_millis(50),
            overhead_blocks: 10,
            overhead_block: 64,
            overhead_rounds: 1,
            leak_block: 320,
            ..Effort::brief()
        }
    }
}

/// What the measurements go by.
pub(crate) struct Bench<'a> {
    pub(crate) budgets: &'a Budgets,
    pub(crate) effort: Effort,
    pub(crate) plant: Plant,
}

impl Bench<'_> {
    /// A figure beside the bound that its gate has.
    pub(crate) fn gate(&self, section: &str, gate: &str, measured: f64) -> Result<Gate> {
        let bound = self.bound(section, gate)?;
        let id = format!("{section}.{gate}");
        Ok(Gate::new(id, bound, is_max(section), measured))
    }

    /// A bound by itself, for what is counted by it.
    pub(crate) fn bound(&self, section: &str, gate: &str) -> Result<f64> {
        let bound = self.budgets.bound(section, gate);
        bound.ok_or_else(|| {
            let message = format!("no bound for {section}.{gate}");
            Error::new(ErrorKind::Config, message)
        })
    }
}

/// A runtime of one thread: the caller's.
pub(crate) fn one_thread() -> Result<Runtime> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Error::new(ErrorKind::Runtime, "runtime").with_source(error))
}

/// Waits for tasks, and passes on the first failure.
pub(crate) async fn join(
    tasks: Vec<impl Future<Output = Result<()>> + Send + 'static>,
) -> Result<()> {
    let mut set: tokio::task::JoinSet<Result<()>> = tasks.into_iter().collect();
    while let Some(done) = set.join_next().await {
        done.map_err(|error| Error::new(ErrorKind::Panicked, "a caller").with_source(error))??;
    }
    Ok(())
}
