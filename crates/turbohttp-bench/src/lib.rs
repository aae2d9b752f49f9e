//! TurboHTTP's gates: what a request costs, counted where counting is exact and compared with budgets
//! in a file.
//!
//! Allocations and instructions are the same on every machine, so they gate; wall time has only
//! floors that any machine passes, but for aims that a person looks at on a quiet machine. How fast the client is beside its peers is the business of another
//! binary (`cargo xtask peers`).
//!
//! A program that measures installs the [`Meter`](meter::Meter) as its allocator:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: turbohttp_bench::meter::Meter = turbohttp_bench::meter::Meter;
//! # fn main() {}
//! ```

mod budgets;
mod environment;
mod measure;
pub mod meter;
mod mock;
pub mod plant;
mod report;
mod run;
mod scenario;
mod work;

pub use budgets::Budgets;
pub use environment::Environment;
pub use measure::Effort;
pub use report::{Gate, Report};
pub use run::{Measurement, run, run_planted};
pub use scenario::Scenario;
pub use work::{Carrier, Work};

/// The code of the repository's `README.md`, as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
