//! A file of cookies that loses nothing.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use turbohttp_core::cookie::{Cookie, CookieParts, Refused, SameSite};

use super::COOKIE_FILE_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};

#[derive(Serialize, Deserialize)]
struct File {
    cookies: Vec<Stored>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    name: Text,
    value: Text,
    domain: String,
    path: Text,
    #[serde(default)]
    host_only: bool,
    #[serde(default)]
    secure: bool,
    #[serde(default)]
    http_only: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    same_site: Option<Site>,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

/// Bytes: as text if they are UTF-8, which nearly all are, and as an array of numbers otherwise.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Site {
    None,
    Lax,
    Strict,
}

impl Text {
    fn new(bytes: &[u8]) -> Text {
        match str::from_utf8(bytes) {
            Ok(text) => Text::Text(text.to_owned()),
            Err(_) => Text::Bytes(bytes.to_owned()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Text(text) => text.as_bytes(),
            Text::Bytes(bytes) => bytes,
        }
    }
}

impl Stored {
    fn new(cookie: &Cookie) -> Stored {
        Stored {
            name: Text::new(cookie.name()),
            value: Text::new(cookie.value()),
            domain: cookie.domain().to_owned(),
            path: Text::new(cookie.path()),
            host_only: cookie.is_host_only(),
            secure: cookie.is_secure(),
            http_only: cookie.is_http_only(),
            same_site: match cookie.same_site() {
                SameSite::Default => None,
                SameSite::None => Some(Site::None),
                SameSite::Lax => Some(Site::Lax),
                SameSite::Strict => Some(Site::Strict),
            },
            expires: cookie.expires(),
        }
    }

    fn parts(&self) -> CookieParts<'_> {
        CookieParts {
            name: self.name.as_bytes(),
            value: self.value.as_bytes(),
            domain: &self.domain,
            path: self.path.as_bytes(),
            is_host_only: self.host_only,
            is_secure: self.secure,
            is_http_only: self.http_only,
            same_site: match self.same_site {
                None => SameSite::Default,
                Some(Site::None) => SameSite::None,
                Some(Site::Lax) => SameSite::Lax,
                Some(Site::Strict) => SameSite::Strict,
            },
            expires: self.expires,
        }
    }
}

pub(super) fn read(
    reader: impl Read,
    mut keep: impl FnMut(CookieParts<'_>) -> Result<(), Refused>,
) -> Result<()> {
    let mut text = Vec::new();
    let read = reader
        .take(COOKIE_FILE_BYTES_MAX + 1)
        .read_to_end(&mut text);
    read.map_err(|error| {
        Error::new(ErrorKind::Io, "the cookie file cannot be read").with_source(error)
    })?;
    if text.len() as u64 > COOKIE_FILE_BYTES_MAX {
        let message = format!("the cookie file exceeds {COOKIE_FILE_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    // The error of `serde_json` is not kept as the source: it shows what it found, which may be a secret.
    let file: File = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message =
            format!("the cookie file is not the JSON expected at line {line}, column {column}");
        Error::new(ErrorKind::Config, message)
    })?;
    for (at, stored) in file.cookies.iter().enumerate() {
        keep(stored.parts()).map_err(|reason| {
            let message = format!("entry {at} of the cookie file is no cookie: {reason}");
            Error::new(ErrorKind::Config, message)
        })?;
    }
    Ok(())
}

pub(super) fn write(mut writer: impl Write, cookies: &[Cookie]) -> Result<usize> {
    let file = File {
        cookies: cookies.iter().map(Stored::new).collect(),
    };
    let written = serde_json::to_writer_pretty(&mut writer, &file).map_err(std::io::Error::from);
    let written = written.and_then(|()| writer.write_all(b"\n"));
    written.and_then(|()| writer.flush()).map_err(|error| {
        Error::new(ErrorKind::Output, "the cookie file cannot be written").with_source(error)
    })?;
    Ok(cookies.len())
}
