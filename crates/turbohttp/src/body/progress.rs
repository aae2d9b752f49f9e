//! How much of a body has been sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;

use super::Body;
use super::pieces::Pieces;
use super::streams::PieceSource;

/// How much of a body has been sent; see [`Body::on_progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadProgress {
    /// Bytes of content that the system has taken in this attempt.
    pub sent_bytes: u64,
    /// Bytes of content in all, where they are known.
    pub total_bytes: Option<u64>,
}

impl Body {
    /// The same body, of which `report` is told how much has been sent.
    ///
    /// It is called in the task that sends, before the first piece with 0 bytes, and whenever the system has
    /// taken a piece, of at most 64 KiB where the body is bytes or a file. When the body is sent again, by a
    /// redirect or a retry, the count begins anew: the body can be sent as often as before. A body that is
    /// empty reports nothing.
    ///
    /// ```
    /// # async fn run() -> turbohttp::Result<()> {
    /// # use turbohttp::{Client, MockReply, MockTransport, StatusCode};
    /// # let client = Client::builder().transport(MockTransport::new(MockReply::new(StatusCode::OK))).build()?;
    /// use turbohttp::Body;
    ///
    /// let body = Body::from(vec![0; 1_000_000]).on_progress(|progress| {
    ///     println!("{} of {:?} bytes", progress.sent_bytes, progress.total_bytes);
    /// });
    /// client.put("http://example.com/").body(body).send().await?;
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
    /// ```
    #[must_use]
    pub fn on_progress(self, report: impl Fn(UploadProgress) + Send + Sync + 'static) -> Body {
        if self.as_bytes().is_some_and(<[u8]>::is_empty) {
            return self;
        }
        let (total_bytes, report) = (self.known_length(), Arc::new(report));
        self.mapped(total_bytes, move |body| Watched {
            pieces: Pieces::new(body),
            given: 0,
            reported: None,
            total_bytes,
            report: report.clone(),
        })
    }
}

struct Watched<F> {
    pieces: Pieces,
    /// Bytes in all the pieces so far.
    given: u64,
    reported: Option<u64>,
    total_bytes: Option<u64>,
    report: Arc<F>,
}

impl<F: Fn(UploadProgress) + Send + Sync> PieceSource for Watched<F> {
    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        // Asked for the next piece: the one before it has been flushed. Once for each, however often a source
        // that waits is asked.
        if self.reported != Some(self.given) {
            self.reported = Some(self.given);
            (self.report)(UploadProgress {
                sent_bytes: self.given,
                total_bytes: self.total_bytes,
            });
        }
        let piece = ready!(self.pieces.poll_next(cx)).transpose()?;
        self.given += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(Ok))
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Option<HeaderMap> {
        self.pieces.take_trailers()
    }
}
