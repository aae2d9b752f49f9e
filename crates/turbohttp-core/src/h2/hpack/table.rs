//! The two tables in one space of indices (RFC 7541 sections 2.3 and 4): the static one, and behind it the
//! dynamic one, whose entries are kept within a size, the newest first.
//!
//! # Implementation
//!
//! Text and entries are appended to two vectors, and evicted by moving `first` on. When either vector has
//! reached twice of what a full table needs, what is alive is moved to its front. So an insertion costs a
//! copy of its text and, on average, at most one more; and once the vectors have grown nothing allocates.

use std::fmt;

use super::compare::is_equal;
use super::static_table::{self, Found};

/// What the size of a table counts for an entry besides its text, in bytes (RFC 7541 section 4.1).
pub(super) const ENTRY_OVERHEAD_BYTES: usize = 32;

/// The name of a field that is inserted.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    /// The name of the field at this index.
    Indexed(usize),
    /// These bytes.
    Bytes(&'a [u8]),
}

/// The fields that have an index. Indices begin at 1, and in the dynamic table with the newest entry.
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

    /// The highest index that names a field.
    pub(super) fn last(&self) -> usize {
        static_table::LAST + self.entries.len() - self.first
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

    /// The name and the value at an index.
    #[inline(always)]
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let Some(entry) = self.entry(index) else {
            return static_table::get(index);
        };
        Some(self.field(entry))
    }

    /// The entry of the dynamic table that has this index.
    #[inline]
    fn entry(&self, index: usize) -> Option<Entry> {
        let from_end = index.checked_sub(static_table::LAST)?;
        let alive = &self.entries[self.first..];
        // None for the last index of the static table, which is behind the newest entry, and for one that
        // wraps.
        alive.get(alive.len().wrapping_sub(from_end)).copied()
    }

    #[inline]
    fn field(&self, entry: Entry) -> (&[u8], &[u8]) {
        self.text[entry.start..][..entry.text_bytes()].split_at(entry.name_bytes)
    }

    /// Whether a field has this index.
    #[inline(always)]
    pub(super) fn is_at(&self, index: usize, name: &[u8], value: &[u8]) -> bool {
        let field = self.get(index);
        field.is_some_and(|(own_name, own_value)| {
            is_equal(own_name, name) && is_equal(own_value, value)
        })
    }

    /// Finds a field, or its name, the static table first.
    pub(super) fn find(&self, name: &[u8], value: &[u8]) -> Found {
        let found = static_table::find(name, value);
        if let Found::Field(_) = found {
            return found;
        }
        let entries = self.entries[self.first..].iter().rev();
        let mut found_name = found;
        for (index, entry) in (static_table::LAST + 1..).zip(entries) {
            // Lengths first: most entries are passed over without a look at their text.
            let may_be_field = entry.value_bytes == value.len();
            let is_sought = may_be_field || found_name == Found::Nothing;
            if entry.name_bytes != name.len() || !is_sought {
                continue;
            }
            let (own_name, own_value) = self.field(*entry);
            if !is_equal(own_name, name) {
                continue;
            }
            if is_equal(own_value, value) {
                return Found::Field(index);
            }
            if found_name == Found::Nothing {
                found_name = Found::Name(index);
            }
        }
        found_name
    }

    /// Whether this field would be an entry, even if the only one.
    pub(super) fn can_hold(&self, name: &[u8], value: &[u8]) -> bool {
        ENTRY_OVERHEAD_BYTES + name.len() + value.len() <= self.bytes_max
    }

    /// Inserts a field as the newest entry and evicts what no longer fits; a field larger than the table
    /// empties it (section 4.4). An index that names nothing is an empty name.
    pub(super) fn insert(&mut self, name: Name<'_>, value: &[u8]) {
        let name_bytes = match name {
            Name::Indexed(index) => self.get(index).map_or(0, |(name, _)| name.len()),
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
            Name::Bytes(name) => self.text.extend_from_slice(name),
            Name::Indexed(index) => match self.entry(index) {
                Some(from) => self
                    .text
                    .extend_from_within(from.start..from.start + name_bytes),
                None => {
                    let name = static_table::get(index).map_or(&b""[..], |(name, _)| name);
                    self.text.extend_from_slice(name);
                }
            },
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

    /// What the vectors have allocated, in bytes of text and in entries.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> (usize, usize) {
        (self.text.capacity(), self.entries.capacity())
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
            .field("last", &self.last())
            .field("bytes", &self.bytes())
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}
