//! What a connection may cost.

use super::frame::MAX_31_BITS;
use crate::h1::HeadLimits;

/// The bounds of one connection.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Of the head of a response, and of its trailers.
    pub head: HeadLimits,
    /// Bytes that all streams together may have been granted and not read: the window of the
    /// connection. Default 32 MiB.
    pub receive_bytes: u32,
    /// The window of a stream at its begin, in bytes. Default 256 KiB.
    pub stream_window: u32,
    /// The most streams at once, whatever the server permits.
    pub streams: usize,
    /// Requests that are sent at once, at most `streams`: so many find room, however far the windows of
    /// readers that keep up have grown.
    pub at_once: usize,
}

/// See [`Limits::receive_bytes`].
pub const RECEIVE_BYTES: u32 = 32 * 1024 * 1024;

/// The default window of a stream at its begin.
pub const STREAM_WINDOW: u32 = 256 * 1024;

/// The least window of a stream.
pub const STREAM_WINDOW_MIN: u32 = 64 * 1024;

/// What the window of a stream grows to while its reader keeps up.
pub const STREAM_WINDOW_MAX: u32 = 4 * 1024 * 1024;

/// The most streams of one connection.
pub const STREAMS_MAX: usize = 512;

/// Streams of a connection before its server has said how many it takes.
pub const STREAMS_BEFORE_SETTINGS: usize = 100;

/// Bytes of output beyond which no DATA is appended; replies are bounded by what causes them.
pub const OUT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of output beyond which no stream is opened: requests that are opened and given up while the server
/// does not read leave their heads there.
pub(crate) const OUT_HEADS_BYTES_MAX: usize = 1024 * 1024;

/// The memory that the output of a connection keeps.
pub(crate) const OUT_KEPT_BYTES: usize = 128 * 1024;

/// Acknowledgements that may wait to be written.
pub(crate) const REPLIES_MAX: u32 = 256;

/// Settings of one frame.
pub(crate) const SETTINGS_MAX: usize = 32;

/// Streams that were reset here of which late frames are expected: all of a connection may be at once.
pub(crate) const RESETS_REMEMBERED: usize = STREAMS_MAX;

/// Frames without content that may arrive on a stream after its reset and are no glitches: heads, trailers,
/// and updates of a window that an upload went through.
pub(crate) const LATE_FRAMES_MAX: u32 = 64;

/// Frames that cost work and bring nothing: so many at once, and so many more in each second.
pub(crate) const GLITCHES: u32 = 1_000;
pub(crate) const GLITCHES_PER_SECOND: u32 = 100;

/// No stream is opened whose identifier is beyond this: the connection is replaced before they run out.
pub(crate) const LAST_STREAM_ID: u32 = (1 << 31) - 1 - (1 << 16);

/// How long a silent connection is waited for that was asked whether it lives, in milliseconds.
pub const PROBE_WAIT_MS: u64 = 1_000;

impl Limits {
    /// The limits for a client that sends at most `at_once` requests to one origin.
    ///
    /// The windows of all streams together never pass the window of the connection: with many streams
    /// each begins with less, so that half of it is left for windows that grow, and beyond 512 streams there
    /// are no more.
    pub fn new(head: HeadLimits, at_once: usize) -> Limits {
        Limits::with_budget(head, at_once, RECEIVE_BYTES, STREAM_WINDOW)
    }

    /// The same with this window of the connection, and this one of a stream at its begin, which many
    /// streams make smaller. The first is 64 KiB at least and 2^31 - 1 at most (RFC 9113 section 6.9.1), the
    /// second 1 byte at least and no more than the first.
    pub fn with_budget(
        head: HeadLimits,
        at_once: usize,
        receive_bytes: u32,
        stream_window: u32,
    ) -> Limits {
        let receive_bytes = receive_bytes.clamp(STREAM_WINDOW_MIN, MAX_31_BITS);
        let stream_window = stream_window.clamp(1, receive_bytes);
        let wanted = at_once.clamp(1, STREAMS_MAX) as u32;
        let least = STREAM_WINDOW_MIN.min(stream_window);
        let window = (receive_bytes / 2 / wanted).clamp(least, stream_window);
        let streams = ((receive_bytes / window) as usize).clamp(1, STREAMS_MAX);
        Limits {
            head,
            receive_bytes,
            stream_window: window,
            streams,
            at_once: streams.min(wanted as usize),
        }
    }

    /// Bytes that one field block may have in coded form.
    pub(crate) fn block_bytes(&self) -> usize {
        self.head.bytes.saturating_mul(2)
    }

    /// Bytes that one field block may have when it is decoded, those that are not kept included.
    pub(crate) fn decoded_bytes(&self) -> usize {
        self.head.bytes.saturating_mul(4)
    }

    /// CONTINUATION frames of one field block.
    pub(crate) fn continuations(&self) -> usize {
        self.head.bytes / super::frame::FRAME_BYTES_MAX + 8
    }
}
