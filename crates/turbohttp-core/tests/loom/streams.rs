//! The races of one HTTP/2 connection: its task parks, delivers and ends while requests begin and are given
//! up.
//!
//! Two threads and the main one, which is the task of the connection.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use http::{HeaderMap, Method};
use loom::thread;
use turbohttp_core::h1::HeadLimits;
use turbohttp_core::h1::encode::{Asks, BodyLength, DefaultFields, RequestHead};
use turbohttp_core::h2::{
    Answer, Batch, ConnectionEnd, Delivered, Limits, Opened, Receiver, Request, SharedStreams,
    StreamError, StreamKey, Ticket,
};
use turbohttp_core::head::ResponseHead;

use super::model;
use super::scheduler::Flag;

type Shared = Arc<SharedStreams<Vec<u8>>>;

/// SETTINGS without content, and with MAX_CONCURRENT_STREAMS of 0 and 1.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const NO_STREAM: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\0";
const ONE_STREAM: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x01";
/// A head with `:status: 200` on stream 1, and content that ends it.
const HEAD: &[u8] = b"\0\0\x01\x01\x04\0\0\0\x01\x88";
const CONTENT: &[u8] = b"\0\0\x02\0\x01\0\0\0\x01hi";

/// A connection whose first output is written.
fn connection() -> (Shared, Task) {
    let limits = Limits::new(HeadLimits::default(), 2);
    let shared: Shared = Arc::new(SharedStreams::new(limits));
    let mut task = Task {
        shared: Arc::clone(&shared),
        receiver: Receiver::new(&limits),
        batch: Batch::default(),
        now: Instant::now(),
    };
    task.output();
    (shared, task)
}

struct Task {
    shared: Shared,
    receiver: Receiver,
    batch: Batch,
    now: Instant,
}

impl Task {
    /// The kinds of the frames that are to be written.
    fn output(&mut self) -> Vec<u8> {
        let mut writing = Vec::new();
        self.shared
            .update(|streams, wakes| streams.take_output(&mut writing, wakes));
        let mut rest = &writing[..];
        let mut kinds = Vec::new();
        while let [_, _, length, kind, ..] = rest {
            // The preface is seen as a frame of an odd kind; nothing here is longer than 255 bytes.
            let length = usize::from(*length) + 9;
            kinds.push(*kind);
            rest = rest.get(length..).unwrap_or_default();
        }
        kinds
    }

    fn deliver(&mut self, bytes: &[u8]) {
        self.receiver.receive(bytes, &mut self.batch);
        let mut memory = None;
        loop {
            let (batch, now) = (&mut self.batch, self.now);
            let delivered = self
                .shared
                .update(|streams, wakes| streams.deliver(batch, bytes, &mut memory, now, wakes));
            match delivered {
                Delivered::All => return,
                Delivered::NeedsMemory(bytes) => memory = Some(vec![0; bytes]),
                Delivered::Broken(error) => panic!("{error}"),
            }
        }
    }
}

fn open(shared: &Shared, ticket: Option<Ticket>, waker: &Waker) -> Opened {
    let (headers, defaults) = (HeaderMap::new(), DefaultFields::default());
    let head = RequestHead {
        method: &Method::GET,
        target: "/",
        authority: "a.test",
        headers: &headers,
        defaults: &defaults,
        head_template: &[],
        body: BodyLength::None,
        asks: Asks::Nothing,
    };
    let request = Request {
        head: &head,
        scheme: "https",
        urgency: None,
    };
    let mut waker = Some(waker.clone());
    let opened = shared.update(|streams, wakes| {
        let place = (0, ticket);
        streams.open(&request, &[], true, place, &mut None, &mut waker, wakes)
    });
    opened.unwrap()
}

/// Waits for a stream as a task does: asks again after each wake, and not before.
fn wait_open(shared: &Shared, flag: &Flag, waker: &Waker) -> Option<StreamKey> {
    let mut ticket = None;
    loop {
        match open(shared, ticket, waker) {
            Opened::Stream { key, .. } => return Some(key),
            Opened::Waiting(place) => ticket = Some(place),
            Opened::Gone => return None,
        }
        flag.wait();
    }
}

/// Waits for the answer in the same way; a whole one is released.
fn wait_answer(
    shared: &Shared,
    key: StreamKey,
    flag: &Flag,
    waker: &Waker,
) -> Result<Vec<u8>, StreamError> {
    let mut head = ResponseHead::default();
    loop {
        let answer = shared.update(|streams, wakes| streams.answer(key, &mut head, waker, wakes));
        match answer {
            Answer::Pending { is_watched: true } => flag.wait(),
            Answer::Pending { is_watched: false } => {
                drop(shared.update(|streams, _| streams.watch(key, waker.clone())));
            }
            Answer::Whole { piece, .. } => {
                assert_eq!(head.status(), 200);
                return Ok(piece.map_or(Vec::new(), |piece| piece.memory[..piece.filled].to_vec()));
            }
            Answer::Failed(error) => return Err(error),
            // The content comes behind it: it is awaited by asking again in `read`, which has tests of
            // its own.
            Answer::Head | Answer::Proceed => panic!("the answer is delivered at once"),
        }
    }
}

fn release(shared: &Shared, key: StreamKey, now: Instant) {
    drop(shared.update(|streams, wakes| streams.release(key, now, wakes)));
}

/// The task parks while two requests begin: both heads are written, and neither is left behind.
#[test]
fn a_parked_task_is_poked() {
    model("park beside two requests", || {
        let (shared, mut task) = connection();
        let requests = [(), ()].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (_, waker) = Flag::new();
                assert!(matches!(open(&shared, None, &waker), Opened::Stream { .. }));
            })
        });
        let (flag, waker) = Flag::new();
        let mut heads = 0;
        while heads < 2 {
            heads += task.output().iter().filter(|kind| **kind == 1).count();
            let parks = || shared.update(|streams, _| streams.park(waker.clone()));
            if heads < 2 && parks() {
                flag.wait();
            }
        }
        for request in requests {
            request.join().unwrap();
        }
        assert!(!shared.look(|streams| streams.has_output()));
    });
}

/// A request is given up while its answer is delivered: it is reset, or whole, and nothing is left of it.
#[test]
fn cancel_beside_deliver() {
    model("cancel beside deliver", || {
        let (shared, mut task) = connection();
        let (_, waker) = Flag::new();
        let Opened::Stream { key, .. } = open(&shared, None, &waker) else {
            panic!("a stream is free");
        };
        task.deliver(SETTINGS);
        task.output();
        let (canceled, now) = (Arc::clone(&shared), task.now);
        let cancel = thread::spawn(move || release(&canceled, key, now));
        let answer = [HEAD, CONTENT].concat();
        task.deliver(&answer);
        cancel.join().unwrap();
        let resets = task.output().iter().filter(|kind| **kind == 3).count();
        assert!(resets <= 1);
        assert!(shared.look(|streams| streams.is_at_rest()));
    });
}

/// An answer comes while its request looks for it: it is woken.
#[test]
fn answer_beside_watch() {
    model("answer beside watch", || {
        let (shared, mut task) = connection();
        let (_, elsewhere) = Flag::new();
        let Opened::Stream { key, .. } = open(&shared, None, &elsewhere) else {
            panic!("a stream is free");
        };
        task.deliver(SETTINGS);
        let asking = Arc::clone(&shared);
        // Another task polls the request than the one that began it.
        let request = thread::spawn(move || {
            let (flag, waker) = Flag::new();
            wait_answer(&asking, key, &flag, &waker)
        });
        // In one batch, so that memory is fetched in between and the head is seen with the content.
        let answer = b"\0\0\x01\x01\x05\0\0\0\x01\x88";
        task.deliver(answer);
        assert_eq!(request.join().unwrap(), Ok(Vec::new()));
        assert!(shared.look(|streams| streams.is_at_rest()));
    });
}

/// The connection ends while a request begins: it is refused or fails, and does not sleep.
#[test]
fn end_beside_open() {
    model("end beside open", || {
        let (shared, task) = connection();
        let requests = [(), ()].map(|()| {
            let (shared, now) = (Arc::clone(&shared), task.now);
            thread::spawn(move || {
                let (flag, waker) = Flag::new();
                let Some(key) = wait_open(&shared, &flag, &waker) else {
                    return;
                };
                let end = StreamError::Connection(ConnectionEnd::Closed);
                assert_eq!(wait_answer(&shared, key, &flag, &waker), Err(end));
                release(&shared, key, now);
            })
        });
        shared.update(|streams, wakes| streams.end(ConnectionEnd::Closed, wakes));
        for request in requests {
            request.join().unwrap();
        }
        assert!(shared.look(|streams| streams.is_at_rest()));
    });
}

/// The limit of the server rises while two requests get in line: one after the other has the stream.
#[test]
fn settings_beside_the_line() {
    model("settings beside the line", || {
        let (shared, mut task) = connection();
        task.deliver(NO_STREAM);
        let requests = [(), ()].map(|()| {
            let (shared, now) = (Arc::clone(&shared), task.now);
            thread::spawn(move || {
                let (flag, waker) = Flag::new();
                let key = wait_open(&shared, &flag, &waker).unwrap();
                release(&shared, key, now);
            })
        });
        task.deliver(ONE_STREAM);
        for request in requests {
            request.join().unwrap();
        }
        assert!(shared.look(|streams| streams.is_at_rest()));
    });
}
