//! Integers with a prefix of 1 to 8 bits (RFC 7541 section 5.1).

use super::HpackError;

/// Bytes behind the prefix, at most. Four carry 28 bits: more than any table, and any string that a field
/// block of a sane size could have. More are an error, zeros at the end of the number included.
const BYTES_MAX: u32 = 4;

/// Takes an integer from the start of `input`, whose first byte has it in the low `prefix_bits`.
#[inline(always)]
pub(super) fn take(input: &mut &[u8], prefix_bits: u32) -> Result<usize, HpackError> {
    let (first, rest) = input.split_first().ok_or(HpackError::Truncated)?;
    *input = rest;
    let prefix_max = (1 << prefix_bits) - 1;
    let prefix = usize::from(*first) & prefix_max;
    match prefix < prefix_max {
        true => Ok(prefix),
        false => take_rest(input, prefix),
    }
}

/// The integer whose prefix is full.
fn take_rest(input: &mut &[u8], prefix: usize) -> Result<usize, HpackError> {
    let mut value = prefix;
    for place in 0..BYTES_MAX {
        let (byte, rest) = input.split_first().ok_or(HpackError::Truncated)?;
        *input = rest;
        value += usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(HpackError::Integer)
}

/// Puts `value` behind `out`; the bits above the prefix are those of `pattern`.
#[inline]
pub(super) fn put(pattern: u8, prefix_bits: u32, value: usize, out: &mut Vec<u8>) {
    let prefix_max = (1 << prefix_bits) - 1;
    if value < prefix_max {
        out.push(pattern | value as u8);
        return;
    }
    put_long(pattern, prefix_max, value, out);
}

/// Puts a value that does not fit the prefix.
#[inline(never)]
fn put_long(pattern: u8, prefix_max: usize, value: usize, out: &mut Vec<u8>) {
    out.push(pattern | prefix_max as u8);
    let mut rest = value - prefix_max;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
