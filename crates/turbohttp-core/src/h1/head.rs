//! Response heads: finding the end, then parsing once.
//!
//! # Implementation
//!
//! Nearly every head is whole in the first read: it is parsed at once, and if that finds a whole head,
//! that is it. Otherwise the end of the head is searched for, going on where the search stopped,
//! and the head is parsed again only when it is whole: a server that dribbles single bytes costs linear
//! work, and the result cannot depend on how the bytes were cut.
//!
//! The text is copied into the response's own buffer, obsolete line folding is blanked there (RFC 9112
//! section 5.2), and the fields are kept as spans of it.

use memchr::memchr;

use super::parse::{field_lines, status_line};
use super::{FIELDS_MAX, HeadLimits, ParseError};
use crate::head::ResponseHead;

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
        if !input.starts_with(PREFIX) && !PREFIX.starts_with(input) {
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
    head.fields.clear();
    let (version, status, start) = status_line(input)?;
    let fields_max = limits.fields.min(FIELDS_MAX);
    match field_lines(input, start, fields_max, &mut head.fields) {
        Ok(length) => {
            head.version = version;
            head.status = status;
            head.text.clear();
            head.text.extend_from_slice(&input[..length]);
            Ok(length)
        }
        Err(error) => {
            // Spans of a text that is not kept.
            head.fields.clear();
            Err(error)
        }
    }
}

/// Reads a trailer section (the field lines and the blank line) into `head`, behind its fields.
pub(crate) fn parse_trailers(
    section: &[u8],
    limits: HeadLimits,
    head: &mut ResponseHead,
) -> Result<(), ParseError> {
    let (start, first) = (head.text.len() as u32, head.fields.len());
    let fields_max = limits.fields.min(FIELDS_MAX);
    if field_lines(section, 0, fields_max, &mut head.fields).is_err() {
        head.fields.truncate(first);
        return Err(ParseError::Trailers);
    }
    for span in &mut head.fields[first..] {
        span.name_start += start;
        span.value_start += start;
    }
    head.text.extend_from_slice(section);
    head.trailers_from = first;
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

#[cfg(test)]
mod tests;
