//! Bodies: the content of a request, and what a connection offers of a response.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::{BufMut, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use turbohttp_core::h1::encode::BodyLength;
use turbohttp_core::head::ResponseHead;
use turbohttp_core::timeline::{Phase, Timeline};

use crate::context::RequestTime;
use crate::error::Result;
use crate::limits::UPLOAD_PIECE_BYTES;

pub(crate) mod buffer;

use buffer::{BufferedBody, SpareBuffer};

/// The body of a request: nothing, bytes, or a stream.
///
/// Bytes can be sent again when a connection turns out to be dead; a stream cannot.
#[derive(Default)]
pub struct Body(pub(crate) Outgoing);

#[derive(Default)]
pub(crate) enum Outgoing {
    #[default]
    Empty,
    Bytes(Bytes),
    Stream {
        /// Bytes in all, where they are known: Content-Length; otherwise the chunked coding.
        length: Option<u64>,
        source: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    },
}

impl Body {
    /// No body.
    pub fn empty() -> Body {
        Body(Outgoing::Empty)
    }

    /// A body of pieces that arrive over time.
    ///
    /// With a `length` the request says Content-Length and fails with
    /// [`ErrorKind::RequestBody`](crate::ErrorKind) if the stream gives another number of bytes;
    /// without one it is sent in the chunked coding.
    pub fn from_stream(
        stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
    ) -> Body {
        Body(Outgoing::Stream {
            length,
            source: Box::pin(stream),
        })
    }

    /// A body read from `reader` in pieces of at most 64 KiB; see [`Body::from_stream`].
    pub fn from_reader(reader: impl AsyncRead + Send + 'static, length: Option<u64>) -> Body {
        Body::from_stream(
            ReaderStream {
                reader: Box::pin(reader),
            },
            length,
        )
    }

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Outgoing::Empty)
    }

    pub(crate) fn length(&self) -> BodyLength {
        match &self.0 {
            Outgoing::Empty => BodyLength::None,
            Outgoing::Bytes(bytes) => BodyLength::Known(bytes.len() as u64),
            Outgoing::Stream {
                length: Some(length),
                ..
            } => BodyLength::Known(*length),
            Outgoing::Stream { length: None, .. } => BodyLength::Unknown,
        }
    }

    /// A second body of the same bytes, if there can be one.
    pub(crate) fn try_clone(&self) -> Option<Body> {
        match &self.0 {
            Outgoing::Empty => Some(Body::empty()),
            Outgoing::Bytes(bytes) => Some(Body(Outgoing::Bytes(bytes.clone()))),
            Outgoing::Stream { .. } => None,
        }
    }

    pub(crate) fn can_be_sent_again(&self) -> bool {
        !matches!(self.0, Outgoing::Stream { .. })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.length()).finish()
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Body {
        Body(Outgoing::Bytes(bytes.into()))
    }
}

struct ReaderStream {
    reader: Pin<Box<dyn AsyncRead + Send>>,
}

impl Stream for ReaderStream {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
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

/// The parts of a request's context that a source of response bytes may see and change.
pub(crate) struct BodyContext<'a> {
    pub(crate) head: &'a mut ResponseHead,
    pub(crate) timeline: &'a mut Timeline,
    pub(crate) time: &'a RequestTime,
    pub(crate) spare: &'a mut SpareBuffer,
}

/// Where the bytes of a response come from. A connection is one, so a response needs no task.
pub(crate) trait BodySource: Send {
    /// Makes the next slice of the body ready; `false` says that the body has ended.
    ///
    /// It ends the loan of the slice before it. An error ends the body.
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
    ) -> Poll<Result<bool>>;

    /// The slice that is ready.
    fn chunk(&self) -> &[u8];

    /// Bytes still to come behind the slice that is ready, where the framing tells.
    fn remaining(&self) -> Option<u64>;

    /// Reads at most `room` bytes of what is still to come of a body of known length straight into
    /// `out`; `None` where that is not possible now.
    fn poll_read_into(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
        out: &mut dyn BufMut,
        room: usize,
    ) -> Option<Poll<Result<()>>>;

    /// The body has ended or its rest is not wanted: the connection is kept or closed.
    fn finish(self: Box<Self>, head: &mut ResponseHead, spare: &mut SpareBuffer);
}

/// The body of a response, as far as it has not been read.
#[derive(Default)]
pub(crate) enum ResponseBody {
    /// Read to its end, or there is none.
    #[default]
    Ended,
    /// Whole in memory of its own.
    Bytes {
        bytes: Bytes,
        /// It has been handed out.
        given: bool,
        /// It is to hold the permit as a body on a connection does.
        streamed: bool,
    },
    /// Whole in the read buffer of a connection that has gone back to its pool, or was closed.
    Buffered(BufferedBody),
    /// Still on a connection.
    Live(Box<dyn BodySource>),
    /// An error ended it; asking again must not look like the end of a body.
    Failed,
}

impl ResponseBody {
    /// Makes the next slice ready; see [`BodySource::poll_chunk`].
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        match self {
            ResponseBody::Ended => Poll::Ready(Ok(false)),
            ResponseBody::Bytes { bytes, given, .. } => {
                let first = !std::mem::replace(given, true) && !bytes.is_empty();
                Poll::Ready(Ok(first))
            }
            ResponseBody::Buffered(body) => {
                let is_ready = body.give();
                if !is_ready {
                    // It took no time of its own: it had arrived with the head.
                    context.timeline.touch(Phase::Receive);
                }
                Poll::Ready(Ok(is_ready))
            }
            ResponseBody::Live(source) => source.poll_chunk(cx, context),
            ResponseBody::Failed => Poll::Ready(Err(already_failed())),
        }
    }

    pub(crate) fn chunk(&self) -> &[u8] {
        match self {
            ResponseBody::Bytes { bytes, .. } => bytes,
            ResponseBody::Buffered(body) => body.data(),
            ResponseBody::Live(source) => source.chunk(),
            ResponseBody::Ended | ResponseBody::Failed => &[],
        }
    }

    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            ResponseBody::Ended | ResponseBody::Failed => Some(0),
            ResponseBody::Bytes { given: true, .. } => Some(0),
            ResponseBody::Bytes { bytes, .. } => Some(bytes.len() as u64),
            ResponseBody::Buffered(body) => Some(body.remaining()),
            ResponseBody::Live(source) => source.remaining(),
        }
    }

    /// Releases what is left: the connection to its pool, the read buffer to `spare`.
    pub(crate) fn finish(&mut self, head: &mut ResponseHead, spare: &mut SpareBuffer) {
        match std::mem::take(self) {
            ResponseBody::Live(source) => source.finish(head, spare),
            ResponseBody::Buffered(body) => body.release(spare),
            ResponseBody::Ended | ResponseBody::Bytes { .. } | ResponseBody::Failed => {}
        }
    }

    /// Whether the request holds its permit: as long as its body is on a connection, or counts as such.
    #[inline]
    pub(crate) fn holds_permit(&self) -> bool {
        matches!(
            self,
            ResponseBody::Live(_) | ResponseBody::Bytes { streamed: true, .. }
        )
    }

    pub(crate) fn is_blank(&self) -> bool {
        matches!(self, ResponseBody::Ended)
    }
}

#[cold]
fn already_failed() -> crate::Error {
    crate::Error::new(crate::ErrorKind::Io, "the body has failed before")
}

/// The next piece of a streamed body; `None` at its end.
pub(crate) fn poll_piece(
    source: &mut Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    cx: &mut TaskContext<'_>,
) -> Poll<Option<io::Result<Bytes>>> {
    source.as_mut().poll_next(cx)
}
