//! What a block must not be, row by row.

use super::*;

/// What the decoder of these rows permits, in bytes.
const TABLE_BYTES_MAX: usize = 128;

const FAULTS: &[(&str, &str, HpackError)] = &[
    // Truncated.
    ("a literal without its value", "04", HpackError::Truncated),
    ("a literal without its name", "40", HpackError::Truncated),
    (
        "a name without its last byte",
        "40 02 61",
        HpackError::Truncated,
    ),
    ("a name alone", "40 01 61", HpackError::Truncated),
    (
        "a value without its last byte",
        "04 02 2f",
        HpackError::Truncated,
    ),
    (
        "a Huffman-coded value without its last byte",
        "04 82 1f",
        HpackError::Truncated,
    ),
    ("an index that goes on", "ff", HpackError::Truncated),
    (
        "an index that still goes on",
        "ff 80",
        HpackError::Truncated,
    ),
    ("a length that goes on", "04 7f", HpackError::Truncated),
    (
        "a length beyond the block",
        "04 7f ff ff ff 7f",
        HpackError::Truncated,
    ),
    ("a size update that goes on", "3f", HpackError::Truncated),
    (
        "a fault behind a good field",
        "82 04",
        HpackError::Truncated,
    ),
    // Integers.
    (
        "an index of five bytes",
        "ff ff ff ff ff 00",
        HpackError::Integer,
    ),
    (
        "an index that wraps 32 bits",
        "ff ff ff ff ff 0f",
        HpackError::Integer,
    ),
    (
        "an index that wraps 64 bits",
        "ff ff ff ff ff ff ff ff ff ff 01",
        HpackError::Integer,
    ),
    (
        "a zero in five bytes more",
        "ff 80 80 80 80 00",
        HpackError::Integer,
    ),
    (
        "a length of five bytes",
        "04 7f 80 80 80 80 01",
        HpackError::Integer,
    ),
    (
        "a size update of five bytes",
        "3f 80 80 80 80 01",
        HpackError::Integer,
    ),
    (
        "an index of a name, five bytes",
        "0f 80 80 80 80 01",
        HpackError::Integer,
    ),
    // Indices.
    ("index 0", "80", HpackError::Index { index: 0, last: 61 }),
    (
        "an entry of an empty table",
        "be",
        HpackError::Index {
            index: 62,
            last: 61,
        },
    ),
    (
        "a name of an empty table",
        "7e 00",
        HpackError::Index {
            index: 62,
            last: 61,
        },
    ),
    (
        "a name of an empty table, not inserted",
        "0f 2f 00",
        HpackError::Index {
            index: 62,
            last: 61,
        },
    ),
    (
        "a name of an empty table, never inserted",
        "1f 2f 00",
        HpackError::Index {
            index: 62,
            last: 61,
        },
    ),
    (
        "an entry behind the last",
        "40 01 61 01 62 bf",
        HpackError::Index {
            index: 63,
            last: 62,
        },
    ),
    (
        "an entry that has no room",
        "20 40 01 61 01 62 be",
        HpackError::Index {
            index: 62,
            last: 61,
        },
    ),
    (
        "the highest index there is",
        "ff ff ff ff 7f",
        HpackError::Index {
            index: 268_435_582,
            last: 61,
        },
    ),
    // Size updates.
    (
        "a size update behind a field",
        "82 20",
        HpackError::SizeUpdatePlace,
    ),
    (
        "a size update behind an update and a field",
        "20 82 20",
        HpackError::SizeUpdatePlace,
    ),
    (
        "a size update beyond the maximum",
        "3f 62",
        HpackError::SizeUpdate {
            bytes: 129,
            max: 128,
        },
    ),
    (
        "a second size update beyond the maximum",
        "20 3f 62",
        HpackError::SizeUpdate {
            bytes: 129,
            max: 128,
        },
    ),
    // Huffman-coded values: `/` is 011000, `0` is 00000, `a` is 00011, `&` is 11111000.
    (
        "a zero in the padding",
        "04 81 60",
        HpackError::HuffmanPadding,
    ),
    (
        "a last zero in the padding",
        "04 81 62",
        HpackError::HuffmanPadding,
    ),
    (
        "padding of 8 bits",
        "04 82 f8 ff",
        HpackError::HuffmanPadding,
    ),
    (
        "padding of 10 bits",
        "04 82 63 ff",
        HpackError::HuffmanPadding,
    ),
    (
        "padding of 8 bits alone",
        "04 81 ff",
        HpackError::HuffmanPadding,
    ),
    (
        "padding of 24 bits alone",
        "04 83 ff ff ff",
        HpackError::HuffmanPadding,
    ),
    (
        "half of a code of 28 bits",
        "04 82 ff ff",
        HpackError::HuffmanPadding,
    ),
    (
        "a code of 28 bits without its last byte",
        "04 83 ff ff fe",
        HpackError::HuffmanPadding,
    ),
    ("EOS", "04 84 ff ff ff ff", HpackError::HuffmanEos),
    (
        "EOS behind a symbol",
        "04 85 63 ff ff ff ff",
        HpackError::HuffmanEos,
    ),
    (
        "EOS before a symbol",
        "04 87 ff ff ff fc 63 63 63",
        HpackError::HuffmanEos,
    ),
    (
        "EOS in a name",
        "40 84 ff ff ff ff 00",
        HpackError::HuffmanEos,
    ),
    // More than 24 bytes of names and values.
    (
        "an indexed field too large",
        "90",
        HpackError::TooLarge { max: 24 },
    ),
    (
        "fields too large together",
        "82 82 83",
        HpackError::TooLarge { max: 24 },
    ),
    (
        "a name too long",
        "40 19 6161616161 6161616161 6161616161 6161616161 6161616161 00",
        HpackError::TooLarge { max: 24 },
    ),
    (
        "a value too long",
        "04 14 6161616161 6161616161 6161616161 6161616161",
        HpackError::TooLarge { max: 24 },
    ),
    (
        "a Huffman-coded value too long",
        "04 8d 00 00 00 00 00 00 00 00 00 00 00 00 07",
        HpackError::TooLarge { max: 24 },
    ),
    (
        "a name and a value too long",
        "00 0d 61616161616161616161616161 0c 616161616161616161616161",
        HpackError::TooLarge { max: 24 },
    ),
];

#[test]
fn every_fault_has_its_error() {
    for (what, hex, error) in FAULTS {
        let mut decoder = Decoder::new(TABLE_BYTES_MAX);
        let found = decoder.decode(&bytes(hex), 24, |_, _| {});
        assert_eq!(found, Err(*error), "{what}: {hex}");
        assert!(decoder.table.bytes() <= TABLE_BYTES_MAX, "{what}");
    }
}

/// What is at a bound and not beyond it.
const SOUND: &[(&str, &str, usize)] = &[
    ("an empty block", "", 0),
    ("size updates alone", "20 3f 61", 0),
    ("three size updates", "20 21 22 82", 10),
    ("an empty name and an empty value", "00 00 00", 0),
    ("the last field of the static table", "bd", 16),
    ("a zero in four bytes more", "3f 80 80 80 00", 0),
    (
        "24 bytes",
        "04 13 61616161616161616161 616161616161616161",
        24,
    ),
    (
        "24 bytes, Huffman-coded",
        "04 8c 00 00 00 00 00 00 00 00 00 00 00 01",
        24,
    ),
    ("an empty value, Huffman-coded", "04 80", 5),
    ("padding of 7 bits", "04 84 00 00 00 7f", 10),
    ("padding of 3 bits", "04 81 1f", 6),
    ("no padding", "04 81 f8", 6),
];

#[test]
fn what_is_at_a_bound_is_decoded() {
    for (what, hex, meant) in SOUND {
        let (mut decoder, mut sum) = (Decoder::new(TABLE_BYTES_MAX), 0);
        let block = bytes(hex);
        let found = decoder.decode(&block, 24, |name, value| sum += name.len() + value.len());
        assert_eq!((found, sum), (Ok(()), *meant), "{what}: {hex}");
        let less = meant.saturating_sub(1);
        let found = Decoder::new(TABLE_BYTES_MAX).decode(&block, less, |_, _| {});
        let error = HpackError::TooLarge { max: less };
        assert_eq!(
            found.is_err_and(|found| found == error),
            *meant > 0,
            "{what}: {hex}"
        );
    }
}

#[test]
fn messages_are_of_one_line_and_say_the_numbers() {
    for (_, _, error) in FAULTS {
        let text = error.to_string();
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
    }
    let error = HpackError::SizeUpdate {
        bytes: 129,
        max: 128,
    };
    assert!(error.to_string().contains("129") && error.to_string().contains("128"));
}

#[test]
fn debug_shows_no_text_of_a_field() {
    let mut decoder = Decoder::new(4_096);
    decode(&mut decoder, b"\x40\x06secret\x06hidden").unwrap();
    let mut encoder = Encoder::new();
    encoder.field(b"secret", b"hidden", Indexing::Insert, &mut Vec::new());
    for text in [format!("{decoder:?}"), format!("{encoder:?}")] {
        assert!(!text.contains("secret") && !text.contains("115"), "{text}");
        assert!(text.contains("44"), "the size is there: {text}");
    }
}
