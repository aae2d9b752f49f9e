//! The content of the bodies that are made of nothing but their length.

use std::sync::LazyLock;

/// Byte `i` of a patterned body is `i % 251`. The period is prime, so a piece that was lost,
/// doubled or moved shows in the content.
const PATTERN_PERIOD: usize = 251;

/// A whole number of periods, so that a body repeats the block without a seam. Large enough to make
/// system calls few, small enough to stay in a second-level cache.
const BLOCK_BYTES: usize = PATTERN_PERIOD * 1024;

static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| pattern(BLOCK_BYTES));

/// The first `length` bytes of every patterned body.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % PATTERN_PERIOD) as u8).collect()
}

/// As much of the pattern from `offset` as one block holds, at most `length` bytes.
pub(crate) fn piece(offset: u64, length: u64) -> &'static [u8] {
    let start = (offset % PATTERN_PERIOD as u64) as usize;
    let available = BLOCK_BYTES - start;
    let length = usize::try_from(length).unwrap_or(available).min(available);
    &BLOCK[start..start + length]
}
