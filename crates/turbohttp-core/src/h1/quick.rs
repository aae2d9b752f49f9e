//! Field lines as nearly everybody writes them, read sixteen bytes at a time.
//!
//! # Implementation
//!
//! All bytes of a block are compared at once, which yields one bit for each; the first that is something
//! else is found by counting zeros. A line that ends too close to the end of the text for whole blocks
//! is not read here.

use wide::u8x16;

const BLOCK_BYTES: usize = 16;

/// Reads the line that `text` begins with if it is `name: value` and CRLF, with nothing about it that
/// would need a closer look: how long both are, and what stands behind. `None` says nothing about the
/// line.
#[inline]
pub(super) fn quick_line(text: &[u8]) -> Option<(usize, usize, &[u8])> {
    let mut name = others_than_letters(text.first_chunk()?).trailing_zeros() as usize;
    if name == BLOCK_BYTES {
        // Few names are longer than a block, and hardly any than two.
        name += others_than_letters(text[name..].first_chunk()?).trailing_zeros() as usize;
    }
    let [b':', b' ', value @ ..] = text.get(name..)? else {
        return None;
    };
    if name == 0 || *value.first()? <= b' ' {
        return None;
    }
    let length = quick_text(value)?;
    // The value begins with what is no space, so it has a last byte.
    match &value[length..] {
        [b'\r', b'\n', behind @ ..] if value[length - 1] > b' ' => Some((name, length, behind)),
        _ => None,
    }
}

/// How many bytes at the start of `text` a field value may hold, tabs not among them; `None` if `text`
/// ends too soon to tell.
#[inline(always)]
pub(super) fn quick_text(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    loop {
        match controls(rest.first_chunk()?) {
            0 => rest = &rest[BLOCK_BYTES..],
            controls => return Some(text.len() - rest.len() + controls.trailing_zeros() as usize),
        }
    }
}

/// Marks what is neither a letter nor a hyphen, of which nearly every name is made; 16 zeros for a
/// block full of them.
#[inline(always)]
fn others_than_letters(block: &[u8; BLOCK_BYTES]) -> u16 {
    let block = u8x16::new(*block);
    let from_a = (block | u8x16::splat(0x20)) - u8x16::splat(b'a');
    let letters = at_most(from_a, b'z' - b'a');
    let hyphens = block.cmp_eq(u8x16::splat(b'-'));
    !bits(letters | hyphens)
}

/// Marks what a value must not hold, and the tab.
#[inline(always)]
fn controls(block: &[u8; BLOCK_BYTES]) -> u16 {
    let block = u8x16::new(*block);
    let delete = block.cmp_eq(u8x16::splat(0x7f));
    bits(at_most(block, b' ' - 1) | delete)
}

/// Marks the bytes that are no greater than `most`.
#[inline(always)]
fn at_most(block: u8x16, most: u8) -> u8x16 {
    block.min(u8x16::splat(most)).cmp_eq(block)
}

/// One bit for each byte that is marked.
#[inline(always)]
fn bits(marks: u8x16) -> u16 {
    marks.move_mask() as u16
}
