//! Answers as bytes: built once, sent often.

use std::io::Write;

use crate::pattern::pattern;

/// The date of every answer. A real one would cost a clock and make answers differ.
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A whole answer, ready to send.
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head_length: usize,
}

impl Answer {
    /// What `/small` says: six fields and thirteen bytes.
    pub(crate) fn small() -> Answer {
        let fields =
            "cache-control: no-store\r\nx-request-id: 00000000-0000-0000-0000-000000000000\r\n";
        Answer::whole(
            head(200, "text/plain", Delimiter::Length(13), fields),
            b"Hello, world!",
        )
    }

    pub(crate) fn text(status: u16, body: &[u8]) -> Answer {
        Answer::with_type(status, "text/plain", body)
    }

    pub(crate) fn with_type(status: u16, content_type: &str, body: &[u8]) -> Answer {
        let delimiter = Delimiter::Length(body.len() as u64);
        Answer::whole(head(status, content_type, delimiter, ""), body)
    }

    pub(crate) fn patterned(length: usize) -> Answer {
        let head = head(200, OCTETS, Delimiter::Length(length as u64), "");
        Answer::whole(head, &pattern(length))
    }

    /// `count` chunks of `size` bytes, trailer section included.
    pub(crate) fn chunked(count: usize, size: usize) -> Answer {
        let content = pattern(count * size);
        let mut framed = Vec::new();
        for chunk in content.chunks(size.max(1)) {
            push_chunk_head(&mut framed, chunk.len() as u64);
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(LAST_CHUNK);
        Answer::whole(head(200, OCTETS, Delimiter::Chunked, ""), &framed)
    }

    pub(crate) fn status(code: u16) -> Answer {
        let location = if (300..400).contains(&code) {
            "location: /small\r\n"
        } else {
            ""
        };
        // RFC 9110 §15.3.5, §15.4.5: these have no content, and a 204 no Content-Length.
        let (delimiter, body) = match code {
            204 => (Delimiter::None, String::new()),
            205 => (Delimiter::Length(0), String::new()),
            304 => (Delimiter::None, String::new()),
            _ => {
                let body = format!("{code} {}\n", reason(code));
                (Delimiter::Length(body.len() as u64), body)
            }
        };
        Answer::whole(
            head(code, "text/plain", delimiter, location),
            body.as_bytes(),
        )
    }

    /// The same answer with `connection: close`.
    pub(crate) fn closing(&self) -> Answer {
        let before_empty_line = self.head_length - 2;
        let mut head = self.bytes[..before_empty_line].to_vec();
        head.extend_from_slice(b"connection: close\r\n\r\n");
        Answer::whole(head, &self.bytes[self.head_length..])
    }

    fn whole(head: Vec<u8>, body: &[u8]) -> Answer {
        let head_length = head.len();
        let mut bytes = head;
        bytes.extend_from_slice(body);
        Answer { bytes, head_length }
    }
}

pub(crate) const OCTETS: &str = "application/octet-stream";
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How the content of an answer is delimited.
#[derive(Clone, Copy)]
pub(crate) enum Delimiter {
    Length(u64),
    Chunked,
    /// There is none, or the connection's end delimits it.
    None,
}

/// A head, its empty line included. `fields` are whole lines.
pub(crate) fn head(status: u16, content_type: &str, delimiter: Delimiter, fields: &str) -> Vec<u8> {
    let framing = match delimiter {
        Delimiter::Length(length) => format!("content-length: {length}\r\n"),
        Delimiter::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Delimiter::None => String::new(),
    };
    format!(
        "HTTP/1.1 {status} {}\r\ndate: {DATE}\r\nserver: turbohttp-loopback\r\n\
         content-type: {content_type}\r\n{framing}{fields}\r\n",
        reason(status)
    )
    .into_bytes()
}

pub(crate) fn push_chunk_head(bytes: &mut Vec<u8>, size: u64) {
    write!(bytes, "{size:x}\r\n").expect("writing to memory does not fail");
}

fn reason(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    // RFC 9112 §4: a client ignores the reason; it may even be empty.
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Other")
}
