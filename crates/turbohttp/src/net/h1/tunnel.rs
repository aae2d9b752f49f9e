//! A connection that has switched to another protocol: its bytes in both directions.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Connection;
use crate::body::buffer::ReadBuffer;

/// The bytes behind the head of a 101. Dropping it closes the connection.
pub(super) struct Tunnel(Box<Connection>);

impl Tunnel {
    pub(super) fn new(mut connection: Box<Connection>) -> Tunnel {
        // The owner says the end by its shutdown; dropped without one, the stream was cut.
        connection.stream.leave_end_unsaid();
        // A slice that was lent as the body of the response has been read.
        let lent = std::mem::take(&mut connection.chunk_consumed);
        connection.input.consume(lent);
        connection.chunk = 0..0;
        let mut tunnel = Tunnel(connection);
        tunnel.release_if_empty();
        tunnel
    }

    /// Gives the memory of an empty read buffer back: the connection may stay for long, and reads past it
    /// from now on.
    fn release_if_empty(&mut self) {
        if self.0.input.is_empty() {
            self.0.input = ReadBuffer::new();
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Connection { stream, input, .. } = &mut *self.0;
        if input.is_empty() {
            return Pin::new(stream).poll_read(cx, buffer);
        }
        // What has arrived with the head comes first.
        let length = input.len().min(buffer.remaining());
        buffer.put_slice(&input.filled()[..length]);
        input.consume(length);
        self.release_if_empty();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Past the sending half of the exchange, which is over.
        self.0.stream.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.stream.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.0.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.stream).poll_shutdown(cx)
    }
}
