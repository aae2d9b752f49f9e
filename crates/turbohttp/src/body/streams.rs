//! What other crates have bodies as, each as a stream of [`Bytes`].

use std::error::Error as StdError;
use std::fs::File;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::HeaderMap;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::limits::UPLOAD_PIECE_BYTES;

/// Where the pieces of a streamed body come from.
pub(crate) trait PieceSource: Send {
    /// The next piece; `None` at the end of the body.
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>>;

    /// The fields behind the last piece, once.
    fn take_trailers(self: Pin<&mut Self>) -> Option<HeaderMap> {
        None
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Send> PieceSource for S {
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        self.poll_next(cx)
    }
}

/// A stream of any pieces and errors as one of [`Bytes`] and [`io::Error`].
pub(super) struct MappedStream<S> {
    stream: Pin<Box<S>>,
}

impl<S> MappedStream<S> {
    pub(super) fn new(stream: S) -> MappedStream<S> {
        MappedStream {
            stream: Box::pin(stream),
        }
    }
}

impl<S, O, E> Stream for MappedStream<S>
where
    S: Stream<Item = Result<O, E>>,
    O: Into<Bytes>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        let next = std::task::ready!(self.stream.as_mut().poll_next(cx));
        Poll::Ready(next.map(|piece| piece.map(Into::into).map_err(io::Error::other)))
    }
}

/// An [`http_body::Body`] as a source of its data, and of its trailers.
pub(super) struct WrappedStream<B> {
    body: Pin<Box<B>>,
    trailers: Option<HeaderMap>,
}

impl<B> WrappedStream<B> {
    pub(super) fn new(body: B) -> WrappedStream<B> {
        WrappedStream {
            body: Box::pin(body),
            trailers: None,
        }
    }
}

impl<B> PieceSource for WrappedStream<B>
where
    B: http_body::Body + Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let Some(frame) = std::task::ready!(self.body.as_mut().poll_frame(cx)) else {
                return Poll::Ready(None);
            };
            match frame.map_err(io::Error::other)?.into_data() {
                Ok(mut data) => {
                    // Without a copy where the data is `Bytes` already.
                    let length = data.remaining();
                    return Poll::Ready(Some(Ok(data.copy_to_bytes(length))));
                }
                // A frame of a kind that is not known yet is passed over.
                Err(other) => self.trailers = other.into_trailers().ok().or(self.trailers.take()),
            }
        }
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Option<HeaderMap> {
        self.trailers.take()
    }
}

/// A reader as a stream of pieces of at most [`UPLOAD_PIECE_BYTES`].
pub(super) struct ReaderStream {
    reader: Pin<Box<dyn AsyncRead + Send>>,
}

impl ReaderStream {
    pub(super) fn new(reader: impl AsyncRead + Send + 'static) -> ReaderStream {
        ReaderStream {
            reader: Box::pin(reader),
        }
    }
}

impl Stream for ReaderStream {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        // Of its own, as the piece may wait in the connection while the next one is read.
        let mut piece = vec![0; UPLOAD_PIECE_BYTES];
        let mut buffer = ReadBuf::new(&mut piece);
        std::task::ready!(self.reader.as_mut().poll_read(cx, &mut buffer))?;
        let length = buffer.filled().len();
        if length == 0 {
            return Poll::Ready(None);
        }
        piece.truncate(length);
        Poll::Ready(Some(Ok(Bytes::from(piece))))
    }
}

/// A part of a regular file, read at positions of its own: several such streams of one file do not disturb
/// each other, nor the position of the file.
pub(super) struct FileStream {
    file: Arc<File>,
    at: u64,
    left: u64,
    /// A read that is under way in the runtime's blocking pool; dropped, it ends by itself.
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl FileStream {
    pub(super) fn new(file: Arc<File>, at: u64, length: u64) -> FileStream {
        FileStream {
            file,
            at,
            // An empty file is read, too: one of the system may say 0 and have content, and sending it fails
            // instead of losing that.
            left: length.max(1),
            reading: None,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "one read, which ends by itself")]
    fn begin_read(&self) -> io::Result<JoinHandle<io::Result<Vec<u8>>>> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let (file, at) = (self.file.clone(), self.at);
        let length = self.left.min(UPLOAD_PIECE_BYTES as u64) as usize;
        Ok(runtime.spawn_blocking(move || {
            let mut piece = vec![0; length];
            let read = read_at(&file, &mut piece, at)?;
            piece.truncate(read);
            Ok(piece)
        }))
    }
}

impl Stream for FileStream {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => self.begin_read()?,
        };
        let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        let piece = read.map_err(io::Error::other)??;
        if piece.is_empty() {
            // Shorter than it was: what reads the stream counts, and says so.
            return Poll::Ready(None);
        }
        self.at += piece.len() as u64;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Bytes::from(piece))))
    }
}

#[cfg(unix)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, piece, at)
}

#[cfg(windows)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, piece, at)
}
