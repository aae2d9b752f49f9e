//! Writing a reply by HTTP/1.1 that is streamed, late or none at all.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::answer::LAST_CHUNK;
use crate::connection::{After, Connection};
use crate::head::{Framing, Head};
use crate::pattern::piece;
use crate::reply::{End, Reply, Streamed};
use crate::socket;

impl Connection<'_> {
    /// Answers the request with this head; its content has been read.
    pub(crate) async fn respond(&mut self, mut head: Head, reply: Reply) -> io::Result<After> {
        match reply {
            Reply::Whole(answer) => self.send(&answer, &head).await,
            Reply::Late(answer, delay) => {
                sleep(delay).await;
                self.send(&answer, &head).await
            }
            Reply::Streamed(streamed) => {
                // RFC 9112 §6.3: only the end of the connection can end it.
                head.keep_alive &= streamed.head.framing != Framing::None;
                self.send_streamed(&head, &streamed).await
            }
            Reply::Close => Ok(After::Close),
            Reply::Reset(_) => {
                socket::reset_on_close(self.stream.tcp());
                Ok(After::Close)
            }
            Reply::Never => self.drain().await.map(|()| After::Close),
        }
    }

    async fn send_streamed(&mut self, head: &Head, streamed: &Streamed) -> io::Result<After> {
        let mut bytes = streamed.head.to_http1();
        if !head.keep_alive {
            bytes.truncate(bytes.len() - 2);
            bytes.extend_from_slice(b"connection: close\r\n\r\n");
        }
        self.stream.write_all(&bytes).await?;
        if !head.is_head_method {
            self.send_content(streamed).await?;
        }
        self.stream.flush().await?;
        // Cut without the orderly end of TLS, too.
        if streamed.end == End::Cut {
            return Ok(After::Close);
        }
        if head.keep_alive {
            return Ok(After::KeepAlive);
        }
        self.stream.shutdown().await?;
        Ok(After::Close)
    }

    async fn send_content(&mut self, streamed: &Streamed) -> io::Result<()> {
        let is_chunked = streamed.head.framing == Framing::Chunked;
        let mut sent = 0;
        while sent < streamed.length {
            if let (1.., Some(pause)) = (sent, streamed.pause) {
                self.stream.flush().await?;
                sleep(pause).await;
            }
            let length = streamed.piece.min(streamed.length - sent);
            if is_chunked {
                let size_line = format!("{length:x}\r\n");
                self.stream.write_all(size_line.as_bytes()).await?;
            }
            self.send_pattern(sent, length).await?;
            if is_chunked {
                self.stream.write_all(b"\r\n").await?;
            }
            sent += length;
        }
        match streamed.end {
            End::Trailer(name, value) => {
                let section = format!("0\r\n{name}: {value}\r\n\r\n");
                self.stream.write_all(section.as_bytes()).await
            }
            End::Content if is_chunked => self.stream.write_all(LAST_CHUNK).await,
            End::Content | End::Cut => Ok(()),
        }
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
