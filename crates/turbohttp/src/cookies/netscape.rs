//! The file of cookies that Netscape began with: a line for each, its seven columns between tabs.

use std::io::{BufRead, Read, Write};

use turbohttp_core::cookie::{Cookie, CookieParts, Refused, SameSite};

use super::COOKIE_FILE_BYTES_MAX;
use crate::error::{Error, ErrorKind, Result};

/// What readers know the file by.
const HEADING: &str = "# Netscape HTTP Cookie File\n";

/// What stands before the domain of a cookie that scripts must not see; to other readers it is a comment.
const HTTP_ONLY: &[u8] = b"#HttpOnly_";

/// Bytes of a line: those of the largest cookie, twice.
const LINE_BYTES_MAX: u64 = 16 * 1024;

pub(super) fn read(
    mut reader: impl BufRead,
    mut keep: impl FnMut(CookieParts<'_>) -> Result<(), Refused>,
) -> Result<()> {
    let (mut line, mut number, mut bytes) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let read = reader
            .by_ref()
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut line);
        let read = read.map_err(|error| {
            Error::new(ErrorKind::Io, "the cookie file cannot be read").with_source(error)
        })?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        bytes += read as u64;
        if bytes > COOKIE_FILE_BYTES_MAX {
            let message = format!("the cookie file exceeds {COOKIE_FILE_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if read as u64 > LINE_BYTES_MAX {
            return Err(refused(
                number,
                format!("it exceeds {LINE_BYTES_MAX} bytes"),
            ));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let is_http_only = text.starts_with(HTTP_ONLY);
        let text = text.strip_prefix(HTTP_ONLY).unwrap_or(text);
        if text.trim_ascii().is_empty() || text.starts_with(b"#") {
            continue;
        }
        let columns = "it has no seven columns with a tab between them, the fifth of them a number";
        let mut domain = String::new();
        let parts = cookie(text, is_http_only, &mut domain);
        let parts = parts.ok_or_else(|| refused(number, columns))?;
        keep(parts).map_err(|reason| refused(number, reason))?;
    }
}

/// The cookie of a line. The value may be missing with its tab, as editors remove it at the end of a line.
fn cookie<'a>(
    text: &'a [u8],
    is_http_only: bool,
    domain: &'a mut String,
) -> Option<CookieParts<'a>> {
    let mut columns = text.splitn(7, |byte| *byte == b'\t');
    let [host, has_subdomains, path, is_secure, expires, name] = [(); 6].map(|()| columns.next());
    let host = str::from_utf8(host?).ok()?;
    *domain = host.strip_prefix('.').unwrap_or(host).to_ascii_lowercase();
    let expires: i64 = str::from_utf8(expires?).ok()?.parse().ok()?;
    Some(CookieParts {
        name: name?,
        value: columns.next().unwrap_or_default(),
        domain,
        path: path?,
        is_host_only: !is_true(has_subdomains?)?,
        is_secure: is_true(is_secure?)?,
        is_http_only,
        same_site: SameSite::Default,
        // Cookies that last as long as a session have 0 there, or -1.
        expires: u64::try_from(expires).ok().filter(|expires| *expires > 0),
    })
}

fn is_true(column: &[u8]) -> Option<bool> {
    if column.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else {
        column.eq_ignore_ascii_case(b"false").then_some(false)
    }
}

pub(super) fn write(mut writer: impl Write, cookies: &[Cookie]) -> Result<usize> {
    let mut text = HEADING.as_bytes().to_vec();
    let mut count = 0;
    let failed = |error| {
        Error::new(ErrorKind::Output, "the cookie file cannot be written").with_source(error)
    };
    for cookie in cookies {
        if [cookie.name(), cookie.path()].concat().contains(&b'\t') {
            continue;
        }
        line(&mut text, cookie);
        count += 1;
        writer.write_all(&text).map_err(failed)?;
        text.clear();
    }
    // The heading alone, if there was no cookie.
    writer
        .write_all(&text)
        .and_then(|()| writer.flush())
        .map_err(failed)?;
    Ok(count)
}

fn line(text: &mut Vec<u8>, cookie: &Cookie) {
    let word = |is_true: bool| if is_true { "TRUE" } else { "FALSE" };
    let dot = if cookie.is_host_only() { "" } else { "." };
    if cookie.is_http_only() {
        text.extend_from_slice(HTTP_ONLY);
    }
    let has_subdomains = word(!cookie.is_host_only());
    let before = format!("{dot}{}\t{has_subdomains}\t", cookie.domain());
    text.extend_from_slice(before.as_bytes());
    text.extend_from_slice(cookie.path());
    let (is_secure, expires) = (word(cookie.is_secure()), cookie.expires().unwrap_or(0));
    text.extend_from_slice(format!("\t{is_secure}\t{expires}\t").as_bytes());
    text.extend_from_slice(cookie.name());
    text.push(b'\t');
    text.extend_from_slice(cookie.value());
    text.push(b'\n');
}

/// The line itself is not shown: it may hold a secret.
#[cold]
fn refused(line: u64, reason: impl std::fmt::Display) -> Error {
    let message = format!("line {line} of the cookie file is no cookie: {reason}");
    Error::new(ErrorKind::Config, message)
}
