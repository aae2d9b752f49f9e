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
    /// Speaks TLS with this configuration.
    #[cfg(feature = "tls")]
    pub tls: Option<std::sync::Arc<rustls::ServerConfig>>,
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
