//! The practical limit: a socket per caller, prebuilt bytes, one write, one read into a fixed
//! buffer. It parses nothing in general and has no pool.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::{self, BUFFER_BYTES, Finders};
use super::{Work, tls};
use crate::case::Workload;
use crate::load::Peer;

/// One connection.
pub(super) struct LimitTokio<S> {
    stream: S,
    buffer: Vec<u8>,
    request: Vec<u8>,
    finders: Finders,
    work: Arc<Work>,
}

/// A stream that can be connected.
pub(super) trait Connect: AsyncRead + AsyncWrite + Send + Unpin + Sized + 'static {
    /// So many connections.
    fn connect(work: &Work, count: usize) -> impl Future<Output = Result<Vec<Self>>>;
}

impl Connect for TcpStream {
    async fn connect(work: &Work, count: usize) -> Result<Vec<TcpStream>> {
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            streams.push(tls::connect_tcp(work).await?);
        }
        Ok(streams)
    }
}

impl Connect for tls::Stream {
    async fn connect(work: &Work, count: usize) -> Result<Vec<tls::Stream>> {
        let config = Arc::new(tls::client_config(work.root_pem.as_deref())?);
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            streams.push(tls::connect_tls(work, config.clone()).await?);
        }
        Ok(streams)
    }
}

impl<S: Connect> Peer for LimitTokio<S> {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<LimitTokio<S>>> {
        let streams = S::connect(&work, count).await?;
        let caller = |stream| LimitTokio {
            stream,
            buffer: vec![0; BUFFER_BYTES],
            request: answer::request(&work),
            finders: Finders::new(),
            work: work.clone(),
        };
        Ok(streams.into_iter().map(caller).collect())
    }

    async fn exchange(&mut self) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        // Nothing to do for a socket; TLS may hold something back.
        self.stream.flush().await?;
        let (head, mut filled) = self.read_head().await?;
        self.finders.check_head(&self.work, &self.buffer[..head])?;
        if self.work.is_collected() {
            return self.collect(head, filled).await;
        }
        if self.work.workload == Workload::Chunked {
            loop {
                if let Some(length) = answer::chunked_length(&self.buffer[head..filled])? {
                    return self.work.check_length(length);
                }
                filled += self.read(filled).await?;
            }
        }
        let mut length = (filled - head) as u64;
        while length < self.work.workload.content_length() {
            length += self.read(0).await? as u64;
        }
        self.work.check_length(length)
    }
}

impl<S: Connect> LimitTokio<S> {
    /// Length of the head, and how much was read.
    async fn read_head(&mut self) -> Result<(usize, usize)> {
        let mut filled = 0;
        loop {
            filled += self.read(filled).await?;
            if let Some(head) = self.finders.head_length(&self.buffer[..filled]) {
                return Ok((head, filled));
            }
        }
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
