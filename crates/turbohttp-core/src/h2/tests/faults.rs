//! One row for each fault of a server: what ends by it, and what does not.

use super::*;
use ErrorCode as Code;

/// What has happened on stream 1 when the bytes arrive. Stream 3 waits for its answer meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// The answer is awaited, and the request sent.
    Sent,
    /// The same to HEAD.
    SentHead,
    /// The head has arrived.
    Body,
    /// The head has said that five bytes follow.
    BodyOf5,
    /// The answer has arrived whole, while the request is being sent.
    Answered,
    /// Both have ended.
    Closed,
    /// The request was given up.
    Canceled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing is wrong.
    Fine,
    /// Ignored and counted.
    Glitch,
    /// The stream is reset with this code, and its request fails.
    Stream(ErrorCode, StreamError),
    /// GOAWAY with this code, and every request fails.
    Connection(ErrorCode),
}

use Before::{Answered, Body, BodyOf5, Canceled, Closed, Sent, SentHead};
use Outcome::{Connection, Fine, Glitch, Stream};

type Row = (&'static str, Before, Vec<u8>, Outcome);

const STATES: [Before; 7] = [Sent, SentHead, Body, BodyOf5, Answered, Closed, Canceled];
const PROTOCOL: Outcome = Connection(Code::PROTOCOL_ERROR);
const FRAME_SIZE: Outcome = Connection(Code::FRAME_SIZE_ERROR);
const COMPRESSION: Outcome = Connection(Code::COMPRESSION_ERROR);

const fn malformed(what: &'static str) -> Outcome {
    Stream(Code::PROTOCOL_ERROR, StreamError::Malformed(what))
}

const MORE: Outcome = malformed("more content than content-length says");
const LESS: Outcome = malformed("less content than content-length says");

/// A head that announces five bytes.
fn of_5(status: u16, flags: u8) -> Vec<u8> {
    let status = status.to_string();
    headers(1, &[(":status", &status), ("content-length", "5")], flags)
}

fn prepared(before: Before) -> (Fixture, StreamKey, StreamKey) {
    let mut fixture = Fixture::new();
    let key = match before {
        Answered => fixture.post(),
        SentHead => fixture.request(Method::HEAD, BodyLength::None),
        _ => fixture.get(),
    };
    let other = fixture.get();
    match before {
        Sent | SentHead => {}
        Body => fixture.receive(&ok(1, 0)),
        BodyOf5 => fixture.receive(&of_5(200, 0)),
        Answered | Closed => fixture.receive(&ok(1, END)),
        Canceled => fixture.release(key),
    }
    fixture.out();
    (fixture, key, other)
}

fn check((name, before, bytes, outcome): &Row) {
    let context = format!("{name}, {before:?}");
    let (mut fixture, key, other) = prepared(*before);
    let glitches = fixture.streams.glitches();
    fixture.receive(bytes);
    let out = fixture.out();
    let glitched = fixture.streams.glitches() - glitches;
    let expected_code = match *outcome {
        Connection(code) => Some(code),
        _ => None,
    };
    assert_eq!(
        fixture.code(),
        expected_code,
        "{context}: {:?}",
        fixture.fault
    );
    if let Connection(code) = *outcome {
        assert_eq!(out, [Frame::goaway(code)], "{context}");
        let end = ConnectionEnd::Broken(fixture.fault.unwrap());
        assert_eq!(
            fixture.failure(other),
            Some(StreamError::Connection(end)),
            "{context}"
        );
        assert!(!fixture.streams.is_live(), "{context}");
        return;
    }
    match *outcome {
        Stream(code, error) => {
            assert_eq!(out, [Frame::reset(1, code)], "{context}");
            assert_eq!(fixture.failure(key), Some(error), "{context}");
        }
        Glitch => assert_eq!((out.len(), glitched), (0, 1), "{context}"),
        Fine => assert_eq!((out.len(), glitched), (0, 0), "{context}: {out:?}"),
        Connection(_) => {}
    }
    fixture.receive(&[ok(3, 0), data(3, b"lives", END)].concat());
    assert_eq!(fixture.whole(other).1, b"lives", "{context}");
    if *before != Canceled {
        fixture.release(key);
    }
    assert!(fixture.streams.is_at_rest(), "{context}");
}

fn check_all(rows: &[Row]) {
    rows.iter().for_each(check);
}

/// RFC 9113 sections 4.1, 4.2, 5.1.1 and 5.5.
#[rustfmt::skip]
#[test]
fn framing() {
    let large = frame(kind::DATA, 0, 1, &vec![0; FRAME_BYTES_MAX + 1]);
    let large_unknown = frame(0xfe, 0, 0, &vec![0; FRAME_BYTES_MAX + 1]);
    check_all(&[
        ("DATA too large", Body, large, FRAME_SIZE),
        ("unknown frame too large", Sent, large_unknown.clone(), FRAME_SIZE),
        ("head alone of a frame too large", Sent, large_unknown[..9].to_vec(), FRAME_SIZE),
        ("unknown frame", Sent, frame(0xfe, 0xff, 1, b"?"), Glitch),
        ("unknown frame of an idle stream", Sent, frame(0xfe, 0, 99, b""), Glitch),
    ]);
    // The reserved bit is ignored.
    let mut reserved = ok(1, END);
    reserved[5] |= 0x80;
    check(&("reserved bit", Sent, reserved, Fine));
    // Undefined flags are ignored.
    let flags = frame(kind::DATA, 0xf6 & !flag::PADDED, 1, b"x");
    check(&("undefined flags", Body, flags, Fine));
}

/// RFC 9113 section 6.1.
#[rustfmt::skip]
#[test]
fn data_frames() {
    check_all(&[
        ("on the connection", Sent, data(0, b"x", 0), PROTOCOL),
        ("on an idle stream", Sent, data(5, b"x", 0), PROTOCOL),
        ("on an even stream", Sent, data(2, b"x", 0), PROTOCOL),
        ("before HEADERS", Sent, data(1, b"x", 0), malformed("DATA before HEADERS")),
        ("content", Body, data(1, b"x", 0), Fine),
        ("the end", Body, data(1, b"", END), Fine),
        ("nothing", Body, data(1, b"", 0), Glitch),
        ("behind the end", Answered, data(1, b"x", 0), Glitch),
        ("on a closed stream", Closed, data(1, b"x", END), Glitch),
        ("on a stream that was reset", Canceled, data(1, b"x", END), Fine),
        ("more than announced", BodyOf5, data(1, b"123456", 0), MORE),
        ("less than announced", BodyOf5, data(1, b"1234", END), LESS),
        ("as announced", BodyOf5, data(1, b"12345", END), Fine),
        ("padding alone", Body, padded(1, b"", 9, END), Fine),
        ("all is padding", Body, frame(kind::DATA, 8 | END, 1, &[1, 0]), Fine),
        ("no padding of no content", Body, frame(kind::DATA, 8 | END, 1, &[0]), Fine),
        ("padding without length", Body, frame(kind::DATA, 8, 1, &[]), FRAME_SIZE),
        ("padding too long", Body, frame(kind::DATA, 8, 1, &[2, 0]), PROTOCOL),
        ("padding too long, late", Canceled, frame(kind::DATA, 8, 1, &[2, 0]), PROTOCOL),
    ]);
}

/// RFC 9113 sections 6.2 and 8.1.
#[rustfmt::skip]
#[test]
fn header_frames() {
    let priority = |payload: &[u8]| frame(kind::HEADERS, 0x24, 1, payload);
    let prioritized = [&[0x80, 0, 0, 3, 9][..], &block(&[(":status", "200")])].concat();
    let padded_block = [&[3][..], &block(&[(":status", "200")]), &[0; 3]].concat();
    let with_padding = |payload: &[u8]| frame(kind::HEADERS, 0xc, 1, payload);
    let again = "HEADERS behind the head that end nothing";
    check_all(&[
        ("on the connection", Sent, ok(0, 0), PROTOCOL),
        ("on an even stream", Sent, ok(2, 0), PROTOCOL),
        ("on an idle stream", Sent, ok(5, 0), PROTOCOL),
        ("head", Sent, ok(1, 0), Fine),
        ("head that ends the stream", Sent, ok(1, END), Fine),
        ("second head", Body, ok(1, 0), malformed(again)),
        ("behind the end", Answered, ok(1, END), Glitch),
        ("on a closed stream", Closed, ok(1, 0), Glitch),
        ("on a stream that was reset", Canceled, ok(1, END), Fine),
        ("with priority", Sent, priority(&prioritized), Fine),
        ("too short for its priority", Sent, priority(&[0; 4]), FRAME_SIZE),
        ("with padding", Sent, with_padding(&padded_block), Fine),
        ("padding without length", Sent, with_padding(&[]), FRAME_SIZE),
        ("padding too long", Sent, with_padding(&[9, 0x88]), PROTOCOL),
        ("padding into the priority", Sent, frame(kind::HEADERS, 0x2c, 1, &[2, 0, 0, 0, 0, 0, 0]), FRAME_SIZE),
        ("shorter than announced", BodyOf5, headers(1, &[("x", "y")], END), LESS),
        ("end at once, longer announced", Sent, of_5(200, END), LESS),
        ("the same to HEAD", SentHead, of_5(200, END), Fine),
        ("not modified", Sent, of_5(304, END), Fine),
        ("no content", Sent, of_5(204, END), Fine),
        ("content behind an answer to HEAD", SentHead, [ok(1, 0), data(1, b"x", 0)].concat(), MORE),
        ("content behind 304", Sent, [of_5(304, 0), data(1, b"x", 0)].concat(), MORE),
        ("content behind 204", Sent, [of_5(204, 0), data(1, b"x", 0)].concat(), MORE),
    ]);
}

/// RFC 9113 sections 4.3 and 6.10.
#[rustfmt::skip]
#[test]
fn blocks_in_fragments() {
    let open = |fragment: &[u8]| frame(kind::HEADERS, 0, 1, fragment);
    let more = |stream, flags, fragment: &[u8]| frame(kind::CONTINUATION, flags, stream, fragment);
    let split = [
        open(&[0x88, 0x76]),
        more(1, 0, &[1]),
        more(1, 4, b"x"),
        data(1, b"", END),
    ];
    check_all(&[
        ("in three frames", Sent, split.concat(), Fine),
        ("empty CONTINUATION", Sent, [open(&[0x88]), more(1, 4, b"")].concat(), Fine),
        ("without HEADERS", Sent, more(1, 4, &[0x88]), PROTOCOL),
        ("behind a whole block", Sent, [ok(1, 0), more(1, 4, &[0x88])].concat(), PROTOCOL),
        ("of another stream", Sent, [open(&[0x88]), more(3, 4, b"")].concat(), PROTOCOL),
        ("of no stream", Sent, [open(&[0x88]), more(0, 4, b"")].concat(), PROTOCOL),
        ("DATA inside", Sent, [open(&[0x88]), data(3, b"x", 0)].concat(), PROTOCOL),
        ("PING inside", Sent, [open(&[0x88]), ping(&[0; 8], 0)].concat(), PROTOCOL),
        ("HEADERS inside", Sent, [open(&[0x88]), ok(1, 0)].concat(), PROTOCOL),
        ("unknown frame inside", Sent, [open(&[0x88]), frame(99, 0, 0, b"")].concat(), PROTOCOL),
        ("cut block", Sent, frame(kind::HEADERS, 4, 1, &[0x88, 0x76, 9]), COMPRESSION),
        ("index 0", Sent, frame(kind::HEADERS, 4, 1, &[0x80]), COMPRESSION),
        ("index without entry", Sent, frame(kind::HEADERS, 4, 1, &[0xbe]), COMPRESSION),
        ("late block", Canceled, frame(kind::HEADERS, 4, 1, &[0xbe]), COMPRESSION),
        ("table too large", Sent, frame(kind::HEADERS, 4, 1, &[0x3f, 0xe2, 0x1f, 0x88]), COMPRESSION),
        ("size update in between", Sent, frame(kind::HEADERS, 4, 1, &[0x88, 0x20]), COMPRESSION),
    ]);
}

/// RFC 9113 sections 6.3 and 6.4.
#[rustfmt::skip]
#[test]
fn priority_and_reset_frames() {
    let priority = |stream, payload: &[u8]| frame(kind::PRIORITY, 0, stream, payload);
    let size = Stream(
        Code::FRAME_SIZE_ERROR,
        StreamError::Malformed("PRIORITY of other than 5 bytes"),
    );
    check_all(&[
        ("PRIORITY", Sent, priority(1, &[0; 5]), Glitch),
        ("PRIORITY of an idle stream", Sent, priority(9, &[0; 5]), Glitch),
        ("PRIORITY of the connection", Sent, priority(0, &[0; 5]), PROTOCOL),
        ("PRIORITY of 4 bytes", Sent, priority(1, &[0; 4]), size),
        ("PRIORITY of 6 bytes, late", Canceled, priority(1, &[0; 6]), Fine),
        ("PRIORITY of 6 bytes, closed", Closed, priority(1, &[0; 6]), Glitch),
        ("RST_STREAM of the connection", Sent, reset(0, Code::CANCEL), PROTOCOL),
        ("RST_STREAM of an idle stream", Sent, reset(5, Code::CANCEL), PROTOCOL),
        ("RST_STREAM of an even stream", Sent, reset(2, Code::CANCEL), PROTOCOL),
        ("RST_STREAM of 3 bytes", Sent, frame(kind::RST_STREAM, 0, 1, &[0; 3]), FRAME_SIZE),
        ("RST_STREAM of 5 bytes", Closed, frame(kind::RST_STREAM, 0, 1, &[0; 5]), FRAME_SIZE),
        ("RST_STREAM behind the end", Closed, reset(1, Code::NO_ERROR), Glitch),
        ("RST_STREAM that crosses ours", Canceled, reset(1, Code::NO_ERROR), Fine),
        ("RST_STREAM of the request alone", Answered, reset(1, Code::NO_ERROR), Fine),
    ]);
}

#[test]
fn a_reset_fails_its_request_and_is_not_answered() {
    for (before, code) in [
        (Sent, Code::REFUSED_STREAM),
        (Body, Code::NO_ERROR),
        (BodyOf5, Code(77)),
    ] {
        let (mut fixture, key, other) = prepared(before);
        fixture.receive(&reset(1, code));
        assert_eq!(fixture.out(), []);
        assert_eq!(fixture.failure(key), Some(StreamError::Reset(code)));
        assert_eq!(fixture.streams.open_count(), 1);
        fixture.receive(&ok(3, END));
        fixture.whole(other);
    }
}

/// RFC 9113 section 6.5.
#[rustfmt::skip]
#[test]
fn settings_frames() {
    let with = |id: u16, value: u32| settings(&[(id, value)]);
    let calm = Connection(Code::ENHANCE_YOUR_CALM);
    check_all(&[
        ("on a stream", Sent, frame(kind::SETTINGS, 0, 1, &[]), PROTOCOL),
        ("acknowledgement", Sent, frame(kind::SETTINGS, 1, 0, &[]), Glitch),
        ("acknowledgement with content", Sent, frame(kind::SETTINGS, 1, 0, &[0; 6]), FRAME_SIZE),
        ("of 5 bytes", Sent, frame(kind::SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE),
        ("push", Sent, with(2, 1), PROTOCOL),
        ("push of 2", Sent, with(2, 2), PROTOCOL),
        ("window too large", Sent, with(4, 1 << 31), Connection(Code::FLOW_CONTROL_ERROR)),
        ("frames too small", Sent, with(5, 16_383), PROTOCOL),
        ("frames too large", Sent, with(5, 1 << 24), PROTOCOL),
        ("too many at once", Sent, settings(&[(0xfefe, 0); 33]), calm),
    ]);
    for first in [
        ping(&[0; 8], 0),
        window_update(0, 1),
        frame(kind::SETTINGS, 1, 0, &[]),
        ok(1, 0),
    ] {
        let mut fixture = Fixture::with(Limits::new(HeadLimits::default(), 1));
        fixture.get();
        fixture.out();
        fixture.receive(&first);
        assert_eq!(
            fixture.out(),
            [Frame::goaway(Code::PROTOCOL_ERROR)],
            "{first:?} is first"
        );
    }
}

/// RFC 9113 sections 6.6 to 6.8.
#[rustfmt::skip]
#[test]
fn frames_of_the_connection() {
    check_all(&[
        ("PUSH_PROMISE", Sent, frame(kind::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2, 0x82]), PROTOCOL),
        ("PUSH_PROMISE, late", Canceled, frame(kind::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2]), PROTOCOL),
        ("PING on a stream", Sent, frame(kind::PING, 0, 1, &[0; 8]), PROTOCOL),
        ("PING of 7 bytes", Sent, frame(kind::PING, 0, 0, &[0; 7]), FRAME_SIZE),
        ("PING of 9 bytes", Sent, frame(kind::PING, 1, 0, &[0; 9]), FRAME_SIZE),
        ("answer to no PING", Sent, ping(b"whatever", flag::ACK), Glitch),
        ("GOAWAY on a stream", Sent, frame(kind::GOAWAY, 0, 1, &[0; 8]), PROTOCOL),
        ("GOAWAY of 7 bytes", Sent, frame(kind::GOAWAY, 0, 0, &[0; 7]), FRAME_SIZE),
        ("GOAWAY with reasons", Sent, frame(kind::GOAWAY, 0, 0, b"\x7f\xff\xff\xff\0\0\0\0why"), Glitch),
        ("GOAWAY that rises", Sent, [goaway(3, Code::NO_ERROR), goaway(5, Code::NO_ERROR)].concat(), PROTOCOL),
    ]);
}

/// RFC 9113 section 6.9.
#[rustfmt::skip]
#[test]
fn window_update_frames() {
    const MAX: u32 = (1 << 31) - 1;
    let zero = malformed("WINDOW_UPDATE of 0 bytes");
    let overflow = Stream(
        Code::FLOW_CONTROL_ERROR,
        StreamError::Malformed("window of the stream beyond 2^31 - 1"),
    );
    check_all(&[
        ("of 3 bytes", Sent, frame(kind::WINDOW_UPDATE, 0, 1, &[0; 3]), FRAME_SIZE),
        ("of 5 bytes", Sent, frame(kind::WINDOW_UPDATE, 0, 0, &[0; 5]), FRAME_SIZE),
        ("0 for the connection", Sent, window_update(0, 0), PROTOCOL),
        ("0 with the reserved bit", Sent, window_update(0, 1 << 31), PROTOCOL),
        ("0 for a stream", Sent, window_update(1, 0), zero),
        ("0 for a late stream", Canceled, window_update(1, 0), Fine),
        ("of an idle stream", Sent, window_update(5, 1), PROTOCOL),
        ("of an even stream", Sent, window_update(2, 1), PROTOCOL),
        ("overflow", Sent, window_update(1, MAX), overflow),
        ("overflow of the connection", Sent, window_update(0, MAX), Connection(Code::FLOW_CONTROL_ERROR)),
        ("without use", Sent, window_update(1, 1), Glitch),
        ("without use for the connection", Sent, window_update(0, 1), Glitch),
        ("while it sends", Answered, window_update(1, 1), Fine),
        ("of a closed stream", Closed, window_update(1, 1), Glitch),
        ("of a stream that was reset", Canceled, window_update(1, 1), Fine),
    ]);
}

const CONTROL: &str = "field value holds a control byte";
const CONNECTION: &str = "field that belongs to HTTP/1.1 connections";
const NAME: &str = "field name is no token in lower case";
const STATUS: &str = ":status is no status code";
const LENGTH: &str = "content-length is malformed or repeated";

#[rustfmt::skip]
const MALFORMED_HEADS: &[(&[(&str, &str)], &str)] = &[
    (&[], "no :status"),
    (&[("server", "x")], "no :status"),
    (&[(":status", "200"), (":status", "200")], ":status twice"),
    (&[("a", "b"), (":status", "200")], "pseudo-field behind a field"),
    (&[(":status", "200"), (":path", "/")], "pseudo-field of no response"),
    (&[(":status", "200"), (":", "/")], "pseudo-field of no response"),
    (&[(":status", "")], STATUS),
    (&[(":status", "20")], STATUS),
    (&[(":status", "2000")], STATUS),
    (&[(":status", "099")], STATUS),
    (&[(":status", "2 0")], STATUS),
    (&[(":status", "+20")], STATUS),
    (&[(":status", "101")], "101, which HTTP/2 does not have"),
    (&[(":status", "200"), ("", "x")], NAME),
    (&[(":status", "200"), ("Server", "x")], NAME),
    (&[(":status", "200"), ("a b", "x")], NAME),
    (&[(":status", "200"), ("a:b", "x")], NAME),
    (&[(":status", "200"), ("a\0", "x")], NAME),
    (&[(":status", "200"), ("\u{e9}", "x")], NAME),
    (&[(":status", "200"), ("a-name-that-is-longer-Than", "x")], NAME),
    (&[(":status", "200"), ("a", "x\r\ny")], CONTROL),
    (&[(":status", "200"), ("a", "x\ny")], CONTROL),
    (&[(":status", "200"), ("a", "x\0y")], CONTROL),
    (&[(":status", "200"), ("a", "\n")], CONTROL),
    (&[(":status", "200"), ("a", "\r\nb: c")], CONTROL),
    (&[(":status", "200"), ("a", "x \r")], CONTROL),
    (&[(":status", "200"), ("a", "\u{b}x")], CONTROL),
    (&[(":status", "200"), ("connection", "close")], CONNECTION),
    (&[(":status", "200"), ("keep-alive", "1")], CONNECTION),
    (&[(":status", "200"), ("proxy-connection", "x")], CONNECTION),
    (&[(":status", "200"), ("transfer-encoding", "chunked")], CONNECTION),
    (&[(":status", "200"), ("upgrade", "h2c")], CONNECTION),
    (&[(":status", "200"), ("content-length", "-1")], LENGTH),
    (&[(":status", "200"), ("content-length", "")], LENGTH),
    (&[(":status", "200"), ("content-length", "5, 5")], LENGTH),
    (&[(":status", "200"), ("content-length", "99999999999999999999")], LENGTH),
    (&[(":status", "200"), ("content-length", "5"), ("content-length", "5")], LENGTH),
];

/// RFC 9113 sections 8.2 and 8.3.
#[test]
fn malformed_heads() {
    for (fields, what) in MALFORMED_HEADS {
        for flags in [0, END] {
            let outcome = match (flags, *fields) {
                (END, [(":status", "101"), ..]) => malformed("interim head that ends the stream"),
                _ => malformed(what),
            };
            check(&("malformed head", Sent, headers(1, fields, flags), outcome));
        }
        // Of a stream that is no more it is not looked at.
        check(&(
            "malformed head, late",
            Canceled,
            headers(1, fields, 0),
            Fine,
        ));
    }
    let ended = headers(1, &[(":status", "103")], END);
    check(&(
        "interim at the end",
        Sent,
        ended,
        malformed("interim head that ends the stream"),
    ));
    // White space around a value is none of it.
    check(&(
        "space",
        Sent,
        headers(1, &[(":status", "200"), ("a", " \tb ")], END),
        Fine,
    ));
    check(&(
        "length with space",
        Sent,
        headers(1, &[(":status", "200"), ("content-length", " 0 ")], END),
        Fine,
    ));
}

#[rustfmt::skip]
#[test]
fn malformed_trailers() {
    check_all(&[
        ("trailers", Body, headers(1, &[("a", "b")], END), Fine),
        ("pseudo-field", Body, ok(1, END), malformed("pseudo-field in trailers")),
        ("request's", Body, headers(1, &[(":path", "/")], END), malformed("pseudo-field of no response")),
        ("name", Body, headers(1, &[("A", "b")], END), malformed("field name is no token in lower case")),
        ("interim", Body, headers(1, &[(":status", "103")], 0), malformed("HEADERS behind the head that end nothing")),
        ("behind all content", BodyOf5, [data(1, b"12345", 0), headers(1, &[("a", "b")], END)].concat(), Fine),
    ]);
}

/// The tables of both ends agree behind a block that was refused.
#[test]
fn a_malformed_block_is_decoded_to_its_end() {
    let (mut fixture, key, other) = prepared(Sent);
    let mut encoder = Encoder::new();
    let mut block = Vec::new();
    encoder.field(b"BAD", b"x", Indexing::Without, &mut block);
    encoder.field(b"a", b"kept", Indexing::Insert, &mut block);
    fixture.receive(&frame(kind::HEADERS, 4, 1, &block));
    assert!(fixture.failure(key).is_some());
    block.clear();
    encoder.field(b":status", b"200", Indexing::Without, &mut block);
    encoder.field(b"a", b"kept", Indexing::Insert, &mut block);
    assert_eq!(block.len(), 2);
    fixture.receive(&frame(kind::HEADERS, 5, 3, &block));
    let (head, _) = fixture.whole(other);
    assert_eq!(head.get("a"), Some(&b"kept"[..]));
}

/// Whatever a stream has been through, no frame of the kinds 0 to 20 with any flags panics.
#[test]
fn every_kind_in_every_state() {
    for before in STATES {
        for kind in 0..20 {
            for flags in 0..=u8::MAX {
                for payload in [&b""[..], &[0; 4], &[0x88; 6], &[1; 8], &[0x88]] {
                    let (mut fixture, ..) = prepared(before);
                    fixture.receive(&frame(kind, flags, 1, payload));
                    let out = fixture.out();
                    assert!(out.len() <= 2, "{before:?} {kind} {flags:x}: {out:?}");
                }
            }
        }
    }
}
