//! Frames out of bytes: framing, field blocks and their decoding. Only the task of the connection has this.
//!
//! # Implementation
//!
//! A batch is parsed without the lock of the connection's streams, as decoding a field block is the most
//! expensive part of it; what came out is delivered to them afterwards (`deliver.rs`). What a frame means
//! depends on the state of its stream, which is known only there: here is checked what a frame says by
//! itself, and the order of the frames of one block (RFC 9113 sections 4.3 and 6.10).

use std::ops::Range;

use super::error::{ConnectionError, ErrorCode};
use super::fields::FieldSection;
use super::frame::{FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FrameHead, MAX_31_BITS, flag, kind};
use super::hpack::{Decoder, HpackError};
use super::limits::Limits;
use super::settings::{self, Changes, TABLE_BYTES_AT_FIRST};

/// The bytes `HTTP` of a status line (RFC 9112 section 4), read as length and type of a frame.
const HTTP1: (usize, u8) = (0x48_54_54, b'P');

/// Frames that are parsed and delivered at once: the lock of the streams is held for that many.
pub const BATCH_FRAMES_MAX: usize = 32;

/// What one frame says, or the frames of one field block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A field block, decoded into this section of the batch.
    Fields {
        stream: u32,
        section: usize,
        ends: bool,
    },
    Data {
        stream: u32,
        /// Where in the input the content is.
        content: Range<usize>,
        /// What it takes of the windows: padding counts (RFC 9113 section 6.1).
        flow: u32,
        ends: bool,
    },
    Reset {
        stream: u32,
        code: ErrorCode,
    },
    /// Of the connection if `stream` is 0.
    WindowUpdate {
        stream: u32,
        increment: u32,
    },
    Settings(Changes),
    Ping([u8; 8]),
    Pong([u8; 8]),
    GoAway {
        last: u32,
        code: ErrorCode,
    },
    /// A frame that is wrong and concerns one stream only.
    Wrong {
        stream: u32,
        code: ErrorCode,
        what: &'static str,
    },
    /// A frame that says nothing: unknown, PRIORITY, the acknowledgement of SETTINGS.
    Nothing,
}

/// Frames that were parsed and are to be delivered, and what is wrong with the bytes behind them.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) events: Vec<Event>,
    /// Invariant: the first `sections_used` are those of the events.
    pub(crate) sections: Vec<FieldSection>,
    pub(crate) sections_used: usize,
    /// Events before this one have been delivered.
    pub(crate) delivered: usize,
    pub(crate) fault: Option<ConnectionError>,
}

impl Batch {
    /// Whether there is nothing to deliver.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.fault.is_none()
    }

    fn clear(&mut self) {
        self.events.clear();
        self.sections_used = 0;
        self.delivered = 0;
        self.fault = None;
    }
}

/// Parses what arrives on one connection.
#[derive(Debug)]
pub struct Receiver {
    limits: Limits,
    decoder: Decoder,
    /// The first frame of a peer is SETTINGS (RFC 9113 section 3.4).
    has_begun: bool,
    /// Set between HEADERS without END_HEADERS and the last CONTINUATION.
    unfinished: Option<Unfinished>,
    /// The fragments of the unfinished block.
    block: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Unfinished {
    stream: u32,
    ends: bool,
    continuations: usize,
}

impl Receiver {
    /// A receiver for a new connection.
    pub fn new(limits: &Limits) -> Receiver {
        Receiver {
            limits: *limits,
            decoder: Decoder::new(TABLE_BYTES_AT_FIRST as usize),
            has_begun: false,
            unfinished: None,
            block: Vec::new(),
        }
    }

    /// Parses whole frames at the start of `input` into `batch`, at most [`BATCH_FRAMES_MAX`]; returns how
    /// many bytes they have. A fault ends the batch behind the frames before it, and the connection.
    ///
    /// `input` is kept as it is until the batch is delivered, which reads the content of DATA from it.
    pub fn receive(&mut self, input: &[u8], batch: &mut Batch) -> usize {
        batch.clear();
        let mut at = 0;
        while batch.events.len() < BATCH_FRAMES_MAX {
            let Some(head) = FrameHead::parse(&input[at..]) else {
                break;
            };
            // Said at the head: a frame that is too large never arrives whole.
            if let Err(fault) = self.check_head(head) {
                // The frames before it are delivered all the same.
                batch.fault = Some(fault);
                break;
            }
            let start = at + FRAME_HEAD_BYTES;
            let Some(payload) = input.get(start..start + head.length) else {
                break;
            };
            if let Err(fault) = self.frame(head, start, payload, batch) {
                batch.fault = Some(fault);
                break;
            }
            at = start + head.length;
        }
        at
    }

    fn check_head(&mut self, head: FrameHead) -> Result<(), ConnectionError> {
        // A server that knows no HTTP/2 answers to the preface.
        if !self.has_begun && (head.length, head.kind) == HTTP1 {
            return Err(ConnectionError::protocol("server speaks HTTP/1.1"));
        }
        if head.length > FRAME_BYTES_MAX {
            return Err(ConnectionError::frame_size(
                "frame of more than 16,384 bytes",
            ));
        }
        if !self.has_begun {
            if head.kind != kind::SETTINGS || head.has(flag::ACK) {
                return Err(ConnectionError::protocol("first frame is not SETTINGS"));
            }
            self.has_begun = true;
        }
        if let Some(unfinished) = self.unfinished {
            if head.kind != kind::CONTINUATION || head.stream != unfinished.stream {
                return Err(ConnectionError::protocol("frame inside of a field block"));
            }
        } else if head.kind == kind::CONTINUATION {
            return Err(ConnectionError::protocol("CONTINUATION without HEADERS"));
        }
        Ok(())
    }

    #[inline]
    fn frame(
        &mut self,
        head: FrameHead,
        start: usize,
        payload: &[u8],
        batch: &mut Batch,
    ) -> Result<(), ConnectionError> {
        match head.kind {
            kind::HEADERS => return self.headers(head, payload, batch),
            kind::DATA => {
                let event = data(head, start, payload)?;
                batch.events.push(event);
            }
            kind::CONTINUATION => return self.continuation(head, payload, batch),
            _ => {
                let event = other(head, payload)?;
                batch.events.push(event);
            }
        }
        Ok(())
    }

    fn headers(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        batch: &mut Batch,
    ) -> Result<(), ConnectionError> {
        // Push is off, so that the server begins no stream.
        if head.stream.is_multiple_of(2) {
            return Err(ConnectionError::protocol(
                "HEADERS on a stream of no request",
            ));
        }
        let mut content = without_padding(head, payload)?;
        let mut fragment = &payload[content.clone()];
        if head.has(flag::PRIORITY) {
            // Ignored, as RFC 9113 section 5.3 has it.
            if fragment.len() < 5 {
                return Err(ConnectionError::frame_size(
                    "HEADERS too short for its flags",
                ));
            }
            content.start += 5;
            fragment = &payload[content];
        }
        let ends = head.has(flag::END_STREAM);
        if head.has(flag::END_HEADERS) {
            return self.decode(head.stream, ends, fragment, batch);
        }
        self.unfinished = Some(Unfinished {
            stream: head.stream,
            ends,
            continuations: 0,
        });
        // Copied only here: a block of one frame is decoded where it lies.
        self.block.clear();
        self.block.extend_from_slice(fragment);
        Ok(())
    }

    #[cold]
    fn continuation(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        batch: &mut Batch,
    ) -> Result<(), ConnectionError> {
        let Some(unfinished) = &mut self.unfinished else {
            return Err(ConnectionError::protocol("CONTINUATION without HEADERS"));
        };
        unfinished.continuations += 1;
        if unfinished.continuations > self.limits.continuations() {
            return Err(ConnectionError::calm("too many CONTINUATION frames"));
        }
        if self.block.len() + payload.len() > self.limits.block_bytes() {
            return Err(ConnectionError::calm("field block too large"));
        }
        self.block.extend_from_slice(payload);
        if !head.has(flag::END_HEADERS) {
            return Ok(());
        }
        // The END_STREAM of HEADERS counts, whatever frames follow it (RFC 9113 section 6.2).
        let Unfinished { stream, ends, .. } = *unfinished;
        self.unfinished = None;
        let block = std::mem::take(&mut self.block);
        self.decode(stream, ends, &block, batch)
    }

    fn decode(
        &mut self,
        stream: u32,
        ends: bool,
        block: &[u8],
        batch: &mut Batch,
    ) -> Result<(), ConnectionError> {
        // Sections are kept from batch to batch, with the room of their heads.
        if batch.sections_used == batch.sections.len() {
            batch.sections.push(FieldSection::default());
        }
        let index = batch.sections_used;
        let section = &mut batch.sections[index];
        section.clear();
        let limits = &self.limits;
        let decoded = self
            .decoder
            .decode(block, limits.decoded_bytes(), |name, value| {
                section.push(name, value, limits);
            });
        decoded.map_err(compression_error)?;
        section.end();
        batch.sections_used += 1;
        batch.events.push(Event::Fields {
            stream,
            section: index,
            ends,
        });
        Ok(())
    }
}

#[cold]
fn compression_error(error: HpackError) -> ConnectionError {
    match error {
        HpackError::TooLarge { .. } => ConnectionError::calm("field block too large when decoded"),
        _ => ConnectionError::new(
            ErrorCode::COMPRESSION_ERROR,
            "field block cannot be decoded",
        ),
    }
}

/// Where in the payload the content is, behind the length of the padding and before the padding.
#[inline]
fn without_padding(head: FrameHead, payload: &[u8]) -> Result<Range<usize>, ConnectionError> {
    if !head.has(flag::PADDED) {
        return Ok(0..payload.len());
    }
    let Some((padding, content)) = payload.split_first() else {
        return Err(ConnectionError::frame_size("padded frame without a length"));
    };
    match content.len().checked_sub((*padding).into()) {
        Some(length) => Ok(1..1 + length),
        None => Err(ConnectionError::protocol(
            "padding is longer than its frame",
        )),
    }
}

#[inline]
fn data(head: FrameHead, start: usize, payload: &[u8]) -> Result<Event, ConnectionError> {
    if head.stream == 0 {
        return Err(ConnectionError::protocol("DATA on the connection"));
    }
    let content = without_padding(head, payload)?;
    Ok(Event::Data {
        stream: head.stream,
        content: start + content.start..start + content.end,
        // Checked to be at most FRAME_BYTES_MAX.
        flow: head.length as u32,
        ends: head.has(flag::END_STREAM),
    })
}

fn other(head: FrameHead, payload: &[u8]) -> Result<Event, ConnectionError> {
    let of_connection = head.stream == 0;
    // By kind; an unknown one says nothing and costs a glitch (RFC 9113 section 5.5).
    match head.kind {
        kind::RST_STREAM => reset(head, payload),
        kind::WINDOW_UPDATE => window_update(head, payload),
        kind::SETTINGS if !of_connection => Err(ConnectionError::protocol("SETTINGS on a stream")),
        kind::SETTINGS if head.has(flag::ACK) => match payload.is_empty() {
            true => Ok(Event::Nothing),
            false => Err(ConnectionError::frame_size(
                "acknowledged SETTINGS with content",
            )),
        },
        kind::SETTINGS => settings::parse(payload).map(Event::Settings),
        kind::PING if !of_connection => Err(ConnectionError::protocol("PING on a stream")),
        kind::PING => match (<[u8; 8]>::try_from(payload), head.has(flag::ACK)) {
            (Ok(payload), false) => Ok(Event::Ping(payload)),
            (Ok(payload), true) => Ok(Event::Pong(payload)),
            (Err(_), _) => Err(ConnectionError::frame_size("PING of other than 8 bytes")),
        },
        kind::GOAWAY if !of_connection => Err(ConnectionError::protocol("GOAWAY on a stream")),
        kind::GOAWAY => match payload.first_chunk() {
            Some([s0, s1, s2, s3, c0, c1, c2, c3]) => Ok(Event::GoAway {
                last: u32::from_be_bytes([*s0, *s1, *s2, *s3]) & MAX_31_BITS,
                code: ErrorCode(u32::from_be_bytes([*c0, *c1, *c2, *c3])),
            }),
            None => Err(ConnectionError::frame_size("GOAWAY too short")),
        },
        kind::PUSH_PROMISE => Err(ConnectionError::protocol("PUSH_PROMISE, which is off")),
        kind::PRIORITY if of_connection => {
            Err(ConnectionError::protocol("PRIORITY on the connection"))
        }
        kind::PRIORITY if payload.len() != 5 => Ok(Event::Wrong {
            stream: head.stream,
            code: ErrorCode::FRAME_SIZE_ERROR,
            what: "PRIORITY of other than 5 bytes",
        }),
        _ => Ok(Event::Nothing),
    }
}

fn reset(head: FrameHead, payload: &[u8]) -> Result<Event, ConnectionError> {
    if head.stream == 0 {
        return Err(ConnectionError::protocol("RST_STREAM on the connection"));
    }
    match <[u8; 4]>::try_from(payload) {
        Ok(code) => Ok(Event::Reset {
            stream: head.stream,
            code: ErrorCode(u32::from_be_bytes(code)),
        }),
        Err(_) => Err(ConnectionError::frame_size(
            "RST_STREAM of other than 4 bytes",
        )),
    }
}

fn window_update(head: FrameHead, payload: &[u8]) -> Result<Event, ConnectionError> {
    let Ok(increment) = <[u8; 4]>::try_from(payload) else {
        let what = "WINDOW_UPDATE of other than 4 bytes";
        return Err(ConnectionError::frame_size(what));
    };
    let stream = head.stream;
    match u32::from_be_bytes(increment) & MAX_31_BITS {
        // Of a stream it is an error of that stream (RFC 9113 section 6.9).
        0 if stream == 0 => Err(ConnectionError::protocol("WINDOW_UPDATE of 0 bytes")),
        0 => Ok(Event::Wrong {
            stream,
            code: ErrorCode::PROTOCOL_ERROR,
            what: "WINDOW_UPDATE of 0 bytes",
        }),
        increment => Ok(Event::WindowUpdate { stream, increment }),
    }
}
