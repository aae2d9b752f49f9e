//! However the bytes of a server are cut, the requests see the same, and the same goes out.

use proptest::prelude::*;

use super::*;

/// What a server sends in one step; identifiers are drawn from those of the requests and one beside them.
fn step() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![12 => prop::sample::select(vec![1_u32, 3, 5]), 1 => 0_u32..12];
    let content = prop_oneof![8 => 0_usize..40, 2 => 0..9_000_usize, 1 => Just(FRAME_BYTES_MAX)];
    let flags = prop_oneof![4 => Just(0), 1 => Just(END)];
    (0..20_u8, stream, content, flags, any::<u8>()).prop_map(|(kind, id, length, flags, byte)| {
        let content = vec![byte; length];
        match kind {
            0..6 => data(id, &content, flags),
            6 => padded(id, &content[..length.min(9_000)], byte, flags),
            7 | 8 => ok(id, flags),
            9 => headers(id, &[(":status", "103"), ("link", "x")], 0),
            10 => headers(id, &[("sum", "1")], END),
            11 => in_fragments(id, flags, usize::from(byte)),
            12 => reset(id, ErrorCode(byte.into())),
            13 => window_update(id, u32::from(byte) << 8),
            14 => settings(&[
                (setting::INITIAL_WINDOW, length as u32),
                (3, u32::from(byte % 4)),
            ]),
            15 => ping(&[byte; 8], byte & 1),
            16 => goaway(3, ErrorCode::NO_ERROR),
            17 => headers(id, &[(":status", "200"), ("content-length", "40")], flags),
            18 => headers(id, &[("Bad", "x")], flags),
            _ => frame(byte, flags, id, &content[..length.min(50)]),
        }
    })
}

/// A head in HEADERS and CONTINUATION, cut by the bits of `cuts`.
fn in_fragments(stream: u32, flags: u8, cuts: usize) -> Vec<u8> {
    let block = block(&[(":status", "200"), ("server", "in fragments")]);
    let (first, rest) = block.split_at(cuts % block.len());
    let (second, third) = rest.split_at((cuts / 7) % (rest.len() + 1));
    let first = frame(kind::HEADERS, flags, stream, first);
    let second = frame(kind::CONTINUATION, 0, stream, second);
    [
        first,
        second,
        frame(kind::CONTINUATION, flag::END_HEADERS, stream, third),
    ]
    .concat()
}

/// All that can be seen of a connection and its requests.
#[derive(Debug, PartialEq)]
struct Seen {
    fault: Option<ConnectionError>,
    output: Vec<u8>,
    /// Window of the connection, its credit, window to send, budget.
    accounts: String,
    glitches: u64,
    counts: (usize, usize),
    requests: Vec<String>,
}

fn play(script: &[u8], pieces: impl IntoIterator<Item = usize>) -> Seen {
    let limits = Limits::with_budget(HeadLimits::default(), 8, 1 << 20, 100_000);
    let mut fixture = Fixture::with(limits);
    fixture.receive(&settings(&[]));
    let keys = [
        fixture.get(),
        fixture.post(),
        fixture.request(Method::HEAD, BodyLength::None),
    ];
    fixture.send(keys[1], &[7; 50_000], false);
    let mut rest = script;
    let mut pieces = pieces.into_iter();
    while !rest.is_empty() {
        let length = pieces
            .next()
            .map_or(rest.len(), |piece| piece.clamp(1, rest.len()));
        let (piece, behind) = rest.split_at(length);
        fixture.receive(piece);
        rest = behind;
    }
    let counts = (fixture.streams.open_count(), fixture.streams.used_count());
    let streams = &fixture.streams;
    let accounts = format!(
        "{:?} {:?} {}",
        streams.window, streams.send_window, streams.granted
    );
    let requests = keys.map(|key| {
        let windows = fixture.streams.slots[key.slot as usize].window;
        let is_sent = fixture.streams.is_sent(key);
        let (mut head, answer) = fixture.answer(key);
        let (content, end) = match &answer {
            Answer::Head => fixture.read_all(key, &mut head),
            Answer::Whole { piece, .. } => {
                let content = piece
                    .as_ref()
                    .map(|piece| piece.memory[..piece.filled].to_vec());
                (content.unwrap_or_default(), Chunk::End)
            }
            _ => (Vec::new(), Chunk::End),
        };
        if !matches!(answer, Answer::Whole { .. }) {
            fixture.release(key);
        }
        let answer = match answer {
            // A stream that is whole in several pieces is read as one that arrives.
            Answer::Whole { .. } | Answer::Head => "head".to_owned(),
            other => format!("{other:?}"),
        };
        let fields: Vec<_> = head.iter().collect();
        let trailers: Vec<_> = head.trailers().collect();
        format!(
            "{answer} {} {fields:?} {trailers:?} {content:?} {end:?} {windows:?} {is_sent}",
            head.status()
        )
    });
    assert!(fixture.streams.is_at_rest());
    Seen {
        fault: fixture.fault,
        output: fixture.output(),
        accounts,
        glitches: fixture.streams.glitches(),
        counts,
        requests: requests.to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_split_gives_the_same(
        script in prop::collection::vec(step(), 1..60),
        cuts in prop::collection::vec(prop_oneof![1_usize..12, 1_usize..20_000], 0..40),
    ) {
        let script = script.concat();
        let whole = play(&script, []);
        prop_assert_eq!(&play(&script, cuts.iter().copied()), &whole);
        prop_assert_eq!(&play(&script, std::iter::repeat(FRAME_HEAD_BYTES)), &whole);
    }
}

/// One byte at a time, with every kind of frame.
#[test]
fn byte_by_byte() {
    let script = [
        settings(&[(setting::STREAMS_MAX, 7)]),
        in_fragments(1, 0, 100),
        headers(3, &[(":status", "103")], 0),
        data(1, b"hello", 0),
        padded(1, b"world", 200, 0),
        window_update(3, 5_000),
        window_update(0, 5_000),
        ok(3, 0),
        frame(0xbe, 1, 1, b"unknown"),
        data(3, &[3; 2_000], END),
        ping(&[9; 8], 0),
        headers(1, &[("sum", "1")], END),
        goaway(3, ErrorCode::NO_ERROR),
        reset(3, ErrorCode::NO_ERROR),
        data(5, b"above the last", 0),
    ]
    .concat();
    let whole = play(&script, []);
    assert_eq!(whole.fault, None);
    assert_eq!(play(&script, std::iter::repeat(1)), whole);
    for at in 1..script.len() {
        assert_eq!(play(&script, [at]), whole, "cut at {at}");
    }
}
