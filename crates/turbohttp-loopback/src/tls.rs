//! Certificates and TLS configurations for tests: right ones, and wrong ones of each kind.
//!
//! The functions panic where a certificate cannot be made, as for a name that is not ASCII: a test
//! has nothing else to do then.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A certificate authority that lives as long as its test.
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for TestCa {
    fn default() -> Self {
        TestCa::new()
    }
}

impl TestCa {
    /// A new authority, which nobody trusts yet.
    ///
    /// # Panics
    ///
    /// If the system has no randomness.
    pub fn new() -> TestCa {
        let mut params = params(&[]);
        params
            .distinguished_name
            .push(DnType::CommonName, "turbohttp test authority");
        params.extended_key_usages.clear();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("a plain authority");
        TestCa { issuer }
    }

    /// The authority's certificate, for a client to trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A root store that trusts this authority alone.
    ///
    /// # Panics
    ///
    /// Never: the certificate is well-formed.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let der = self.issuer.der().clone();
        roots.add(der).expect("a certificate of our own");
        roots
    }

    /// A certificate for these DNS names and IP addresses, for a server or a client.
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.sign(params(names))
    }

    /// A certificate for these names that expired in 2001.
    pub fn expired_leaf(&self, names: &[&str]) -> Leaf {
        let mut params = params(names);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(params)
    }

    /// A server with a certificate for these names: [`Leaf::server_config`].
    pub fn server_config(&self, names: &[&str]) -> Arc<ServerConfig> {
        self.leaf(names).server_config()
    }

    /// The same, offering these protocols by ALPN: [`Leaf::server_config_with_alpn`].
    pub fn server_config_with_alpn(&self, names: &[&str], protocols: &[&str]) -> Arc<ServerConfig> {
        self.leaf(names).server_config_with_alpn(protocols)
    }

    fn sign(&self, params: CertificateParams) -> Leaf {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a plain leaf");
        Leaf { certificate, key }
    }
}

/// A certificate with its key.
pub struct Leaf {
    certificate: Certificate,
    key: KeyPair,
}

impl Leaf {
    /// A certificate that vouches for itself.
    ///
    /// # Panics
    ///
    /// If a name is neither a DNS name nor an IP address.
    pub fn self_signed(names: &[&str]) -> Leaf {
        let key = key();
        let certificate = params(names).self_signed(&key).expect("a plain leaf");
        Leaf { certificate, key }
    }

    /// The certificate.
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// The private key, as PKCS #8.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The certificate.
    pub fn certificate_der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// The private key.
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// A server that shows this certificate, asks for none, and offers `http/1.1` by ALPN.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server_config_with_alpn(&["http/1.1"])
    }

    /// The same, offering these protocols by ALPN, the one that is preferred first: `h2` and
    /// `http/1.1`, or one of them, or none.
    pub fn server_config_with_alpn(&self, protocols: &[&str]) -> Arc<ServerConfig> {
        self.config(None, protocols)
    }

    /// The same, but a client must show a certificate of `client_ca`: mutual TLS.
    pub fn mutual_server_config(&self, client_ca: &TestCa) -> Arc<ServerConfig> {
        self.config(Some(client_ca), &["http/1.1"])
    }

    fn config(&self, client_ca: Option<&TestCa>, protocols: &[&str]) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match client_ca {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(ca) => {
                let roots = Arc::new(ca.roots());
                let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
                builder
                    .build()
                    .expect("one root and no lists of revoked certificates")
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.certificate_der()], self.key_der())
            .expect("the key belongs to the certificate");
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the system has randomness")
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("DNS names and IP addresses");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}
