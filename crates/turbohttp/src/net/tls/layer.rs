//! A TLS session as a layer of a connection's stream.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::net::stream::{Bottom, Layer, Socket};

/// What a session goes over.
pub(super) trait Carrier: Bottom + AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: Bottom + AsyncRead + AsyncWrite + Send + Sync + Unpin> Carrier for S {}

/// A session after its handshake. Dropped, it says `close_notify`, which tells its server that nothing was cut off
/// (RFC 8446 section 6.1), if the socket takes that at once.
pub(super) struct Session<S: Carrier> {
    stream: TlsStream<S>,
    says_end: bool,
}

impl<S: Carrier> Session<S> {
    pub(super) fn new(stream: TlsStream<S>) -> Session<S> {
        let says_end = true;
        Session { stream, says_end }
    }
}

impl<S: Carrier> Drop for Session<S> {
    fn drop(&mut self) {
        if !self.says_end {
            return;
        }
        let cx = &mut TaskContext::from_waker(Waker::noop());
        let shutdown = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx));
        // Once, outside the budget of the task, and whatever becomes of it: nobody waits for it.
        _ = pin!(unconstrained(shutdown)).poll(cx);
    }
}

impl<S: Carrier> Layer for Session<S> {
    fn is_idle_so_far(&mut self, cx: &mut TaskContext<'_>) -> bool {
        if !self.is_ahead_of_socket() && is_silent(&self.socket()) {
            return true;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let read = poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
        // Outside the task's budget: used up, it reports Pending whatever the session holds.
        pin!(unconstrained(read)).poll(cx).is_pending()
    }

    fn carries_tls(&self) -> bool {
        true
    }

    fn leave_end_unsaid(&mut self) {
        self.says_end = false;
    }
}

impl<S: Carrier> Bottom for Session<S> {
    fn socket(&self) -> Socket<'_> {
        self.stream.get_ref().0.socket()
    }

    fn is_ahead_of_socket(&self) -> bool {
        let (below, session) = self.stream.get_ref();
        // It wants bytes only when none of those it has decrypted is left, nor the peer's close_notify.
        !session.wants_read() || below.is_ahead_of_socket()
    }
}

impl<S: Carrier> AsyncRead for Session<S> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: Carrier> AsyncWrite for Session<S> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Whether the reactor has reported nothing since the last read. Without a system call.
fn is_silent(socket: &Socket<'_>) -> bool {
    let readable = || Ok(());
    let event = match socket {
        Socket::Tcp(tcp) => tcp.try_io(Interest::READABLE, readable),
        #[cfg(unix)]
        Socket::Unix(unix) => unix.try_io(Interest::READABLE, readable),
    };
    event.is_err()
}
