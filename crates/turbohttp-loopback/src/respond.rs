//! The answers that are computed, streamed, delayed or broken.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::answer::{self, Answer, LAST_CHUNK, OCTETS};
use crate::body::Kept;
use crate::connection::{After, Connection};
use crate::head::{Framing, Head};
use crate::pattern::piece;
use crate::route::Route;
use crate::socket;

/// Into how many pieces `/slow` cuts its content.
const SLOW_PIECES: u64 = 10;

impl Connection<'_> {
    /// Answers the request whose head `bytes` are; its content has been read, and is in `kept` if the
    /// answer has it.
    pub(crate) async fn respond(
        &mut self,
        mut head: Head,
        bytes: &[u8],
        kept: Kept,
    ) -> io::Result<After> {
        match head.route(bytes) {
            Route::Echo => self.send(&echo(&head, bytes, kept), &head).await,
            Route::Headers => self.send(&Answer::text(200, bytes), &head).await,
            Route::Id(id) => self.send(&Answer::text(200, id), &head).await,
            Route::Delay { ms } => {
                sleep(Duration::from_millis(ms)).await;
                self.send(&Answer::small(), &head).await
            }
            Route::Bytes(length) => {
                let framing = Framing::Length(length);
                self.send_streamed(&head, framing, length).await
            }
            Route::Chunked { count, size } => self.send_chunked(&head, count, size).await,
            Route::Slow { bytes, ms } => self.send_slowly(&head, bytes, ms).await,
            Route::Close(length) => {
                head.keep_alive = false;
                self.send_streamed(&head, Framing::None, length).await
            }
            Route::Drop => Ok(After::Close),
            Route::DropHalfway(length) => self.send_half(&head, length).await,
            Route::Reset => {
                socket::reset_on_close(self.stream.tcp());
                Ok(After::Close)
            }
            Route::Never => self.drain().await.map(|()| After::Close),
            Route::Unknown => self.send(&Answer::status(404), &head).await,
            Route::Index | Route::Small | Route::Status(_) => unreachable!("kept by the host"),
        }
    }

    async fn send_streamed(
        &mut self,
        head: &Head,
        framing: Framing,
        length: u64,
    ) -> io::Result<After> {
        self.begin(head, framing).await?;
        if !head.is_head_method {
            self.send_pattern(0, length).await?;
        }
        self.end(head).await
    }

    async fn send_chunked(&mut self, head: &Head, count: u64, size: u64) -> io::Result<After> {
        self.begin(head, Framing::Chunked).await?;
        if !head.is_head_method {
            let size_line = format!("{size:x}\r\n");
            for i in 0..count {
                self.stream.write_all(size_line.as_bytes()).await?;
                self.send_pattern(i.wrapping_mul(size), size).await?;
                self.stream.write_all(b"\r\n").await?;
            }
            self.stream.write_all(LAST_CHUNK).await?;
        }
        self.end(head).await
    }

    async fn send_slowly(&mut self, head: &Head, length: u64, ms: u64) -> io::Result<After> {
        self.begin(head, Framing::Length(length)).await?;
        let piece = length.div_ceil(SLOW_PIECES).max(1);
        let mut sent = if head.is_head_method { length } else { 0 };
        while sent < length {
            if sent > 0 {
                self.stream.flush().await?;
                sleep(Duration::from_millis(ms)).await;
            }
            self.send_pattern(sent, piece.min(length - sent)).await?;
            sent += piece;
        }
        self.end(head).await
    }

    /// Without the orderly end of TLS, too.
    async fn send_half(&mut self, head: &Head, length: u64) -> io::Result<After> {
        self.begin(head, Framing::Length(length)).await?;
        self.send_pattern(0, length / 2).await?;
        self.stream.flush().await?;
        Ok(After::Close)
    }

    async fn begin(&mut self, head: &Head, framing: Framing) -> io::Result<()> {
        let fields = match head.keep_alive {
            true => "",
            false => "connection: close\r\n",
        };
        let bytes = answer::head(200, OCTETS, framing, fields);
        self.stream.write_all(&bytes).await
    }

    async fn end(&mut self, head: &Head) -> io::Result<After> {
        self.stream.flush().await?;
        if head.keep_alive {
            return Ok(After::KeepAlive);
        }
        self.stream.shutdown().await?;
        Ok(After::Close)
    }

    async fn send_pattern(&mut self, mut offset: u64, mut length: u64) -> io::Result<()> {
        while length > 0 {
            let piece = piece(offset, length);
            self.stream.write_all(piece).await?;
            self.host.counters.sent(piece.len());
            offset = offset.wrapping_add(piece.len() as u64);
            length -= piece.len() as u64;
        }
        Ok(())
    }
}

fn echo(head: &Head, bytes: &[u8], kept: Kept) -> Answer {
    let Some(content) = kept else {
        return Answer::status(413);
    };
    let content_type = head.content_type.clone().map(|at| &bytes[at]);
    let content_type = content_type.and_then(|name| str::from_utf8(name).ok());
    Answer::with_type(200, content_type.unwrap_or(OCTETS), &content)
}
