//! The practical limit: a socket per caller, prebuilt bytes, one write, one read into a fixed
//! buffer. It parses nothing in general and has no pool.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use memchr::memmem::Finder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Peer, Work};
use crate::case::Workload;

/// Large enough for every short answer in one read; for long ones the size that streams fastest.
const BUFFER_BYTES: usize = 256 * 1024;

/// One connection.
pub(crate) struct LimitTokio {
    stream: TcpStream,
    buffer: Vec<u8>,
    request: Vec<u8>,
    head_end: Finder<'static>,
    content_type: Finder<'static>,
    work: Arc<Work>,
}

impl Peer for LimitTokio {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<LimitTokio>> {
        let mut callers = Vec::with_capacity(count);
        for _ in 0..count {
            let stream = TcpStream::connect(&work.authority).await?;
            stream.set_nodelay(true)?;
            callers.push(LimitTokio {
                stream,
                buffer: vec![0; BUFFER_BYTES],
                request: request(&work),
                head_end: Finder::new(b"\r\n\r\n"),
                content_type: Finder::new(b"\r\ncontent-type: "),
                work: work.clone(),
            });
        }
        Ok(callers)
    }

    async fn exchange(&mut self) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        let (head, mut filled) = self.read_head().await?;
        self.check_head(head)?;
        if self.work.is_collected() {
            return self.collect(head, filled).await;
        }
        if self.work.workload == Workload::Chunked {
            while !self.buffer[..filled].ends_with(b"\r\n0\r\n\r\n") {
                filled += self.read(filled).await?;
            }
            return Ok(());
        }
        let mut length = (filled - head) as u64;
        while length < self.work.workload.content_length() {
            length += self.read(0).await? as u64;
        }
        self.work.check_length(length)
    }
}

impl LimitTokio {
    /// Length of the head, and how much was read.
    async fn read_head(&mut self) -> Result<(usize, usize)> {
        let mut filled = 0;
        loop {
            filled += self.read(filled).await?;
            if let Some(end) = self.head_end.find(&self.buffer[..filled]) {
                return Ok((end + 4, filled));
            }
        }
    }

    fn check_head(&self, head: usize) -> Result<()> {
        let head = &self.buffer[..head];
        let status = if head.starts_with(b"HTTP/1.1 200 ") {
            200
        } else {
            0
        };
        let content_type = self.content_type.find(head);
        let content_type = content_type.map(|at| &head[at + self.content_type.needle().len()..]);
        self.work.check_head(status, content_type)
    }

    async fn read(&mut self, filled: usize) -> Result<usize> {
        let read = self.stream.read(&mut self.buffer[filled..]).await?;
        ensure!(read > 0, "the connection ended within an answer");
        Ok(read)
    }

    async fn collect(&mut self, head: usize, filled: usize) -> Result<()> {
        let length = usize::try_from(self.work.workload.content_length()).context("too long")?;
        let mut content = Vec::with_capacity(length);
        content.extend_from_slice(&self.buffer[head..filled]);
        while content.len() < length {
            let missing = (length - content.len()) as u64;
            let read = (&mut self.stream)
                .take(missing)
                .read_buf(&mut content)
                .await?;
            ensure!(read > 0, "the connection ended within an answer");
        }
        self.work
            .check_length(std::hint::black_box(content).len() as u64)
    }
}

fn request(work: &Work) -> Vec<u8> {
    let (path, host) = (work.workload.path(), &work.authority);
    match &work.content {
        None => format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(),
        Some(content) => {
            let length = content.len();
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
            [head.as_bytes(), content].concat()
        }
    }
}
