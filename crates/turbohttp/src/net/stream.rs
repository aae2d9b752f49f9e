//! A connection's byte stream: plain or TLS, as one type.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[cfg(feature = "rustls")]
type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

pub(crate) enum Stream {
    Plain(TcpStream),
    /// Boxed: the state of a TLS session is large, and plain connections should not carry it.
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Waits until a read can find something, where that can be told without a buffer: so that a
    /// connection that waits for its response holds none.
    pub(crate) fn poll_readable(&self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(tcp) => tcp.poll_read_ready(cx),
            // Decrypted bytes may wait inside the session while the socket is silent.
            #[cfg(feature = "rustls")]
            Stream::Tls(_) => Poll::Ready(Ok(())),
        }
    }

    /// Whether nothing has happened on an idle connection: no byte, no end, no error.
    ///
    /// A plain socket answers from what the reactor has seen, without a system call. TLS records
    /// that are no data (session tickets) are taken in and do not count.
    #[cfg_attr(
        not(feature = "rustls"),
        expect(unused_variables, reason = "plain needs none")
    )]
    pub(crate) fn is_quiet(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut byte = [0];
        match self {
            Stream::Plain(tcp) => {
                let read = tcp.try_read(&mut byte);
                read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => Pin::new(tls)
                .poll_read(cx, &mut ReadBuf::new(&mut byte))
                .is_pending(),
        }
    }

    /// Whether the session needs a flush after its last write.
    #[cfg_attr(
        not(feature = "rustls"),
        expect(unused_variables, reason = "plain needs none")
    )]
    pub(crate) fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
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
            #[cfg(feature = "rustls")]
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}
