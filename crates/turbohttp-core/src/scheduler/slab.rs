//! Slots of one kind, named by their number.

/// A growing table whose freed slots are used again, the one freed last first.
///
/// What is in a slot stays there when the slot is freed: [`claim`](Slab::claim) hands it out as it
/// is, so that the caller may write only the fields that it reads later. The number of slots is
/// bounded by what the caller lets in.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<T>,
    /// Invariant: each number is less than `slots.len()` and stands here once.
    free: Vec<u32>,
    /// How often a slot was looked at. The tests of scale hold every operation to a bound that does
    /// not grow with the number of slots in use.
    #[cfg(test)]
    pub(super) looks: std::cell::Cell<u64>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            #[cfg(test)]
            looks: std::cell::Cell::default(),
        }
    }
}

impl<T> Slab<T> {
    /// A slot that is free, with what its last user left in it; a new one from `make` if there is
    /// none.
    #[inline]
    pub(super) fn claim(&mut self, make: impl FnOnce() -> T) -> u32 {
        match self.free.pop() {
            Some(slot) => slot,
            None => self.grow(make),
        }
    }

    /// A slot that holds `value`.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let Some(slot) = self.free.pop() else {
            return self.grow(|| value);
        };
        // The former content is dropped here. It holds no waker and no other value of a user.
        self.slots[slot as usize] = value;
        slot
    }

    #[cold]
    fn grow(&mut self, make: impl FnOnce() -> T) -> u32 {
        self.slots.push(make());
        // Calls and lanes are bounded by memory long before 2^32 of them: one takes more than 64
        // bytes.
        (self.slots.len() - 1) as u32
    }

    /// Frees a slot; the caller has marked its content as unused.
    #[inline]
    pub(super) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Gives the memory back if more than `kept` slots exist and none is in use.
    #[inline]
    pub(super) fn shrink_if_unused(&mut self, kept: usize) {
        if self.free.len() == self.slots.len() && self.slots.len() > kept {
            self.shrink();
        }
    }

    #[cold]
    fn shrink(&mut self) {
        self.slots = Vec::new();
        self.free = Vec::new();
    }

    /// Slots in use.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// One past the largest number of a slot, in use or free.
    pub(super) fn end(&self) -> u32 {
        self.slots.len() as u32
    }

    /// What is in a slot, free or not; `None` beyond the last one. Not counted as a look.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)
    }

    /// Every slot with its number, free ones included: the caller knows them by its own mark.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        #[cfg(test)]
        self.looks.set(self.looks.get() + self.slots.len() as u64);
        (0u32..).zip(&self.slots)
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, slot: u32) -> &T {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &self.slots[slot as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut T {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        &mut self.slots[slot as usize]
    }
}
