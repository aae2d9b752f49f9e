//! Frames of HTTP/2 as bytes, right or wrong: each function writes what it is told, and checks nothing.
//!
//! ```
//! use turbohttp_loopback::script::{Script, Step, frames};
//!
//! # fn main() -> std::io::Result<()> {
//! let block = frames::block(&[(":status", "200"), ("content-length", "2")]);
//! let server = Script::new()
//!     .accept([
//!         Step::ReadPreface,
//!         Step::send(frames::settings(&[(frames::MAX_CONCURRENT_STREAMS, 1)])),
//!         Step::read_frame(frames::HEADERS),
//!         Step::answer(move |request| {
//!             let head = frames::headers(request.stream, frames::END_HEADERS, &block);
//!             let body = frames::data(request.stream, frames::END_STREAM, b"hi");
//!             [head, body].concat()
//!         }),
//!         Step::Stall,
//!     ])
//!     .start()?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```

/// What a client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The kinds of frames (RFC 9113 §6).
pub const DATA: u8 = 0;
/// A field block begins.
pub const HEADERS: u8 = 1;
/// Deprecated priorities.
pub const PRIORITY: u8 = 2;
/// The end of a stream by an error.
pub const RST_STREAM: u8 = 3;
/// Settings, or their acknowledgement.
pub const SETTINGS: u8 = 4;
/// A promised request.
pub const PUSH_PROMISE: u8 = 5;
/// A question for life, or its answer.
pub const PING: u8 = 6;
/// The end of a connection.
pub const GOAWAY: u8 = 7;
/// More room for DATA.
pub const WINDOW_UPDATE: u8 = 8;
/// A field block goes on.
pub const CONTINUATION: u8 = 9;

/// The flag of SETTINGS and PING that makes them an acknowledgement.
pub const ACK: u8 = 0x1;
/// The flag of DATA and HEADERS that ends a half of a stream.
pub const END_STREAM: u8 = 0x1;
/// The flag of HEADERS, PUSH_PROMISE and CONTINUATION that ends a field block.
pub const END_HEADERS: u8 = 0x4;
/// The flag of DATA, HEADERS and PUSH_PROMISE that announces padding.
pub const PADDED: u8 = 0x8;
/// The flag of HEADERS that announces a priority.
pub const PRIORITY_FLAG: u8 = 0x20;

/// Settings (RFC 9113 §6.5.2).
pub const HEADER_TABLE_SIZE: u16 = 1;
/// 0 refuses PUSH_PROMISE.
pub const ENABLE_PUSH: u16 = 2;
/// Streams that the other side may have open.
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
/// The window that each stream begins with.
pub const INITIAL_WINDOW_SIZE: u16 = 4;
/// The longest payload of a frame.
pub const MAX_FRAME_SIZE: u16 = 5;
/// The longest list of fields.
pub const MAX_HEADER_LIST_SIZE: u16 = 6;

/// Length of a frame's head in bytes.
const HEAD_BYTES: usize = 9;

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// What it is: [`DATA`] and the others, or one that is unknown.
    pub kind: u8,
    /// All flags, known or not.
    pub flags: u8,
    /// The stream, without the reserved bit; 0 is the connection.
    pub stream: u32,
    /// The payload, with its padding.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether all of these flags are set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The four bytes of the payload from `at` on as a number: the error code of a RST_STREAM is at 0,
    /// that of a GOAWAY at 4, the increment of a WINDOW_UPDATE at 0. `None` if the payload is shorter.
    pub fn number(&self, at: usize) -> Option<u32> {
        let four = self.payload.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*four))
    }

    /// The pairs of a SETTINGS frame; what remains of an odd length is left out.
    pub fn settings(&self) -> Vec<(u16, u32)> {
        let pair = |six: &[u8]| {
            let id = u16::from_be_bytes([six[0], six[1]]);
            (id, u32::from_be_bytes([six[2], six[3], six[4], six[5]]))
        };
        self.payload.chunks_exact(6).map(pair).collect()
    }
}

/// Any frame. The length in its head is that of the payload, cut to 24 bits.
pub fn raw(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    with_length(payload.len() as u32, kind, flags, stream, payload)
}

/// A frame whose head announces another length than its payload has.
pub fn with_length(length: u32, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// SETTINGS with these pairs of identifier and value.
pub fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in pairs {
        payload.extend(id.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    raw(SETTINGS, 0, 0, &payload)
}

/// The acknowledgement of SETTINGS.
pub fn settings_ack() -> Vec<u8> {
    raw(SETTINGS, ACK, 0, &[])
}

/// HEADERS with a field block, as [`block`] writes one.
pub fn headers(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    raw(HEADERS, flags, stream, block)
}

/// HEADERS with padding of so many zeros; the flag is added.
pub fn padded_headers(stream: u32, flags: u8, block: &[u8], padding: u8) -> Vec<u8> {
    raw(HEADERS, flags | PADDED, stream, &padded(block, padding))
}

/// CONTINUATION with more of a field block.
pub fn continuation(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    raw(CONTINUATION, flags, stream, block)
}

/// DATA.
pub fn data(stream: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    raw(DATA, flags, stream, bytes)
}

/// DATA with padding of so many zeros; the flag is added.
pub fn padded_data(stream: u32, flags: u8, bytes: &[u8], padding: u8) -> Vec<u8> {
    raw(DATA, flags | PADDED, stream, &padded(bytes, padding))
}

/// RST_STREAM with an error code.
pub fn rst(stream: u32, code: u32) -> Vec<u8> {
    raw(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// GOAWAY: the last stream that may have been processed, an error code, and further data.
pub fn goaway(last: u32, code: u32, debug: &[u8]) -> Vec<u8> {
    let payload = [&last.to_be_bytes(), &code.to_be_bytes(), debug].concat();
    raw(GOAWAY, 0, 0, &payload)
}

/// WINDOW_UPDATE by `increment` bytes; stream 0 is the connection.
pub fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    raw(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// PING, or its acknowledgement.
pub fn ping(is_ack: bool, data: [u8; 8]) -> Vec<u8> {
    raw(PING, if is_ack { ACK } else { 0 }, 0, &data)
}

/// PRIORITY: the stream depends on `parent`.
pub fn priority(stream: u32, parent: u32, weight: u8) -> Vec<u8> {
    let payload = [&parent.to_be_bytes()[..], &[weight]].concat();
    raw(PRIORITY, 0, stream, &payload)
}

/// PUSH_PROMISE of a stream with the field block of its request.
pub fn push_promise(stream: u32, flags: u8, promised: u32, block: &[u8]) -> Vec<u8> {
    let payload = [&promised.to_be_bytes(), block].concat();
    raw(PUSH_PROMISE, flags, stream, &payload)
}

fn padded(bytes: &[u8], padding: u8) -> Vec<u8> {
    let zeros = vec![0; usize::from(padding)];
    [&[padding], bytes, &zeros].concat()
}

/// The codes of `:status` that HPACK's static table has, from index 8 on (RFC 7541 appendix A).
const STATUSES: [&str; 7] = ["200", "204", "206", "304", "400", "404", "500"];

/// The index of the name `:status` in HPACK's static table.
const STATUS_NAME: u8 = 8;

/// A field block: usual values of `:status` as an index, anything else as a literal without indexing
/// and without Huffman coding, so that no table changes. Names and values are written as they are.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        match STATUSES.iter().position(|status| status == value) {
            Some(at) if *name == ":status" => bytes.push(0x80 | (STATUS_NAME + at as u8)),
            _ => bytes.extend(field(name.as_bytes(), value.as_bytes())),
        }
    }
    bytes
}

/// One literal field without indexing, of any bytes.
pub fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        integer(&mut bytes, 0, 7, text.len());
        bytes.extend_from_slice(text);
    }
    bytes
}

/// An integer behind a prefix of so many bits, whose other bits `begin` has (RFC 7541 §5.1).
pub fn integer(bytes: &mut Vec<u8>, begin: u8, prefix_bits: u32, value: usize) {
    let largest = (1 << prefix_bits) - 1;
    if value < largest {
        bytes.push(begin | value as u8);
        return;
    }
    bytes.push(begin | largest as u8);
    let mut rest = value - largest;
    while rest >= 0x80 {
        bytes.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// The first frame of `bytes` and how long it is with its head, once it is there whole.
pub fn first(bytes: &[u8]) -> Option<(Frame, usize)> {
    let head = bytes.first_chunk::<HEAD_BYTES>()?;
    let [a, b, c, kind, flags, stream @ ..] = *head;
    let length = HEAD_BYTES + u32::from_be_bytes([0, a, b, c]) as usize;
    let frame = Frame {
        kind,
        flags,
        stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        payload: bytes.get(HEAD_BYTES..length)?.to_vec(),
    };
    Some((frame, length))
}

/// All whole frames of `bytes`; of what a client sent, behind its preface.
pub fn parse(bytes: &[u8]) -> Vec<Frame> {
    let mut rest = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    let mut frames = Vec::new();
    while let Some((frame, length)) = first(rest) {
        frames.push(frame);
        rest = &rest[length..];
    }
    frames
}
