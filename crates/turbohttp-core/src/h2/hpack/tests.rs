use super::*;

mod faults;
mod model;
mod parts;
mod properties;
mod rfc;

/// A name and a value.
type Field = (Vec<u8>, Vec<u8>);

/// The most that these tests decode, in bytes.
const ROOM: usize = 1 << 20;

/// The bytes of hexadecimal digits, whatever stands between them.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.chunks(2);
    pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, HpackError> {
    let mut fields = Vec::new();
    decoder.decode(block, ROOM, |name, value| {
        fields.push((name.to_vec(), value.to_vec()));
    })?;
    Ok(fields)
}
