use std::time::Duration;

use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::super::encode::{Asks, DefaultFields};
use super::*;

#[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
fn now() -> Instant {
    Instant::now()
}

/// A half whose request has this content, announced with this length.
fn begun(body: BodyLength, content: ContentSource, expect_continue: bool) -> SendHalf {
    let (headers, defaults) = (HeaderMap::new(), DefaultFields::default());
    let head = RequestHead {
        method: &Method::POST,
        target: "/",
        authority: "a.test",
        headers: &headers,
        defaults: &defaults,
        head_template: &defaults.head_template("a.test"),
        body,
        asks: match expect_continue {
            true => Asks::Continue,
            false => Asks::Nothing,
        },
    };
    let mut half = SendHalf::default();
    half.begin(&head, content).unwrap();
    half
}

/// Writes all that is to be written now, `most` bytes at a time, and flushes.
fn write_out(half: &mut SendHalf, slice: &[u8], most: usize, now: Instant) -> Vec<u8> {
    let mut wire = Vec::new();
    while half.next_step() == SendStep::Write {
        let (out, rest) = half.unsent(slice);
        let mut bytes = [out, rest].concat();
        assert!(!bytes.is_empty(), "a write of nothing");
        bytes.truncate(most);
        half.wrote(bytes.len());
        wire.extend(bytes);
    }
    assert_eq!(half.next_step(), SendStep::Flush);
    half.flushed(now);
    wire
}

/// All bytes of a request, one written at a time: pieces are given as they are asked for.
fn wire_of(half: &mut SendHalf, pieces: &[&[u8]]) -> Result<Vec<u8>, SendError> {
    let start = now();
    let mut pieces = pieces.iter();
    let mut wire = write_out(half, &[], 1, start);
    while half.next_step() == SendStep::NeedContent {
        match pieces.next() {
            Some(piece) => half.push(piece)?,
            None => half.finish()?,
        }
        if half.next_step() == SendStep::Write {
            wire.extend(write_out(half, &[], 1, start));
        }
    }
    Ok(wire)
}

fn content_of(wire: &[u8]) -> &[u8] {
    let end = wire.windows(4).position(|window| window == b"\r\n\r\n");
    &wire[end.expect("the head ends") + 4..]
}

#[test]
fn request_without_content_is_over_with_its_head() {
    let mut half = begun(BodyLength::None, ContentSource::Slice, true);
    let wire = write_out(&mut half, &[], 1, now());
    assert!(wire.ends_with(b"\r\n\r\n") && half.is_complete());
    assert_eq!(half.sent_bytes(), wire.len() as u64);
    assert_eq!(half.next_step(), SendStep::Over);
}

#[test]
fn slice_is_lent_to_each_write_from_where_the_last_one_ended() {
    let content: Vec<u8> = (0..=255).collect();
    for most in [1, 7, 100, usize::MAX] {
        let mut half = begun(BodyLength::Known(256), ContentSource::Slice, false);
        let wire = write_out(&mut half, &content, most, now());
        assert_eq!(content_of(&wire), content, "{most} bytes at a time");
        assert!(half.is_complete());
    }
}

#[test]
fn inlined_content_leaves_with_the_head() {
    let mut half = begun(BodyLength::Known(5), ContentSource::Slice, false);
    half.inline(b"hello");
    let (out, rest) = half.unsent(b"hello");
    assert!(out.ends_with(b"\r\n\r\nhello") && rest.is_empty());
}

#[test]
fn content_waits_for_100_continue_whatever_its_source() {
    let start = now();
    for source in [ContentSource::Slice, ContentSource::Pieces] {
        let mut half = begun(BodyLength::Known(5), source, true);
        if source == ContentSource::Slice {
            half.inline(b"hello");
        }
        let head = write_out(&mut half, b"hello", 1, start);
        assert!(head.ends_with(b"expect: 100-continue\r\n\r\n"));
        assert_eq!(half.next_step(), SendStep::AwaitContinue(start));
        assert!(!half.is_over());
        assert!(half.proceed());
        assert!(!half.proceed(), "a second 100 Continue changes nothing");
        if source == ContentSource::Pieces {
            assert_eq!(half.next_step(), SendStep::NeedContent);
            half.push(b"hello").unwrap();
        }
        let content = write_out(&mut half, b"hello", 1, start + Duration::from_secs(1));
        assert_eq!(content, b"hello");
    }
}

#[test]
fn pieces_are_framed_by_what_was_announced() {
    let pieces: [&[u8]; 3] = [b"ab", b"", b"cde"];
    let mut known = begun(BodyLength::Known(5), ContentSource::Pieces, false);
    let wire = wire_of(&mut known, &pieces).unwrap();
    assert_eq!(content_of(&wire), b"abcde");
    let mut unknown = begun(BodyLength::Unknown, ContentSource::Pieces, false);
    let wire = wire_of(&mut unknown, &pieces).unwrap();
    assert_eq!(content_of(&wire), b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
    for half in [known, unknown] {
        assert!(half.is_complete());
    }
}

#[test]
fn pieces_of_another_length_than_announced_are_an_error() {
    let length = |announced, pieces: &[&[u8]]| {
        let mut half = begun(BodyLength::Known(announced), ContentSource::Pieces, false);
        wire_of(&mut half, pieces)
    };
    let error = |announced, given| Err(SendError::Length { announced, given });
    assert_eq!(length(3, &[b"ab"]), error(3, 2));
    assert_eq!(length(3, &[b"ab", b"cd", b"ef"]), error(3, 4));
    assert_eq!(length(1, &[]), error(1, 0));
    assert!(length(0, &[]).is_ok());
}

#[test]
fn stopped_half_is_over_and_not_complete() {
    let mut half = begun(BodyLength::Unknown, ContentSource::Pieces, false);
    half.stop();
    assert!(half.is_over() && !half.is_complete());
    assert_eq!(half.next_step(), SendStep::Over);
}

#[test]
fn request_that_cannot_be_written_leaves_nothing_to_send() {
    let (headers, defaults) = (HeaderMap::new(), DefaultFields::default());
    let mut half = begun(BodyLength::Known(5), ContentSource::Slice, false);
    let refused = RequestHead {
        method: &Method::CONNECT,
        target: "/",
        authority: "a.test",
        headers: &headers,
        defaults: &defaults,
        head_template: &[],
        body: BodyLength::None,
        asks: Asks::Nothing,
    };
    assert_eq!(
        half.begin(&refused, ContentSource::Slice),
        Err(EncodeError::Connect)
    );
    assert!(half.is_complete() && half.unsent(&[]).0.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// The bytes on the wire do not depend on how many of them each write takes.
    #[test]
    fn any_split_of_the_writes_gives_the_same_bytes(
        content in prop::collection::vec(any::<u8>(), 0..300),
        most in 1..300usize,
    ) {
        let length = BodyLength::Known(content.len() as u64);
        let mut half = begun(length, ContentSource::Slice, false);
        let wire = write_out(&mut half, &content, most, now());
        prop_assert_eq!(content_of(&wire), &content[..]);
    }
}

/// What follows the content of a chunked request with these trailers.
fn trailer_section(fields: &[(&'static str, &str)]) -> Result<String, SendError> {
    let mut half = begun(BodyLength::Unknown, ContentSource::Pieces, false);
    write_out(&mut half, &[], usize::MAX, now());
    half.push(b"content")?;
    write_out(&mut half, &[], usize::MAX, now());
    let trailers = fields.iter().map(|(name, value)| {
        let value = value.parse().unwrap();
        (http::HeaderName::from_static(name), value)
    });
    half.finish_with_trailers(&trailers.collect())?;
    let wire = write_out(&mut half, &[], 1, now());
    assert!(half.is_complete());
    Ok(String::from_utf8(wire).unwrap())
}

#[test]
fn trailers_follow_the_last_chunk() {
    assert_eq!(
        trailer_section(&[("digest", "a"), ("x-b", "c")]).unwrap(),
        "0\r\ndigest: a\r\nx-b: c\r\n\r\n"
    );
    assert_eq!(trailer_section(&[]).unwrap(), "0\r\n\r\n");
}

#[test]
fn fields_that_are_no_trailers_are_refused() {
    for name in [
        "content-length",
        "transfer-encoding",
        "host",
        "authorization",
        "trailer",
        "cookie",
        "if-match",
        "content-type",
    ] {
        let refused = trailer_section(&[("x-a", "1"), (name, "1")]);
        let expected = SendError::TrailerField(http::HeaderName::from_static(name));
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn trailer_section_is_bounded_like_a_head() {
    use super::super::encode::REQUEST_HEAD_BYTES_MAX;

    let room = REQUEST_HEAD_BYTES_MAX - "x-a: \r\n".len();
    trailer_section(&[("x-a", &"v".repeat(room))]).unwrap();
    let max = REQUEST_HEAD_BYTES_MAX;
    assert_eq!(
        trailer_section(&[("x-a", &"v".repeat(room + 1))]),
        Err(SendError::TrailersTooLarge { max })
    );
}

#[test]
fn content_of_known_length_has_no_trailers() {
    let mut half = begun(BodyLength::Known(2), ContentSource::Pieces, false);
    write_out(&mut half, &[], usize::MAX, now());
    half.push(b"ab").unwrap();
    write_out(&mut half, &[], usize::MAX, now());
    let mut trailers = HeaderMap::new();
    trailers.insert("x-a", "1".parse().unwrap());
    half.finish_with_trailers(&trailers).unwrap();
    assert!(half.is_complete());
}
