//! The bytes of a connection that were read but not yet used.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is read at once, and thereby the longest head and the longest chunk-size line.
pub(crate) const INBOX_BYTES: usize = 64 * 1024;

/// A fixed buffer between the socket and the parsers.
pub(crate) struct Inbox {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            bytes: vec![0; INBOX_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// What was read and not yet consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Marks the first `length` unread bytes as used.
    pub(crate) fn consume(&mut self, length: usize) {
        self.start += length;
        debug_assert!(self.start <= self.end, "only what was read can be consumed");
        if self.start == self.end {
            // The next read begins at the front: a short request touches one page only.
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads once.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when the peer has closed, `OutOfMemory` when the buffer is full of unread
    /// bytes.
    pub(crate) async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.bytes.len() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        match stream.read(&mut self.bytes[self.end..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }
}
