//! Bodies: the content of a request (here), and of a response (`response.rs`, `buffer.rs`).

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::io::AsyncRead;
use turbohttp_core::h1::encode::BodyLength;

use crate::error::{Error, ErrorKind};

pub(crate) mod buffer;
#[cfg(feature = "multipart")]
mod joined;
mod pieces;
mod progress;
mod response;
mod streams;
mod trailers;

use streams::{FileStream, MappedStream, PieceSource, ReaderStream, WrappedStream};

pub use progress::UploadProgress;
pub use response::{BodyContext, BodySource, ResponseBody};
pub(crate) use response::{ConnectionBody, Content, Duplex};

/// The body of a request: nothing, bytes, or a stream.
///
/// Bytes and regular files can be sent again, when a connection turns out to be dead, a redirect keeps the
/// body, or a policy or a middleware tries once more; any other stream is sent once. A custom transport reads it as an [`http_body::Body`], after
/// [`Request::take_body`](crate::Request::take_body).
///
/// ```
/// use turbohttp::Body;
///
/// let text = Body::from("content");
/// assert_eq!(text.as_bytes(), Some(&b"content"[..]));
/// let reader = Body::from_reader(std::io::Cursor::new(vec![0; 9]), Some(9));
/// assert_eq!(reader.as_bytes(), None);
/// ```
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
        source: Source,
        /// A piece was asked for, so that this stream cannot be sent from its beginning any more.
        is_begun: bool,
        /// Makes the stream anew, where that is possible.
        renew: Option<Renew>,
    },
}

type Renew = Arc<dyn Fn() -> Pin<Box<dyn PieceSource>> + Send + Sync>;

/// The mutex only makes `&Body` shareable: the stream is polled by its owner, without locking.
type Source = Mutex<Pin<Box<dyn PieceSource>>>;

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
        Body::from_source(stream, length)
    }

    fn from_source(source: impl PieceSource + 'static, length: Option<u64>) -> Body {
        Body(Outgoing::Stream {
            length,
            source: Mutex::new(Box::pin(source)),
            is_begun: false,
            renew: None,
        })
    }

    /// What is made of a stream of which a part is gone cannot be sent either.
    fn begun_if(mut self, was_begun: bool) -> Body {
        if let Outgoing::Stream { is_begun, .. } = &mut self.0 {
            *is_begun |= was_begun;
        }
        self
    }

    /// What `map` makes of this body, of this length; it can be sent again where this body can.
    fn mapped<S: PieceSource + 'static>(
        self,
        length: Option<u64>,
        map: impl Fn(Body) -> S + Send + Sync + 'static,
    ) -> Body {
        if !self.can_be_sent_again() {
            let was_begun = self.check_unspent().is_err();
            return Body::from_source(map(self), length).begun_if(was_begun);
        }
        let again = move || self.try_clone().expect("a body that can be sent again");
        Body::renewable(length, Arc::new(move || Box::pin(map(again()))))
    }

    /// `length` bytes of a regular file from this position on.
    fn from_part(file: std::fs::File, at: u64, length: u64) -> Body {
        let file = Arc::new(file);
        Body::renewable(
            Some(length),
            Arc::new(move || Box::pin(FileStream::new(file.clone(), at, length))),
        )
    }

    fn renewable(length: Option<u64>, renew: Renew) -> Body {
        Body(Outgoing::Stream {
            length,
            source: Mutex::new(renew()),
            is_begun: false,
            renew: Some(renew),
        })
    }

    /// A body of pieces that arrive over time, of whatever type; sent in the chunked coding. The name is
    /// reqwest's; see [`Body::from_stream`].
    pub fn wrap_stream<S, O, E>(stream: S) -> Body
    where
        S: Stream<Item = Result<O, E>> + Send + 'static,
        O: Into<Bytes> + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        Body::from_stream(MappedStream::new(stream), None)
    }

    /// A body read from `reader` in pieces of at most 64 KiB; see [`Body::from_stream`].
    pub fn from_reader(reader: impl AsyncRead + Send + 'static, length: Option<u64>) -> Body {
        Body::from_stream(ReaderStream::new(reader), length)
    }

    /// A body of another crate's type. Its exact size, where it says one, is the Content-Length. Its trailers
    /// follow in the chunked coding; a Content-Length leaves no place for them, and they are left out (RFC 9110
    /// section 6.5.1).
    ///
    /// Sending it fails with [`ErrorKind::RequestBody`](crate::ErrorKind) where the trailers are none that
    /// [`with_trailers`](Body::with_trailers) takes.
    pub fn wrap<B>(body: B) -> Body
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        // Asked before the body is boxed away; a body without an exact size goes out chunked.
        let length = body.size_hint().exact();
        Body::from_source(WrappedStream::new(body), length)
    }

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Outgoing::Empty)
    }

    /// The bytes, unless the body is a stream.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Outgoing::Empty => Some(&[]),
            Outgoing::Bytes(bytes) => Some(bytes),
            Outgoing::Stream { .. } => None,
        }
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

    /// A second body of the same bytes or file; `None` of another stream.
    pub fn try_clone(&self) -> Option<Body> {
        match &self.0 {
            Outgoing::Empty => Some(Body::empty()),
            Outgoing::Bytes(bytes) => Some(Body(Outgoing::Bytes(bytes.clone()))),
            Outgoing::Stream {
                length,
                renew: Some(renew),
                ..
            } => Some(Body::renewable(*length, renew.clone())),
            Outgoing::Stream { .. } => None,
        }
    }

    #[inline]
    pub(crate) fn can_be_sent_again(&self) -> bool {
        !matches!(self.0, Outgoing::Stream { renew: None, .. })
    }

    /// Whether its source decides how long sending it takes.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.0, Outgoing::Stream { .. })
    }

    /// Why the body cannot be sent: it is a stream of which a part is gone.
    #[inline]
    pub(crate) fn check_unspent(&self) -> Result<(), Error> {
        match self.0 {
            Outgoing::Stream {
                is_begun: true,
                renew: None,
                ..
            } => Err(spent()),
            _ => Ok(()),
        }
    }

    /// Makes the body ready to be sent from its beginning.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RequestBody`] if it is a stream of which a part is gone.
    #[inline]
    pub(crate) fn begin_anew(&mut self) -> Result<(), Error> {
        match self.0 {
            Outgoing::Stream { is_begun: true, .. } => self.renew(),
            _ => Ok(()),
        }
    }

    #[cold]
    fn renew(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Outgoing::Stream {
                source,
                is_begun,
                renew: Some(renew),
                ..
            } => {
                *source.get_mut().unwrap_or_else(PoisonError::into_inner) = renew();
                *is_begun = false;
                Ok(())
            }
            _ => Err(spent()),
        }
    }
}

#[cold]
fn spent() -> Error {
    let message = "the request body is a stream and was sent before: a stream is sent once";
    Error::new(ErrorKind::RequestBody, message)
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.length()).finish()
    }
}

macro_rules! from_bytes {
    ($($type:ty),*) => {
        $(impl From<$type> for Body {
            fn from(bytes: $type) -> Body {
                Body(Outgoing::Bytes(Bytes::from(bytes)))
            }
        })*
    };
}

from_bytes!(
    Bytes,
    BytesMut,
    Vec<u8>,
    Box<[u8]>,
    String,
    &'static str,
    &'static [u8]
);

impl<const N: usize> From<&'static [u8; N]> for Body {
    fn from(bytes: &'static [u8; N]) -> Body {
        Body(Outgoing::Bytes(Bytes::from_static(bytes)))
    }
}

impl From<std::fs::File> for Body {
    /// The rest of the file, from where it stands. A regular file has a Content-Length, and can be sent
    /// again; anything else, and a file whose length cannot be told, goes out in the chunked coding, once.
    fn from(mut file: std::fs::File) -> Body {
        // The file may have been read from: what is left of it is the body.
        let at = io::Seek::stream_position(&mut file).ok();
        let whole = file.metadata().ok().filter(std::fs::Metadata::is_file);
        let length = at
            .zip(whole)
            .map(|(at, whole)| whole.len().saturating_sub(at));
        match (at, length) {
            // What is appended while the file is read is no part of the body.
            (Some(at), Some(length)) => Body::from_part(file, at, length),
            _ => Body::from_reader(tokio::fs::File::from_std(file), length),
        }
    }
}

impl From<tokio::fs::File> for Body {
    /// The rest of the file in the chunked coding, as its length cannot be told without waiting. For a
    /// Content-Length, give a [`std::fs::File`], or the length to [`Body::from_reader`].
    fn from(file: tokio::fs::File) -> Body {
        Body::from_reader(file, None)
    }
}

/// What the body of a request can be given as.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no request body",
    label = "give bytes, text, a `File` or a `Body`",
    note = "of what can be read or streamed make one with `Body::from_reader(reader, length)`, `Body::from_stream(stream, length)` or `Body::wrap(body)`",
    note = "borrowed data is copied with `to_owned()` or `to_vec()`"
)]
pub trait IntoBody {
    /// The body.
    fn into_body(self) -> Body;
}

#[diagnostic::do_not_recommend]
impl<T: Into<Body>> IntoBody for T {
    fn into_body(self) -> Body {
        self.into()
    }
}

/// For transports that read the body themselves, and for whatever takes an [`http_body::Body`].
impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Outgoing::Empty => Poll::Ready(None),
            Outgoing::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                // One frame: bytes in memory are not cut up.
                self.0 = Outgoing::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Outgoing::Stream { .. } => {
                if let Some(piece) = std::task::ready!(poll_piece(&mut self, cx)) {
                    return Poll::Ready(Some(piece.map(Frame::data)));
                }
                let trailers = take_trailers(&mut self);
                // A source is not polled again after its end.
                self.0 = Outgoing::Empty;
                Poll::Ready(trailers.map(|fields| Ok(Frame::trailers(fields))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.as_bytes().is_some_and(<[u8]>::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self.length() {
            BodyLength::None => SizeHint::with_exact(0),
            BodyLength::Known(length) => SizeHint::with_exact(length),
            _ => SizeHint::default(),
        }
    }
}

/// The next piece of a streamed body; `None` at its end, and of a body that is no stream.
pub(crate) fn poll_piece(
    body: &mut Body,
    cx: &mut TaskContext<'_>,
) -> Poll<Option<io::Result<Bytes>>> {
    match &mut body.0 {
        Outgoing::Stream {
            source, is_begun, ..
        } => {
            // Set before the poll: a stream that was polled once may have given up a part of itself.
            *is_begun = true;
            let source = source.get_mut().unwrap_or_else(PoisonError::into_inner);
            source.as_mut().poll_piece(cx)
        }
        Outgoing::Empty | Outgoing::Bytes(_) => Poll::Ready(None),
    }
}

/// The fields behind the last piece of a streamed body that has ended.
#[cold]
pub(crate) fn take_trailers(body: &mut Body) -> Option<HeaderMap> {
    match &mut body.0 {
        Outgoing::Stream { source, .. } => {
            let source = source.get_mut().unwrap_or_else(PoisonError::into_inner);
            source.as_mut().take_trailers()
        }
        Outgoing::Empty | Outgoing::Bytes(_) => None,
    }
}
