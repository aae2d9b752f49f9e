//! The fields of one field block, as they are decoded: checked, and kept as the text of a head (RFC 9113
//! section 8.2 and 8.3).

use http::{StatusCode, Version};

use super::error::StreamError;
use super::limits::Limits;
use crate::h1::framing::parse_decimal;
use crate::h1::head::{has_controls, is_token};
use crate::head::{FieldSpan, ResponseHead, eq_ignore_case};

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

impl FieldSection {
    /// Makes the section ready for the next block.
    #[inline]
    pub(crate) fn clear(&mut self) {
        // Mostly it was taken, and a blank one left in its place.
        if !self.head.is_blank() {
            self.head.reset();
        }
        self.status = None;
        self.content_length = None;
        self.fault = None;
        self.list_bytes = 0;
    }

    /// Takes one decoded field in.
    #[inline(always)] // The loop over the fields of every response.
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
            7 | 10 | 16 | 17 if is_about_connection(name) => {
                return self.malformed("field that belongs to HTTP/1.1 connections");
            }
            14 if eq_ignore_case(name, b"content-length") => self.push_length(value),
            _ => {}
        }
        let value = trimmed(value);
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
        let length = parse_decimal(trimmed(value));
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

/// Whether the field is about an HTTP/1.1 connection (RFC 9113 section 8.2.2).
#[inline]
fn is_about_connection(name: &[u8]) -> bool {
    match name.first() {
        Some(b'c') => name == b"connection",
        Some(b'k') => name == b"keep-alive",
        Some(b'p') => name == b"proxy-connection",
        Some(b't') => name == b"transfer-encoding",
        Some(b'u') => name == b"upgrade",
        _ => false,
    }
}

/// White space around a value is no part of it: HTTP/1.1 knows it, and gateways pass it on. CR and LF stay,
/// to be refused.
#[inline]
fn trimmed(value: &[u8]) -> &[u8] {
    match value {
        [first, .., last] if *first > b' ' && *last > b' ' => value,
        _ => trimmed_slowly(value),
    }
}

#[cold]
fn trimmed_slowly(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether this is a field name: a token without capital letters (RFC 9113 section 8.2.1).
#[inline]
fn is_name(name: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        let (words, _) = name.as_chunks::<8>();
        // The last word overlaps the one before it.
        let is_plain = has_letters_only(first)
            && has_letters_only(last)
            && words.iter().skip(1).all(has_letters_only);
        if is_plain {
            return true;
        }
    } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        let [a, b, c, d]: [u8; 4] = *first;
        let [e, f, g, h]: [u8; 4] = *last;
        if has_letters_only(&[a, b, c, d, e, f, g, h]) {
            return true;
        }
    }
    is_unusual_name(name)
}

/// [`is_name`] byte by byte.
fn is_unusual_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| is_token(*byte) && !byte.is_ascii_uppercase())
}

/// Whether eight bytes are small letters and hyphens, of which nearly every name is made: all at once.
#[inline]
fn has_letters_only(word: &[u8; 8]) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let word = u64::from_le_bytes(*word);
    // The high bit of each byte is the answer for it: no sum carries into the next, as the bytes are masked.
    let low = word & each(0x7f);
    let letters = (low + each(0x80 - b'a')) & !(low + each(0x7f - b'z'));
    let hyphens = !((low ^ each(b'-')) + each(0x7f));
    (letters | hyphens) & !word & each(0x80) == each(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_words_as_byte_by_byte() {
        for byte in 0..=u8::MAX {
            for at in 0..10 {
                let mut name = *b"content-ty";
                name[at] = byte;
                // Of every length that holds the byte.
                for end in at + 1..=10 {
                    let name = &name[..end];
                    let expected = is_unusual_name(name);
                    assert_eq!(is_name(name), expected, "{:?}", name.escape_ascii());
                }
            }
        }
        assert!(!is_name(b"") && is_name(b"a") && !is_name(b"A"));
    }
}
