//! Field blocks, one after the other on one connection: what is accepted is what another decoder reads, and
//! comes back from the encoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turbohttp_core::h2::hpack::{Decoder, Encoder, HpackError, Indexing};
use turbohttp_fuzz::{Field, choices};

/// The most bytes of names and values of a block; and a bound that is met often.
const ROOM: usize = 1 << 16;
const SMALL_ROOM: usize = 64;

fuzz_target!(|input: &[u8]| {
    let (choices, mut input) = choices(input);
    let choice = |place: usize| choices.get(place).copied().map_or(0, usize::from);
    let table_bytes_max = [4_096, 0, 64, 200][choice(0) % 4];
    let mut decoder = Decoder::new(table_bytes_max);
    let mut other = httlib_hpack::Decoder::with_dynamic_size(table_bytes_max as u32);
    let mut relay = Relay::default();
    while let Some((block, rest)) = split(input) {
        input = rest;
        let Ok(fields) = decode(&mut decoder, block, ROOM) else {
            // The other one panics on some blocks that are cut.
            return;
        };
        assert_eq!(by_other(&mut other, block), fields);
        let sum: usize = fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let meant = match sum <= SMALL_ROOM {
            true => Ok(()),
            false => Err(HpackError::TooLarge { max: SMALL_ROOM }),
        };
        relay.pass(&fields, choices, meant);
    }
});

/// A block, whose length is the first byte, and what is behind it.
fn split(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first()?;
    Some(rest.split_at(usize::from(*length).min(rest.len())))
}

fn decode(decoder: &mut Decoder, block: &[u8], room: usize) -> Result<Vec<Field>, HpackError> {
    let mut fields = Vec::new();
    let result = decoder.decode(block, room, |name, value| {
        fields.push((name.to_vec(), value.to_vec()));
    });
    let sum: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(sum <= room, "more than there is room for");
    result.map(|()| fields)
}

fn by_other(other: &mut httlib_hpack::Decoder<'_>, block: &[u8]) -> Vec<Field> {
    let (mut block, mut fields) = (block.to_vec(), Vec::new());
    other
        .decode(&mut block, &mut fields)
        .expect("what is accepted is sound");
    let fields = fields.into_iter();
    fields.map(|(name, value, _)| (name, value)).collect()
}

/// An encoder and two decoders behind it.
struct Relay {
    encoder: Encoder,
    decoder: Decoder,
    other: httlib_hpack::Decoder<'static>,
    out: Vec<u8>,
}

impl Default for Relay {
    fn default() -> Relay {
        Relay {
            encoder: Encoder::new(),
            decoder: Decoder::new(4_096),
            other: httlib_hpack::Decoder::with_dynamic_size(4_096),
            out: Vec::new(),
        }
    }
}

impl Relay {
    /// Passes fields on; `meant` is what a decoder with a small room says of them.
    fn pass(&mut self, fields: &[Field], choices: &[u8], meant: Result<(), HpackError>) {
        for bytes in choices.get(1..3).unwrap_or_default() {
            self.encoder.set_table_bytes_max(usize::from(*bytes) * 20);
        }
        self.out.clear();
        self.encoder.begin(&mut self.out);
        let kinds = [Indexing::Insert, Indexing::Without, Indexing::Never];
        let mut choices = choices.iter().cycle();
        for (name, value) in fields {
            let kind = choices.next().copied().map_or(0, usize::from) % kinds.len();
            self.encoder.field(name, value, kinds[kind], &mut self.out);
        }
        let decoded = decode(&mut self.decoder, &self.out, ROOM);
        assert_eq!(decoded.as_deref(), Ok(fields), "what is encoded comes back");
        assert_eq!(by_other(&mut self.other, &self.out), fields);
        let mut literals = (Encoder::new(), Vec::new());
        for (name, value) in fields {
            literals
                .0
                .field(name, value, Indexing::Never, &mut literals.1);
        }
        let small = decode(&mut Decoder::new(0), &literals.1, SMALL_ROOM);
        assert_eq!(small.map(|_| ()), meant, "the room is exact");
    }
}
