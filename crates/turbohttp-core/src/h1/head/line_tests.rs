use proptest::prelude::*;

use super::*;

type Read<'a> = Option<(FieldSpan, &'a [u8])>;

/// What the two ways of reading a line make of it; the quick one may decline.
fn both(text: &[u8]) -> (Read<'_>, Read<'_>) {
    let quick = quick_line(text).map(|(name, value, behind)| {
        let field = FieldSpan::new(0, name, name + 2, value);
        (field, behind)
    });
    (quick, any_line(text, 0).ok())
}

/// Whatever is read quickly is read in the same way.
fn agree(text: &[u8]) {
    let (quick, any) = both(text);
    if quick.is_some() {
        assert_eq!(quick, any, "{}", text.escape_ascii());
    }
}

#[test]
fn every_byte_at_every_place_is_read_alike_or_left_alone() {
    let line = b"Content-Type: text/html; charset=utf-8\r\nserver: x, and what follows it";
    for at in 0..line.len() {
        for byte in 0..=u8::MAX {
            let mut text = line.to_vec();
            text[at] = byte;
            agree(&text);
        }
    }
}

#[test]
fn what_is_common_is_read_quickly() {
    let lines: [&[u8]; 5] = [
        b"date: Mon, 01 Jan 2024 00:00:00 GMT\r\nserver: somebody",
        b"Content-Length: 13\r\n\r\nHello, world!!!",
        b"vary: *\r\ncache-control: no-store",
        b"x-name: caf\xc3\xa9 au lait\r\ncache-control: no-store",
        b"etag: \"0123456789abcdef\"\r\n\r\n<!doctype html>",
    ];
    for line in lines {
        let (quick, any) = both(line);
        assert!(quick.is_some(), "{}", line.escape_ascii());
        assert_eq!(quick, any);
    }
}

#[test]
fn what_is_not_is_left_alone() {
    let lines: [&[u8]; 6] = [
        b"name: value \r\nserver: somebody else",
        b"name:value\r\nserver: somebody else",
        b"name:  value\r\nserver: somebody else",
        b"name: \r\nserver: somebody else, and more",
        b"name: value\nserver: somebody else",
        b"name: value\r\n",
    ];
    for line in lines {
        let (quick, any) = both(line);
        assert!(quick.is_none() && any.is_some(), "{}", line.escape_ascii());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn lines_are_read_alike(
        name in "[A-Za-z-]{0,20}",
        value in "[ -~]{0,40}",
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut text = format!("{name}: {value}\r\nserver: somebody else").into_bytes();
        for (at, byte) in changes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        agree(&text);
    }
}
