//! The scheduler and a reference, given the same random operations.
//!
//! After every operation the states of all calls, the wakes and their order, the counts, the
//! audit, the idle lanes, the reports and the times of waiting are the same on both sides.
//! `TURBOHTTP_MODEL_CASES` sets the number of cases of each test; a case has some 150 operations.
#![cfg(not(any(loom, shuttle)))]
#![allow(
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "wakers write into a log, figures are printed, a failed unwrap is a failed test"
)]

mod coverage;
mod driver;
mod gates;
mod operations;
mod rates;
mod reference;

use std::sync::Mutex;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

use coverage::Coverage;

/// The most operations of one case.
const OPERATIONS_MAX: usize = 320;
/// Cases of each test, unless the environment says otherwise.
const CASES: u32 = 4_000;
/// How often each event must occur in a thousand cases.
const FLOOR: u64 = 10;

fn cases() -> u32 {
    let cases = std::env::var("TURBOHTTP_MODEL_CASES");
    cases.map_or(CASES, |cases| {
        cases.parse().expect("TURBOHTTP_MODEL_CASES is a number")
    })
}

fn agree(name: &str, has_ageing: bool, is_exempt: &[&str]) {
    let all = Mutex::new(Coverage::default());
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::with_cases(cases())
    };
    let words = vec(any::<u64>(), 0..OPERATIONS_MAX);
    let outcome = TestRunner::new(config).run(&(any::<u64>(), words), |(seed, words)| {
        let covered = operations::run(seed, &words, has_ageing);
        all.lock().unwrap().add(&covered);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
    let covered = *all.lock().unwrap();
    println!("{name}: {} cases", cases());
    for (what, count) in covered.each() {
        println!("  {what:<20} {count:>10}");
        let floor = FLOOR * u64::from(cases()) / 1_000;
        let is_enough = count > floor || is_exempt.contains(&what);
        assert!(is_enough, "{what} happened {count} times: too seldom");
    }
}

#[test]
fn the_scheduler_agrees_with_the_reference_under_strict_priority() {
    agree("strict priority, with and without a reserve", false, &[]);
}

#[test]
fn the_scheduler_agrees_with_the_reference_under_ageing() {
    agree("ageing", true, &[]);
}
