//! Several bodies, one behind the other, as one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use super::Body;
use super::pieces::Pieces;

impl Body {
    /// These bodies, one behind the other. The length is known where all of theirs are, and the body can be
    /// sent again where all of them can.
    pub(crate) fn joined(bodies: Vec<Body>) -> Body {
        let lengths = bodies.iter().map(Body::known_length);
        let length = lengths.reduce(|sum, length| sum?.checked_add(length?));
        let length = length.unwrap_or(Some(0));
        match bodies.iter().all(Body::can_be_sent_again) {
            true => Body::renewable(length, Arc::new(move || Box::pin(Joined::copy_of(&bodies)))),
            false => {
                let was_begun = bodies.iter().any(|body| body.check_unspent().is_err());
                Body::from_stream(Joined::new(bodies), length).begun_if(was_begun)
            }
        }
    }

    /// The same pieces under a length that their source does not tell.
    pub(crate) fn with_length(self, length: u64) -> Body {
        self.mapped(Some(length), Pieces::new)
    }
}

/// The pieces of several bodies.
struct Joined {
    bodies: std::vec::IntoIter<Body>,
    current: Option<Pieces>,
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
            if let Some(current) = &mut self.current
                && let Some(piece) = ready!(current.poll_next(cx))
            {
                return Poll::Ready(Some(piece));
            }
            match self.bodies.next() {
                None => return Poll::Ready(None),
                Some(body) => self.current = Some(Pieces::new(body)),
            }
        }
    }
}
