//! What a request allocates: counted by an allocator that first proves itself (S54, S56, S63, S64).
//!
//! One test in one process, as all threads are counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use turbohttp_bench::{Budgets, Report, meter, run};

#[global_allocator]
static ALLOCATOR: meter::Meter = meter::Meter;

fn measure() -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(run(&Budgets::built_in().unwrap()))
        .unwrap()
}

#[test]
fn requests_in_steady_state_stay_within_their_budgets() {
    assert!(
        meter::proves_itself(),
        "the counting allocator does not count"
    );
    let report = measure();
    println!("{report}");
    assert!(report.holds(), "a gate was missed:\n{report}");
}
