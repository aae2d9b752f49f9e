//! Stdin as it is: closed, or non-blocking because another process that has it wants it so.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::JoinHandle;

use crate::output::standard;

/// Stdin for the thread that reads a list; waits where the system would not.
pub(crate) struct Stdin(io::Stdin);

impl Stdin {
    /// # Errors
    ///
    /// When stdin was closed: it is no empty file.
    pub(crate) fn open() -> io::Result<Stdin> {
        standard::require_stdin()?;
        Ok(Stdin(io::stdin()))
    }
}

impl io::Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait()?,
                read => return read,
            }
        }
    }
}

/// Stdin for the content of a request.
pub(crate) struct AsyncStdin {
    inner: tokio::io::Stdin,
    /// Waits until there is something to read.
    waiting: Option<JoinHandle<io::Result<()>>>,
}

impl AsyncStdin {
    /// # Errors
    ///
    /// When stdin was closed: it is no empty content.
    pub(crate) fn open() -> io::Result<AsyncStdin> {
        standard::require_stdin()?;
        Ok(AsyncStdin {
            inner: tokio::io::stdin(),
            waiting: None,
        })
    }
}

impl AsyncRead for AsyncStdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                let waited = ready!(Pin::new(waiting).poll(cx));
                self.waiting = None;
                waited.map_err(io::Error::other)??;
            }
            match ready!(Pin::new(&mut self.inner).poll_read(cx, buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting = Some(tokio::task::spawn_blocking(wait));
                }
                read => return Poll::Ready(read),
            }
        }
    }
}

/// Waits until stdin has something to read, or has ended.
#[cfg(unix)]
fn wait() -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    let stdin = io::stdin();
    loop {
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Elsewhere stdin is never non-blocking.
#[cfg(not(unix))]
fn wait() -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}
