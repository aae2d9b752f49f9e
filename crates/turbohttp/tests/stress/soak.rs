//! The storm of [`sockets`](crate::sockets) for minutes: `cargo xtask soak`.
//!
//! # Implementation
//!
//! The time is cut into blocks; between two of them no request is under route, so that what is left then is what
//! the client keeps. The first block warms up; memory must not rise from its end to that of the last
//! one, as it does with a leak of a few bytes per request. It is what the system says is resident,
//! which is coarse; bytes are counted exactly by the gates. At the end every descriptor is closed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::field::Field;
use crate::process::{descriptors, resident_kilobytes};
use crate::sockets::{settle, storm};

/// Says for how long; the default is short enough to try it.
const SECONDS: &str = "TURBOHTTP_SOAK_SECONDS";

/// Blocks of equal time, the first of which warms up.
const BLOCKS: u64 = 7;

/// How much more may be resident after the last block than after the first: what an allocator keeps
/// in hand, less than a hundred bytes for each of a hundred thousand requests.
const GROWTH_KILOBYTES_MAX: u64 = 8 * 1024;

/// What is there between two blocks.
struct Rest {
    asked: u64,
    kilobytes: Option<u64>,
    descriptors: Option<usize>,
    idle: u64,
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rest {
            asked,
            kilobytes,
            descriptors,
            idle,
        } = self;
        write!(
            f,
            "{asked} asked, {kilobytes:?} KiB, {descriptors:?} descriptors, {idle} idle"
        )
    }
}

impl Rest {
    fn of(field: &Field) -> Rest {
        let audit = field.client.audit();
        assert!(audit.is_idle(), "{audit:?}");
        Rest {
            asked: field.asked(),
            kilobytes: resident_kilobytes(),
            descriptors: descriptors(),
            idle: field.client.stats().net.unwrap().idle,
        }
    }
}

#[test]
#[ignore = "takes minutes: cargo xtask soak"]
fn soak() {
    let seconds = std::env::var(SECONDS).map_or(21, |seconds| seconds.parse().unwrap());
    let block = Duration::from_millis(seconds * 1_000 / BLOCKS);
    // The first runtime of a process leaves descriptors of its own behind.
    drop(runtime());
    let before = descriptors();
    let runtime = runtime();
    let rests = runtime.block_on(async {
        let field = Arc::new(Field::new());
        let mut rests = Vec::new();
        for number in 0..BLOCKS {
            let end = Instant::now() + block;
            storm(&field, number, move |_| Instant::now() >= end).await;
            let rest = Rest::of(&field);
            println!("block {number}: {rest}");
            rests.push(rest);
        }
        settle(&field, 0).await;
        for ((ask, end), count) in field.ends() {
            println!(
                "{:<12} {:<12} {count:>10}",
                format!("{ask:?}"),
                format!("{end:?}")
            );
        }
        println!("{:?}", field.client.stats());
        rests
    });
    drop(runtime);
    assert_eq!(descriptors(), before, "descriptors");
    does_not_grow(&rests);
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// The memory at the end against that after the first block.
fn does_not_grow(rests: &[Rest]) {
    let kilobytes: Vec<u64> = rests.iter().filter_map(|rest| rest.kilobytes).collect();
    let (Some(first), Some(last)) = (kilobytes.first(), kilobytes.last()) else {
        println!("SKIPPED: the system does not tell what is resident");
        return;
    };
    let asked = rests[rests.len() - 1].asked - rests[0].asked;
    let growth = last.saturating_sub(*first);
    println!("{asked} requests after the first block, {growth} KiB more resident");
    assert!(growth <= GROWTH_KILOBYTES_MAX, "{kilobytes:?}");
}
