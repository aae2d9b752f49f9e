//! TurboHTTP's gates: what a request costs, counted where counting is exact and compared with budgets
//! in a file.
//!
//! Allocations and instructions are the same on every machine, so they gate; wall time has only a
//! floor that any machine passes. How fast the client is beside its peers is the business of another
//! binary (`cargo xtask peers`).
//!
//! A program that measures installs the [`Meter`](meter::Meter) as its allocator:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: turbohttp_bench::meter::Meter = turbohttp_bench::meter::Meter;
//! # fn main() {}
//! ```

pub mod gates;
pub mod meter;
mod scenario;

pub use gates::{Budgets, Gate, Report, run};
pub use scenario::Scenario;
