use proptest::prelude::*;

use super::*;

/// The events of a stream that arrives in these pieces, as type, data and id, and its last `retry`.
fn read(pieces: &[&[u8]]) -> (Vec<(String, String, String)>, Option<u64>) {
    let mut parser = EventParser::new(1024);
    let mut events = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(Event { event, data, id }) = parser.next(&mut piece).unwrap() {
            events.push((event, data, id));
        }
        assert!(piece.is_empty());
    }
    (events, parser.retry_ms())
}

fn event(event: &str, data: &str, id: &str) -> (String, String, String) {
    (event.to_owned(), data.to_owned(), id.to_owned())
}

/// A stream, and its events as type, data and id.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
);

#[test]
fn streams_are_read_as_the_standard_says() {
    let cases: [Case; 17] = [
        ("data: a\n\n", &[("message", "a", "")]),
        (
            "data: YHOO\ndata: +2\ndata: 10\n\n",
            &[("message", "YHOO\n+2\n10", "")],
        ),
        (
            ": comment\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
            &[
                ("message", "first", "1"),
                ("message", "second", ""),
                ("message", " third", ""),
            ],
        ),
        (
            "data\n\ndata\ndata\n\ndata:",
            &[("message", "", ""), ("message", "\n", "")],
        ),
        (
            "data:test\n\ndata: test\n\n",
            &[("message", "test", ""), ("message", "test", "")],
        ),
        (
            "event: add\ndata: 1\n\nevent\ndata: 2\n\n",
            &[("add", "1", ""), ("message", "2", "")],
        ),
        // Without data nothing is dispatched, and the type is forgotten; the id is not.
        ("event: add\nid: 7\n\ndata: 1\n\n", &[("message", "1", "7")]),
        ("id: a\0b\ndata: 1\n\n", &[("message", "1", "")]),
        (
            "id: 1\ndata: 1\n\nid: 2\0\ndata: 2\n\n",
            &[("message", "1", "1"), ("message", "2", "1")],
        ),
        ("\u{feff}data: a\n\n", &[("message", "a", "")]),
        (
            "\u{feff}\u{feff}data: a\n\ndata: b\n\n",
            &[("message", "b", "")],
        ),
        (
            "data: a\r\rdata: b\r\n\r\ndata: c\n\r",
            &[
                ("message", "a", ""),
                ("message", "b", ""),
                ("message", "c", ""),
            ],
        ),
        ("\n\r\n\rdata: a\n\n\n\n", &[("message", "a", "")]),
        (
            "data: a:b: c\nother: x\nData: y\n data: z\n\n",
            &[("message", "a:b: c", "")],
        ),
        ("data: no blank line\n", &[]),
        ("data: no end of line", &[]),
        ("", &[]),
    ];
    for (stream, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|(a, b, c)| event(a, b, c)).collect();
        assert_eq!(read(&[stream.as_bytes()]).0, expected, "{stream:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let (events, _) = read(&[b"data: a\xffb\n\n"]);
    assert_eq!(events, [event("message", "a\u{fffd}b", "")]);
}

#[test]
fn retry_takes_digits_only() {
    for (line, expected) in [
        ("retry: 10", Some(10)),
        ("retry:0", Some(0)),
        ("retry: -1", None),
        ("retry: 1s", None),
        ("retry: +1", None),
        ("retry", None),
        ("retry: 99999999999999999999999", Some(u64::MAX)),
    ] {
        let stream = format!("{line}\n");
        assert_eq!(read(&[stream.as_bytes()]).1, expected, "{line:?}");
    }
}

#[test]
fn lines_and_events_are_bounded() {
    let run = |stream: &str| EventParser::new(10).next(&mut stream.as_bytes());
    let refused = Err(EventTooLarge { max: 10 });
    assert_eq!(run("data:12345"), Ok(None));
    assert_eq!(run("data:123456"), refused);
    assert_eq!(run(": 45678901"), Ok(None));
    assert_eq!(run(": 456789012\n"), refused);
    // Each line fits, and all together do not: "1234\n1234\n" has ten bytes.
    let event = run("data:1234\ndata:1234\n\n").unwrap().unwrap();
    assert_eq!(event.data, "1234\n1234");
    assert_eq!(run("data:1234\ndata:1234\ndata:1\n\n"), refused);
    assert_eq!(run("event:1234\ndata:1234\ndata:12\n\n"), refused);
}

#[test]
fn a_stream_goes_on_behind_an_id() {
    let mut parser = EventParser::new(1024).after("7");
    let event = parser.next(&mut &b"data: a\n\n"[..]).unwrap().unwrap();
    assert_eq!((&*event.id, parser.last_id()), ("7", "7"));
}

/// Texts of which lines, fields and their corners are made.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "data", "event", "id", "retry", ":", ": ", " ", "\r", "\n", "\r\n", "\n\n", "a", "7", "\0",
        "\u{feff}", "\u{e4}",
    ]);
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(stream in streams(), cuts in prop::collection::vec(0_usize..200, 0..12)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        cuts.push(stream.len());
        let mut start = 0;
        let pieces = cuts.into_iter().map(|cut| &stream[std::mem::replace(&mut start, cut)..cut]);
        let pieces: Vec<&[u8]> = pieces.collect();
        prop_assert_eq!(read(&pieces), read(&[&stream]));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(read(&bytes), read(&[&stream]));
    }
}
