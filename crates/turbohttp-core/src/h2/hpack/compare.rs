//! Short texts, compared.

/// Bytes that are compared at once.
const WORD: usize = 8;

/// Whether two texts are equal: `==` without the call that it costs, which for names and most values of
/// fields is more than the comparison.
#[inline]
pub(super) fn is_equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    // The first and the last bytes of a text overlap, or meet, if it has at most twice as many.
    match one.len() {
        WORD.. => {
            let (words, others) = (one.as_chunks::<WORD>().0, other.as_chunks::<WORD>().0);
            one.last_chunk::<WORD>() == other.last_chunk()
                && words.iter().zip(others).all(|(word, other)| word == other)
        }
        4.. => has_equal_ends::<4>(one, other),
        2.. => has_equal_ends::<2>(one, other),
        _ => one.first() == other.first(),
    }
}

#[inline]
fn has_equal_ends<const BYTES: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<BYTES>() == other.first_chunk()
        && one.last_chunk::<BYTES>() == other.last_chunk()
}
