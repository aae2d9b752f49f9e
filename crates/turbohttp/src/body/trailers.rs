//! A body with fields behind its content.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::HeaderMap;
use turbohttp_core::h1::check_trailers;

use super::Body;
use super::pieces::Pieces;
use super::streams::PieceSource;
use crate::error::{Error, ErrorKind, Result};

impl Body {
    /// The same body with these trailers, for fields that are known only when the content has been sent
    /// (RFC 9110 section 6.5). It is sent in the chunked coding, as no other framing has a place for them; it
    /// can be sent again where the body could. To tell the server which fields come, set the field `trailer`.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use turbohttp::{Body, HeaderMap};
    ///
    /// let mut trailers = HeaderMap::new();
    /// trailers.insert("x-checksum", "d41d8cd9".parse()?);
    /// let body = Body::from("content").with_trailers(trailers)?;
    /// # assert!(body.try_clone().is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] for a field that must not stand behind the content: framing, routing,
    /// credentials and more (RFC 9110 section 6.5.1); and for more than 256 KiB of them.
    pub fn with_trailers(self, trailers: HeaderMap) -> Result<Body> {
        check_trailers(&trailers)
            .map_err(|error| Error::new(ErrorKind::Request, error.to_string()))?;
        Ok(self.mapped(None, move |body| Trailed {
            pieces: Pieces::new(body),
            trailers: Some(trailers.clone()),
        }))
    }
}

struct Trailed {
    pieces: Pieces,
    trailers: Option<HeaderMap>,
}

impl PieceSource for Trailed {
    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        self.pieces.poll_next(cx)
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Option<HeaderMap> {
        self.trailers.take()
    }
}
