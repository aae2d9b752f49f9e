//! What the bodies of a client share: so many bytes may wait for their readers, beyond a first block of each.
//!
//! The first block belongs to each body by itself. So a host that reads one body to its end before the next one
//! gets it, although the others have taken all that is shared.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

/// Bytes of response bodies that may wait. Given out in the order in which they are asked for.
#[derive(Debug)]
pub(crate) struct Memory {
    free: Semaphore,
    /// Bytes that wait, first blocks included.
    waiting: AtomicU64,
    /// The most bytes that one body had waiting.
    peak: AtomicU64,
}

impl Memory {
    /// The most that can be shared, in bytes.
    pub(crate) const MAX: u32 = match Semaphore::MAX_PERMITS < u32::MAX as usize {
        true => Semaphore::MAX_PERMITS as u32,
        false => u32::MAX,
    };

    pub(crate) fn new(total: u32) -> Memory {
        Memory {
            free: Semaphore::new(total as usize),
            waiting: AtomicU64::new(0),
            peak: AtomicU64::new(0),
        }
    }

    /// Takes so many bytes of what is shared, or waits for them. Dropped, it waits no more.
    pub(crate) async fn lease(&self, bytes: u32) -> Lease<'_> {
        let permit = self.free.acquire_many(bytes).await;
        // The semaphore is never closed.
        permit.expect("an open semaphore").forget();
        Lease {
            memory: self,
            bytes: bytes as usize,
        }
    }

    /// The bytes that wait of one body have become more.
    pub(crate) fn more(&self, bytes: usize, waiting: usize) {
        self.waiting.fetch_add(bytes as u64, Ordering::Relaxed);
        self.peak.fetch_max(waiting as u64, Ordering::Relaxed);
    }

    /// They have become fewer, and so many of them were shared.
    pub(crate) fn fewer(&self, bytes: usize, shared: usize) {
        self.waiting.fetch_sub(bytes as u64, Ordering::Relaxed);
        if shared > 0 {
            self.free.add_permits(shared);
        }
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Shared bytes that lie in no window yet.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    memory: &'a Memory,
    bytes: usize,
}

impl Lease<'_> {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many of them lie in a window now, which gives them back.
    pub(crate) fn hand_over(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.memory.free.add_permits(self.bytes);
        }
    }
}
