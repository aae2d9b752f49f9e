//! The check of certificates by the platform, with what it knows beside roots.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;

use crate::error::{Error, ErrorKind, Result};
use crate::net::shortage::descriptor_shortage;

pub(super) fn verifier(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let verifier = rustls_platform_verifier::Verifier::new(provider.clone());
    let verifier = verifier.map_err(|error| {
        let message = "the platform's check of certificates cannot be used";
        Error::new(ErrorKind::Config, message).with_source(error)
    });
    // Where the check reads files, it passes over those that it cannot open: with too few descriptors it would
    // lack their roots for good.
    match descriptor_shortage() {
        Some(error) => Err(Error::new(ErrorKind::Tls, "loading TLS roots").with_source(error)),
        None => Ok(Arc::new(verifier?)),
    }
}
