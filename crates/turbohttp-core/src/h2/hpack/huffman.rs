//! Strings in the Huffman code (RFC 7541 section 5.2 and appendix B), decoded.
//!
//! # Implementation
//!
//! The next bits of the string stand at the top of a word of 64. The first 9 of them are looked up in
//! [`SHORT`], which knows the codes of up to 9 bits: those of every letter and digit. A longer code is
//! found by its length: codes of one length are consecutive numbers, so that the symbol is the distance
//! from the first of them. All tables are computed from the lengths of the codes, at compile time.

use super::HpackError;
use super::huffman_lengths::{BITS_MAX, EOS, LENGTHS};

/// Bits of the first step.
const SHORT_BITS: u32 = 9;

/// A symbol and the bits of its code; 0 bits where the code is longer than [`SHORT_BITS`].
#[derive(Clone, Copy)]
struct Short {
    symbol: u8,
    bits: u8,
}

/// By the first 9 bits.
static SHORT: [Short; 1 << SHORT_BITS] = short_codes();

/// The codes of one length.
#[derive(Clone, Copy)]
struct Long {
    bits: u32,
    /// The first code of this length, and the first beyond it, with zeros behind up to [`BITS_MAX`] bits.
    first: u32,
    end: u32,
    /// The place of the first symbol in [`BY_CODE`].
    place: usize,
}

const LONG_LENGTHS: usize = (BITS_MAX - SHORT_BITS) as usize;

/// By length, from 10 bits on.
static LONG: [Long; LONG_LENGTHS] = long_codes();

/// The symbols in the order of their codes.
static BY_CODE: [u16; LENGTHS.len()] = by_code();

/// Decodes `text` into `out`, which is replaced; `Ok(false)` if it has more than `room` bytes.
///
/// # Errors
///
/// [`HpackError::HuffmanPadding`] and [`HpackError::HuffmanEos`].
pub(super) fn decode(mut text: &[u8], room: usize, out: &mut Vec<u8>) -> Result<bool, HpackError> {
    // The shortest code has 5 bits, so that there is a place for every symbol unless there is no room.
    let places = (text.len() / 5 * 8 + 8).min(room);
    out.clear();
    out.resize(places, 0);
    let mut free = out.iter_mut();
    let mut bits = Bits { word: 0, count: 0 };
    while let Some((next, rest)) = text.split_first_chunk() {
        text = rest;
        bits.append(u32::from_be_bytes(*next), 32);
        while bits.count >= BITS_MAX {
            let (byte, length) = bits.symbol()?;
            bits.skip(length);
            let Some(place) = free.next() else {
                return Ok(false);
            };
            *place = byte;
        }
    }
    for byte in text {
        bits.append(u32::from(*byte), 8);
    }
    // The ones beyond the string make its padding the beginning of EOS, and complete no other symbol.
    bits.word |= u64::MAX >> bits.count;
    while !bits.is_padding() {
        let (byte, length) = match bits.symbol() {
            Err(_) if bits.count < BITS_MAX => return Err(HpackError::HuffmanPadding),
            symbol => symbol?,
        };
        if length > bits.count {
            return Err(HpackError::HuffmanPadding);
        }
        bits.skip(length);
        bits.word |= (1 << length) - 1;
        let Some(place) = free.next() else {
            return Ok(false);
        };
        *place = byte;
    }
    let free = free.len();
    out.truncate(places - free);
    Ok(true)
}

/// Bits of a string that are read and not decoded.
struct Bits {
    /// The next bit is the highest.
    word: u64,
    /// How many of the word are of the string; at most 29 before 32 more are appended.
    count: u32,
}

impl Bits {
    #[inline]
    fn append(&mut self, value: u32, bits: u32) {
        self.word |= u64::from(value) << (64 - bits - self.count);
        self.count += bits;
    }

    #[inline]
    fn skip(&mut self, bits: u32) {
        self.word <<= bits;
        self.count -= bits;
    }

    /// Whether what is left is padding: fewer bits than a byte has, all of them ones, as those behind them are.
    fn is_padding(&self) -> bool {
        self.count < 8 && self.word == u64::MAX
    }

    /// The next byte and the bits of its code.
    #[inline(always)]
    fn symbol(&self) -> Result<(u8, u32), HpackError> {
        let short = SHORT[(self.word >> (64 - SHORT_BITS)) as usize];
        match short.bits {
            0 => long_symbol((self.word >> (64 - BITS_MAX)) as u32),
            bits => Ok((short.symbol, u32::from(bits))),
        }
    }
}

/// The byte whose code is at the start of `next`, which has [`BITS_MAX`] bits.
#[cold]
fn long_symbol(next: u32) -> Result<(u8, u32), HpackError> {
    // The last code is all ones, so every number of 30 bits is below the last end.
    let long = LONG.iter().find(|long| next < long.end);
    let long = long.ok_or(HpackError::HuffmanEos)?;
    let distance = (next - long.first) >> (BITS_MAX - long.bits);
    let symbol = BY_CODE[long.place + distance as usize];
    let byte = u8::try_from(symbol).map_err(|_| HpackError::HuffmanEos)?;
    Ok((byte, long.bits))
}

const fn by_code() -> [u16; LENGTHS.len()] {
    let mut symbols = [0; LENGTHS.len()];
    let (mut place, mut bits) = (0, 1);
    while bits <= BITS_MAX {
        let mut symbol = 0;
        while symbol <= EOS {
            if LENGTHS[symbol as usize] as u32 == bits {
                symbols[place] = symbol;
                place += 1;
            }
            symbol += 1;
        }
        bits += 1;
    }
    symbols
}

/// How many codes have a length of `bits`.
const fn codes_of(bits: u32) -> u32 {
    let (mut count, mut symbol) = (0, 0);
    while symbol < LENGTHS.len() {
        count += (LENGTHS[symbol] as u32 == bits) as u32;
        symbol += 1;
    }
    count
}

const fn short_codes() -> [Short; 1 << SHORT_BITS] {
    let mut table = [Short { symbol: 0, bits: 0 }; 1 << SHORT_BITS];
    let (by_code, mut place, mut at) = (by_code(), 0, 0);
    while LENGTHS[by_code[place] as usize] as u32 <= SHORT_BITS {
        let symbol = by_code[place] as u8;
        let bits = LENGTHS[symbol as usize];
        // A shorter code is that of every number that begins with it.
        let end = at + (1 << (SHORT_BITS - bits as u32));
        while at < end {
            table[at] = Short { symbol, bits };
            at += 1;
        }
        place += 1;
    }
    table
}

const fn long_codes() -> [Long; LONG_LENGTHS] {
    let unset = Long {
        bits: 0,
        first: 0,
        end: 0,
        place: 0,
    };
    let mut table = [unset; LONG_LENGTHS];
    let (mut bits, mut first, mut place) = (1, 0, 0);
    while bits <= BITS_MAX {
        let count = codes_of(bits);
        let end = first + (count << (BITS_MAX - bits));
        if bits > SHORT_BITS {
            table[(bits - SHORT_BITS - 1) as usize] = Long {
                bits,
                first,
                end,
                place,
            };
        }
        place += count as usize;
        first = end;
        bits += 1;
    }
    // No number of 30 bits is without a symbol.
    assert!(first == 1 << BITS_MAX);
    table
}
