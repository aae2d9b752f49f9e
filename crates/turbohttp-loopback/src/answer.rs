//! Answers as bytes: built once, sent often.

use bytes::Bytes;

use crate::head::Framing;
use crate::pattern::pattern;

/// The date of every answer. A real one would cost a clock and make answers differ.
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

pub(crate) const OCTETS: &str = "application/octet-stream";
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The head of an answer; each protocol writes it in its own way.
#[derive(Clone)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    /// With the length of the content, if it is known.
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl ResponseHead {
    pub(crate) fn new(status: u16, content_type: &str, framing: Framing) -> ResponseHead {
        let mut fields = vec![
            ("date", DATE.to_owned()),
            ("server", "turbohttp-loopback".to_owned()),
            ("content-type", content_type.to_owned()),
        ];
        if let Framing::Length(length) = framing {
            fields.push(("content-length", length.to_string()));
        }
        ResponseHead {
            status,
            framing,
            fields,
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> ResponseHead {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// As HTTP/1.1 writes it, its empty line included.
    pub(crate) fn to_http1(&self) -> Vec<u8> {
        let (status, reason) = (self.status, reason(self.status));
        let mut text = format!("HTTP/1.1 {status} {reason}\r\n");
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.framing == Framing::Chunked {
            text.push_str("transfer-encoding: chunked\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// A whole answer, ready to send.
pub(crate) struct Answer {
    pub(crate) head: ResponseHead,
    /// Without framing.
    pub(crate) content: Bytes,
    /// Head and content as HTTP/1.1 writes them.
    pub(crate) http1: Bytes,
    /// Of it, the head.
    pub(crate) http1_head_length: usize,
}

impl Answer {
    /// What `/small` says: six fields and thirteen bytes.
    pub(crate) fn small() -> Answer {
        let head = ResponseHead::new(200, "text/plain", Framing::Length(13))
            .with("cache-control", "no-store")
            .with("x-request-id", "00000000-0000-0000-0000-000000000000");
        Answer::whole(head, b"Hello, world!")
    }

    pub(crate) fn text(status: u16, body: &[u8]) -> Answer {
        Answer::with_type(status, "text/plain", body)
    }

    pub(crate) fn with_type(status: u16, content_type: &str, body: &[u8]) -> Answer {
        let framing = Framing::Length(body.len() as u64);
        Answer::whole(ResponseHead::new(status, content_type, framing), body)
    }

    pub(crate) fn patterned(length: usize) -> Answer {
        Answer::with_type(200, OCTETS, &pattern(length))
    }

    /// `count` chunks of `size` bytes, trailer section included.
    pub(crate) fn chunked(count: usize, size: usize) -> Answer {
        let content = Bytes::from(pattern(count * size));
        let head = ResponseHead::new(200, OCTETS, Framing::Chunked);
        let mut http1 = head.to_http1();
        let http1_head_length = http1.len();
        for chunk in content.chunks(size.max(1)) {
            http1.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            http1.extend_from_slice(chunk);
            http1.extend_from_slice(b"\r\n");
        }
        http1.extend_from_slice(LAST_CHUNK);
        Answer {
            head,
            content,
            http1: http1.into(),
            http1_head_length,
        }
    }

    pub(crate) fn status(code: u16) -> Answer {
        let body = format!("{code} {}\n", reason(code));
        // RFC 9110 §15.3.5, §15.4.5: these have no content, and a 204 no Content-Length.
        let (framing, body) = match code {
            204 | 304 => (Framing::None, ""),
            205 => (Framing::Length(0), ""),
            _ => (Framing::Length(body.len() as u64), body.as_str()),
        };
        let head = ResponseHead::new(code, "text/plain", framing);
        let head = match code {
            300..400 => head.with("location", "/small"),
            _ => head,
        };
        Answer::whole(head, body.as_bytes())
    }

    /// The same answer with `connection: close`.
    pub(crate) fn closing(&self) -> Answer {
        let head = self.head.clone().with("connection", "close");
        let mut http1 = head.to_http1();
        let http1_head_length = http1.len();
        http1.extend_from_slice(&self.http1[self.http1_head_length..]);
        Answer {
            head,
            content: self.content.clone(),
            http1: http1.into(),
            http1_head_length,
        }
    }

    fn whole(head: ResponseHead, body: &[u8]) -> Answer {
        let mut http1 = head.to_http1();
        let http1_head_length = http1.len();
        http1.extend_from_slice(body);
        let http1 = Bytes::from(http1);
        Answer {
            head,
            content: http1.slice(http1_head_length..),
            http1,
            http1_head_length,
        }
    }
}

fn reason(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    // RFC 9112 §4: a client ignores the reason; it may even be empty.
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Other")
}
