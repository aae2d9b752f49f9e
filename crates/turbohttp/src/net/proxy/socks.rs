//! SOCKS5 (RFC 1928, RFC 1929), spoken by `tokio-socks` on our stream.

use std::net::{IpAddr, SocketAddr};

use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;
use turbohttp_core::origin::Origin;

use super::ProxyServer;
use crate::error::{Error, ErrorKind, Result};
use crate::net::stream::Stream;

/// The most bytes that a name may have (RFC 1928 section 5).
const NAME_BYTES_MAX: usize = 255;

/// Asks for a connection to `origin`: to `address`, if it was resolved here.
///
/// Cancel safe: dropping the future closes the connection.
pub(super) async fn open(
    stream: Stream,
    proxy: &ProxyServer,
    origin: &Origin,
    address: Option<SocketAddr>,
) -> Result<Stream> {
    let target = match address.or_else(|| literal(origin)) {
        Some(address) => TargetAddr::Ip(address),
        None if origin.host().len() > NAME_BYTES_MAX => {
            let message =
                format!("host exceeds {NAME_BYTES_MAX} bytes, the most that SOCKS carries");
            return Err(Error::new(ErrorKind::Proxy, message));
        }
        None => TargetAddr::Domain(origin.host().into(), origin.port()),
    };
    // Boxed, as the buffer of the crate lies in its future.
    let opened = match proxy.credentials() {
        None => Box::pin(Socks5Stream::connect_with_socket(stream, target)).await,
        Some(own) => {
            let (user, password) = (&own.user, &own.password);
            let asking =
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password);
            Box::pin(asking).await
        }
    };
    opened.map(Socks5Stream::into_inner).map_err(|error| {
        let message = format!("{proxy} opened no connection");
        Error::new(ErrorKind::Proxy, message).with_source(error)
    })
}

fn literal(origin: &Origin) -> Option<SocketAddr> {
    let host = origin.host().trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = host.parse().ok()?;
    Some(SocketAddr::new(address, origin.port()))
}
