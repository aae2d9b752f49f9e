//! A request head: found, checked, and reduced to what the server needs of it.

use std::mem::MaybeUninit;
use std::ops::Range;

use memchr::memmem;

use crate::body::Kept;
use crate::reply::Request;
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

    /// The request whose head `bytes` are, with its content.
    pub(crate) fn request<'a>(&self, bytes: &'a [u8], content: Kept) -> Request<'a> {
        let content_type = self.content_type.clone();
        Request {
            target: &bytes[self.target.clone()],
            head: bytes,
            content_type: content_type.map(|at| &bytes[at]),
            content,
        }
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
    let mut request = httparse::Request::new(&mut []);
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
