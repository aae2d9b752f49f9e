//! What the RFC says, as plainly as possible: a table that is a vector of pairs, and a code that is a
//! vector of bits.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::super::huffman_lengths::LENGTHS;
use super::super::static_table;
use super::Field;

/// The dynamic table, the newest entry first.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Field>,
    pub(super) bytes_max: usize,
}

impl Table {
    pub(super) fn bytes(&self) -> usize {
        let sizes = self.entries.iter();
        sizes
            .map(|(name, value)| name.len() + value.len() + 32)
            .sum()
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

    pub(super) fn get(&self, index: usize) -> Option<Field> {
        match index {
            0..62 => static_table::get(index).map(|(name, value)| (name.to_vec(), value.to_vec())),
            _ => self.entries.get(index - 62).cloned(),
        }
    }
}

/// A decoder that says whether a block is sound, but not what is wrong with it.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) table: Table,
    table_bytes_max: usize,
}

impl Decoder {
    pub(super) fn new(table_bytes_max: usize) -> Decoder {
        let table = Table {
            entries: Vec::new(),
            bytes_max: table_bytes_max,
        };
        Decoder {
            table,
            table_bytes_max,
        }
    }

    pub(super) fn decode(&mut self, block: &[u8]) -> Option<Vec<Field>> {
        let (mut at, mut fields) = (0, Vec::new());
        while at < block.len() {
            let first = block[at];
            if first >= 0x80 {
                let index = integer(block, &mut at, 0x7f)?;
                fields.push(self.table.get(index)?);
            } else if first >= 0x40 {
                let (name, value) = self.literal(block, &mut at, 0x3f)?;
                self.table.insert(&name, &value);
                fields.push((name, value));
            } else if first >= 0x20 {
                let bytes = integer(block, &mut at, 0x1f)?;
                if !fields.is_empty() || bytes > self.table_bytes_max {
                    return None;
                }
                self.table.set_bytes_max(bytes);
            } else {
                fields.push(self.literal(block, &mut at, 0x0f)?);
            }
        }
        Some(fields)
    }

    fn literal(&self, block: &[u8], at: &mut usize, prefix: usize) -> Option<Field> {
        let name = match integer(block, at, prefix)? {
            0 => string(block, at)?,
            index => self.table.get(index)?.0,
        };
        Some((name, string(block, at)?))
    }
}

fn integer(block: &[u8], at: &mut usize, prefix: usize) -> Option<usize> {
    let mut next = || {
        *at += 1;
        block.get(*at - 1).map(|byte| *byte as usize)
    };
    let mut value = next()? & prefix;
    if value < prefix {
        return Some(value);
    }
    for factor in [1, 128, 128 * 128, 128 * 128 * 128] {
        let byte = next()?;
        value += byte % 128 * factor;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

fn string(block: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let is_huffman = *block.get(*at)? >= 0x80;
    let length = integer(block, at, 0x7f)?;
    let text = block.get(*at..*at + length)?;
    *at += length;
    match is_huffman {
        true => decoded(text),
        false => Some(text.to_vec()),
    }
}

/// The bits of each symbol: each code is the one before it plus one, with zeros behind if it is longer.
pub(super) fn codes() -> &'static [Vec<u8>] {
    static CODES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    CODES.get_or_init(|| {
        let mut symbols: Vec<usize> = (0..LENGTHS.len()).collect();
        symbols.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
        let mut codes = vec![Vec::new(); LENGTHS.len()];
        let (mut next, mut before) = (0_u64, LENGTHS[symbols[0]]);
        for symbol in symbols {
            let bits = LENGTHS[symbol];
            next <<= bits - before;
            codes[symbol] = (0..bits)
                .rev()
                .map(|place| (next >> place & 1) as u8)
                .collect();
            (next, before) = (next + 1, bits);
        }
        codes
    })
}

/// The bits of these symbols, and as many ones as make the last byte whole.
pub(super) fn encoded(symbols: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut bits = symbols
        .into_iter()
        .flat_map(|symbol| codes()[symbol].clone())
        .collect::<Vec<u8>>();
    bits.resize(bits.len().next_multiple_of(8), 1);
    let bytes = bits
        .chunks(8)
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit));
    bytes.collect()
}

/// The text of a Huffman-coded string, bit by bit.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    static SYMBOLS: OnceLock<HashMap<&[u8], usize>> = OnceLock::new();
    let symbols = SYMBOLS.get_or_init(|| {
        let codes = codes().iter().enumerate();
        codes.map(|(symbol, code)| (&code[..], symbol)).collect()
    });
    let (mut out, mut code) = (Vec::new(), Vec::new());
    for byte in text {
        for place in (0..8).rev() {
            code.push(byte >> place & 1);
            if let Some(symbol) = symbols.get(&code[..]) {
                out.push(u8::try_from(*symbol).ok()?);
                code.clear();
            }
        }
    }
    let is_padding = code.len() < 8 && code.iter().all(|bit| *bit == 1);
    is_padding.then_some(out)
}
