//! The pieces of any body, for what is put around one: bytes in slices, a stream as it comes.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use turbohttp_core::h1::encode::BodyLength;

use super::streams::PieceSource;
use super::{Body, Outgoing, poll_piece, take_trailers};
use crate::limits::UPLOAD_PIECE_BYTES;

impl Body {
    pub(super) fn known_length(&self) -> Option<u64> {
        match self.length() {
            BodyLength::None => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        }
    }
}

/// The pieces of a body, and its trailers. The body keeps the length that it has announced: a file that has
/// shrunk fails, also where the framing of what is around it would not tell.
pub(super) struct Pieces {
    body: Body,
    announced: Option<u64>,
    given: u64,
}

impl Pieces {
    pub(super) fn new(body: Body) -> Pieces {
        Pieces {
            announced: body.known_length(),
            body,
            given: 0,
        }
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        let next = match &mut self.body.0 {
            // Slices of what is in memory, so that what is framed and written at once stays small.
            Outgoing::Bytes(bytes) if !bytes.is_empty() => {
                let length = bytes.len().min(UPLOAD_PIECE_BYTES);
                Some(bytes.split_to(length))
            }
            _ => ready!(poll_piece(&mut self.body, cx)).transpose()?,
        };
        let has_ended = next.is_none();
        self.given += next.as_ref().map_or(0, |piece| piece.len() as u64);
        let given = self.given;
        match self.announced {
            Some(announced) if given > announced || has_ended && given < announced => {
                let message = format!("content of {announced} bytes was announced, {given} came");
                Poll::Ready(Some(Err(io::Error::other(message))))
            }
            _ => Poll::Ready(next.map(Ok)),
        }
    }

    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        take_trailers(&mut self.body)
    }
}

impl PieceSource for Pieces {
    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        self.poll_next(cx)
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Option<HeaderMap> {
        Pieces::take_trailers(&mut self)
    }
}
