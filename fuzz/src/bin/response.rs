//! Whole responses: any split gives the same result, and what is taken for a head is what httparse
//! reads by itself, framed as RFC 9112 section 6.3 says.
#![no_main]

use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use turbohttp_core::h1::framing::Framing;
use turbohttp_core::h1::{HeadLimits, Reuse};
use turbohttp_fuzz::{Field, Outcome, choices, pieces, receive, receive_in_place};

const FIELDS_MAX: usize = 64;

fuzz_target!(|input: &[u8]| {
    let (cuts, bytes) = choices(input);
    let limits = HeadLimits::new(4_096, FIELDS_MAX);
    let to_head = cuts.first().is_some_and(|cut| cut % 16 == 15);
    let whole = receive(to_head, limits, [bytes]);
    assert_eq!(
        receive(to_head, limits, pieces(bytes, cuts)),
        whole,
        "split at the cuts"
    );
    assert_eq!(
        receive(to_head, limits, bytes.chunks(1)),
        whole,
        "split byte by byte"
    );
    assert_eq!(
        receive_in_place(to_head, limits, bytes),
        whole,
        "decoded in place"
    );
    let Ok(outcome) = whole else {
        return;
    };
    let (start, end) = outcome.final_head;
    let head = &bytes[start..end];
    check_head(head, &outcome);
    check_framing(to_head, head, &outcome);
});

/// The same status and fields as httparse finds, folded lines joined by spaces.
fn check_head(head: &[u8], outcome: &Outcome) {
    let mut table = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut table);
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let parsed = config.parse_response(&mut response, head);
    assert_eq!(
        parsed,
        Ok(httparse::Status::Complete(head.len())),
        "httparse refuses it"
    );
    assert_eq!(response.code, Some(outcome.status), "status");
    let fields: Vec<Field> = response
        .headers
        .iter()
        .map(|field| (field.name.as_bytes().to_vec(), unfold(field.value)))
        .collect();
    assert_eq!(outcome.fields, fields, "fields");
}

fn unfold(value: &[u8]) -> Vec<u8> {
    let space = |byte: &u8| {
        if matches!(*byte, b'\r' | b'\n') {
            b' '
        } else {
            *byte
        }
    };
    value
        .iter()
        .map(space)
        .collect::<Vec<u8>>()
        .trim_ascii()
        .to_vec()
}

/// The framing, decided once more and in another way.
fn check_framing(to_head: bool, head: &[u8], outcome: &Outcome) {
    let values = |wanted: &str| -> Vec<&[u8]> {
        let named = |field: &&Field| field.0.eq_ignore_ascii_case(wanted.as_bytes());
        outcome
            .fields
            .iter()
            .filter(named)
            .map(|field| &field.1[..])
            .collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    let status = StatusCode::from_u16(outcome.status).expect("it was parsed");
    assert!(!status.is_informational(), "an interim head is not final");
    let bodiless = to_head || matches!(outcome.status, 204 | 304);
    let expected = match (
        bodiless,
        is_chunked(&codings, bodiless),
        length(&lengths, bodiless),
    ) {
        (true, _, _) => Framing::None,
        (false, true, _) => Framing::Chunked,
        (false, false, Some(0)) => Framing::None,
        (false, false, Some(length)) => Framing::Length(length),
        (false, false, None) => Framing::CloseDelimited,
    };
    assert_eq!(outcome.framing, expected, "framing");
    match outcome.framing {
        Framing::None => assert!(outcome.body.is_empty()),
        Framing::Length(length) => assert_eq!(outcome.body.len() as u64, length),
        Framing::Chunked => {}
        Framing::CloseDelimited => {
            assert_ne!(outcome.reuse, Reuse::Keep, "nothing is left to keep")
        }
    }
    let is_plain = codings.is_empty() || codings == [b"chunked"] && lengths.is_empty();
    let is_early = head.starts_with(b"HTTP/1.0") && !codings.is_empty();
    if !is_plain || is_early || lengths.len() > 1 {
        assert_ne!(
            outcome.reuse,
            Reuse::Keep,
            "another recipient may find another end, and the connection is kept"
        );
    }
}

/// Whether the codings are `chunked`, and not none; none other is taken where there is a body.
fn is_chunked(codings: &[&[u8]], bodiless: bool) -> bool {
    let elements = codings
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','));
    let named: Vec<&[u8]> = elements
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty() && !element.eq_ignore_ascii_case(b"identity"))
        .collect();
    let is_known = named
        .iter()
        .all(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    assert!(
        bodiless || is_known && named.len() <= 1,
        "the one coding there is"
    );
    !named.is_empty()
}

/// The length, if one is told: once, in digits, where there is a body.
fn length(lengths: &[&[u8]], bodiless: bool) -> Option<u64> {
    if bodiless {
        return None;
    }
    assert!(lengths.len() <= 1, "a length that is repeated");
    let value = lengths.first()?;
    assert!(
        value.iter().all(u8::is_ascii_digit),
        "a length of digits only"
    );
    let text = std::str::from_utf8(value).expect("digits");
    Some(text.parse().expect("64 bits"))
}
