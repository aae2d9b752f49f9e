//! Response heads (RFC 9112 sections 4 and 5): finding the end, then parsing once, into spans.
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
//!
//! Nearly every line is written in the same way: a name of letters and hyphens, a colon, one space, a
//! value without controls, CRLF. [`quick_line`] reads such a line in blocks of sixteen bytes: all bytes
//! of a block are compared at once, which yields one bit for each, and the first byte that differs is
//! found by counting zeros. A line that ends too close to the end of the text for whole blocks, or that
//! is written in another way, is left to [`any_line`], which reads byte by byte and knows every rule.
//!
//! What is taken and what is refused is what httparse takes and refuses in its default configuration:
//! the tests here and the fuzz target `response` hold the two against each other.

use http::{StatusCode, Version};
use memchr::memchr;
use wide::u8x16;

use super::error::ParseError;
use super::limits::{FIELDS_MAX, HeadLimits};
use crate::head::{FieldSpan, ResponseHead};

/// What every response begins with.
const PREFIX: &[u8] = b"HTTP/1.";

/// Bytes of a line that are compared at once.
const BLOCK_BYTES: usize = 16;

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
        // Refused at the first wrong byte: a server of another protocol may never send a whole head.
        if !input.starts_with(PREFIX) && !PREFIX.starts_with(input) {
            return Err(ParseError::NotHttp);
        }
        // The quick way, once for each head; asked again for each read it would cost quadratic work.
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
        // Folding is obsolete and rare, so that the copy does not matter.
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
                // What follows this LF has not arrived: the scan begins here again.
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
    let lines = match field_lines(input, start, fields_max, &mut head.fields) {
        Err(_) if limits.lenient => lenient_lines(input, start, fields_max, 0, head),
        lines => lines,
    };
    match lines {
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
    let lines = match field_lines(section, 0, fields_max, &mut head.fields) {
        Err(_) if limits.lenient => lenient_lines(section, 0, fields_max, first, head),
        lines => lines,
    };
    if lines.is_err() {
        head.fields.truncate(first);
        return Err(ParseError::Trailers);
    }
    // Spans are offsets into the text of the whole head, behind which the section is appended.
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
            // Both bytes of the line end become spaces, so that all offsets stay as they are.
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

/// Reads the status line at the start of `input`: what it says, and where the fields begin.
fn status_line(input: &[u8]) -> Result<(Version, StatusCode, usize), ParseError> {
    let Some((line, rest)) = input.split_first_chunk::<12>() else {
        return Err(ParseError::StatusLine);
    };
    let version = match (&line[..8], line[8]) {
        (b"HTTP/1.1", b' ') => Version::HTTP_11,
        (b"HTTP/1.0", b' ') => Version::HTTP_10,
        _ => return Err(ParseError::StatusLine),
    };
    let status = status_code([line[9], line[10], line[11]]).ok_or(ParseError::StatusLine)?;
    // The reason phrase is optional and without meaning (RFC 9112 section 4).
    let length = match rest {
        [b' ', ..] => quick_text(rest)
            .filter(|length| line_end(&rest[*length..]).is_some())
            .unwrap_or_else(|| run(rest, is_text)),
        _ => 0,
    };
    let fields = line_end(&rest[length..]).ok_or(ParseError::StatusLine)?;
    Ok((version, status, input.len() - fields.len()))
}

fn status_code(digits: [u8; 3]) -> Option<StatusCode> {
    let mut code = 0;
    for digit in digits {
        code = code * 10 + u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    StatusCode::from_u16(code).ok()
}

/// Reads the field lines of `text` from `start` to their blank line, and says where that ends.
///
/// On an error, `fields` may hold some of them already.
fn field_lines(
    text: &[u8],
    start: usize,
    fields_max: usize,
    fields: &mut Vec<FieldSpan>,
) -> Result<usize, ParseError> {
    // Trailers are counted apart from the fields that are there already.
    let most = fields.len() + fields_max;
    let mut rest = &text[start..];
    loop {
        while let Some((name, value, behind)) = quick_line(rest) {
            if fields.len() == most {
                return Err(ParseError::TooManyFields { max: fields_max });
            }
            let name_start = text.len() - rest.len();
            let value_start = name_start + name + ": ".len();
            fields.push(FieldSpan::new(name_start, name, value_start, value));
            rest = behind;
        }
        if let Some(behind) = line_end(rest) {
            return Ok(text.len() - behind.len());
        }
        let (field, behind) = any_line(text, text.len() - rest.len())?;
        if fields.len() == most {
            return Err(ParseError::TooManyFields { max: fields_max });
        }
        fields.push(field);
        rest = behind;
    }
}

/// [`field_lines`] behind the `first` fields of `head`, where malformed lines are passed over and counted.
#[cold]
#[inline(never)]
fn lenient_lines(
    text: &[u8],
    start: usize,
    fields_max: usize,
    first: usize,
    head: &mut ResponseHead,
) -> Result<usize, ParseError> {
    head.fields.truncate(first);
    if first == 0 {
        // A head may be read once more when more of it has arrived.
        head.skipped = 0;
    }
    let most = first + fields_max;
    let mut rest = &text[start..];
    while line_end(rest).is_none() {
        match any_line(text, text.len() - rest.len()) {
            Ok(_) if head.fields.len() == most => {
                return Err(ParseError::TooManyFields { max: fields_max });
            }
            Ok((field, behind)) => {
                head.fields.push(field);
                rest = behind;
            }
            Err(error) => {
                rest = behind_malformed(rest).ok_or(error)?;
                head.skipped += 1;
            }
        }
    }
    let behind = line_end(rest).map_or(0, <[u8]>::len);
    Ok(text.len() - behind)
}

/// What stands behind a malformed line that may be passed over: one that says nothing of the framing,
/// whichever way another recipient reads it. A folded line is no line of its own: it belongs to the value
/// before it, whose field may be about the framing.
#[cold]
fn behind_malformed(text: &[u8]) -> Option<&[u8]> {
    if text.starts_with(b" ") || text.starts_with(b"\t") {
        return None;
    }
    let (line, behind) = text.split_at(memchr(b'\n', text)? + 1);
    let line = line.to_ascii_lowercase();
    let is_framing = |name: &[u8]| line.windows(name.len()).any(|window| window == name);
    let is_safe = !is_framing(b"content-length") && !is_framing(b"transfer-encoding");
    is_safe.then_some(behind)
}

/// Reads any line of `text` but a blank one, and what stands behind it.
#[cold]
#[inline(never)]
fn any_line(text: &[u8], start: usize) -> Result<(FieldSpan, &[u8]), ParseError> {
    let line = &text[start..];
    let Some((name, value)) = name_and_colon(line) else {
        return Err(match line {
            [b'\r', ..] | [] => ParseError::LineEnd,
            _ => ParseError::FieldName,
        });
    };
    let value_start = text.len() - value.len();
    let (value, behind) = text_line(value).ok_or(ParseError::FieldValue)?;
    let field = FieldSpan::new(start, name, value_start, trimmed_length(value));
    Ok((field, behind))
}

/// The length of the field name that `line` begins with, and what stands behind its colon and the
/// white space there. No space may stand before the colon (RFC 9112 section 5.1).
fn name_and_colon(line: &[u8]) -> Option<(usize, &[u8])> {
    let length = run(line, is_token);
    let mut value = line[length..].strip_prefix(b":")?;
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    (length > 0).then_some((length, value))
}

/// The rest of a line that may hold any text, and what stands behind the line end.
fn text_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = line.split_at(run(line, is_text));
    Some((text, line_end(rest)?))
}

/// What stands behind the line end that `text` begins with: CRLF, or a lone LF (RFC 9112 section 2.2).
#[inline]
fn line_end(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'\r', b'\n', behind @ ..] | [b'\n', behind @ ..] => Some(behind),
        _ => None,
    }
}

/// The length of a value without the white space behind it.
fn trimmed_length(value: &[u8]) -> usize {
    let mut rest = value;
    while let [before @ .., b' ' | b'\t'] = rest {
        rest = before;
    }
    rest.len()
}

/// How many bytes at the start of `text` belong to a run.
fn run(text: &[u8], belongs: fn(u8) -> bool) -> usize {
    let other = text.iter().position(|byte| !belongs(*byte));
    other.unwrap_or(text.len())
}

/// What a field name may hold (RFC 9110 section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    // A table: how a search among the marks is compiled changes with code that has nothing to do with it.
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let marks = b"!#$%&'*+-.^_`|~";
        let mut at = 0;
        while at < marks.len() {
            table[marks[at] as usize] = true;
            at += 1;
        }
        let mut byte = 0u8;
        while byte < 128 {
            table[byte as usize] |= byte.is_ascii_alphanumeric();
            byte += 1;
        }
        table
    };
    TOKEN[usize::from(byte)]
}

/// What a value and a reason may hold: no controls but tabs; bytes beyond ASCII.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether any byte is one that no value may hold.
pub(crate) fn has_controls(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<BLOCK_BYTES>();
    // The tab is marked too, and seldom there.
    let may_have = blocks.iter().any(|block| controls(block) != 0);
    !rest.iter().all(|byte| is_text(*byte)) || may_have && !text.iter().all(|byte| is_text(*byte))
}

/// Reads the line that `text` begins with if it is `name: value` and CRLF, with nothing about it that
/// would need a closer look: how long both are, and what stands behind. `None` says nothing about the
/// line.
#[inline]
fn quick_line(text: &[u8]) -> Option<(usize, usize, &[u8])> {
    // A short line yields `None` here, as the text ends before a whole block.
    let mut name = others_than_letters(text.first_chunk()?).trailing_zeros() as usize;
    if name == BLOCK_BYTES {
        // Few names are longer than a block, and hardly any than two.
        name += others_than_letters(text[name..].first_chunk()?).trailing_zeros() as usize;
    }
    let [b':', b' ', value @ ..] = text.get(name..)? else {
        return None;
    };
    if name == 0 || *value.first()? <= b' ' {
        return None;
    }
    let length = quick_text(value)?;
    // The value begins with what is no space, so it has a last byte.
    match &value[length..] {
        [b'\r', b'\n', behind @ ..] if value[length - 1] > b' ' => Some((name, length, behind)),
        _ => None,
    }
}

/// How many bytes at the start of `text` a field value may hold, tabs not among them; `None` if `text`
/// ends too soon to tell.
#[inline(always)]
fn quick_text(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    loop {
        match controls(rest.first_chunk()?) {
            0 => rest = &rest[BLOCK_BYTES..],
            controls => return Some(text.len() - rest.len() + controls.trailing_zeros() as usize),
        }
    }
}

/// Marks what is neither a letter nor a hyphen, of which nearly every name is made; 16 zeros for a
/// block full of them.
#[inline(always)]
fn others_than_letters(block: &[u8; BLOCK_BYTES]) -> u16 {
    let block = u8x16::new(*block);
    // With bit 5 set, capital letters are small ones; the subtraction wraps for all that lies below.
    let from_a = (block | u8x16::splat(0x20)) - u8x16::splat(b'a');
    let letters = at_most(from_a, b'z' - b'a');
    let hyphens = block.cmp_eq(u8x16::splat(b'-'));
    !bits(letters | hyphens)
}

/// Marks what a value must not hold, and the tab.
#[inline(always)]
fn controls(block: &[u8; BLOCK_BYTES]) -> u16 {
    let block = u8x16::new(*block);
    let delete = block.cmp_eq(u8x16::splat(0x7f));
    bits(at_most(block, b' ' - 1) | delete)
}

/// Marks the bytes that are no greater than `most`.
#[inline(always)]
fn at_most(block: u8x16, most: u8) -> u8x16 {
    block.min(u8x16::splat(most)).cmp_eq(block)
}

/// One bit for each byte that is marked.
#[inline(always)]
fn bits(marks: u8x16) -> u16 {
    marks.move_mask() as u16
}

#[cfg(test)]
mod line_tests;
#[cfg(test)]
mod tests;
