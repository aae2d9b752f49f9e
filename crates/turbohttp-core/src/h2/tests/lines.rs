//! Requests that wait for a stream, and who wakes them.

use super::*;

/// A request in line.
struct Waiting {
    task: Task,
    ticket: Ticket,
    level: u8,
}

/// Asks for a stream of this level.
fn ask(fixture: &mut Fixture, level: u8, ticket: Option<Ticket>, task: &Task) -> Opened {
    let get = (Method::GET, BodyLength::None);
    let waker = task.waker.clone();
    fixture.try_open(get, &[], (level, ticket), waker).unwrap()
}

fn enter(fixture: &mut Fixture, level: u8) -> Waiting {
    let task = Task::new();
    match ask(fixture, level, None, &task) {
        Opened::Waiting(ticket) => Waiting {
            task,
            ticket,
            level,
        },
        other => panic!("no stream is free: {other:?}"),
    }
}

/// Asks again, as a task that was woken does.
fn again(fixture: &mut Fixture, waiting: &Waiting) -> Option<StreamKey> {
    match ask(fixture, waiting.level, Some(waiting.ticket), &waiting.task) {
        Opened::Stream { key, .. } => Some(key),
        Opened::Waiting(ticket) => {
            assert_eq!(ticket, waiting.ticket, "the place is kept");
            None
        }
        Opened::Gone => panic!("the connection lives"),
    }
}

fn streams_max(fixture: &mut Fixture, max: u32) {
    fixture.receive(&settings(&[(setting::STREAMS_MAX, max)]));
    fixture.out();
}

#[test]
fn before_settings_there_are_a_hundred() {
    let mut fixture = Fixture::with(Limits::new(HeadLimits::default(), STREAMS_MAX));
    for _ in 0..STREAMS_BEFORE_SETTINGS {
        fixture.get();
    }
    let waiting = enter(&mut fixture, 0);
    // SETTINGS that say nothing set no bound but ours.
    fixture.receive(&settings(&[]));
    assert_eq!(fixture.streams.capacity(), fixture.streams.limits().streams);
    assert_eq!(waiting.task.wakes(), 1);
    assert!(again(&mut fixture, &waiting).is_some());
}

#[test]
fn none_at_first_and_then_some() {
    let mut fixture = Fixture::new();
    streams_max(&mut fixture, 0);
    let waiting = [1, 0, 1].map(|level| enter(&mut fixture, level));
    assert_eq!(fixture.streams.waiting_count(), 3);
    streams_max(&mut fixture, 2);
    let woken = waiting.each_ref().map(|one| one.task.wakes());
    assert_eq!(
        woken, [1; 3],
        "all are woken, as one that is not polled holds up nobody"
    );
    assert!(again(&mut fixture, &waiting[1]).is_some());
    assert!(again(&mut fixture, &waiting[0]).is_some());
    assert!(again(&mut fixture, &waiting[2]).is_none());
    assert_eq!(
        (
            fixture.streams.open_count(),
            fixture.streams.waiting_count()
        ),
        (2, 1)
    );
}

#[test]
fn one_at_a_time_by_level_and_arrival() {
    let mut fixture = Fixture::new();
    streams_max(&mut fixture, 1);
    let mut open = fixture.get();
    let waiting: Vec<Waiting> = (0..16).map(|n| enter(&mut fixture, 3 - n % 4)).collect();
    let mut order: Vec<&Waiting> = waiting.iter().collect();
    order.sort_by_key(|one| (one.level, one.ticket));
    for (served, next) in order.iter().enumerate() {
        fixture.receive(&ok(open.id(), END));
        fixture.whole(open);
        // Woken in order: the first of them gets the stream, and the others keep their places.
        for one in &order[served..] {
            assert_eq!(one.task.wakes(), 1);
        }
        open = again(&mut fixture, next).expect("the first of the line");
        for one in &order[served + 1..] {
            assert!(again(&mut fixture, one).is_none());
        }
    }
    assert_eq!(fixture.streams.waiting_count(), 0);
}

#[test]
fn a_limit_below_what_is_open() {
    let mut fixture = Fixture::new();
    let keys: Vec<StreamKey> = (0..4).map(|_| fixture.get()).collect();
    streams_max(&mut fixture, 2);
    let waiting = enter(&mut fixture, 0);
    for (at, key) in keys.iter().enumerate() {
        fixture.receive(&ok(key.id(), END));
        fixture.whole(*key);
        assert_eq!(waiting.task.wakes(), usize::from(at == 2), "{at}");
    }
    assert!(again(&mut fixture, &waiting).is_some());
}

#[test]
fn who_leaves_the_line_is_forgotten() {
    let mut fixture = Fixture::new();
    streams_max(&mut fixture, 0);
    let waiting = enter(&mut fixture, 0);
    fixture
        .streams
        .leave(Some(waiting.ticket), &mut fixture.wakes);
    fixture.wakes.perform();
    assert_eq!(
        (fixture.streams.waiting_count(), waiting.task.wakes()),
        (0, 0)
    );
    assert_eq!(
        Arc::strong_count(&waiting.task.woken),
        2,
        "the waker is dropped"
    );
}

/// Each way by which a stream becomes free wakes the line at once, whether or not its response was read.
#[test]
fn every_end_of_a_stream_wakes_the_line() {
    type End = fn(&mut Fixture, StreamKey);
    let ends: [(&str, End); 12] = [
        ("the end of the answer", |fixture, _| {
            fixture.send_all(b"x");
            fixture.receive(&ok(1, END));
        }),
        ("the end of the request", |fixture, _| {
            fixture.receive(&ok(1, END));
            fixture.send_all(b"x");
        }),
        ("the end of the request without content", |fixture, _| {
            fixture.receive(&ok(1, END));
            fixture.send_all(b"");
        }),
        ("trailers of the request", |fixture, key| {
            fixture.receive(&ok(1, END));
            fixture
                .streams
                .send_trailers(key, &HeaderMap::new(), &mut fixture.wakes);
        }),
        ("a request that is stopped", |fixture, key| {
            fixture.receive(&ok(1, END));
            fixture.streams.stop(key, &mut fixture.wakes);
        }),
        ("a reset", |fixture, _| {
            fixture.receive(&reset(1, ErrorCode::CANCEL))
        }),
        ("a reset behind the end", |fixture, _| {
            fixture.receive(&[ok(1, END), reset(1, ErrorCode::NO_ERROR)].concat());
        }),
        ("a malformed answer", |fixture, _| {
            fixture.receive(&headers(1, &[], 0))
        }),
        ("release", |fixture, key| fixture.release(key)),
        ("GOAWAY", |fixture, _| {
            fixture.receive(&goaway(1, ErrorCode::NO_ERROR))
        }),
        ("draining", |fixture, _| {
            fixture.streams.drain(&mut fixture.wakes)
        }),
        ("the end of the connection", |fixture, _| {
            fixture
                .streams
                .end(ConnectionEnd::Closed, &mut fixture.wakes);
        }),
    ];
    for (name, end) in ends {
        let mut fixture = Fixture::new();
        streams_max(&mut fixture, 1);
        let key = fixture.post();
        fixture.out();
        // Not silent: something is heard of it before the end.
        fixture.receive(&headers(1, &[(":status", "103")], 0));
        let waiting = enter(&mut fixture, 0);
        end(&mut fixture, key);
        fixture.wakes.perform();
        assert_eq!(waiting.task.wakes(), 1, "{name}");
        assert_eq!(fixture.streams.waiting_count(), 0, "{name}");
    }
}

impl Fixture {
    /// Sends the rest of the request on the first stream.
    fn send_all(&mut self, content: &[u8]) {
        let key = StreamKey { slot: 0, id: 1 };
        assert_eq!(self.send(key, content, true), Sent::Taken(content.len()));
    }
}

/// RST_STREAM stands before the HEADERS of the request that takes the place.
#[test]
fn a_reset_goes_before_what_takes_its_place() {
    let mut fixture = Fixture::new();
    streams_max(&mut fixture, 1);
    let key = fixture.get();
    fixture.receive(&ok(1, 0));
    let waiting = enter(&mut fixture, 0);
    fixture.release(key);
    assert!(again(&mut fixture, &waiting).is_some());
    let order: Vec<(u8, u32)> = fixture
        .out()
        .iter()
        .map(|frame| (frame.kind, frame.stream))
        .collect();
    let expected = [
        (kind::HEADERS, 1),
        (kind::RST_STREAM, 1),
        (kind::HEADERS, 3),
    ];
    assert_eq!(order, expected);
}

/// Of requests that are given up before they are written nothing is left, but for the first ones, whose fields are in
/// the table of the next.
#[test]
fn what_was_not_written_is_taken_back() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.release(key);
    let kept = fixture.get();
    for _ in 0..1_000 {
        let key = fixture.get();
        fixture.release(key);
    }
    let after = fixture.get();
    let sent: Vec<_> = fixture
        .out()
        .iter()
        .filter(|frame| frame.stream > 0)
        .map(|frame| (frame.kind, frame.stream))
        .collect();
    let expected = [
        (kind::HEADERS, 1),
        (kind::RST_STREAM, 1),
        (kind::HEADERS, kept.id),
        (kind::HEADERS, after.id),
    ];
    assert_eq!(sent, expected);
    assert_eq!(fixture.streams.open_count(), 2);
}

/// Uploads that are begun and given up while nothing can be written fill the output up to a bound.
#[test]
fn the_output_is_bounded_while_nothing_is_written() {
    let mut fixture = Fixture::new();
    let task = Task::new();
    let mut waiting = None;
    for _ in 0..100_000 {
        // The server says something now and then, so that it is not silent.
        fixture.receive(&window_update(0, 1));
        fixture.streams.glitches = budget::Budget::new();
        let post = (Method::POST, BodyLength::Unknown);
        let waker = task.waker.clone();
        match fixture.try_open(post, &[], (0, None), waker).unwrap() {
            Opened::Stream { key, .. } => {
                fixture.send(key, b"", true);
                fixture.release(key);
            }
            Opened::Waiting(ticket) => {
                waiting = Some(ticket);
                break;
            }
            Opened::Gone => panic!("the connection lives"),
        }
    }
    let ticket = waiting.expect("there is a bound");
    let bytes = fixture.output().len();
    assert!((1 << 20..(1 << 20) + 1_000).contains(&bytes), "{bytes}");
    assert_eq!(task.wakes(), 1, "there is room again");
    assert!(matches!(
        ask(&mut fixture, 0, Some(ticket), &task),
        Opened::Stream { .. }
    ));
}

/// A request that is given up while nothing was heard asks whether the server lives.
#[test]
fn a_silent_server_is_asked_once_and_the_line_waits() {
    let mut fixture = Fixture::new();
    let pings = |fixture: &mut Fixture| {
        let out = fixture.out();
        out.iter().filter(|frame| frame.kind == kind::PING).count()
    };
    // What was not written cannot have been answered.
    let key = fixture.get();
    fixture.release(key);
    assert_eq!(pings(&mut fixture), 0);
    let [first, second] = [fixture.get(), fixture.get()];
    fixture.out();
    fixture.release(first);
    assert_eq!(
        (pings(&mut fixture), fixture.streams.probe_due().is_some()),
        (1, true)
    );
    fixture.release(second);
    assert_eq!(pings(&mut fixture), 0, "one in flight");
    let waiting = enter(&mut fixture, 0);
    fixture.receive(&ping(b"alive?\0\0", flag::ACK));
    assert_eq!(
        (waiting.task.wakes(), fixture.streams.probe_due()),
        (1, None)
    );
    let key = again(&mut fixture, &waiting).unwrap();
    fixture.out();
    fixture.release(key);
    assert_eq!(pings(&mut fixture), 0, "neither HEADERS nor DATA since");
    // Heard since it was written, but not answered.
    let [answered, key] = [fixture.get(), fixture.get()];
    fixture.out();
    fixture.receive(&ok(answered.id(), END));
    fixture.release(key);
    assert_eq!(pings(&mut fixture), 0);
    // No answer in time: the connection takes no more requests.
    let key = fixture.get();
    fixture.out();
    fixture.release(key);
    let waiting = enter(&mut fixture, 0);
    let due = fixture.streams.probe_due().unwrap();
    let early = due - std::time::Duration::from_millis(1);
    assert!(!fixture.streams.give_up_if_silent(early, &mut fixture.wakes));
    assert!(fixture.streams.give_up_if_silent(due, &mut fixture.wakes));
    fixture.wakes.perform();
    assert_eq!(waiting.task.wakes(), 1);
    assert_eq!(
        ask(&mut fixture, 0, Some(waiting.ticket), &waiting.task),
        Opened::Gone
    );
}

/// A client that asks for it learns of a server that has gone while its requests wait.
#[test]
fn a_silence_with_streams_is_asked_once_and_ends_the_connection() {
    let interval = std::time::Duration::from_secs(10);
    let wait = std::time::Duration::from_millis(PROBE_WAIT_MS);
    let mut fixture = Fixture::new();
    let (begin, glitches) = (fixture.now, fixture.streams.glitches());
    let look = |fixture: &mut Fixture, unread, now| {
        let (streams, wakes) = (&mut fixture.streams, &mut fixture.wakes);
        let due = streams.keep_alive(interval, unread, now, wakes);
        fixture.wakes.perform();
        let out = fixture.out();
        let pings = out.iter().filter(|frame| frame.kind == kind::PING);
        due.map(|due| (due, pings.count()))
    };
    assert_eq!(look(&mut fixture, 0, begin), Ok((None, 0)), "no stream");
    let [first, second] = [fixture.get(), fixture.get()];
    let mut now = begin + interval;
    let due = Some(now + interval);
    assert_eq!(look(&mut fixture, 0, now), Ok((due, 0)));
    now += interval;
    let due = Some(now + wait);
    assert_eq!(look(&mut fixture, 0, now), Ok((due, 1)));
    assert_eq!(look(&mut fixture, 0, now), Ok((due, 0)), "one in flight");
    // A request that is given up asks no second time.
    fixture.release(first);
    assert_eq!(look(&mut fixture, 0, now), Ok((due, 0)));
    // The answer ends the silence, and the task is woken for the next PING.
    fixture.receive(&ping(b"alive?\0\0", flag::ACK));
    assert_eq!(fixture.fault, None);
    assert_eq!(fixture.streams.glitches(), glitches);
    let due = Some(now + wait + interval);
    assert_eq!(look(&mut fixture, 0, now + wait), Ok((due, 0)));
    now += wait + interval;
    let task = Task::new();
    assert!(fixture.streams.park(task.waker.clone()));
    assert_eq!(look(&mut fixture, 0, now), Ok((Some(now + wait), 1)));
    assert_eq!(task.wakes(), 1);
    // GOAWAY is a sign of life, and leaves the stream to wait.
    fixture.receive(&goaway(second.id(), ErrorCode::NO_ERROR));
    let due = Some(now + wait + interval);
    assert_eq!(look(&mut fixture, 0, now + wait), Ok((due, 0)));
    now += wait + interval;
    assert_eq!(look(&mut fixture, 0, now), Ok((Some(now + wait), 1)));
    assert_eq!(
        look(&mut fixture, 0, now + wait),
        Err(ConnectionEnd::Silent)
    );
    let end = ConnectionEnd::Silent;
    fixture.streams.end(end, &mut fixture.wakes);
    let (_, answer) = fixture.answer(second);
    assert!(matches!(answer, Answer::Failed(StreamError::Connection(got)) if got == end));
    let message = "server did not answer a PING within 1 s";
    assert_eq!(end.to_string(), message);
}

/// One PING is outstanding at most, whatever it was sent for.
#[test]
fn a_probe_under_way_is_the_question_of_a_silence() {
    let interval = std::time::Duration::from_secs(10);
    let mut fixture = Fixture::new();
    let [_kept, given_up] = [fixture.get(), fixture.get()];
    fixture.out();
    let begin = fixture.now;
    let (streams, wakes) = (&mut fixture.streams, &mut fixture.wakes);
    streams.keep_alive(interval, 0, begin, wakes).unwrap();
    fixture.release(given_up);
    let pings = |fixture: &mut Fixture| {
        let out = fixture.out();
        out.iter().filter(|frame| frame.kind == kind::PING).count()
    };
    assert_eq!(pings(&mut fixture), 1);
    let (streams, wakes) = (&mut fixture.streams, &mut fixture.wakes);
    let due = streams.keep_alive(interval, 0, begin + interval, wakes);
    let wait = std::time::Duration::from_millis(PROBE_WAIT_MS);
    assert_eq!(due, Ok(Some(begin + interval + wait)));
    assert_eq!(pings(&mut fixture), 0);
}

#[test]
fn identifiers_run_out_before_they_end() {
    let mut fixture = Fixture::new();
    fixture.streams.next_id = limits::LAST_STREAM_ID - 2;
    let [first, second] = [fixture.get(), fixture.get()];
    assert_eq!(
        (first.id(), second.id()),
        (limits::LAST_STREAM_ID - 2, limits::LAST_STREAM_ID)
    );
    assert!(!fixture.streams.is_live());
    let task = Task::new();
    assert_eq!(ask(&mut fixture, 0, None, &task), Opened::Gone);
    fixture.receive(&[ok(first.id(), END), ok(second.id(), END)].concat());
    fixture.whole(first);
    fixture.whole(second);
}

/// The task is woken by the first request that appends something, and by no other.
#[test]
fn the_task_is_poked_once_for_each_batch() {
    let mut fixture = Fixture::new();
    let task = Task::new();
    assert!(fixture.streams.park(task.waker.clone()));
    let key = fixture.get();
    fixture.get();
    assert_eq!(task.wakes(), 1);
    assert!(
        !fixture.streams.park(task.waker.clone()),
        "there is something to write"
    );
    fixture.out();
    assert!(fixture.streams.park(task.waker.clone()));
    fixture.release(key);
    assert_eq!(task.wakes(), 1);
    fixture.out();
    assert!(fixture.streams.park(task.waker.clone()));
    fixture.streams.go_away(&mut fixture.wakes);
    fixture.wakes.perform();
    assert_eq!(task.wakes(), 1);
}
