//! What the frames of a connection tell: an account that does not depend on the crate `h2`.

use std::collections::HashMap;
use std::sync::Arc;

use super::PREFACE;
use crate::host::Host;

/// The kinds of frames and the flags that are counted (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;

/// The length of the head of a frame, and of an error code.
const HEAD_BYTES: usize = 9;
const CODE_BYTES: usize = 4;

/// The account of one connection.
pub(super) struct Account {
    host: Arc<Host>,
    received: Frames,
    sent: Frames,
    /// The streams that are open, and whether a side has ended its half.
    open: HashMap<u32, Ended>,
    /// The highest stream that was opened.
    last: u32,
}

#[derive(Default)]
struct Ended {
    by_client: bool,
    by_server: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Account {
    pub(super) fn new(host: Arc<Host>) -> Account {
        Account {
            host,
            received: Frames::after(PREFACE.len()),
            sent: Frames::after(0),
            open: HashMap::new(),
            last: 0,
        }
    }

    pub(super) fn received(&mut self, mut bytes: &[u8]) {
        while let Some(frame) = self.received.next(&mut bytes) {
            self.count_received(frame);
        }
    }

    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(frame) = self.sent.next(&mut bytes) {
            self.count_sent(frame);
        }
    }

    fn count_received(&mut self, frame: Seen) {
        let is_ack = frame.flags & ACK != 0;
        if frame.kind == HEADERS && frame.stream > self.last {
            self.last = frame.stream;
            self.open.insert(frame.stream, Ended::default());
            let open = self.open.len() as u64;
            self.host.counters.http2(|stats| {
                stats.streams += 1;
                stats.streams_open += 1;
                stats.streams_peak = stats.streams_peak.max(open);
            });
        }
        self.host.counters.http2(|stats| match frame.kind {
            DATA => stats.data_received += 1,
            RST_STREAM => stats.resets_received.count(frame.code),
            SETTINGS if !is_ack => stats.settings_received += 1,
            PING if !is_ack => stats.pings_received += 1,
            GOAWAY => stats.goaways_received += 1,
            WINDOW_UPDATE => stats.window_updates_received += 1,
            _ => {}
        });
        self.end(frame, Side::Client);
    }

    fn count_sent(&mut self, frame: Seen) {
        self.host.counters.http2(|stats| match frame.kind {
            RST_STREAM => stats.resets_sent.count(frame.code),
            GOAWAY => stats.goaways_sent += 1,
            _ => {}
        });
        self.end(frame, Side::Server);
    }

    /// Closes the stream of a frame from `side`, if it is the last one.
    fn end(&mut self, frame: Seen, side: Side) {
        let Some(ended) = self.open.get_mut(&frame.stream) else {
            return;
        };
        if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
            match side {
                Side::Client => ended.by_client = true,
                Side::Server => ended.by_server = true,
            }
        }
        if frame.kind == RST_STREAM || (ended.by_client && ended.by_server) {
            self.open.remove(&frame.stream);
            self.host.counters.http2(|stats| stats.streams_open -= 1);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let open = self.open.len() as u64;
        self.host.counters.http2(|stats| stats.streams_open -= open);
    }
}

/// A frame that has passed.
#[derive(Clone, Copy)]
struct Seen {
    kind: u8,
    flags: u8,
    stream: u32,
    /// The first four bytes of the payload: the error code of a RST_STREAM.
    code: u32,
}

/// Finds frames in a stream of bytes that comes in any pieces.
struct Frames {
    /// How much is to be passed over before the next frame begins.
    skip: usize,
    /// The head of the frame, and the first bytes of its payload.
    begin: [u8; HEAD_BYTES + CODE_BYTES],
    begun: usize,
}

impl Frames {
    /// Frames that begin after so many bytes.
    fn after(skip: usize) -> Frames {
        Frames {
            skip,
            begin: [0; HEAD_BYTES + CODE_BYTES],
            begun: 0,
        }
    }

    /// Takes bytes off the front until another frame's beginning is known.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Seen> {
        loop {
            let skip = self.skip.min(bytes.len());
            self.skip -= skip;
            *bytes = &bytes[skip..];
            if bytes.is_empty() || self.skip > 0 {
                return None;
            }
            let wanted = match self.begun < HEAD_BYTES {
                true => HEAD_BYTES,
                false => HEAD_BYTES + self.payload_length().min(CODE_BYTES),
            };
            let take = (wanted - self.begun).min(bytes.len());
            self.begin[self.begun..self.begun + take].copy_from_slice(&bytes[..take]);
            self.begun += take;
            *bytes = &bytes[take..];
            if self.begun >= HEAD_BYTES {
                let length = self.payload_length();
                let known = self.begun - HEAD_BYTES;
                if known == length.min(CODE_BYTES) {
                    self.skip = length - known;
                    return Some(self.seen());
                }
            }
        }
    }

    fn payload_length(&self) -> usize {
        let [a, b, c] = [self.begin[0], self.begin[1], self.begin[2]];
        u32::from_be_bytes([0, a, b, c]) as usize
    }

    fn seen(&mut self) -> Seen {
        let word = |at: usize| {
            let four = &self.begin[at..at + 4];
            u32::from_be_bytes([four[0], four[1], four[2], four[3]])
        };
        let seen = Seen {
            kind: self.begin[3],
            flags: self.begin[4],
            stream: word(5) & 0x7fff_ffff,
            code: word(9),
        };
        self.begun = 0;
        seen
    }
}
