//! The HTTP/2 client codec (RFC 9113): one connection, many requests, without a socket.
//!
//! ```text
//!   requests ──open, send──> Streams.out ──take_output──> the task writes
//!      ^                         │ credit, acknowledgements      │
//!      └──answer, read── Streams <──deliver── Batch <──receive── the task reads
//! ```
//!
//! [`Receiver`] makes events of bytes and belongs to the task of the connection. [`Streams`] is what the
//! requests and the task share, behind one lock ([`SharedStreams`]).
//!
//! Credit of the connection goes back when bytes arrive, credit of a stream when they are read: nothing that
//! happens to a stream can lose the connection's credit, and a reader that is slow stops its own stream only.
//! Memory stays bounded, as the windows of all streams together never pass that of the connection.

mod budget;
mod control;
mod deliver;
mod error;
mod fields;
mod frame;
pub mod hpack;
mod keep_alive;
mod limits;
mod line;
mod outcome;
mod output;
mod probe;
mod receive;
mod send;
mod settings;
mod shared;
mod stream;
mod streams;
mod upload;
mod wakes;
mod window;

pub use deliver::Delivered;
pub use error::{ConnectionEnd, ConnectionError, ErrorCode, StreamError};
pub use frame::{FRAME_BYTES_MAX, FRAME_HEAD_BYTES, PREFACE};
pub use limits::{
    Limits, OUT_BYTES_MAX, PROBE_WAIT_MS, RECEIVE_BYTES, STREAM_WINDOW, STREAM_WINDOW_MAX,
    STREAM_WINDOW_MIN, STREAMS_BEFORE_SETTINGS, STREAMS_MAX,
};
pub use outcome::{Answer, Chunk, Opened, Released, Sent, Ticket};
pub use receive::{BATCH_FRAMES_MAX, Batch, Receiver};
pub use send::Request;
pub use shared::SharedStreams;
pub use stream::{Piece, StreamKey};
pub use streams::Streams;
pub use wakes::Wakes;

#[cfg(test)]
mod tests;
