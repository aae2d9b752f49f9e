//! HTTP/2 beside reqwest and beside the `h2` crate by itself, on one connection.
//!
//! The server answers as fast as frames can be written, in a thread of its own. Rounds are interleaved; the
//! result is medians and their ratios.

mod bare;
mod bulk;
mod floods;
mod h2load;
mod pings;
mod rates;
mod sender;
mod slow_readers;

use anyhow::{Result, ensure};
use tokio::runtime::{Builder, Runtime};

use crate::children;
use crate::verdict::Verdict;

/// How a run measures.
pub(crate) struct Plan {
    /// Rounds of every case.
    pub(crate) rounds: u32,
    /// Seconds each round is measured for, where it is not a number of bytes.
    pub(crate) seconds: f64,
    /// Cases whose names contain this; all without.
    pub(crate) only: Option<String>,
}

impl Plan {
    fn has(&self, case: &str) -> bool {
        self.only.as_ref().is_none_or(|only| case.contains(only))
    }
}

/// Measures and prints; says whether each floor was reached.
pub(crate) fn run(plan: &Plan) -> Result<Verdict> {
    ensure!(plan.rounds > 0, "at least one round");
    // A core that halts takes longer to wake than an exchange takes.
    let _spinners = children::spinners()?;
    let mut verdict = Verdict::default();
    // First: what other cases have used and freed would hide how far memory grows.
    slow_readers::measure(plan, &mut verdict)?;
    bulk::measure(plan, &mut verdict)?;
    rates::measure(plan, &mut verdict)?;
    Ok(verdict)
}

/// Floods, and PING at rest.
pub(crate) fn run_floods() -> Result<Verdict> {
    let mut verdict = Verdict::default();
    floods::measure(&mut verdict)?;
    pings::measure(&mut verdict)?;
    Ok(verdict)
}

fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
