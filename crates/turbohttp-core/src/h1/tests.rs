use http::header::HeaderMap;
use proptest::prelude::*;

use super::encode::tests::request;
use super::encode::{Asks, BodyLength, DefaultFields, RequestHead, chunk_head};
use super::framing::Framing;
use super::*;
use crate::head::ResponseHead;

/// What became of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    trailers: Vec<(String, Vec<u8>)>,
    framing: Framing,
    body: Vec<u8>,
    reuse: Reuse,
}

/// Feeds `pieces` to an exchange as a driver would, then ends the stream.
fn receive<'a>(
    to_head: bool,
    limits: HeadLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Outcome, ParseError> {
    let mut exchange = Exchange::new(to_head, false, limits);
    let mut head = ResponseHead::default();
    let mut input = Vec::new();
    let mut body = Vec::new();
    let mut in_body = false;
    for piece in pieces {
        input.extend_from_slice(piece);
        if !in_body {
            in_body = receive_heads(&mut exchange, &mut head, &mut input)?;
        }
        if in_body {
            receive_body(&mut exchange, &mut head, &mut input, &mut body)?;
        }
    }
    if !in_body {
        return Err(exchange.end_of_stream_in_head(input.len()));
    }
    exchange.decoder_mut().end_of_stream()?;
    let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    Ok(Outcome {
        status: head.status().as_u16(),
        fields: head.iter().map(owned).collect(),
        trailers: head.trailers().map(owned).collect(),
        framing: exchange.framing(),
        body,
        reuse: exchange.reuse(input.len()),
    })
}

fn receive_heads(
    exchange: &mut Exchange,
    head: &mut ResponseHead,
    input: &mut Vec<u8>,
) -> Result<bool, ParseError> {
    while !input.is_empty() {
        match exchange.receive_head(input, head)? {
            HeadStep::NeedMore => return Ok(false),
            HeadStep::Interim { consumed, .. } => {
                input.drain(..consumed);
                head.reset();
            }
            HeadStep::Final { consumed } => {
                input.drain(..consumed);
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn receive_body(
    exchange: &mut Exchange,
    head: &mut ResponseHead,
    input: &mut Vec<u8>,
    body: &mut Vec<u8>,
) -> Result<(), ParseError> {
    while !exchange.is_done() && !input.is_empty() {
        let decoded = exchange.decode(input, head)?;
        assert!(decoded.data.end <= decoded.consumed && decoded.consumed <= input.len());
        body.extend_from_slice(&input[decoded.data.clone()]);
        assert!(decoded.consumed > 0, "a decoder with input makes progress");
        input.drain(..decoded.consumed);
    }
    Ok(())
}

fn whole(bytes: &[u8]) -> Result<Outcome, ParseError> {
    receive(false, HeadLimits::default(), [bytes])
}

fn body_of(bytes: &[u8]) -> Vec<u8> {
    whole(bytes).unwrap().body
}

#[track_caller]
fn refused(bytes: &[u8], error: ParseError) {
    assert_eq!(
        whole(bytes),
        Err(error),
        "{}",
        String::from_utf8_lossy(bytes)
    );
}

#[test]
fn bodies_end_where_their_framing_says() {
    assert_eq!(
        body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        b"hello"
    );
    assert_eq!(
        body_of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1 \r\n!\r\n0\r\n\r\n"),
        b"hello!"
    );
    assert_eq!(body_of(b"HTTP/1.1 200 OK\r\n\r\nto the end"), b"to the end");
    assert_eq!(body_of(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), b"");
    assert_eq!(body_of(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), b"ok");
}

/// Receives a response of which all is there, decoding its body in place.
fn receive_in_place(bytes: &[u8]) -> Result<(Outcome, Option<ParseError>), ParseError> {
    let mut exchange = Exchange::new(false, false, HeadLimits::default());
    let (mut head, mut input) = (ResponseHead::default(), bytes.to_vec());
    if !receive_heads(&mut exchange, &mut head, &mut input)? {
        return Err(exchange.end_of_stream_in_head(input.len()));
    }
    let all = exchange.decode_all(&mut input, &mut head);
    assert!(all.data.end <= all.consumed && all.consumed <= input.len());
    let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    let outcome = Outcome {
        status: head.status().as_u16(),
        fields: head.iter().map(owned).collect(),
        trailers: head.trailers().map(owned).collect(),
        framing: exchange.framing(),
        body: input[all.data].to_vec(),
        reuse: exchange.reuse(input.len() - all.consumed),
    };
    Ok((outcome, all.error))
}

#[test]
fn body_that_is_all_there_is_decoded_in_place() {
    for (bytes, expected) in [
        (&b"content-length: 5\r\n\r\nhello"[..], &b"hello"[..]),
        (b"content-length: 5\r\n\r\nhello, and more", b"hello"),
        (b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        (
            b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"hello",
        ),
        (
            b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n2;x\r\nbc\r\n3\r\ndef\r\n0\r\nt: u\r\n\r\n",
            b"abcdef",
        ),
    ] {
        let bytes = [b"HTTP/1.1 200 OK\r\n", bytes].concat();
        let (in_place, error) = receive_in_place(&bytes).unwrap();
        assert_eq!((&in_place.body[..], error), (expected, None));
        assert_eq!(in_place, whole(&bytes).unwrap());
    }
}

#[test]
fn data_before_a_fault_is_kept_when_decoded_in_place() {
    let bytes =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\nx\r\n\r\n";
    let (outcome, error) = receive_in_place(bytes).unwrap();
    assert_eq!(
        (&outcome.body[..], error),
        (&b"ab"[..], Some(ParseError::ChunkSize))
    );
    assert_eq!(outcome.reuse, Reuse::Close(CloseReason::BodyUnread));
}

/// What looks like the end of a chunked body may be data.
#[test]
fn blank_line_inside_a_chunk_does_not_end_the_body() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut exchange = Exchange::new(false, false, HeadLimits::default());
    let (mut head, mut input) = (ResponseHead::default(), head.to_vec());
    receive_heads(&mut exchange, &mut head, &mut input).unwrap();
    let mut input = b"9\r\nabcde\r\n\r\n".to_vec();
    assert!(exchange.may_hold_rest(&input));
    let all = exchange.decode_all(&mut input, &mut head);
    assert_eq!(
        (&input[all.data], all.consumed),
        (&b"abcde\r\n\r\n"[..], input.len())
    );
    assert!(!exchange.is_done());
    let mut rest = b"\r\n0\r\n\r\n".to_vec();
    let all = exchange.decode_all(&mut rest, &mut head);
    assert!(all.data.is_empty() && all.consumed == rest.len() && exchange.is_done());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
fn response_to_a_request_that_is_not_out_costs_the_connection() {
    let (headers, defaults) = (HeaderMap::new(), DefaultFields::default());
    let mut exchange = Exchange::new(false, false, HeadLimits::default());
    let request = RequestHead {
        body: BodyLength::Known(1),
        ..request(&headers, &defaults, "/")
    };
    exchange.begin(&request, ContentSource::Slice).unwrap();
    let (mut head, answer) = (ResponseHead::default(), b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(matches!(
        exchange.receive_head(answer, &mut head),
        Ok(HeadStep::Final { .. })
    ));
    let closes = Reuse::Close(CloseReason::RequestUnfinished);
    assert_eq!(exchange.reuse(0), closes);
    let (out, rest) = exchange.send_half().unsent(b"x");
    let length = out.len() + rest.len();
    exchange.send_half_mut().wrote(length);
    assert_eq!(exchange.reuse(0), closes, "not flushed yet");
    exchange.send_half_mut().flushed(std::time::Instant::now());
    assert_eq!(exchange.reuse(0), Reuse::Keep);
}

#[test]
fn switch_of_protocols_ends_http_on_the_connection_where_it_was_asked_for() {
    let (headers, defaults) = (HeaderMap::new(), DefaultFields::default());
    let answer = |upgrade, bytes: &[u8]| {
        let mut exchange = Exchange::new(false, false, HeadLimits::default());
        let request = RequestHead {
            asks: match upgrade {
                true => Asks::Upgrade,
                false => Asks::Nothing,
            },
            ..request(&headers, &defaults, "/")
        };
        exchange.begin(&request, ContentSource::Slice).unwrap();
        let step = exchange.receive_head(bytes, &mut ResponseHead::default());
        (step, exchange.framing(), exchange.reuse(0))
    };
    // A length says nothing about the other protocol.
    let head = b"HTTP/1.1 101 X\r\nContent-Length: 1\r\n\r\n";
    let consumed = head.len();
    let (step, framing, reuse) = answer(true, head);
    assert_eq!(step, Ok(HeadStep::Final { consumed }));
    assert_eq!(framing, Framing::CloseDelimited);
    assert_eq!(reuse, Reuse::Close(CloseReason::Upgraded));
    let refused = Err(ParseError::UnexpectedUpgrade);
    assert_eq!(answer(false, head).0, refused);
    assert_eq!(answer(true, b"HTTP/1.0 101 X\r\n\r\n").0, refused);
    // The answer may decline, and interim heads may come before it.
    let declined = b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answer(true, declined).1, Framing::None);
}

#[test]
fn some_responses_have_no_body_whatever_they_say() {
    let length =
        |status: u16| format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n").into_bytes();
    for status in [204, 304] {
        let outcome = whole(&length(status)).unwrap();
        assert_eq!(
            (outcome.framing, outcome.reuse),
            (Framing::None, Reuse::Keep)
        );
    }
    let to_head = receive(true, HeadLimits::default(), [&length(200)[..]]).unwrap();
    assert_eq!(
        (to_head.framing, to_head.reuse),
        (Framing::None, Reuse::Keep)
    );
}

#[test]
fn ambiguous_lengths_are_refused() {
    for value in [
        "5, 5",
        "+5",
        "-1",
        "0x5",
        "5 5",
        "",
        "18446744073709551616",
        "5,",
        "1e1",
        "٥",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\nhello");
        refused(bytes.as_bytes(), ParseError::ContentLength);
    }
    refused(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        ParseError::ContentLength,
    );
    for value in [
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,, chunked",
        "identity, gzip",
        "xchunked",
        "chunked;q=1",
        "chunked chunked",
        "\"chunked\"",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {value}\r\n\r\n0\r\n\r\n");
        refused(bytes.as_bytes(), ParseError::TransferEncoding);
    }
    refused(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ParseError::TransferEncoding,
    );
}

/// Spellings that are legal or that nearly all clients take; what another recipient may read differently
/// costs the connection.
#[test]
fn unusual_transfer_encodings_are_taken_and_the_connection_closed() {
    let chunked = "2\r\nok\r\n0\r\n\r\n";
    for (head, body) in [
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", chunked),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked",
            chunked,
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", chunked),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED", chunked),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: , chunked", chunked),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked ,", chunked),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: ,\t,chunked,,",
            chunked,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked",
            chunked,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            chunked,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2",
            "ok",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 2",
            "ok",
        ),
    ] {
        let outcome = whole(format!("{head}\r\n\r\n{body}").as_bytes()).expect(head);
        assert_eq!(outcome.body, b"ok", "{head}");
        assert!(matches!(outcome.reuse, Reuse::Close(_)), "{head}");
    }
    // Exactly as it is written everywhere, it costs nothing; blanks around a value are no part of it.
    for value in ["chunked", "chunked \t", "\t chunked"] {
        let outcome = whole(
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding:{value}\r\n\r\n{chunked}").as_bytes(),
        );
        assert_eq!(outcome.unwrap().reuse, Reuse::Keep, "{value:?}");
    }
}

/// RFC 9112 section 6.3 rule 1: they end at the blank line, whatever their framing fields say.
#[test]
fn responses_without_a_body_end_at_the_blank_line() {
    for fields in [
        "Content-Length: 5",
        "Content-Length: x",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked, chunked",
    ] {
        for (to_head, status) in [
            (true, "200 OK"),
            (false, "304 Not Modified"),
            (false, "204 No Content"),
        ] {
            let bytes = format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n");
            let mut exchange = Exchange::new(to_head, false, HeadLimits::default());
            let step = exchange.receive_head(bytes.as_bytes(), &mut ResponseHead::default());
            let consumed = bytes.len();
            assert_eq!(step, Ok(HeadStep::Final { consumed }), "{bytes:?}");
            assert!(exchange.is_done(), "{bytes:?}");
            // Of fields that are in order only the length of another response is told.
            let is_plain = fields == "Content-Length: 5";
            let reuse = exchange.reuse(0);
            assert_eq!(reuse == Reuse::Keep, is_plain, "{bytes:?}");
        }
    }
}

#[test]
fn both_framings_mean_chunked_and_then_close() {
    let outcome = whole(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    )
    .unwrap();
    assert_eq!(outcome.body, b"ok");
    assert_eq!(outcome.reuse, Reuse::Close(CloseReason::AmbiguousFraming));
}

#[test]
fn broken_chunks_are_refused() {
    let chunked =
        |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for body in [
        "g\r\n",
        "\r\n",
        ";x\r\n",
        "-1\r\n",
        "0x5\r\n",
        "5\nhello",
        "5 5\r\n",
        " 5\r\n",
        "10000000000000000\r\n",
    ] {
        refused(chunked(body).as_bytes(), ParseError::ChunkSize);
    }
    for body in [
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
    ] {
        refused(chunked(body).as_bytes(), ParseError::ChunkEnd);
    }
    for body in ["0\r\nbad trailer\r\n\r\n", "0\r\nx: y\n\r\n", "0\r\n\n"] {
        refused(chunked(body).as_bytes(), ParseError::Trailers);
    }
    let extension = format!("1;{}\r\n", "x".repeat(17 * 1024));
    refused(
        chunked(&extension).as_bytes(),
        ParseError::ChunkExtensions { max: 16 * 1024 },
    );
    let zeros = format!("{}5\r\n", "0".repeat(100));
    refused(chunked(&zeros).as_bytes(), ParseError::ChunkSize);
    refused(chunked("1;a\nb\r\n").as_bytes(), ParseError::ChunkSize);
}

#[test]
fn cut_messages_are_never_whole() {
    refused(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        ParseError::BodyTruncated { missing: Some(1) },
    );
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let head = chunked.len() - 15;
    for cut in head..chunked.len() {
        refused(&chunked[..cut], ParseError::BodyTruncated { missing: None });
    }
    refused(
        b"HTTP/1.1 200 OK\r\nX: y\r\n",
        ParseError::HeadTruncated { received: 23 },
    );
    refused(b"", ParseError::HeadTruncated { received: 0 });
}

#[test]
fn trailers_are_kept_apart_from_fields() {
    let outcome = whole(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nDigest: x\r\nContent-Length: 9\r\n\r\n",
    )
    .unwrap();
    assert_eq!(outcome.body, b"ok");
    assert_eq!(outcome.fields.len(), 1);
    assert_eq!(outcome.trailers[0], ("Digest".to_owned(), b"x".to_vec()));
    assert_eq!(outcome.reuse, Reuse::Keep);
}

#[test]
fn malformed_heads_are_refused() {
    refused(b"HTTP/2 200\r\n\r\n", ParseError::NotHttp);
    refused(b"220 smtp ready", ParseError::NotHttp);
    refused(b"\r\nHTTP/1.1 200 OK\r\n\r\n", ParseError::NotHttp);
    refused(b"HTTP/1.1 20 OK\r\n\r\n", ParseError::StatusLine);
    refused(b"HTTP/1.1  200 OK\r\n\r\n", ParseError::StatusLine);
    refused(b"HTTP/1.1 099 X\r\n\r\n", ParseError::StatusLine);
    refused(
        b"HTTP/1.1 200 OK\r\nname : value\r\n\r\n",
        ParseError::FieldName,
    );
    refused(
        b"HTTP/1.1 200 OK\r\nna me: value\r\n\r\n",
        ParseError::FieldName,
    );
    refused(b"HTTP/1.1 200 OK\r\n: value\r\n\r\n", ParseError::FieldName);
    refused(
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        ParseError::FieldName,
    );
    refused(
        b"HTTP/1.1 200 OK\r\nname: va\0lue\r\n\r\n",
        ParseError::FieldValue,
    );
    refused(
        b"HTTP/1.1 200 OK\r\nname: va\rlue\r\n\r\n",
        ParseError::FieldValue,
    );
    refused(
        b"HTTP/1.1 200 OK\r\n folded: first\r\n\r\n",
        ParseError::FieldName,
    );
}

#[test]
fn folded_lines_become_one() {
    let outcome =
        whole(b"HTTP/1.1 204 OK\r\nA: one\r\n two\r\n\tthree\r\nB: four\r\n\r\n").unwrap();
    assert_eq!(
        outcome.fields[0],
        ("A".to_owned(), b"one   two  \tthree".to_vec())
    );
    assert_eq!(outcome.fields[1], ("B".to_owned(), b"four".to_vec()));
    refused(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\n",
        ParseError::ContentLength,
    );
}

#[test]
fn interim_heads_are_passed_over_and_bounded() {
    let outcome = whole(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .unwrap();
    assert_eq!((outcome.status, outcome.body.as_slice()), (200, &b"ok"[..]));
    assert_eq!(
        outcome.fields.len(),
        1,
        "no field of an interim head is left"
    );
    let flood = b"HTTP/1.1 103 X\r\n\r\n".repeat(10_000);
    refused(&flood, ParseError::TooManyInterim { max: 65_536 });
    refused(
        b"HTTP/1.1 101 Switching\r\n\r\n",
        ParseError::UnexpectedUpgrade,
    );
}

#[test]
fn heads_are_bounded_at_the_limit_and_not_before() {
    let limits = HeadLimits::new(1_024, 4);
    let padded = |length: usize| {
        let mut head = b"HTTP/1.1 204 OK\r\nA: ".to_vec();
        head.resize(length - 4, b'x');
        head.extend_from_slice(b"\r\n\r\n");
        head
    };
    assert!(receive(false, limits, [&padded(1_024)[..]]).is_ok());
    let too_large = Err(ParseError::HeadTooLarge { max: 1_024 });
    assert_eq!(receive(false, limits, [&padded(1_025)[..]]), too_large);
    assert_eq!(
        receive(false, limits, [&padded(9_000)[..5_000]]),
        too_large,
        "without its end"
    );
    let fields = |n: usize| format!("HTTP/1.1 204 OK\r\n{}\r\n", "a: b\r\n".repeat(n)).into_bytes();
    assert!(receive(false, limits, [&fields(4)[..]]).is_ok());
    assert_eq!(
        receive(false, limits, [&fields(5)[..]]),
        Err(ParseError::TooManyFields { max: 4 })
    );
}

#[test]
fn connections_are_kept_by_the_rules() {
    let reuse = |head: &str, surplus: &str| {
        whole(format!("{head}Content-Length: 0\r\n\r\n{surplus}").as_bytes())
            .unwrap()
            .reuse
    };
    assert_eq!(reuse("HTTP/1.1 200 OK\r\n", ""), Reuse::Keep);
    assert_eq!(
        reuse("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", ""),
        Reuse::Keep
    );
    assert_eq!(
        reuse("HTTP/1.0 200 OK\r\n", ""),
        Reuse::Close(CloseReason::Http10)
    );
    assert_eq!(
        reuse("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n", ""),
        Reuse::Close(CloseReason::ServerClose)
    );
    assert_eq!(
        reuse("HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n"),
        Reuse::Close(CloseReason::SurplusBytes)
    );
    let unread = Exchange::new(false, true, HeadLimits::default());
    assert_eq!(unread.reuse(0), Reuse::Close(CloseReason::ClientClose));
}

/// Responses of every kind, right and wrong, as seeds for splitting and mutation.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        Just("HTTP/1.1 200 OK\r\n"),
        Just("HTTP/1.0 404 Not Found\r\n"),
        Just("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
        Just("HTTP/1.1 204 No Content\r\n"),
        Just("HTTP/1.1 200 OK\nx: y\n"),
        Just("HTTP/1.1 200 OK\r\na: b\r\n  c\r\n"),
    ];
    let framing = prop_oneof![
        Just("content-length: 11\r\n\r\nhello world"),
        Just("content-length: 5\r\n\r\nhello world"),
        Just(
            "transfer-encoding: chunked\r\n\r\n5;x\r\nhello\r\nA\r\n0123456789\r\n0\r\nt: u\r\n\r\n"
        ),
        Just("transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nsurplus"),
        Just("connection: close\r\n\r\neverything up to the end"),
        Just("content-length: 1\r\ncontent-length: 1\r\n\r\nx"),
    ];
    let flip = prop::option::weighted(0.5, (any::<prop::sample::Index>(), any::<u8>()));
    (head, framing, flip).prop_map(|(head, framing, flip)| {
        let mut bytes = [head, framing].concat().into_bytes();
        if let Some((at, byte)) = flip {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

    /// However the bytes are cut, the result is the same.
    #[test]
    fn any_split_gives_the_same_result(
        bytes in response(),
        to_head in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let limits = HeadLimits::default();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.insert(0, 0);
        cuts.push(bytes.len());
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        let split = receive(to_head, limits, pieces);
        let bytewise = receive(to_head, limits, bytes.chunks(1));
        let whole = receive(to_head, limits, [&bytes[..]]);
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(&bytewise, &whole);
    }

    /// Decoding in place finds the data, the trailers and the fault that decoding step by step finds.
    #[test]
    fn decoding_in_place_gives_the_same_result(bytes in response()) {
        match (receive_in_place(&bytes), whole(&bytes)) {
            (Ok((in_place, None)), Ok(stepwise)) => prop_assert_eq!(in_place, stepwise),
            // The rest of the body is missing.
            (Ok((_, None)), Err(error)) => {
                let is_truncated = matches!(error, ParseError::BodyTruncated { .. });
                prop_assert!(is_truncated, "{error}");
            }
            (Ok((_, Some(error))), stepwise) => prop_assert_eq!(stepwise, Err(error)),
            (Err(error), stepwise) => prop_assert_eq!(stepwise, Err(error)),
        }
    }

    /// What is encoded in chunks is decoded to the same.
    #[test]
    fn chunked_bodies_come_back_as_they_were(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..600), 0..20),
    ) {
        let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for piece in &pieces {
            chunk_head(&mut bytes, piece.len());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(encode::CHUNK_END);
        }
        bytes.extend_from_slice(encode::LAST_CHUNK);
        let outcome = whole(&bytes).unwrap();
        prop_assert_eq!(outcome.body, pieces.concat());
        prop_assert_eq!(outcome.reuse, Reuse::Keep);
    }

    /// No bytes make it panic.
    #[test]
    fn garbage_is_refused_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut input = b"HTTP/1.1 ".to_vec();
        input.extend_from_slice(&bytes);
        let _ = whole(&bytes);
        let _ = whole(&input);
    }
}
