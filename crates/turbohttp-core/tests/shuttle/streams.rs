//! One HTTP/2 connection under many schedules: callers that give up, and a server that changes its settings,
//! resets, goes away or is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::Waker;
use std::time::Instant;

use http::{HeaderMap, Method};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler as Schedules};
use shuttle::thread;
use turbohttp_core::h1::HeadLimits;
use turbohttp_core::h1::encode::{Asks, BodyLength, DefaultFields, RequestHead};
use turbohttp_core::h2::{
    Answer, Batch, Chunk, ConnectionEnd, Delivered, Limits, Opened, PREFACE, Receiver, Request,
    Sent, SharedStreams, StreamKey, Wakes,
};
use turbohttp_core::head::ResponseHead;

use super::{PCT_DEPTH, dice, iterations, own_waker};

const CALLERS: usize = 8;
/// The longest walk of the server, in frames that it reads.
const STEPS_MAX: usize = 60;

static HITS: [AtomicU64; 7] = [const { AtomicU64::new(0) }; 7];
const NAMES: [&str; 7] = [
    "answered whole",
    "read in pieces",
    "failed",
    "refused",
    "given up in line",
    "given up on the wire",
    "sent whole",
];

fn hit(index: usize) {
    HITS[index].fetch_add(1, SeqCst);
}

struct Fixture {
    streams: SharedStreams<Vec<u8>>,
    now: Instant,
    is_over: AtomicBool,
}

impl Fixture {
    fn open(
        &self,
        body: BodyLength,
        level: u8,
        ticket: Option<turbohttp_core::h2::Ticket>,
        waker: &Waker,
    ) -> Opened {
        let (headers, defaults) = (HeaderMap::new(), DefaultFields::default());
        let head = RequestHead {
            method: &Method::POST,
            target: "/",
            authority: "a.test",
            headers: &headers,
            defaults: &defaults,
            head_template: &[],
            body,
            asks: Asks::Nothing,
        };
        let request = Request {
            head: &head,
            scheme: "https",
            urgency: None,
        };
        let ends = body == BodyLength::None;
        let mut waker = Some(waker.clone());
        let opened = self.streams.update(|streams, wakes| {
            let place = (level, ticket);
            streams.open(&request, &[], ends, place, &mut None, &mut waker, wakes)
        });
        opened.unwrap()
    }

    /// One request, from its place in line to its end.
    fn caller(&self) {
        let waker = own_waker();
        let level = dice(3) as u8;
        let body = [BodyLength::None, BodyLength::Unknown][dice(2)];
        let mut patience = dice(8);
        let mut ticket = None;
        let key = loop {
            match self.open(body, level, ticket, &waker) {
                Opened::Stream { key, .. } => break key,
                Opened::Gone => return hit(3),
                Opened::Waiting(place) => ticket = Some(place),
            }
            if patience == 0 {
                thread::yield_now();
                hit(4);
                return self
                    .streams
                    .update(|streams, wakes| streams.leave(ticket, wakes));
            }
            patience -= 1;
            thread::park();
        };
        let is_whole = self.exchange(key, body, dice(3) == 0, &waker);
        if !is_whole {
            drop(
                self.streams
                    .update(|streams, wakes| streams.release(key, self.now, wakes)),
            );
        }
    }

    /// Sends and receives; whether the stream was released with its answer.
    fn exchange(&self, key: StreamKey, body: BodyLength, gives_up: bool, waker: &Waker) -> bool {
        if body == BodyLength::Unknown {
            self.upload(key, waker);
        }
        if gives_up {
            thread::yield_now();
            hit(5);
            return false;
        }
        let mut head = ResponseHead::default();
        loop {
            let answer = self
                .streams
                .update(|streams, wakes| streams.answer(key, &mut head, waker, wakes));
            match answer {
                Answer::Pending { is_watched: true } => thread::park(),
                Answer::Pending { is_watched: false } => self.watch(key, waker),
                Answer::Proceed => {}
                Answer::Whole { .. } => {
                    hit(0);
                    return true;
                }
                Answer::Failed(_) => {
                    hit(2);
                    return false;
                }
                Answer::Head => return self.read(key, &mut head, waker),
            }
        }
    }

    fn read(&self, key: StreamKey, head: &mut ResponseHead, waker: &Waker) -> bool {
        let mut lent = None;
        loop {
            let (chunk, _) = self
                .streams
                .update(|streams, wakes| streams.read(key, head, lent.take(), waker, wakes));
            match chunk {
                Chunk::Pending { is_watched: true } => thread::park(),
                Chunk::Pending { is_watched: false } => self.watch(key, waker),
                Chunk::Piece(piece) => {
                    assert!(
                        piece.memory[..piece.filled]
                            .iter()
                            .all(|byte| *byte == key.id() as u8)
                    );
                    lent = Some(piece.memory);
                }
                Chunk::End => {
                    hit(1);
                    return false;
                }
                Chunk::Failed(_) => {
                    hit(2);
                    return false;
                }
            }
        }
    }

    fn upload(&self, key: StreamKey, waker: &Waker) {
        let mut rest = 1 + dice(60);
        while rest > 0 {
            let content = vec![7; rest];
            let sent = self
                .streams
                .update(|streams, wakes| streams.send(key, &content, true, waker, wakes));
            match sent {
                Sent::Taken(bytes) => rest -= bytes,
                Sent::Blocked { is_watched: true } => thread::park(),
                Sent::Blocked { is_watched: false } => self.watch(key, waker),
                Sent::Stopped => return,
            }
        }
        hit(6);
    }

    fn watch(&self, key: StreamKey, waker: &Waker) {
        drop(
            self.streams
                .update(|streams, _| streams.watch(key, waker.clone())),
        );
    }

    /// The task of the connection, and the server behind it.
    fn task(&self) {
        let waker = own_waker();
        let mut server = Server::new(&self.streams.look(|streams| *streams.limits()));
        server.say(&frame(
            4,
            0,
            0,
            &[[0, 3, 0, 0, 0, 1 + dice(3) as u8], [0, 4, 0, 0, 0, 20]].concat(),
        ));
        loop {
            let mut writing = Vec::new();
            self.streams
                .update_with(&mut server.wakes, |streams, wakes| {
                    streams.take_output(&mut writing, wakes)
                });
            server.hear(writing.strip_prefix(PREFACE).unwrap_or(&writing));
            if server.is_lost {
                let end = ConnectionEnd::Closed;
                return self
                    .streams
                    .update(|streams, wakes| streams.end(end, wakes));
            }
            self.deliver(&mut server);
            let rests = self.streams.update(|streams, _| {
                // As a task that is woken by its socket, it takes all there is before it rests.
                !streams.has_output() && streams.park(waker.clone())
            });
            if rests {
                if self.is_over.load(SeqCst) {
                    return;
                }
                if !server.answers_one() {
                    thread::park();
                }
            }
        }
    }

    fn deliver(&self, server: &mut Server) {
        let bytes = std::mem::take(&mut server.said);
        let mut at = 0;
        while at < bytes.len() {
            let input = &bytes[at..];
            at += server.receiver.receive(input, &mut server.batch);
            let mut memory = None;
            loop {
                let (batch, now) = (&mut server.batch, self.now);
                let delivered = self
                    .streams
                    .update_with(&mut server.wakes, |streams, wakes| {
                        streams.deliver(batch, input, &mut memory, now, wakes)
                    });
                match delivered {
                    Delivered::All => break,
                    Delivered::NeedsMemory(bytes) => memory = Some(vec![0; bytes]),
                    Delivered::Broken(error) => panic!("{error}"),
                }
            }
        }
    }
}

/// A server that answers in any order, and keeps to the protocol.
struct Server {
    receiver: Receiver,
    batch: Batch,
    wakes: Wakes,
    said: Vec<u8>,
    /// Streams without an answer.
    open: Vec<u32>,
    last_seen: u32,
    steps: usize,
    is_lost: bool,
    went_away: bool,
}

impl Server {
    fn new(limits: &Limits) -> Server {
        Server {
            receiver: Receiver::new(limits),
            batch: Batch::default(),
            wakes: Wakes::default(),
            said: Vec::new(),
            open: Vec::new(),
            last_seen: 0,
            steps: 0,
            is_lost: false,
            went_away: false,
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.said.extend_from_slice(bytes);
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        while let [_, l1, l2, kind, _, rest @ ..] = bytes {
            let length = usize::from(u16::from_be_bytes([*l1, *l2]));
            let id = u32::from_be_bytes(*rest.first_chunk().unwrap());
            bytes = &rest[4 + length..];
            match kind {
                1 => {
                    assert!(id > self.last_seen, "identifiers rise");
                    self.last_seen = id;
                    if !self.went_away {
                        self.open.push(id);
                    }
                }
                // The windows of uploads come back.
                0 if length > 0 => {
                    let increment = (length as u32).to_be_bytes();
                    self.say(&frame(8, 0, 0, &increment));
                    self.say(&frame(8, 0, id, &increment));
                }
                3 => self.open.retain(|open| *open != id),
                6 => self.say(&frame(6, 1, 0, b"alive?\0\0")),
                _ => {}
            }
            self.step();
        }
    }

    /// Does one of the things that servers do.
    fn step(&mut self) {
        self.steps += 1;
        match dice(16) {
            // Long walks find nothing new.
            _ if self.steps > STEPS_MAX => {}
            0 => self.say(&frame(4, 0, 0, &[0, 3, 0, 0, 0, 1 + dice(3) as u8])),
            1 => self.say(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 1 + dice(40) as u8])),
            2 if dice(4) == 0 => self.is_lost = true,
            3 if dice(4) == 0 && !self.went_away => self.go_away(),
            4 => self.say(&frame(6, 0, 0, &[1; 8])),
            5..9 => {
                self.answers_one();
            }
            _ => {}
        }
    }

    fn go_away(&mut self) {
        self.went_away = true;
        let last = self
            .open
            .get(dice(CALLERS))
            .copied()
            .unwrap_or(self.last_seen);
        self.open.retain(|open| *open <= last);
        self.say(&frame(7, 0, 0, &[last.to_be_bytes(), [0; 4]].concat()));
    }

    /// Answers one of the streams that are open.
    fn answers_one(&mut self) -> bool {
        if self.open.is_empty() {
            return false;
        }
        let id = self.open.swap_remove(dice(self.open.len()));
        let content = vec![id as u8; 1 + dice(2_000)];
        match dice(4) {
            0 => self.say(&frame(3, 0, id, &[0, 0, 0, 7])),
            1 => self.say(&frame(1, 5, id, &[0x88])),
            _ => {
                self.say(&frame(1, 4, id, &[0x88]));
                self.say(&frame(0, 0, id, &content));
                self.say(&frame(0, 1, id, &content));
            }
        }
        true
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn scene(now: Instant) {
    let fixture = Arc::new(Fixture {
        streams: SharedStreams::new(Limits::new(HeadLimits::default(), CALLERS)),
        now,
        is_over: AtomicBool::new(false),
    });
    let task = Arc::clone(&fixture);
    let task = thread::spawn(move || task.task());
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || fixture.caller())
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
    fixture.is_over.store(true, SeqCst);
    // Pokes the task, which sees that it is over.
    fixture
        .streams
        .update(|streams, wakes| streams.go_away(wakes));
    task.join().unwrap();
    assert!(fixture.streams.look(|streams| streams.is_at_rest()));
}

fn explore(name: &str, schedules: impl Schedules + 'static) {
    let runner = shuttle::Runner::new(schedules, shuttle::Config::default());
    let now = Instant::now();
    let executions = runner.run(move || scene(now));
    println!(
        "streams, {name}: {executions} schedules of {} threads",
        CALLERS + 2
    );
}

#[test]
fn every_request_ends_once_and_nobody_sleeps_for_ever() {
    explore("random", RandomScheduler::new(iterations()));
    explore("pct", PctScheduler::new(PCT_DEPTH, iterations()));
    for (name, hits) in NAMES.iter().zip(&HITS) {
        let hits = hits.load(SeqCst);
        println!("  {name:<28} {hits:>9}");
        assert!(hits > 1_000, "{name}: {hits} times only");
    }
}
