//! The gates that need no other tool, in one process: allocations counted by an allocator that first
//! proves itself, pooling, throughput, overhead, leaks.
//!
//! One test in one process, as all threads are counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use turbohttp_bench::{Budgets, Effort, meter, run};

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
    assert!(report.holds(), "a gate was missed:\n{report}");
}
