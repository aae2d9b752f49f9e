//! Fields, encoded into a field block (RFC 7541 section 6).

use std::fmt;

use super::integer;
use super::recent::Recent;
use super::static_table::Found;
use super::table::{Name, Table};

/// The most bytes of the table, whatever the peer permits: what repeats on a connection is little. Also what
/// a peer permits that has said nothing (RFC 9113 section 6.5.2).
const TABLE_BYTES_MAX: usize = 4_096;

/// Whether a field becomes an entry of the table, here and at the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the format has these three")]
pub enum Indexing {
    /// It does: it will be sent again on this connection (RFC 7541 section 6.2.1).
    Insert,
    /// It does not (section 6.2.2). A field that is in a table is sent as its index nevertheless.
    Without,
    /// It does not, neither here nor at any intermediary on the way, and is never sent as an index: it is a
    /// secret that must not be guessed by the size of blocks (sections 6.2.3 and 7.1.3).
    Never,
}

/// The encoder of one connection.
///
/// Strings are sent as they are, without the Huffman code. A field that is in a table costs one or two bytes,
/// so default fields and the authority are inserted. The table takes memory of at most 28 KiB, and allocates
/// only while it grows; what is searched is linear in its entries.
///
/// ```
/// use turbohttp_core::h2::hpack::{Encoder, Indexing};
///
/// let (mut encoder, mut out) = (Encoder::new(), Vec::new());
/// for block in [&b"\x82\x41\x06a.test\x04\x02/1"[..], b"\x82\xbe\x04\x02/1"] {
///     out.clear();
///     encoder.begin(&mut out);
///     encoder.field(b":method", b"GET", Indexing::Without, &mut out);
///     encoder.field(b":authority", b"a.test", Indexing::Insert, &mut out);
///     encoder.field(b":path", b"/1", Indexing::Without, &mut out);
///     assert_eq!(out, block);
/// }
/// ```
pub struct Encoder {
    pub(super) table: Table,
    pub(super) recent: Recent,
    /// Sizes that the next block announces.
    size_updates: Option<SizeUpdates>,
    /// How often the table has changed.
    changes: u64,
}

/// What became of the permitted size since the last block (RFC 7541 section 4.2).
#[derive(Clone, Copy, Debug)]
struct SizeUpdates {
    smallest: usize,
    last: usize,
}

impl Encoder {
    /// An encoder with an empty table of at most 4,096 bytes.
    pub fn new() -> Encoder {
        Encoder {
            table: Table::new(TABLE_BYTES_MAX),
            recent: Recent::new(),
            size_updates: None,
            changes: 0,
        }
    }

    /// Notes the SETTINGS_HEADER_TABLE_SIZE of the peer, in bytes; beyond 4,096 it counts as that. The next
    /// block begins with the size updates that follow from all changes since the one before.
    pub fn set_table_bytes_max(&mut self, bytes: usize) {
        let last = bytes.min(TABLE_BYTES_MAX);
        let smallest = match self.size_updates {
            Some(updates) => updates.smallest.min(last),
            None if last == self.table.bytes_max() => return,
            None => last,
        };
        self.size_updates = Some(SizeUpdates { smallest, last });
    }

    /// Begins a field block behind `out`.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(updates) = self.size_updates.take() {
            self.put_size_updates(updates, out);
        }
    }

    /// How often the table has changed: what was encoded before the last change is of no use after it.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Puts a field behind `out` that no table has whole, with the name of this entry of the static table
    /// (section 6.2.2).
    #[inline]
    pub(crate) fn literal(&self, name_index: u8, value: &[u8], out: &mut Vec<u8>) {
        integer::put(0x00, 4, name_index.into(), out);
        put_string(value, out);
    }

    /// Puts a field behind `out`. `name` is in lower case.
    pub fn field(&mut self, name: &[u8], value: &[u8], indexing: Indexing, out: &mut Vec<u8>) {
        if indexing != Indexing::Never {
            let index = self.recent.index(name, value);
            if self.table.is_at(index, name, value) {
                return integer::put(0x80, 7, index, out);
            }
        }
        self.search(name, value, indexing, out);
    }

    /// Puts a field that was not found where it was last.
    #[inline(never)]
    fn search(&mut self, name: &[u8], value: &[u8], indexing: Indexing, out: &mut Vec<u8>) {
        let name_index = match self.table.find(name, value) {
            Found::Field(index) if indexing != Indexing::Never => {
                self.recent.set(name, value, index);
                return integer::put(0x80, 7, index, out);
            }
            Found::Field(index) | Found::Name(index) => index,
            Found::Nothing => 0,
        };
        // An entry larger than the table would empty it.
        let is_inserted = indexing == Indexing::Insert && self.table.can_hold(name, value);
        match (is_inserted, indexing) {
            (true, _) => integer::put(0x40, 6, name_index, out),
            (false, Indexing::Never) => integer::put(0x10, 4, name_index, out),
            (false, _) => integer::put(0x00, 4, name_index, out),
        }
        if name_index == 0 {
            put_string(name, out);
        }
        put_string(value, out);
        if is_inserted {
            self.changes += 1;
            self.table.insert(Name::Bytes(name), value);
            self.recent.shift();
        }
    }

    #[cold]
    fn put_size_updates(&mut self, updates: SizeUpdates, out: &mut Vec<u8>) {
        let SizeUpdates { smallest, last } = updates;
        if smallest < last {
            self.put_size_update(smallest, out);
        }
        self.put_size_update(last, out);
    }

    fn put_size_update(&mut self, bytes: usize, out: &mut Vec<u8>) {
        integer::put(0x20, 5, bytes, out);
        self.changes += 1;
        self.table.set_bytes_max(bytes);
    }
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

/// Shows sizes alone: names and values may be secrets.
impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("table", &self.table)
            .field("size_updates", &self.size_updates)
            .finish_non_exhaustive()
    }
}

fn put_string(text: &[u8], out: &mut Vec<u8>) {
    integer::put(0x00, 7, text.len(), out);
    out.extend_from_slice(text);
}
