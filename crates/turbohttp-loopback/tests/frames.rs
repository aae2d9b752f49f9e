//! Scripts of HTTP/2: the bytes of frames, and steps that read and answer them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Peer;
use turbohttp_loopback::script::{Script, Step, frames};

#[test]
fn frames_are_as_the_rfc_draws_them() {
    let cases: [(Vec<u8>, &[u8]); 17] = [
        (
            frames::settings(&[(3, 100), (4, 0x0102_0304)]),
            b"\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\x01\x02\x03\x04",
        ),
        (frames::settings_ack(), b"\0\0\0\x04\x01\0\0\0\0"),
        (
            frames::headers(1, 5, b"\x88"),
            b"\0\0\x01\x01\x05\0\0\0\x01\x88",
        ),
        (
            frames::padded_headers(1, 4, b"\x88", 2),
            b"\0\0\x04\x01\x0c\0\0\0\x01\x02\x88\0\0",
        ),
        (
            frames::continuation(1, 4, b"\x88"),
            b"\0\0\x01\x09\x04\0\0\0\x01\x88",
        ),
        (frames::data(3, 1, b"hi"), b"\0\0\x02\0\x01\0\0\0\x03hi"),
        (
            frames::padded_data(3, 0, b"hi", 1),
            b"\0\0\x04\0\x08\0\0\0\x03\x01hi\0",
        ),
        (frames::rst(5, 8), b"\0\0\x04\x03\0\0\0\0\x05\0\0\0\x08"),
        (
            frames::goaway(7, 11, b"why"),
            b"\0\0\x0b\x07\0\0\0\0\0\0\0\0\x07\0\0\0\x0bwhy",
        ),
        (
            frames::window_update(0, 65_535),
            b"\0\0\x04\x08\0\0\0\0\0\0\0\xff\xff",
        ),
        (
            frames::ping(false, *b"12345678"),
            b"\0\0\x08\x06\0\0\0\0\x0012345678",
        ),
        (
            frames::ping(true, *b"12345678"),
            b"\0\0\x08\x06\x01\0\0\0\x0012345678",
        ),
        (
            frames::priority(3, 0x8000_0001, 15),
            b"\0\0\x05\x02\0\0\0\0\x03\x80\0\0\x01\x0f",
        ),
        (
            frames::push_promise(1, 4, 2, b"\x82"),
            b"\0\0\x05\x05\x04\0\0\0\x01\0\0\0\x02\x82",
        ),
        (
            frames::raw(0xfe, 0xff, 0x8000_0001, b"x"),
            b"\0\0\x01\xfe\xff\x80\0\0\x01x",
        ),
        (
            frames::with_length(0x01_0203, 0, 0, 1, b""),
            b"\x01\x02\x03\0\0\0\0\0\x01",
        ),
        (
            frames::block(&[(":status", "404"), (":status", "299"), ("a", "b")]),
            b"\x8d\0\x07:status\x03299\0\x01a\x01b",
        ),
    ];
    for (at, (bytes, expected)) in cases.iter().enumerate() {
        assert_eq!(bytes, expected, "case {at}");
    }
}

#[test]
fn integers_are_as_the_rfc_shows_them() {
    let integer = |value| {
        let mut bytes = Vec::new();
        frames::integer(&mut bytes, 0x80, 5, value);
        bytes
    };
    // RFC 7541 appendix C.1.
    assert_eq!(integer(10), [0x8a]);
    assert_eq!(integer(31), [0x9f, 0]);
    assert_eq!(integer(1337), [0x9f, 0x9a, 0x0a]);
    assert_eq!(frames::field(&[b'n'; 200], b"")[..3], [0, 0x7f, 73]);
}

#[test]
fn frames_are_read_back() {
    let sent = [
        frames::PREFACE.to_vec(),
        frames::settings(&[(1, 2), (0xfffe, 0xffff_ffff)]),
        frames::raw(9, 0xff, 0xffff_ffff, b"\0\0\0\x05\0"),
        frames::data(1, 0, b"cut")[..11].to_vec(),
    ];
    let read = frames::parse(&sent.concat());
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].settings(), [(1, 2), (0xfffe, 0xffff_ffff)]);
    assert_eq!((read[1].kind, read[1].stream), (9, 0x7fff_ffff));
    assert_eq!(
        (read[1].number(0), read[1].number(1)),
        (Some(5), Some(0x500))
    );
    assert_eq!(read[1].number(2), None);
    assert!(read[1].has(frames::END_HEADERS | frames::PADDED) && !read[0].has(1));
}

#[test]
fn script_reads_frames_and_answers_them() {
    let server = Script::new()
        .accept([
            Step::ReadPreface,
            Step::answer(|settings| frames::settings(&settings.settings())),
            Step::ReadFrame(frames::PING, None),
            Step::answer(|ping| frames::ping(true, *ping.payload.first_chunk().unwrap())),
            Step::Repeat(vec![
                Step::ReadFrame(frames::HEADERS, Some(5)),
                Step::answer(|head| frames::rst(head.stream, 7)),
            ]),
        ])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    let settings = frames::settings(&[(4, 9)]);
    peer.send(frames::PREFACE);
    peer.send(&settings);
    assert_eq!(peer.read_exact(settings.len()), settings);
    // What comes before the wanted frame is passed over, and recorded.
    peer.send(frames::window_update(0, 1));
    let ping = frames::ping(false, *b"abcdefgh");
    peer.send(&ping[..10]);
    peer.send(&ping[10..]);
    assert_eq!(peer.read_exact(17), frames::ping(true, *b"abcdefgh"));
    for _ in 0..2 {
        peer.send(frames::headers(3, 5, b""));
        peer.send(frames::headers(5, 5, b""));
        assert_eq!(peer.read_exact(13), frames::rst(5, 7));
    }
    drop(peer);
    common::block_on(server.all_closed());
    let seen = server.frames();
    let kinds: Vec<(u8, u32)> = seen[0].iter().map(|it| (it.kind, it.stream)).collect();
    assert_eq!(
        kinds,
        [(4, 0), (8, 0), (6, 0), (1, 3), (1, 5), (1, 3), (1, 5)]
    );
}

#[test]
fn script_waits_for_the_frame_that_is_wanted() {
    let server = Script::new()
        .accept([
            Step::ReadPreface,
            Step::read_until(|it| it.kind == frames::DATA && it.has(frames::END_STREAM)),
            Step::answer(|end| frames::rst(end.stream, 0)),
        ])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    peer.send(frames::PREFACE);
    peer.send(frames::settings(&[]));
    peer.send(frames::headers(1, frames::END_STREAM, b""));
    peer.send(frames::data(3, 0, b"x"));
    peer.send(frames::data(5, frames::END_STREAM, b"x"));
    assert_eq!(peer.read_to_end().unwrap(), frames::rst(5, 0));
}

#[test]
fn what_is_no_preface_can_be_seen() {
    let server = Script::new()
        .accept([Step::ReadPreface, Step::send("never")])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    peer.send(b"GET / HTTP/1.1\r\n\r\n");
    drop(peer);
    while server.received().concat().len() < 18 {
        std::thread::yield_now();
    }
    common::block_on(server.all_closed());
    assert_eq!(server.received(), [b"GET / HTTP/1.1\r\n\r\n"]);
}
