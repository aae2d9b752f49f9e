//! The content of a request: text, files, pipes and stdin, one behind the other.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncRead, AsyncReadExt};
use turbohttp::Body;

use crate::exit::{Exit, Told};
use crate::output::visible;
use crate::stdin::AsyncStdin;

/// What of a file is read before the request is sent, in bytes: if that is all of it, its length is
/// known, whatever the system reports.
const READ_AHEAD_BYTES: u64 = 256 * 1024;

/// The content of a request, and how its end is told.
pub(crate) struct Content {
    pub(crate) body: Body,
    /// The field that says it, for --verbose.
    pub(crate) framing: String,
}

/// One part, and its bytes where they are known.
struct Part {
    bytes: Pin<Box<dyn AsyncRead + Send>>,
    length: Option<u64>,
}

/// The parts as one body, with `separator` between them.
pub(crate) fn read(parts: &[String], separator: &'static str) -> anyhow::Result<Content> {
    if parts.iter().filter(|part| *part == "@-").count() > 1 {
        bail!("@- can be given once: stdin is read to its end");
    }
    if !parts.iter().any(|part| part.starts_with('@')) {
        let text = parts.join(separator);
        let length = Some(text.len() as u64);
        return Ok(Content::new(Body::from(text), length));
    }
    let mut joined: Option<Part> = None;
    for part in parts {
        let part = Part::open(part)?;
        joined = Some(match joined {
            None => part,
            Some(before) => before.then(Part::text(separator)).then(part),
        });
    }
    let joined = joined.context("no content")?;
    let body = Body::from_reader(joined.bytes, joined.length);
    Ok(Content::new(body, joined.length))
}

impl Content {
    fn new(body: Body, length: Option<u64>) -> Content {
        let framing = match length {
            Some(length) => format!("content-length: {length}"),
            None => "transfer-encoding: chunked".to_owned(),
        };
        Content { body, framing }
    }
}

impl Part {
    fn open(part: &str) -> anyhow::Result<Part> {
        let Some(path) = part.strip_prefix('@') else {
            return Ok(Part::text(part));
        };
        if path == "-" {
            let unreadable = || Told::new(Exit::Read, "the content cannot be read");
            let stdin = AsyncStdin::open().with_context(unreadable)?;
            return Ok(Part {
                bytes: Box::pin(stdin),
                length: None,
            });
        }
        let message = format!("body file {} cannot be read", visible(path));
        let unreadable = || Told::new(Exit::Read, &*message);
        let file = File::open(path).with_context(unreadable)?;
        let meta = file.metadata().with_context(unreadable)?;
        if meta.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory)).with_context(unreadable);
        }
        if !meta.is_file() {
            // A pipe or a device: sent as it comes.
            return Ok(Part {
                bytes: Box::pin(tokio::fs::File::from_std(file)),
                length: None,
            });
        }
        Part::of_file(file).with_context(unreadable)
    }

    fn text(text: &str) -> Part {
        Part {
            length: Some(text.len() as u64),
            bytes: Box::pin(io::Cursor::new(text.to_owned().into_bytes())),
        }
    }

    /// A file, whose reported size is only a hint: that of a file in /proc is 0, that of one in /sys a
    /// page, and others grow while they are read.
    fn of_file(file: File) -> io::Result<Part> {
        let mut ahead = Vec::new();
        (&file).take(READ_AHEAD_BYTES).read_to_end(&mut ahead)?;
        let read = ahead.len() as u64;
        if read < READ_AHEAD_BYTES {
            return Ok(Part {
                length: Some(read),
                bytes: Box::pin(io::Cursor::new(ahead)),
            });
        }
        let size = file.metadata()?.len();
        let rest = tokio::fs::File::from_std(file);
        let ahead = io::Cursor::new(ahead);
        // A large file is sent as long as it is now; if it shrinks, the request fails. One that is longer
        // than the system says is sent to its end.
        Ok(match size.checked_sub(read) {
            Some(left) => Part {
                length: Some(size),
                bytes: Box::pin(AsyncReadExt::chain(ahead, rest.take(left))),
            },
            None => Part {
                length: None,
                bytes: Box::pin(AsyncReadExt::chain(ahead, rest)),
            },
        })
    }

    fn then(self, next: Part) -> Part {
        let lengths = self.length.zip(next.length);
        Part {
            length: lengths.map(|(first, second)| first + second),
            bytes: Box::pin(self.bytes.chain(next.bytes)),
        }
    }
}
