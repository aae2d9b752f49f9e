//! The jobs that wait, by the tag under which the scheduler knows them.

use crate::limits::QUEUE_KEPT_JOBS_MAX;

/// Places that are used again.
#[derive(Debug)]
pub(super) struct Table<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Table<T> {
    pub(super) fn insert(&mut self, value: T) -> u64 {
        let index = match self.free.pop() {
            Some(index) => {
                self.places[index] = Some(value);
                index
            }
            None => {
                self.places.push(Some(value));
                self.places.len() - 1
            }
        };
        index as u64
    }

    pub(super) fn remove(&mut self, tag: u64) -> Option<T> {
        let index = usize::try_from(tag).ok()?;
        let value = self.places.get_mut(index)?.take()?;
        self.free.push(index);
        if self.free.len() == self.places.len() && self.places.len() > QUEUE_KEPT_JOBS_MAX {
            // A burst is over.
            *self = Table::default();
        }
        Some(value)
    }
}
