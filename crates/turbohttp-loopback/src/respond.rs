//! The answers that are computed, streamed, delayed or broken.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::answer::{self, Answer, Delimiter, LAST_CHUNK, OCTETS};
use crate::body::Sink;
use crate::connection::{After, Connection};
use crate::head::Head;
use crate::pattern::piece;
use crate::route::Route;
use crate::socket;

/// Into how many pieces `/slow` cuts its content.
const SLOW_PIECES: u64 = 10;

impl Connection<'_> {
    /// Answers the request whose head `bytes` are; its content has been read into `sink`.
    pub(crate) async fn respond(
        &mut self,
        head: &Head,
        bytes: &[u8],
        sink: Sink,
    ) -> io::Result<After> {
        match Route::parse(&bytes[head.target.clone()]) {
            Route::Echo => self.send(&echo(head, bytes, sink), head).await,
            Route::Headers => self.send(&Answer::text(200, bytes), head).await,
            Route::Id(id) => self.send(&Answer::text(200, id), head).await,
            Route::Delay { ms } => {
                sleep(Duration::from_millis(ms)).await;
                self.send(&Answer::small(), head).await
            }
            Route::Bytes(length) => self.send_streamed(head, length).await,
            Route::Chunked { count, size } => self.send_chunked(head, count, size).await,
            Route::Slow { bytes, ms } => self.send_slowly(head, bytes, ms).await,
            Route::Close(length) => self.send_until_close(head, length).await,
            Route::Drop => Ok(After::Close),
            Route::DropHalfway(length) => self.send_half(length).await,
            Route::Reset => {
                socket::reset_on_close(self.stream.tcp());
                Ok(After::Close)
            }
            Route::Never => self.drain().await.map(|()| After::Close),
            Route::Unknown => self.send(&Answer::status(404), head).await,
            Route::Index | Route::Small | Route::Status(_) => unreachable!("kept by the host"),
        }
    }

    async fn send_streamed(&mut self, head: &Head, length: u64) -> io::Result<After> {
        self.begin(head, Delimiter::Length(length)).await?;
        if !head.is_head_method {
            self.send_pattern(0, length).await?;
        }
        self.end(head).await
    }

    async fn send_chunked(&mut self, head: &Head, count: u64, size: u64) -> io::Result<After> {
        self.begin(head, Delimiter::Chunked).await?;
        if !head.is_head_method {
            let mut frame = Vec::new();
            for i in 0..count {
                frame.clear();
                answer::push_chunk_head(&mut frame, size);
                self.stream.write_all(&frame).await?;
                self.send_pattern(i.wrapping_mul(size), size).await?;
                self.stream.write_all(b"\r\n").await?;
            }
            self.stream.write_all(LAST_CHUNK).await?;
        }
        self.end(head).await
    }

    async fn send_slowly(&mut self, head: &Head, length: u64, ms: u64) -> io::Result<After> {
        self.begin(head, Delimiter::Length(length)).await?;
        if head.is_head_method {
            return self.end(head).await;
        }
        let piece = length.div_ceil(SLOW_PIECES).max(1);
        let mut sent = 0;
        while sent < length {
            if sent > 0 {
                sleep(Duration::from_millis(ms)).await;
            }
            self.send_pattern(sent, piece.min(length - sent)).await?;
            self.stream.flush().await?;
            sent += piece;
        }
        self.end(head).await
    }

    async fn send_until_close(&mut self, head: &Head, length: u64) -> io::Result<After> {
        let bytes = answer::head(200, OCTETS, Delimiter::None, "connection: close\r\n");
        self.stream.write_all(&bytes).await?;
        if !head.is_head_method {
            self.send_pattern(0, length).await?;
        }
        self.stream.shutdown().await?;
        Ok(After::Close)
    }

    /// Without the orderly end of TLS, too.
    async fn send_half(&mut self, length: u64) -> io::Result<After> {
        let bytes = answer::head(200, OCTETS, Delimiter::Length(length), "");
        self.stream.write_all(&bytes).await?;
        self.send_pattern(0, length / 2).await?;
        self.stream.flush().await?;
        Ok(After::Close)
    }

    async fn begin(&mut self, head: &Head, delimiter: Delimiter) -> io::Result<()> {
        let fields = if head.keep_alive {
            ""
        } else {
            "connection: close\r\n"
        };
        self.stream
            .write_all(&answer::head(200, OCTETS, delimiter, fields))
            .await
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

fn echo(head: &Head, bytes: &[u8], sink: Sink) -> Answer {
    match sink {
        Sink::Keep {
            bytes: content,
            overflow: false,
        } => {
            let content_type = head.content_type.clone().map(|at| &bytes[at]);
            let content_type = content_type.and_then(|name| str::from_utf8(name).ok());
            Answer::with_type(200, content_type.unwrap_or(OCTETS), &content)
        }
        _ => Answer::status(413),
    }
}
