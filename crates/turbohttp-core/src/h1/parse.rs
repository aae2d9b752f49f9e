//! The grammar of a response head (RFC 9112 sections 4 and 5), read in one pass into spans.
//!
//! # Implementation
//!
//! A head is mostly runs: a name up to its colon, a value up to its line end. A run is measured eight
//! bytes at a time by a test that is quick and may stop too early. Mostly the end stands there;
//! otherwise a test that is right goes on from there byte by byte. What every line needs is inlined into
//! one loop, what few lines need is not.
//!
//! What is taken and what is refused is what httparse takes and refuses in its default configuration:
//! the tests of `head.rs` and the fuzz target `response` hold the two against each other.

use http::{StatusCode, Version};

use super::ParseError;
use crate::head::FieldSpan;

/// Reads the status line at the start of `input`: what it says, and where the fields begin.
pub(super) fn status_line(input: &[u8]) -> Result<(Version, StatusCode, usize), ParseError> {
    let Some((line, rest)) = input.split_first_chunk::<12>() else {
        return Err(ParseError::StatusLine);
    };
    let version = match (&line[..8], line[8]) {
        (b"HTTP/1.1", b' ') => Version::HTTP_11,
        (b"HTTP/1.0", b' ') => Version::HTTP_10,
        _ => return Err(ParseError::StatusLine),
    };
    let status = StatusCode::from_bytes(&line[9..]).map_err(|_| ParseError::StatusLine)?;
    // A reason begins with a space; neither is needed by anybody.
    let fields = match rest {
        [b' ', ..] => text_line(rest).map(|(_, fields)| fields),
        _ => line_end(rest),
    };
    let fields = fields.ok_or(ParseError::StatusLine)?;
    Ok((version, status, input.len() - fields.len()))
}

/// Reads the field lines of `text` from `start` to their blank line, and says where that ends.
///
/// On an error, `fields` may hold some of them already.
pub(super) fn field_lines(
    text: &[u8],
    start: usize,
    fields_max: usize,
    fields: &mut Vec<FieldSpan>,
) -> Result<usize, ParseError> {
    let most = fields.len() + fields_max;
    let mut line = &text[start..];
    loop {
        let Some((name, value)) = name_and_colon(line) else {
            return match (line_end(line), line) {
                (Some(behind), _) => Ok(text.len() - behind.len()),
                (None, [b'\r', ..] | []) => Err(ParseError::LineEnd),
                (None, _) => Err(ParseError::FieldName),
            };
        };
        let name_start = text.len() - line.len();
        let value_start = text.len() - value.len();
        let (value, behind) = text_line(value).ok_or(ParseError::FieldValue)?;
        if fields.len() == most {
            return Err(ParseError::TooManyFields { max: fields_max });
        }
        let length = trimmed_length(value);
        fields.push(FieldSpan::new(name_start, name, value_start, length));
        line = behind;
    }
}

/// The length of the field name that `line` begins with, and what stands behind its colon and the
/// white space there. No space may stand before the colon (RFC 9112 section 5.1).
#[inline(always)]
fn name_and_colon(line: &[u8]) -> Option<(usize, &[u8])> {
    let quick = quick_run(line, no_letters);
    match line.get(quick..) {
        // One space and a value is how nearly every field is written.
        Some([b':', b' ', value @ ..])
            if quick > 0 && value.first().is_some_and(|first| *first > b' ') =>
        {
            Some((quick, value))
        }
        _ => any_name_and_colon(line, quick),
    }
}

#[cold]
fn any_name_and_colon(line: &[u8], known: usize) -> Option<(usize, &[u8])> {
    let length = run(line, known, is_token);
    let mut value = line[length..].strip_prefix(b":")?;
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    (length > 0).then_some((length, value))
}

/// The rest of a line that may hold any text, and what stands behind the line end.
#[inline(always)]
fn text_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = line.split_at(quick_run(line, controls));
    match line_end(rest) {
        Some(behind) => Some((text, behind)),
        None => any_text_line(line, text.len()),
    }
}

#[cold]
fn any_text_line(line: &[u8], known: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = line.split_at(run(line, known, is_text));
    Some((text, line_end(rest)?))
}

/// What stands behind the line end that `text` begins with: CRLF, or a lone LF (RFC 9112 section 2.2).
#[inline(always)]
fn line_end(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'\r', b'\n', behind @ ..] | [b'\n', behind @ ..] => Some(behind),
        _ => None,
    }
}

/// The length of a value without the white space behind it.
#[inline(always)]
fn trimmed_length(value: &[u8]) -> usize {
    let mut rest = value;
    while let [before @ .., b' ' | b'\t'] = rest {
        rest = before;
    }
    rest.len()
}

/// How many bytes at the start of `text` belong to a run, or fewer: `others` marks by the high bit
/// those of a word that may not belong to it. What it marks behind the first one does not count.
#[inline(always)]
fn quick_run(text: &[u8], others: impl Fn(u64) -> u64) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let others = others(u64::from_le_bytes(*word)) & each(0x80);
        if others != 0 {
            return length + others.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length
}

/// How many bytes at the start of `text` belong to a run; so many are known to.
fn run(text: &[u8], known: usize, belongs: fn(u8) -> bool) -> usize {
    let others = text.iter().skip(known).position(|byte| !belongs(*byte));
    others.map_or(text.len(), |length| known + length)
}

/// What a field name may hold (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a value and a reason may hold: no controls but tabs; bytes beyond ASCII.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Marks what is neither a letter nor a hyphen: nearly every name is made of these.
#[inline]
fn no_letters(word: u64) -> u64 {
    // The sums carry into the next byte only out of bytes beyond ASCII, which are marked anyway.
    let lower = word | each(0x20);
    let from_a = lower.wrapping_add(each(0x80 - b'a'));
    let beyond_z = lower.wrapping_add(each(0x7f - b'z'));
    let no_hyphen = (word ^ each(b'-')).wrapping_add(each(0x7f));
    (no_hyphen & (!from_a | beyond_z)) | word
}

/// Marks control characters, and most bytes beyond ASCII.
#[inline]
fn controls(word: u64) -> u64 {
    // What these carry or borrow leads to marks too many, never to one too few.
    let below_space = word.wrapping_sub(each(b' '));
    let delete = word.wrapping_add(each(1));
    below_space | delete
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

#[cfg(test)]
mod tests;
