//! One stream: a request and its response (RFC 9113 section 5.1).
//!
//! ```text
//!  receiving:  Head ──final HEADERS──> Body ──END_STREAM──> Ended
//!                └───────────┬──────────┘
//!                            └── RST_STREAM, malformed, connection lost, GOAWAY ──> Failed
//!
//!  sending:    Open ──END_STREAM or RST_STREAM──> Ended
//! ```
//!
//! A stream is on the wire until both sides have ended or either has reset it. What has arrived stays in its
//! slot until the response is released.

use std::collections::VecDeque;
use std::task::Waker;

use super::error::StreamError;
use super::limits::LATE_FRAMES_MAX;
use super::window::{ReceiveWindow, SendWindow};
use crate::head::ResponseHead;

/// Memory with content in its first bytes.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "memory and how much of it is filled; nothing else can be said of it"
)]
pub struct Piece<B> {
    /// The memory.
    pub memory: B,
    /// How many of its first bytes are content.
    pub filled: usize,
}

/// Names one stream of a connection for as long as its request lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey {
    pub(crate) slot: u32,
    pub(crate) id: u32,
}

impl StreamKey {
    /// The identifier on the wire.
    pub fn id(self) -> u32 {
        self.id
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiving {
    /// The final head is awaited.
    Head,
    Body,
    Ended,
    Failed(StreamError),
}

/// The state of a stream, in a slot that is used again.
#[derive(Debug)]
pub(crate) struct Stream<B> {
    /// 0 in a free slot.
    pub(crate) id: u32,
    pub(crate) receiving: Receiving,
    /// Neither END_STREAM nor RST_STREAM was sent.
    pub(crate) is_sending: bool,
    /// It counts against the peer's limit, and its identifier is in the table.
    pub(crate) is_on_wire: bool,
    /// The server wants no more of the content, and has answered.
    pub(crate) is_stopped: bool,
    /// The method is HEAD.
    pub(crate) to_head: bool,
    /// `100 Continue` has arrived and was not told yet.
    pub(crate) proceeds: bool,
    /// The content waits for the window or for room in the output.
    pub(crate) awaits_room: bool,
    /// Its HEADERS have changed no table, and no DATA follows them yet: nobody misses them in the output.
    pub(crate) is_removable: bool,
    /// The final head is here, and the request has not taken it.
    pub(crate) has_head: bool,
    /// The final head, until the request takes it.
    pub(crate) head: ResponseHead,
    pub(crate) trailers: ResponseHead,
    /// Bytes of interim heads.
    pub(crate) interim_bytes: usize,
    /// Bytes of content to come, where content-length said so.
    pub(crate) remaining: Option<u64>,
    /// Content that has arrived, in order.
    pub(crate) pieces: VecDeque<Piece<B>>,
    /// Empty memory for the next content.
    pub(crate) spare: Option<B>,
    /// Bytes in `pieces`.
    pub(crate) buffered: u32,
    pub(crate) window: ReceiveWindow,
    pub(crate) send_window: SendWindow,
    /// What of the connection's budget this stream has: its window, or what is left in it at the end.
    pub(crate) granted: u32,
    /// What the connection had heard when the request was written.
    pub(crate) heard: u64,
    pub(crate) waker: Option<Waker>,
}

impl<B> Stream<B> {
    pub(crate) fn new() -> Stream<B> {
        Stream {
            id: 0,
            receiving: Receiving::Ended,
            is_sending: false,
            is_on_wire: false,
            is_stopped: false,
            to_head: false,
            proceeds: false,
            awaits_room: false,
            is_removable: false,
            has_head: false,
            head: ResponseHead::default(),
            trailers: ResponseHead::default(),
            interim_bytes: 0,
            remaining: None,
            pieces: VecDeque::new(),
            spare: None,
            buffered: 0,
            window: ReceiveWindow::new(0),
            send_window: SendWindow::new(0),
            granted: 0,
            heard: 0,
            waker: None,
        }
    }

    /// Makes the slot ready for a new request.
    #[inline]
    pub(crate) fn begin(&mut self, id: u32, to_head: bool, windows: (u32, u32), heard: u64) {
        let (receive, send) = windows;
        self.id = id;
        self.receiving = Receiving::Head;
        self.is_sending = true;
        self.is_on_wire = true;
        self.is_stopped = false;
        self.to_head = to_head;
        self.proceeds = false;
        self.awaits_room = false;
        self.is_removable = false;
        self.has_head = false;
        // Head, trailers and pieces were emptied when the slot was released.
        self.interim_bytes = 0;
        self.remaining = None;
        self.buffered = 0;
        self.window = ReceiveWindow::new(receive);
        self.send_window = SendWindow::new(send);
        self.granted = receive;
        self.heard = heard;
    }

    /// Whether nothing of the response is to come any more.
    #[inline]
    pub(crate) fn is_received(&self) -> bool {
        matches!(self.receiving, Receiving::Ended | Receiving::Failed(_))
    }
}

/// A stream that was reset here: what may still arrive on it without a fault of the server, which had sent
/// it before it knew.
#[derive(Debug)]
pub(crate) struct Late {
    pub(crate) id: u32,
    window: ReceiveWindow,
    frames: u32,
}

impl Late {
    pub(crate) fn new(id: u32, window: ReceiveWindow) -> Late {
        let frames = LATE_FRAMES_MAX;
        Late { id, window, frames }
    }

    /// Notes a frame of so many bytes of content; `false` if there were more than an honest server sends.
    #[must_use]
    pub(crate) fn arrived(&mut self, flow: u32) -> bool {
        if flow > 0 {
            return self.window.arrived(flow);
        }
        let left = self.frames.checked_sub(1);
        self.frames = left.unwrap_or_default();
        left.is_some()
    }
}

/// Room for content: the end of the last piece, spare memory, and memory from elsewhere.
impl<B: AsMut<[u8]> + AsRef<[u8]>> Stream<B> {
    /// Bytes that fit without further memory.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        let last = self.pieces.back();
        let behind = last.map_or(0, |piece| piece.memory.as_ref().len() - piece.filled);
        behind + self.spare.as_ref().map_or(0, |spare| spare.as_ref().len())
    }

    /// Appends content, for which there is [room](Stream::room), with `more` if that is not enough.
    #[inline]
    pub(crate) fn append(&mut self, mut content: &[u8], more: &mut Option<B>) {
        self.buffered += content.len() as u32;
        if let Some(last) = self.pieces.back_mut() {
            content = fill(last, content);
        }
        while !content.is_empty() {
            let Some(memory) = self.spare.take().or_else(|| more.take()) else {
                debug_assert!(false, "room was looked at before");
                return;
            };
            let mut piece = Piece { memory, filled: 0 };
            content = fill(&mut piece, content);
            self.pieces.push_back(piece);
        }
    }
}

/// Fills a piece up; returns what did not fit.
#[inline]
fn fill<'a, B: AsMut<[u8]>>(piece: &mut Piece<B>, content: &'a [u8]) -> &'a [u8] {
    let room = &mut piece.memory.as_mut()[piece.filled..];
    let (here, rest) = content.split_at(content.len().min(room.len()));
    room[..here.len()].copy_from_slice(here);
    piece.filled += here.len();
    rest
}
