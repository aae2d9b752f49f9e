//! Whether a connection serves another request, and if not, why.

use std::fmt;

/// The decision at the end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection is kept or closed")]
pub enum Reuse {
    /// The connection is quiet and can serve another request.
    Keep,
    /// The connection is to be closed.
    Close(CloseReason),
}

/// Why a connection is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The server said `Connection: close`.
    ServerClose,
    /// The request said `Connection: close`.
    ClientClose,
    /// The server speaks HTTP/1.0 and did not say `Connection: keep-alive`.
    Http10,
    /// The end of the connection was the end of the body.
    CloseDelimited,
    /// The head had both Transfer-Encoding and Content-Length (RFC 9112 section 6.1).
    BothFramings,
    /// The response came before the request was sent whole.
    RequestUnfinished,
    /// The response was dropped before its body ended.
    BodyUnread,
    /// Bytes arrived that belong to no response.
    SurplusBytes,
    /// The exchange failed.
    Failed,
}

impl CloseReason {
    /// The reason in a few words.
    pub fn explain(self) -> &'static str {
        match self {
            CloseReason::ServerClose => "server said Connection: close",
            CloseReason::ClientClose => "request said Connection: close",
            CloseReason::Http10 => "server speaks HTTP/1.0 without keep-alive",
            CloseReason::CloseDelimited => "body ended with the connection",
            CloseReason::BothFramings => "head had Transfer-Encoding and Content-Length",
            CloseReason::RequestUnfinished => "response came before the request was sent whole",
            CloseReason::BodyUnread => "response was dropped before its body ended",
            CloseReason::SurplusBytes => "bytes arrived that belong to no response",
            CloseReason::Failed => "exchange failed",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}
