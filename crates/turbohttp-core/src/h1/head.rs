//! Response heads: finding the end, then parsing once.
//!
//! # Implementation
//!
//! Nearly every head is whole in the first read: httparse is asked at once, and if it finds a whole
//! head, that is it. Otherwise the end of the head is searched for, going on where the search stopped,
//! and the head is parsed again only when it is whole: a server that dribbles single bytes costs linear
//! work, and the result cannot depend on how the bytes were cut.
//!
//! The text is copied into the response's own buffer, obsolete line folding is blanked there (RFC 9112
//! section 5.2), and the fields are kept as spans of it.

use std::mem::MaybeUninit;

use http::{StatusCode, Version};
use httparse::Header;
use memchr::memchr;

use super::{FIELDS_MAX, HeadLimits, ParseError};
use crate::head::{FieldSpan, ResponseHead};

/// What every response begins with.
const PREFIX: &[u8] = b"HTTP/1.";

/// Finds a head in bytes that arrive piece by piece.
#[derive(Debug, Default)]
pub(crate) struct HeadScanner {
    /// Bytes before this hold no end of head.
    scanned: usize,
    folded: bool,
    asked: bool,
}

impl HeadScanner {
    /// Reads the head at the start of `input` into `head` once it is whole; returns its length.
    ///
    /// A head that was found leaves the scanner ready for the next one.
    pub(crate) fn receive(
        &mut self,
        input: &[u8],
        limits: HeadLimits,
        head: &mut ResponseHead,
    ) -> Result<Option<usize>, ParseError> {
        let known = input.len().min(PREFIX.len());
        if input[..known] != PREFIX[..known] {
            return Err(ParseError::NotHttp);
        }
        if !std::mem::replace(&mut self.asked, true)
            && let Ok(length) = parse(input, limits, head)
            && length <= limits.bytes
        {
            *self = HeadScanner::default();
            return Ok(Some(length));
        }
        let end = self.scan(input);
        if end.unwrap_or(input.len()) > limits.bytes {
            return Err(ParseError::HeadTooLarge { max: limits.bytes });
        }
        let Some(end) = end else {
            return Ok(None);
        };
        if self.folded {
            let mut text = input[..end].to_vec();
            unfold(&mut text)?;
            parse(&text, limits, head)?;
        } else {
            parse(&input[..end], limits, head)?;
        }
        *self = HeadScanner::default();
        Ok(Some(end))
    }

    fn scan(&mut self, input: &[u8]) -> Option<usize> {
        while let Some(found) = memchr(b'\n', &input[self.scanned..]) {
            let next = self.scanned + found + 1;
            match &input[next..] {
                [b'\n', ..] => return Some(next + 1),
                [b'\r', b'\n', ..] => return Some(next + 2),
                // The line end is looked at again when more has come.
                [] | [b'\r'] => {
                    self.scanned = next - 1;
                    return None;
                }
                [b' ' | b'\t', ..] => self.folded = true,
                _ => {}
            }
            self.scanned = next;
        }
        self.scanned = input.len();
        None
    }
}

/// Reads the head at the start of `input` into `head`, replacing what it held; returns its length.
fn parse(input: &[u8], limits: HeadLimits, head: &mut ResponseHead) -> Result<usize, ParseError> {
    let mut table = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        input,
        &mut table[..limits.fields.min(FIELDS_MAX)],
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        // No whole head; where one was expected, a stray line end.
        Ok(httparse::Status::Partial) => return Err(ParseError::LineEnd),
        Err(error) => return Err(map_error(error, limits)),
    };
    let code = response.code.ok_or(ParseError::StatusLine)?;
    head.status = StatusCode::from_u16(code).map_err(|_| ParseError::StatusLine)?;
    head.version = if response.version == Some(0) {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    head.text.clear();
    head.text.extend_from_slice(&input[..length]);
    head.fields.clear();
    push_spans(input, response.headers, &mut head.fields);
    Ok(length)
}

/// Reads a trailer section (the field lines and the blank line) into `head`, behind its fields.
pub(crate) fn parse_trailers(
    input: &[u8],
    limits: HeadLimits,
    head: &mut ResponseHead,
) -> Result<(), ParseError> {
    let mut table = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let fields = match httparse::parse_headers(input, &mut table[..limits.fields.min(FIELDS_MAX)]) {
        Ok(httparse::Status::Complete((_, fields))) => fields,
        _ => return Err(ParseError::Trailers),
    };
    head.trailers_from = head.fields.len();
    for field in fields {
        head.push(field.name, field.value);
    }
    Ok(())
}

/// Replaces each line fold by spaces; a fold in the first line is an error, as its meaning is open
/// (RFC 9112 section 2.2).
fn unfold(text: &mut [u8]) -> Result<(), ParseError> {
    let mut from = 0;
    let mut first_line = true;
    while let Some(found) = memchr(b'\n', &text[from..]) {
        let at = from + found;
        if matches!(text.get(at + 1), Some(b' ' | b'\t')) {
            if first_line {
                return Err(ParseError::FieldName);
            }
            text[at] = b' ';
            if text[at - 1] == b'\r' {
                text[at - 1] = b' ';
            }
        }
        first_line = false;
        from = at + 1;
    }
    Ok(())
}

fn push_spans(text: &[u8], headers: &[Header<'_>], fields: &mut Vec<FieldSpan>) {
    let base = text.as_ptr().addr();
    fields.extend(headers.iter().map(|header| {
        let (name, value) = (header.name.as_bytes(), header.value);
        // An empty value may be a slice of nowhere; its place does not matter.
        let value_start = if value.is_empty() {
            0
        } else {
            value.as_ptr().addr() - base
        };
        FieldSpan::new(
            name.as_ptr().addr() - base,
            name.len(),
            value_start,
            value.len(),
        )
    }));
}

#[cold]
fn map_error(error: httparse::Error, limits: HeadLimits) -> ParseError {
    match error {
        httparse::Error::HeaderName => ParseError::FieldName,
        httparse::Error::HeaderValue => ParseError::FieldValue,
        httparse::Error::NewLine => ParseError::LineEnd,
        httparse::Error::TooManyHeaders => ParseError::TooManyFields { max: limits.fields },
        _ => ParseError::StatusLine,
    }
}
