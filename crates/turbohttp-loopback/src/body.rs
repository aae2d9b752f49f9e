//! Reading the content of a request.

use std::io;

use memchr::memmem;

use crate::head::Framing;
use crate::inbox::Inbox;
use crate::stats::Counters;
use crate::stream::Stream;

/// The longest content that is kept, for `/echo`. Beyond it the answer is 413.
pub(crate) const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What becomes of the content.
pub(crate) enum Sink {
    Discard,
    /// At most [`KEPT_BYTES_MAX`]; what comes after is dropped and `overflow` set.
    Keep {
        bytes: Vec<u8>,
        overflow: bool,
    },
}

impl Sink {
    fn take(&mut self, piece: &[u8]) {
        if let Sink::Keep { bytes, overflow } = self {
            if piece.len() > KEPT_BYTES_MAX - bytes.len() {
                *overflow = true;
            } else {
                bytes.extend_from_slice(piece);
            }
        }
    }
}

/// The content of one request, as it is read.
pub(crate) struct Intake<'a> {
    pub(crate) stream: &'a mut Stream,
    pub(crate) inbox: &'a mut Inbox,
    pub(crate) counters: &'a Counters,
    pub(crate) sink: &'a mut Sink,
}

impl Intake<'_> {
    /// Reads the whole content.
    ///
    /// # Errors
    ///
    /// `InvalidData` where chunked framing is broken, else what the stream says.
    pub(crate) async fn read(&mut self, framing: Framing) -> io::Result<()> {
        match framing {
            Framing::Length(length) => self.read_length(length).await,
            Framing::Chunked => self.read_chunked().await,
        }
    }

    async fn read_length(&mut self, mut missing: u64) -> io::Result<()> {
        while missing > 0 {
            if self.inbox.unread().is_empty() {
                self.inbox.fill(self.stream).await?;
            }
            let unread = self.inbox.unread();
            let take = usize::try_from(missing)
                .unwrap_or(usize::MAX)
                .min(unread.len());
            self.sink.take(&unread[..take]);
            self.counters.received(take);
            self.inbox.consume(take);
            missing -= take as u64;
        }
        Ok(())
    }

    async fn read_chunked(&mut self) -> io::Result<()> {
        loop {
            let line = self.line_end().await?;
            let size = chunk_size(&self.inbox.unread()[..line])?;
            self.inbox.consume(line + 2);
            if size == 0 {
                return self.read_trailers().await;
            }
            self.read_length(size).await?;
            if self.line_end().await? != 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.inbox.consume(2);
        }
    }

    async fn read_trailers(&mut self) -> io::Result<()> {
        loop {
            let line = self.line_end().await?;
            self.inbox.consume(line + 2);
            if line == 0 {
                return Ok(());
            }
        }
    }

    /// Reads until a whole line is there; its length without CRLF.
    async fn line_end(&mut self) -> io::Result<usize> {
        loop {
            if let Some(length) = memmem::find(self.inbox.unread(), b"\r\n") {
                return Ok(length);
            }
            self.inbox.fill(self.stream).await?;
        }
    }
}

/// `chunk-size [ chunk-ext ]` of RFC 9112 §7.1.
fn chunk_size(line: &[u8]) -> io::Result<u64> {
    let size = line
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or(line)
        .trim_ascii_end();
    let text = str::from_utf8(size)
        .ok()
        .filter(|text| !text.starts_with('+'));
    text.and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::chunk_size;

    #[test]
    fn chunk_sizes_are_hexadecimal_and_nothing_else() {
        assert_eq!(chunk_size(b"1A;name=value").unwrap(), 26);
        assert_eq!(chunk_size(b"0").unwrap(), 0);
        for line in ["", "+1", "-1", "0x1", "g", " 1", "10000000000000000"] {
            assert!(chunk_size(line.as_bytes()).is_err(), "{line:?}");
        }
    }
}
