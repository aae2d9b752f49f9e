//! The URL of a request, in a reusable buffer.
//!
//! # Implementation
//!
//! Nearly every URL that a program sends is plain: lower-case scheme, ASCII host, a path without dot
//! segments. Those are checked byte by byte and copied once. All others go through the `url` crate
//! (the WHATWG standard, with IDNA), and its normal form is what goes out. A property test holds the
//! two against each other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use turbohttp_core::origin::Scheme;

use crate::error::{Error, ErrorKind, Result};

/// The most bytes a URL may have.
pub(crate) const URL_BYTES_MAX: usize = 64 * 1024;

/// What the buffer keeps when it is reset, in bytes.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// A URL as text in normal form, without userinfo and fragment, and where its parts are.
#[derive(Debug)]
pub(crate) struct RequestUrl {
    text: String,
    scheme: Scheme,
    host_start: u32,
    host_end: u32,
    target_start: u32,
    port: u16,
    /// Userinfo of the URL as a field value; it never stays in the text.
    credentials: Option<HeaderValue>,
}

impl Default for RequestUrl {
    fn default() -> RequestUrl {
        RequestUrl {
            text: String::new(),
            scheme: Scheme::Http,
            host_start: 0,
            host_end: 0,
            target_start: 0,
            port: 0,
            credentials: None,
        }
    }
}

impl RequestUrl {
    /// Reads `input`, replacing what was held.
    pub(crate) fn set(&mut self, input: &str) -> Result<()> {
        self.reset();
        if input.len() > URL_BYTES_MAX {
            return Err(url_error(
                &input[..0],
                format!("URL exceeds {URL_BYTES_MAX} bytes"),
            ));
        }
        match self.set_plain(input) {
            Some(()) => Ok(()),
            None => {
                self.reset();
                self.set_any(input)
            }
        }
    }

    /// The URL without userinfo and fragment.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case, without a final dot; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.text[self.host_start as usize..self.host_end as usize]
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Path and query: what stands in the request line (RFC 9112 section 3.2.1).
    pub(crate) fn target(&self) -> &str {
        &self.text[self.target_start as usize..]
    }

    /// The credentials of the URL as the value of an Authorization field.
    pub(crate) fn take_credentials(&mut self) -> Option<HeaderValue> {
        self.credentials.take()
    }

    pub(crate) fn reset(&mut self) {
        let RequestUrl {
            text,
            scheme,
            host_start,
            host_end,
            target_start,
            port,
            credentials,
        } = self;
        text.clear();
        if text.capacity() > KEPT_BYTES_MAX {
            *text = String::new();
        }
        *scheme = Scheme::Http;
        (*host_start, *host_end, *target_start, *port) = (0, 0, 0, 0);
        *credentials = None;
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.text.is_empty() && self.credentials.is_none()
    }

    /// The plain case, which is its own normal form; `None` leaves it to the `url` crate.
    fn set_plain(&mut self, input: &str) -> Option<()> {
        let (scheme, host_start) = match input.as_bytes() {
            [b'h', b't', b't', b'p', b':', b'/', b'/', ..] => (Scheme::Http, 7),
            [b'h', b't', b't', b'p', b's', b':', b'/', b'/', ..] => (Scheme::Https, 8),
            _ => return None,
        };
        let rest = &input[host_start..];
        let bytes = rest.as_bytes();
        let host_len = bytes
            .iter()
            .position(|byte| !is_host_byte(*byte))
            .unwrap_or(bytes.len());
        if !is_plain_host(&rest[..host_len]) {
            return None;
        }
        let (port, authority_len) = plain_port(rest, host_len, scheme)?;
        let target = plain_target(&rest[authority_len..])?;

        self.scheme = scheme;
        self.port = port;
        // A URL is bounded far below 4 GiB, so the casts lose nothing.
        self.host_start = host_start as u32;
        self.host_end = (host_start + host_len) as u32;
        self.target_start = (host_start + authority_len) as u32;
        let target_start = host_start + authority_len;
        if target.starts_with('/') {
            self.text.push_str(&input[..target_start + target.len()]);
        } else {
            self.text.push_str(&input[..target_start]);
            self.text.push('/');
            self.text.push_str(target);
        }
        Some(())
    }

    /// Any URL, by the WHATWG standard.
    #[cold]
    fn set_any(&mut self, input: &str) -> Result<()> {
        let url = url::Url::parse(input)
            .map_err(|error| url_error(input, format!("malformed URL: {error}")))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                let message = format!("scheme {other:?} is not http or https");
                return Err(url_error(input, message));
            }
        };
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.is_empty() {
            return Err(url_error(input, "URL has no host".to_owned()));
        }
        self.begin(scheme, host, url.port().unwrap_or(scheme.default_port()));
        self.text.push_str(url.path());
        if let Some(query) = url.query() {
            self.text.push('?');
            self.text.push_str(query);
        }
        self.credentials = credentials(&url);
        Ok(())
    }

    /// Writes everything before the path.
    fn begin(&mut self, scheme: Scheme, host: &str, port: u16) {
        self.scheme = scheme;
        self.port = port;
        self.text.push_str(scheme.as_str());
        self.text.push_str("://");
        self.host_start = self.text.len() as u32;
        self.text.push_str(host);
        self.host_end = self.text.len() as u32;
        if port != scheme.default_port() {
            self.text.push(':');
            self.text.push_str(&port.to_string());
        }
        self.target_start = self.text.len() as u32;
    }
}

/// Lower-case letters, digits, hyphen, underscore and dot: upper case is left to the `url` crate.
fn is_host_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')
}

/// A name that the standard would leave as it is: no IDNA label, no empty label, and a last label
/// that starts with a digit only where the whole is an IPv4 address in its usual form.
fn is_plain_host(host: &str) -> bool {
    const NAME_CHARS_MAX: usize = 253;
    let bytes = host.as_bytes();
    let last_dot = bytes.iter().rposition(|byte| *byte == b'.');
    match bytes.get(last_dot.map_or(0, |dot| dot + 1)) {
        Some(b'0'..=b'9') => is_plain_ipv4(bytes),
        Some(_) => {
            bytes.len() <= NAME_CHARS_MAX
                && bytes[0] != b'.'
                && !host.contains("xn--")
                && !host.contains("..")
        }
        None => false,
    }
}

/// Four decimal numbers below 256 without leading zeros.
fn is_plain_ipv4(host: &[u8]) -> bool {
    let (mut parts, mut number, mut digits) = (1, 0u32, 0);
    for byte in host {
        match byte {
            b'0'..=b'9' if digits == 0 || (number > 0 && digits < 3) => {
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && number < 256 && parts < 4 => {
                (parts, number, digits) = (parts + 1, 0, 0)
            }
            _ => return false,
        }
    }
    parts == 4 && digits > 0 && number < 256
}

/// The port and where the authority ends. The scheme's own port, an empty one and one with leading
/// zeros are no normal form.
fn plain_port(rest: &str, host_len: usize, scheme: Scheme) -> Option<(u16, usize)> {
    let after = &rest.as_bytes()[host_len..];
    if after.first() != Some(&b':') {
        return Some((scheme.default_port(), host_len));
    }
    let digits = after[1..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if !(1..=5).contains(&digits) || after[1] == b'0' {
        return None;
    }
    let port = after[1..=digits]
        .iter()
        .fold(0u32, |port, digit| port * 10 + u32::from(digit - b'0'));
    let port = u16::try_from(port)
        .ok()
        .filter(|port| *port != scheme.default_port())?;
    Some((port, host_len + 1 + digits))
}

/// Path and query if the standard would leave them as they are; the fragment is cut off.
fn plain_target(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    if !matches!(bytes.first(), None | Some(b'/' | b'?' | b'#')) {
        return None;
    }
    let mut previous = b' ';
    for (index, byte) in bytes.iter().enumerate() {
        match TARGET_BYTES[usize::from(*byte)] {
            TargetByte::Plain => {}
            TargetByte::End => return Some(&rest[..index]),
            // A dot behind a slash may be a dot segment; so may its coded form.
            TargetByte::Dot if previous == b'/' => return None,
            TargetByte::Dot => {}
            TargetByte::Percent if is_coded_dot(&bytes[index..]) => return None,
            TargetByte::Percent => {}
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
    End,
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
            b'#' => TargetByte::End,
            _ => TargetByte::Other,
        };
        if byte == 255 {
            break;
        }
        byte += 1;
    }
    table
};

fn credentials(url: &url::Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decode = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    Some(basic(
        &decode(url.username()),
        &decode(url.password().unwrap_or_default()),
    ))
}

/// The value of a Basic Authorization field (RFC 7617), marked as sensitive.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let text = STANDARD.encode([user, b":", password].concat());
    let mut value =
        HeaderValue::try_from(format!("Basic {text}")).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

/// Userinfo is a secret: the message shows the URL without it.
#[cold]
fn url_error(input: &str, message: String) -> Error {
    const SHOWN_CHARS_MAX: usize = 200;
    let shown: String = match input.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://***@{after}")
        }
        None => input.to_owned(),
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
