//! A response as the types that other crates work with: a stream, a reader, an [`http::Response`].

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};

use super::Response;
use crate::body::ResponseBody;
use crate::error::{Error, Result};
use crate::request::Request;

/// The body of a response as a [`Stream`] of [`Bytes`], as an [`AsyncRead`], and as an
/// [`http_body::Body`]; made by [`Response::into_stream`] and [`Response::into_http`].
///
/// Every piece is copied out of the connection's buffer, as it is owned: [`Response::chunk`] lends it
/// instead. Trailers come as the last frame of the [`http_body::Body`].
///
/// # Cancel safety
///
/// A dropped `next()` or `read()` has taken nothing from the body. Dropping the stream closes the
/// connection, unless the body has ended.
pub struct ResponseStream {
    response: Response,
    /// The part of the current slice that a reader has not taken, from this byte on.
    taken: usize,
    has_slice: bool,
    has_ended: bool,
}

impl ResponseStream {
    pub(super) fn new(response: Response) -> ResponseStream {
        ResponseStream {
            response,
            taken: 0,
            has_slice: false,
            has_ended: false,
        }
    }

    /// The response, to look at its head; what has been read of its body is gone.
    pub fn get_ref(&self) -> &Response {
        &self.response
    }

    /// The response again, if it is at the end of a slice: what was lent and not taken is lost.
    #[cfg(feature = "tower")]
    pub(crate) fn into_response(self) -> Response {
        self.response
    }

    /// Makes a slice ready of which something is left; `false` at the end of the body.
    fn poll_slice(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<bool>> {
        // A reader with a small buffer takes a slice in parts; the connection is polled when it is used up.
        if self.has_slice && self.taken < self.response.slice().len() {
            return Poll::Ready(Ok(true));
        }
        self.has_slice = ready!(self.response.poll_chunk(cx))?;
        self.taken = 0;
        Poll::Ready(Ok(self.has_slice))
    }

    fn poll_bytes(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Bytes>>> {
        match ready!(self.poll_slice(cx)) {
            Ok(true) => {
                let bytes = Bytes::copy_from_slice(&self.response.slice()[self.taken..]);
                // The whole rest of the slice was copied.
                self.has_slice = false;
                Poll::Ready(Some(Ok(bytes)))
            }
            Ok(false) => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl Default for ResponseStream {
    /// A body that has ended, of no request.
    fn default() -> ResponseStream {
        let response = Request::blank().respond(StatusCode::OK, ResponseBody::default());
        ResponseStream {
            has_ended: true,
            ..ResponseStream::new(response)
        }
    }
}

impl Stream for ResponseStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_bytes(cx));
        // A stream ends with its error; `Response::chunk` would go on failing.
        self.has_ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl AsyncRead for ResponseStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if ready!(this.poll_slice(cx)).map_err(io::Error::other)? {
            let rest = &this.response.slice()[this.taken..];
            let length = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..length]);
            this.taken += length;
        }
        Poll::Ready(Ok(()))
    }
}

impl http_body::Body for ResponseStream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_bytes(cx));
        self.has_ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(match next {
            Some(bytes) => Some(bytes.map(Frame::data)),
            None => self.response.trailers().map(|map| Ok(Frame::trailers(map))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }

    fn size_hint(&self) -> SizeHint {
        let ready = match self.has_slice {
            true => self.response.slice().len() - self.taken,
            false => 0,
        };
        // An exact size becomes a Content-Length where the body is passed on, which has no place for the trailers
        // of a body that has arrived whole.
        if self.response.has_trailers() {
            return SizeHint::default();
        }
        match self.response.remaining() {
            // What the connection lends and was not taken is still to come for the reader.
            Some(remaining) => SizeHint::with_exact(remaining + ready as u64),
            None => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseStream")
            .field(&self.response)
            .finish()
    }
}
