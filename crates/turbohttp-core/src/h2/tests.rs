//! The codec against a server of bytes: what it makes of frames, and which frames it makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Wake, Waker};
use std::time::Instant;

use http::{HeaderMap, Method};

use super::frame::{FrameHead, flag, kind, put_head};
use super::hpack::{Decoder, Encoder, Indexing};
use super::*;
use crate::h1::encode::{Asks, BodyLength, DefaultFields, RequestHead};
use crate::h1::{EncodeError, HeadLimits};
use crate::head::ResponseHead;

mod accounts;
mod faults;
mod floods;
mod lines;
mod model;
mod requests;
mod responses;
mod splits;
mod windows;

type Memory = Vec<u8>;

/// The memory that a test gives is small, so that content is in several pieces.
const PIECE_BYTES: usize = 8 * 1024;

/// A frame as it is on the wire.
#[derive(Clone, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Frame {
            kind,
            flags,
            stream,
            payload,
        } = self;
        let (length, shown) = (payload.len(), &payload[..payload.len().min(16)]);
        write!(f, "<{kind:x} {flags:x} on {stream}: {length} {shown:?}>")
    }
}

impl Frame {
    fn reset(stream: u32, code: ErrorCode) -> Frame {
        let payload = code.0.to_be_bytes().to_vec();
        Frame {
            kind: kind::RST_STREAM,
            flags: 0,
            stream,
            payload,
        }
    }

    fn window_update(stream: u32, increment: u32) -> Frame {
        Frame {
            kind: kind::WINDOW_UPDATE,
            flags: 0,
            stream,
            payload: increment.to_be_bytes().to_vec(),
        }
    }

    fn goaway(code: ErrorCode) -> Frame {
        let payload = [[0; 4], code.0.to_be_bytes()].concat();
        Frame {
            kind: kind::GOAWAY,
            flags: 0,
            stream: 0,
            payload,
        }
    }

    fn settings_ack() -> Frame {
        Frame {
            kind: kind::SETTINGS,
            flags: flag::ACK,
            stream: 0,
            payload: Vec::new(),
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(head) = FrameHead::parse(bytes) {
        let (payload, rest) = bytes[FRAME_HEAD_BYTES..].split_at(head.length);
        frames.push(Frame {
            kind: head.kind,
            flags: head.flags,
            stream: head.stream,
            payload: payload.to_vec(),
        });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "frames are whole");
    frames
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_head(&mut bytes, kind, flags, stream, payload.len());
    bytes.extend_from_slice(payload);
    bytes
}

/// A field block of literals alone, which leaves the tables as they are.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    for (name, value) in fields {
        encoder.field(name.as_bytes(), value.as_bytes(), Indexing::Never, &mut out);
    }
    out
}

const END: u8 = flag::END_STREAM;

/// HEADERS of one frame.
fn headers(stream: u32, fields: &[(&str, &str)], flags: u8) -> Vec<u8> {
    frame(
        kind::HEADERS,
        flag::END_HEADERS | flags,
        stream,
        &block(fields),
    )
}

fn ok(stream: u32, flags: u8) -> Vec<u8> {
    headers(stream, &[(":status", "200"), ("server", "test")], flags)
}

fn data(stream: u32, content: &[u8], flags: u8) -> Vec<u8> {
    frame(kind::DATA, flags, stream, content)
}

/// DATA with a padding of so many bytes.
fn padded(stream: u32, content: &[u8], padding: u8, flags: u8) -> Vec<u8> {
    let payload = [&[padding], content, &vec![0; padding.into()]].concat();
    frame(kind::DATA, flag::PADDED | flags, stream, &payload)
}

fn reset(stream: u32, code: ErrorCode) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &code.0.to_be_bytes())
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

fn goaway(last: u32, code: ErrorCode) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.0.to_be_bytes()].concat();
    frame(kind::GOAWAY, 0, 0, &payload)
}

fn ping(payload: &[u8; 8], flags: u8) -> Vec<u8> {
    frame(kind::PING, flags, 0, payload)
}

mod setting {
    pub(super) const TABLE_BYTES: u16 = 1;
    pub(super) const STREAMS_MAX: u16 = 3;
    pub(super) const INITIAL_WINDOW: u16 = 4;
    pub(super) const FIELD_LIST_BYTES: u16 = 6;
}

fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| {
            let (id, value) = (id.to_be_bytes(), value.to_be_bytes());
            id.into_iter().chain(value)
        })
        .collect();
    frame(kind::SETTINGS, 0, 0, &payload)
}

/// A task that counts how often it was woken.
struct Task {
    woken: Arc<Count>,
    waker: Waker,
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Task {
    fn new() -> Task {
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        Task { woken, waker }
    }

    /// How often it was woken since it was asked last.
    fn wakes(&self) -> usize {
        self.woken.0.swap(0, SeqCst)
    }
}

/// One request of a test.
struct Ask<'a> {
    method: Method,
    target: &'a str,
    headers: HeaderMap,
    body: BodyLength,
    urgency: Option<u8>,
    defaults: &'a DefaultFields,
}

impl Ask<'_> {
    fn with<R>(&self, use_it: impl FnOnce(&Request<'_>) -> R) -> R {
        let head = RequestHead {
            method: &self.method,
            target: self.target,
            authority: "a.test",
            headers: &self.headers,
            defaults: self.defaults,
            head_template: &[],
            body: self.body,
            asks: Asks::Nothing,
        };
        use_it(&Request {
            head: &head,
            scheme: "https",
            urgency: self.urgency,
        })
    }
}

/// A connection with its server.
struct Fixture {
    receiver: Receiver,
    streams: Streams<Memory>,
    batch: Batch,
    /// Bytes that have arrived and are no whole frame yet.
    input: Vec<u8>,
    memory: Option<Memory>,
    wakes: Wakes,
    now: Instant,
    /// What the requests of a test wait with.
    task: Task,
    fault: Option<ConnectionError>,
    defaults: DefaultFields,
}

impl Fixture {
    /// A connection on which both sides have said their SETTINGS.
    fn new() -> Fixture {
        let mut fixture = Fixture::with(Limits::new(HeadLimits::default(), 16));
        fixture.out();
        fixture.receive(&settings(&[]));
        assert_eq!(fixture.out(), [Frame::settings_ack()]);
        fixture
    }

    /// A connection on which nothing has happened.
    #[allow(clippy::disallowed_methods, reason = "a mark to count from")]
    fn with(limits: Limits) -> Fixture {
        Fixture {
            receiver: Receiver::new(&limits),
            streams: Streams::new(limits),
            batch: Batch::default(),
            input: Vec::new(),
            memory: None,
            wakes: Wakes::default(),
            now: Instant::now(),
            task: Task::new(),
            fault: None,
            defaults: DefaultFields::default(),
        }
    }

    fn try_open(
        &mut self,
        (method, body): (Method, BodyLength),
        content: &[u8],
        place: (u8, Option<Ticket>),
        waker: Waker,
    ) -> Result<Opened, EncodeError> {
        let defaults = std::mem::take(&mut self.defaults);
        let ask = Ask {
            method,
            target: "/path",
            headers: HeaderMap::new(),
            body,
            urgency: None,
            defaults: &defaults,
        };
        let ends = !matches!(body, BodyLength::Unknown) || !content.is_empty();
        let (streams, wakes) = (&mut self.streams, &mut self.wakes);
        let opened = ask.with(|request| {
            let mut waker = Some(waker);
            streams.open(request, content, ends, place, &mut None, &mut waker, wakes)
        });
        self.wakes.perform();
        self.defaults = defaults;
        opened
    }

    /// A GET that is sent whole.
    fn get(&mut self) -> StreamKey {
        self.request(Method::GET, BodyLength::None)
    }

    /// A POST whose content is still to be sent.
    fn post(&mut self) -> StreamKey {
        self.request(Method::POST, BodyLength::Unknown)
    }

    fn request(&mut self, method: Method, body: BodyLength) -> StreamKey {
        let waker = self.task.waker.clone();
        match self.try_open((method, body), &[], (0, None), waker) {
            Ok(Opened::Stream { key, sent: 0 }) => key,
            other => panic!("a stream is free: {other:?}"),
        }
    }

    /// Bytes arrive; what is wrong with them is kept.
    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while self.fault.is_none() {
            let consumed = self.receiver.receive(&self.input, &mut self.batch);
            if !self.batch.is_empty() {
                self.deliver();
            }
            self.input.drain(..consumed);
            if consumed == 0 {
                break;
            }
        }
    }

    fn deliver(&mut self) {
        loop {
            let delivered = self.streams.deliver(
                &mut self.batch,
                &self.input,
                &mut self.memory,
                self.now,
                &mut self.wakes,
            );
            self.wakes.perform();
            match delivered {
                Delivered::All => return,
                Delivered::NeedsMemory(bytes) => {
                    self.memory = Some(vec![0; bytes.max(PIECE_BYTES)]);
                }
                Delivered::Broken(error) => {
                    self.fault = Some(error);
                    return;
                }
            }
        }
    }

    /// What the task would write.
    fn output(&mut self) -> Vec<u8> {
        let mut writing = Vec::new();
        self.streams.take_output(&mut writing, &mut self.wakes);
        self.wakes.perform();
        writing
    }

    fn out(&mut self) -> Vec<Frame> {
        let output = self.output();
        parse(output.strip_prefix(PREFACE).unwrap_or(&output))
    }

    fn answer(&mut self, key: StreamKey) -> (ResponseHead, Answer<Memory>) {
        let mut head = ResponseHead::default();
        let waker = &self.task.waker;
        let answer = self.streams.answer(key, &mut head, waker, &mut self.wakes);
        self.wakes.perform();
        (head, answer)
    }

    /// Reads one chunk of the content.
    fn read(&mut self, key: StreamKey, head: &mut ResponseHead) -> Chunk<Memory> {
        let (streams, waker) = (&mut self.streams, &self.task.waker);
        let (chunk, _) = streams.read(key, head, None, waker, &mut self.wakes);
        self.wakes.perform();
        chunk
    }

    /// Reads all there is, and how it goes on behind that.
    fn read_all(&mut self, key: StreamKey, head: &mut ResponseHead) -> (Vec<u8>, Chunk<Memory>) {
        let mut content = Vec::new();
        loop {
            match self.read(key, head) {
                Chunk::Piece(piece) => content.extend_from_slice(&piece.memory[..piece.filled]),
                other => return (content, other),
            }
        }
    }

    fn send(&mut self, key: StreamKey, content: &[u8], ends: bool) -> Sent {
        let (streams, waker) = (&mut self.streams, &self.task.waker);
        let sent = streams.send(key, content, ends, waker, &mut self.wakes);
        self.wakes.perform();
        sent
    }

    fn release(&mut self, key: StreamKey) {
        drop(self.streams.release(key, self.now, &mut self.wakes));
        self.wakes.perform();
    }

    /// What the request of a stream fails with, if it does.
    fn failure(&mut self, key: StreamKey) -> Option<StreamError> {
        match self.answer(key) {
            (_, Answer::Failed(error)) => Some(error),
            (mut head, Answer::Head) => match self.read_all(key, &mut head).1 {
                Chunk::Failed(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// The answer of a stream that has arrived whole.
    fn whole(&mut self, key: StreamKey) -> (ResponseHead, Vec<u8>) {
        match self.answer(key) {
            (head, Answer::Whole { piece, .. }) => {
                let content =
                    piece.map_or(Vec::new(), |piece| piece.memory[..piece.filled].to_vec());
                (head, content)
            }
            (_, other) => panic!("the answer is whole: {other:?}"),
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        self.fault.map(|fault| fault.code)
    }
}

/// The fields of a block that was sent.
fn fields_of(decoder: &mut Decoder, frame: &Frame) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let decoded = decoder.decode(&frame.payload, 1 << 20, |name, value| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        fields.push((text(name), text(value)));
    });
    decoded.unwrap();
    fields
}
