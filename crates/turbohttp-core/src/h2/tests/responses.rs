//! Answers as they should be, and how they end.

use super::*;

fn fields(head: &ResponseHead) -> Vec<(&str, &[u8])> {
    head.iter().collect()
}

#[test]
fn an_answer_in_one_batch_is_whole() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.receive(&[ok(1, 0), data(1, b"hello ", 0), data(1, b"world", END)].concat());
    let (head, content) = fixture.whole(key);
    assert_eq!(
        (head.status().as_u16(), head.version()),
        (200, http::Version::HTTP_2)
    );
    assert_eq!(fields(&head), [("server", &b"test"[..])]);
    assert_eq!(content, b"hello world");
    assert!(
        fixture.streams.is_at_rest(),
        "a whole answer releases its stream"
    );
}

#[test]
fn an_answer_in_pieces_wakes_at_each() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    assert!(matches!(
        fixture.answer(key).1,
        Answer::Pending { is_watched: true }
    ));
    fixture.receive(&ok(1, 0));
    assert_eq!(fixture.task.wakes(), 1);
    let (mut head, answer) = fixture.answer(key);
    assert!(matches!(answer, Answer::Head));
    assert!(matches!(
        fixture.read(key, &mut head),
        Chunk::Pending { is_watched: false }
    ));
    drop(fixture.streams.watch(key, fixture.task.waker.clone()));
    assert!(matches!(
        fixture.read(key, &mut head),
        Chunk::Pending { is_watched: true }
    ));
    fixture.receive(&data(1, b"x", 0));
    assert_eq!(fixture.task.wakes(), 1);
    assert_eq!(fixture.read_all(key, &mut head).0, b"x");
    drop(fixture.streams.watch(key, fixture.task.waker.clone()));
    fixture.receive(&headers(1, &[("sum", "1")], END));
    assert_eq!(fixture.task.wakes(), 1);
    assert_eq!(fixture.streams.remaining(key), Some(0));
    assert!(matches!(fixture.read(key, &mut head), Chunk::End));
    assert_eq!(head.trailer("sum"), Some(&b"1"[..]));
    assert!(
        matches!(fixture.read(key, &mut head), Chunk::End),
        "the end stays"
    );
    assert_eq!(head.trailers().count(), 1, "trailers come once");
    fixture.release(key);
    assert!(fixture.streams.is_at_rest());
}

#[test]
fn trailers_of_a_whole_answer() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.receive(&[ok(1, 0), data(1, b"x", 0), headers(1, &[("sum", "1")], END)].concat());
    let (head, content) = fixture.whole(key);
    assert_eq!(
        (head.trailer("sum"), &content[..]),
        (Some(&b"1"[..]), &b"x"[..])
    );
    // The slot is used again, and knows nothing of it.
    let key = fixture.get();
    fixture.receive(&[ok(3, 0), data(3, b"y", END)].concat());
    let (head, content) = fixture.whole(key);
    assert_eq!((head.trailers().count(), &content[..]), (0, &b"y"[..]));
}

#[test]
fn interim_heads_are_passed_over() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    let early = headers(
        1,
        &[
            (":status", "103"),
            ("link", "</a>"),
            ("content-length", "9"),
        ],
        0,
    );
    fixture.receive(&early);
    assert_eq!(fixture.task.wakes(), 0, "nothing for the request");
    assert!(matches!(fixture.answer(key).1, Answer::Pending { .. }));
    fixture.receive(&[early, ok(1, END)].concat());
    let (head, _) = fixture.whole(key);
    assert_eq!(fields(&head), [("server", &b"test"[..])]);
}

#[test]
fn continue_is_told_once() {
    let mut fixture = Fixture::new();
    let key = fixture.post();
    let proceed = headers(1, &[(":status", "100")], 0);
    fixture.receive(&proceed);
    assert_eq!(fixture.task.wakes(), 1);
    assert!(matches!(fixture.answer(key).1, Answer::Proceed));
    assert!(matches!(fixture.answer(key).1, Answer::Pending { .. }));
    // With the final head behind it, it says nothing any more.
    fixture.receive(&[proceed, ok(1, 0)].concat());
    assert!(matches!(fixture.answer(key).1, Answer::Head));
    fixture.release(key);
}

#[test]
fn an_answer_to_head_has_no_content() {
    let mut fixture = Fixture::new();
    let key = fixture.request(Method::HEAD, BodyLength::None);
    fixture.receive(&headers(
        1,
        &[(":status", "200"), ("content-length", "500")],
        0,
    ));
    let (_, answer) = fixture.answer(key);
    assert!(matches!(answer, Answer::Head));
    assert_eq!(fixture.streams.remaining(key), Some(0));
    fixture.receive(&data(1, b"", END));
    assert!(matches!(
        fixture.read(key, &mut ResponseHead::default()),
        Chunk::End
    ));
}

#[test]
fn remaining_counts_what_has_arrived() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.receive(&headers(
        1,
        &[(":status", "200"), ("content-length", "10")],
        0,
    ));
    fixture.receive(&data(1, b"1234", 0));
    assert_eq!(fixture.streams.remaining(key), Some(10));
    let (mut head, _) = fixture.answer(key);
    assert_eq!(fixture.read_all(key, &mut head).0, b"1234");
    assert_eq!(fixture.streams.remaining(key), Some(6));
}

/// RFC 9113 section 8.1: a server may answer before it has the request, and stop it then.
#[test]
fn a_reset_behind_the_end_keeps_the_answer() {
    let mut fixture = Fixture::new();
    let key = fixture.post();
    fixture.receive(
        &[
            ok(1, 0),
            data(1, b"enough", END),
            reset(1, ErrorCode::NO_ERROR),
        ]
        .concat(),
    );
    assert_eq!(fixture.streams.open_count(), 0);
    assert!(!fixture.streams.is_sent(key), "the request was cut short");
    assert_eq!(fixture.send(key, b"more", true), Sent::Stopped);
    assert_eq!(fixture.whole(key).1, b"enough");
    assert!(fixture.streams.is_at_rest());
}

/// A head without a field is a head: the request that it answers was processed.
#[test]
fn a_head_without_fields_stands_before_a_fault() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    let bare = headers(1, &[(":status", "200")], 0);
    fixture.receive(&[bare, reset(1, ErrorCode::REFUSED_STREAM)].concat());
    let (mut head, answer) = fixture.answer(key);
    assert!(matches!(answer, Answer::Head), "{answer:?}");
    let error = StreamError::Reset(ErrorCode::REFUSED_STREAM);
    assert!(matches!(fixture.read(key, &mut head), Chunk::Failed(failed) if failed == error));
}

#[test]
fn content_before_a_fault_is_read() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    let (content, cut) = (data(1, b"half", 0), reset(1, ErrorCode::INTERNAL_ERROR));
    fixture.receive(&[ok(1, 0), content, cut].concat());
    let (mut head, answer) = fixture.answer(key);
    assert!(matches!(answer, Answer::Head));
    let (content, end) = fixture.read_all(key, &mut head);
    assert_eq!(content, b"half");
    assert!(matches!(
        end,
        Chunk::Failed(StreamError::Reset(ErrorCode::INTERNAL_ERROR))
    ));
    fixture.release(key);
    assert_eq!(
        fixture.out().len(),
        1,
        "HEADERS alone: no reset is answered"
    );
    assert!(fixture.streams.is_at_rest());
}

/// RFC 9113 section 6.8.
#[test]
fn goaway_splits_the_requests() {
    let mut fixture = Fixture::new();
    let keys: Vec<StreamKey> = (0..4).map(|_| fixture.get()).collect();
    fixture.out();
    fixture.receive(&goaway((1 << 31) - 1, ErrorCode::NO_ERROR));
    assert!(!fixture.streams.is_live());
    assert_eq!(fixture.streams.open_count(), 4, "all go on");
    fixture.receive(&goaway(3, ErrorCode::ENHANCE_YOUR_CALM));
    let refused = StreamError::NotProcessed(ErrorCode::ENHANCE_YOUR_CALM);
    assert_eq!(fixture.failure(keys[2]), Some(refused));
    assert_eq!(fixture.failure(keys[3]), Some(refused));
    fixture.receive(&ok(1, END));
    fixture.whole(keys[0]);
    assert!(!fixture.streams.is_over());
    fixture.receive(&ok(3, END));
    fixture.whole(keys[1]);
    assert!(fixture.streams.is_over());
    let waker = fixture.task.waker.clone();
    let opened = fixture.try_open((Method::GET, BodyLength::None), &[], (0, None), waker);
    assert_eq!(opened, Ok(Opened::Gone));
    assert_eq!(fixture.out(), [], "nothing is said about it");
}

#[test]
fn the_end_fails_what_is_under_way_and_keeps_what_is_whole() {
    let mut fixture = Fixture::new();
    let [whole, half, none] = [fixture.get(), fixture.get(), fixture.post()];
    fixture.receive(&[ok(1, END), ok(3, 0), data(3, b"half", 0)].concat());
    fixture
        .streams
        .end(ConnectionEnd::Closed, &mut fixture.wakes);
    fixture.wakes.perform();
    let closed = StreamError::Connection(ConnectionEnd::Closed);
    fixture.whole(whole);
    assert_eq!(fixture.failure(half), Some(closed));
    assert_eq!(fixture.failure(none), Some(closed));
    assert_eq!(fixture.send(none, b"x", true), Sent::Stopped);
    // A second end changes nothing.
    fixture
        .streams
        .end(ConnectionEnd::Abandoned, &mut fixture.wakes);
    assert_eq!(fixture.failure(none), Some(closed));
    fixture.release(half);
    fixture.release(none);
    assert!(fixture.streams.is_at_rest());
    // Three HEADERS, and no RST_STREAM behind the end.
    assert_eq!(fixture.out().len(), 3);
}

#[test]
fn farewell_is_said_once() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.out();
    for _ in 0..2 {
        fixture.streams.go_away(&mut fixture.wakes);
    }
    assert_eq!(fixture.out(), [Frame::goaway(ErrorCode::NO_ERROR)]);
    fixture.receive(&ok(1, END));
    fixture.whole(key);
    assert!(fixture.streams.is_over());
}
