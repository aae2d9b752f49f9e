//! Answers as bytes: built once, sent often.

use crate::head::Framing;
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
        let head = head(200, "text/plain", Framing::Length(13), fields);
        Answer::whole(head, b"Hello, world!")
    }

    pub(crate) fn text(status: u16, body: &[u8]) -> Answer {
        Answer::with_type(status, "text/plain", body)
    }

    pub(crate) fn with_type(status: u16, content_type: &str, body: &[u8]) -> Answer {
        let framing = Framing::Length(body.len() as u64);
        Answer::whole(head(status, content_type, framing, ""), body)
    }

    pub(crate) fn patterned(length: usize) -> Answer {
        Answer::with_type(200, OCTETS, &pattern(length))
    }

    /// `count` chunks of `size` bytes, trailer section included.
    pub(crate) fn chunked(count: usize, size: usize) -> Answer {
        let content = pattern(count * size);
        let mut framed = Vec::new();
        for chunk in content.chunks(size.max(1)) {
            framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(LAST_CHUNK);
        Answer::whole(head(200, OCTETS, Framing::Chunked, ""), &framed)
    }

    pub(crate) fn status(code: u16) -> Answer {
        let location = match code {
            300..400 => "location: /small\r\n",
            _ => "",
        };
        let body = format!("{code} {}\n", reason(code));
        // RFC 9110 §15.3.5, §15.4.5: these have no content, and a 204 no Content-Length.
        let (framing, body) = match code {
            204 | 304 => (Framing::None, ""),
            205 => (Framing::Length(0), ""),
            _ => (Framing::Length(body.len() as u64), body.as_str()),
        };
        let head = head(code, "text/plain", framing, location);
        Answer::whole(head, body.as_bytes())
    }

    /// The same answer with `connection: close`.
    pub(crate) fn closing(&self) -> Answer {
        let before_empty_line = self.head_length - 2;
        let mut head = self.bytes[..before_empty_line].to_vec();
        head.extend_from_slice(b"connection: close\r\n\r\n");
        Answer::whole(head, &self.bytes[self.head_length..])
    }

    fn whole(head: Vec<u8>, body: &[u8]) -> Answer {
        Answer {
            head_length: head.len(),
            bytes: [&head, body].concat(),
        }
    }
}

pub(crate) const OCTETS: &str = "application/octet-stream";
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A head, its empty line included. `fields` are whole lines.
pub(crate) fn head(status: u16, content_type: &str, framing: Framing, fields: &str) -> Vec<u8> {
    let framing = match framing {
        Framing::Length(length) => format!("content-length: {length}\r\n"),
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::None => String::new(),
    };
    format!(
        "HTTP/1.1 {status} {}\r\ndate: {DATE}\r\nserver: turbohttp-loopback\r\n\
         content-type: {content_type}\r\n{framing}{fields}\r\n",
        reason(status)
    )
    .into_bytes()
}

fn reason(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    // RFC 9112 §4: a client ignores the reason; it may even be empty.
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Other")
}
