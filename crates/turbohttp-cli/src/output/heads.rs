//! Heads of responses, as they are shown.

use std::fmt::Write as _;

use turbohttp::{Response, Version};

use super::text;

/// The head of a response, each line behind `< `. [`text::field`] hides some values.
pub(crate) fn response_head(response: &Response) -> String {
    let mut out = format!("< {}\n", status_line(response));
    for (name, value) in response.fields() {
        let _ = writeln!(out, "< {}", text::field(name, value));
    }
    out.push('<');
    out
}

/// The whole head as bytes of HTTP.
pub(crate) fn raw_head(response: &Response) -> Vec<u8> {
    let mut out = status_line(response).into_bytes();
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.fields() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A version as `-w '%{http_version}'` and `--json` have it.
pub(crate) fn version_number(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1",
        _ => "1.1",
    }
}

fn status_line(response: &Response) -> String {
    let status = response.status();
    let version = match response.version() {
        // HTTP/2 has no reasons (RFC 9113 section 8.3.2); the blank is as curl writes it.
        Version::HTTP_2 => return format!("HTTP/2 {} ", status.as_u16()),
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    // The server's own reason is not kept: it means nothing (RFC 9112 section 4).
    match status.canonical_reason() {
        Some(reason) => format!("{version} {} {reason}", status.as_u16()),
        None => format!("{version} {}", status.as_u16()),
    }
}
