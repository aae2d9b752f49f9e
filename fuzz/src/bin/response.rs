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
    assert_eq!(receive(to_head, limits, pieces(bytes, cuts)), whole, "split at the cuts");
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
    assert!(
        lengths.len() <= 1 && codings.len() <= 1,
        "a framing field that is repeated"
    );
    let status = StatusCode::from_u16(outcome.status).expect("it was parsed");
    assert!(!status.is_informational(), "an interim head is not final");
    let length = lengths.first().map(|value| {
        let text = std::str::from_utf8(value).expect("digits");
        assert!(
            text.bytes().all(|byte| byte.is_ascii_digit()),
            "a length of digits only"
        );
        text.parse::<u64>().expect("64 bits")
    });
    let bodiless = to_head || matches!(outcome.status, 204 | 304);
    let expected = match (bodiless, codings.first(), length) {
        (true, _, _) => Framing::None,
        (false, Some(coding), _) => {
            assert!(
                coding.eq_ignore_ascii_case(b"chunked"),
                "the one coding there is"
            );
            assert!(head.starts_with(b"HTTP/1.1"), "HTTP/1.0 has no codings");
            Framing::Chunked
        }
        (false, None, Some(0)) => Framing::None,
        (false, None, Some(length)) => Framing::Length(length),
        (false, None, None) => Framing::CloseDelimited,
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
    if !codings.is_empty() && length.is_some() {
        assert_ne!(
            outcome.reuse,
            Reuse::Keep,
            "two framings, and the connection is kept"
        );
    }
}
