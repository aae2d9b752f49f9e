//! A request head: found, checked, and reduced to what the server needs of it.

use std::mem::MaybeUninit;
use std::ops::Range;

use httparse::Request;
use memchr::memmem;

use crate::route::Route;

/// Fields of a head; a request with more is malformed.
const FIELDS_MAX: usize = 256;

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

/// How the end of a content is found (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    /// There is no content, or the end of the connection ends that of an answer.
    None,
}

impl Head {
    /// What the head asks for; `bytes` are the head.
    pub(crate) fn route<'a>(&self, bytes: &'a [u8]) -> Route<'a> {
        Route::parse(&bytes[self.target.clone()])
    }
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
    // httparse lets a bare LF end a line, and empty lines begin a head.
    let has_bare_lf = memchr::memchr_iter(b'\n', bytes).any(|at| !bytes[..at].ends_with(b"\r"));
    if has_bare_lf || bytes.starts_with(b"\r") {
        return Err(Malformed);
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut fields);
    let is_whole = parsed.is_ok_and(|status| status.is_complete());
    let (Some(method), Some(path), Some(minor), true) =
        (request.method, request.path, request.version, is_whole)
    else {
        return Err(Malformed);
    };
    let mut head = Head {
        length: bytes.len(),
        is_head_method: method == "HEAD",
        target: range(bytes, path.as_bytes()),
        framing: Framing::Length(0),
        keep_alive: minor == 1,
        expects_continue: false,
        content_type: None,
    };
    let (mut hosts, mut has_framing) = (0, false);
    for field in request.headers.iter() {
        let (name, value) = (field.name.as_bytes(), field.value);
        let is_length = is(name, "content-length");
        match name[0] | 0x20 {
            b'h' if is(name, "host") => hosts += 1,
            b'e' if is(name, "expect") => head.expects_continue |= is(value, "100-continue"),
            b'c' if is(name, "connection") => head.keep_alive = keeps_alive(value, head.keep_alive),
            b'c' if is(name, "content-type") => head.content_type = Some(range(bytes, value)),
            b'c' | b't' if is_length || is(name, "transfer-encoding") => {
                if has_framing || !(is_length || is(value, "chunked")) {
                    return Err(Malformed);
                }
                has_framing = true;
                head.framing = match is_length {
                    true => Framing::Length(decimal(value).ok_or(Malformed)?),
                    false => Framing::Chunked,
                };
            }
            _ => {}
        }
    }
    // RFC 9112 §3.2: exactly one Host; HTTP/1.0 may do without.
    match hosts > 1 || (hosts == 0 && minor == 1) {
        true => Err(Malformed),
        false => Ok(head),
    }
}

/// Where a part stands in the whole that it is of.
fn range(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

fn is(text: &[u8], lower: &str) -> bool {
    text.eq_ignore_ascii_case(lower.as_bytes())
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
    let digits = text.iter().all(u8::is_ascii_digit).then_some(text)?;
    str::from_utf8(digits).ok()?.parse().ok()
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
