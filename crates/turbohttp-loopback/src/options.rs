//! What a server can be told.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::stream::Stream;

/// How a [`Server`](crate::Server) behaves. The default is a fast and faultless server on a free
/// port of 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. Port 0 takes a free one.
    pub address: SocketAddr,
    /// How long every answer waits: the slow origin.
    pub base_delay: Duration,
    /// Whether some requests fail.
    pub fail: Option<Fail>,
    /// The core to pin the server's thread to. Ignored where the system cannot, and by
    /// [`serve()`](crate::serve()), whose thread is the caller's.
    pub core: Option<usize>,
    /// Speaks TLS with this configuration. Its ALPN protocols are what the server offers.
    #[cfg(feature = "tls")]
    pub tls: Option<std::sync::Arc<rustls::ServerConfig>>,
    /// Which protocols a connection may speak.
    #[cfg(feature = "h2")]
    pub protocols: Protocols,
    /// What a connection of HTTP/2 announces, and how it ends.
    #[cfg(feature = "h2")]
    pub http2: Http2,
}

/// Which protocols a connection may speak.
#[cfg(feature = "h2")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocols {
    /// In the clear, HTTP/2 if the connection begins with its preface (prior knowledge, RFC 9113
    /// §3.3), else HTTP/1.1; over TLS what ALPN chose, HTTP/1.1 if it chose nothing.
    #[default]
    Any,
    /// HTTP/1.1 alone, whatever ALPN chose. The preface of HTTP/2 is answered with 400.
    Http1,
    /// HTTP/2 alone, whatever ALPN chose. What is not its preface ends the connection.
    Http2,
}

/// What a connection of HTTP/2 announces, and how it ends. `None` leaves a setting out, so that the
/// default of RFC 9113 §6.5.2 is in force.
#[cfg(feature = "h2")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Http2 {
    /// SETTINGS_MAX_CONCURRENT_STREAMS. A stream beyond it is refused with REFUSED_STREAM.
    pub max_concurrent_streams: Option<u32>,
    /// SETTINGS_INITIAL_WINDOW_SIZE: how many bytes of content a stream may send ahead.
    pub stream_window_bytes: Option<u32>,
    /// How many bytes of content all streams together may send ahead, by a WINDOW_UPDATE.
    pub connection_window_bytes: Option<u32>,
    /// SETTINGS_MAX_FRAME_SIZE: how long a frame may be that the server receives, from 16,384 to
    /// 16,777,215 bytes.
    pub frame_bytes_max: Option<u32>,
    /// SETTINGS_HEADER_TABLE_SIZE: how large the table may be that the client compresses by.
    pub header_table_bytes: Option<u32>,
    /// SETTINGS_MAX_HEADER_LIST_SIZE.
    pub header_list_bytes_max: Option<u32>,
    /// Content is credited to the client not when it is read but when the window of its stream is
    /// exhausted. The window of the connection must then be as large as those of all streams together,
    /// or uploads can wait for each other.
    pub credits_at_exhaustion: bool,
    /// The connection ends after this many requests, in order: GOAWAY, then the answers that are
    /// still due.
    pub goaway_after: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            base_delay: Duration::ZERO,
            fail: None,
            core: None,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "h2")]
            protocols: Protocols::Any,
            #[cfg(feature = "h2")]
            http2: Http2::default(),
        }
    }
}

impl Options {
    pub(crate) fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "https";
        }
        "http"
    }

    /// Makes ready a connection that was accepted.
    pub(crate) async fn open(&self, tcp: TcpStream) -> io::Result<Box<dyn Stream>> {
        tcp.set_nodelay(true)?;
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            return crate::stream::handshake(Box::new(tcp), config.clone()).await;
        }
        Ok(Box::new(tcp))
    }
}

/// Which requests fail, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fail {
    /// Every `every`-th request fails, counted over all connections; 0 is never, 1 is always.
    pub every: u64,
    /// What happens to it.
    pub with: FailWith,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailWith {
    /// It is answered with 503 (Service Unavailable).
    Status503,
    /// Its connection is closed without an answer.
    Drop,
}
