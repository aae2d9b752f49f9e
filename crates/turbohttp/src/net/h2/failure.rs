//! What a stream ended by, as the error of its request.

use turbohttp_core::h2::{ConnectionEnd, ErrorCode, StreamError};
use turbohttp_core::timeline::Phase;

use crate::error::{Error, ErrorKind};

/// What an error says about sending the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server may have processed it.
    No,
    /// The server has not processed it, whatever it is.
    Unprocessed,
    /// The same, as the connection goes away.
    Moved,
    /// The same, as the server permits no request: another connection would meet the same.
    Unpermitted,
    /// The same, and it is to be sent by HTTP/1.1.
    WantsHttp1,
}

/// The error, and what it says about sending the request again. `is_unwritten`: not one byte of it was
/// handed to the socket.
#[cold]
pub(super) fn stream_error(
    error: StreamError,
    is_unwritten: bool,
    phase: Phase,
) -> (Error, Refusal) {
    let kind = match error {
        StreamError::Malformed(_) => ErrorKind::Protocol,
        StreamError::HeadTooLarge { .. } | StreamError::TooManyFields { .. } => ErrorKind::TooLarge,
        StreamError::Connection(ConnectionEnd::Broken(_)) => ErrorKind::Protocol,
        StreamError::Connection(ConnectionEnd::Closed | ConnectionEnd::GoAway(_))
            if phase == Phase::Receive =>
        {
            ErrorKind::Truncated
        }
        StreamError::Connection(ConnectionEnd::Abandoned) => ErrorKind::Closed,
        _ => ErrorKind::Io,
    };
    let refusal = match error {
        StreamError::Reset(ErrorCode::HTTP_1_1_REQUIRED) => Refusal::WantsHttp1,
        StreamError::Reset(ErrorCode::REFUSED_STREAM) => Refusal::Unprocessed,
        StreamError::NotProcessed(_) => Refusal::Moved,
        // What the server has broken it breaks again: another connection would meet the same.
        StreamError::Connection(ConnectionEnd::Broken(_)) => Refusal::No,
        StreamError::Connection(_) if is_unwritten => Refusal::Unprocessed,
        _ => Refusal::No,
    };
    let is_unanswered = match error {
        StreamError::Connection(ConnectionEnd::Broken(_)) => false,
        StreamError::Connection(_) => phase != Phase::Receive,
        _ => false,
    };
    let error = Error::new(kind, error.to_string()).in_phase(phase);
    let error = match (refusal, is_unanswered) {
        (Refusal::No, _) if is_unwritten => error.unsent(),
        (Refusal::No, false) => error,
        (Refusal::No, true) => error.unanswered(),
        _ => error.unsent(),
    };
    (error, refusal)
}

/// The connection takes no more requests: another one does.
#[cold]
pub(super) fn gone() -> Error {
    let message = "connection takes no more requests";
    Error::new(ErrorKind::Io, message)
        .in_phase(Phase::Send)
        .unsent()
}

/// The request has waited for as long as a connection may rest, and the server has permitted none: another
/// connection would meet the same.
#[cold]
pub(super) fn permits_none() -> Error {
    let message =
        "server permits no requests on its connection (SETTINGS_MAX_CONCURRENT_STREAMS is 0)";
    Error::new(ErrorKind::Io, message)
        .in_phase(Phase::HostPermit)
        .unsent()
}
