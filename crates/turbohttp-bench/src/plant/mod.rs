//! Planted regressions: each makes one gate miss, which is how tests know that the gate can.
//!
//! A run measures with none. Nothing here is reachable from a client.

use std::time::{Duration, Instant};

mod outside;

pub use outside::{Outside, outside};

/// What is planted into a measurement in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plant {
    /// Nothing: the measurement as it is.
    #[default]
    None,
    /// So many bytes are allocated, and given back, with every request of the work so named.
    Allocation(&'static str, usize),
    /// Nothing comes back to the pool so named.
    PoolMisses(&'static str),
    /// The handler takes 2.5 ms for every request.
    SlowHandler,
    /// A middleware takes 1.1 ms for every request.
    SlowMiddleware,
    /// A middleware takes 10 ms for every request of every tenth block.
    SlowBlocks,
    /// A middleware takes 10 ms for one request in 32.
    SlowSingles,
    /// So many bytes are lost with every request.
    LeakEach(usize),
    /// So many bytes are lost, once in each block.
    LeakPerBlock(usize),
    /// So many bytes are lost, once in all.
    LeakOnce(usize),
    /// A descriptor is lost in each block.
    LeakDescriptor,
    /// A task that never ends is spawned in each block.
    LeakTask,
    /// A response is lost in each block.
    LeakResponse,
}

/// A slow middleware takes this long: beyond the overhead that the specification allows.
const SLOW_MIDDLEWARE: Duration = Duration::from_micros(1_100);

/// What is slow once in a while takes this long: more than it takes on a busy machine to be let in again,
/// which is in the p99 of what it is compared with.
const SLOW_AT_TIMES: Duration = Duration::from_millis(10);

/// A slow handler takes this long: two workers together complete fewer than a thousand in a second.
pub(crate) const SLOW_HANDLER: Duration = Duration::from_micros(2_500);

/// In how many blocks there is a slow one.
const SLOW_BLOCKS_EVERY: u64 = 10;

/// In how many requests there is a slow one: more than one in a hundred, so that it is in the p99, and
/// so few that a block's mean does not notice.
const SLOW_SINGLES_EVERY: u64 = 32;

/// Keeps the processor busy for so long, as slow code does.
pub(crate) fn be_slow(time: Duration) {
    if time.is_zero() {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "slow by wall time")]
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

impl Plant {
    /// Called with each request of the work so named.
    pub(crate) fn allocate_with(self, work: &str) {
        if let Plant::Allocation(planted, bytes) = self
            && planted == work
        {
            drop(std::hint::black_box(Vec::<u8>::with_capacity(bytes)));
        }
    }

    /// How long a middleware takes with this request of this block.
    pub(crate) fn slowness(self, block: u64, request: u64) -> Duration {
        match self {
            Plant::SlowMiddleware => SLOW_MIDDLEWARE,
            Plant::SlowBlocks if block.is_multiple_of(SLOW_BLOCKS_EVERY) => SLOW_AT_TIMES,
            Plant::SlowSingles if request.is_multiple_of(SLOW_SINGLES_EVERY) => SLOW_AT_TIMES,
            _ => Duration::ZERO,
        }
    }
}

/// Loses so many bytes.
pub(crate) fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(bytes)));
}
