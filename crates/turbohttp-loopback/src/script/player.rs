//! Plays the steps of one connection.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::frames::{self, Frame};
use super::server::Log;
use super::step::Step;
use crate::head;
use crate::socket;
use crate::stream::Stream;

/// Plays `steps` on a fresh connection, which has this number in the log, and closes it.
pub(super) async fn play(tcp: TcpStream, steps: Vec<Step>, log: Arc<Log>, number: usize) {
    let _open = log.counters.connection();
    // Without it the pieces of `SendSplit` would be gathered again.
    let _ = tcp.set_nodelay(true);
    let mut player = Player {
        stream: Some(Box::new(tcp)),
        log: &log,
        number,
        used: 0,
        frame: None,
    };
    for step in steps {
        match player.step(step).await {
            Ok(()) if player.stream.is_some() => {}
            _ => return,
        }
    }
    let _ = player.close().await;
}

struct Player<'a> {
    /// Gone once the script has closed it.
    stream: Option<Box<dyn Stream>>,
    log: &'a Log,
    number: usize,
    /// How much of what was received the reading steps have used.
    used: usize,
    /// The frame that was read last.
    frame: Option<Frame>,
}

impl Player<'_> {
    async fn step(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::ReadHead => self.read_until(head::find_end).await,
            Step::ReadExact(length) => {
                let whole = |unused: &[u8]| (unused.len() >= length).then_some(length);
                self.read_until(whole).await
            }
            Step::ReadPreface => self.read_preface().await,
            Step::ReadFrame(kind, stream) => self.read_frame(kind, stream).await,
            Step::ReadUntil(wanted) => self.read_frames(|frame| wanted.is(frame)).await,
            Step::ReadToEnd | Step::Stall => self.read_to_end().await,
            Step::Send(bytes) => self.send(&bytes).await,
            Step::SendSplit(bytes, size) => self.send_split(&bytes, size).await,
            Step::Answer(answer) => {
                let frame = self.frame.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
                self.send(&answer.to(frame)).await
            }
            Step::Repeat(steps) => loop {
                for step in &steps {
                    Box::pin(self.step(step.clone())).await?;
                }
                if self.stream.is_none() {
                    return Ok(());
                }
                // Steps that wait for nothing would let no other connection go on.
                tokio::task::yield_now().await;
            },
            Step::Flood(bytes) => loop {
                self.send(&bytes).await?;
            },
            Step::Await(signal) => {
                signal.wait().await;
                Ok(())
            }
            Step::Deaf => std::future::pending().await,
            Step::HalfClose => self.stream()?.shutdown().await,
            Step::Close => self.close().await,
            Step::Truncate => {
                self.drain();
                self.stream = None;
                Ok(())
            }
            Step::Reset => self.reset(),
            #[cfg(feature = "tls")]
            Step::Handshake(config) => {
                let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
                self.stream = Some(crate::stream::handshake(stream, config).await?);
                Ok(())
            }
        }
    }

    fn stream(&mut self) -> io::Result<&mut Box<dyn Stream>> {
        self.stream
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Reads until what is not used yet holds what is asked for, whose length `find` tells; uses it.
    async fn read_until(&mut self, find: impl Fn(&[u8]) -> Option<usize>) -> io::Result<()> {
        loop {
            let found = find(&self.log.received()[self.number][self.used..]);
            if let Some(length) = found {
                self.used += length;
                return Ok(());
            }
            if self.read().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn read_preface(&mut self) -> io::Result<()> {
        self.read_until(|unused| {
            (unused.len() >= frames::PREFACE.len()).then_some(frames::PREFACE.len())
        })
        .await?;
        self.read_frame(frames::SETTINGS, Some(0)).await
    }

    async fn read_frame(&mut self, kind: u8, stream: Option<u32>) -> io::Result<()> {
        let is_on = |frame: &Frame| stream.is_none_or(|stream| frame.stream == stream);
        self.read_frames(|frame| frame.kind == kind && is_on(frame))
            .await
    }

    /// Reads frames until one is wanted.
    async fn read_frames(&mut self, is_wanted: impl Fn(&Frame) -> bool) -> io::Result<()> {
        loop {
            let whole = |unused: &[u8]| frames::first(unused).map(|(_, length)| length);
            let start = self.used;
            self.read_until(whole).await?;
            let read = frames::first(&self.log.received()[self.number][start..self.used]);
            self.frame = read.map(|(frame, _)| frame);
            if self.frame.as_ref().is_some_and(&is_wanted) {
                return Ok(());
            }
        }
    }

    async fn read_to_end(&mut self) -> io::Result<()> {
        while self.read().await? > 0 {}
        self.used = self.log.received()[self.number].len();
        Ok(())
    }

    async fn read(&mut self) -> io::Result<usize> {
        let mut piece = vec![0; 16 * 1024];
        let read = self.stream()?.read(&mut piece).await?;
        self.log.received()[self.number].extend_from_slice(&piece[..read]);
        Ok(read)
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream()?;
        stream.write_all(bytes).await?;
        stream.flush().await
    }

    async fn send_split(&mut self, bytes: &[u8], size: usize) -> io::Result<()> {
        for piece in bytes.chunks(size.max(1)) {
            self.send(piece).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        self.drain();
        match self.stream.take() {
            Some(mut stream) => stream.shutdown().await,
            None => Ok(()),
        }
    }

    /// Reads off the socket what has arrived; over TLS as ciphertext, so it is not recorded.
    fn drain(&mut self) {
        let mut piece = [0; 4096];
        while let Some(stream) = &self.stream
            && let Ok(1..) = stream.tcp().try_read(&mut piece)
        {}
    }

    fn reset(&mut self) -> io::Result<()> {
        socket::reset_on_close(self.stream()?.tcp());
        self.stream = None;
        Ok(())
    }
}
