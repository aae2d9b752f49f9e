//! Random blocks, fields and sizes against the model.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::static_table::Found;
use super::super::table::{Name, Table};
use super::*;

/// Few and short, so that entries meet again.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "",
        ":path",
        ":method",
        "accept",
        "cookie",
        "x",
        "x-long-name-of-a-field",
    ]);
    prop_oneof![4 => known.prop_map(|name| name.as_bytes().to_vec()), 1 => vec(any::<u8>(), 0..12)]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "",
        "/",
        "GET",
        "a",
        "b",
        "a value of some length, longer than a word",
    ]);
    prop_oneof![4 => known.prop_map(|value| value.as_bytes().to_vec()), 1 => vec(any::<u8>(), 0..80)]
}

fn table_bytes_max() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), Just(31), Just(32), 33_usize..300, Just(4_096)]
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Vec<u8>, Vec<u8>),
    InsertIndexed(usize, Vec<u8>),
    Resize(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => (name(), value()).prop_map(|(name, value)| Change::Insert(name, value)),
        4 => (1_usize..80, value()).prop_map(|(index, value)| Change::InsertIndexed(index, value)),
        1 => table_bytes_max().prop_map(Change::Resize),
    ]
}

/// Everything that can be seen of a table.
fn check_table(table: &Table, model: &model::Table) {
    assert_eq!(
        (table.bytes(), table.bytes_max()),
        (model.bytes(), model.bytes_max)
    );
    assert_eq!(table.last(), 61 + model.entries.len());
    assert_eq!(table.get(table.last() + 1), None);
    for (index, (name, value)) in (62..).zip(&model.entries) {
        assert_eq!(table.get(index), Some((&name[..], &value[..])));
    }
}

/// A representation, sound but for its indices.
#[derive(Clone, Debug)]
enum Piece {
    Indexed(usize),
    Literal(u8, Result<usize, Text>, Text),
    SizeUpdate(usize),
}

/// A string, and whether it is Huffman-coded.
type Text = (Vec<u8>, bool);

fn piece() -> impl Strategy<Value = Piece> {
    let index = || prop_oneof![1_usize..62, 62_usize..70, Just(0)];
    let indexed_name = index().prop_map(Ok);
    let new_name = (name(), any::<bool>()).prop_map(Err);
    let literal = (
        0_u8..3,
        prop_oneof![indexed_name, new_name],
        (value(), any::<bool>()),
    );
    prop_oneof![
        6 => index().prop_map(Piece::Indexed),
        9 => literal.prop_map(|(kind, name, value)| Piece::Literal(kind, name, value)),
        1 => table_bytes_max().prop_map(Piece::SizeUpdate),
    ]
}

impl Piece {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Piece::Indexed(index) => integer::put(0x80, 7, *index, out),
            Piece::SizeUpdate(bytes) => integer::put(0x20, 5, *bytes, out),
            Piece::Literal(kind, name, value) => {
                let (pattern, prefix_bits) = [(0x40, 6), (0x00, 4), (0x10, 4)][usize::from(*kind)];
                integer::put(pattern, prefix_bits, *name.as_ref().unwrap_or(&0), out);
                if let Err(name) = name {
                    put_text(name, out);
                }
                put_text(value, out);
            }
        }
    }
}

fn put_text((text, is_huffman): &Text, out: &mut Vec<u8>) {
    let text = match is_huffman {
        true => model::encoded(text.iter().map(|byte| usize::from(*byte))),
        false => text.clone(),
    };
    integer::put(if *is_huffman { 0x80 } else { 0 }, 7, text.len(), out);
    out.extend(text);
}

/// Pieces, the size updates first in most blocks, and maybe a byte that is another.
fn block() -> impl Strategy<Value = Vec<u8>> {
    let broken = prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>()));
    let pieces = (vec(piece(), 0..8), prop::bool::weighted(0.9));
    (pieces, broken).prop_map(|((mut pieces, is_sorted), broken)| {
        if is_sorted {
            pieces.sort_by_key(|piece| !matches!(piece, Piece::SizeUpdate(_)));
        }
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| piece.put(&mut out));
        if let Some((place, byte)) = broken.filter(|_| !out.is_empty()) {
            let place = place.index(out.len());
            out[place] = byte;
        }
        out
    })
}

fn indexing() -> impl Strategy<Value = Indexing> {
    prop::sample::select(vec![Indexing::Insert, Indexing::Without, Indexing::Never])
}

proptest! {
    #[test]
    fn the_table_is_that_of_the_model(max in table_bytes_max(), changes in vec(change(), 0..200)) {
        let (mut table, mut model) = (Table::new(max), model::Table { bytes_max: max, ..Default::default() });
        for change in changes {
            match change {
                Change::Insert(name, value) => {
                    table.insert(Name::Bytes(&name), &value);
                    model.insert(&name, &value);
                }
                Change::InsertIndexed(index, value) => {
                    let name = model.get(index).map_or(Vec::new(), |(name, _)| name);
                    table.insert(Name::Indexed(index), &value);
                    model.insert(&name, &value);
                }
                Change::Resize(bytes_max) => {
                    table.set_bytes_max(bytes_max);
                    model.set_bytes_max(bytes_max);
                }
            }
            check_table(&table, &model);
        }
        for (name, value) in &model.entries {
            let Found::Field(index) = table.find(name, value) else { panic!("an entry is found") };
            prop_assert!(table.is_at(index, name, value));
        }
    }

    #[test]
    fn blocks_are_decoded_as_by_the_model(max in table_bytes_max(), blocks in vec(block(), 1..12)) {
        let (mut decoder, mut model) = (Decoder::new(max), model::Decoder::new(max));
        for block in blocks {
            let (found, meant) = (decode(&mut decoder, &block), model.decode(&block));
            prop_assert_eq!(found.as_ref().ok(), meant.as_ref(), "{:?} of {:02x?}", found, block);
            if meant.is_none() {
                break;
            }
            check_table(&decoder.table, &model.table);
        }
    }

    #[test]
    fn any_bytes_are_decoded_as_by_the_model(blocks in vec(vec(any::<u8>(), 0..40), 1..4)) {
        let (mut decoder, mut model) = (Decoder::new(4_096), model::Decoder::new(4_096));
        for block in blocks {
            let (found, meant) = (decode(&mut decoder, &block), model.decode(&block));
            prop_assert_eq!(found.as_ref().ok(), meant.as_ref(), "{:?} of {:02x?}", found, block);
            if meant.is_none() {
                break;
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_whatever_the_sizes(
        blocks in vec((vec(table_bytes_max(), 0..3), vec((name(), value(), indexing()), 0..12)), 1..20),
    ) {
        let (mut encoder, mut out) = (Encoder::new(), Vec::new());
        let (mut decoder, mut model) = (Decoder::new(4_096), model::Decoder::new(4_096));
        for (sizes, fields) in blocks {
            sizes.iter().for_each(|bytes| encoder.set_table_bytes_max(*bytes));
            out.clear();
            encoder.begin(&mut out);
            for (name, value, indexing) in &fields {
                encoder.field(name, value, *indexing, &mut out);
            }
            let meant: Vec<Field> = fields.into_iter().map(|(name, value, _)| (name, value)).collect();
            prop_assert_eq!(decode(&mut decoder, &out), Ok(meant.clone()), "{:02x?}", out);
            prop_assert_eq!(model.decode(&out), Some(meant));
            check_table(&decoder.table, &model.table);
            check_table(&encoder.table, &model.table);
        }
    }
}
