//! What the limits know of requests and answers: prebuilt bytes, and just enough to check an answer as
//! everybody else does. It parses nothing in general.

use anyhow::{Context, Result, ensure};
use memchr::memmem::Finder;

use super::Work;

/// Large enough for every short answer in one read; for long ones the size that streams fastest.
pub(super) const BUFFER_BYTES: usize = 256 * 1024;

const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 ";

/// The bytes to send.
pub(super) fn request(work: &Work) -> Vec<u8> {
    let (path, host) = (work.workload.path(), &work.authority);
    match work.content {
        None => format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(),
        Some(content) => {
            let length = content.len();
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
            [head.as_bytes(), content].concat()
        }
    }
}

/// Finds its way in the head of an answer.
pub(super) struct Finders {
    head_end: Finder<'static>,
    content_type: Finder<'static>,
}

impl Finders {
    pub(super) fn new() -> Finders {
        Finders {
            head_end: Finder::new(b"\r\n\r\n"),
            content_type: Finder::new(b"\r\ncontent-type: "),
        }
    }

    /// The length of the head, once it is whole.
    pub(super) fn head_length(&self, bytes: &[u8]) -> Option<usize> {
        Some(self.head_end.find(bytes)? + 4)
    }

    /// Checks a whole head.
    pub(super) fn check_head(&self, work: &Work, head: &[u8]) -> Result<()> {
        let status = if head.starts_with(OK) { 200 } else { 0 };
        let content_type = self.content_type.find(head);
        let content_type = content_type.map(|at| &head[at + self.content_type.needle().len()..]);
        work.check_head(status, content_type)
    }
}

/// The length of chunked content, once its end is there.
pub(super) fn chunked_length(mut framed: &[u8]) -> Result<Option<u64>> {
    if !framed.ends_with(LAST_CHUNK) {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let end = memchr::memchr(b'\r', framed).context("a chunk without a size")?;
        let size = hexadecimal(&framed[..end])?;
        if size == 0 {
            return Ok(Some(length as u64));
        }
        length += size;
        // The size, the chunk, and a line end behind each.
        framed = framed.get(end + 2 + size + 2..).context("a short chunk")?;
    }
}

fn hexadecimal(digits: &[u8]) -> Result<usize> {
    ensure!((1..=8).contains(&digits.len()), "no size of a chunk");
    digits.iter().try_fold(0, |size, digit| {
        let digit = char::from(*digit).to_digit(16).context("no digit")?;
        Ok(size * 16 + digit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Workload;

    #[test]
    fn chunked_content_is_measured_when_it_has_ended() {
        assert_eq!(chunked_length(b"3\r\nabc\r\n").unwrap(), None);
        let whole = b"3\r\nabc\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        assert_eq!(chunked_length(whole).unwrap(), Some(29));
        for wrong in [
            &b"x\r\nabc\r\n0\r\n\r\n"[..],
            b"\r\nabc\r\n0\r\n\r\n",
            b"ff\r\nabc\r\n0\r\n\r\n",
            b"fffffffff\r\nabc\r\n0\r\n\r\n",
        ] {
            assert!(chunked_length(wrong).is_err());
        }
    }

    #[test]
    fn head_is_found_and_checked() {
        let work = Work::new("http://a:1", Workload::Small, None).unwrap();
        let finders = Finders::new();
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: x\r\n\r\n";
        assert_eq!(finders.head_length(&head[..20]), None);
        assert_eq!(finders.head_length(head), Some(head.len()));
        assert!(finders.check_head(&work, head).is_ok());
        for wrong in [
            &b"HTTP/1.1 404 No\r\ncontent-type: x\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ndate: x\r\n\r\n",
        ] {
            assert!(finders.check_head(&work, wrong).is_err());
        }
    }

    #[test]
    fn request_of_a_post_carries_its_content() {
        let work = Work::new("http://a:1", Workload::Post, None).unwrap();
        let request = request(&work);
        assert!(request.starts_with(b"POST /post HTTP/1.1\r\nhost: a:1\r\n"));
        assert!(request.ends_with(b"xxxx"));
        assert!(request.len() > 1024);
    }
}
