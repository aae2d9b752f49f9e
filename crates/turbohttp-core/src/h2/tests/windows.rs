//! Flow control (RFC 9113 sections 5.2 and 6.9): what may arrive, and what may be sent.

use super::*;

const WINDOW_AT_FIRST: usize = 65_535;

fn limits(receive_bytes: u32, stream_window: u32, at_once: usize) -> Limits {
    Limits::with_budget(HeadLimits::default(), at_once, receive_bytes, stream_window)
}

fn ready(limits: Limits) -> Fixture {
    let mut fixture = Fixture::with(limits);
    fixture.receive(&settings(&[]));
    fixture.out();
    fixture
}

/// The sum of the DATA of a stream, which keeps to the largest frame.
fn sent_on(out: &[Frame], stream: u32) -> usize {
    let frames = out
        .iter()
        .filter(|frame| frame.kind == kind::DATA && frame.stream == stream);
    let lengths = frames.map(|frame| {
        assert!(frame.payload.len() <= FRAME_BYTES_MAX);
        frame.payload.len()
    });
    lengths.sum()
}

#[test]
fn what_is_said_first() {
    let mut fixture = Fixture::with(limits(1 << 20, 100_000, 1));
    let output = fixture.output();
    let frames = parse(output.strip_prefix(PREFACE).unwrap());
    let head_bytes = HeadLimits::default().bytes as u32;
    assert_eq!(
        parse(&settings(&[(2, 0), (4, 100_000), (6, head_bytes), (9, 1)])),
        frames[..1]
    );
    assert_eq!(frames[1..], [Frame::window_update(0, (1 << 20) - 65_535)]);
}

#[test]
fn limits_are_sound_whatever_is_asked_for() {
    for receive_bytes in [0, 1, 65_535, 65_536, 1 << 20, 1 << 31, u32::MAX] {
        for stream_window in [0, 1, 65_535, 65_536, 1 << 30, u32::MAX] {
            for at_once in [0, 1, 100, 512, usize::MAX] {
                let limits = limits(receive_bytes, stream_window, at_once);
                let context = format!("{receive_bytes} {stream_window} {at_once}: {limits:?}");
                let all = limits.streams as u64 * u64::from(limits.stream_window);
                assert!(all <= limits.receive_bytes.into(), "{context}");
                assert!((1..=STREAMS_MAX).contains(&limits.streams), "{context}");
                assert!(limits.receive_bytes < 1 << 31, "{context}");
                let mut fixture = ready(limits);
                fixture.get();
            }
        }
    }
}

/// Whatever becomes of content, the connection's window comes back: for streams that are open, have ended or
/// were reset, and for padding.
#[test]
fn credit_of_the_connection_comes_back_on_arrival() {
    type Prepare = fn(&mut Fixture) -> StreamKey;
    let cases: [(&str, Prepare); 6] = [
        ("before the head", |fixture| fixture.get()),
        ("unread", |fixture| {
            let key = fixture.get();
            fixture.receive(&ok(1, 0));
            key
        }),
        ("beyond the length", |fixture| {
            let key = fixture.get();
            fixture.receive(&headers(
                1,
                &[(":status", "200"), ("content-length", "1")],
                0,
            ));
            key
        }),
        ("behind the end", |fixture| {
            let key = fixture.post();
            fixture.receive(&ok(1, END));
            key
        }),
        ("reset", |fixture| {
            let key = fixture.get();
            fixture.release(key);
            key
        }),
        ("closed", |fixture| {
            let key = fixture.get();
            fixture.receive(&ok(1, END));
            key
        }),
    ];
    for (name, prepare) in cases {
        let mut fixture = ready(limits(1 << 17, 1 << 17, 1));
        prepare(&mut fixture);
        let full = padded(1, &vec![7; FRAME_BYTES_MAX - 256], 255, 0);
        let mut credit = 0;
        for _ in 0..64 {
            // Of the stream no more than its window.
            if fixture.streams.open_count() == 0 || credit == 0 {
                fixture.receive(&full);
            }
            let updates = fixture
                .out()
                .into_iter()
                .filter(|frame| frame.kind == kind::WINDOW_UPDATE && frame.stream == 0);
            for update in updates {
                credit += u32::from_be_bytes(update.payload.try_into().unwrap());
            }
        }
        assert_eq!(fixture.fault, None, "{name}");
        assert!(credit >= 1 << 16, "{name}: {credit}");
        assert_eq!(
            credit as usize % FRAME_BYTES_MAX,
            0,
            "{name}: padding counts"
        );
    }
}

#[test]
fn more_than_the_window_of_the_connection() {
    // The sum of windows is that of the connection, so that only late content can pass it: as credit comes
    // back at half, and at once, a server has to send more than that in one step.
    let mut fixture = ready(limits(65_536, 65_536, 1));
    let key = fixture.get();
    fixture.release(key);
    fixture.out();
    fixture.streams.window = window::ReceiveWindow::new(100);
    fixture.receive(&data(1, &[0; 101], 0));
    assert_eq!(fixture.code(), Some(ErrorCode::FLOW_CONTROL_ERROR));
    assert_eq!(
        fixture.out(),
        [Frame::goaway(ErrorCode::FLOW_CONTROL_ERROR)]
    );
}

#[test]
fn more_than_the_window_of_a_stream() {
    let mut fixture = ready(limits(1 << 20, 65_536, 16));
    let [key, other] = [fixture.get(), fixture.get()];
    fixture.out();
    fixture.receive(&ok(1, 0));
    for _ in 0..4 {
        fixture.receive(&data(1, &[1; FRAME_BYTES_MAX], 0));
    }
    assert_eq!(
        fixture.out(),
        [],
        "the window is used up, and nothing was read"
    );
    fixture.receive(&data(1, b"x", 0));
    let code = ErrorCode::FLOW_CONTROL_ERROR;
    assert_eq!(fixture.out(), [Frame::reset(1, code)]);
    let (mut head, _) = fixture.answer(key);
    let (content, end) = fixture.read_all(key, &mut head);
    assert_eq!(content.len(), 65_536, "what was right stays readable");
    assert!(matches!(end, Chunk::Failed(StreamError::Malformed(_))));
    fixture.receive(&ok(3, END));
    fixture.whole(other);
    fixture.release(key);
    assert!(fixture.streams.is_at_rest());
}

#[test]
fn credit_of_a_stream_comes_back_when_it_is_read() {
    let mut fixture = ready(limits(1 << 20, 65_536, 8));
    let key = fixture.get();
    fixture.out();
    fixture.receive(&ok(1, 0));
    let (mut head, _) = fixture.answer(key);
    fixture.receive(&data(1, &[1; 16_384], 0));
    fixture.read_all(key, &mut head);
    assert_eq!(fixture.out(), [], "less than half of it");
    fixture.receive(&data(1, &[1; 16_384], 0));
    fixture.read_all(key, &mut head);
    // The reader keeps up, so that the window is doubled.
    assert_eq!(fixture.out(), [Frame::window_update(1, 32_768 + 65_536)]);
    assert_eq!(fixture.streams.granted, 131_072);
    // Padding is read by nobody.
    for _ in 0..(131_072 / 2 / 256) {
        fixture.receive(&padded(1, b"", 255, 0));
    }
    assert_eq!(fixture.out(), [Frame::window_update(1, 65_536)]);
    fixture.receive(&padded(1, b"", 255, END));
    assert_eq!(fixture.out(), []);
    fixture.release(key);
    assert!(fixture.streams.is_at_rest());
}

#[test]
fn padding_at_the_end_gives_no_window_back() {
    let mut fixture = ready(limits(65_536, 1_000, 1));
    fixture.get();
    fixture.out();
    fixture.receive(
        &[
            ok(1, 0),
            padded(1, &[1; 300], 255, 0),
            padded(1, &[1; 10], 255, END),
        ]
        .concat(),
    );
    assert_eq!(fixture.out(), []);
}

#[test]
fn windows_do_not_grow_beyond_the_budget() {
    let mut fixture = ready(limits(4 * 65_536, 65_536, 3));
    let [fast, slow] = [fixture.get(), fixture.get()];
    fixture.receive(&[ok(1, 0), ok(3, 0)].concat());
    let (mut head, _) = fixture.answer(fast);
    for _ in 0..64 {
        fixture.receive(&data(1, &[1; 16_384], 0));
        fixture.read_all(fast, &mut head);
        assert!(fixture.streams.granted <= 3 * 65_536);
    }
    assert_eq!(fixture.streams.granted, 3 * 65_536);
    // The third of those that may be sent at once finds room.
    let third = fixture.get();
    assert_eq!(fixture.streams.granted, 4 * 65_536);
    fixture.release(third);
    fixture.release(fast);
    assert_eq!(fixture.streams.granted, 65_536);
    fixture.release(slow);
    assert!(fixture.streams.is_at_rest());
}

#[test]
fn windows_that_grow_leave_room_for_requests_to_come() {
    let mut fixture = ready(limits(4 * 65_536, 65_536, 2));
    let fast = fixture.get();
    fixture.receive(&ok(1, 0));
    let (mut head, _) = fixture.answer(fast);
    for _ in 0..64 {
        fixture.receive(&data(1, &[1; 16_384], 0));
        fixture.read_all(fast, &mut head);
    }
    assert_eq!(fixture.streams.granted, 2 * 65_536);
    let next = fixture.get();
    fixture.release(fast);
    fixture.release(next);
    assert!(fixture.streams.is_at_rest());
}

/// Content that has arrived and is not read takes of the budget until it is.
#[test]
fn unread_answers_hold_new_requests_up() {
    let mut fixture = ready(limits(2 * 65_536, 65_536, 2));
    let keys = [fixture.get(), fixture.get()];
    for key in keys {
        let id = key.id();
        fixture.receive(
            &[
                ok(id, 0),
                data(id, &[1; 10_000], 0),
                data(id, &[1; 10_000], END),
            ]
            .concat(),
        );
    }
    assert_eq!(fixture.streams.open_count(), 0);
    let task = Task::new();
    let waker = task.waker.clone();
    let opened = fixture
        .try_open((Method::GET, BodyLength::None), &[], (0, None), waker)
        .unwrap();
    assert!(
        matches!(opened, Opened::Stream { .. }),
        "one fits beside what is unread"
    );
    let waker = task.waker.clone();
    let opened = fixture
        .try_open((Method::GET, BodyLength::None), &[], (0, None), waker)
        .unwrap();
    let Opened::Waiting(ticket) = opened else {
        panic!("no room: {opened:?}");
    };
    for key in keys {
        let (mut head, _) = fixture.answer(key);
        assert_eq!(fixture.read_all(key, &mut head).0.len(), 20_000);
    }
    assert_eq!(task.wakes(), 1, "what was read is free");
    let place = (0, Some(ticket));
    let opened = fixture.try_open(
        (Method::GET, BodyLength::None),
        &[],
        place,
        task.waker.clone(),
    );
    assert!(matches!(opened, Ok(Opened::Stream { .. })));
}

#[test]
fn an_upload_keeps_to_both_windows() {
    let mut fixture = Fixture::new();
    let [first, second] = [fixture.post(), fixture.post()];
    fixture.out();
    let content = vec![5; 200_000];
    assert_eq!(
        fixture.send(first, &content, false),
        Sent::Taken(WINDOW_AT_FIRST)
    );
    assert_eq!(
        fixture.send(first, &content, false),
        Sent::Blocked { is_watched: true }
    );
    assert_eq!(sent_on(&fixture.out(), 1), WINDOW_AT_FIRST);
    assert_eq!(fixture.task.wakes(), 1, "there is room in the output");
    assert!(matches!(
        fixture.send(second, &content, true),
        Sent::Blocked { .. }
    ));
    // Both windows are needed.
    fixture.receive(&window_update(3, 100_000));
    assert_eq!(fixture.task.wakes(), 1);
    assert!(matches!(
        fixture.send(second, &content, true),
        Sent::Blocked { .. }
    ));
    drop(fixture.streams.watch(second, fixture.task.waker.clone()));
    fixture.receive(&window_update(0, 70));
    assert_eq!(fixture.task.wakes(), 1);
    assert_eq!(fixture.send(second, &content, true), Sent::Taken(70));
    assert_eq!(sent_on(&fixture.out(), 3), 70);
}

/// RFC 9113 section 6.9.2.
#[test]
fn settings_move_the_windows_of_uploads() {
    let mut fixture = Fixture::new();
    let key = fixture.post();
    fixture.out();
    assert_eq!(fixture.send(key, &[5; 1_000], false), Sent::Taken(1_000));
    fixture.receive(&settings(&[(setting::INITIAL_WINDOW, 400)]));
    let frames = fixture.out();
    assert_eq!(
        (sent_on(&frames, 1), frames.last()),
        (1_000, Some(&Frame::settings_ack()))
    );
    let blocked =
        |fixture: &mut Fixture| matches!(fixture.send(key, b"x", false), Sent::Blocked { .. });
    // The window is -600.
    assert!(blocked(&mut fixture));
    fixture.receive(&window_update(1, 600));
    assert!(blocked(&mut fixture), "0 is nothing");
    fixture.receive(&window_update(1, 3));
    assert_eq!(fixture.send(key, b"12345", false), Sent::Taken(3));
    fixture.receive(&settings(&[(setting::INITIAL_WINDOW, 0)]));
    assert!(blocked(&mut fixture));
    // Down to nothing, and up again: the sum of what was said counts.
    fixture.receive(&settings(&[(setting::INITIAL_WINDOW, 500)]));
    assert_eq!(fixture.send(key, &[1; 500], false), Sent::Taken(100));
    // A new stream begins with what was said last.
    let next = fixture.post();
    assert_eq!(fixture.send(next, &[1; 1_000], false), Sent::Taken(500));
    // The end needs no window.
    assert_eq!(fixture.send(key, b"", true), Sent::Taken(0));
    assert!(fixture.streams.is_sent(key));
    assert_eq!(fixture.out().last().map(|frame| frame.has(END)), Some(true));
}

#[test]
fn settings_that_make_a_window_too_large_end_the_connection() {
    let mut fixture = Fixture::new();
    fixture.post();
    fixture.out();
    fixture.receive(&window_update(1, (1 << 31) - 1 - 65_535));
    assert_eq!(fixture.fault, None);
    fixture.receive(&settings(&[(setting::INITIAL_WINDOW, 65_536)]));
    assert_eq!(
        fixture.out(),
        [Frame::goaway(ErrorCode::FLOW_CONTROL_ERROR)]
    );
}

#[test]
fn a_small_body_goes_out_behind_its_head() {
    let mut fixture = Fixture::new();
    let waker = fixture.task.waker.clone();
    let how = (Method::POST, BodyLength::Known(5));
    let Ok(Opened::Stream { key, sent: 5 }) = fixture.try_open(how, b"hello", (0, None), waker)
    else {
        panic!("all of it is taken");
    };
    let out = fixture.out();
    assert_eq!(
        (out.len(), out[0].has(END), out[1].has(END)),
        (2, false, true)
    );
    assert_eq!(out[1].payload, b"hello");
    assert!(fixture.streams.is_sent(key));
    fixture.receive(&ok(1, END));
    fixture.whole(key);
    assert_eq!(fixture.out(), []);
}

/// Servers give windows back in small steps, and not only while someone waits for them.
#[test]
fn windows_that_come_back_are_no_glitches() {
    let mut fixture = Fixture::new();
    let before = fixture.streams.glitches();
    for step in 0..40 {
        let key = fixture.post();
        let id = key.id();
        assert_eq!(fixture.send(key, &[1; 16_000], true), Sent::Taken(16_000));
        fixture.out();
        for _ in 0..16 {
            fixture.receive(&[window_update(id, 1_000), window_update(0, 1_000)].concat());
        }
        fixture.receive(&ok(id, END));
        fixture.whole(key);
        assert_eq!(
            (fixture.fault, fixture.streams.glitches() - before),
            (None, 0),
            "{step}"
        );
    }
    // More than was sent has no use.
    fixture.receive(&window_update(0, 1));
    assert_eq!(fixture.streams.glitches() - before, 1);
}

/// Every future that waits for room is woken when there may be some.
#[test]
fn all_that_wait_for_a_window_are_woken() {
    let mut fixture = Fixture::new();
    fixture.receive(&settings(&[(setting::INITIAL_WINDOW, 0)]));
    let tasks: Vec<(StreamKey, Task)> = (0..8).map(|_| (fixture.post(), Task::new())).collect();
    fixture.out();
    for (key, task) in &tasks {
        assert!(matches!(
            fixture.send(*key, b"x", true),
            Sent::Blocked { .. }
        ));
        drop(fixture.streams.watch(*key, task.waker.clone()));
    }
    fixture.receive(&settings(&[(setting::INITIAL_WINDOW, 1)]));
    for (key, task) in &tasks {
        assert_eq!(task.wakes(), 1);
        assert_eq!(fixture.send(*key, b"x", true), Sent::Taken(1));
    }
    assert!(fixture.streams.blocked.is_empty());
}
