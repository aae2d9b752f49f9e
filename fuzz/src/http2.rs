//! One end of an HTTP/2 connection without a socket: what the task of a connection does, and its requests.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use http::{HeaderMap, Method};
use turbohttp_core::h1::encode::{Asks, BodyLength, DefaultFields, RequestHead};
use turbohttp_core::h1::{EncodeError, HeadLimits};
use turbohttp_core::h2::{
    Answer, Batch, Chunk, ConnectionEnd, ConnectionError, Delivered, Limits, Opened, Receiver,
    Request, Sent, StreamError, StreamKey, Streams, Ticket, Wakes,
};
use turbohttp_core::head::ResponseHead;

/// The window of the connection: small, so that it is met.
const RECEIVE_BYTES: u32 = 1 << 18;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// A client of one connection.
pub struct Client {
    /// What the requests share.
    pub streams: Streams<Vec<u8>>,
    /// The requests, until they are dropped.
    pub requests: Vec<Exchange>,
    receiver: Receiver,
    batch: Batch,
    input: Vec<u8>,
    memory: Option<Vec<u8>>,
    wakes: Wakes,
    now: Instant,
    waker: Waker,
    /// What the server has broken.
    pub fault: Option<ConnectionError>,
}

/// A request and what has come of its answer.
#[derive(Default)]
pub struct Exchange {
    key: Option<StreamKey>,
    ticket: Option<Ticket>,
    sends: bool,
    has_head: bool,
    /// The identifier on the wire; 0 before there is one.
    pub id: u32,
    /// Status and number of fields of the head.
    pub head: Option<(u16, usize)>,
    /// Content that was sent, as a number of bytes.
    pub sent: usize,
    /// Whether all of it was.
    pub is_sent: bool,
    /// Content that was read.
    pub content: Vec<u8>,
    /// Fields behind the content.
    pub trailers: usize,
    /// Whether the answer has ended.
    pub has_ended: bool,
    /// What it failed with.
    pub failure: Option<StreamError>,
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

impl Client {
    /// A client whose preface is still to be taken.
    pub fn new() -> Client {
        let limits = Limits::with_budget(HeadLimits::default(), 4, RECEIVE_BYTES, 1 << 16);
        Client {
            streams: Streams::new(limits),
            requests: Vec::new(),
            receiver: Receiver::new(&limits),
            batch: Batch::default(),
            input: Vec::new(),
            memory: None,
            wakes: Wakes::default(),
            now: Instant::now(),
            waker: Waker::from(Arc::new(Nobody)),
            fault: None,
        }
    }

    /// Begins a request; `sends` if content follows.
    pub fn begin(&mut self, sends: bool) {
        self.requests.push(Exchange {
            sends,
            ..Exchange::default()
        });
        self.open(self.requests.len() - 1);
    }

    fn open(&mut self, at: usize) {
        let (headers, defaults) = (HeaderMap::new(), DefaultFields::default());
        let request = &mut self.requests[at];
        let (method, body) = match request.sends {
            true => (Method::POST, BodyLength::Unknown),
            false => (Method::GET, BodyLength::None),
        };
        let head = RequestHead {
            method: &method,
            target: "/",
            authority: "a.test",
            headers: &headers,
            defaults: &defaults,
            head_template: &[],
            body,
            asks: Asks::Nothing,
        };
        let asked = Request {
            head: &head,
            scheme: "https",
            urgency: None,
        };
        let (place, ends) = ((0, request.ticket), !request.sends);
        let mut waker = Some(self.waker.clone());
        let opened = self.streams.open(
            &asked,
            &[],
            ends,
            place,
            &mut None,
            &mut waker,
            &mut self.wakes,
        );
        self.wakes.perform();
        let opened = match opened {
            Ok(opened) => opened,
            // The server takes no field list of this size; a place in line stays until the request is dropped.
            Err(EncodeError::HeadTooLarge { .. }) => return,
            Err(error) => panic!("the request is sound: {error}"),
        };
        request.ticket = None;
        match opened {
            Opened::Stream { key, .. } => {
                (request.key, request.id, request.is_sent) = (Some(key), key.id(), ends);
            }
            Opened::Waiting(ticket) => request.ticket = Some(ticket),
            Opened::Gone => {}
        }
    }

    /// Goes on with a request: asks for a stream, for the answer, for content.
    pub fn poll(&mut self, at: usize) {
        let Some(request) = self.requests.get_mut(at) else {
            return;
        };
        let Some(key) = request.key else {
            if request.id == 0 {
                self.open(at);
            }
            return;
        };
        let mut head = ResponseHead::default();
        if !request.has_head {
            let answer = self
                .streams
                .answer(key, &mut head, &self.waker, &mut self.wakes);
            match answer {
                Answer::Pending { .. } | Answer::Proceed => {}
                Answer::Head => request.has_head = true,
                Answer::Whole { piece, .. } => {
                    if let Some(piece) = piece {
                        request
                            .content
                            .extend_from_slice(&piece.memory[..piece.filled]);
                    }
                    (request.key, request.has_ended) = (None, true);
                }
                Answer::Failed(error) => request.failure = Some(error),
            }
            if request.has_head || request.has_ended {
                request.head = Some((head.status().as_u16(), head.iter().count()));
            }
        } else {
            let (chunk, _) = self
                .streams
                .read(key, &mut head, None, &self.waker, &mut self.wakes);
            match chunk {
                Chunk::Pending { .. } => {}
                Chunk::Piece(piece) => {
                    request
                        .content
                        .extend_from_slice(&piece.memory[..piece.filled]);
                }
                Chunk::End => request.has_ended = true,
                Chunk::Failed(error) => request.failure = Some(error),
            }
        }
        request.trailers += head.trailers().count();
        self.wakes.perform();
    }

    /// Sends content on a request, and its end.
    pub fn send(&mut self, at: usize, content: &[u8], ends: bool) {
        let Some(request) = self.requests.get_mut(at) else {
            return;
        };
        let Some(key) = request.key.filter(|_| request.sends) else {
            return;
        };
        let sent = self
            .streams
            .send(key, content, ends, &self.waker, &mut self.wakes);
        match sent {
            Sent::Taken(bytes) => {
                assert!(bytes <= content.len(), "more than was given");
                request.sent += bytes;
                request.is_sent = ends && bytes == content.len();
                request.sends = !request.is_sent;
            }
            Sent::Blocked { .. } => {}
            Sent::Stopped => request.sends = false,
        }
        self.wakes.perform();
    }

    /// Gives a request up.
    pub fn give_up(&mut self, at: usize) {
        if at >= self.requests.len() {
            return;
        }
        let request = self.requests.remove(at);
        self.streams.leave(request.ticket, &mut self.wakes);
        if let Some(key) = request.key {
            drop(self.streams.release(key, self.now, &mut self.wakes));
        }
        self.wakes.perform();
    }

    /// Bytes of the server arrive.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while self.fault.is_none() {
            let consumed = self.receiver.receive(&self.input, &mut self.batch);
            assert!(consumed <= self.input.len(), "consumed more than was given");
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
            let (batch, memory) = (&mut self.batch, &mut self.memory);
            let delivered =
                self.streams
                    .deliver(batch, &self.input, memory, self.now, &mut self.wakes);
            self.wakes.perform();
            match delivered {
                Delivered::All => return,
                Delivered::NeedsMemory(bytes) => self.memory = Some(vec![0; bytes]),
                Delivered::Broken(error) => {
                    self.fault = Some(error);
                    return;
                }
            }
        }
    }

    /// What is to be written.
    pub fn output(&mut self) -> Vec<u8> {
        let mut writing = Vec::new();
        self.streams.take_output(&mut writing, &mut self.wakes);
        self.wakes.perform();
        writing
    }

    /// The connection is lost.
    pub fn end(&mut self) {
        self.streams.end(ConnectionEnd::Closed, &mut self.wakes);
        self.wakes.perform();
    }

    /// Checks the counts that can be seen.
    pub fn check(&self) {
        let streams = &self.streams;
        let used = self.requests.iter().filter(|request| request.key.is_some());
        assert_eq!(streams.used_count(), used.count());
        assert!(streams.open_count() <= streams.used_count());
        assert!(streams.open_count() <= streams.limits().streams);
        let waiting = self
            .requests
            .iter()
            .filter(|request| request.ticket.is_some());
        assert!(streams.waiting_count() <= waiting.count());
    }

    /// Gives everything up: nothing is left.
    pub fn close(&mut self) {
        while !self.requests.is_empty() {
            self.give_up(self.requests.len() - 1);
        }
        assert!(self.streams.is_at_rest(), "something is left");
    }
}
