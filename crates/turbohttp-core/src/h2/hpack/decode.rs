//! Field blocks, decoded (RFC 7541 sections 3 and 6).

use std::fmt;

use super::table::{Name, Table};
use super::{HpackError, huffman, integer};

/// The first bit of an indexed field (section 6.1).
const INDEXED: u8 = 0x80;
/// The bit that begins a literal field which is inserted (section 6.2.1).
const INSERTED: u8 = 0x40;
/// The bit that begins a size update (section 6.3).
const SIZE_UPDATE: u8 = 0x20;
/// The first bit of a Huffman-coded string (section 5.2).
const HUFFMAN: u8 = 0x80;

/// The decoder of one connection.
///
/// It allocates while its table and its texts grow, and then no more: the table takes memory of at most seven
/// times its size, a Huffman-coded name or value as much as a block may have.
///
/// ```
/// use turbohttp_core::h2::hpack::{Decoder, HpackError};
///
/// let mut decoder = Decoder::new(4_096);
/// let mut fields = Vec::new();
/// // The field 8 of the static table, and `server: x`, which becomes the first entry of the other.
/// decoder.decode(b"\x88\x76\x01x", 16_384, |name, value| {
///     fields.push((name.to_vec(), value.to_vec()));
/// })?;
/// decoder.decode(b"\xbe", 16_384, |name, value| {
///     assert_eq!((name, value), (&b"server"[..], &b"x"[..]));
/// })?;
/// assert_eq!(fields[0], (b":status".to_vec(), b"200".to_vec()));
/// let error = decoder.decode(b"\xbf", 16_384, |_, _| {}).unwrap_err();
/// assert_eq!(error, HpackError::Index { index: 63, last: 62 });
/// # Ok::<(), HpackError>(())
/// ```
pub struct Decoder {
    pub(super) table: Table,
    /// What a size update may ask for.
    table_bytes_max: usize,
    /// A Huffman-coded name, and value, of the field at hand.
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Decoder {
    /// A decoder whose table has at most `table_bytes_max` bytes, as RFC 7541 section 4.1 counts them: the
    /// SETTINGS_HEADER_TABLE_SIZE of this side, 4,096 if it sends none.
    pub fn new(table_bytes_max: usize) -> Decoder {
        Decoder {
            table: Table::new(table_bytes_max),
            table_bytes_max,
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Decodes one whole field block: calls `field` with each name and value, in the order of the block.
    /// `decoded_bytes_max` bounds the sum of names and values, in bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with the block. Fields before the mistake have been given to `field`. The decoder is of
    /// no use then, and the connection is to end.
    pub fn decode(
        &mut self,
        block: &[u8],
        decoded_bytes_max: usize,
        mut field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), HpackError> {
        let mut input = block;
        while input.first().is_some_and(is_size_update) {
            self.take_size_update(&mut input)?;
        }
        let mut room = Room::new(decoded_bytes_max);
        while let Some(first) = input.first() {
            // One call of `field` for all kinds: it is worth being a part of this loop.
            let (name, value, inserted) = if first & INDEXED != 0 {
                let index = integer::take(&mut input, 7)?;
                let (name, value) = lookup(&self.table, index)?;
                room.take(name.len() + value.len())?;
                (name, value, None)
            } else if is_size_update(first) {
                return Err(HpackError::SizeUpdatePlace);
            } else {
                let is_inserted = first & INSERTED != 0;
                let place = (&mut self.name, &mut self.value);
                let (name, value) =
                    take_literal(is_inserted, &mut input, &mut room, &self.table, place)?;
                let text = match name {
                    Name::Bytes(text) => text,
                    Name::Indexed(index) => lookup(&self.table, index)?.0,
                };
                (text, value, is_inserted.then_some((name, value)))
            };
            field(name, value);
            if let Some((name, value)) = inserted {
                self.table.insert(name, value);
            }
        }
        Ok(())
    }

    /// Takes a new size of the table (section 6.3).
    #[cold]
    fn take_size_update(&mut self, input: &mut &[u8]) -> Result<(), HpackError> {
        let (bytes, max) = (integer::take(input, 5)?, self.table_bytes_max);
        if bytes > max {
            return Err(HpackError::SizeUpdate { bytes, max });
        }
        self.table.set_bytes_max(bytes);
        Ok(())
    }
}

/// Shows sizes alone: names and values may be secrets.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("table", &self.table)
            .field("table_bytes_max", &self.table_bytes_max)
            .finish_non_exhaustive()
    }
}

/// What a block may still give to the caller.
struct Room {
    /// In the beginning, in bytes.
    max: usize,
    /// Now.
    bytes: usize,
}

impl Room {
    fn new(max: usize) -> Room {
        Room { max, bytes: max }
    }

    #[inline]
    fn take(&mut self, bytes: usize) -> Result<(), HpackError> {
        let too_large = HpackError::TooLarge { max: self.max };
        self.bytes = self.bytes.checked_sub(bytes).ok_or(too_large)?;
        Ok(())
    }
}

fn is_size_update(first: &u8) -> bool {
    first & (INDEXED | INSERTED | SIZE_UPDATE) == SIZE_UPDATE
}

/// The field of an index (section 2.3.3).
#[inline]
fn lookup(table: &Table, index: usize) -> Result<(&[u8], &[u8]), HpackError> {
    let last = table.last();
    table.get(index).ok_or(HpackError::Index { index, last })
}

/// Takes a field of which the value, at least, is in the block (section 6.2): decoded into `place` if it is
/// Huffman-coded.
#[inline(never)]
fn take_literal<'input: 'text, 'text>(
    is_inserted: bool,
    input: &mut &'input [u8],
    room: &mut Room,
    table: &Table,
    place: (&'text mut Vec<u8>, &'text mut Vec<u8>),
) -> Result<(Name<'text>, &'text [u8]), HpackError> {
    let (name_place, value_place) = place;
    let index = integer::take(input, if is_inserted { 6 } else { 4 })?;
    let name = match index {
        0 => Name::Bytes(take_string(input, room, name_place)?),
        _ => Name::Indexed(index),
    };
    let name_bytes = match name {
        Name::Bytes(text) => text.len(),
        Name::Indexed(index) => lookup(table, index)?.0.len(),
    };
    room.take(name_bytes)?;
    let value = take_string(input, room, value_place)?;
    room.take(value.len())?;
    Ok((name, value))
}

/// Takes a string (section 5.2), and decodes it into `decoded` if it is Huffman-coded.
fn take_string<'input: 'text, 'text>(
    input: &mut &'input [u8],
    room: &Room,
    decoded: &'text mut Vec<u8>,
) -> Result<&'text [u8], HpackError> {
    let is_huffman = input.first().is_some_and(|first| first & HUFFMAN != 0);
    let length = integer::take(input, 7)?;
    let (text, rest) = input
        .split_at_checked(length)
        .ok_or(HpackError::Truncated)?;
    *input = rest;
    if !is_huffman {
        return Ok(text);
    }
    match huffman::decode(text, room.bytes, decoded)? {
        true => Ok(decoded),
        false => Err(HpackError::TooLarge { max: room.max }),
    }
}
