//! Every gate can miss: for each there is a planted regression that makes it miss, and no gate that
//! has nothing to do with it. A gate without its proof is a failure.
//!
//! One test in one process, as all threads are counted. Gates on instructions and system calls are
//! proven where they are measured, by `cargo xtask gates --prove`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use turbohttp_bench::plant::Plant;
use turbohttp_bench::{Budgets, Effort, Measurement, meter, run_planted};

#[global_allocator]
static ALLOCATOR: meter::Meter = meter::Meter;

/// Sections whose gates `cargo xtask gates` measures and proves.
const OUTSIDE: [&str; 3] = [
    "instructions_max.",
    "system_calls_max.",
    "system_calls_http2_max.",
];

/// Bounds that another gate is counted by: `leaks_max.rising_blocks`. One leak passes that of bytes alone,
/// and another that of blocks alone.
const COUNTED_BY: &str = "leaks_rise_max.";

/// What is planted, and the gates that miss because of it. They are more than one where one thing
/// cannot be without the other: bytes are not allocated without an allocation.
struct Proof {
    measurement: Measurement,
    plant: Plant,
    missed: &'static [&'static str],
}

const fn proof(measurement: Measurement, plant: Plant, missed: &'static [&'static str]) -> Proof {
    Proof {
        measurement,
        plant,
        missed,
    }
}

/// The bytes of an allocation that no gate on bytes notices.
const FEW: usize = 16;

/// What each block loses, so far above what counts as a rise that the buffers which come and go by
/// chance do not hide it.
const SLOPE: usize = 40 * 1024;

/// How often a proof is tried: clocks and buffers have their chance, and a gate that can miss because of
/// what is planted has shown it once it does.
const TRIES: usize = 5;

macro_rules! allocation {
    ($scenario:literal) => {
        proof(
            Measurement::Allocations,
            Plant::Allocation($scenario, FEW),
            &[concat!("allocations_max.", $scenario)],
        )
    };
}

macro_rules! pool {
    ($pool:literal) => {
        proof(
            Measurement::Pooling,
            Plant::PoolMisses($pool),
            &[concat!("pooling_saves_min.", $pool)],
        )
    };
}

const PROOFS: [Proof; 36] = [
    allocation!("get"),
    allocation!("empty"),
    allocation!("get_1k"),
    allocation!("get_64k"),
    allocation!("post"),
    allocation!("post_64k"),
    allocation!("chunked"),
    allocation!("bytes"),
    allocation!("bytes_1k"),
    allocation!("bytes_64k"),
    allocation!("layered"),
    allocation!("queue"),
    allocation!("queue_streamed"),
    allocation!("h2_get"),
    allocation!("h2_empty"),
    allocation!("h2_get_64k"),
    allocation!("h2_post"),
    allocation!("h2_bytes"),
    allocation!("h2_trailers"),
    allocation!("h2_cancelled"),
    proof(
        Measurement::Allocations,
        Plant::Allocation("get", 1_100),
        &["allocations_max.get", "bytes_allocated_max.stretch"],
    ),
    proof(
        Measurement::Allocations,
        Plant::Allocation("get", 10_240),
        &[
            "allocations_max.get",
            "bytes_allocated_max.primary",
            "bytes_allocated_max.stretch",
        ],
    ),
    pool!("client"),
    pool!("objects"),
    pool!("buffers"),
    proof(
        Measurement::Throughput,
        Plant::SlowHandler,
        &[
            "by_hand_requests_per_second_min.one_core",
            "requests_per_second_min.one_core",
            "requests_per_second_min.queue",
            "requests_per_second_min.two_workers",
        ],
    ),
    proof(
        Measurement::Overhead,
        Plant::SlowMiddleware,
        &[
            "by_hand_overhead_nanoseconds_max.alone_p50",
            "by_hand_overhead_nanoseconds_max.alone_p99",
            "by_hand_overhead_nanoseconds_max.crowd_p50",
            "by_hand_overhead_nanoseconds_max.crowd_p99",
            "overhead_nanoseconds_max.alone_p50",
            "overhead_nanoseconds_max.alone_p99",
            "overhead_nanoseconds_max.alone_single_p99",
            "overhead_nanoseconds_max.crowd_p50",
            "overhead_nanoseconds_max.crowd_p99",
            "overhead_nanoseconds_max.crowd_single_p99",
        ],
    ),
    proof(
        Measurement::Overhead,
        Plant::SlowBlocks,
        &[
            "overhead_nanoseconds_max.alone_p99",
            "overhead_nanoseconds_max.alone_single_p99",
            "overhead_nanoseconds_max.crowd_p99",
            "overhead_nanoseconds_max.crowd_single_p99",
        ],
    ),
    proof(
        Measurement::Overhead,
        Plant::SlowSingles,
        &[
            "overhead_nanoseconds_max.alone_single_p99",
            "overhead_nanoseconds_max.crowd_single_p99",
        ],
    ),
    // The leak that the specification names: 100 bytes per request.
    proof(
        Measurement::Leaks,
        Plant::LeakEach(100),
        &[
            "leaks_max.live_blocks",
            "leaks_max.live_bytes",
            "leaks_max.rising_blocks",
        ],
    ),
    proof(
        Measurement::Leaks,
        Plant::LeakEach(1),
        &["leaks_max.live_blocks", "leaks_max.rising_blocks"],
    ),
    proof(
        Measurement::Leaks,
        Plant::LeakOnce(100 * 1024),
        &["leaks_max.live_bytes"],
    ),
    proof(
        Measurement::Leaks,
        Plant::LeakPerBlock(SLOPE),
        &["leaks_max.live_bytes", "leaks_max.rising_blocks"],
    ),
    proof(
        Measurement::Leaks,
        Plant::LeakDescriptor,
        &["leaks_max.descriptors"],
    ),
    proof(Measurement::Leaks, Plant::LeakTask, &["leaks_max.tasks"]),
    proof(
        Measurement::Leaks,
        Plant::LeakResponse,
        &["leaks_max.unquiet_audits"],
    ),
];

/// The gates that miss with this planted.
fn missed(measurement: Measurement, plant: Plant) -> BTreeSet<String> {
    missed_beside(&Budgets::built_in().unwrap(), measurement, plant)
}

fn missed_beside(budgets: &Budgets, measurement: Measurement, plant: Plant) -> BTreeSet<String> {
    let mut effort = Effort::least();
    // Aims that a machine for tests need not reach: whether they miss says nothing, unless planted.
    effort.by_hand = matches!(plant, Plant::SlowHandler | Plant::SlowMiddleware);
    if plant == Plant::LeakEach(100) {
        effort.leak_block = Effort::full().leak_block;
    }
    if plant == Plant::LeakResponse {
        // Silence will not come.
        effort.quiet_within = Duration::from_millis(100);
    }
    if plant == Plant::None {
        effort.overhead_rounds = Effort::brief().overhead_rounds;
    }
    let report = run_planted(&[measurement], budgets, &effort, plant).unwrap();
    report.missed().map(|gate| gate.id.clone()).collect()
}

/// Sees that exactly the expected gates miss.
fn misses(measurement: Measurement, plant: Plant, expected: &BTreeSet<String>) {
    let mut tries = (0..TRIES).map(|_| missed(measurement, plant));
    let is_proven = tries.any(|found| found == *expected);
    assert!(
        is_proven,
        "{measurement:?}, {plant:?}: not once did exactly {expected:?} miss"
    );
}

#[test]
fn every_gate_misses_when_it_should_and_only_then() {
    for measurement in Measurement::ALL {
        misses(measurement, Plant::None, &BTreeSet::new());
    }
    let mut unproven: BTreeSet<String> = Budgets::built_in().unwrap().ids().into_iter().collect();
    unproven.retain(|id| !OUTSIDE.iter().any(|section| id.starts_with(section)));
    unproven.retain(|id| !id.starts_with(COUNTED_BY));
    for Proof {
        measurement,
        plant,
        missed: expected,
    } in PROOFS
    {
        let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
        misses(measurement, plant, &expected);
        unproven.retain(|id| !expected.contains(id));
    }
    assert!(unproven.is_empty(), "gates without a proof: {unproven:?}");
    what_counts_as_a_rise_is_bound_by_the_file();
}

/// Leaks that rise by the built-in bounds, and do not by others.
fn what_counts_as_a_rise_is_bound_by_the_file() {
    for (bound, plant) in [
        ("blocks = 1_000", Plant::LeakEach(1)),
        ("bytes = 100_000", Plant::LeakPerBlock(SLOPE)),
    ] {
        let text = format!("[leaks_rise_max]\n{bound}\n");
        let raised = Budgets::replaced_by(&text, "raised.toml", &Effort::least()).unwrap();
        let missed = missed_beside(&raised, Measurement::Leaks, plant);
        assert!(
            !missed.contains("leaks_max.rising_blocks"),
            "{bound}: {missed:?}"
        );
    }
}
