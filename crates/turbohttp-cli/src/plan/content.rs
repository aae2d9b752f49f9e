//! The content of a request: text, files, pipes and stdin, one behind the other.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
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

/// One part. What can be sent again is kept as it is, for redirects, retries and challenges.
enum Part {
    Bytes(Vec<u8>),
    /// A large file from its beginning on, of so many bytes.
    File(File, u64),
    Stream {
        bytes: Pin<Box<dyn AsyncRead + Send>>,
        length: Option<u64>,
    },
}

/// The parts as one body, with `separator` between them.
pub(crate) fn read(parts: &[String], separator: &'static str) -> anyhow::Result<Content> {
    if parts.iter().filter(|part| *part == "@-").count() > 1 {
        bail!("@- can be given once: stdin is read to its end");
    }
    let mut joined: Option<Part> = None;
    for part in parts {
        let part = Part::open(part)?;
        joined = Some(match joined {
            None => part,
            Some(before) => before.then(separator, part),
        });
    }
    Ok(match joined.context("no content")? {
        Part::Bytes(bytes) => {
            let length = Some(bytes.len() as u64);
            Content::new(Body::from(bytes), length)
        }
        Part::File(file, length) => Content::new(Body::from(file), Some(length)),
        Part::Stream { bytes, length } => Content::new(Body::from_reader(bytes, length), length),
    })
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
            return Ok(Part::Bytes(part.as_bytes().to_vec()));
        };
        if path == "-" {
            let unreadable = || Told::new(Exit::Read, "the content cannot be read");
            let stdin = AsyncStdin::open().with_context(unreadable)?;
            return Ok(Part::Stream {
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
            return Ok(Part::Stream {
                bytes: Box::pin(tokio::fs::File::from_std(file)),
                length: None,
            });
        }
        Part::of_file(file).with_context(unreadable)
    }

    /// A file, whose reported size is only a hint: that of a file in /proc is 0, that of one in /sys a
    /// page, and others grow while they are read.
    fn of_file(mut file: File) -> io::Result<Part> {
        let mut ahead = Vec::new();
        (&file).take(READ_AHEAD_BYTES).read_to_end(&mut ahead)?;
        let read = ahead.len() as u64;
        if read < READ_AHEAD_BYTES {
            return Ok(Part::Bytes(ahead));
        }
        let size = file.metadata()?.len();
        // A large file is sent as long as it is now; if it shrinks, the request fails. One that is longer
        // than the system says is sent to its end.
        if size >= read {
            file.rewind()?;
            return Ok(Part::File(file, size));
        }
        let rest = tokio::fs::File::from_std(file);
        Ok(Part::Stream {
            bytes: Box::pin(AsyncReadExt::chain(io::Cursor::new(ahead), rest)),
            length: None,
        })
    }

    fn then(self, separator: &str, next: Part) -> Part {
        if let (Part::Bytes(first), Part::Bytes(second)) = (&self, &next) {
            return Part::Bytes([first, separator.as_bytes(), second].concat());
        }
        let (first, length) = self.into_stream();
        let (second, next_length) = next.into_stream();
        let between = io::Cursor::new(separator.to_owned().into_bytes());
        let lengths = length.zip(next_length);
        Part::Stream {
            bytes: Box::pin(first.chain(between).chain(second)),
            length: lengths.map(|(first, second)| first + separator.len() as u64 + second),
        }
    }

    fn into_stream(self) -> (Pin<Box<dyn AsyncRead + Send>>, Option<u64>) {
        match self {
            Part::Bytes(bytes) => {
                let length = Some(bytes.len() as u64);
                (Box::pin(io::Cursor::new(bytes)), length)
            }
            Part::File(file, length) => {
                let file = tokio::fs::File::from_std(file);
                (Box::pin(file.take(length)), Some(length))
            }
            Part::Stream { bytes, length } => (bytes, length),
        }
    }
}
