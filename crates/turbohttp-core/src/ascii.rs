//! Comparing field names without regard to case, eight bytes at a time.

/// Whether `a` and `b` are equal without regard to the case of ASCII letters.
///
/// Does what `eq_ignore_ascii_case` does, in a few instructions per eight bytes: field names are
/// compared several times per request.
#[inline]
pub(crate) fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    let mut words = a_words.iter().zip(b_words);
    if !words.all(|(a, b)| eq_word(a, b)) {
        return false;
    }
    // The last word covers what is left, and overlaps the one before it.
    match (a.last_chunk(), b.last_chunk()) {
        (Some(a), Some(b)) => eq_word(a, b),
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Compares eight bytes at once: two bytes may differ only in bit 0x20, and only if they are
/// letters.
#[inline]
fn eq_word(a: &[u8; 8], b: &[u8; 8]) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let (a, b) = (u64::from_le_bytes(*a), u64::from_le_bytes(*b));
    let difference = a ^ b;
    if difference == 0 {
        return true;
    }
    if difference & !each(0x20) != 0 {
        return false;
    }
    // With the high bits masked no sum carries into the next byte. The high bit of each sum is the
    // answer for its byte.
    let lower = (a | each(0x20)) & each(0x7f);
    let from_a = lower + each(0x80 - b'a');
    let beyond_z = lower + each(0x7f - b'z');
    let letters = from_a & !beyond_z & !a & each(0x80);
    (difference << 2) & !letters == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::eq_ignore_case;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

        #[test]
        fn it_is_what_the_standard_library_says(
            a in prop::collection::vec(any::<u8>(), 0..40),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
        ) {
            // Mostly in the bit of case, so that near misses are common.
            let mut b = a.clone();
            for (at, in_case) in flips {
                if !b.is_empty() {
                    let at = at.index(b.len());
                    b[at] ^= if in_case { 0x20 } else { 0x40 };
                }
            }
            prop_assert_eq!(eq_ignore_case(&a, &b), a.eq_ignore_ascii_case(&b));
        }
    }
}
