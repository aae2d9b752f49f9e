//! The read buffer of a connection: rented when bytes are there, given back when none are left.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use turbohttp_core::pool::{BufferPool, PoolBuffer};

use super::stream::Stream;
use crate::limits::{READ_BYTES_MAX, READ_BYTES_MIN};

/// Bytes that have arrived and are not consumed: `buffer[start..end]`.
///
/// Invariant: `start <= end <= buffer.len()`, and only bytes in that range are ever shown; all of them
/// were put there by reads of the exchange that is going on.
pub(crate) struct ReadBuffer {
    buffer: Option<PoolBuffer>,
    start: usize,
    end: usize,
    /// The size of the next buffer: grows while reads fill it, shrinks when responses are small.
    size: usize,
    /// The stream was asked whether it is readable and was not; woken again, it mostly is.
    has_waited: bool,
    /// The most bytes one read gave since the last release.
    largest_read: usize,
}

impl ReadBuffer {
    pub(crate) fn new() -> ReadBuffer {
        ReadBuffer {
            buffer: None,
            start: 0,
            end: 0,
            size: READ_BYTES_MIN,
            has_waited: false,
            largest_read: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn filled(&self) -> &[u8] {
        match &self.buffer {
            Some(buffer) => &buffer[self.start..self.end],
            None => &[],
        }
    }

    pub(crate) fn consume(&mut self, length: usize) {
        debug_assert!(length <= self.len(), "consumed more than there was");
        self.start += length;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads once into the free space; 0 bytes mean the end of the stream.
    ///
    /// A full buffer is replaced by one of twice the size, so the caller bounds what it leaves
    /// unconsumed.
    pub(crate) fn poll_fill(
        &mut self,
        stream: &mut Stream,
        pool: &BufferPool,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.is_none() && !self.has_waited && stream.poll_readable(cx)?.is_pending() {
            self.has_waited = true;
            return Poll::Pending;
        }
        let space = self.space(pool);
        let room = space.len();
        let mut read = ReadBuf::new(space);
        // Not `try_read`: only this notes that a short read has left nothing behind, so that the look at
        // the connection before its next use is no system call.
        let polled = Pin::new(stream).poll_read(cx, &mut read);
        let length = read.filled().len();
        match polled {
            Poll::Pending => {
                // A wait may be long: what is not needed meanwhile goes back.
                if self.is_empty() {
                    self.buffer = None;
                }
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                self.has_waited = false;
                self.end += length;
                self.largest_read = self.largest_read.max(length);
                if length == room {
                    self.size = (self.size * 2).min(READ_BYTES_MAX);
                }
                Poll::Ready(Ok(length))
            }
        }
    }

    /// Gives the buffer back; what was not consumed is gone.
    pub(crate) fn release(&mut self) {
        self.buffer = None;
        (self.start, self.end) = (0, 0);
        if self.largest_read * 4 < self.size {
            self.size = (self.size / 2).max(READ_BYTES_MIN);
        }
        self.largest_read = 0;
        self.has_waited = false;
    }

    /// Free space of at least one byte behind the filled part.
    fn space(&mut self, pool: &BufferPool) -> &mut [u8] {
        let length = self.buffer.as_ref().map_or(0, |buffer| buffer.len());
        let too_small = self.is_empty() && length < self.size;
        if too_small || self.end == length {
            self.make_room(pool, length);
        }
        let end = self.end;
        let buffer = self.buffer.as_mut().expect("room was made");
        &mut buffer[end..]
    }

    fn make_room(&mut self, pool: &BufferPool, length: usize) {
        if self.start > 0 {
            let (start, end) = (self.start, self.end);
            if let Some(buffer) = &mut self.buffer {
                buffer.copy_within(start..end, 0);
            }
            (self.start, self.end) = (0, end - start);
            return;
        }
        let wanted = if self.is_empty() {
            self.size
        } else {
            length * 2
        };
        let mut larger = pool.take(wanted).expect("the size is not zero");
        larger[..self.end].copy_from_slice(self.filled());
        self.buffer = Some(larger);
    }
}
