//! Cookies as a user agent keeps them (RFC 6265bis section 5): fields and seconds in, fields out, no clock
//! and no list of public suffixes.
//!
//! ```text
//!  Set-Cookie ──> Parsed: name, value, attributes      (parse.rs, date.rs)     section 5.6
//!                    │ what the URL permits
//!                    v
//!                 Cookie ──> CookieJar                 (mod.rs, jar.rs)        section 5.7
//!                               │ domain, path, secure (matching.rs)
//!                               v
//!                            Cookie: name=value; ...   (jar.rs)                section 5.8
//! ```
//!
//! Times are whole seconds since the beginning of 1970 in UTC, leap seconds not counted.

use std::fmt;

mod date;
mod jar;
mod matching;
mod parse;
#[cfg(test)]
mod tests;

pub use jar::CookieJar;
use matching::{default_path, domain_matches, is_ip_address};
use parse::Parsed;

/// Cookies of one domain that a jar keeps, as in Chromium; beyond, those that were used the longest time ago
/// are removed, and among them the ones without `Secure` first.
pub const COOKIES_PER_DOMAIN_MAX: usize = 180;

/// Cookies that a jar keeps in all, as in Chromium; beyond, those that were used the longest time ago are
/// removed.
pub const COOKIES_MAX: usize = 3_000;

/// Bytes of name and value together; a larger cookie is refused (section 5.6).
pub const COOKIE_BYTES_MAX: usize = 4_096;

/// Bytes of the value of an attribute; a larger one is passed over (section 5.6).
pub const COOKIE_ATTRIBUTE_BYTES_MAX: usize = 1_024;

/// Bytes of a host name (RFC 1035 section 2.3.4, with some to spare): a URL with a longer one has no cookies.
pub const COOKIE_HOST_BYTES_MAX: usize = 255;

/// Bytes of the field Cookie: what servers take in one field line by default is at most this. Cookies that
/// do not fit are left out, so that a host cannot make the requests to its parent domain fail.
pub const COOKIE_FIELD_BYTES_MAX: usize = 16 * 1024;

/// For how long a cookie is kept at most, in seconds: 400 days (section 5.5).
pub const COOKIE_LIFETIME_SECONDS_MAX: u64 = 400 * 24 * 60 * 60;

/// What a jar has to know of the URL of a request.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    host: &'a str,
    path: &'a str,
    is_secure: bool,
}

impl<'a> Target<'a> {
    /// The target of a URL in normal form: `host` in lower case, an IPv6 address in brackets or not; `path`
    /// without the query; none is the same as a slash.
    ///
    /// Besides https, the hosts `localhost`, `127.0.0.1` and `::1` count as secure, as they do for curl: what
    /// is sent there does not leave the machine.
    pub fn new(is_https: bool, host: &'a str, path: &'a str) -> Target<'a> {
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        Target {
            host,
            path: if path.is_empty() { "/" } else { path },
            is_secure: is_https || matches!(host, "localhost" | "127.0.0.1" | "::1"),
        }
    }
}

/// The attribute SameSite, which is kept and has no effect here: a client without pages has no site that a
/// request could come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "complete by RFC 6265bis section 5.6.7"
)]
pub enum SameSite {
    /// The attribute was absent, or has a value that is none of the others.
    #[default]
    Default,
    /// `None`.
    None,
    /// `Lax`.
    Lax,
    /// `Strict`.
    Strict,
}

/// One cookie. `Debug` leaves the value out.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    name: Box<[u8]>,
    value: Box<[u8]>,
    domain: Box<str>,
    path: Box<[u8]>,
    is_host_only: bool,
    is_secure: bool,
    is_http_only: bool,
    same_site: SameSite,
    expires: Option<u64>,
}

/// Why a cookie is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It holds a control character other than the tab.
    ControlCharacter,
    /// Name and value have more than [`COOKIE_BYTES_MAX`] bytes.
    TooLarge,
    /// It has neither name nor value.
    Empty,
    /// It may not be set for the domain that it names: the host is not in it.
    ForeignDomain,
    /// Its domain is one under which others register theirs, such as `com` or `github.io`.
    PublicSuffix,
    /// It is `Secure`, and the URL is not of https.
    NotSecure,
    /// Its name begins with `__Secure-` or `__Host-`, and it is not what that says.
    Prefix,
    /// It would take the place of a `Secure` cookie, and the URL is not of https.
    Overlay,
    /// The host is longer than [`COOKIE_HOST_BYTES_MAX`], or the path than
    /// [`COOKIE_ATTRIBUTE_BYTES_MAX`].
    TargetTooLong,
    /// Its domain or path is malformed, which only a cookie can be that came in no field.
    Malformed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::ControlCharacter => f.write_str("the cookie holds a control character"),
            Refused::TooLarge => {
                write!(
                    f,
                    "name and value of the cookie exceed {COOKIE_BYTES_MAX} bytes"
                )
            }
            Refused::Empty => f.write_str("the cookie has neither name nor value"),
            Refused::ForeignDomain => f.write_str("the host is not in the domain of the cookie"),
            Refused::PublicSuffix => f.write_str("the domain of the cookie is a public suffix"),
            Refused::NotSecure => f.write_str("the cookie is Secure and the URL is not of https"),
            Refused::Prefix => f.write_str("the cookie is not what the prefix of its name says"),
            Refused::Overlay => {
                f.write_str("the cookie would replace a Secure one and the URL is not of https")
            }
            Refused::TargetTooLong => f.write_str("the host or path of the cookie is too long"),
            Refused::Malformed => f.write_str("the domain or path of the cookie is malformed"),
        }
    }
}

impl std::error::Error for Refused {}

/// What [`Cookie::new`] makes a cookie of.
#[derive(Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the fields of a stored cookie (section 5.7)"
)]
#[allow(
    missing_debug_implementations,
    reason = "it shows a value that may be a secret"
)]
pub struct CookieParts<'a> {
    /// The name; it may be empty.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The domain in lower case without a dot before it; an IPv6 address without brackets.
    pub domain: &'a str,
    /// The path, which begins with a slash.
    pub path: &'a [u8],
    /// Whether the cookie is sent to the host `domain` alone.
    pub is_host_only: bool,
    /// Whether it is sent over https alone.
    pub is_secure: bool,
    /// Whether scripts of a page must not see it.
    pub is_http_only: bool,
    /// The attribute SameSite.
    pub same_site: SameSite,
    /// When it expires; `None` of a cookie that lasts as long as its jar.
    pub expires: Option<u64>,
}

impl Cookie {
    /// A cookie that comes from elsewhere than a response, such as a file.
    ///
    /// # Errors
    ///
    /// [`Refused`] if no response could have set it, whatever its URL: for a control character, its size, its
    /// domain and path, or the prefix of its name. Public suffixes are not looked at.
    pub fn new(parts: CookieParts<'_>) -> Result<Cookie, Refused> {
        let CookieParts {
            name,
            value,
            domain,
            path,
            ..
        } = parts;
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        if [name, value, path].into_iter().flatten().any(is_control) {
            return Err(Refused::ControlCharacter);
        }
        // What ends a cookie or an attribute cannot be part of one.
        let has_delimiter = [name, value, path]
            .into_iter()
            .flatten()
            .any(|byte| *byte == b';');
        let is_domain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        let is_domain = !domain.is_empty() && domain.bytes().all(is_domain);
        if has_delimiter || name.contains(&b'=') || !is_domain || !path.starts_with(b"/") {
            return Err(Refused::Malformed);
        }
        check_size(name, value)?;
        if domain.len() > COOKIE_HOST_BYTES_MAX || path.len() > COOKIE_ATTRIBUTE_BYTES_MAX {
            return Err(Refused::TargetTooLong);
        }
        let cookie = Cookie {
            name: name.into(),
            value: value.into(),
            domain: domain.into(),
            path: path.into(),
            is_host_only: parts.is_host_only,
            is_secure: parts.is_secure,
            is_http_only: parts.is_http_only,
            same_site: parts.same_site,
            expires: parts.expires,
        };
        // Where a path came from is not known any more.
        match cookie.keeps_its_prefix(true) {
            true => Ok(cookie),
            false => Err(Refused::Prefix),
        }
    }

    /// The cookie that a response from `target` sets with this field value (sections 5.6 and 5.7), as far as
    /// the cookies beside it do not matter.
    fn from_field(
        target: Target<'_>,
        field: &[u8],
        now: u64,
        is_public_suffix: &dyn Fn(&str) -> bool,
    ) -> Result<Cookie, Refused> {
        let Parsed {
            name,
            value,
            attributes,
        } = Parsed::read(field, now)?;
        check_size(name, value)?;
        let domain = permitted_domain(target, attributes.domain, is_public_suffix)?;
        let path = match attributes.path {
            Some(path) => path,
            None => default_path(target.path).as_bytes(),
        };
        if target.host.len() > COOKIE_HOST_BYTES_MAX || path.len() > COOKIE_ATTRIBUTE_BYTES_MAX {
            return Err(Refused::TargetTooLong);
        }
        let cookie = Cookie {
            name: name.into(),
            value: value.into(),
            is_host_only: domain.is_none(),
            domain: domain.unwrap_or_else(|| target.host.to_owned()).into(),
            path: path.into(),
            is_secure: attributes.is_secure,
            is_http_only: attributes.is_http_only,
            same_site: attributes.same_site,
            expires: attributes.expires(),
        };
        if cookie.is_secure && !target.is_secure {
            return Err(Refused::NotSecure);
        }
        match cookie.keeps_its_prefix(attributes.has_path) {
            true => Ok(cookie),
            false => Err(Refused::Prefix),
        }
    }

    /// Whether the cookie is what its name promises (section 5.7, steps 20 to 22): a server that does not see
    /// the attributes relies on it. The letters count in any case, as servers may compare names so.
    fn keeps_its_prefix(&self, has_path: bool) -> bool {
        let begins = |text: &[u8], prefix: &[u8]| {
            let start = text.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        // A cookie without a name is sent as its value, which must not look like a name then.
        let shown = if self.name.is_empty() {
            &self.value
        } else {
            &self.name
        };
        if begins(shown, b"__Secure-") {
            return self.is_secure && !self.name.is_empty();
        }
        if begins(shown, b"__Host-") {
            let is_bound = self.is_secure && self.is_host_only && has_path && *self.path == *b"/";
            return is_bound && !self.name.is_empty();
        }
        true
    }

    /// The name, which may be empty.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The domain, or the host if the cookie is for that alone.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The path.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whether the cookie is sent to the host alone, and not to those below it.
    pub fn is_host_only(&self) -> bool {
        self.is_host_only
    }

    /// Whether the cookie is sent over https alone.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether scripts of a page must not see it, which has no effect here.
    pub fn is_http_only(&self) -> bool {
        self.is_http_only
    }

    /// The attribute SameSite.
    pub fn same_site(&self) -> SameSite {
        self.same_site
    }

    /// When the cookie expires, in seconds since 1970; `None` of one that lasts as long as its jar.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether this and another cookie are the same one in two states (section 5.7, step 23).
    fn is_same_as(&self, other: &Cookie) -> bool {
        self.name == other.name
            && self.domain == other.domain
            && self.is_host_only == other.is_host_only
            && self.path == other.path
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &String::from_utf8_lossy(&self.name))
            .field("domain", &self.domain)
            .field("path", &String::from_utf8_lossy(&self.path))
            .field("is_host_only", &self.is_host_only)
            .field("is_secure", &self.is_secure)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn check_size(name: &[u8], value: &[u8]) -> Result<(), Refused> {
    match name.len() + value.len() {
        0 => Err(Refused::Empty),
        1..=COOKIE_BYTES_MAX => Ok(()),
        _ => Err(Refused::TooLarge),
    }
}

/// The domain that the attribute Domain may give a cookie; `None` if it is for the host alone (section 5.7,
/// steps 8 to 11).
fn permitted_domain(
    target: Target<'_>,
    attribute: Option<&[u8]>,
    is_public_suffix: &dyn Fn(&str) -> bool,
) -> Result<Option<String>, Refused> {
    let domain = attribute.unwrap_or_default();
    let domain = domain.strip_prefix(b".").unwrap_or(domain);
    if domain.is_empty() {
        return Ok(None);
    }
    // Other letters stand in a host as `xn--`, and a domain is compared as it is.
    let domain = str::from_utf8(domain)
        .ok()
        .filter(|domain| domain.is_ascii());
    let domain = domain.ok_or(Refused::ForeignDomain)?.to_ascii_lowercase();
    if !is_ip_address(&domain) && is_public_suffix(&domain) {
        return match domain == target.host {
            true => Ok(None),
            false => Err(Refused::PublicSuffix),
        };
    }
    match domain_matches(target.host, &domain) {
        true => Ok(Some(domain)),
        false => Err(Refused::ForeignDomain),
    }
}
