//! Asking a proxy for a tunnel: CONNECT (RFC 9110 section 9.3.6), or SOCKS.

use std::net::SocketAddr;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turbohttp_core::h1::{Exchange, HeadLimits, HeadStep, ParseError};
use turbohttp_core::head::ResponseHead;
use turbohttp_core::origin::Origin;

use super::ProxyServer;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{PROXY_INTERIM_MAX, PROXY_READ_BYTES};
use crate::net::stream::Stream;

/// Asks the proxy at the other end of `stream` for a tunnel to `origin`. `address` is where the origin is,
/// if that was resolved here.
///
/// Cancel safe: dropping the future closes the connection.
pub(crate) async fn open_tunnel(
    stream: Stream,
    proxy: &ProxyServer,
    origin: &Origin,
    address: Option<SocketAddr>,
    limits: HeadLimits,
) -> Result<Stream> {
    #[cfg(feature = "socks")]
    if proxy.scheme().is_socks() {
        return super::socks::open(stream, proxy, origin, address).await;
    }
    // An HTTP proxy resolves the name itself.
    _ = address;
    connect(stream, proxy, origin, limits).await
}

async fn connect(
    mut stream: Stream,
    proxy: &ProxyServer,
    origin: &Origin,
    limits: HeadLimits,
) -> Result<Stream> {
    let failed = |error: std::io::Error| {
        let message = format!("{proxy} failed while it was asked for a tunnel");
        Error::new(ErrorKind::Proxy, message).with_source(error)
    };
    stream
        .write_all(&request(proxy, origin))
        .await
        .map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    // The answer has no body if it is a success, whatever its fields say: as to HEAD.
    let mut exchange = Exchange::new(true, false, limits);
    let (mut head, mut input, mut interims) = (ResponseHead::default(), Vec::new(), 0);
    loop {
        match exchange.receive_head(&input, &mut head) {
            Ok(HeadStep::NeedMore) => {
                input.reserve(PROXY_READ_BYTES);
                if stream.read_buf(&mut input).await.map_err(failed)? == 0 {
                    let cut = exchange.end_of_stream_in_head(input.len());
                    return Err(no_answer(proxy, cut));
                }
            }
            Ok(HeadStep::Interim { consumed, .. }) => {
                interims += 1;
                if interims > PROXY_INTERIM_MAX {
                    let message =
                        format!("{proxy} sent more than {PROXY_INTERIM_MAX} interim answers");
                    return Err(Error::new(ErrorKind::Proxy, message));
                }
                input.drain(..consumed);
                head.reset();
            }
            Ok(HeadStep::Final { consumed }) => {
                check_status(proxy, head.status())?;
                if input.len() > consumed {
                    // What speaks first behind it is no TLS server, and the bytes may be the proxy's.
                    let surplus = input.len() - consumed;
                    let message =
                        format!("{proxy} sent {surplus} bytes behind its answer to CONNECT");
                    return Err(Error::new(ErrorKind::Proxy, message));
                }
                return Ok(stream);
            }
            Err(error) => return Err(no_answer(proxy, error)),
        }
    }
}

/// The request for a tunnel, with host and port as its target (RFC 9112 section 3.2.3).
fn request(proxy: &ProxyServer, origin: &Origin) -> Vec<u8> {
    let (host, port) = (origin.host(), origin.port());
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n").into_bytes();
    if let Some(value) = proxy.authorization() {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

fn check_status(proxy: &ProxyServer, status: StatusCode) -> Result<()> {
    let advice = match status {
        _ if status.is_success() => return Ok(()),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED if proxy.credentials().is_some() => {
            ": it does not accept the credentials"
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => ": it wants credentials (basic_auth)",
        _ => "",
    };
    let message = format!("{proxy} answered {status} to CONNECT{advice}");
    Err(Error::new(ErrorKind::Proxy, message).with_status(status))
}

#[cold]
fn no_answer(proxy: &ProxyServer, error: ParseError) -> Error {
    let message = format!("{proxy} gave no answer to CONNECT: {error}");
    Error::new(ErrorKind::Proxy, message)
}
