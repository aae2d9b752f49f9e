//! Which versions of HTTP are offered, and which is chosen.

use std::fmt;

use turbohttp_core::origin::Origin;

use crate::error::{Error, ErrorKind, Result};

/// Which versions of HTTP are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpVersions {
    /// What the server chooses by ALPN; HTTP/1.1 without TLS.
    #[default]
    Negotiated,
    Http1,
    /// HTTP/2, also without TLS.
    Http2,
}

impl fmt::Display for HttpVersions {
    /// The names that are offered, as ALPN has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpVersions::Negotiated => "h2, http/1.1",
            HttpVersions::Http1 => "http/1.1",
            HttpVersions::Http2 => "h2",
        })
    }
}

/// Whom a TLS session is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsPurpose {
    /// An origin, to which these versions are offered.
    Origin(HttpVersions),
    /// A proxy on the way to an origin, which is spoken to by HTTP/1.1.
    Proxy,
}

impl TlsPurpose {
    pub(crate) fn versions(self) -> HttpVersions {
        match self {
            TlsPurpose::Origin(versions) => versions,
            TlsPurpose::Proxy => HttpVersions::Http1,
        }
    }
}

impl HttpVersions {
    /// What is offered by ALPN, the preferred one first.
    #[cfg(feature = "__tls")]
    pub(crate) fn offered(self) -> &'static [&'static [u8]] {
        match self {
            HttpVersions::Negotiated => &[b"h2", b"http/1.1"],
            HttpVersions::Http1 => &[b"http/1.1"],
            HttpVersions::Http2 => &[b"h2"],
        }
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// What a server has chosen by ALPN (RFC 7301) of what was offered; one without ALPN speaks HTTP/1.1, and
    /// HTTP/2 only where that is known.
    pub(crate) fn chosen(
        alpn: Option<&[u8]>,
        versions: HttpVersions,
        origin: &Origin,
    ) -> Result<Protocol> {
        match alpn {
            None if versions == HttpVersions::Http2 => Ok(Protocol::Http2),
            None => Ok(Protocol::Http1),
            Some(b"http/1.1") if versions != HttpVersions::Http2 => Ok(Protocol::Http1),
            Some(b"h2") if versions != HttpVersions::Http1 => Ok(Protocol::Http2),
            Some(other) => {
                let name = other.escape_ascii();
                let message = format!(
                    "{} chose the protocol \"{name}\", which was not offered ({versions} was)",
                    origin.host()
                );
                Err(Error::new(ErrorKind::Tls, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use turbohttp_core::origin::Scheme;

    use super::*;

    #[test]
    fn protocol_that_was_not_offered_is_refused_by_name() {
        let origin = Origin::new(Scheme::Https, "a.test", 443);
        for alpn in [None, Some(&b"http/1.1"[..])] {
            assert_eq!(
                Protocol::chosen(alpn, HttpVersions::Http1, &origin).unwrap(),
                Protocol::Http1
            );
        }
        let error = Protocol::chosen(Some(b"h2"), HttpVersions::Http1, &origin).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        let message = error.to_string();
        assert!(
            message.contains("\"h2\"") && message.contains("a.test"),
            "{message}"
        );
    }
}
