//! The URL of a request, in a reusable buffer.
//!
//! # Implementation
//!
//! Nearly every URL that a program sends begins with an origin it has asked before and is plain:
//! lower-case scheme, ASCII host, a path without dot segments. The origin is found by its text in the
//! client's table, the rest is checked byte by byte, and the whole is copied once. All other URLs go
//! through the `url` crate (the WHATWG standard, with IDNA), and its normal form is what goes out. A
//! property test holds the two against each other.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use turbohttp_core::origin::{Origin, Origins, Scheme};

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{URL_BYTES_MAX, URL_KEPT_BYTES_MAX};

mod host;

pub(crate) use host::host_of;
use host::{normal_host, plain_authority, split_zone};

/// What a URL can be given as: text, a [`Url`](url::Url) or an [`http::Uri`].
///
/// Whatever it is, the client reads it by the WHATWG URL standard; what is no absolute http or https URL
/// is refused with [`ErrorKind::Url`](crate::ErrorKind) when the request is sent or built.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no URL",
    label = "give a `&str`, a `String`, a `turbohttp::Url` or an `http::Uri`"
)]
pub trait IntoUrl {
    /// The URL as text; borrowed where it is text already.
    fn as_url(&self) -> Cow<'_, str>;
}

impl IntoUrl for str {
    fn as_url(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl IntoUrl for String {
    fn as_url(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl IntoUrl for Cow<'_, str> {
    fn as_url(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl IntoUrl for url::Url {
    fn as_url(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }
}

impl IntoUrl for Uri {
    fn as_url(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }
}

impl IntoUrl for Origin {
    fn as_url(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }
}

impl<T: IntoUrl + ?Sized> IntoUrl for &T {
    fn as_url(&self) -> Cow<'_, str> {
        T::as_url(self)
    }
}

/// The origin of a URL, or of an origin's text.
///
/// # Errors
///
/// [`ErrorKind::Url`] if `url` is malformed or of another scheme than http and https.
pub(crate) fn origin_of(url: &str) -> Result<Origin> {
    let mut read = RequestUrl::default();
    read.set(url, None)?;
    read.origin
        .ok_or_else(|| url_error(url, "URL has no origin".to_owned()))
}

/// A URL as text in normal form, without userinfo and fragment: its origin, then path and query.
#[derive(Debug, Default)]
pub(crate) struct RequestUrl {
    text: String,
    /// Kept when the URL is reset: often the next request goes to the same origin.
    origin: Option<Origin>,
    /// Invariant: the length of the origin's text, with which `text` begins; 0 without a URL.
    target_start: usize,
    /// Userinfo of the URL as a field value; it never stays in the text.
    credentials: Option<HeaderValue>,
    /// What few URLs have.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default)]
struct Rare {
    /// What the resolver is asked for where that is not the host of the origin: a name with its final
    /// dot, or an address with its zone.
    name: Option<Box<str>>,
    /// Kept for the caller: it is never sent (RFC 9110 section 4.1).
    fragment: Option<Box<str>>,
}

impl RequestUrl {
    /// Reads `input`, replacing what was held; a URL that is refused leaves it as it was.
    ///
    /// The client's `origins` save work; a request without a client has none.
    pub(crate) fn set(&mut self, input: &str, origins: Option<&Origins>) -> Result<()> {
        if input.len() > URL_BYTES_MAX {
            return Err(url_error("", format!("URL exceeds {URL_BYTES_MAX} bytes")));
        }
        match self.set_plain(input, origins) {
            Some(()) => Ok(()),
            None => self.set_any(input, origins),
        }
    }

    /// Goes on to a path of the same origin, as [`plain_path`] gives it.
    pub(crate) fn follow_path(&mut self, path: &str) {
        self.text.truncate(self.target_start);
        self.text.push_str(path);
    }

    /// Goes on to where a redirect leads, whose userinfo is passed over, and says whether that is the same
    /// origin: then its name for the resolver and its credentials stay.
    pub(crate) fn follow(&mut self, next: &url::Url) -> Result<bool> {
        let mut next = next.clone();
        // Neither fails for http and https.
        _ = next.set_username("");
        _ = next.set_password(None);
        let former = self.origin.clone();
        let (rare, credentials) = (self.rare.take(), self.credentials.take());
        self.set(next.as_str(), None)?;
        let is_same = self.origin == former;
        if is_same {
            self.credentials = credentials;
        }
        if let Some(mut rare) = rare {
            if !is_same {
                rare.name = None;
            }
            // A fragment of its own stands in place of the former one (RFC 9110 section 10.2.2).
            if let Some(own) = self.rare.take() {
                rare.fragment = own.fragment.or(rare.fragment);
            }
            self.rare = Some(rare).filter(|rare| rare.name.is_some() || rare.fragment.is_some());
        }
        Ok(is_same)
    }

    /// The URL without userinfo and fragment.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The origin; every request that is sent has one.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref().filter(|_| self.target_start > 0)
    }

    /// Path and query: what stands in the request line (RFC 9112 section 3.2.1).
    pub(crate) fn target(&self) -> &str {
        &self.text[self.target_start..]
    }

    /// The credentials of the URL as the value of an Authorization field.
    pub(crate) fn credentials(&self) -> Option<&HeaderValue> {
        self.credentials.as_ref()
    }

    /// What the resolver is asked for where that is not the host of the origin.
    #[inline]
    pub(crate) fn name(&self) -> Option<&str> {
        self.rare.as_ref()?.name.as_deref()
    }

    /// The fragment, without the number sign.
    pub(crate) fn fragment(&self) -> Option<&str> {
        self.rare.as_ref()?.fragment.as_deref()
    }

    /// Sends this path and query instead of those of the URL, as they are.
    pub(crate) fn set_target(&mut self, target: &str) -> Result<()> {
        if self.target_start + target.len() > URL_BYTES_MAX {
            return Err(url_error("", format!("URL exceeds {URL_BYTES_MAX} bytes")));
        }
        let is_visible = target
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if self.target_start == 0 || !target.starts_with('/') || !is_visible {
            let message = "target is no slash followed by visible ASCII characters other than #";
            return Err(url_error(target, message.to_owned()));
        }
        self.text.truncate(self.target_start);
        self.text.push_str(target);
        Ok(())
    }

    /// Makes this the same as `other`.
    pub(crate) fn copy_from(&mut self, other: &RequestUrl) {
        let RequestUrl {
            text,
            origin,
            target_start,
            credentials,
            rare,
        } = self;
        text.clone_from(&other.text);
        origin.clone_from(&other.origin);
        *target_start = other.target_start;
        credentials.clone_from(&other.credentials);
        rare.clone_from(&other.rare);
    }

    #[inline(always)] // Every request ends with it.
    pub(crate) fn reset(&mut self) {
        let RequestUrl {
            text,
            origin: _,
            target_start,
            credentials,
            rare,
        } = self;
        if rare.is_some() {
            *rare = None;
        }
        text.clear();
        if text.capacity() > URL_KEPT_BYTES_MAX {
            *text = String::new();
        }
        *target_start = 0;
        *credentials = None;
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.text.is_empty()
            && self.target_start == 0
            && self.credentials.is_none()
            && self.rare.is_none()
    }

    /// The plain case, which is its own normal form; `None` leaves it to the `url` crate.
    fn set_plain(&mut self, input: &str, origins: Option<&Origins>) -> Option<()> {
        // The context was used for that origin before: no table is looked up, and no lock is taken.
        if let Some(rest) = self.after_known_origin(input) {
            let target = plain_target(rest)?;
            self.write(target);
            return Some(());
        }
        let (scheme, host_start) = match input.as_bytes() {
            [b'h', b't', b't', b'p', b':', b'/', b'/', ..] => (Scheme::Http, 7),
            [b'h', b't', b't', b'p', b's', b':', b'/', b'/', ..] => (Scheme::Https, 8),
            _ => return None,
        };
        let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#');
        let authority = input.as_bytes()[host_start..].iter().position(is_end);
        let (origin, rest) = match authority {
            Some(length) => input.split_at(host_start + length),
            None => (input, ""),
        };
        let target = plain_target(rest)?;
        let origin = match origins.and_then(|origins| origins.find(origin)) {
            Some(known) => known,
            None => {
                let (host, port) = plain_authority(&origin[host_start..], scheme)?;
                make_origin(origins, scheme, host, port)
            }
        };
        self.origin = Some(origin);
        self.write(target);
        Some(())
    }

    /// What follows the origin of the URL before, if `input` begins with it and the authority ends
    /// there.
    fn after_known_origin<'a>(&self, input: &'a str) -> Option<&'a str> {
        let rest = input.strip_prefix(self.origin.as_ref()?.as_str())?;
        matches!(rest.as_bytes(), [] | [b'/' | b'?' | b'#', ..]).then_some(rest)
    }

    /// Any URL, by the WHATWG standard.
    #[cold]
    fn set_any(&mut self, input: &str, origins: Option<&Origins>) -> Result<()> {
        // The standard would remove them, and read another URL than what is written.
        if let Some(at) = input.find(|character: char| character.is_ascii_control()) {
            let byte = input.as_bytes()[at];
            let message = format!("URL has a control character (0x{byte:02x}) at byte {at}");
            return Err(url_error(input, message));
        }
        let (input, zone) = split_zone(input);
        let mut url = url::Url::parse(&input)
            .map_err(|error| url_error(&input, format!("malformed URL: {error}")))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                let message = format!("scheme {other:?} is not http or https");
                return Err(url_error(&input, message));
            }
        };
        let absolute = url.host_str().unwrap_or_default();
        let host = normal_host(absolute).map_err(|message| url_error(&input, message))?;
        let port = url.port().unwrap_or(scheme.default_port());
        let origin = make_origin(origins, scheme, host, port);
        let name = match zone {
            Some(zone) => Some(format!("{}%{zone}", host.trim_matches(['[', ']']))),
            // A final dot names the same host to limits and servers; of the resolver it asks that no
            // search list is tried (RFC 1034 section 3.1).
            None => (host != absolute).then(|| absolute.to_owned()),
        };
        let credentials = credentials(&url).map_err(|message| url_error(&input, message))?;
        let fragment = url.fragment().map(Box::from);
        url.set_fragment(None);
        self.origin = Some(origin);
        self.write(&url[url::Position::BeforePath..]);
        self.credentials = credentials;
        let name = name.map(String::into_boxed_str);
        if name.is_some() || fragment.is_some() {
            self.rare = Some(Box::new(Rare { name, fragment }));
        }
        Ok(())
    }

    /// Appends `name=value` pairs to the query, in the form coding of the WHATWG URL standard.
    #[cfg(feature = "form")]
    pub(crate) fn append_query(&mut self, pairs: &str) -> Result<()> {
        if pairs.is_empty() || self.target_start == 0 {
            return Ok(());
        }
        // Checked before it is appended: a refused query leaves the URL as it was.
        if self.text.len() + 1 + pairs.len() > URL_BYTES_MAX {
            let message = format!("URL with its query exceeds {URL_BYTES_MAX} bytes");
            return Err(url_error(&self.text, message));
        }
        let separator = match self.target().split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        self.text.push_str(separator);
        self.text.push_str(pairs);
        Ok(())
    }

    /// Writes the URL of this target at the origin that is set.
    fn write(&mut self, target: &str) {
        let RequestUrl {
            text,
            origin,
            target_start,
            credentials,
            rare,
        } = self;
        if rare.is_some() {
            *rare = None;
        }
        let origin = origin.as_ref().map_or("", Origin::as_str);
        // In the memory of the former URL, which is kept up to `URL_KEPT_BYTES_MAX`.
        text.clear();
        text.push_str(origin);
        *target_start = origin.len();
        if !target.starts_with('/') {
            text.push('/');
        }
        text.push_str(target);
        *credentials = None;
    }
}

fn make_origin(origins: Option<&Origins>, scheme: Scheme, host: &str, port: u16) -> Origin {
    match origins {
        Some(origins) => origins.intern(scheme, host, port),
        None => Origin::new(scheme, host, port),
    }
}

/// A reference that is a path and a query alone, and its own normal form.
pub(crate) fn plain_path(reference: &str) -> Option<&str> {
    let is_path = reference.starts_with('/') && !reference.starts_with("//");
    // Room for an origin stays: its text is at most a host and a few bytes.
    let fits = reference.len() < URL_BYTES_MAX / 2;
    plain_target(reference).filter(|_| is_path && fits)
}

/// Path and query if the standard would leave them as they are, and there is no fragment.
fn plain_target(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    // A table look-up per byte settles nearly all of them.
    if bytes
        .iter()
        .all(|byte| matches!(TARGET_BYTES[usize::from(*byte)], TargetByte::Plain))
    {
        return Some(rest);
    }
    let mut previous = b' ';
    for (index, byte) in bytes.iter().enumerate() {
        match TARGET_BYTES[usize::from(*byte)] {
            TargetByte::Plain => {}
            // A dot behind a slash may be a dot segment; so may its coded form.
            TargetByte::Dot if previous == b'/' => return None,
            TargetByte::Dot => {}
            TargetByte::Percent if is_coded_dot(&bytes[index..]) => return None,
            TargetByte::Percent => {}
            // A fragment too: it is kept apart.
            TargetByte::Other => return None,
        }
        previous = *byte;
    }
    Some(rest)
}

fn is_coded_dot(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', b'2', b'e' | b'E', ..])
}

#[derive(Clone, Copy)]
enum TargetByte {
    Plain,
    Dot,
    Percent,
    Other,
}

const TARGET_BYTES: [TargetByte; 256] = {
    let mut table = [TargetByte::Other; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => TargetByte::Plain,
            b'-' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b',' => {
                TargetByte::Plain
            }
            b';' | b'=' | b':' | b'@' | b'/' | b'?' => TargetByte::Plain,
            b'.' => TargetByte::Dot,
            b'%' => TargetByte::Percent,
            _ => TargetByte::Other,
        };
        if byte == 255 {
            break;
        }
        byte += 1;
    }
    table
};

fn credentials(url: &url::Url) -> Result<Option<HeaderValue>, String> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let user = decode(url.username());
    basic(&user, &decode(url.password().unwrap_or_default())).map(Some)
}

/// The value of a Basic Authorization field, marked as sensitive.
///
/// # Errors
///
/// What RFC 7617 section 2 does not permit: a colon in the user name, and control characters.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> Result<HeaderValue, String> {
    if user.contains(&b':') {
        return Err("user name of Basic holds a colon".to_owned());
    }
    if user.iter().chain(password).any(u8::is_ascii_control) {
        return Err("user name or password of Basic holds a control character".to_owned());
    }
    let text = STANDARD.encode([user, b":", password].concat());
    let mut value =
        HeaderValue::try_from(format!("Basic {text}")).expect("base64 is visible ASCII");
    // `http` hides a sensitive value in its Debug output.
    value.set_sensitive(true);
    Ok(value)
}

/// Userinfo and query can be secrets: the message shows the URL without them. Where it is not plain
/// which is which, neither is shown.
#[cold]
fn url_error(input: &str, message: String) -> Error {
    const SHOWN_CHARS_MAX: usize = 200;
    let path_end = input.find(['?', '#']).unwrap_or(input.len());
    let shown: String = match input.rfind('@') {
        // An at sign that was coded by mistake: what stands before it may be a password.
        None if input.contains("%40") => "***".to_owned(),
        Some(at) => {
            let scheme = input.split_once("://").map_or("", |(scheme, _)| scheme);
            let rest = input.get(at..path_end).unwrap_or_default();
            format!("{scheme}://***{rest}")
        }
        None => input[..path_end].to_owned(),
    };
    let shown: String = shown
        .chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    Error::new(ErrorKind::Url, format!("{message} (in \"{shown}\")"))
}

#[cfg(test)]
mod tests;
