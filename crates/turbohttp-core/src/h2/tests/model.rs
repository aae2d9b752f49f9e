//! A plain reference, of maps and sums, beside the codec under random operations.
//!
//! The reference knows what a server that keeps to the protocol has said and heard. After each step it and
//! the codec agree about streams, windows, the budget and the line, and each task that waits for something
//! that has come was woken.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::limits::STREAM_WINDOW_MAX;
use super::*;

mod check;
mod step;

use step::{Step, last, step};

const RECEIVE_BYTES: u32 = 4 * WINDOW;
const WINDOW: u32 = 66_000;
/// Streams that find room whatever windows have grown to, of the four that there may be.
const AT_ONCE: usize = 2;
const REQUESTS: usize = 12;

/// A request, as its own task knows it.
struct Caller {
    task: Task,
    level: u8,
    sends: bool,
    ticket: Option<Ticket>,
    key: Option<StreamKey>,
    /// Its last poll found nothing, and it has not been woken since as far as it is to know.
    waits: Option<Waits>,
    has_head: bool,
    is_over: bool,
    sent: u64,
    received: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    ForStream,
    ForAnswer,
    ForContent,
    ToSend,
}

/// A stream as the server knows it, and what it has sent on it.
#[derive(Debug, Default)]
struct Sight {
    has_headers: bool,
    request_ended: bool,
    head_sent: bool,
    answer_ended: bool,
    was_reset: bool,
    /// What the server may send, by what it was told.
    may_send: i64,
    /// What the client may send, by what it was told.
    client_may_send: i64,
    received: u64,
    content: Vec<u8>,
}

struct World {
    fixture: Fixture,
    callers: Vec<Caller>,
    server: BTreeMap<u32, Sight>,
    /// What the server may send on the connection, and the client, by what was said.
    may_send: i64,
    client_may_send: i64,
    initial_window: i64,
    streams_max: u32,
    is_live: bool,
    has_ended: bool,
    /// Frames that were appended and are not written: the order in which the client has said things.
    unwritten: VecDeque<Frame>,
    byte: u8,
}

impl World {
    fn new() -> World {
        let limits = Limits::with_budget(HeadLimits::default(), AT_ONCE, RECEIVE_BYTES, WINDOW);
        assert_eq!(limits.stream_window, WINDOW);
        let mut fixture = Fixture::with(limits);
        fixture.receive(&settings(&[]));
        fixture.out();
        World {
            fixture,
            callers: Vec::new(),
            server: BTreeMap::new(),
            may_send: RECEIVE_BYTES.into(),
            client_may_send: 65_535,
            initial_window: 65_535,
            streams_max: u32::MAX,
            is_live: true,
            has_ended: false,
            unwritten: VecDeque::new(),
            byte: 0,
        }
    }

    fn run(&mut self, step: Step) {
        // So that no flood ends the connection: floods have tests of their own.
        self.fixture.streams.glitches = budget::Budget::new();
        match step {
            Step::Begin { sends, level } if self.callers.len() < REQUESTS => {
                self.callers.push(Caller {
                    task: Task::new(),
                    level,
                    sends,
                    ticket: None,
                    key: None,
                    waits: None,
                    has_head: false,
                    is_over: false,
                    sent: 0,
                    received: Vec::new(),
                });
                self.poll(self.callers.len() - 1);
            }
            Step::Begin { .. } => {}
            Step::Poll(at) => self.poll(at),
            Step::Send {
                request,
                bytes,
                ends,
            } => self.send(request, bytes, ends),
            Step::Stop(at) => self.stop(at),
            Step::Drop(at) => self.give_up(at),
            Step::Write => self.write(),
            Step::End => {
                let streams = &mut self.fixture.streams;
                streams.end(ConnectionEnd::Closed, &mut self.fixture.wakes);
                self.fixture.wakes.perform();
                (self.has_ended, self.is_live) = (true, false);
            }
            step => self.serve(step),
        }
    }

    fn serve(&mut self, step: Step) {
        if self.has_ended {
            return;
        }
        let bytes = match step {
            Step::Head { stream, ends } => {
                let Some((id, sight)) = self.open_sight(stream) else {
                    return;
                };
                if std::mem::replace(&mut sight.head_sent, true) {
                    return;
                }
                sight.answer_ended = ends;
                ok(id, if ends { END } else { 0 })
            }
            Step::Data {
                stream,
                bytes,
                padding,
                ends,
            } => {
                let Some(bytes) = self.data(stream, bytes, padding, ends) else {
                    return;
                };
                bytes
            }
            Step::Reset(stream) => {
                let Some((id, sight)) = self.open_sight(stream) else {
                    return;
                };
                sight.was_reset = true;
                reset(id, ErrorCode::INTERNAL_ERROR)
            }
            Step::Window { stream, bytes } => {
                let Some((id, sight)) = self.open_sight(stream) else {
                    return;
                };
                if sight.request_ended || sight.client_may_send + i64::from(bytes) > 1 << 30 {
                    return;
                }
                sight.client_may_send += i64::from(bytes);
                window_update(id, bytes)
            }
            step => {
                let Some(bytes) = self.say(step) else {
                    return;
                };
                bytes
            }
        };
        self.fixture.receive(&bytes);
        assert_eq!(
            self.fixture.fault, None,
            "the server has kept to the protocol"
        );
    }

    /// What the server says about the connection.
    fn say(&mut self, step: Step) -> Option<Vec<u8>> {
        let bytes = match step {
            Step::WindowOfAll(bytes) if self.client_may_send < 1 << 30 => {
                self.client_may_send += i64::from(bytes);
                window_update(0, bytes)
            }
            Step::StreamsMax(max) => {
                self.streams_max = max;
                settings(&[(setting::STREAMS_MAX, max)])
            }
            Step::InitialWindow(bytes) => {
                let change = i64::from(bytes) - self.initial_window;
                self.initial_window += change;
                self.server
                    .values_mut()
                    .for_each(|sight| sight.client_may_send += change);
                settings(&[(setting::INITIAL_WINDOW, bytes)])
            }
            Step::Ping => ping(&[1; 8], 0),
            Step::GoAway(beside) => {
                let last = self
                    .server
                    .keys()
                    .last()
                    .map_or(0, |last| last.saturating_sub(2 * beside));
                self.is_live = false;
                for (id, sight) in &mut self.server {
                    sight.was_reset |= *id > last;
                }
                goaway(last, ErrorCode::NO_ERROR)
            }
            _ => return None,
        };
        Some(bytes)
    }

    /// A stream on which the server may still send something.
    fn open_sight(&mut self, at: usize) -> Option<(u32, &mut Sight)> {
        let is_open = |sight: &&mut Sight| !sight.was_reset && !sight.answer_ended;
        let mut open = self.server.iter_mut().filter(|(_, sight)| is_open(sight));
        open.nth(at % 4).map(|(id, sight)| (*id, sight))
    }

    fn data(&mut self, stream: usize, bytes: usize, padding: u8, ends: bool) -> Option<Vec<u8>> {
        let (may_send, byte) = (self.may_send, self.byte.wrapping_add(1));
        self.byte = byte;
        let (id, sight) = self.open_sight(stream)?;
        let room = usize::try_from(may_send.min(sight.may_send)).unwrap_or(0);
        let bytes = bytes.min(FRAME_BYTES_MAX - 256).min(room);
        // A padding of no bytes has its length nevertheless, if the flag is set.
        let padding = usize::from(padding).min(room - bytes);
        if !sight.head_sent {
            return None;
        }
        let content = vec![byte; bytes];
        sight.content.extend_from_slice(&content);
        sight.answer_ended = ends;
        let flags = if ends { END } else { 0 };
        let (frame, flow) = match padding {
            0 => (data(id, &content, flags), bytes),
            _ => (
                padded(id, &content, (padding - 1) as u8, flags),
                bytes + padding,
            ),
        };
        sight.may_send -= flow as i64;
        self.may_send -= flow as i64;
        Some(frame)
    }

    fn poll(&mut self, at: usize) {
        let Some(caller) = self.callers.get_mut(at) else {
            return;
        };
        if caller.is_over {
            return;
        }
        caller.task.wakes();
        caller.waits = None;
        let Some(key) = caller.key else {
            return self.ask(at);
        };
        let waker = caller.task.waker.clone();
        let (streams, wakes) = (&mut self.fixture.streams, &mut self.fixture.wakes);
        drop(streams.watch(key, waker.clone()));
        let mut head = ResponseHead::default();
        if !caller.has_head {
            match streams.answer(key, &mut head, &waker, wakes) {
                Answer::Pending { is_watched } => {
                    assert!(is_watched);
                    caller.waits = Some(Waits::ForAnswer);
                }
                Answer::Proceed => panic!("no 100 was sent"),
                Answer::Head => caller.has_head = true,
                Answer::Whole { piece, .. } => {
                    if let Some(piece) = piece {
                        caller
                            .received
                            .extend_from_slice(&piece.memory[..piece.filled]);
                    }
                    (caller.key, caller.is_over) = (None, true);
                    assert_eq!(caller.received, self.server[&key.id].content);
                }
                Answer::Failed(_) => assert!(self.has_ended || self.server[&key.id].was_reset),
            }
        }
        if caller.has_head {
            let (chunk, _) = streams.read(key, &mut head, None, &waker, wakes);
            match chunk {
                Chunk::Pending { is_watched } => {
                    assert!(is_watched);
                    caller.waits = Some(Waits::ForContent);
                }
                Chunk::Piece(piece) => {
                    caller
                        .received
                        .extend_from_slice(&piece.memory[..piece.filled]);
                }
                Chunk::End => assert_eq!(caller.received, self.server[&key.id].content),
                Chunk::Failed(_) => assert!(self.has_ended || self.server[&key.id].was_reset),
            }
        }
        self.fixture.wakes.perform();
    }

    /// Asks for a stream.
    fn ask(&mut self, at: usize) {
        let caller = &self.callers[at];
        let how = match caller.sends {
            true => (Method::POST, BodyLength::Unknown),
            false => (Method::GET, BodyLength::None),
        };
        let (place, waker) = ((caller.level, caller.ticket), caller.task.waker.clone());
        let before = (
            self.fixture.streams.open_count(),
            self.fixture.streams.granted,
        );
        let opened = self.fixture.try_open(how, &[], place, waker).unwrap();
        let has_room = before.0 < (self.streams_max as usize).min(4)
            && before.1 + u64::from(WINDOW) <= RECEIVE_BYTES.into()
            && !self.fixture.streams.probe.is_awaited();
        let caller = &mut self.callers[at];
        match opened {
            Opened::Stream { key, .. } => {
                assert!(has_room && self.is_live);
                let sight = Sight {
                    may_send: WINDOW.into(),
                    client_may_send: self.initial_window,
                    ..Sight::default()
                };
                assert!(
                    self.server.insert(key.id, sight).is_none(),
                    "identifiers are new"
                );
                caller.key = Some(key);
                caller.ticket = None;
            }
            Opened::Waiting(ticket) => {
                assert!(!has_room && self.is_live);
                assert!(caller.ticket.is_none_or(|former| former == ticket));
                caller.ticket = Some(ticket);
                caller.waits = Some(Waits::ForStream);
            }
            Opened::Gone => {
                assert!(!self.is_live || !self.fixture.streams.is_live());
                caller.is_over = true;
            }
        }
    }

    fn send(&mut self, at: usize, bytes: usize, ends: bool) {
        let Some(caller) = self.callers.get_mut(at) else {
            return;
        };
        let Some(key) = caller.key.filter(|_| caller.sends) else {
            return;
        };
        let waker = caller.task.waker.clone();
        caller.task.wakes();
        caller.waits = None;
        let (streams, wakes) = (&mut self.fixture.streams, &mut self.fixture.wakes);
        drop(streams.watch(key, waker.clone()));
        let content = vec![9; bytes];
        let room = OUT_BYTES_MAX.saturating_sub(streams.out.len());
        let sent = streams.send(key, &content, ends, &waker, wakes);
        self.fixture.wakes.perform();
        let sight = &self.server[&key.id];
        let window = self.client_may_send.min(sight.client_may_send).max(0) as usize;
        match sent {
            Sent::Taken(taken) => {
                assert_eq!(taken, bytes.min(window).min(room), "as much as goes");
                caller.sent += taken as u64;
                let sight = self.server.get_mut(&key.id).unwrap();
                sight.client_may_send -= taken as i64;
                self.client_may_send -= taken as i64;
                caller.sends = !(ends && taken == bytes);
            }
            Sent::Blocked { is_watched } => {
                assert!(is_watched && bytes > 0);
                assert_eq!(bytes.min(window).min(room), 0, "nothing goes");
                caller.waits = Some(Waits::ToSend);
            }
            Sent::Stopped => assert!(self.has_ended || sight.was_reset || self.is_reset_here(key)),
        }
    }

    fn is_reset_here(&self, key: StreamKey) -> bool {
        self.fixture
            .streams
            .resets
            .iter()
            .any(|late| late.id == key.id)
    }

    fn stop(&mut self, at: usize) {
        let Some(caller) = self.callers.get_mut(at) else {
            return;
        };
        let Some(key) = caller.key else {
            return;
        };
        // Who stops does not wait to send any more.
        caller.waits = caller.waits.filter(|waits| *waits != Waits::ToSend);
        self.fixture.streams.stop(key, &mut self.fixture.wakes);
        self.fixture.wakes.perform();
    }

    fn give_up(&mut self, at: usize) {
        if at >= self.callers.len() {
            return;
        }
        let caller = self.callers.remove(at);
        let (streams, wakes) = (&mut self.fixture.streams, &mut self.fixture.wakes);
        streams.leave(caller.ticket, wakes);
        if let Some(key) = caller.key {
            drop(streams.release(key, self.fixture.now, wakes));
        }
        self.fixture.wakes.perform();
        assert_eq!(Arc::strong_count(&caller.task.woken), 2, "no waker is left");
    }

    /// The server reads what was written.
    fn write(&mut self) {
        for frame in self.fixture.out() {
            self.unwritten.push_back(frame);
        }
        while let Some(frame) = self.unwritten.pop_front() {
            let number = |payload: &[u8]| u32::from_be_bytes(payload.try_into().unwrap());
            let sight = self.server.get_mut(&frame.stream);
            match (frame.kind, sight) {
                (kind::HEADERS, Some(sight)) => {
                    assert!(
                        !std::mem::replace(&mut sight.has_headers, true),
                        "one HEADERS"
                    );
                    sight.request_ended |= frame.has(END);
                }
                (kind::DATA, Some(sight)) => {
                    assert!(sight.has_headers && !sight.request_ended);
                    sight.received += frame.payload.len() as u64;
                    sight.request_ended |= frame.has(END);
                }
                (kind::RST_STREAM, Some(sight)) => {
                    assert!(sight.has_headers, "RST_STREAM on an idle stream");
                    sight.was_reset = true;
                }
                (kind::WINDOW_UPDATE, Some(sight)) => {
                    assert!(sight.has_headers);
                    sight.may_send += i64::from(number(&frame.payload));
                }
                (kind::WINDOW_UPDATE, None) => {
                    assert_eq!(frame.stream, 0);
                    self.may_send += i64::from(number(&frame.payload));
                }
                (kind::PING | kind::SETTINGS, None) => {}
                other => panic!("{other:?}"),
            }
        }
        // Something is heard after a PING, and HEADERS at times, so that the line goes on.
        if self.fixture.streams.probe.is_awaited() && !self.has_ended {
            self.fixture.receive(&ping(b"alive?\0\0", flag::ACK));
        }
    }

    /// Everything is given up: nothing is left.
    fn close(mut self) {
        while !self.callers.is_empty() {
            self.give_up(0);
            self.check();
        }
        assert!(self.fixture.streams.is_at_rest());
        self.write();
        let streams = &self.fixture.streams;
        assert_eq!(streams.used_count(), 0);
        if !self.has_ended {
            // All that has arrived was credited, but for less than a half.
            assert!(
                self.may_send * 2 > RECEIVE_BYTES.into(),
                "{}",
                self.may_send
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_codec_does_what_the_reference_says(
        steps in prop::collection::vec(step(), 1..300),
        last in last(),
        after in prop::collection::vec(step(), 0..30),
    ) {
        let mut world = World::new();
        for step in steps.into_iter().chain(last).chain(after) {
            world.run(step);
            world.check();
        }
        world.close();
    }
}
