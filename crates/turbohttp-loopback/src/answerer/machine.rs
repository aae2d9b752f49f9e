//! Bytes of a client in, bytes of answers out.
//!
//! # Implementation
//!
//! A request without content whose answer the windows permit leaves nothing behind: its frames are
//! copied to the output. Only streams that still send, or whose answer waits for a window, are in a
//! table. The output of one batch is bounded: what the windows permit beyond follows by
//! [`Machine::go_on`].

use super::template::{TABLE_BYTES, Template};
use crate::script::frames::{
    ACK, DATA, END_HEADERS, END_STREAM, HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, PING, PREFACE, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, settings, settings_ack, window_update,
};

/// Length of a frame's head.
const HEAD_BYTES: usize = 9;

/// The longest payload of a frame, either way, unless a client's SETTINGS permit more.
const PAYLOAD_BYTES_MAX: usize = 16_384;

/// The window of every connection and stream at its beginning (RFC 9113 §6.9.2).
const FIRST_WINDOW: i64 = 65_535;

/// The largest window (RFC 9113 §6.9.1).
const WINDOW_MAX: i64 = 0x7fff_ffff;

/// How much content a client may send ahead, on a stream and on all together.
const STREAM_CREDIT: u32 = 1024 * 1024;
const CONNECTION_CREDIT: u32 = 16 * 1024 * 1024;

/// How much content of a stream is read before it is credited.
const CREDITED_BYTES: u32 = 64 * 1024;

/// Output beyond which no content is appended: one write, which stays in a second-level cache.
const OUT_BYTES_MAX: usize = 256 * 1024;

/// How many streams may be in the table. A client that opens more is disconnected.
const STREAMS_MAX: usize = 100_000;

/// The client breaks the rules of framing or of windows, and is disconnected.
#[derive(Debug)]
pub(super) struct Broken;

/// One connection.
pub(super) struct Machine<'a> {
    template: &'a Template,
    is_greeted: bool,
    /// How the next field block is written.
    fields: Fields,
    /// What the client's windows still permit: of the connection, and of a stream that begins.
    window: i64,
    stream_window: i64,
    payload_bytes_max: usize,
    /// Streams that are not done, the oldest first.
    streams: Streams,
    /// Content that was read in this batch and not credited to the connection yet.
    uncredited: u32,
    /// The windows permit content that the output had no room for.
    has_more: bool,
    answered: u64,
}

#[derive(Clone, Copy)]
enum Fields {
    /// Nothing was sent yet; the fields go into the client's table if that is wanted.
    First,
    Indexed,
    /// The client's table became too small: it is emptied by the next field block.
    Emptied,
    Literal,
}

struct Stream {
    window: i64,
    /// What of the content was sent; `None` before the head.
    sent: Option<usize>,
    /// Content that was read and not credited to the stream yet.
    uncredited: u32,
}

/// Streams by identifier, the oldest first. Its memory is kept: a request allocates nothing.
#[derive(Default)]
struct Streams(Vec<(u32, Stream)>);

impl Streams {
    fn place_of(&self, id: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id)
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        let place = self.place_of(id).ok()?;
        Some(&mut self.0[place].1)
    }

    fn insert(&mut self, id: u32, stream: Stream) {
        match self.place_of(id) {
            Ok(place) => self.0[place].1 = stream,
            Err(place) => self.0.insert(place, (id, stream)),
        }
    }

    fn remove(&mut self, id: u32) -> Option<Stream> {
        let place = self.place_of(id).ok()?;
        Some(self.0.remove(place).1)
    }
}

impl<'a> Machine<'a> {
    pub(super) fn new(template: &'a Template) -> Machine<'a> {
        Machine {
            template,
            is_greeted: false,
            fields: Fields::First,
            window: FIRST_WINDOW,
            stream_window: FIRST_WINDOW,
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            streams: Streams::default(),
            uncredited: 0,
            has_more: false,
            answered: 0,
        }
    }

    /// What the server sends first.
    pub(super) fn greeting(&self, max_concurrent_streams: u32) -> Vec<u8> {
        let pairs = [
            (MAX_CONCURRENT_STREAMS, max_concurrent_streams),
            (INITIAL_WINDOW_SIZE, STREAM_CREDIT),
        ];
        let credit = window_update(0, CONNECTION_CREDIT - FIRST_WINDOW as u32);
        [settings(&pairs), credit].concat()
    }

    /// How many requests were answered since this was asked last.
    pub(super) fn take_answered(&mut self) -> u64 {
        std::mem::take(&mut self.answered)
    }

    /// Whether [`Machine::go_on`] has something to write.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Takes all whole frames of `bytes` and writes what is to be sent to `out`; how many bytes were
    /// used. What is left is less than one frame of [`PAYLOAD_BYTES_MAX`].
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Broken> {
        let (mut used, mut may_go_on) = (0, false);
        if !self.is_greeted {
            let length = bytes.len().min(PREFACE.len());
            if bytes[..length] != PREFACE[..length] {
                return Err(Broken);
            }
            if length < PREFACE.len() {
                return Ok(0);
            }
            self.is_greeted = true;
            used = length;
        }
        while let Some(head) = bytes[used..].first_chunk::<HEAD_BYTES>() {
            let [a, b, c, kind, flags, stream @ ..] = *head;
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            if length > PAYLOAD_BYTES_MAX {
                return Err(Broken);
            }
            let Some(payload) = bytes[used + HEAD_BYTES..].get(..length) else {
                break;
            };
            let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
            self.frame(kind, flags, stream, payload, out)?;
            may_go_on |= matches!(kind, SETTINGS | WINDOW_UPDATE);
            used += HEAD_BYTES + length;
        }
        if may_go_on || self.has_more {
            self.go_on(out);
        }
        if self.uncredited > 0 {
            write_credit(0, std::mem::take(&mut self.uncredited), out);
        }
        Ok(used)
    }

    fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let is_end = flags & END_STREAM != 0;
        match kind {
            HEADERS if self.streams.0.len() == STREAMS_MAX => return Err(Broken),
            HEADERS if is_end => self.answer(stream, out),
            // Trailers have END_STREAM, so the stream is a new one.
            HEADERS => self.streams.insert(stream, self.fresh()),
            DATA => {
                self.uncredited += payload.len() as u32;
                if is_end {
                    self.answer(stream, out);
                } else if let Some(open) = self.streams.get_mut(stream) {
                    open.uncredited += payload.len() as u32;
                    if open.uncredited >= CREDITED_BYTES {
                        write_credit(stream, std::mem::take(&mut open.uncredited), out);
                    }
                }
            }
            RST_STREAM => drop(self.streams.remove(stream)),
            SETTINGS if flags & ACK == 0 => {
                self.apply(payload)?;
                out.extend(settings_ack());
            }
            PING if flags & ACK == 0 => {
                let opaque: &[u8; 8] = payload.first_chunk().ok_or(Broken)?;
                begin(out, opaque.len(), PING, ACK, 0);
                out.extend_from_slice(opaque);
            }
            WINDOW_UPDATE => {
                let increment = u32::from_be_bytes(*payload.first_chunk().ok_or(Broken)?);
                self.widen(stream, increment & 0x7fff_ffff)?;
            }
            PUSH_PROMISE => return Err(Broken),
            _ => {}
        }
        Ok(())
    }

    fn fresh(&self) -> Stream {
        Stream {
            window: self.stream_window,
            sent: None,
            uncredited: 0,
        }
    }

    fn apply(&mut self, payload: &[u8]) -> Result<(), Broken> {
        for six in payload.chunks_exact(6) {
            let value = u32::from_be_bytes([six[2], six[3], six[4], six[5]]);
            match u16::from_be_bytes([six[0], six[1]]) {
                INITIAL_WINDOW_SIZE => {
                    let change = i64::from(value) - self.stream_window;
                    self.stream_window += change;
                    for (_, stream) in &mut self.streams.0 {
                        stream.window += change;
                    }
                }
                MAX_FRAME_SIZE => self.payload_bytes_max = value as usize,
                HEADER_TABLE_SIZE if value < TABLE_BYTES => self.fields = Fields::Emptied,
                _ => {}
            }
        }
        match self.payload_bytes_max {
            0 => Err(Broken),
            _ => Ok(()),
        }
    }

    fn widen(&mut self, stream: u32, increment: u32) -> Result<(), Broken> {
        let window = match stream {
            0 => Some(&mut self.window),
            // A stream that is done needs no window.
            _ => self
                .streams
                .get_mut(stream)
                .map(|stream| &mut stream.window),
        };
        if let Some(window) = window {
            *window += i64::from(increment);
            if *window > WINDOW_MAX {
                return Err(Broken);
            }
        }
        Ok(())
    }

    /// Answers a stream that its client has ended.
    fn answer(&mut self, id: u32, out: &mut Vec<u8>) {
        self.answered += 1;
        let mut stream = match self.streams.0.is_empty() {
            true => self.fresh(),
            false => self.streams.remove(id).unwrap_or(self.fresh()),
        };
        self.write_head(id, out);
        stream.sent = Some(0);
        // Streams that wait for the window of the connection come first.
        let is_done = self.window > 0 && self.write_content(id, &mut stream, out);
        if !is_done && self.template.content_bytes > 0 {
            self.streams.insert(id, stream);
        }
    }

    fn write_head(&mut self, id: u32, out: &mut Vec<u8>) {
        let template = self.template;
        let empties = matches!(self.fields, Fields::Emptied);
        let (block, next) = match (self.fields, &template.first) {
            (Fields::First, Some(first)) => (first, Fields::Indexed),
            (Fields::Indexed, _) => (&template.indexed, Fields::Indexed),
            _ => (&template.literal, Fields::Literal),
        };
        self.fields = next;
        let flags = match template.content_bytes {
            0 => END_HEADERS | END_STREAM,
            _ => END_HEADERS,
        };
        begin(out, block.len() + usize::from(empties), HEADERS, flags, id);
        if empties {
            // A dynamic table size update to 0 (RFC 7541 §6.3).
            out.push(0x20);
        }
        out.extend_from_slice(block);
    }

    /// Writes as much of the content as the windows and the output permit; whether that is all.
    fn write_content(&mut self, id: u32, stream: &mut Stream, out: &mut Vec<u8>) -> bool {
        let whole = self.template.content_bytes;
        let mut sent = stream.sent.unwrap_or(whole);
        while sent < whole {
            let permitted = self.window.min(stream.window).max(0) as usize;
            let left = whole - sent;
            let length = left.min(permitted).min(self.payload_bytes_max);
            if length == 0 {
                break;
            }
            if out.len() >= OUT_BYTES_MAX {
                self.has_more = true;
                break;
            }
            let is_end = length == left && self.template.trailers.is_none();
            let flags = if is_end { END_STREAM } else { 0 };
            begin(out, length, DATA, flags, id);
            self.template.append_content(sent, length, out);
            if length == left
                && let Some(block) = &self.template.trailers
            {
                begin(out, block.len(), HEADERS, END_HEADERS | END_STREAM, id);
                out.extend_from_slice(block);
            }
            sent += length;
            self.window -= length as i64;
            stream.window -= length as i64;
        }
        stream.sent = Some(sent);
        sent == whole
    }

    /// Goes on with the answers that waited for a window or for the output, the oldest first.
    pub(super) fn go_on(&mut self, out: &mut Vec<u8>) {
        self.has_more = false;
        if self.streams.0.is_empty() {
            return;
        }
        let mut streams = std::mem::take(&mut self.streams);
        streams.0.retain_mut(|(id, stream)| match stream.sent {
            Some(_) => !self.write_content(*id, stream, out),
            None => true,
        });
        self.streams = streams;
    }
}

/// WINDOW_UPDATE.
fn write_credit(stream: u32, bytes: u32, out: &mut Vec<u8>) {
    begin(out, 4, WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&bytes.to_be_bytes());
}

/// The head of a frame.
fn begin(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, a, b, c] = (length as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, d, e, f, g]);
}

#[cfg(test)]
mod tests;
