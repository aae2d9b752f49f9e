//! A connection's byte stream: TCP, TLS or whatever it is layered of, as one type, and reading it into a
//! rented buffer.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use socket2::SockRef;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::tcp;
use crate::body::buffer::{ReadBuffer, ReadPool, SpareBuffer};

/// How long TLS records that the socket has may take to reach the session.
const RECORD_WAIT: Duration = Duration::from_millis(100);

/// Two variants, so that what the plain case costs is one comparison.
pub(crate) enum Stream {
    Plain(TcpStream),
    /// Boxed: the state of a TLS session is large, and plain connections should not carry it.
    Layered(Box<dyn Layer>),
}

/// What is more than TCP, or other than it: TLS, TLS inside of TLS as through an https proxy, a Unix socket.
pub(crate) trait Layer: Bottom + AsyncRead + AsyncWrite + Send + Sync + Unpin {
    /// As [`Stream::is_idle_so_far`].
    fn is_idle_so_far(&mut self, cx: &mut TaskContext<'_>) -> bool;

    /// Whether bytes on the socket need not be data.
    fn carries_tls(&self) -> bool;

    /// The drop does not say that this is the end: it may be in the middle of what another protocol says.
    fn leave_end_unsaid(&mut self) {}
}

/// What has a socket below all its layers.
pub(crate) trait Bottom {
    fn socket(&self) -> Socket<'_>;

    /// Whether a read may find something, or fail, while the socket is silent.
    fn is_ahead_of_socket(&self) -> bool;
}

/// The socket below all layers.
pub(crate) enum Socket<'a> {
    Tcp(&'a TcpStream),
    #[cfg(unix)]
    Unix(&'a UnixStream),
}

/// What a look at an idle connection found.
pub(crate) enum Peeked {
    Nothing,
    /// Bytes that a TLS session may take in without giving data.
    Records,
    /// Data, an end or an error.
    Something,
}

impl Stream {
    /// As [`Layer::leave_end_unsaid`].
    #[cold]
    pub(crate) fn leave_end_unsaid(&mut self) {
        if let Stream::Layered(layered) = self {
            layered.leave_end_unsaid();
        }
    }

    /// Reads once into the free space of `input`; 0 bytes mean the end of the stream.
    ///
    /// The first read of an exchange waits without a buffer, where that can be told: a connection that
    /// waits for its response holds none.
    #[inline]
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut TaskContext<'_>,
        input: &mut ReadBuffer,
        pool: &ReadPool,
        spare: &mut SpareBuffer,
    ) -> Poll<io::Result<usize>> {
        // Once: woken again, the stream mostly has something, and the read itself says so for less.
        if input.is_unrented() && !input.was_awaited && self.poll_readable(cx)?.is_pending() {
            input.was_awaited = true;
            return Poll::Pending;
        }
        let space = input.space(pool, spare);
        let room = space.len();
        let mut read = ReadBuf::new(space);
        // Not `try_read`: only this notes that a short read has left nothing behind, so that the look at
        // the connection before its next use is no system call.
        let polled = Pin::new(self).poll_read(cx, &mut read);
        let length = read.filled().len();
        match polled {
            Poll::Pending => {
                input.release_if_empty(spare);
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                input.fill(length, room);
                Poll::Ready(Ok(length))
            }
        }
    }

    /// Whether the reactor has reported an event since the last read; if not, the task is woken by the next
    /// one. Without a system call.
    pub(crate) fn poll_event(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.socket().poll_readable(cx).map(drop)
    }

    /// Waits until a read can find something, where that can be told without a buffer.
    fn poll_readable(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(tcp) => tcp.poll_read_ready(cx),
            Stream::Layered(layered) => layered::poll_readable(&**layered, cx),
        }
    }

    /// Whether nothing has happened on an idle connection, as far as the reactor has reported: no byte,
    /// no end, no error. Without a system call on a plain socket.
    ///
    /// TLS records that are no data (session tickets) are taken in and do not count.
    #[inline]
    pub(crate) fn is_idle_so_far(&mut self, cx: &mut TaskContext<'_>) -> bool {
        match self {
            Stream::Plain(tcp) => {
                // `try_read` asks the system only if the reactor has reported an event.
                let read = tcp.try_read(&mut [0]);
                read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Stream::Layered(layered) => layered.is_idle_so_far(cx),
        }
    }

    /// What has happened on an idle connection, asking the system: the reactor reports an event only
    /// when it was polled since, and on a current-thread runtime that is when no task is ready.
    pub(crate) fn peek(&self) -> Peeked {
        let mut byte = [MaybeUninit::uninit()];
        let socket = self.socket();
        match socket.reference().peek(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Peeked::Nothing,
            Ok(1..) if self.carries_tls() => Peeked::Records,
            _ => Peeked::Something,
        }
    }

    /// Takes in the TLS records that have arrived, and says whether they were no data and no end.
    ///
    /// Cancel safe.
    pub(crate) async fn drain_tls(&mut self) -> bool {
        loop {
            match self.peek() {
                Peeked::Nothing => return true,
                Peeked::Something => return false,
                // The session reads only what the reactor has reported, so that is waited for first.
                Peeked::Records => {
                    let readable = poll_fn(|cx| self.poll_event(cx));
                    let known = tokio::time::timeout(RECORD_WAIT, readable).await;
                    if known.is_err() || !poll_fn(|cx| Poll::Ready(self.is_idle_so_far(cx))).await {
                        return false;
                    }
                }
            }
        }
    }

    fn carries_tls(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Layered(layered) => layered.carries_tls(),
        }
    }

    /// Whether the session needs a flush after its last write.
    pub(crate) fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Layered(layered) => layered::poll_flush(layered, cx),
        }
    }

    /// Writes what the socket takes at once; `None` if it takes nothing now, or this cannot be told.
    ///
    /// It takes nothing from the task's budget: for the first write of a request only, whose task goes
    /// on to wait for the response.
    pub(crate) fn write_now(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        match self {
            Stream::Plain(tcp) => match tcp.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                written => Some(written),
            },
            Stream::Layered(_) => None,
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Layered(layered) => layered::poll_write(layered, cx, bytes),
        }
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(tcp) => tcp::poll_write_vectored(tcp, cx, slices),
            Stream::Layered(layered) => layered::poll_write_vectored(layered, cx, slices),
        }
    }
}

#[cfg(unix)]
impl Layer for UnixStream {
    fn is_idle_so_far(&mut self, _cx: &mut TaskContext<'_>) -> bool {
        let read = self.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn carries_tls(&self) -> bool {
        false
    }
}

impl Bottom for TcpStream {
    fn socket(&self) -> Socket<'_> {
        Socket::Tcp(self)
    }

    fn is_ahead_of_socket(&self) -> bool {
        false
    }
}

#[cfg(unix)]
impl Bottom for UnixStream {
    fn socket(&self) -> Socket<'_> {
        Socket::Unix(self)
    }

    fn is_ahead_of_socket(&self) -> bool {
        false
    }
}

impl Bottom for Stream {
    fn socket(&self) -> Socket<'_> {
        match self {
            Stream::Plain(tcp) => Socket::Tcp(tcp),
            Stream::Layered(layered) => layered.socket(),
        }
    }

    fn is_ahead_of_socket(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Layered(layered) => layered.is_ahead_of_socket(),
        }
    }
}

/// What a layered stream does, out of line: the functions of plain connections keep their values in registers.
mod layered {
    use super::{AsyncRead, AsyncWrite, IoSlice, Layer, Pin, Poll, ReadBuf, TaskContext, io};

    #[inline(never)]
    pub(super) fn poll_readable(
        layered: &dyn Layer,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        match layered.is_ahead_of_socket() {
            true => Poll::Ready(Ok(())),
            false => layered.socket().poll_readable(cx),
        }
    }

    #[inline(never)]
    pub(super) fn poll_read(
        layered: &mut Box<dyn Layer>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(layered).poll_read(cx, buffer)
    }

    #[inline(never)]
    pub(super) fn poll_write(
        layered: &mut Box<dyn Layer>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(layered).poll_write(cx, bytes)
    }

    #[inline(never)]
    pub(super) fn poll_write_vectored(
        layered: &mut Box<dyn Layer>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(layered).poll_write_vectored(cx, slices)
    }

    #[inline(never)]
    pub(super) fn poll_flush(
        layered: &mut Box<dyn Layer>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(layered).poll_flush(cx)
    }
}

impl Socket<'_> {
    fn poll_readable(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(tcp) => tcp.poll_read_ready(cx),
            #[cfg(unix)]
            Socket::Unix(unix) => unix.poll_read_ready(cx),
        }
    }

    fn reference(&self) -> SockRef<'_> {
        match self {
            Socket::Tcp(tcp) => SockRef::from(*tcp),
            #[cfg(unix)]
            Socket::Unix(unix) => SockRef::from(*unix),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Stream::Layered(layered) => layered::poll_read(layered, cx, buffer),
        }
    }
}

/// For what is spoken before there is a connection: TLS inside of the stream, and proxies.
impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Layered(layered) => Pin::new(layered).poll_shutdown(cx),
        }
    }
}
