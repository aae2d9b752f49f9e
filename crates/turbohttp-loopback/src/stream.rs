//! A connection's byte stream, in the clear or over TLS.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A TCP connection, perhaps with TLS on top.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket below.
    fn tcp(&self) -> &TcpStream;

    /// What ALPN chose, `http/1.1` if it chose nothing; `None` in the clear.
    fn negotiated(&self) -> Option<&[u8]>;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn negotiated(&self) -> Option<&[u8]> {
        None
    }
}

#[cfg(feature = "tls")]
impl Stream for tokio_rustls::server::TlsStream<Box<dyn Stream>> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0.tcp()
    }

    fn negotiated(&self) -> Option<&[u8]> {
        Some(self.get_ref().1.alpn_protocol().unwrap_or(b"http/1.1"))
    }
}

/// Lets the server's side of TLS begin.
#[cfg(feature = "tls")]
pub(crate) async fn handshake(
    stream: Box<dyn Stream>,
    config: std::sync::Arc<rustls::ServerConfig>,
) -> std::io::Result<Box<dyn Stream>> {
    let accept = tokio_rustls::TlsAcceptor::from(config).accept(stream);
    Ok(Box::new(Box::pin(accept).await?))
}
