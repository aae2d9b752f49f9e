#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::script::frames::{self, Frame};

const GET: u8 = END_HEADERS | END_STREAM;

/// What is answered to `pieces`, of which the first follows the preface.
fn answer(template: &Template, pieces: &[Vec<u8>]) -> Vec<Frame> {
    let mut machine = Machine::new(template);
    let (mut out, mut unread) = (Vec::new(), PREFACE.to_vec());
    for piece in pieces {
        unread.extend_from_slice(piece);
        let used = machine.take(&unread, &mut out).unwrap();
        unread.drain(..used);
    }
    assert_eq!(unread, b"");
    frames::parse(&out)
}

fn kinds(frames: &[Frame]) -> Vec<(u8, u32, usize)> {
    let kind = |it: &Frame| (it.kind, it.stream, it.payload.len());
    frames.iter().map(kind).collect()
}

#[test]
fn request_is_answered_by_head_and_content() {
    let template = Template::new(13, true, false);
    let pieces = [
        frames::headers(1, GET, b"\x82"),
        frames::headers(3, GET, b""),
    ];
    let answers = answer(&template, &pieces);
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0].payload, *template.first.as_ref().unwrap());
    assert_eq!(answers[2].payload, template.indexed);
    for (at, stream) in [(0, 1), (2, 3)] {
        let (head, content) = (&answers[at], &answers[at + 1]);
        assert_eq!((head.stream, head.flags), (stream, END_HEADERS));
        assert_eq!((content.stream, content.flags), (stream, END_STREAM));
        assert_eq!(content.payload, b"Hello, world!");
    }
}

#[test]
fn trailers_end_the_stream_behind_the_content() {
    let template = Template::new(13, true, true);
    let answers = answer(&template, &[frames::headers(1, GET, b"")]);
    let ends: Vec<_> = answers.iter().map(|it| (it.kind, it.flags)).collect();
    let (head, last) = (END_HEADERS, END_HEADERS | END_STREAM);
    assert_eq!(ends, [(HEADERS, head), (DATA, 0), (HEADERS, last)]);
    assert_eq!(answers[2].payload, template.trailers.unwrap());
}

#[test]
fn small_table_gets_literals() {
    let template = Template::new(0, true, false);
    let pieces = [
        frames::headers(1, GET, b""),
        settings(&[(HEADER_TABLE_SIZE, 4095)]),
        frames::headers(3, GET, b""),
        frames::headers(5, GET, b""),
    ];
    let answers = answer(&template, &pieces);
    let emptied = [b"\x20", &template.literal[..]].concat();
    assert_eq!(answers[2].payload, emptied);
    assert_eq!(answers[3].payload, template.literal);
    assert!(answers[3].has(END_STREAM));
    let template = Template::new(0, false, false);
    let answers = answer(&template, &[frames::headers(1, GET, b"")]);
    assert_eq!(answers[0].payload, template.literal);
}

#[test]
fn content_keeps_to_windows_and_frame_sizes() {
    let template = Template::new(40_000, true, false);
    let pieces = [
        settings(&[(INITIAL_WINDOW_SIZE, 20_000), (MAX_FRAME_SIZE, 16_384)]),
        frames::headers(1, GET, b""),
        frames::headers(3, GET, b""),
        frames::headers(5, GET, b""),
        // The windows become negative, 0, and one byte wide.
        settings(&[(INITIAL_WINDOW_SIZE, 0)]),
        window_update(1, 20_000),
        window_update(1, 1),
        window_update(1, 19_999),
        frames::rst(5, 8),
        window_update(0, 100_000),
        window_update(3, 40_000),
        window_update(5, 40_000),
    ];
    let answers = answer(&template, &pieces);
    let sent = kinds(&answers);
    let data: Vec<_> = sent.into_iter().filter(|it| it.0 == DATA).collect();
    assert_eq!(
        data,
        [
            (0, 1, 16_384),
            (0, 1, 3616),
            (0, 3, 16_384),
            (0, 3, 3616),
            (0, 5, 16_384),
            (0, 5, 3616),
            (0, 1, 1),
            // The window of the connection is exhausted, and then wide.
            (0, 1, 5534),
            (0, 1, 14_465),
            (0, 3, 16_384),
            (0, 3, 3616),
        ]
    );
    assert!(answers.last().unwrap().has(END_STREAM));
}

#[test]
fn window_of_the_connection_is_kept_to() {
    let template = Template::new(65_536, true, false);
    let mut pieces = vec![settings(&[(INITIAL_WINDOW_SIZE, 1_000_000)])];
    pieces.extend([1, 3].map(|stream| frames::headers(stream, GET, b"")));
    let before: usize = content_length(&answer(&template, &pieces));
    assert_eq!(before, 65_535);
    pieces.push(window_update(0, 2 * 65_536 - 65_535));
    let answers = answer(&template, &pieces);
    assert_eq!(content_length(&answers), 2 * 65_536);
    let ended = answers
        .iter()
        .filter(|it| it.kind == DATA && it.has(END_STREAM));
    assert_eq!(ended.map(|it| it.stream).collect::<Vec<_>>(), [1, 3]);
}

fn content_length(frames: &[Frame]) -> usize {
    let data = frames.iter().filter(|it| it.kind == DATA);
    data.map(|it| it.payload.len()).sum()
}

#[test]
fn content_of_requests_is_credited_and_answered_at_its_end() {
    let template = Template::new(0, true, false);
    let batch = [
        frames::headers(1, END_HEADERS, b""),
        frames::data(1, 0, b"abc"),
        frames::padded_data(1, 0, b"", 4),
        frames::data(1, 0, &[0; 16_384]).repeat(4),
        frames::headers(3, 0, b""),
        frames::continuation(3, END_HEADERS, b""),
        frames::data(1, END_STREAM, b""),
        frames::headers(3, GET, b"trailers"),
    ];
    let answers = answer(&template, &[batch.concat()]);
    assert_eq!(
        kinds(&answers),
        [
            (WINDOW_UPDATE, 1, 4),
            (1, 1, template.first.as_ref().unwrap().len()),
            (1, 3, template.indexed.len()),
            (WINDOW_UPDATE, 0, 4),
        ]
    );
    // Once for the stream, and once for the connection at the end of the batch.
    assert_eq!(answers[0].number(0), Some(65_544));
    assert_eq!(answers[3].number(0), Some(65_544));
}

#[test]
fn long_content_is_written_in_parts() {
    let template = Template::new(600_000, true, false);
    let mut machine = Machine::new(&template);
    let batch = [
        PREFACE,
        &settings(&[(INITIAL_WINDOW_SIZE, 1 << 20)]),
        &window_update(0, 1 << 20),
        &frames::headers(1, GET, b""),
    ];
    let (mut out, mut writes) = (Vec::new(), Vec::new());
    machine.take(&batch.concat(), &mut out).unwrap();
    while machine.has_more() {
        assert!((OUT_BYTES_MAX..OUT_BYTES_MAX + PAYLOAD_BYTES_MAX + 64).contains(&out.len()));
        writes.append(&mut out);
        machine.go_on(&mut out);
    }
    writes.append(&mut out);
    let data: Vec<Frame> = frames::parse(&writes)
        .into_iter()
        .filter(|it| it.kind == DATA)
        .collect();
    let content: Vec<u8> = data.iter().flat_map(|it| it.payload.clone()).collect();
    assert!(content == crate::pattern(600_000));
    assert!(data.last().unwrap().has(END_STREAM));
}

#[test]
fn settings_and_pings_are_acknowledged() {
    let template = Template::new(0, true, false);
    let pieces = [
        settings(&[]),
        settings_ack(),
        frames::ping(false, *b"12345678"),
        frames::ping(true, *b"abcdefgh"),
    ];
    let answers = answer(&template, &pieces);
    assert_eq!(answers.len(), 2);
    assert_eq!((answers[0].kind, answers[0].flags), (SETTINGS, ACK));
    assert_eq!(answers[1].payload, b"12345678");
}

#[test]
fn split_anywhere_the_answers_are_the_same() {
    let template = Template::new(100, true, false);
    let whole = [
        settings(&[(INITIAL_WINDOW_SIZE, 50)]),
        frames::headers(1, GET, b"x"),
        window_update(1, 50),
        frames::headers(3, END_HEADERS, b"x"),
        frames::data(3, END_STREAM, b""),
    ]
    .concat();
    let at_once = answer(&template, std::slice::from_ref(&whole));
    let pieces: Vec<Vec<u8>> = whole.iter().map(|byte| vec![*byte]).collect();
    let in_pieces = answer(&template, &pieces);
    let of_stream = |frames: &[Frame], stream| -> (usize, usize) {
        let of: Vec<Frame> = frames
            .iter()
            .filter(|it| it.stream == stream)
            .cloned()
            .collect();
        (of.len(), content_length(&of))
    };
    for stream in [0, 1, 3] {
        assert_eq!(of_stream(&at_once, stream), of_stream(&in_pieces, stream));
    }
    assert_eq!(of_stream(&at_once, 1), (3, 100));
}

#[test]
fn broken_framing_is_noticed() {
    let template = Template::new(13, true, false);
    let cases = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        [PREFACE, &frames::with_length(16_385, 0, 0, 1, b"")].concat(),
        [PREFACE, &frames::raw(PING, 0, 0, b"short")].concat(),
        [PREFACE, &window_update(0, 0x7fff_ffff)].concat(),
        [PREFACE, &settings(&[(MAX_FRAME_SIZE, 0)])].concat(),
    ];
    for (at, bytes) in cases.iter().enumerate() {
        let taken = Machine::new(&template).take(bytes, &mut Vec::new());
        assert!(taken.is_err(), "case {at}");
    }
}
