//! The body of a response: in memory, in a read buffer, on a connection, or from a source of one's own.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{BufMut, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;
use turbohttp_core::head::ResponseHead;
use turbohttp_core::timeline::{Phase, Timeline};

use super::Body;
use super::buffer::{BufferedBody, SpareBuffer};
use super::streams::ReaderStream;
use crate::clock;
use crate::config::TimeLimits;
use crate::error::{Error, ErrorKind, Result};

/// The parts of a request that the source of its response's body may use: what a [`BodySource`] around
/// another one passes on.
pub struct BodyContext<'a> {
    pub(crate) head: &'a mut ResponseHead,
    pub(crate) timeline: &'a mut Timeline,
    pub(crate) time: &'a TimeLimits,
    pub(crate) spare: &'a mut SpareBuffer,
    /// The body of the request, which may still be going out.
    pub(crate) upload: &'a mut Body,
}

impl BodyContext<'_> {
    /// The same for a shorter time, to poll more than once with it.
    pub fn reborrow(&mut self) -> BodyContext<'_> {
        BodyContext {
            head: self.head,
            timeline: self.timeline,
            time: self.time,
            spare: self.spare,
            upload: self.upload,
        }
    }
}

impl fmt::Debug for BodyContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyContext")
    }
}

/// Where the bytes of a response come from: for transports that stream, and for middlewares that put
/// something around a body ([`Response::map_body`](crate::Response::map_body)).
///
/// A source lends its bytes slice by slice, so that no copy and no allocation is needed. It is `Sync`, so
/// that a `&Response` may be held across an await; a stream that is not can be kept in a `Mutex`, whose
/// `get_mut` takes no lock.
///
/// ```
/// use std::task::{Context, Poll, ready};
/// use turbohttp::{BodyContext, BodySource, ResponseBody, Result};
///
/// /// Changes every byte to lower case on its way.
/// struct Lower { body: ResponseBody, slice: Vec<u8> }
///
/// impl BodySource for Lower {
///     fn poll_chunk(&mut self, cx: &mut Context<'_>, context: BodyContext<'_>) -> Poll<Result<bool>> {
///         let more = ready!(self.body.poll_chunk(cx, context))?;
///         self.slice = self.body.chunk().to_ascii_lowercase();
///         Poll::Ready(Ok(more))
///     }
///
///     fn chunk(&self) -> &[u8] {
///         &self.slice
///     }
///
///     fn remaining(&self) -> Option<u64> {
///         self.body.remaining()
///     }
/// }
/// ```
///
/// The client bounds the wait for each slice by [`Timeouts::body`](crate::Timeouts::body) and by the
/// deadline of the call, where a tokio runtime with its time driver is current.
pub trait BodySource: Send + Sync {
    /// Makes the next slice of the body ready; `false` says that the body has ended. It ends the loan of
    /// the slice before it. After an error the source is not polled again.
    ///
    /// # Errors
    ///
    /// What went wrong with the body; the response adds phase, origin and timeline.
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
    ) -> Poll<Result<bool>>;

    /// The slice that is ready; not empty if the last poll said `true`.
    fn chunk(&self) -> &[u8];

    /// Bytes still to come behind the slice that is ready, where that is known.
    fn remaining(&self) -> Option<u64> {
        None
    }
}

/// A connection as the source of a body. It goes back to its pool by itself, so a response needs no task.
pub(crate) trait ConnectionBody: Send + Sync {
    /// See [`BodySource::poll_chunk`].
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
    ) -> Poll<Result<bool>>;

    /// See [`BodySource::chunk`].
    fn chunk(&self) -> &[u8];

    /// See [`BodySource::remaining`].
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

    /// The connection itself, of a response whose body it ends: for another protocol.
    ///
    /// # Errors
    ///
    /// The request has not been sent whole; the connection is closed.
    fn into_duplex(self: Box<Self>) -> Result<Box<dyn Duplex>>;

    /// The body has ended or its rest is not wanted: the connection is kept or closed.
    fn finish(self: Box<Self>, head: &mut ResponseHead, spare: &mut SpareBuffer);
}

/// Bytes in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

/// The body of a response, as far as it has not been read.
///
/// Of bytes it is made with [`From`], of what streams with [`from_stream`](ResponseBody::from_stream),
/// [`from_reader`](ResponseBody::from_reader) or [`from_source`](ResponseBody::from_source), for
/// [`Request::respond`](crate::Request::respond). It is a [`BodySource`] itself.
#[derive(Default)]
pub struct ResponseBody(pub(crate) Content);

#[derive(Default)]
pub(crate) enum Content {
    /// Read to its end, or there is none.
    #[default]
    Ended,
    /// Whole in memory of its own; `given` once it has been lent out.
    Bytes { bytes: Bytes, given: bool },
    /// Whole in the read buffer of a connection that has gone back to its pool, or was closed.
    Buffered(BufferedBody),
    /// Still on a connection.
    Connection(Box<dyn ConnectionBody>),
    /// From a source outside of this crate.
    Source(Box<Timed<dyn BodySource>>),
    /// An error ended it; asking again must not look like the end of a body.
    Failed,
}

/// A source with what the client keeps of it.
pub(crate) struct Timed<S: ?Sized> {
    /// It reads from a connection, so that the response holds its permit.
    holds_connection: bool,
    /// Armed while a slice is waited for.
    timer: Option<Pin<Box<Sleep>>>,
    source: S,
}

impl ResponseBody {
    /// A body of one's own. The response holds its permit until it has been read.
    pub fn from_source(source: impl BodySource + 'static) -> ResponseBody {
        ResponseBody::timed(source, true)
    }

    /// A body of pieces that arrive over time, of `length` bytes in all where that is known: a stream
    /// that gives another number of bytes is an error of the body.
    pub fn from_stream(
        stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
    ) -> ResponseBody {
        ResponseBody::from_source(StreamSource {
            stream: Mutex::new(Box::pin(stream)),
            piece: Bytes::new(),
            remaining: length,
        })
    }

    /// A body read from `reader` in pieces of at most 64 KiB; see
    /// [`from_stream`](ResponseBody::from_stream).
    pub fn from_reader(
        reader: impl AsyncRead + Send + 'static,
        length: Option<u64>,
    ) -> ResponseBody {
        ResponseBody::from_stream(ReaderStream::new(reader), length)
    }

    fn timed(source: impl BodySource + 'static, holds_connection: bool) -> ResponseBody {
        ResponseBody(Content::Source(Box::new(Timed {
            holds_connection,
            timer: None,
            source,
        })))
    }

    /// The body that `map` puts around this one; it holds a connection if this one does.
    pub(crate) fn map<S: BodySource + 'static>(
        self,
        map: impl FnOnce(ResponseBody) -> S,
    ) -> ResponseBody {
        // Asked before `map` takes the body: what is put around a body in memory holds no permit either.
        let holds_connection = self.holds_connection();
        ResponseBody::timed(map(self), holds_connection)
    }

    /// Whether the body is still on a connection: until then the response holds its permit.
    #[inline]
    pub(crate) fn holds_connection(&self) -> bool {
        match &self.0 {
            Content::Connection(_) => true,
            Content::Source(timed) => timed.holds_connection,
            Content::Ended | Content::Bytes { .. } | Content::Buffered(_) | Content::Failed => {
                false
            }
        }
    }

    /// Whether nothing is left: no byte, no connection, no error.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.0, Content::Ended)
    }

    /// Releases what is left: the connection to its pool, the read buffer to `spare`.
    #[inline]
    pub(crate) fn finish(&mut self, head: &mut ResponseHead, spare: &mut SpareBuffer) {
        // A response that was read to its end comes by twice more: by its end, and by its reset.
        if !self.has_ended() {
            self.finish_rest(head, spare);
        }
    }

    #[inline(never)]
    fn finish_rest(&mut self, head: &mut ResponseHead, spare: &mut SpareBuffer) {
        match std::mem::take(&mut self.0) {
            Content::Connection(connection) => connection.finish(head, spare),
            Content::Buffered(body) => body.release(spare),
            Content::Ended | Content::Bytes { .. } | Content::Source(_) | Content::Failed => {}
        }
    }
}

impl BodySource for ResponseBody {
    /// At the end of the body its connection goes back to the pool, or is closed.
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        let polled = match &mut self.0 {
            Content::Ended => return Poll::Ready(Ok(false)),
            Content::Bytes { bytes, given } => {
                Ok(!std::mem::replace(given, true) && !bytes.is_empty())
            }
            Content::Buffered(body) => {
                let is_ready = body.give();
                if !is_ready {
                    // It took no time of its own: it had arrived with the head.
                    context.timeline.touch(Phase::Receive);
                }
                Ok(is_ready)
            }
            Content::Connection(connection) => {
                ready!(connection.poll_chunk(cx, context.reborrow()))
            }
            Content::Source(timed) => ready!(timed.poll_chunk(cx, context.reborrow())),
            Content::Failed => Err(already_failed()),
        };
        match polled {
            Ok(true) => Poll::Ready(Ok(true)),
            // At once, not when the response is dropped: a body inside of another one ends here too.
            Ok(false) => {
                self.finish(context.head, context.spare);
                Poll::Ready(Ok(false))
            }
            Err(error) => {
                self.finish(context.head, context.spare);
                self.0 = Content::Failed;
                Poll::Ready(Err(error))
            }
        }
    }

    fn chunk(&self) -> &[u8] {
        match &self.0 {
            Content::Bytes { bytes, .. } => bytes,
            Content::Buffered(body) => body.data(),
            Content::Connection(connection) => connection.chunk(),
            Content::Source(timed) => timed.source.chunk(),
            Content::Ended | Content::Failed => &[],
        }
    }

    fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Content::Ended | Content::Failed => Some(0),
            Content::Bytes { given: true, .. } => Some(0),
            Content::Bytes { bytes, .. } => Some(bytes.len() as u64),
            Content::Buffered(body) => Some(body.remaining()),
            Content::Connection(connection) => connection.remaining(),
            Content::Source(timed) => timed.source.remaining(),
        }
    }
}

impl Timed<dyn BodySource> {
    /// Polls the source; while it waits, a timer bounds that. The network's own bodies have a timer that
    /// is polled first, so that around one of them this one never decides.
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        let time = context.time;
        // Copied out, as the source borrows the context while it is polled.
        let (limit, deadline) = (time.timeouts().body, time.deadline);
        if let Poll::Ready(polled) = self.source.poll_chunk(cx, context) {
            // A slice came: the next wait has its whole time again.
            self.timer = None;
            return Poll::Ready(polled);
        }
        let timer = match &mut self.timer {
            Some(timer) => timer,
            None => {
                let own = clock::after(clock::now(), limit);
                let until = deadline.map_or(own, |deadline| deadline.min(own));
                // Without a runtime, or its driver, there is no timer to be had.
                let Ok(sleep) = clock::sleep_until(until) else {
                    return Poll::Pending;
                };
                self.timer.insert(Box::pin(sleep))
            }
        };
        ready!(timer.as_mut().poll(cx));
        let is_request = deadline.is_some_and(|deadline| deadline <= clock::now());
        let (what, allowed) = match is_request {
            true => ("the request", time.allowed()),
            false => ("waiting for more of the body", limit),
        };
        Poll::Ready(Err(Error::timeout(Phase::Receive, what, allowed)))
    }
}

impl<T: Into<Bytes>> From<T> for ResponseBody {
    fn from(bytes: T) -> ResponseBody {
        ResponseBody(Content::Bytes {
            bytes: bytes.into(),
            given: false,
        })
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// A stream as the source of a body.
struct StreamSource {
    /// The mutex only makes `&Response` shareable: the stream is polled by its owner, without locking.
    stream: Mutex<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
    piece: Bytes,
    /// Bytes behind the piece, where the length is known.
    remaining: Option<u64>,
}

impl StreamSource {
    /// Takes the next piece, and counts it.
    fn accept(&mut self, piece: Bytes) -> Result<bool> {
        if let Some(remaining) = &mut self.remaining {
            let Some(left) = remaining.checked_sub(piece.len() as u64) else {
                let message = "the response body is longer than announced";
                return Err(Error::new(ErrorKind::Protocol, message));
            };
            // What was announced is a promise to the caller, who may have sized a buffer by it.
            *remaining = left;
        }
        self.piece = piece;
        Ok(true)
    }

    fn end(&mut self) -> Result<bool> {
        self.piece = Bytes::new();
        match self.remaining {
            None | Some(0) => Ok(false),
            Some(left) => {
                let message = format!("the response body ended {left} bytes early");
                Err(Error::new(ErrorKind::Truncated, message))
            }
        }
    }
}

impl BodySource for StreamSource {
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        _context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        let stream = self
            .stream
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(match ready!(stream.as_mut().poll_next(cx)) {
            None => self.end(),
            // An empty slice would look like nothing. A stream may give them again and again, so that others
            // and the timers get their turn.
            Some(Ok(piece)) if piece.is_empty() => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Ok(piece)) => self.accept(piece),
            Some(Err(error)) => {
                let message = "the source of the response body failed";
                Err(Error::io(Phase::Receive, message, error))
            }
        })
    }

    fn chunk(&self) -> &[u8] {
        &self.piece
    }

    fn remaining(&self) -> Option<u64> {
        self.remaining
    }
}

#[cold]
fn already_failed() -> Error {
    Error::new(ErrorKind::Io, "the body has failed before")
}
