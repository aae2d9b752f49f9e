//! The gates that need no other tool, in one process: allocations counted by an allocator that first
//! proves itself, pooling, throughput, overhead, leaks.
//!
//! One test in one process, as all threads are counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use turbohttp_bench::{Budgets, Effort, Gate, meter, run};

#[global_allocator]
static ALLOCATOR: meter::Meter = meter::Meter;

#[test]
fn requests_in_steady_state_stay_within_their_budgets() {
    assert!(
        meter::proves_itself(),
        "the counting allocator does not count"
    );
    // In a debug build a first look has to do; `cargo xtask gates` looks again, in a release build.
    let effort = match cfg!(debug_assertions) {
        true => Effort::quick(),
        false => Effort::brief(),
    };
    let report = run(&Budgets::built_in().unwrap(), &effort).unwrap();
    println!("{report}");
    // What the clock says holds in `cargo xtask gates`, which runs alone; here others run beside this test.
    let is_timed =
        |id: &str| id.starts_with("requests_per_second") || id.starts_with("overhead_nanoseconds");
    let counts = |gate: &&Gate| !cfg!(debug_assertions) || !is_timed(&gate.id);
    let missed: Vec<_> = report.missed().filter(counts).collect();
    assert!(missed.is_empty(), "a gate was missed:\n{report}");
}
