//! A binary heap from which any entry can be removed.

/// The place or slot of what has none.
pub(super) const NONE: u32 = u32::MAX;

/// The least key first. Equal keys stand in an order that the same sequence of calls always gives.
///
/// Every method that moves an entry reports the new place through `moved(id, place)`; the caller
/// stores it and passes it to [`remove`](Heap::remove). The caller resets the place of an entry
/// that it removes.
#[derive(Debug)]
pub(super) struct Heap<K> {
    entries: Vec<(K, u32)>,
}

impl<K> Default for Heap<K> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<K: Ord + Copy> Heap<K> {
    pub(super) fn first(&self) -> Option<(K, u32)> {
        self.entries.first().copied()
    }

    pub(super) fn key(&self, place: u32) -> K {
        self.entries[place as usize].0
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn push(&mut self, key: K, id: u32, mut moved: impl FnMut(u32, u32)) {
        // `rise` reports the place even where the entry stays at the end.
        self.entries.push((key, id));
        self.rise(self.entries.len() - 1, &mut moved);
    }

    /// Removes the entry at `place` and returns its id.
    pub(super) fn remove(&mut self, place: u32, mut moved: impl FnMut(u32, u32)) -> u32 {
        let place = place as usize;
        let (_, id) = self.entries.swap_remove(place);
        // `swap_remove` has put the last entry here: it may belong above or below.
        if place < self.entries.len() {
            let place = self.rise(place, &mut moved);
            self.sink(place, &mut moved);
        }
        id
    }

    /// Frees the memory of an empty heap with room for more than `kept` entries, which a burst has
    /// left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        if self.entries.is_empty() && self.entries.capacity() > kept {
            self.entries = Vec::new();
        }
    }

    fn rise(&mut self, mut place: usize, moved: &mut impl FnMut(u32, u32)) -> usize {
        let entry = self.entries[place];
        while place > 0 {
            let above = (place - 1) / 2;
            if self.entries[above].0 <= entry.0 {
                break;
            }
            self.put(place, self.entries[above], moved);
            place = above;
        }
        self.put(place, entry, moved);
        place
    }

    fn sink(&mut self, mut place: usize, moved: &mut impl FnMut(u32, u32)) {
        let entry = self.entries[place];
        loop {
            let left = 2 * place + 1;
            let Some(&(left_key, _)) = self.entries.get(left) else {
                break;
            };
            let below = match self.entries.get(left + 1) {
                Some(&(right_key, _)) if right_key < left_key => left + 1,
                _ => left,
            };
            if entry.0 <= self.entries[below].0 {
                break;
            }
            self.put(place, self.entries[below], moved);
            place = below;
        }
        self.put(place, entry, moved);
    }

    fn put(&mut self, place: usize, entry: (K, u32), moved: &mut impl FnMut(u32, u32)) {
        self.entries[place] = entry;
        // The cast is exact: a heap has no more entries than there are slots, whose numbers are
        // `u32`.
        moved(entry.1, place as u32);
    }
}
