//! Reading the content of a request.

use std::io;

use bytes::Buf;
use memchr::memmem;

use crate::connection::Connection;
use crate::head::Framing;

/// The longest content that is kept, for `/echo`. Beyond it the answer is 413.
pub(crate) const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The content so far, if it is to be kept; nothing again once it is longer than [`KEPT_BYTES_MAX`].
pub(crate) type Kept = Option<Vec<u8>>;

pub(crate) fn keep(kept: &mut Kept, piece: &[u8]) {
    if let Some(bytes) = kept {
        if piece.len() > KEPT_BYTES_MAX - bytes.len() {
            *kept = None;
        } else {
            bytes.extend_from_slice(piece);
        }
    }
}

impl Connection<'_> {
    /// Reads a whole content.
    ///
    /// # Errors
    ///
    /// `InvalidData` where chunked framing is broken, else what the stream says.
    pub(crate) async fn read_body(&mut self, framing: Framing, kept: &mut Kept) -> io::Result<()> {
        match framing {
            Framing::Length(length) => self.read_length(length, kept).await,
            Framing::Chunked => self.read_chunked(kept).await,
            Framing::None => Ok(()),
        }
    }

    async fn read_length(&mut self, mut missing: u64, kept: &mut Kept) -> io::Result<()> {
        while missing > 0 {
            if self.inbox.is_empty() {
                self.fill().await?;
            }
            let take = missing.try_into().unwrap_or(usize::MAX);
            let take = take.min(self.inbox.len());
            keep(kept, &self.inbox[..take]);
            self.host.counters.received(take);
            self.inbox.advance(take);
            missing -= take as u64;
        }
        Ok(())
    }

    async fn read_chunked(&mut self, kept: &mut Kept) -> io::Result<()> {
        loop {
            let line = self.line_end().await?;
            let size = chunk_size(&self.inbox[..line])?;
            self.inbox.advance(line + 2);
            if size == 0 {
                return self.read_trailers().await;
            }
            self.read_length(size, kept).await?;
            if self.line_end().await? != 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.inbox.advance(2);
        }
    }

    async fn read_trailers(&mut self) -> io::Result<()> {
        loop {
            let line = self.line_end().await?;
            self.inbox.advance(line + 2);
            if line == 0 {
                return Ok(());
            }
        }
    }

    /// Reads until a whole line is there; its length without CRLF.
    async fn line_end(&mut self) -> io::Result<usize> {
        loop {
            if let Some(length) = memmem::find(&self.inbox, b"\r\n") {
                return Ok(length);
            }
            self.fill().await?;
        }
    }
}

/// `chunk-size [ chunk-ext ]` of RFC 9112 §7.1.
fn chunk_size(line: &[u8]) -> io::Result<u64> {
    let end = memchr::memchr(b';', line).unwrap_or(line.len());
    let text = str::from_utf8(line[..end].trim_ascii_end()).ok();
    text.filter(|text| !text.starts_with('+'))
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}
