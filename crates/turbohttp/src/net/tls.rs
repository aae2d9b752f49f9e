//! TLS by rustls: which roots are trusted, which certificate is shown, and the handshake.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::HashAlgorithm;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, KeyLogFile, RootCertStore, SupportedCipherSuite};
use tokio::sync::{OnceCell, oneshot};
use tokio_rustls::TlsConnector;

use super::shortage::is_short;
use super::stream::Stream;
use super::versions::{HttpVersions, TlsPurpose};
use crate::error::{Error, ErrorKind, Result};

mod explain;
mod layer;
mod options;
#[cfg(feature = "platform-verifier")]
mod platform;
mod provider;
mod socket;
mod verify;

use layer::{Carrier, Session};
pub use options::{Tls, TlsVersion};
use socket::Tcp;
use verify::{AcceptAny, Pinned};

/// Servers whose TLS sessions one client keeps to resume them.
const TLS_SESSIONS_MAX: usize = 256;

/// The options, and the rustls configurations that the first handshakes make of them.
pub(crate) struct TlsSetup {
    options: Tls,
    /// For origins.
    config: OnceCell<Arc<ClientConfig>>,
    /// For origins to which HTTP/1.1 alone is offered where others are offered HTTP/2.
    http1_config: OnceCell<Arc<ClientConfig>>,
    /// For https proxies.
    proxy_config: OnceCell<Arc<ClientConfig>>,
    handshakes: AtomicU64,
    resumed: AtomicU64,
}

/// A stream with TLS on it.
pub(crate) struct Secured {
    pub(crate) stream: Stream,
    /// What the server has chosen by ALPN (RFC 7301).
    pub(crate) alpn: Option<Vec<u8>>,
    /// Whether the handshake resumed a session.
    pub(crate) resumed: bool,
}

impl TlsSetup {
    /// Checks the options; the platform's roots are read at the first handshake, as they are files.
    pub(crate) fn new(options: Tls) -> Result<TlsSetup> {
        options.check()?;
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
            http1_config: OnceCell::new(),
            proxy_config: OnceCell::new(),
            handshakes: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
        })
    }

    /// Whether certificates are not checked.
    pub(crate) fn accepts_any(&self) -> bool {
        self.options.accept_any
    }

    /// Handshakes that were completed, and those of them that resumed a session.
    pub(crate) fn counts(&self) -> (u64, u64) {
        // The part first: it never is more than the whole.
        let resumed = self.resumed.load(Ordering::Relaxed);
        (
            self.handshakes.load(Ordering::Relaxed).max(resumed),
            resumed,
        )
    }

    /// TLS with `host` on `stream`.
    ///
    /// Cancel safe: dropping the future closes the connection.
    pub(crate) async fn secure(
        &self,
        host: &str,
        stream: Stream,
        purpose: TlsPurpose,
    ) -> Result<Secured> {
        match stream {
            // The session is on the socket itself, which nearly all are.
            Stream::Plain(tcp) => Box::pin(self.handshake(host, Tcp(tcp), purpose)).await,
            other => Box::pin(self.handshake(host, other, purpose)).await,
        }
    }

    async fn handshake<S>(&self, host: &str, stream: S, purpose: TlsPurpose) -> Result<Secured>
    where
        S: Carrier + 'static,
    {
        // Loaded by the first handshake; those that begin meanwhile wait for the same load.
        let config = match purpose {
            TlsPurpose::Proxy => &self.proxy_config,
            TlsPurpose::Origin(HttpVersions::Http1) => &self.http1_config,
            TlsPurpose::Origin(_) => &self.config,
        };
        let load = || {
            let options = match purpose {
                TlsPurpose::Proxy => self.options.for_proxy(),
                TlsPurpose::Origin(_) => self.options.clone(),
            };
            load(options, purpose.versions())
        };
        let config = config.get_or_try_init(load).await?;
        // rustls takes an IPv6 address without the brackets of a URL.
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(name).map_err(|error| {
            Error::new(ErrorKind::Tls, format!("{host} is no name for TLS")).with_source(error)
        })?;
        let handshake = Box::pin(TlsConnector::from(config.clone()).connect(name, stream));
        let stream = handshake.await.map_err(|error| {
            explain::handshake_error(host, self.options.accept_any, purpose.versions(), error)
        })?;
        let (_, session) = stream.get_ref();
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        if resumed {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
        let alpn = session.alpn_protocol().map(<[u8]>::to_vec);
        Ok(Secured {
            stream: Stream::Layered(Box::new(Session::new(stream))),
            alpn,
            resumed,
        })
    }
}

/// Reads roots and keys, on a thread of its own, as the platform's roots are files: the end of a runtime
/// does not wait for it.
async fn load(options: Tls, versions: HttpVersions) -> Result<Arc<ClientConfig>> {
    let (send, loaded) = oneshot::channel();
    let thread = std::thread::Builder::new().name("turbohttp-roots".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "once, and ends when the files are read"
    )]
    let spawned = thread.spawn(move || _ = send.send(build(&options, versions)));
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Runtime, "loading TLS roots").with_source(source)
    };
    spawned.map_err(|error| failed(error.into()))?;
    loaded.await.map_err(|error| failed(error.into()))?
}

fn build(options: &Tls, versions: HttpVersions) -> Result<Arc<ClientConfig>> {
    let mut config = match &options.own {
        Some(own) => ClientConfig::clone(own),
        None => config_of(options)?,
    };
    let offered = versions.offered().iter();
    config.alpn_protocols = offered.map(|name| name.to_vec()).collect();
    // Of this client alone, even where a configuration is shared: a session says who was here before.
    config.resumption = match options.forgets_sessions {
        true => Resumption::disabled(),
        false => Resumption::in_memory_sessions(TLS_SESSIONS_MAX),
    };
    Ok(Arc::new(config))
}

fn config_of(options: &Tls) -> Result<ClientConfig> {
    // Named, and not the process-wide default, which another library may have set.
    let provider = Arc::new(provider::provider());
    let versions: Vec<_> = [
        (TlsVersion::V1_2, &rustls::version::TLS12),
        (TlsVersion::V1_3, &rustls::version::TLS13),
    ]
    .into_iter()
    .filter(|(version, _)| (options.min_version..=options.max_version).contains(version))
    .map(|(_, supported)| supported)
    .collect();
    let verifier = verifier(options, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| config_error("protocol versions", error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
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
    config.enable_sni = !options.hides_name;
    if options.logs_keys {
        config.key_log = Arc::new(KeyLogFile::new());
    }
    Ok(config)
}

/// What checks the certificates of servers.
fn verifier(options: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let inner: Arc<dyn ServerCertVerifier> = match options.accept_any {
        true => {
            let algorithms = provider.signature_verification_algorithms;
            Arc::new(AcceptAny { algorithms })
        }
        #[cfg(feature = "platform-verifier")]
        false if options.roots_pem.is_empty() && !options.only_these_roots => {
            platform::verifier(provider)?
        }
        false => {
            let roots = Arc::new(roots(options)?);
            WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                .build()
                .map_err(|error| config_error("TLS roots", error))?
        }
    };
    let pins = options.parsed_pins()?;
    if pins.is_empty() {
        return Ok(inner);
    }
    // The provider's own: nearly every cipher suite hashes by it.
    let hashes = provider.cipher_suites.iter().map(|suite| match suite {
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
    });
    let mut sha256 = hashes.filter(|hash| hash.algorithm() == HashAlgorithm::SHA256);
    let Some(sha256) = sha256.next() else {
        let message = "tls: the provider has no SHA-256 to check pins by";
        return Err(Error::new(ErrorKind::Config, message));
    };
    Ok(Arc::new(Pinned {
        inner,
        pins,
        sha256,
    }))
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
