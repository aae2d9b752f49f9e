//! A request head: found, checked, and reduced to what the server needs of it.
//!
//! # Implementation
//!
//! The head stays where it was read; [`Head`] holds positions in it. Only the fields whose names
//! begin with one of five letters are compared with the few names that matter.

use std::ops::Range;

use memchr::{memchr, memmem};

/// What the server needs to know of a request head. Positions count from the head's first byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Whole length, the empty line included.
    pub(crate) length: usize,
    pub(crate) is_head_method: bool,
    pub(crate) target: Range<usize>,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) content_type: Option<Range<usize>>,
}

/// How a request's content is delimited (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

/// The head breaks RFC 9112; the answer is 400 and the connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Length of the head at the beginning of `bytes`, once it is there whole.
pub(crate) fn find_end(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// Reads a whole head, as [`find_end`] found it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Head, Malformed> {
    let mut lines = Lines { bytes, at: 0 };
    let (mut head, version_minor) = parse_request_line(bytes, lines.next().ok_or(Malformed)??)?;
    head.keep_alive = version_minor == 1;
    let mut seen = Seen::default();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        parse_field(bytes, line, &mut head, &mut seen)?;
    }
    // RFC 9112 §3.2: exactly one Host; HTTP/1.0 may do without.
    if seen.hosts > 1 || (seen.hosts == 0 && version_minor == 1) {
        return Err(Malformed);
    }
    Ok(head)
}

/// Lines without their CRLF, as positions. A line that ends in a bare LF is malformed.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Result<Range<usize>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let end = start + memchr(b'\n', &self.bytes[start..])?;
        self.at = end + 1;
        if end == start || self.bytes[end - 1] != b'\r' {
            return Some(Err(Malformed));
        }
        Some(Ok(start..end - 1))
    }
}

/// What may come once only.
#[derive(Default)]
struct Seen {
    hosts: u32,
    content_length: bool,
    transfer_encoding: bool,
}

/// `method SP target SP HTTP/1.x`: the head so far, and x.
fn parse_request_line(bytes: &[u8], line: Range<usize>) -> Result<(Head, u8), Malformed> {
    let text = &bytes[line];
    let method_end = memchr(b' ', text).ok_or(Malformed)?;
    let target_start = method_end + 1;
    let target_end = target_start + memchr(b' ', &text[target_start..]).ok_or(Malformed)?;
    let version_minor = match &text[target_end + 1..] {
        b"HTTP/1.1" => 1,
        b"HTTP/1.0" => 0,
        _ => return Err(Malformed),
    };
    if method_end == 0 || target_end == target_start || !text[..method_end].iter().all(is_token) {
        return Err(Malformed);
    }
    let head = Head {
        length: bytes.len(),
        is_head_method: &text[..method_end] == b"HEAD",
        target: target_start..target_end,
        framing: Framing::Length(0),
        keep_alive: true,
        expects_continue: false,
        content_type: None,
    };
    Ok((head, version_minor))
}

fn parse_field(
    bytes: &[u8],
    line: Range<usize>,
    head: &mut Head,
    seen: &mut Seen,
) -> Result<(), Malformed> {
    let text = &bytes[line.clone()];
    let colon = memchr(b':', text).ok_or(Malformed)?;
    let name = &text[..colon];
    // Also refuses an empty name, white space before the colon, and line folding.
    if name.is_empty() || !name.iter().all(is_token) {
        return Err(Malformed);
    }
    let value = trim(bytes, line.start + colon + 1..line.end);
    let text = &bytes[value.clone()];
    match name[0] | 0x20 {
        b'h' if is(name, "host") => seen.hosts += 1,
        b'e' if is(name, "expect") => head.expects_continue |= is(text, "100-continue"),
        b'c' if is(name, "connection") => {
            head.keep_alive = keeps_alive(text, head.keep_alive);
        }
        b'c' if is(name, "content-type") => head.content_type = Some(value),
        b'c' if is(name, "content-length") => {
            if seen.content_length || seen.transfer_encoding {
                return Err(Malformed);
            }
            seen.content_length = true;
            head.framing = Framing::Length(decimal(text).ok_or(Malformed)?);
        }
        b't' if is(name, "transfer-encoding") => {
            if seen.content_length || seen.transfer_encoding || !is(text, "chunked") {
                return Err(Malformed);
            }
            seen.transfer_encoding = true;
            head.framing = Framing::Chunked;
        }
        _ => {}
    }
    Ok(())
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(byte: &u8) -> bool {
    const TOKEN: [bool; 256] = token_table();
    TOKEN[usize::from(*byte)]
}

const fn token_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let symbols = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < symbols.len() {
        table[symbols[i] as usize] = true;
        i += 1;
    }
    table
}

fn is(text: &[u8], lower: &str) -> bool {
    text.eq_ignore_ascii_case(lower.as_bytes())
}

fn trim(bytes: &[u8], mut range: Range<usize>) -> Range<usize> {
    let is_space = |at: usize| matches!(bytes[at], b' ' | b'\t');
    while !range.is_empty() && is_space(range.start) {
        range.start += 1;
    }
    while !range.is_empty() && is_space(range.end - 1) {
        range.end -= 1;
    }
    range
}

fn keeps_alive(value: &[u8], otherwise: bool) -> bool {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .fold(otherwise, |keep, option| {
            (keep || is(option, "keep-alive")) && !is(option, "close")
        })
}

/// Digits only: no sign, no white space, no overflow.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<Head, Malformed> {
        assert_eq!(find_end(text.as_bytes()), Some(text.len()));
        parse(text.as_bytes())
    }

    #[test]
    fn plain_get_is_read() {
        let text = "GET /small?q HTTP/1.1\r\nHost: a\r\n\r\n";
        let head = parse_text(text).unwrap();
        assert_eq!(&text[head.target.clone()], "/small?q");
        assert_eq!((head.framing, head.keep_alive), (Framing::Length(0), true));
        assert!(!head.is_head_method && !head.expects_continue && head.content_type.is_none());
    }

    #[test]
    fn fields_that_matter_are_read_in_any_case() {
        let text = "POST / HTTP/1.1\r\nhOST: a\r\nCONTENT-LENGTH: \t42 \r\nExpect: 100-Continue\r\n\
                    Content-type:text/x\r\nconnection: foo, Close\r\n\r\n";
        let head = parse_text(text).unwrap();
        assert_eq!(head.framing, Framing::Length(42));
        assert!(head.expects_continue && !head.keep_alive);
        assert_eq!(&text[head.content_type.unwrap()], "text/x");
    }

    #[test]
    fn old_version_closes_unless_it_asks_to_stay() {
        assert!(!parse_text("GET / HTTP/1.0\r\n\r\n").unwrap().keep_alive);
        let stay = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        assert!(parse_text(stay).unwrap().keep_alive);
    }

    #[test]
    fn what_breaks_the_grammar_is_malformed() {
        let lines = [
            "GET /\r\n",
            "GET  HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n",
            "G T / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
            "GET / HTTP/1.1\r\nHost: a\nx: y\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n",
        ];
        for line in lines {
            assert_eq!(
                parse_text(&format!("{line}\r\n")),
                Err(Malformed),
                "{line:?}"
            );
        }
    }
}
