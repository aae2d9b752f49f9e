//! TurboHTTP's gates: what a request costs, counted where counting is exact and compared with budgets
//! in a file.
//!
//! Allocations and instructions are the same on every machine, so they gate; wall time has only
//! floors that any machine passes, but for aims that a person looks at on a quiet machine. How fast
//! the client is beside its peers is the business of another binary (`cargo xtask peers`).
//!
//! A program that measures installs the [`Meter`](meter::Meter) as its allocator:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: turbohttp_bench::meter::Meter = turbohttp_bench::meter::Meter;
//! # fn main() {}
//! ```

use std::error::Error as StdError;
use std::fmt;

use turbohttp::{Error, ErrorKind};

mod budgets;
mod environment;
mod measure;
pub mod meter;
mod mock;
pub mod plant;
mod report;
mod work;

pub use budgets::Budgets;
pub use environment::Environment;
pub use measure::{Effort, Measurement, run, run_planted};
pub use report::{Gate, Report};
pub use work::Work;

/// Says what failed, and keeps why.
fn because<E: Into<Box<dyn StdError + Send + Sync>>>(
    kind: ErrorKind,
    what: &'static str,
) -> impl FnOnce(E) -> Error {
    move |error| Error::new(kind, what).with_source(error)
}

/// An answer that is not the one to its request.
fn wrong_answer(answer: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Transport, format!("wrong answer: {answer}"))
}

/// The code of the repository's `README.md`, as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
