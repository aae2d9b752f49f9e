//! Writes of one connection of a download: one buffer fills while the other one is being written.

use std::io;
use std::path::Path;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::part::{Block, Sink};
use crate::clock::no_runtime;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::download::WRITE_BYTES;

/// Runs what blocks in the runtime's blocking pool. What has begun goes on there to its end.
#[expect(
    clippy::disallowed_methods,
    reason = "one piece of work, which ends by itself"
)]
pub(super) fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let runtime = Handle::try_current().map_err(|_| no_runtime())?;
    Ok(runtime.spawn_blocking(work))
}

/// The result of [`blocking`]. Dropped, work that has not begun never does: it would make files anew behind the back
/// of the next download to the same path.
pub(super) async fn joined<T>(work: JoinHandle<T>) -> Result<T> {
    let mut work = NoLonger(work);
    (&mut work.0).await.map_err(|error| {
        let message = "the runtime was shut down while a file was being written";
        Error::new(ErrorKind::Runtime, message).with_source(error)
    })
}

struct NoLonger<T>(JoinHandle<T>);

impl<T> Drop for NoLonger<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The error of a file.
pub(super) fn output(path: &Path, error: io::Error) -> Error {
    let message = format!("{} cannot be written", path.display());
    Error::new(ErrorKind::Output, message).with_source(error)
}

/// What has been written: the piece that it is of, where it has pieces, and the number of bytes.
pub(super) struct Written {
    pub(super) piece: Option<usize>,
    pub(super) bytes: u64,
}

/// Writes what one answer brings.
pub(super) struct Writer {
    sink: Sink,
    block: Block,
    /// How much of the piece was there before `block`.
    done: u64,
    pending: Option<Pending>,
    spare: Vec<u8>,
}

struct Pending {
    work: JoinHandle<io::Result<Vec<u8>>>,
    piece: Option<usize>,
    bytes: u64,
}

impl Writer {
    /// Writes from `at` on, in no piece yet.
    pub(super) fn new(sink: Sink, at: u64) -> Writer {
        Writer {
            sink,
            block: Block {
                at,
                bytes: Vec::new(),
                piece: None,
            },
            done: 0,
            pending: None,
            spare: Vec::new(),
        }
    }

    /// Where the next byte goes.
    pub(super) fn at(&self) -> u64 {
        self.block.at + self.block.bytes.len() as u64
    }

    /// Goes on in this piece, of which so much is there.
    pub(super) fn enter(&mut self, piece: usize, done: u64) {
        self.block.piece = Some((piece, done, false));
        self.done = done;
    }

    /// Takes what fits of `bytes` and says how much that is; none if [`flush`](Writer::flush) is due.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let room = WRITE_BYTES - self.block.bytes.len();
        let taken = bytes.len().min(room);
        self.block.bytes.extend_from_slice(&bytes[..taken]);
        taken
    }

    pub(super) fn is_full(&self) -> bool {
        self.block.bytes.len() == WRITE_BYTES
    }

    /// Begins to write what was taken, once the write before it has ended, and says what that one has
    /// written. `ends_piece` if the piece is whole with it.
    pub(super) async fn flush(&mut self, ends_piece: bool) -> Result<io::Result<Option<Written>>> {
        let settled = match self.settle().await? {
            Ok(settled) => settled,
            failed => return Ok(failed),
        };
        // The spare buffer is back from the write that has just ended: two buffers are all that a connection has.
        let next = Block {
            at: self.at(),
            bytes: std::mem::take(&mut self.spare),
            piece: self.block.piece,
        };
        let mut block = std::mem::replace(&mut self.block, next);
        let bytes = block.bytes.len() as u64;
        self.done += bytes;
        let piece = block.piece.map(|(piece, ..)| piece);
        block.piece = piece.map(|piece| (piece, self.done, ends_piece));
        let sink = self.sink.clone();
        let work = blocking(move || {
            sink.write(&block)?;
            block.bytes.clear();
            Ok(block.bytes)
        })?;
        self.pending = Some(Pending { work, piece, bytes });
        Ok(Ok(settled))
    }

    /// Waits for the write under way.
    pub(super) async fn settle(&mut self) -> Result<io::Result<Option<Written>>> {
        let Some(Pending { work, piece, bytes }) = self.pending.take() else {
            return Ok(Ok(None));
        };
        Ok(joined(work).await?.map(|buffer| {
            self.spare = buffer;
            Some(Written { piece, bytes })
        }))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.block.bytes.is_empty()
    }
}
