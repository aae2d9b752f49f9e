//! One TLS for all who take rustls: ring, and the root that vouches for the server.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Work;

/// A connection over TLS.
pub(super) type Stream = tokio_rustls::client::TlsStream<TcpStream>;

/// A configuration that trusts this root, and nobody without one. It names no protocol by ALPN, since
/// some clients insist on naming theirs.
pub(crate) fn client_config(root_pem: Option<&str>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = root_pem {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// A connection to the server, without delay.
pub(super) async fn connect_tcp(work: &Work) -> Result<TcpStream> {
    let stream = TcpStream::connect(&work.authority).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The same over TLS. Boxed, as a handshake is large and made once.
pub(super) fn connect_tls(
    work: &Work,
    config: Arc<ClientConfig>,
) -> Pin<Box<dyn Future<Output = Result<Stream>> + '_>> {
    Box::pin(async move {
        let address: SocketAddr = work.authority.parse()?;
        let name = ServerName::IpAddress(address.ip().into());
        let tcp = connect_tcp(work).await?;
        let connecting = TlsConnector::from(config).connect(name, tcp);
        Ok(Box::pin(connecting).await?)
    })
}
