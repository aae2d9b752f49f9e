//! The dynamic table (RFC 7541 section 2.3.2 and 4): entries, the newest first, within a size.
//!
//! # Implementation
//!
//! Text and entries are appended to two vectors, and evicted by moving `first` on. When either vector has
//! reached twice of what a full table needs, what is alive is moved to its front. So an insertion costs a
//! copy of its text and, on average, at most one more; and once the vectors have grown nothing allocates.

use std::fmt;

/// What the size of a table counts for an entry besides its text, in bytes (RFC 7541 section 4.1).
pub(super) const ENTRY_OVERHEAD_BYTES: usize = 32;

/// The name of an entry that is inserted.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    /// The name of the entry at this position.
    Of(usize),
    /// These bytes.
    Bytes(&'a [u8]),
}

/// Names and values. Positions count from the newest entry, which is at 0.
pub(super) struct Table {
    /// Name and value of each entry. Invariant: at most twice the largest `bytes_max` so far.
    text: Vec<u8>,
    /// Those before `first` are evicted. Invariant: their text lies in this order.
    entries: Vec<Entry>,
    first: usize,
    /// The size of all entries. Invariant: at most `bytes_max`.
    bytes: usize,
    bytes_max: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Where the name begins; the value follows it.
    start: usize,
    name_bytes: usize,
    value_bytes: usize,
}

impl Entry {
    fn text_bytes(self) -> usize {
        self.name_bytes + self.value_bytes
    }
}

impl Table {
    pub(super) fn new(bytes_max: usize) -> Table {
        Table {
            text: Vec::new(),
            entries: Vec::new(),
            first: 0,
            bytes: 0,
            bytes_max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.first
    }

    /// The size of all entries (section 4.1).
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Changes the size, and evicts what no longer fits (section 4.3).
    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.evict_to(bytes_max);
    }

    /// The name and the value at a position.
    #[inline]
    pub(super) fn get(&self, position: usize) -> Option<(&[u8], &[u8])> {
        if position >= self.len() {
            return None;
        }
        let entry = self.entries[self.entries.len() - 1 - position];
        let text = &self.text[entry.start..][..entry.text_bytes()];
        Some(text.split_at(entry.name_bytes))
    }

    /// The position of an entry that is this field.
    #[inline]
    pub(super) fn find(&self, name: &[u8], value: &[u8]) -> Option<usize> {
        let entries = self.entries[self.first..].iter().rev();
        let mut at = entries.map(|entry| {
            entry.name_bytes == name.len()
                && entry.value_bytes == value.len()
                && self.text[entry.start..].starts_with(name)
                && self.text[entry.start + name.len()..].starts_with(value)
        });
        at.position(|is_equal| is_equal)
    }

    /// The position of the newest entry with this name.
    pub(super) fn find_name(&self, name: &[u8]) -> Option<usize> {
        let mut entries = self.entries[self.first..].iter().rev();
        entries.position(|entry| {
            entry.name_bytes == name.len() && self.text[entry.start..].starts_with(name)
        })
    }

    /// Whether this field would be an entry, even if the only one.
    pub(super) fn can_hold(&self, name: &[u8], value: &[u8]) -> bool {
        ENTRY_OVERHEAD_BYTES + name.len() + value.len() <= self.bytes_max
    }

    /// Inserts a field at position 0 and evicts what no longer fits; a field larger than the table empties
    /// it (section 4.4). The position of a name must be that of an entry.
    pub(super) fn insert(&mut self, name: Name<'_>, value: &[u8]) {
        let name_bytes = match name {
            Name::Of(position) => self.get(position).map_or(0, |(name, _)| name.len()),
            Name::Bytes(name) => name.len(),
        };
        let bytes = ENTRY_OVERHEAD_BYTES + name_bytes + value.len();
        if bytes > self.bytes_max {
            self.evict_to(0);
            return;
        }
        self.make_room(name_bytes + value.len());
        let start = self.text.len();
        // The text is copied before anything is evicted: the name may be that of the oldest entry.
        match name {
            Name::Of(position) => {
                let from = self.entries[self.entries.len() - 1 - position].start;
                self.text.extend_from_within(from..from + name_bytes);
            }
            Name::Bytes(name) => self.text.extend_from_slice(name),
        }
        self.text.extend_from_slice(value);
        self.evict_to(self.bytes_max - bytes);
        self.entries.push(Entry {
            start,
            name_bytes,
            value_bytes: value.len(),
        });
        self.bytes += bytes;
    }

    /// Evicts the oldest entries until the size is at most `bytes`.
    fn evict_to(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let entry = self.entries[self.first];
            self.bytes -= ENTRY_OVERHEAD_BYTES + entry.text_bytes();
            self.first += 1;
        }
    }

    /// Moves what is alive to the front, if the vectors would become too long.
    fn make_room(&mut self, text_bytes: usize) {
        let is_text_full = self.text.len() + text_bytes > 2 * self.bytes_max;
        if is_text_full || self.entries.len() >= 2 * (self.bytes_max / ENTRY_OVERHEAD_BYTES) {
            self.compact();
        }
    }

    #[cold]
    fn compact(&mut self) {
        let alive = self.entries.get(self.first);
        let from = alive.map_or(self.text.len(), |entry| entry.start);
        self.text.drain(..from);
        self.entries.drain(..self.first);
        self.first = 0;
        for entry in &mut self.entries {
            entry.start -= from;
        }
    }
}

/// Shows sizes alone: names and values may be secrets.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("entries", &self.len())
            .field("bytes", &self.bytes())
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}
