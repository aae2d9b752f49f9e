//! Entries in memory.

use std::sync::{Arc, Mutex};

use turbohttp_core::sync::lock;

use super::entry::{Entry, Id, Key};
use super::index::Index;
use super::limits::CACHE_ENTRY_OVERHEAD_BYTES;

/// The store in memory. A hit shares the bytes of its body with the caller.
pub(super) struct Memory {
    index: Mutex<Index<Arc<Entry>>>,
}

impl Memory {
    pub(super) fn new(bytes_max: u64) -> Memory {
        Memory {
            index: Mutex::new(Index::new(bytes_max)),
        }
    }

    pub(super) fn of(&self, key: &Key) -> Vec<Arc<Entry>> {
        let found = lock(&self.index).of(key);
        found.into_iter().map(|(_, entry)| entry).collect()
    }

    pub(super) fn touch(&self, id: &Id) {
        lock(&self.index).touch(id);
    }

    /// Stores `entry` if `is_current` still says so, and returns how many had to go for it.
    pub(super) fn put(&self, entry: Entry, is_current: impl Fn() -> bool) -> Option<usize> {
        let id = entry.head.id();
        let bytes = (entry.head.bytes() + entry.body.len()) as u64 + CACHE_ENTRY_OVERHEAD_BYTES;
        let entry = Arc::new(entry);
        let mut index = lock(&self.index);
        // Under the lock: an invalidation counts first and removes then.
        let evicted = is_current().then(|| index.insert(id, entry, bytes));
        drop(index);
        // Dropped without the lock.
        evicted.map(|evicted| evicted.len())
    }

    pub(super) fn remove(&self, id: &Id) {
        let removed = lock(&self.index).remove(id);
        drop(removed);
    }

    pub(super) fn remove_all(&self, key: &Key) {
        let removed = lock(&self.index).remove_all(key);
        drop(removed);
    }

    pub(super) fn clear(&self) {
        let removed = lock(&self.index).clear();
        drop(removed);
    }

    /// Entries and their bytes.
    pub(super) fn size(&self) -> (usize, u64) {
        let index = lock(&self.index);
        (index.len(), index.bytes())
    }
}
