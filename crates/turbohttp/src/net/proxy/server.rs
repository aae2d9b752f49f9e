//! A proxy: what it speaks, where it is, and what it is shown.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use turbohttp_core::origin::{Origin, Scheme};

use crate::error::{Error, ErrorKind, Result};
use crate::limits::URL_BYTES_MAX;
use crate::url::{basic, host_of};

/// The most bytes that a user name and a password for SOCKS may have each (RFC 1929 section 2).
const SOCKS_WORD_BYTES_MAX: usize = 255;

/// A proxy server: what it speaks, its address and the credentials it is shown. A clone increments a counter.
///
/// # Examples
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// let proxy = turbohttp::ProxyServer::parse("http://user:password@proxy.test:3128")?;
/// assert_eq!(format!("{proxy:?}"), "http://***@proxy.test:3128");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ProxyServer(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    scheme: ProxyScheme,
    /// Host and port, in the form in which they are resolved; its scheme is https if TLS is spoken to it.
    origin: Origin,
    credentials: Option<Credentials>,
}

/// What is spoken to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyScheme {
    Http,
    Https,
    /// SOCKS5, the name of the origin resolved here.
    Socks5,
    /// SOCKS5, the name of the origin resolved by the proxy.
    Socks5h,
}

/// A user name and a password. No `Debug`: they are secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Box<str>,
    pub(crate) password: Box<str>,
    /// Both as the value of Proxy-Authorization.
    basic: HeaderValue,
}

impl ProxyScheme {
    fn of(text: &str) -> Option<ProxyScheme> {
        let schemes = [
            ProxyScheme::Http,
            ProxyScheme::Https,
            ProxyScheme::Socks5,
            ProxyScheme::Socks5h,
        ];
        let mut schemes = schemes.into_iter();
        schemes.find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }

    fn as_str(self) -> &'static str {
        match self {
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
            ProxyScheme::Socks5 => "socks5",
            ProxyScheme::Socks5h => "socks5h",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            ProxyScheme::Http => 80,
            ProxyScheme::Https => 443,
            // RFC 1928 section 3.
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => 1080,
        }
    }

    pub(crate) fn is_socks(self) -> bool {
        matches!(self, ProxyScheme::Socks5 | ProxyScheme::Socks5h)
    }
}

impl ProxyServer {
    /// Reads the URL of a proxy: `http://`, `https://` (TLS is spoken to the proxy), `socks5://` (names are
    /// resolved here) or `socks5h://` (names are resolved by the proxy); without a scheme it is http. The
    /// ports are 80, 443 and 1080 unless it names one. Userinfo are the credentials, percent-encoded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is no such URL, has more than a host and a port, or names SOCKS in a build
    /// without the feature `socks`. The message shows no userinfo.
    pub fn parse(url: &str) -> Result<ProxyServer> {
        let (scheme, rest) = match url.trim().split_once("://") {
            Some((scheme, rest)) => (scheme_of(scheme)?, rest),
            None => (ProxyScheme::Http, url.trim()),
        };
        if rest.len() > URL_BYTES_MAX {
            return Err(refused(&format!("exceeds {URL_BYTES_MAX} bytes")));
        }
        if rest.contains(|character: char| character.is_ascii_control()) {
            return Err(refused("has a control character"));
        }
        let (parsed, port) = read_authority(rest)?;
        if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() {
            return Err(refused(
                "has a path or a query: a proxy is a host and a port",
            ));
        }
        let host =
            host_of(parsed.host_str().unwrap_or_default()).map_err(|message| refused(&message))?;
        let tls = match scheme {
            ProxyScheme::Https => Scheme::Https,
            _ => Scheme::Http,
        };
        let port = port.unwrap_or(scheme.default_port());
        let server = ProxyServer(Arc::new(Parts {
            scheme,
            origin: Origin::new(tls, &host, port),
            credentials: None,
        }));
        if parsed.username().is_empty() && parsed.password().is_none() {
            return Ok(server);
        }
        let decode = |text: &str| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            let decoded = decoded.map_err(|_| refused("has userinfo that is no UTF-8"))?;
            Ok::<_, Error>(decoded.into_owned())
        };
        let password = decode(parsed.password().unwrap_or_default())?;
        server.basic_auth(&decode(parsed.username())?, &password)
    }

    /// The same proxy, shown this user name and password in place of those it was shown before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the scheme cannot carry them: Basic has no colon in the user name and no
    /// control characters (RFC 7617 section 2), SOCKS from 1 to 255 bytes of each (RFC 1929 section 2).
    pub fn basic_auth(&self, user: &str, password: &str) -> Result<ProxyServer> {
        let Parts { scheme, origin, .. } = &*self.0;
        let words = [user.len(), password.len()];
        let is_in_socks = |length: &usize| (1..=SOCKS_WORD_BYTES_MAX).contains(length);
        if scheme.is_socks() && !words.iter().all(is_in_socks) {
            let message = format!(
                "user name and password for {self:?} must be 1..={SOCKS_WORD_BYTES_MAX} bytes each"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let basic = match scheme.is_socks() {
            true => HeaderValue::from_static(""),
            false => basic(user.as_bytes(), password.as_bytes()).map_err(|message| {
                Error::new(
                    ErrorKind::Config,
                    format!("credentials for {self:?}: {message}"),
                )
            })?,
        };
        Ok(ProxyServer(Arc::new(Parts {
            scheme: *scheme,
            origin: origin.clone(),
            credentials: Some(Credentials {
                user: user.into(),
                password: password.into(),
                basic,
            }),
        })))
    }

    pub(crate) fn scheme(&self) -> ProxyScheme {
        self.0.scheme
    }

    /// Host and port.
    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.0.credentials.as_ref()
    }

    /// The value of Proxy-Authorization.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.credentials().map(|credentials| &credentials.basic)
    }

    /// Whether it forwards requests to `origin` itself, in absolute form; if not, it opens a tunnel.
    pub(crate) fn forwards(&self, origin: &Origin) -> bool {
        origin.scheme() == Scheme::Http && !self.0.scheme.is_socks()
    }
}

impl PartialEq for ProxyServer {
    fn eq(&self, other: &ProxyServer) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for ProxyServer {}

impl fmt::Display for ProxyServer {
    /// Scheme, host and port, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { scheme, origin, .. } = &*self.0;
        write!(
            f,
            "{}://{}:{}",
            scheme.as_str(),
            origin.host(),
            origin.port()
        )
    }
}

impl fmt::Debug for ProxyServer {
    /// As `Display`; whether there are credentials is shown, and none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            scheme,
            origin,
            credentials,
        } = &*self.0;
        let userinfo = credentials.as_ref().map_or("", |_| "***@");
        let (scheme, host) = (scheme.as_str(), origin.host());
        write!(f, "{scheme}://{userinfo}{host}:{}", origin.port())
    }
}

fn scheme_of(text: &str) -> Result<ProxyScheme> {
    const SHOWN_BYTES_MAX: usize = 16;
    // What is no scheme may be a part of the userinfo, which is not shown.
    let is_scheme = text.len() <= SHOWN_BYTES_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let scheme = match ProxyScheme::of(text) {
        Some(scheme) => scheme,
        None if is_scheme => {
            let message =
                format!("has the scheme {text:?}, which is none of http, https, socks5, socks5h");
            return Err(refused(&message));
        }
        None => return Err(refused("is malformed before \"://\"")),
    };
    match scheme.is_socks() && !cfg!(feature = "socks") {
        true => Err(refused(
            "names SOCKS, which this build has not (feature \"socks\")",
        )),
        false => Ok(scheme),
    }
}

/// What follows the scheme, and its port, if it names one.
fn read_authority(rest: &str) -> Result<(url::Url, Option<u16>)> {
    let malformed = |error: url::ParseError| refused(&format!("is malformed: {error}"));
    // The standard drops the default port of a scheme; of two schemes it keeps every port in one.
    let parsed = url::Url::parse(&format!("http://{rest}")).map_err(malformed)?;
    let port = match parsed.port() {
        Some(port) => Some(port),
        None => url::Url::parse(&format!("https://{rest}"))
            .map_err(malformed)?
            .port(),
    };
    Ok((parsed, port))
}

#[cold]
fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Config, format!("URL of the proxy {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_with_their_scheme_port_and_userinfo() {
        for (url, read) in [
            ("proxy.test", "http://proxy.test:80"),
            ("proxy.test:3128", "http://proxy.test:3128"),
            ("http://proxy.test:80/", "http://proxy.test:80"),
            ("http://proxy.test:443", "http://proxy.test:443"),
            ("HTTPS://Proxy.Test.", "https://proxy.test:443"),
            ("https://proxy.test:80", "https://proxy.test:80"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            (" http://user:word@proxy.test:1 ", "http://***@proxy.test:1"),
            ("user:wo%40rd@proxy.test", "http://***@proxy.test:80"),
        ] {
            let server = ProxyServer::parse(url).unwrap();
            assert_eq!(format!("{server:?}"), read, "{url}");
        }
        let server = ProxyServer::parse("http://a%20b:c%40d@proxy.test").unwrap();
        let credentials = server.credentials().unwrap();
        assert_eq!((&*credentials.user, &*credentials.password), ("a b", "c@d"));
        assert_eq!(server.authorization().unwrap(), "Basic YSBiOmNAZA==");
        assert!(server.authorization().unwrap().is_sensitive());
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_secrets() {
        for (url, part) in [
            ("", "malformed"),
            ("ftp://canary:canary@proxy.test", "\"ftp\""),
            ("socks4://proxy.test", "socks5h"),
            ("canary:canary://canary@proxy.test", "malformed"),
            ("http://canary:canary@", "malformed"),
            ("http://canary:canary@proxy.test:99999", "malformed"),
            ("http://canary@proxy.test/path", "path"),
            ("http://canary@proxy.test/?canary", "query"),
            ("http://canary\n@proxy.test", "control"),
            ("http://canary%3A:x@proxy.test", "colon"),
            ("http://canary:%0A@proxy.test", "control"),
            ("http://%FF@proxy.test", "UTF-8"),
        ] {
            let error = ProxyServer::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains(part) && !shown.contains("canary"),
                "{url}: {shown}"
            );
        }
    }

    #[test]
    fn equal_proxies_are_equal_wherever_they_were_made() {
        let parse = |url| ProxyServer::parse(url).unwrap();
        assert!(parse("http://a.test") == parse("A.test:80"));
        assert!(parse("http://a.test") != parse("http://a.test:81"));
        assert!(parse("http://u:1@a.test") != parse("http://u:2@a.test"));
        assert!(parse("http://a.test:443") != parse("https://a.test"));
    }

    #[cfg(feature = "socks")]
    #[test]
    fn credentials_for_socks_have_a_length() {
        let server = ProxyServer::parse("socks5://proxy.test").unwrap();
        assert!(server.basic_auth("u", &"x".repeat(255)).is_ok());
        for (user, password) in [("", "p"), ("u", ""), ("u", &"x".repeat(256))] {
            let error = server.basic_auth(user, password).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
        }
        assert!(
            server.basic_auth("a:b", "p").is_ok(),
            "no Basic, no rule about colons"
        );
    }

    #[cfg(not(feature = "socks"))]
    #[test]
    fn build_without_socks_says_so() {
        let error = ProxyServer::parse("socks5://proxy.test").unwrap_err();
        assert!(error.to_string().contains("feature"), "{error}");
    }
}
