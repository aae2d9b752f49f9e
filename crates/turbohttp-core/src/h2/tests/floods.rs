//! What a server may cost: each bound, at it and one past it.

use std::time::Duration;

use super::limits::{GLITCHES, GLITCHES_PER_SECOND, LATE_FRAMES_MAX, REPLIES_MAX};
use super::*;

fn small_heads() -> Limits {
    let mut head = HeadLimits::default();
    (head.bytes, head.fields) = (1_000, 4);
    Limits::new(head, 4)
}

fn ready(limits: Limits) -> Fixture {
    let mut fixture = Fixture::with(limits);
    fixture.receive(&settings(&[]));
    fixture.out();
    fixture
}

fn with_status<'a>(fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[(":status", "200")], fields].concat()
}

#[test]
fn bytes_of_a_head() {
    // 7 + 3 + 32 for the status, 1 + 32 for the field.
    let fits = "x".repeat(1_000 - 42 - 33);
    let over = format!("{fits}x");
    let mut fixture = ready(small_heads());
    let [first, second, third] = [fixture.get(), fixture.get(), fixture.get()];
    fixture.out();
    fixture.receive(&headers(1, &with_status(&[("a", &fits)]), END));
    fixture.whole(first);
    fixture.receive(&headers(3, &with_status(&[("a", &over)]), END));
    assert_eq!(
        fixture.failure(second),
        Some(StreamError::HeadTooLarge { max: 1_000 })
    );
    assert_eq!(fixture.out(), [Frame::reset(3, ErrorCode::CANCEL)]);
    // Trailers have the same bound.
    fixture.receive(&[ok(5, 0), headers(5, &[("a", &"x".repeat(1_000))], END)].concat());
    assert_eq!(
        fixture.failure(third),
        Some(StreamError::HeadTooLarge { max: 1_000 })
    );
    assert_eq!(fixture.fault, None);
}

#[test]
fn fields_of_a_head() {
    let mut fixture = ready(small_heads());
    let [first, second] = [fixture.get(), fixture.get()];
    fixture.receive(&headers(1, &with_status(&[("a", "b"); 4]), END));
    assert_eq!(fixture.whole(first).0.len(), 4);
    fixture.receive(&headers(3, &with_status(&[("a", "b"); 5]), END));
    assert_eq!(
        fixture.failure(second),
        Some(StreamError::TooManyFields { max: 4 })
    );
}

/// A small block that becomes a large head again and again (CVE-2016-1544).
#[test]
fn decoded_bytes_of_a_block() {
    let mut fixture = ready(small_heads());
    fixture.get();
    fixture.out();
    let mut encoder = Encoder::new();
    let mut block = Vec::new();
    encoder.field(b":status", b"200", Indexing::Without, &mut block);
    encoder.field(b"a", &[b'x'; 800], Indexing::Insert, &mut block);
    (0..3).for_each(|_| encoder.field(b"a", &[b'x'; 800], Indexing::Insert, &mut block));
    // 10 bytes and four times 801 are 3,214, the bound is 4,000: the stream fails, the connection lives.
    fixture.receive(&frame(kind::HEADERS, 4, 1, &block));
    assert_eq!((fixture.fault, fixture.out().len()), (None, 1));
    let key = fixture.get();
    fixture.out();
    (0..1).for_each(|_| encoder.field(b"a", &[b'x'; 800], Indexing::Insert, &mut block));
    assert!(block.len() < 1_000);
    fixture.receive(&frame(kind::HEADERS, 4, 3, &block));
    assert_eq!(fixture.code(), Some(ErrorCode::ENHANCE_YOUR_CALM));
    assert_eq!(fixture.out(), [Frame::goaway(ErrorCode::ENHANCE_YOUR_CALM)]);
    assert!(fixture.failure(key).is_some());
}

#[test]
fn coded_bytes_of_a_block() {
    // The bound is 2,000 bytes, of HEADERS and CONTINUATION together.
    for (last, code) in [(1_000, None), (1_001, Some(ErrorCode::ENHANCE_YOUR_CALM))] {
        let mut fixture = ready(small_heads());
        fixture.get();
        // Size updates in front of the fields are coded bytes that decode to nothing.
        fixture.receive(&frame(kind::HEADERS, 0, 1, &[0x20; 1_000]));
        fixture.receive(&frame(kind::CONTINUATION, 0, 1, &vec![0x20; last]));
        assert_eq!(fixture.code(), code);
    }
}

/// CVE-2024-27316 and its like.
#[test]
fn continuations_of_a_block() {
    let mut fixture = ready(small_heads());
    let key = fixture.get();
    fixture.receive(&frame(kind::HEADERS, 0, 1, &[0x88]));
    for _ in 0..7 {
        fixture.receive(&frame(kind::CONTINUATION, 0, 1, &[]));
    }
    fixture.receive(&frame(kind::CONTINUATION, 4, 1, &[]));
    fixture.receive(&data(1, b"", END));
    fixture.whole(key);
    fixture.get();
    fixture.receive(&frame(kind::HEADERS, 0, 3, &[0x88]));
    (0..8).for_each(|_| fixture.receive(&frame(kind::CONTINUATION, 0, 3, &[])));
    assert_eq!(fixture.fault, None);
    fixture.receive(&frame(kind::CONTINUATION, 0, 3, &[]));
    assert_eq!(fixture.code(), Some(ErrorCode::ENHANCE_YOUR_CALM));
}

/// CVE-2019-9512 and 9515: answers that nobody reads.
#[test]
fn replies_that_are_not_read() {
    for one in [ping(&[1; 8], 0), settings(&[])] {
        let mut fixture = Fixture::new();
        (0..REPLIES_MAX).for_each(|_| fixture.receive(&one));
        assert_eq!(fixture.fault, None);
        fixture.receive(&one);
        assert_eq!(fixture.code(), Some(ErrorCode::ENHANCE_YOUR_CALM));
        assert_eq!(
            fixture.out().len(),
            REPLIES_MAX as usize + 2,
            "GOAWAY is the last"
        );
        // Those that are read are bounded as glitches only.
        let mut fixture = Fixture::new();
        for _ in 0..REPLIES_MAX + 1 {
            fixture.receive(&one);
            fixture.out();
        }
        assert_eq!(fixture.fault, None);
    }
}

#[test]
fn frames_without_use() {
    type Prepare = fn(&mut Fixture);
    let in_body: Prepare = |fixture| {
        fixture.get();
        fixture.receive(&ok(1, 0));
    };
    let closed: Prepare = |fixture| {
        let key = fixture.get();
        fixture.receive(&ok(1, END));
        fixture.whole(key);
    };
    let nothing: Prepare = |_| {};
    let floods: [(&str, Prepare, Vec<u8>); 13] = [
        ("PING", nothing, ping(&[1; 8], 0)),
        ("answers to PING", nothing, ping(&[1; 8], flag::ACK)),
        ("SETTINGS", nothing, settings(&[])),
        (
            "acknowledgements",
            nothing,
            frame(kind::SETTINGS, flag::ACK, 0, &[]),
        ),
        ("PRIORITY", nothing, frame(kind::PRIORITY, 0, 1, &[0; 5])),
        ("unknown", nothing, frame(0xbe, 0, 0, &[])),
        ("GOAWAY", nothing, goaway(0, ErrorCode::NO_ERROR)),
        ("windows", nothing, window_update(0, 1)),
        ("windows of a stream", in_body, window_update(1, 1)),
        ("empty DATA", in_body, data(1, b"", 0)),
        (
            "interim heads",
            |fixture| {
                fixture.get();
            },
            headers(1, &[(":status", "103")], 0),
        ),
        ("late DATA", closed, data(1, b"x", 0)),
        ("late resets", closed, reset(1, ErrorCode::CANCEL)),
    ];
    for (name, prepare, one) in floods {
        let bytes = 1 << 20;
        let head = HeadLimits {
            bytes,
            ..HeadLimits::default()
        };
        let mut fixture = ready(Limits::new(head, 4));
        prepare(&mut fixture);
        fixture.streams.glitches = budget::Budget::new();
        let flood = |fixture: &mut Fixture, count: u32| {
            for _ in 0..count {
                fixture.receive(&one);
                fixture.out();
            }
            assert_eq!(fixture.fault, None, "{name}");
        };
        flood(&mut fixture, GLITCHES);
        fixture.now += Duration::from_secs(1);
        flood(&mut fixture, GLITCHES_PER_SECOND);
        fixture.receive(&one);
        assert_eq!(fixture.code(), Some(ErrorCode::ENHANCE_YOUR_CALM), "{name}");
    }
}

/// The interim heads of one answer have the bound of a head.
#[test]
fn bytes_of_interim_heads() {
    let mut fixture = ready(small_heads());
    let key = fixture.get();
    fixture.out();
    let early = headers(1, &[(":status", "103"), ("link", &"x".repeat(200))], 0);
    (0..3).for_each(|_| fixture.receive(&early));
    assert_eq!(fixture.out(), []);
    fixture.receive(&early);
    assert_eq!(
        fixture.failure(key),
        Some(StreamError::HeadTooLarge { max: 1_000 })
    );
    assert_eq!(fixture.out(), [Frame::reset(1, ErrorCode::CANCEL)]);
    // The next request begins anew.
    let key = fixture.get();
    fixture.receive(&[headers(3, &[(":status", "103")], 0), ok(3, END)].concat());
    fixture.whole(key);
}

/// Content is never a glitch, however small: it is what the server is asked for.
#[test]
fn small_content_is_no_glitch() {
    let mut fixture = ready(Limits::new(HeadLimits::default(), 4));
    let key = fixture.get();
    fixture.receive(&ok(1, 0));
    let (mut head, _) = fixture.answer(key);
    let glitches = fixture.streams.glitches();
    for _ in 0..5_000 {
        fixture.receive(&data(1, b"x", 0));
        fixture.read_all(key, &mut head);
    }
    assert_eq!(fixture.streams.glitches(), glitches);
}

/// CVE-2023-44487 turned around: each reset ends a request of ours, and is not answered.
#[test]
fn resets_of_every_request() {
    let mut fixture = Fixture::new();
    let glitches = fixture.streams.glitches();
    for _ in 0..5_000 {
        let key = fixture.get();
        fixture.receive(&reset(key.id(), ErrorCode::REFUSED_STREAM));
        assert_eq!(
            fixture.failure(key),
            Some(StreamError::Reset(ErrorCode::REFUSED_STREAM))
        );
        fixture.release(key);
        assert_eq!(fixture.out().len(), 1, "HEADERS alone");
    }
    assert_eq!(fixture.streams.glitches(), glitches);
    assert!(fixture.streams.is_at_rest());
}

/// Nothing that the server sends makes the output grow beyond what this side asked for.
#[test]
fn the_output_stays_small_under_a_flood() {
    let mut fixture = Fixture::new();
    let keys: Vec<StreamKey> = (0..16).map(|_| fixture.get()).collect();
    fixture.out();
    for round in 0..40 {
        for key in &keys {
            let id = key.id();
            fixture.receive(&[headers(id, &[], 0), data(id, b"x", 0), ok(id, 0)].concat());
        }
        fixture.receive(&[ping(&[1; 8], 0), settings(&[])].concat());
        if fixture.fault.is_some() {
            panic!("{round}: {:?}", fixture.fault);
        }
    }
    let resets = fixture
        .out()
        .iter()
        .filter(|frame| frame.kind == kind::RST_STREAM)
        .count();
    assert_eq!(resets, 16, "one for each request");
}

#[test]
fn frames_behind_a_reset() {
    let mut fixture = ready(Limits::new(HeadLimits::default(), 4));
    let dropped = fixture.get();
    fixture.release(dropped);
    fixture.out();
    let before = fixture.streams.glitches();
    // As many as an honest server may have sent before it knew, and one more.
    fixture.receive(&ok(1, 0).repeat(LATE_FRAMES_MAX as usize));
    assert_eq!(fixture.streams.glitches(), before);
    fixture.receive(&ok(1, 0));
    assert_eq!(fixture.streams.glitches(), before + 1);
}
