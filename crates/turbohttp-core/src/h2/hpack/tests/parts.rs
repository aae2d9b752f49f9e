//! The parts of which decoder and encoder are made, each alone.

use super::super::compare::is_equal;
use super::super::huffman_lengths::{EOS, LENGTHS};
use super::super::recent::Recent;
use super::super::static_table::{self, Found};
use super::super::table::{Name, Table};
use super::*;

/// A symbol of each length of the code, with its code (RFC 7541 appendix B).
const CODES: [(u16, u32, u8); 24] = [
    (b'0' as u16, 0x0, 5),
    (b't' as u16, 0x9, 5),
    (b' ' as u16, 0x14, 6),
    (b'u' as u16, 0x2d, 6),
    (b':' as u16, 0x5c, 7),
    (b'z' as u16, 0x7b, 7),
    (b'&' as u16, 0xf8, 8),
    (b'!' as u16, 0x3f8, 10),
    (b'|' as u16, 0x7fc, 11),
    (b'#' as u16, 0xffa, 12),
    (0, 0x1ff8, 13),
    (b'}' as u16, 0x3ffd, 14),
    (b'{' as u16, 0x7ffe, 15),
    (195, 0x7fff1, 19),
    (128, 0xfffe6, 20),
    (153, 0x1f_ffdc, 21),
    (129, 0x3f_ffd2, 22),
    (1, 0x7f_ffd8, 23),
    (9, 0xff_ffea, 24),
    (199, 0x1ff_ffec, 25),
    (192, 0x3ff_ffe0, 26),
    (203, 0x7ff_ffde, 27),
    (249, 0xfff_fffe, 28),
    (EOS, 0x3fff_ffff, 30),
];

#[test]
fn codes_are_those_of_the_rfc() {
    for (symbol, code, bits) in CODES {
        let own = &model::codes()[usize::from(symbol)];
        let own_code = own.iter().fold(0, |code, bit| code << 1 | u32::from(*bit));
        assert_eq!(
            (own_code, own.len()),
            (code, usize::from(bits)),
            "symbol {symbol}"
        );
    }
    assert_eq!(LENGTHS.len(), 257);
}

#[test]
fn every_byte_is_decoded_wherever_its_code_begins() {
    // Codes of 5 and of 6 bits before it shift the code by every number of bits.
    for byte in 0..=255 {
        for (short, longer) in (0..8).flat_map(|short| [(short, 0), (short, 1)]) {
            let before = [b'0']
                .repeat(short)
                .into_iter()
                .chain([b'-'].repeat(longer));
            let text: Vec<u8> = before.chain([byte, b'a', byte]).collect();
            let encoded = model::encoded(text.iter().map(|byte| usize::from(*byte)));
            let mut out = Vec::new();
            assert_eq!(huffman::decode(&encoded, text.len(), &mut out), Ok(true));
            assert_eq!(out, text);
            assert_eq!(
                huffman::decode(&encoded, text.len() - 1, &mut out),
                Ok(false)
            );
        }
    }
}

#[test]
fn memory_of_a_string_is_bounded_by_the_room_and_not_by_its_code() {
    let mut out = Vec::new();
    assert_eq!(huffman::decode(&vec![0; 1 << 20], 100, &mut out), Ok(false));
    assert!(out.capacity() <= 200, "{}", out.capacity());
}

#[test]
fn integers_come_back_from_every_prefix() {
    for prefix_bits in 1..=8 {
        let full = (1 << prefix_bits) - 1;
        let around = [
            0,
            1,
            full - 1,
            full,
            full + 1,
            full + 127,
            full + 128,
            4_096,
            (1 << 28) + full - 1,
        ];
        for value in around {
            let mut out = Vec::new();
            integer::put(0, prefix_bits, value, &mut out);
            let mut input = &out[..];
            assert_eq!(
                integer::take(&mut input, prefix_bits),
                Ok(value),
                "{prefix_bits}"
            );
            assert!(input.is_empty(), "{prefix_bits} {value}");
            for end in 0..out.len() {
                let cut = integer::take(&mut &out[..end], prefix_bits);
                assert_eq!(cut, Err(HpackError::Truncated), "{prefix_bits} {value}");
            }
        }
        let mut out = Vec::new();
        integer::put(0, prefix_bits, (1 << 28) + full, &mut out);
        assert_eq!(
            integer::take(&mut &out[..], prefix_bits),
            Err(HpackError::Integer)
        );
    }
}

#[test]
fn every_field_of_the_static_table_is_found() {
    for index in 1..=static_table::LAST {
        let (name, value) = static_table::get(index).unwrap();
        assert_eq!(static_table::find(name, value), Found::Field(index));
        let first = (1..)
            .find(|index| static_table::get(*index).unwrap().0 == name)
            .unwrap();
        assert_eq!(static_table::find(name, b"another"), Found::Name(first));
    }
    assert_eq!(static_table::get(0), None);
    assert_eq!(static_table::get(static_table::LAST + 1), None);
    for name in [
        &b""[..],
        b":",
        b"x",
        b"acceqt",
        b":methoe",
        b"www-authenticatf",
    ] {
        assert_eq!(static_table::find(name, b""), Found::Nothing);
    }
}

#[test]
fn texts_are_equal_if_every_byte_is() {
    for length in 0..40 {
        let text = vec![b'a'; length];
        assert!(is_equal(&text, &text.clone()), "{length}");
        assert!(!is_equal(&text, &vec![b'a'; length + 1]), "{length}");
        for place in 0..length {
            let mut other = text.clone();
            other[place] = b'b';
            assert!(!is_equal(&text, &other), "{place} of {length}");
        }
    }
}

#[test]
fn a_name_is_taken_from_the_entry_that_it_evicts() {
    // Entries of 40 bytes in a table for two.
    let mut table = Table::new(80);
    table.insert(Name::Bytes(b"name"), b"1111");
    table.insert(Name::Bytes(b"other"), b"222");
    table.insert(Name::Indexed(63), b"3333");
    assert_eq!(table.get(62), Some((&b"name"[..], &b"3333"[..])));
    assert_eq!(table.get(63), Some((&b"other"[..], &b"222"[..])));
    assert_eq!((table.get(64), table.last(), table.bytes()), (None, 63, 80));
}

#[test]
fn a_field_of_the_size_of_the_table_is_all_of_it_and_a_larger_one_empties_it() {
    let mut table = Table::new(40);
    for value in [&b"1111"[..], b"2222"] {
        table.insert(Name::Bytes(b"name"), value);
        assert_eq!(
            (table.get(62), table.bytes()),
            (Some((&b"name"[..], value)), 40)
        );
    }
    table.insert(Name::Indexed(62), b"33333");
    assert_eq!((table.get(62), table.last(), table.bytes()), (None, 61, 0));
}

#[test]
fn memory_of_a_table_is_bounded_and_then_stays() {
    let mut table = Table::new(4_096);
    let mut fill = |lengths: &[usize]| {
        for length in lengths.iter().cycle().take(2_000) {
            table.insert(Name::Bytes(b"name"), &vec![b'v'; *length]);
        }
        table.allocated()
    };
    // The longest texts, the most entries, and both.
    fill(&[4_060]);
    fill(&[0]);
    let warm = fill(&[2_000, 0, 100]);
    assert!(warm.0 < 4 * 4_096 && warm.1 <= 4 * 4_096 / 32, "{warm:?}");
    assert_eq!(fill(&[1, 4_060, 0, 700, 33]), warm);
}

#[test]
fn a_field_that_looks_like_one_of_the_table_is_no_index() {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    encoder.field(b"ax", b"1a", Indexing::Insert, &mut out);
    encoder.field(b"ax", b"1a", Indexing::Without, &mut out);
    out.clear();
    // The lengths and the last bytes of both are those of the entry.
    encoder.field(b"bx", b"1a", Indexing::Without, &mut out);
    encoder.field(b"ax", b"2a", Indexing::Without, &mut out);
    assert_eq!(out, b"\x00\x02bx\x021a\x0f\x2f\x022a");
}

#[test]
fn the_encoder_looks_first_where_a_field_was_last() {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    encoder.field(b"a", b"1", Indexing::Insert, &mut out);
    encoder.field(b"a", b"1", Indexing::Without, &mut out);
    assert_eq!(encoder.recent.index(b"a", b"1"), 62);
    encoder.field(b"another", b"2", Indexing::Insert, &mut out);
    assert_eq!(encoder.recent.index(b"a", b"1"), 63);
}

#[test]
fn the_encoder_keeps_a_table_that_a_large_field_would_empty() {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    encoder.field(b"a", b"1", Indexing::Insert, &mut out);
    encoder.field(b"b", &[b'2'; 4_096], Indexing::Insert, &mut out);
    out.clear();
    encoder.field(b"a", b"1", Indexing::Without, &mut out);
    assert_eq!(out, [0xbe]);
}

#[test]
fn what_was_found_is_found_at_once_also_behind_an_insertion() {
    let mut recent = Recent::new();
    assert_eq!(recent.index(b"x", b"1"), 0);
    recent.set(b"x", b"1", 62);
    recent.set(b":path", b"/", 4);
    recent.set(b"far", b"away", 1_000);
    recent.shift();
    let indices = [
        recent.index(b"x", b"1"),
        recent.index(b":path", b"/"),
        recent.index(b"far", b"away"),
    ];
    assert_eq!(indices, [63, 4, 0]);
}

#[test]
fn a_secret_is_never_an_index() {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    encoder.field(b"cookie", b"", Indexing::Never, &mut out);
    encoder.field(b"x", b"1", Indexing::Insert, &mut out);
    out.clear();
    encoder.field(b"x", b"1", Indexing::Without, &mut out);
    encoder.field(b"x", b"1", Indexing::Never, &mut out);
    assert_eq!(out, b"\xbe\x1f\x2f\x011", "the name may be one");
}

/// Changes of the permitted size between two blocks, and what the second begins with.
const SIZE_UPDATES: &[(&[usize], &str)] = &[
    (&[], ""),
    (&[4_096], ""),
    (&[65_536], ""),
    (&[65_536, 4_096], ""),
    (&[100], "3f45"),
    (&[0], "20"),
    (&[0, 100], "20 3f45"),
    (&[100, 0], "20"),
    (&[0, 4_096], "20 3fe11f"),
    (&[0, 65_536], "20 3fe11f"),
    (&[200, 100, 300], "3f45 3f8d02"),
    (&[300, 200, 100], "3f45"),
    (&[100, 100], "3f45"),
];

#[test]
fn a_block_begins_with_the_smallest_and_the_last_size() {
    for (changes, meant) in SIZE_UPDATES {
        let (mut encoder, mut out) = (Encoder::new(), Vec::new());
        changes
            .iter()
            .for_each(|change| encoder.set_table_bytes_max(*change));
        encoder.begin(&mut out);
        assert_eq!(out, bytes(meant), "{changes:?}");
        out.clear();
        encoder.begin(&mut out);
        assert!(out.is_empty(), "said once: {changes:?}");
    }
}
