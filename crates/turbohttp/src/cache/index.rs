//! Which entries a store has, in the order of their last use, within a bound of bytes.

use std::collections::{BTreeMap, HashMap};

use super::entry::{Id, Key};
use super::limits::{CACHE_ENTRIES_MAX, CACHE_VARIANTS_MAX};

/// Entries by URL, each with a value of the store.
pub(super) struct Index<T> {
    places: HashMap<Key, Vec<Place<T>>>,
    /// What was used last stands last. Invariant: one number for each place.
    order: BTreeMap<u64, Id>,
    next: u64,
    bytes: u64,
    bytes_max: u64,
}

struct Place<T> {
    selection: [u8; 32],
    value: T,
    bytes: u64,
    used: u64,
}

impl<T: Clone> Index<T> {
    pub(super) fn new(bytes_max: u64) -> Index<T> {
        Index {
            places: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            bytes: 0,
            bytes_max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Every entry of a URL.
    pub(super) fn of(&self, key: &Key) -> Vec<(Id, T)> {
        let places = self.places.get(key).into_iter().flatten();
        let named = places.map(|place| (id(key, place), place.value.clone()));
        named.collect()
    }

    /// The entry is used now.
    pub(super) fn touch(&mut self, id: &Id) {
        if let Some(places) = self.places.get_mut(&id.key)
            && let Some(place) = places
                .iter_mut()
                .find(|place| place.selection == id.selection)
        {
            self.order.remove(&place.used);
            place.used = self.next;
            self.order.insert(self.next, *id);
            self.next += 1;
        }
    }

    /// Adds an entry, or replaces the one with its name, and returns those that had to go for it.
    pub(super) fn insert(&mut self, id: Id, value: T, bytes: u64) -> Vec<(Id, T)> {
        // What is replaced is no eviction: a store of files has written over it already.
        _ = self.remove(&id);
        let mut evicted = Vec::new();
        // Variants first: a URL with many of them must not push out all others.
        let places = self.places.entry(id.key).or_default();
        if places.len() >= CACHE_VARIANTS_MAX
            && let Some(oldest) = places.iter().min_by_key(|place| place.used)
        {
            let oldest = self::id(&id.key, oldest);
            evicted.extend(self.remove(&oldest));
        }
        let place = Place {
            selection: id.selection,
            value,
            bytes,
            used: self.next,
        };
        self.places.entry(id.key).or_default().push(place);
        self.order.insert(self.next, id);
        self.next += 1;
        self.bytes += bytes;
        while self.bytes > self.bytes_max || self.order.len() > CACHE_ENTRIES_MAX {
            let Some((_, oldest)) = self.order.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            evicted.extend(self.remove(&oldest));
        }
        evicted
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<(Id, T)> {
        let places = self.places.get_mut(&id.key)?;
        let at = places
            .iter()
            .position(|place| place.selection == id.selection)?;
        let place = places.swap_remove(at);
        if places.is_empty() {
            self.places.remove(&id.key);
        }
        self.order.remove(&place.used);
        self.bytes -= place.bytes;
        Some((*id, place.value))
    }

    /// Removes every entry of a URL.
    pub(super) fn remove_all(&mut self, key: &Key) -> Vec<(Id, T)> {
        let found = self.of(key);
        found.iter().filter_map(|(id, _)| self.remove(id)).collect()
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) -> Vec<(Id, T)> {
        let all: Vec<Id> = self.order.values().copied().collect();
        all.iter().filter_map(|id| self.remove(id)).collect()
    }
}

fn id<T>(key: &Key, place: &Place<T>) -> Id {
    Id {
        key: *key,
        selection: place.selection,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: u8, selection: u8) -> Id {
        Id {
            key: [key; 32],
            selection: [selection; 32],
        }
    }

    fn names(evicted: Vec<(Id, u8)>) -> Vec<u8> {
        evicted.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn the_least_recently_used_entry_goes_first() {
        let mut index = Index::new(30);
        for name in 1..=3 {
            assert!(index.insert(id(name, 0), name, 10).is_empty());
        }
        index.touch(&id(1, 0));
        assert_eq!(names(index.insert(id(4, 0), 4, 10)), [2]);
        assert_eq!(names(index.insert(id(5, 0), 5, 20)), [3, 1]);
        assert_eq!((index.len(), index.bytes()), (2, 30));
    }

    #[test]
    fn an_entry_of_exactly_the_bound_stays_and_one_byte_more_goes() {
        let mut index = Index::new(30);
        assert!(index.insert(id(1, 0), 1, 30).is_empty());
        assert_eq!(names(index.insert(id(2, 0), 2, 31)), [1, 2]);
        assert_eq!((index.len(), index.bytes()), (0, 0));
    }

    #[test]
    fn a_replaced_entry_is_counted_once_and_is_no_eviction() {
        let mut index = Index::new(30);
        for bytes in [10, 30, 20] {
            assert!(index.insert(id(1, 0), 1, bytes).is_empty());
            assert_eq!((index.len(), index.bytes()), (1, bytes));
        }
    }

    #[test]
    fn a_url_has_so_many_variants_and_no_more() {
        let mut index = Index::new(u64::MAX);
        let most = u8::try_from(CACHE_VARIANTS_MAX).unwrap();
        for variant in 0..most {
            assert!(index.insert(id(1, variant), variant, 1).is_empty());
        }
        index.touch(&id(1, 0));
        assert_eq!(names(index.insert(id(1, most), most, 1)), [1]);
        assert_eq!(index.of(&[1; 32]).len(), CACHE_VARIANTS_MAX);
        assert_eq!(index.remove_all(&[1; 32]).len(), CACHE_VARIANTS_MAX);
        assert_eq!((index.len(), index.bytes()), (0, 0));
    }

    #[test]
    fn there_are_so_many_entries_and_no_more() {
        let mut index = Index::new(u64::MAX);
        let id = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            let selection = [0; 32];
            Id { key, selection }
        };
        for number in 0..CACHE_ENTRIES_MAX {
            assert!(index.insert(id(number), (), 1).is_empty());
        }
        assert_eq!(index.insert(id(CACHE_ENTRIES_MAX), (), 1), [(id(0), ())]);
        assert_eq!(index.len(), CACHE_ENTRIES_MAX);
    }

    #[test]
    fn clearing_leaves_nothing() {
        let mut index = Index::new(30);
        index.insert(id(1, 0), 1, 10);
        index.insert(id(1, 1), 2, 10);
        assert_eq!(index.clear().len(), 2);
        assert_eq!((index.len(), index.bytes()), (0, 0));
    }
}
