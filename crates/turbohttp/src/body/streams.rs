//! What other crates have bodies as, each as a stream of [`Bytes`].

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use crate::limits::UPLOAD_PIECE_BYTES;

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

/// An [`http_body::Body`] as a stream of its data.
pub(super) struct WrappedStream<B> {
    body: Pin<Box<B>>,
}

impl<B> WrappedStream<B> {
    pub(super) fn new(body: B) -> WrappedStream<B> {
        WrappedStream {
            body: Box::pin(body),
        }
    }
}

impl<B> Stream for WrappedStream<B>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(
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
                // Trailers: the client sends none.
                Err(_) => continue,
            }
        }
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
