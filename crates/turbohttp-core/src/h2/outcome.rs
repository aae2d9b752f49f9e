//! What the operations of requests give back.

use std::collections::VecDeque;

use super::error::StreamError;
use super::stream::{Piece, StreamKey};

/// A place in the line for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    pub(super) level: u8,
    pub(super) number: u64,
}

/// What became of a request that asked for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver must handle each")]
pub enum Opened {
    /// It has one, and so many bytes of its content are on their way.
    Stream {
        /// The stream.
        key: StreamKey,
        /// Bytes of the content that were taken.
        sent: usize,
    },
    /// There is none free: it waits in line.
    Waiting(Ticket),
    /// The connection takes no more requests.
    Gone,
}

/// What there is of a response.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the driver must handle each")]
pub enum Answer<B> {
    /// Nothing new. If `is_watched` is false, a waker has to be [set](super::Streams::watch).
    Pending {
        /// Whether the task that asked will be woken.
        is_watched: bool,
    },
    /// `100 Continue`: the content may be sent.
    Proceed,
    /// The final head; content follows.
    Head,
    /// The final head and all of the content: the stream is released.
    Whole {
        /// The content, if there is any.
        piece: Option<Piece<B>>,
        /// Memory that was not needed for it.
        spare: Option<B>,
    },
    /// There will be none.
    Failed(StreamError),
}

/// What comes next of the content of a response.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the driver must handle each")]
pub enum Chunk<B> {
    /// Nothing new; as [`Answer::Pending`].
    Pending {
        /// Whether the task that asked will be woken.
        is_watched: bool,
    },
    /// Content.
    Piece(Piece<B>),
    /// The end.
    End,
    /// The content breaks off.
    Failed(StreamError),
}

/// What became of content that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver must handle each")]
pub enum Sent {
    /// So many bytes were taken, and the end of the stream if all were.
    Taken(usize),
    /// None: a window or the output is full. The waker of the stream is woken when there is room.
    Blocked {
        /// Whether the task that asked will be woken.
        is_watched: bool,
    },
    /// The stream takes no more: the server has stopped it, or it has failed.
    Stopped,
}

/// The memory of a stream that was released, to be dropped without the lock.
#[derive(Debug)]
pub struct Released<B> {
    pub(super) _piece: Option<Piece<B>>,
    pub(super) _more: VecDeque<Piece<B>>,
    /// Memory that can be used again.
    pub spare: Option<B>,
}
