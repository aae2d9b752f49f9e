//! Plays the steps of one connection.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::step::Step;
use crate::socket;
use crate::stream::Stream;

/// What one connection received, as it is told to tests.
pub(super) type Transcript = Arc<Mutex<Vec<u8>>>;

/// Plays `steps` on a fresh connection and closes it.
pub(super) async fn play(tcp: TcpStream, steps: Vec<Step>, received: Transcript) {
    // Without it the pieces of `SendSplit` would be gathered again.
    let _ = tcp.set_nodelay(true);
    let mut player = Player {
        stream: Some(Stream::Plain(tcp)),
        received,
        used: 0,
    };
    for step in steps {
        match player.step(step).await {
            Ok(()) if player.stream.is_some() => {}
            _ => return,
        }
    }
    let _ = player.close().await;
}

struct Player {
    /// Gone once the script has closed it.
    stream: Option<Stream>,
    received: Transcript,
    /// How much of what was received the reading steps have used.
    used: usize,
}

impl Player {
    async fn step(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::ReadHead => self.read_head().await,
            Step::ReadExact(length) => self.read_exact(length).await,
            Step::ReadToEnd | Step::Stall => self.read_to_end().await,
            Step::Send(bytes) => self.send(&bytes).await,
            Step::SendSplit(bytes, size) => self.send_split(&bytes, size).await,
            Step::Flood(bytes) => loop {
                self.send(&bytes).await?;
            },
            Step::Sleep(duration) => {
                tokio::time::sleep(duration).await;
                Ok(())
            }
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
                self.stream = Some(stream.handshake(config).await?);
                Ok(())
            }
        }
    }

    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    async fn read_head(&mut self) -> io::Result<()> {
        loop {
            let end = self.look(|unused| memmem::find(unused, b"\r\n\r\n"));
            if let Some(end) = end {
                self.used += end + 4;
                return Ok(());
            }
            self.read_or_fail().await?;
        }
    }

    async fn read_exact(&mut self, length: usize) -> io::Result<()> {
        while self.look(<[u8]>::len) < length {
            self.read_or_fail().await?;
        }
        self.used += length;
        Ok(())
    }

    async fn read_to_end(&mut self) -> io::Result<()> {
        while self.read().await? > 0 {}
        self.used += self.look(<[u8]>::len);
        Ok(())
    }

    /// What was received and not used yet.
    fn look<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        look(&received[self.used..])
    }

    async fn read_or_fail(&mut self) -> io::Result<()> {
        match self.read().await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let mut piece = vec![0; 16 * 1024];
        let read = self.stream()?.read(&mut piece).await?;
        self.record(&piece[..read]);
        Ok(read)
    }

    fn record(&self, piece: &[u8]) {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.extend_from_slice(piece);
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
