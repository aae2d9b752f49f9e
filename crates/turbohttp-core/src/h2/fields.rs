//! The fields of one field block, as they are decoded: checked, and kept as the text of a head (RFC 9113
//! section 8.2 and 8.3).

use http::{StatusCode, Version};

use super::error::StreamError;
use super::limits::Limits;
use crate::h1::framing::parse_decimal;
use crate::h1::head::{has_controls, is_token};
use crate::head::{FieldSpan, ResponseHead};

/// What the fields of a block say: a head, an interim head or trailers, which only the state of the
/// stream tells.
///
/// A block that is malformed is decoded to its end all the same, as the table of the decoder has to follow
/// (RFC 9113 section 4.3): the first fault is kept.
#[derive(Debug, Default)]
pub(crate) struct FieldSection {
    pub(crate) head: ResponseHead,
    /// The pseudo-field of a response.
    pub(crate) status: Option<StatusCode>,
    pub(crate) content_length: Option<u64>,
    pub(crate) fault: Option<StreamError>,
    /// Bytes of names and values, with 32 for each field (RFC 9113 section 6.5.2).
    list_bytes: usize,
}

/// Fields that are about an HTTP/1.1 connection (RFC 9113 section 8.2.2).
const CONNECTION_FIELDS: [&[u8]; 5] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
];

impl FieldSection {
    /// Makes the section ready for the next block.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.head.reset();
        self.status = None;
        self.content_length = None;
        self.fault = None;
        self.list_bytes = 0;
    }

    /// Takes one decoded field in.
    #[inline]
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8], limits: &Limits) {
        self.list_bytes += name.len() + value.len() + 32;
        if self.fault.is_some() {
            return;
        }
        if let [b':', name @ ..] = name {
            return self.push_pseudo(name, value);
        }
        if self.list_bytes > limits.head.bytes {
            let max = limits.head.bytes;
            return self.fails(StreamError::HeadTooLarge { max });
        }
        if self.head.fields.len() == limits.head.fields {
            let max = limits.head.fields;
            return self.fails(StreamError::TooManyFields { max });
        }
        if !is_name(name) {
            return self.malformed("field name is no token in lower case");
        }
        match name.len() {
            7 | 10 | 16 | 17 if CONNECTION_FIELDS.contains(&name) => {
                return self.malformed("field that belongs to HTTP/1.1 connections");
            }
            14 if name == b"content-length" => self.push_length(value),
            _ => {}
        }
        // White space around a value is no part of it: HTTP/1.1 knows it, and gateways pass it on.
        let value = value.trim_ascii();
        let text = &mut self.head.text;
        let name_start = text.len();
        text.extend_from_slice(name);
        text.extend_from_slice(value);
        let span = FieldSpan::new(name_start, name.len(), name_start + name.len(), value.len());
        self.head.fields.push(span);
    }

    /// Ends the block.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.head.version = Version::HTTP_2;
        if has_controls(&self.head.text) && self.fault.is_none() {
            self.malformed("field value holds a control byte");
        }
    }

    /// Bytes of names and values, with 32 for each field.
    pub(crate) fn list_bytes(&self) -> usize {
        self.list_bytes
    }

    fn push_pseudo(&mut self, name: &[u8], value: &[u8]) {
        if name != b"status" {
            return self.malformed("pseudo-field of no response");
        }
        if !self.head.fields.is_empty() {
            return self.malformed("pseudo-field behind a field");
        }
        if self.status.is_some() {
            return self.malformed(":status twice");
        }
        // Three digits: 101 is refused where the state of the stream is known.
        let status = StatusCode::from_bytes(value).ok();
        match status.filter(|_| value.len() == 3) {
            Some(status) => {
                self.status = Some(status);
                self.head.status = status;
            }
            None => self.malformed(":status is no status code"),
        }
    }

    /// A second length is refused even if it says the same, as in HTTP/1.1.
    fn push_length(&mut self, value: &[u8]) {
        let length = parse_decimal(value.trim_ascii());
        let former = std::mem::replace(&mut self.content_length, length);
        if length.is_none() || former.is_some() {
            self.malformed("content-length is malformed or repeated");
        }
    }

    #[cold]
    fn malformed(&mut self, what: &'static str) {
        self.fails(StreamError::Malformed(what));
    }

    #[cold]
    fn fails(&mut self, error: StreamError) {
        self.fault.get_or_insert(error);
    }
}

/// Whether this is a field name: a token without capital letters (RFC 9113 section 8.2.1).
#[inline]
fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| is_token(*byte) && !byte.is_ascii_uppercase())
}
