//! Frames (RFC 9113 sections 4 and 6): the nine bytes before each payload, and writing whole frames.

/// Bytes of the head of a frame.
pub const FRAME_HEAD_BYTES: usize = 9;

/// The largest payload this client takes, and the largest it sends: the default of
/// SETTINGS_MAX_FRAME_SIZE, which every peer takes (RFC 9113 section 4.2).
pub const FRAME_BYTES_MAX: usize = 16_384;

/// What a client sends first (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The largest stream identifier and the largest window.
pub(crate) const MAX_31_BITS: u32 = (1 << 31) - 1;

/// The types of frames (RFC 9113 section 6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0x0;
    pub(crate) const HEADERS: u8 = 0x1;
    pub(crate) const PRIORITY: u8 = 0x2;
    pub(crate) const RST_STREAM: u8 = 0x3;
    pub(crate) const SETTINGS: u8 = 0x4;
    pub(crate) const PUSH_PROMISE: u8 = 0x5;
    pub(crate) const PING: u8 = 0x6;
    pub(crate) const GOAWAY: u8 = 0x7;
    pub(crate) const WINDOW_UPDATE: u8 = 0x8;
    pub(crate) const CONTINUATION: u8 = 0x9;
}

/// The flags of frames (RFC 9113 section 6).
pub(crate) mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) length: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl FrameHead {
    /// Reads the head at the start of `input`; `None` until it has arrived.
    #[inline]
    pub(crate) fn parse(input: &[u8]) -> Option<FrameHead> {
        let bytes: &[u8; FRAME_HEAD_BYTES] = input.first_chunk()?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *bytes;
        Some(FrameHead {
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            // The first bit is reserved, and ignored (RFC 9113 section 4.1).
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & MAX_31_BITS,
        })
    }

    #[inline]
    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn bytes(self) -> [u8; FRAME_HEAD_BYTES] {
        let [_, l0, l1, l2] = (self.length as u32).to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        [l0, l1, l2, self.kind, self.flags, s0, s1, s2, s3]
    }
}

/// Appends the head of a frame.
#[inline]
pub(crate) fn put_head(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, length: usize) {
    let head = FrameHead {
        length,
        kind,
        flags,
        stream,
    };
    out.extend_from_slice(&head.bytes());
}

/// Makes the frame at `start` of `out` as long as what was appended behind its head.
#[inline]
pub(crate) fn end_frame(out: &mut [u8], start: usize) {
    let length = out.len() - start - FRAME_HEAD_BYTES;
    let [_, bytes @ ..] = (length as u32).to_be_bytes();
    out[start..start + 3].copy_from_slice(&bytes);
}

/// Appends a DATA frame.
pub(crate) fn put_data(out: &mut Vec<u8>, stream: u32, data: &[u8], ends: bool) {
    let flags = if ends { flag::END_STREAM } else { 0 };
    put_head(out, kind::DATA, flags, stream, data.len());
    out.extend_from_slice(data);
}

/// Appends RST_STREAM.
pub(crate) fn put_reset(out: &mut Vec<u8>, stream: u32, code: u32) {
    put_head(out, kind::RST_STREAM, 0, stream, 4);
    out.extend_from_slice(&code.to_be_bytes());
}

/// Appends WINDOW_UPDATE, of the connection if `stream` is 0.
pub(crate) fn put_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    put_head(out, kind::WINDOW_UPDATE, 0, stream, 4);
    out.extend_from_slice(&increment.to_be_bytes());
}

/// Appends PING, or its acknowledgement.
pub(crate) fn put_ping(out: &mut Vec<u8>, payload: [u8; 8], is_ack: bool) {
    let flags = if is_ack { flag::ACK } else { 0 };
    put_head(out, kind::PING, flags, 0, payload.len());
    out.extend_from_slice(&payload);
}

/// Appends GOAWAY. No stream of the server was ever processed, as push is off.
pub(crate) fn put_goaway(out: &mut Vec<u8>, code: u32) {
    put_head(out, kind::GOAWAY, 0, 0, 8);
    out.extend_from_slice(&0u32.to_be_bytes());
    out.extend_from_slice(&code.to_be_bytes());
}

/// Appends the acknowledgement of SETTINGS.
pub(crate) fn put_settings_ack(out: &mut Vec<u8>) {
    put_head(out, kind::SETTINGS, flag::ACK, 0, 0);
}
