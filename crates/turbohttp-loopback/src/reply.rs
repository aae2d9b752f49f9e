//! What a request gets. Decided here alone; each protocol writes it in its own way.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::answer::{Answer, OCTETS, ResponseHead};
use crate::body::Kept;
use crate::head::Framing;
use crate::host::Host;
use crate::options::FailWith;
use crate::route::Route;

/// Into how many pieces `/slow` cuts its content.
const SLOW_PIECES: u64 = 10;

/// The error code of `/reset` over HTTP/2: INTERNAL_ERROR (RFC 9113 §7).
const INTERNAL_ERROR: u32 = 2;

/// What a request gets.
pub(crate) enum Reply {
    /// An answer that is there whole.
    Whole(Arc<Answer>),
    /// The same, this much later.
    Late(Arc<Answer>, Duration),
    Streamed(Streamed),
    /// The connection ends without an answer.
    Close,
    /// The connection is reset; over HTTP/2 the stream, with this error code.
    Reset(
        #[cfg_attr(
            not(feature = "h2"),
            expect(dead_code, reason = "HTTP/1.1 has no codes")
        )]
        u32,
    ),
    Never,
}

/// An answer whose content is the pattern, made while it is sent.
pub(crate) struct Streamed {
    pub(crate) head: ResponseHead,
    /// How much is sent.
    pub(crate) length: u64,
    /// In how large pieces; a chunk each, if it is chunked.
    pub(crate) piece: u64,
    /// How long to wait between two pieces.
    pub(crate) pause: Option<Duration>,
    pub(crate) end: End,
}

/// How a streamed answer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Content,
    /// With this trailer field behind the content.
    Trailer(&'static str, &'static str),
    /// The connection is closed within the content.
    Cut,
}

/// The parts of a request that its answer may depend on.
pub(crate) struct Request<'a> {
    pub(crate) target: &'a [u8],
    /// The head as text, for `/headers`.
    pub(crate) head: &'a [u8],
    pub(crate) content_type: Option<&'a [u8]>,
    /// The content, for `/echo`.
    pub(crate) content: Kept,
}

/// Decides about a request that the host has no answer ready for.
pub(crate) fn decide(request: &Request<'_>) -> Reply {
    let whole = |answer| Reply::Whole(Arc::new(answer));
    match Route::parse(request.target) {
        Route::Echo => whole(echo(request)),
        Route::Headers => whole(Answer::text(200, request.head)),
        Route::Id(id) => whole(Answer::text(200, id)),
        Route::Delay { ms } => Reply::Late(Arc::new(Answer::small()), Duration::from_millis(ms)),
        Route::Bytes(length) => Reply::Streamed(Streamed::of(length)),
        Route::Chunked { count, size } => Reply::Streamed(Streamed {
            head: ResponseHead::new(200, OCTETS, Framing::Chunked),
            length: count.saturating_mul(size),
            piece: size,
            ..Streamed::of(0)
        }),
        Route::Trailers(length) => Reply::Streamed(Streamed {
            head: ResponseHead::new(200, OCTETS, Framing::Chunked),
            length,
            end: End::Trailer("x-trailer", "here"),
            ..Streamed::of(0)
        }),
        Route::Slow { bytes, ms } => Reply::Streamed(Streamed {
            piece: bytes.div_ceil(SLOW_PIECES),
            pause: Some(Duration::from_millis(ms)),
            ..Streamed::of(bytes)
        }),
        Route::Close(length) => Reply::Streamed(Streamed {
            head: ResponseHead::new(200, OCTETS, Framing::None),
            ..Streamed::of(length)
        }),
        Route::Drop => Reply::Close,
        Route::DropHalfway(length) => Reply::Streamed(Streamed {
            length: length / 2,
            end: End::Cut,
            ..Streamed::of(length)
        }),
        Route::Reset(code) => Reply::Reset(code.unwrap_or(INTERNAL_ERROR)),
        Route::Never => Reply::Never,
        Route::Unknown => whole(Answer::status(404)),
        Route::Index | Route::Small | Route::Status(_) => unreachable!("kept by the host"),
    }
}

impl Reply {
    /// The reply of `host` to its request with this `number`, which may fail it, after the delay
    /// that all have.
    pub(crate) async fn settle(self, host: &Host, number: u64) -> Reply {
        if !host.options.base_delay.is_zero() {
            sleep(host.options.base_delay).await;
        }
        match host.failure(number) {
            Some(FailWith::Drop) => Reply::Close,
            Some(FailWith::Status503) => Reply::Whole(Arc::new(Answer::status(503))),
            None => self,
        }
    }
}

impl Streamed {
    /// `length` bytes, announced and in one piece.
    fn of(length: u64) -> Streamed {
        Streamed {
            head: ResponseHead::new(200, OCTETS, Framing::Length(length)),
            length,
            piece: u64::MAX,
            pause: None,
            end: End::Content,
        }
    }
}

fn echo(request: &Request<'_>) -> Answer {
    let Some(content) = &request.content else {
        return Answer::status(413);
    };
    let content_type = request
        .content_type
        .and_then(|name| str::from_utf8(name).ok());
    Answer::with_type(200, content_type.unwrap_or(OCTETS), content)
}
