//! What all bodies of a client share: so many bytes may wait for their readers in total.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

/// Bytes of response bodies that may wait. Given out in the order in which they are asked for.
#[derive(Debug)]
pub(crate) struct Memory {
    free: Semaphore,
    total: u32,
    /// The most bytes that one body had waiting.
    peak: AtomicU64,
}

impl Memory {
    pub(crate) fn new(total: u32) -> Memory {
        Memory {
            free: Semaphore::new(total as usize),
            total,
            peak: AtomicU64::new(0),
        }
    }

    /// Takes so many bytes, or waits for them.
    pub(crate) async fn take(&self, bytes: u32) -> Lease<'_> {
        let permit = match self.free.try_acquire_many(bytes) {
            Ok(permit) => permit,
            // It is never closed.
            Err(_) => self
                .free
                .acquire_many(bytes)
                .await
                .expect("the semaphore is open"),
        };
        permit.forget();
        Lease {
            memory: self,
            bytes,
        }
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.free.add_permits(bytes);
        }
    }

    pub(crate) fn taken(&self) -> u64 {
        u64::from(self.total) - self.free.available_permits() as u64
    }

    pub(crate) fn note_peak(&self, bytes: usize) {
        self.peak.fetch_max(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Bytes that were taken and lie in no window yet.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    memory: &'a Memory,
    bytes: u32,
}

impl Lease<'_> {
    /// So many of them lie in a window now, which gives them back.
    pub(crate) fn hand_over(&mut self, bytes: usize) {
        self.bytes -= bytes as u32;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes as usize);
    }
}
