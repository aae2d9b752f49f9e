use http::{StatusCode, Version};
use proptest::prelude::*;

use super::*;

/// What a head says: its length, version, status and fields.
type Said = (usize, Version, StatusCode, Vec<(String, Vec<u8>)>);

fn ours(input: &[u8], limits: HeadLimits) -> Result<Said, ParseError> {
    let mut head = ResponseHead::default();
    let length = parse(input, limits, &mut head)?;
    let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    let fields = head.iter().map(owned).collect();
    Ok((length, head.version(), head.status(), fields))
}

/// The same by httparse; `None` if it wants more.
fn theirs(input: &[u8], limits: HeadLimits) -> Option<Result<Said, ParseError>> {
    let mut table = vec![httparse::EMPTY_HEADER; limits.fields];
    let mut response = httparse::Response::new(&mut table);
    let parsed = response.parse(input);
    let status = match response.code.map(StatusCode::from_u16) {
        // Ours says so before it looks at the fields.
        Some(Err(_)) => return Some(Err(ParseError::StatusLine)),
        status => status,
    };
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(error) => return Some(Err(named(error, limits))),
    };
    let version = match response.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let status = status.unwrap().unwrap();
    Some(Ok((length, version, status, owned(response.headers))))
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let owned = |field: &httparse::Header<'_>| (field.name.to_owned(), field.value.to_vec());
    fields.iter().map(owned).collect()
}

fn named(error: httparse::Error, limits: HeadLimits) -> ParseError {
    match error {
        httparse::Error::HeaderName => ParseError::FieldName,
        httparse::Error::HeaderValue => ParseError::FieldValue,
        httparse::Error::NewLine => ParseError::LineEnd,
        httparse::Error::TooManyHeaders => ParseError::TooManyFields { max: limits.fields },
        _ => ParseError::StatusLine,
    }
}

fn trailers(section: &[u8], limits: HeadLimits) -> Result<Vec<(String, Vec<u8>)>, ParseError> {
    let mut head = ResponseHead::default();
    head.push("before", b"it");
    parse_trailers(section, limits, &mut head)?;
    assert_eq!(head.get("before"), Some(&b"it"[..]));
    let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    Ok(head.trailers().map(owned).collect())
}

/// Mostly what belongs into a line, seldom what does not.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        30 => any::<prop::sample::Index>().prop_map(|at| {
            let common = b"abcxyzABCXYZ019-_.!~ ;=/";
            common[at.index(common.len())]
        }),
        2 => Just(b'\t'),
        1 => any::<u8>(),
    ]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::collection::vec(
        byte().prop_filter("no white space", |byte| *byte > b' '),
        0..24,
    );
    let colon = prop::sample::select(vec![": ", ":", ":\t ", " : ", ":  ", ""]);
    let value = prop::collection::vec(byte(), 0..40);
    let end = prop_oneof![
        12 => Just("\r\n"),
        3 => Just("\n"),
        1 => prop::sample::select(vec!["\r", "\r\r\n", " \r\n", "\t\n", "\r\n ", ""]),
    ];
    (name, colon, value, end).prop_map(|(name, colon, value, end)| {
        [&name, colon.as_bytes(), &value, end.as_bytes()].concat()
    })
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    let blank = prop_oneof![
        6 => Just("\r\n"),
        2 => Just("\n"),
        1 => prop::sample::select(vec!["", "\r", "\r\r\n"]),
    ];
    let behind = prop::collection::vec(any::<u8>(), 0..12);
    (prop::collection::vec(line(), 0..5), blank, behind)
        .prop_map(|(lines, blank, behind)| [&lines.concat(), blank.as_bytes(), &behind].concat())
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let version = prop::sample::select(vec!["1 ", "0 ", "2 ", "1", "1  "]);
    let status = prop_oneof![4 => 100..600u16, 1 => 0..100u16];
    let reason = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(byte(), 0..20).prop_map(|text| [b" ", &text[..]].concat()),
    ];
    let end = prop::sample::select(vec!["\r\n", "\r\n", "\n", "\r", ""]);
    (version, status, reason, end, lines()).prop_map(|(version, status, reason, end, lines)| {
        let status = format!("HTTP/1.{version}{status:03}");
        [status.as_bytes(), &reason, end.as_bytes(), &lines].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_096) })]

    /// Where httparse has an answer, ours is the same; where it wants more, there is no head.
    #[test]
    fn heads_are_what_httparse_takes_them_for(
        mut input in head(),
        flip in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        fields_max in 0..8usize,
    ) {
        if let Some((at, byte)) = flip {
            // The scanner has looked at the prefix before.
            let at = PREFIX.len() + at.index(input.len() - PREFIX.len());
            input[at] = byte;
        }
        if let Some(cut) = cut {
            input.truncate(cut.index(input.len()).max(PREFIX.len()));
        }
        let limits = HeadLimits::new(65_536, fields_max);
        match theirs(&input, limits) {
            Some(said) => prop_assert_eq!(ours(&input, limits), said),
            None => prop_assert!(ours(&input, limits).is_err()),
        }
    }

    #[test]
    fn trailers_are_what_httparse_takes_them_for(section in lines(), fields_max in 0..8usize) {
        let mut table = vec![httparse::EMPTY_HEADER; fields_max];
        let theirs = match httparse::parse_headers(&section, &mut table) {
            Ok(httparse::Status::Complete((_, fields))) => Ok(owned(fields)),
            _ => Err(ParseError::Trailers),
        };
        prop_assert_eq!(trailers(&section, HeadLimits::new(65_536, fields_max)), theirs);
    }
}

/// Every byte at every place of a word, in a name, a value and a reason, and in a status line.
#[test]
fn each_byte_is_taken_or_refused_as_by_httparse() {
    let limits = HeadLimits::default();
    for byte in 0..=u8::MAX {
        for place in PREFIX.len()..17 {
            let mut input = *b"HTTP/1.1 200 OK\r\n\r\n";
            input[place] = byte;
            let said = theirs(&input, limits);
            if let Some(said) = said {
                assert_eq!(ours(&input, limits), said, "{}", input.escape_ascii());
            }
        }
        for place in 0..18 {
            let mut text = [b'x'; 18];
            text[place] = byte;
            for head in [
                [b"HTTP/1.1 200 OK\r\n", &text[..], b": v\r\n\r\n"],
                [b"HTTP/1.1 200 OK\r\nname: ", &text[..], b"\r\n\r\n"],
                [b"HTTP/1.1 200 ", &text[..], b"\r\nname: v\r\n\r\n"],
            ] {
                let input = head.concat();
                let said = theirs(&input, limits).unwrap();
                assert_eq!(ours(&input, limits), said, "{}", input.escape_ascii());
            }
        }
    }
}

#[test]
fn a_head_that_is_refused_leaves_no_field() {
    let mut head = ResponseHead::default();
    let refused = parse(
        b"HTTP/1.1 200 OK\r\na: b\r\nc\r\n\r\n",
        HeadLimits::default(),
        &mut head,
    );
    assert_eq!(refused, Err(ParseError::FieldName));
    assert!(head.is_empty());
    let refused = parse_trailers(b"a: b\r\nc\r\n\r\n", HeadLimits::default(), &mut head);
    assert_eq!(refused, Err(ParseError::Trailers));
    assert!(head.is_blank());
}

/// A piece of a head, of which folds and malformed lines are made.
fn scrap() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        ":",
        "a",
        "x: y",
        "bad line",
        "b : c",
        "\u{1}",
        "content-length",
        "transfer-encoding: chunked",
        "\r\n \r\n",
        "\r\n\t",
        "long-name-of-a-field: and a value that fills blocks",
    ])
}

/// The length of a head, how many lines were passed over, and its fields.
type WholeHead = (usize, usize, Vec<(String, Vec<u8>)>);

/// What the bytes of a head say that arrive in pieces of this size; `None` if it is not whole.
fn received(
    input: &[u8],
    piece_bytes: usize,
    limits: HeadLimits,
) -> Result<Option<WholeHead>, ParseError> {
    let (mut scanner, mut head) = (HeadScanner::default(), ResponseHead::default());
    let mut end = 0;
    while end < input.len() {
        end = (end + piece_bytes).min(input.len());
        if let Some(length) = scanner.receive(&input[..end], limits, &mut head)? {
            let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
            let fields = head.iter().map(owned).collect();
            return Ok(Some((length, head.skipped_fields(), fields)));
        }
    }
    Ok(None)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_096) })]

    /// However a head is cut, it says the same, where malformed lines are passed over as well.
    #[test]
    fn heads_say_the_same_however_they_are_cut(scraps in prop::collection::vec(scrap(), 0..16), is_lenient: bool, piece_bytes in 1..24usize) {
        let input = format!("HTTP/1.1 200 OK\r\n{}\r\n\r\nbody of the response", scraps.concat());
        let limits = HeadLimits::new(4_096, 32).lenient(is_lenient);
        let whole = received(input.as_bytes(), input.len(), limits);
        let cut = received(input.as_bytes(), piece_bytes, limits);
        match (&whole, &cut) {
            // An error may be found earlier, and be another one.
            (Err(_), Err(_)) => {}
            _ => prop_assert_eq!(whole, cut),
        }
    }
}
