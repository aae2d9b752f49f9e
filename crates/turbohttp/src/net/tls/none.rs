//! What takes the place of `tls` in a build without TLS.

use super::stream::Stream;
use super::versions::TlsPurpose;
use crate::error::{Error, ErrorKind, Result};

/// No options.
#[derive(Clone, Default)]
pub(crate) struct Tls {}

/// Refuses every handshake.
pub(crate) struct TlsSetup;

/// What no handshake gives.
pub(crate) struct Secured {
    pub(crate) stream: Stream,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) resumed: bool,
}

impl TlsSetup {
    pub(crate) fn new(_: Tls) -> Result<TlsSetup> {
        Ok(TlsSetup)
    }

    pub(crate) fn accepts_any(&self) -> bool {
        false
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        (0, 0)
    }

    pub(crate) async fn secure(&self, _: &str, _: Stream, _: TlsPurpose) -> Result<Secured> {
        let message = "this build has no TLS (feature \"rustls\" or \"aws-lc-rs\")";
        Err(Error::new(ErrorKind::Tls, message))
    }
}
