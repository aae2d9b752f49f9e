//! Several bodies, one behind the other, as one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use turbohttp_core::h1::encode::BodyLength;

use super::{Body, Outgoing, poll_piece};
use crate::limits::UPLOAD_PIECE_BYTES;

impl Body {
    /// These bodies, one behind the other. The length is known where all of theirs are, and the body can be
    /// sent again where all of them can.
    pub(crate) fn joined(bodies: Vec<Body>) -> Body {
        let lengths = bodies.iter().map(Body::known_length);
        let length = lengths.reduce(|sum, length| sum?.checked_add(length?));
        match length.unwrap_or(Some(0)) {
            Some(length) if bodies.iter().all(Body::can_be_sent_again) => {
                Body::renewable(length, Arc::new(move || Box::pin(Joined::copy_of(&bodies))))
            }
            length => Body::from_stream(Joined::new(bodies), length),
        }
    }

    /// The same pieces under a length that their source does not tell.
    pub(crate) fn with_length(self, length: u64) -> Body {
        Body::from_stream(Joined::new(vec![self]), Some(length))
    }

    fn known_length(&self) -> Option<u64> {
        match self.length() {
            BodyLength::None => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        }
    }
}

/// The pieces of several bodies. Each body keeps the length that it has announced: a file that has shrunk
/// fails, also where the framing of the whole would not tell.
struct Joined {
    bodies: std::vec::IntoIter<Body>,
    current: Option<Counted>,
}

struct Counted {
    body: Body,
    announced: Option<u64>,
    given: u64,
}

impl Joined {
    fn new(bodies: Vec<Body>) -> Joined {
        Joined {
            bodies: bodies.into_iter(),
            current: None,
        }
    }

    /// The same bodies from their beginning; each of them can be sent again.
    fn copy_of(bodies: &[Body]) -> Joined {
        Joined::new(bodies.iter().filter_map(Body::try_clone).collect())
    }
}

impl Stream for Joined {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some(current) = &mut self.current {
                let next = ready!(current.poll_next(cx)).transpose()?;
                if next.is_some() {
                    return Poll::Ready(next.map(Ok));
                }
            }
            match self.bodies.next() {
                None => return Poll::Ready(None),
                Some(body) => self.current = Some(Counted::new(body)),
            }
        }
    }
}

impl Counted {
    fn new(body: Body) -> Counted {
        Counted {
            announced: body.known_length(),
            body,
            given: 0,
        }
    }

    fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<io::Result<Bytes>>> {
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
                let message =
                    format!("a part was announced with {announced} bytes and gave {given}");
                Poll::Ready(Some(Err(io::Error::other(message))))
            }
            _ => Poll::Ready(next.map(Ok)),
        }
    }
}
