//! Cookies: the trait that a client asks, and the jar of core with a clock, a lock and the public suffix list.

use std::fmt;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::HeaderValue;
use turbohttp_core::cookie::{
    COOKIE_LIFETIME_SECONDS_MAX, Cookie, CookieJar, CookieParts, Refused, Target,
};
use url::Url;

use crate::error::{Error, ErrorKind, Result};

#[cfg(feature = "json")]
mod json;
mod netscape;
#[cfg(test)]
mod tests;

/// The most bytes a file of cookies may have: a full jar takes a fifth of it.
const COOKIE_FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Where a client keeps cookies, and where it asks for them.
///
/// [`Jar`] is the one in memory. Another one may share cookies among machines; it is asked while a request
/// is being made, so it answers from memory.
///
/// ```
/// use turbohttp::{CookieStore, HeaderValue};
///
/// /// Sends the same cookie everywhere, and keeps none.
/// struct Fixed;
///
/// impl CookieStore for Fixed {
///     fn store(&self, _url: &str, _fields: &mut dyn Iterator<Item = &[u8]>) {}
///
///     fn cookies(&self, url: &str) -> Option<HeaderValue> {
///         let mut value = HeaderValue::from_static("lang=en");
///         value.set_sensitive(true);
///         url.starts_with("https:").then_some(value)
///     }
/// }
/// ```
pub trait CookieStore: Send + Sync {
    /// Stores what a response from `url` sets: `fields` are the values of its Set-Cookie fields. A cookie
    /// that may not be set so is passed over.
    fn store(&self, url: &str, fields: &mut dyn Iterator<Item = &[u8]>);

    /// The value of the field Cookie for a request to `url`, marked as sensitive; `None` if there is none.
    fn cookies(&self, url: &str) -> Option<HeaderValue>;
}

impl<S: CookieStore + ?Sized> CookieStore for Arc<S> {
    fn store(&self, url: &str, fields: &mut dyn Iterator<Item = &[u8]>) {
        (**self).store(url, fields);
    }

    fn cookies(&self, url: &str) -> Option<HeaderValue> {
        (**self).cookies(url)
    }
}

/// Cookies in memory, by the rules of browsers (RFC 6265bis section 5).
///
/// - A domain of the public suffix list, which is compiled in, gets no cookies but those of its own host.
/// - `Secure` cookies are set and sent over https, and over http to `localhost`, `127.0.0.1` and `::1`, as
///   curl does it; what comes without https does not replace them. `__Secure-` and `__Host-` hold.
/// - `SameSite` and `HttpOnly` are kept and have no effect: there is no page.
/// - At most 180 cookies of a domain and 3,000 in all, of 4,096 bytes each and for 400 days; those that were
///   used the longest time ago go first. The field Cookie has at most 16 KiB.
///
/// `Debug` shows counts only. The files that it writes hold secrets: only their owner should read them.
///
/// ```
/// use turbohttp::{CookieStore, Jar};
///
/// let jar = Jar::new();
/// jar.insert("https://www.example.com/login", "id=7; Domain=example.com; Path=/; Secure")?;
/// assert_eq!(jar.cookies("https://api.example.com/users").unwrap(), "id=7");
/// assert_eq!(jar.cookies("http://api.example.com/users"), None);
///
/// let mut file = Vec::new();
/// jar.write_netscape(&mut file)?;
/// assert_eq!(Jar::read_netscape(&file[..])?.len(), 1);
/// # Ok::<(), turbohttp::Error>(())
/// ```
#[derive(Default)]
pub struct Jar {
    jar: Mutex<CookieJar>,
}

impl Jar {
    /// A jar without cookies.
    pub fn new() -> Jar {
        Jar::default()
    }

    /// The cookies of a file in the format of Netscape, which curl, wget and browsers' extensions read and
    /// write. Cookies that have expired are left out; of more than a jar keeps, the last ones are kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the line that is no cookie, [`ErrorKind::TooLarge`] if the file exceeds 128
    /// MiB, [`ErrorKind::Io`].
    pub fn read_netscape(reader: impl BufRead) -> Result<Jar> {
        let jar = Jar::new();
        netscape::read(reader, |cookie| jar.keep(cookie))?;
        Ok(jar)
    }

    /// Writes the cookies in the format of Netscape, and returns how many there are. What that format does
    /// not hold is lost: the attribute SameSite, and cookies with a tab in their name or path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Output`] if the writer fails.
    pub fn write_netscape(&self, writer: impl Write) -> Result<usize> {
        netscape::write(writer, &self.to_vec())
    }

    /// The cookies that [`write_json`](Jar::write_json) has written. Cookies that have expired are left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming line and column, or the cookie that is none; [`ErrorKind::TooLarge`] if
    /// the file exceeds 128 MiB, [`ErrorKind::Io`].
    #[cfg(feature = "json")]
    pub fn read_json(reader: impl std::io::Read) -> Result<Jar> {
        let jar = Jar::new();
        json::read(reader, |cookie| jar.keep(cookie))?;
        Ok(jar)
    }

    /// Writes the cookies as JSON, with everything that is known of them; returns how many there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Output`] if the writer fails.
    #[cfg(feature = "json")]
    pub fn write_json(&self, writer: impl Write) -> Result<usize> {
        json::write(writer, &self.to_vec())
    }

    /// Stores one cookie as if a response from `url` had set it: `cookie` is the value of a Set-Cookie field.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Url`] if the URL is none of http or https, [`ErrorKind::Config`] with the reason why the
    /// cookie is refused.
    pub fn insert(&self, url: &str, cookie: &str) -> Result<()> {
        let url = url_of(url).ok_or_else(|| {
            Error::new(
                ErrorKind::Url,
                "a cookie needs the URL of an http or https resource",
            )
        })?;
        let stored = self.store_at(&url, cookie.as_bytes(), now());
        stored.map_err(|refused| Error::new(ErrorKind::Config, refused.to_string()))
    }

    /// The cookies, in the order in which they were set. Those that have expired are left out.
    pub fn to_vec(&self) -> Vec<Cookie> {
        let mut jar = self.lock();
        jar.remove_expired(now());
        jar.iter().cloned().collect()
    }

    /// Puts these cookies in, in place of those of the same name, domain and path.
    pub fn extend(&self, cookies: impl IntoIterator<Item = Cookie>) {
        for cookie in cookies {
            self.lock().insert(cookie, now());
        }
    }

    /// How many cookies there are. Those that have expired since the last change may be among them.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is no cookie.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes every cookie.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn store_at(&self, url: &Url, field: &[u8], now: u64) -> Result<(), Refused> {
        // The URL has a host: `url_of` sees to it.
        let target = target(url).ok_or(Refused::Malformed)?;
        // A domain above the suffix of the host is none of its registrant's, though by a rule with a wildcard
        // it may be no suffix itself.
        let suffix = url.host_str().and_then(psl::suffix_str);
        let is_above = |domain: &str| suffix.is_some_and(|suffix| suffix.len() > domain.len());
        let is_public = |domain: &str| is_public_suffix(domain) || is_above(domain);
        self.lock().store(target, field, now, &is_public)
    }

    fn cookies_at(&self, url: &Url, now: u64) -> Option<HeaderValue> {
        let field = self.lock().field(target(url)?, now)?;
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(field)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Puts in a cookie of a file, whose lifetime is bounded like that of others.
    fn keep(&self, parts: CookieParts<'_>) -> Result<(), Refused> {
        let now = now();
        let latest = now.saturating_add(COOKIE_LIFETIME_SECONDS_MAX);
        let expires = parts.expires.map(|expires| expires.min(latest));
        let parts = CookieParts { expires, ..parts };
        self.lock().insert(Cookie::new(parts)?, now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, CookieJar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CookieStore for Jar {
    fn store(&self, url: &str, fields: &mut dyn Iterator<Item = &[u8]>) {
        let mut fields = fields.peekable();
        if fields.peek().is_none() {
            return;
        }
        if let Some(url) = url_of(url) {
            // Each is taken under the lock of its own: `fields` is foreign code.
            for field in fields {
                let _ = self.store_at(&url, field, now());
            }
        }
    }

    fn cookies(&self, url: &str) -> Option<HeaderValue> {
        if self.is_empty() {
            return None;
        }
        self.cookies_at(&url_of(url)?, now())
    }
}

impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jar").field("cookies", &self.len()).finish()
    }
}

fn url_of(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

fn target(url: &Url) -> Option<Target<'_>> {
    let is_https = url.scheme() == "https";
    Some(Target::new(is_https, url.host_str()?, url.path()))
}

/// Whether `domain` is a suffix of the list, the private ones included, or a single label that the list does
/// not know.
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

/// Seconds since 1970; 0 for a clock that is before that, by which no cookie expires.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
