//! An allocator that counts: every allocation of every thread of the process.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static RELEASES: AtomicU64 = AtomicU64::new(0);

/// The system's allocator with counters before it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "named in a static")]
pub struct Meter;

/// What was allocated up to an instant, or between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// Calls that allocated or grew a block.
    pub allocations: u64,
    /// Bytes they asked for.
    pub bytes: u64,
    /// Bytes that were given back.
    pub freed: u64,
    /// Calls that gave a block back, or its old place when it grew.
    pub releases: u64,
}

impl Reading {
    /// The counters now.
    pub fn now() -> Reading {
        Reading {
            allocations: ALLOCATIONS.load(Ordering::Relaxed),
            bytes: BYTES.load(Ordering::Relaxed),
            freed: FREED.load(Ordering::Relaxed),
            releases: RELEASES.load(Ordering::Relaxed),
        }
    }

    /// What happened since `earlier`.
    pub fn since(self, earlier: Reading) -> Reading {
        Reading {
            allocations: self.allocations - earlier.allocations,
            bytes: self.bytes - earlier.bytes,
            freed: self.freed - earlier.freed,
            releases: self.releases - earlier.releases,
        }
    }

    /// Bytes that are allocated and not given back; below zero if more was given back than allocated.
    pub fn live_bytes(self) -> i64 {
        self.bytes.wrapping_sub(self.freed).cast_signed()
    }

    /// Blocks that are allocated and not given back; below zero if more were given back.
    pub fn live_blocks(self) -> i64 {
        self.allocations.wrapping_sub(self.releases).cast_signed()
    }
}

/// Whether the meter is this process's allocator and counts right, shown on a known allocation.
pub fn proves_itself() -> bool {
    let before = Reading::now();
    let block = std::hint::black_box(Vec::<u8>::with_capacity(4_096));
    drop(std::hint::black_box(block));
    let seen = Reading::now().since(before);
    // Other threads may add to the counts, never take away.
    seen.allocations >= 1 && seen.bytes >= 4_096 && seen.freed >= 4_096
}

fn count(size: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(size as u64, Ordering::Relaxed);
}

fn give_back(size: usize) {
    FREED.fetch_add(size as u64, Ordering::Relaxed);
    RELEASES.fetch_add(1, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches atomics
// and neither allocates nor unwinds.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which `System` has too.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        give_back(layout.size());
        // SAFETY: the caller keeps the contract of `realloc`, which is the same.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`, which is the same.
        unsafe { System.dealloc(block, layout) }
    }
}
