//! The content of a request: text, files, pipes and stdin, one behind the other.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::pin::Pin;

use anyhow::{Context as _, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::io::{AsyncRead, AsyncReadExt};
use turbohttp::Body;

use crate::args::{ByteRate, Datum, Kind, Source, encoded_parts};
use crate::exit::{Exit, Told};
use crate::output::visible;
use crate::pace::Paced;
use crate::stdin::{AsyncStdin, Stdin};

/// What of a file is read before the request is sent, in bytes: if that is all of it, its length is
/// known, whatever the system reports.
const READ_AHEAD_BYTES: u64 = 256 * 1024;

/// A file that is percent-encoded, goes into a query or is sent again and again, in bytes: it is held in memory.
const ENCODED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What stays as it is: the unreserved characters (RFC 3986 section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The content of a request, and how its end is told.
pub(super) struct Content {
    pub(super) body: Body,
    /// In bytes, where it is known.
    pub(super) length: Option<u64>,
}

/// How bodies are sent.
#[derive(Clone, Copy)]
pub(super) struct Sending {
    /// `--limit-rate`.
    pub(super) rate: Option<ByteRate>,
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
pub(super) fn read(
    parts: &[Datum],
    separator: &'static str,
    sending: &Sending,
) -> anyhow::Result<Content> {
    if parts.iter().filter(|part| part.reads_stdin()).count() > 1 {
        bail!("@- can be given once: stdin is read to its end");
    }
    let mut joined: Option<Part> = None;
    for part in parts {
        let part = Part::of_datum(part)?;
        joined = Some(match joined {
            None => part,
            Some(before) => before.then(separator, part),
        });
    }
    joined.context("no content").map(|part| sending.of(part))
}

/// A file that is sent whole; - is stdin.
pub(super) fn upload(path: &Path, sending: &Sending) -> anyhow::Result<Content> {
    let part = match is_stdin(path) {
        true => Part::open("-")?,
        false => Part::of_path(path)?,
    };
    Ok(sending.of(part))
}

/// Whether `--upload-file` names stdin.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new(".")
}

/// The parts as a query. Line ends of files are left out: no URL holds one.
pub(super) fn query(parts: &[Datum]) -> anyhow::Result<String> {
    let mut query = String::new();
    for part in parts {
        if !query.is_empty() {
            query.push('&');
        }
        let text = match (part.kind, part.text.strip_prefix('@')) {
            (Kind::Encoded, _) => encoded(&part.text)?,
            (Kind::Data | Kind::Json, Some(path)) => {
                let text = String::from_utf8(in_memory(path)?);
                let text = text
                    .ok()
                    .context("--get: a file that is no UTF-8 fits into no URL")?;
                text.replace(['\r', '\n', '\0'], "")
            }
            _ => part.text.clone(),
        };
        query.push_str(&text);
    }
    Ok(query)
}

fn encoded(typed: &str) -> anyhow::Result<String> {
    let (name, source) = encoded_parts(typed);
    let bytes = match source {
        Source::Text(text) => text.as_bytes().to_vec(),
        Source::File(path) => in_memory(path)?,
    };
    let encoded = percent_encode(&bytes, ENCODED)
        .to_string()
        .replace("%20", "+");
    Ok(match name {
        "" => encoded,
        name => format!("{name}={encoded}"),
    })
}

/// A file, or stdin, that is needed as a whole.
pub(super) fn in_memory(path: &str) -> anyhow::Result<Vec<u8>> {
    let unreadable = || unreadable(path);
    let opened: Box<dyn io::Read> = match path {
        "-" => Box::new(Stdin::open().with_context(unreadable)?),
        path => Box::new(File::open(path).with_context(unreadable)?),
    };
    let mut bytes = Vec::new();
    opened
        .take(ENCODED_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(unreadable)?;
    if bytes.len() as u64 > ENCODED_BYTES_MAX {
        bail!("{} is longer than {ENCODED_BYTES_MAX} bytes", visible(path));
    }
    Ok(bytes)
}

fn unreadable(path: &str) -> Told {
    Told::new(
        Exit::Read,
        format!("body file {} cannot be read", visible(path)),
    )
}

impl Content {
    /// The field that tells its end, for --verbose.
    pub(super) fn framing(&self) -> String {
        match self.length {
            Some(length) => format!("content-length: {length}"),
            None => "transfer-encoding: chunked".to_owned(),
        }
    }
}

impl Sending {
    /// The content of a file, or of stdin where it is -.
    pub(super) fn file(&self, path: &str) -> anyhow::Result<Content> {
        Part::open(path).map(|part| self.of(part))
    }

    fn of(&self, part: Part) -> Content {
        let (body, length) = match (self.rate, part) {
            (Some(rate), part) => {
                let (bytes, length) = part.into_stream();
                (Body::from_reader(Paced::new(bytes, rate), length), length)
            }
            (None, Part::Bytes(bytes)) => {
                let length = bytes.len() as u64;
                (Body::from(bytes), Some(length))
            }
            (None, Part::File(file, length)) => (Body::from(file), Some(length)),
            (None, Part::Stream { bytes, length }) => (Body::from_reader(bytes, length), length),
        };
        Content { body, length }
    }
}

impl Part {
    fn of_datum(datum: &Datum) -> anyhow::Result<Part> {
        let path = datum.text.strip_prefix('@');
        match (datum.kind, path) {
            (Kind::Encoded, _) => encoded(&datum.text).map(|text| Part::Bytes(text.into_bytes())),
            (Kind::Data | Kind::Json, Some(path)) => Part::open(path),
            _ => Ok(Part::Bytes(datum.text.as_bytes().to_vec())),
        }
    }

    fn open(path: &str) -> anyhow::Result<Part> {
        if path == "-" {
            let unreadable = || Told::new(Exit::Read, "the content cannot be read");
            let stdin = AsyncStdin::open().with_context(unreadable)?;
            return Ok(Part::Stream {
                bytes: Box::pin(stdin),
                length: None,
            });
        }
        Part::of_path(Path::new(path))
    }

    fn of_path(path: &Path) -> anyhow::Result<Part> {
        let unreadable = || unreadable(&path.to_string_lossy());
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
