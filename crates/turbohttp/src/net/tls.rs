//! TLS by rustls: which roots are trusted, which certificate is shown, and the handshake.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OnceCell, oneshot};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::shortage::is_short;
use crate::error::{Error, ErrorKind, Result};

mod explain;

/// How TLS connections are made and checked.
///
/// By default the platform's roots are trusted and every certificate is checked. Roots are loaded when
/// the first TLS connection is made, so that plain HTTP works without any.
#[derive(Clone, Default)]
pub struct Tls {
    roots_pem: Vec<Vec<u8>>,
    only_these_roots: bool,
    identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    accept_any: bool,
}

impl Tls {
    /// Trusts the certificates of this PEM text too.
    #[must_use]
    pub fn root_pem(mut self, pem: impl Into<Vec<u8>>) -> Tls {
        self.roots_pem.push(pem.into());
        self
    }

    /// Trusts only the roots that were added, not the platform's.
    #[must_use]
    pub fn only_added_roots(mut self) -> Tls {
        self.only_these_roots = true;
        self
    }

    /// Shows this certificate chain to servers that ask for one; chain and key as PEM text.
    #[must_use]
    pub fn client_certificate_pem(
        mut self,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Tls {
        self.identity_pem = Some((chain.into(), key.into()));
        self
    }

    /// Accepts any certificate, so that anything between here and the server can read and change all that
    /// is sent. For tests.
    #[must_use]
    pub fn danger_accept_any_certificate(mut self) -> Tls {
        self.accept_any = true;
        self
    }
}

impl fmt::Debug for Tls {
    /// The key is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots_added", &self.roots_pem.len())
            .field("only_added_roots", &self.only_these_roots)
            .field("client_certificate", &self.identity_pem.is_some())
            .field("accept_any", &self.accept_any)
            .finish()
    }
}

/// The options, and the rustls configuration that the first handshake makes of them.
pub(crate) struct TlsSetup {
    options: Tls,
    config: OnceCell<Arc<ClientConfig>>,
}

impl TlsSetup {
    /// Checks the PEM texts; the platform's roots are read at the first handshake, as they are files.
    pub(crate) fn new(options: Tls) -> Result<TlsSetup> {
        for pem in &options.roots_pem {
            certificates(pem, "added root")?;
        }
        if let Some((chain, key)) = &options.identity_pem {
            certificates(chain, "client certificate")?;
            private_key(key)?;
        }
        Ok(TlsSetup {
            options,
            config: OnceCell::new(),
        })
    }

    /// A TLS session with `host` on `stream`.
    ///
    /// Cancel safe: dropping the future closes the connection.
    pub(crate) async fn handshake<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Loaded by the first handshake; those that begin meanwhile wait for the same load.
        let config = self
            .config
            .get_or_try_init(|| load(self.options.clone()))
            .await?;
        // rustls takes an IPv6 address without the brackets of a URL.
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(name).map_err(|error| {
            Error::new(ErrorKind::Tls, format!("{host} is no name for TLS")).with_source(error)
        })?;
        let handshake = Box::pin(TlsConnector::from(config.clone()).connect(name, stream));
        handshake
            .await
            .map_err(|error| explain::handshake_error(host, self.options.accept_any, error))
    }
}

/// Reads roots and keys, on a thread of its own, as the platform's roots are files: the end of a runtime
/// does not wait for it.
async fn load(options: Tls) -> Result<Arc<ClientConfig>> {
    let (send, loaded) = oneshot::channel();
    let thread = std::thread::Builder::new().name("turbohttp-roots".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "once, and ends when the files are read"
    )]
    let spawned = thread.spawn(move || _ = send.send(build(&options)));
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Runtime, "loading TLS roots").with_source(source)
    };
    spawned.map_err(|error| failed(error.into()))?;
    loaded.await.map_err(|error| failed(error.into()))?
}

fn build(options: &Tls) -> Result<Arc<ClientConfig>> {
    // Named, and not the process-wide default, which another library may have set.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| config_error("protocol versions", error))?;
    let builder = if options.accept_any {
        let verifier = Arc::new(AcceptAny { algorithms });
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
    } else {
        builder.with_root_certificates(roots(options)?)
    };
    let mut config = match &options.identity_pem {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain, "client certificate")?;
            let key = private_key(key)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| config_error("client certificate", error))?
        }
    };
    // HTTP/2 joins the list when there is a connection that speaks it: what is offered must be spoken.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(options: &Tls) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if !options.only_these_roots {
        let loaded = rustls_native_certs::load_native_certs();
        // What a shortage of descriptors has kept from being read would be missing for good.
        if let Some(error) = loaded.errors.into_iter().find_map(shortage) {
            return Err(Error::new(ErrorKind::Tls, "loading TLS roots").with_source(error));
        }
        // A platform root that cannot be parsed is skipped: those of others may still be used.
        store.add_parsable_certificates(loaded.certs);
    }
    for pem in &options.roots_pem {
        for certificate in certificates(pem, "added root")? {
            store
                .add(certificate)
                .map_err(|error| config_error("added root", error))?;
        }
    }
    if store.is_empty() {
        let message = "no TLS roots: the platform has none, and none was added";
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(store)
}

fn shortage(error: rustls_native_certs::Error) -> Option<io::Error> {
    match error.kind {
        rustls_native_certs::ErrorKind::Io { inner, .. } => Some(inner).filter(is_short),
        _ => None,
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let parsed: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let parsed = parsed.map_err(|error| config_error(what, error))?;
    if parsed.is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            format!("{what}: no certificate in the PEM text"),
        ));
    }
    Ok(parsed)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| config_error("key of the client certificate", error))
}

#[cold]
fn config_error(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Config, format!("{what} cannot be used")).with_source(source)
}

/// Accepts every certificate; the signatures of the handshake are still checked, so the server must own
/// the key of the certificate it shows.
#[derive(Debug)]
struct AcceptAny {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
