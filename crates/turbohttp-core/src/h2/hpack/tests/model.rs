//! What the RFC says, as plainly as possible: a table that is a vector of pairs, and a code that is a
//! vector of bits.

use super::Field;
use super::super::huffman_lengths::LENGTHS;

/// The dynamic table, the newest entry first.
#[derive(Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Field>,
    pub(super) bytes_max: usize,
}

impl Table {
    pub(super) fn bytes(&self) -> usize {
        let sizes = self.entries.iter().map(|(name, value)| name.len() + value.len() + 32);
        sizes.sum()
    }

    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        while self.bytes() > bytes_max {
            self.entries.pop();
        }
    }

    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        self.entries.insert(0, (name.to_vec(), value.to_vec()));
        self.set_bytes_max(self.bytes_max);
    }
}

/// The bits of each symbol: each code is the one before it plus one, with zeros behind if it is longer.
pub(super) fn codes() -> Vec<(u32, u8)> {
    let mut symbols: Vec<usize> = (0..LENGTHS.len()).collect();
    symbols.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
    let mut codes = vec![(0, 0); LENGTHS.len()];
    let (mut next, mut before) = (0, LENGTHS[symbols[0]]);
    for symbol in symbols {
        let bits = LENGTHS[symbol];
        next <<= bits - before;
        codes[symbol] = (next, bits);
        (next, before) = (next + 1, bits);
    }
    codes
}

/// The bits of these symbols, and as many ones as make the last byte whole.
pub(super) fn huffman(symbols: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let codes = codes();
    let mut bits: Vec<u8> = Vec::new();
    for symbol in symbols {
        let (code, length) = codes[symbol];
        bits.extend((0..length).rev().map(|place| (code >> place & 1) as u8));
    }
    bits.resize(bits.len().next_multiple_of(8), 1);
    let bytes = bits.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit));
    bytes.collect()
}
