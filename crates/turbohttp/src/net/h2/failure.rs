//! What a stream ended by, as the error of its request.

use turbohttp_core::h2::{ConnectionEnd, ErrorCode, StreamError};
use turbohttp_core::timeline::Phase;

use crate::error::{Error, ErrorKind};

/// The error, and whether the server has not processed the request. `is_unwritten`: not one byte of it was
/// handed to the socket.
#[cold]
pub(super) fn stream_error(error: StreamError, is_unwritten: bool, phase: Phase) -> (Error, bool) {
    let kind = match error {
        StreamError::Malformed(_) => ErrorKind::Protocol,
        StreamError::HeadTooLarge { .. } | StreamError::TooManyFields { .. } => ErrorKind::TooLarge,
        StreamError::Connection(ConnectionEnd::Broken(_)) => ErrorKind::Protocol,
        StreamError::Connection(ConnectionEnd::Closed) if phase == Phase::Receive => {
            ErrorKind::Truncated
        }
        StreamError::Connection(ConnectionEnd::Abandoned) => ErrorKind::Closed,
        _ => ErrorKind::Io,
    };
    let is_unprocessed = match error {
        StreamError::Reset(code) => code == ErrorCode::REFUSED_STREAM,
        StreamError::NotProcessed(_) => true,
        StreamError::Connection(_) => is_unwritten,
        _ => false,
    };
    let is_unanswered = match error {
        // What the server has broken it breaks again.
        StreamError::Connection(ConnectionEnd::Broken(_)) => false,
        StreamError::Connection(_) => phase == Phase::Wait,
        _ => false,
    };
    let error = Error::new(kind, error.to_string()).in_phase(phase);
    let error = match (is_unprocessed, is_unanswered) {
        (true, _) => error.unsent(),
        (false, true) => error.unanswered(),
        (false, false) => error,
    };
    (error, is_unprocessed)
}

/// The connection takes no more requests: another one does.
#[cold]
pub(super) fn gone() -> Error {
    let message = "connection takes no more requests";
    Error::new(ErrorKind::Io, message)
        .in_phase(Phase::Send)
        .unsent()
}
