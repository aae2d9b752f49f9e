//! A whole run: every measurement in turn, in this process.

use std::thread;
use std::time::Instant;

use turbohttp::{Error, ErrorKind, Result};

use crate::budgets::Budgets;
use crate::measure::{Bench, Effort, allocations, leaks, overhead, pooling, throughput};
use crate::meter;
use crate::plant::Plant;
use crate::report::{Gate, Report};

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
    let measure = || {
        let mut gates = Vec::new();
        for measurement in measurements {
            gates.append(&mut measurement.measure(&bench)?);
        }
        Ok(gates)
    };
    // The caller may be inside a runtime, in which no other may be waited for.
    let gates: Result<Vec<Gate>> = thread::scope(|scope| {
        let ended = scope.spawn(measure).join();
        ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, "a measurement panicked")))
    });
    Ok(Report::new(start.elapsed().as_secs_f64(), gates?))
}
