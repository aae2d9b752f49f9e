//! Where a redirect leads: the field Location, and the URL that it stands for.

use http::header::LOCATION;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::URL_BYTES_MAX;
use crate::response::Response;

/// The value of Location; `None` where there is none, or an empty one.
pub(super) fn location(response: &Response) -> Result<Option<String>> {
    let mut found: Option<&[u8]> = None;
    for value in response.header_values(LOCATION.as_str()) {
        // Two parties on the way could follow two of them (as response splitting makes them).
        if found.is_some_and(|former| former != value) {
            let message = "redirect has two Location fields that differ";
            return Err(Error::new(ErrorKind::Redirect, message));
        }
        found = Some(value);
    }
    let value = found.unwrap_or_default().trim_ascii();
    if value.len() > URL_BYTES_MAX {
        let length = value.len();
        let message = format!("Location of {length} bytes exceeds {URL_BYTES_MAX}");
        return Err(Error::new(ErrorKind::Redirect, message));
    }
    if let Some(at) = value.iter().position(u8::is_ascii_control) {
        let message = format!("Location has a control character (0x{:02x})", value[at]);
        return Err(Error::new(ErrorKind::Redirect, message));
    }
    Ok((!value.is_empty()).then(|| text_of(value)))
}

/// The bytes as text; where they are no UTF-8, those beyond ASCII in percent-coding.
fn text_of(value: &[u8]) -> String {
    match str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().fold(String::new(), |mut text, byte| {
            match byte.is_ascii() {
                true => text.push(char::from(*byte)),
                false => text.push_str(&format!("%{byte:02X}")),
            }
            text
        }),
    }
}

/// The target of a redirect, resolved against the URL that was asked (RFC 9110 section 10.2.2).
pub(super) fn resolve(base: &str, location: &str) -> Result<Url, String> {
    let url = Url::parse(base)
        .and_then(|base| base.join(location))
        .map_err(|error| format!("Location is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        other => {
            const SHOWN_BYTES_MAX: usize = 32;
            // A scheme is ASCII, and as long as the peer likes.
            let shown = other.get(..SHOWN_BYTES_MAX).unwrap_or(other);
            Err(format!(
                "redirect to scheme {shown:?}, which is not http or https"
            ))
        }
    }
}

/// Where the next hop goes.
pub(super) enum Target {
    /// A path of the same origin in normal form, which most redirects lead to.
    Path(String),
    Url(Box<Url>),
}

impl Target {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Target::Path(path) => path,
            Target::Url(url) => url.as_str(),
        }
    }

    pub(super) fn is_downgrade(&self, from: &str) -> bool {
        match self {
            Target::Path(_) => false,
            Target::Url(url) => from.starts_with("https:") && url.scheme() == "http",
        }
    }
}
