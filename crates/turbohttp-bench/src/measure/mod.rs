//! The measurements, one file each, and a run of them in this process.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use turbohttp::{Error, ErrorKind, Result};
use turbohttp_loopback::{Options, Server};

use crate::because;
use crate::budgets::{BY_HAND, Budgets};
use crate::meter;
use crate::plant::Plant;
use crate::report::{Gate, Report};

mod allocations;
mod leaks;
mod overhead;
mod pooling;
mod throughput;

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
    /// What `turbohttp selfcheck` does: under a minute.
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

    /// What `turbohttp selfcheck --quick` does: a first look, with too few requests to find what happens
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

/// One kind of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Measurement {
    /// What a request allocates.
    Allocations,
    /// What pooling saves.
    Pooling,
    /// How many requests are completed in a second.
    Throughput,
    /// What the standard stack costs a request.
    Overhead,
    /// What is left behind.
    Leaks,
}

impl Measurement {
    /// All of them.
    pub const ALL: [Measurement; 5] = [
        Measurement::Allocations,
        Measurement::Pooling,
        Measurement::Throughput,
        Measurement::Overhead,
        Measurement::Leaks,
    ];

    fn measure(self, bench: &Bench<'_>) -> Result<Vec<Gate>> {
        match self {
            Measurement::Allocations => allocations::measure(bench),
            Measurement::Pooling => pooling::measure(bench),
            Measurement::Throughput => throughput::measure(bench),
            Measurement::Overhead => overhead::measure(bench),
            Measurement::Leaks => leaks::measure(bench),
        }
    }
}

/// Measures every gate that can be measured in this process: in under a minute, or some seconds, as
/// the effort says.
///
/// The process must have installed the [`Meter`](meter::Meter), and should be quiet otherwise: all
/// threads are counted. The work is done on a thread and runtimes of its own; the caller is blocked.
///
/// # Errors
///
/// [`ErrorKind::Config`] if the meter is not installed; those of the client and the server.
pub fn run(budgets: &Budgets, effort: &Effort) -> Result<Report> {
    run_planted(&Measurement::ALL, budgets, effort, Plant::None)
}

/// The same for some measurements, with a regression planted into them: for tests of the gates.
///
/// # Errors
///
/// As [`run`].
pub fn run_planted(
    measurements: &[Measurement],
    budgets: &Budgets,
    effort: &Effort,
    plant: Plant,
) -> Result<Report> {
    if !meter::proves_itself() {
        let message = "the counting allocator is not installed";
        return Err(Error::new(ErrorKind::Config, message));
    }
    #[expect(clippy::disallowed_methods, reason = "a report says how long it took")]
    let start = Instant::now();
    let bench = Bench {
        budgets,
        effort: *effort,
        plant,
    };
    let gates = measurements.iter().map(|which| which.measure(&bench));
    // The caller may be inside a runtime, in which no other may be waited for.
    let gates: Result<Vec<Vec<Gate>>> = thread::scope(|scope| {
        let ended = scope.spawn(|| gates.collect()).join();
        ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, "a measurement panicked")))
    });
    Ok(Report::new(start.elapsed().as_secs_f64(), gates?.concat()))
}

/// What the measurements go by.
pub(crate) struct Bench<'a> {
    pub(crate) budgets: &'a Budgets,
    pub(crate) effort: Effort,
    pub(crate) plant: Plant,
}

impl Bench<'_> {
    /// A figure beside the bound that its gate has, in the group of figures of this kind.
    pub(crate) fn gate(&self, group: &'static str, id: &str, measured: f64) -> Result<Gate> {
        Ok(Gate::new(group, id, self.bound(id)?, measured))
    }

    /// A gate, and behind it the same figure beside its aim, if it has one that is looked at.
    pub(crate) fn with_aim(&self, gate: Gate) -> Vec<Gate> {
        let id = format!("{BY_HAND}{}", gate.id);
        let mut gates = vec![gate];
        if self.effort.by_hand
            && let Some(bound) = self.budgets.bound(&id)
        {
            let Gate {
                group, measured, ..
            } = gates[0];
            let aim = Gate::new(group, &id, bound, measured);
            gates.push(aim.on("by hand").detailed(gates[0].detail.clone()));
        }
        gates
    }

    /// A bound by itself, for what is counted by it.
    pub(crate) fn bound(&self, id: &str) -> Result<f64> {
        let bound = self.budgets.bound(id);
        bound.ok_or_else(|| Error::new(ErrorKind::Config, format!("no bound for {id}")))
    }
}

/// A runtime of one thread: the caller's.
pub(crate) fn one_thread() -> Result<Runtime> {
    runtime(&mut Builder::new_current_thread())
}

pub(crate) fn runtime(builder: &mut Builder) -> Result<Runtime> {
    let built = builder.enable_all().build();
    built.map_err(because(ErrorKind::Runtime, "runtime"))
}

pub(crate) fn server() -> Result<Server> {
    Server::start(Options::default()).map_err(because(ErrorKind::Io, "loopback server"))
}

/// What so many callers at once tell, or the first failure. One alone needs no task.
pub(crate) async fn crowd<T: Send + 'static, F>(
    callers: u64,
    mut caller: impl FnMut() -> F,
) -> Result<Vec<T>>
where
    F: Future<Output = Result<T>> + Send + 'static,
{
    if callers == 1 {
        return Ok(vec![Box::pin(caller()).await?]);
    }
    let mut set: JoinSet<Result<T>> = (0..callers).map(|_| caller()).collect();
    let mut told = Vec::new();
    while let Some(done) = set.join_next().await {
        told.push(done.map_err(because(ErrorKind::Panicked, "a caller"))??);
    }
    Ok(told)
}
