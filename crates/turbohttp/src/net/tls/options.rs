//! The options of TLS.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;

use crate::error::{Error, ErrorKind, Result};

/// Public keys that a client may pin: each is compared in every handshake.
const PINS_MAX: usize = 64;

/// How TLS connections are made and checked.
///
/// By default the platform's roots are trusted and every certificate is checked. Roots are loaded when
/// the first TLS connection is made, so that plain HTTP works without any. With the feature `platform-verifier`
/// certificates are checked by the platform itself where no root is added: by its lists of revoked certificates and
/// the rules of its administrator, where it has such. Each client keeps the sessions
/// that it may resume for itself.
///
/// An https proxy is checked in the same way, but for pins; it gets no client certificate.
#[derive(Clone)]
pub struct Tls {
    pub(super) roots_pem: Vec<Vec<u8>>,
    pub(super) only_these_roots: bool,
    pub(super) identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) accept_any: bool,
    pub(super) min_version: TlsVersion,
    pub(super) max_version: TlsVersion,
    pub(super) hides_name: bool,
    /// As they were given.
    pub(super) pins: Vec<String>,
    pub(super) logs_keys: bool,
    pub(super) forgets_sessions: bool,
    /// A configuration of the user's, in place of all options.
    pub(super) own: Option<Arc<ClientConfig>>,
}

impl Default for Tls {
    fn default() -> Tls {
        Tls {
            roots_pem: Vec::new(),
            only_these_roots: false,
            identity_pem: None,
            accept_any: false,
            min_version: TlsVersion::V1_2,
            max_version: TlsVersion::V1_3,
            hides_name: false,
            pins: Vec::new(),
            logs_keys: false,
            forgets_sessions: false,
            own: None,
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
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
    /// is sent. For tests. What such a client is given by https is not kept in a cache.
    #[must_use]
    pub fn danger_accept_any_certificate(mut self) -> Tls {
        self.accept_any = true;
        self
    }

    /// Speaks no older version than this. Default TLS 1.2.
    #[must_use]
    pub fn min_version(mut self, version: TlsVersion) -> Tls {
        self.min_version = version;
        self
    }

    /// Speaks no newer version than this. Default TLS 1.3.
    #[must_use]
    pub fn max_version(mut self, version: TlsVersion) -> Tls {
        self.max_version = version;
        self
    }

    /// Whether the handshake names the host (RFC 6066 section 3). Default `true`; without the name most
    /// servers of several hosts show the certificate of another.
    #[must_use]
    pub fn sni(mut self, is_sent: bool) -> Tls {
        self.hides_name = !is_sent;
        self
    }

    /// Accepts only servers whose public key has one of these SHA-256 hashes (RFC 7469 section 2.4), given as
    /// curl has it: `sha256//BASE64`, several separated by `;`. The certificate is checked as well, unless
    /// every one is accepted. Of several calls all hashes hold. The error of another key says its hash.
    ///
    /// Text that is no such hash is an error of [`build`](crate::ClientBuilder::build).
    #[must_use]
    pub fn pin_spki(mut self, pins: &str) -> Tls {
        self.pins.push(pins.to_owned());
        self
    }

    /// Writes the secrets of every session to the file that the environment variable SSLKEYLOGFILE names, if
    /// it is set: with them, one who has recorded the traffic reads it. For debugging.
    #[must_use]
    pub fn key_log(mut self) -> Tls {
        self.logs_keys = true;
        self
    }

    /// Whether a further connection to a server resumes the session of a former one (RFC 8446 section 2.2).
    /// Default `true`; [`NetStats::tls_resumed`](crate::NetStats::tls_resumed) counts them.
    #[must_use]
    pub fn resumption(mut self, is_tried: bool) -> Tls {
        self.forgets_sessions = !is_tried;
        self
    }

    /// Takes this configuration of rustls in place of all that the other options say; only
    /// [`resumption`](Tls::resumption) goes together with it. The protocols of ALPN are those of the client,
    /// and so is the store of sessions.
    ///
    /// Further options beside it are an error of [`build`](crate::ClientBuilder::build).
    #[must_use]
    pub fn client_config(mut self, config: ClientConfig) -> Tls {
        self.own = Some(Arc::new(config));
        self
    }

    /// Checks what can be checked without reading a file.
    pub(super) fn check(&self) -> Result<()> {
        if self.min_version > self.max_version {
            let (min, max) = (self.min_version, self.max_version);
            let message = format!("tls: min_version {min:?} is above max_version {max:?}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let is_plain = self.roots_pem.is_empty()
            && !self.only_these_roots
            && self.identity_pem.is_none()
            && !self.accept_any
            && (self.min_version, self.max_version) == (TlsVersion::V1_2, TlsVersion::V1_3)
            && !self.hides_name
            && self.pins.is_empty()
            && !self.logs_keys;
        if self.own.is_some() && !is_plain {
            let message = "tls: client_config takes the place of all other options but resumption";
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.parsed_pins().map(drop)
    }

    /// The hashes, read.
    pub(super) fn parsed_pins(&self) -> Result<Vec<[u8; 32]>> {
        let texts = self.pins.iter().flat_map(|pins| pins.split(';'));
        let texts = texts.map(str::trim).filter(|text| !text.is_empty());
        let mut parsed = Vec::new();
        for text in texts {
            let hash = text.strip_prefix("sha256//");
            let hash = hash.and_then(|hash| STANDARD.decode(hash).ok());
            let hash = hash.and_then(|hash| hash.try_into().ok());
            let refused = || {
                let message = format!("tls: {text:?} is no pin: sha256// and 32 bytes in base64");
                Error::new(ErrorKind::Config, message)
            };
            if parsed.len() == PINS_MAX {
                return Err(Error::config(
                    "tls: pins",
                    &format!("at most {PINS_MAX}"),
                    "more",
                ));
            }
            parsed.push(hash.ok_or_else(refused)?);
        }
        // An empty list would look like a guard and be none.
        if parsed.is_empty() && !self.pins.is_empty() {
            let message = "tls: pin_spki was given no pin: sha256// and 32 bytes in base64";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(parsed)
    }

    /// The same for the handshake with a proxy: certificate and pins are the origin's.
    pub(super) fn for_proxy(&self) -> Tls {
        Tls {
            identity_pem: None,
            pins: Vec::new(),
            ..self.clone()
        }
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
            .field("versions", &(self.min_version..=self.max_version))
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_curl_has_them() {
        let pin = format!("sha256//{}", STANDARD.encode([7; 32]));
        let read = |text: &str| Tls::default().pin_spki(text).parsed_pins();
        assert_eq!(read(&pin).unwrap(), [[7; 32]]);
        assert_eq!(read(&format!("{pin}; {pin};")).unwrap().len(), 2);
        let short = format!("sha256//{}", STANDARD.encode([7; 31]));
        let many = format!("{pin};").repeat(PINS_MAX + 1);
        for wrong in [
            "",
            ";",
            "sha256//",
            "sha1//aaaa",
            &pin[8..],
            &short,
            "/etc/key.pem",
            &many,
        ] {
            assert_eq!(
                read(wrong).unwrap_err().kind(),
                ErrorKind::Config,
                "{wrong}"
            );
        }
    }

    #[test]
    fn options_that_contradict_one_another_are_refused() {
        let tls = Tls::default;
        let turned = tls()
            .min_version(TlsVersion::V1_3)
            .max_version(TlsVersion::V1_2);
        assert_eq!(turned.check().unwrap_err().kind(), ErrorKind::Config);
        assert!(tls().min_version(TlsVersion::V1_3).check().is_ok());
    }
}
