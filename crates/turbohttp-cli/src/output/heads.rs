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

fn status_line(response: &Response) -> String {
    let version = if response.version() == Version::HTTP_10 {
        "HTTP/1.0"
    } else {
        "HTTP/1.1"
    };
    let status = response.status();
    // The server's own reason is not kept: it means nothing (RFC 9112 section 4).
    match status.canonical_reason() {
        Some(reason) => format!("{version} {} {reason}", status.as_u16()),
        None => format!("{version} {}", status.as_u16()),
    }
}
