//! What holds for an exchange on either version of HTTP: what a wait that is too long ends by, when content that
//! is held back goes out, and what is wrong with a source of content.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, Instant};

use http::StatusCode;
use turbohttp_core::timeline::Phase;

use crate::clock;
use crate::config::TimeLimits;
use crate::error::{Error, ErrorKind};
use crate::limits::CONTINUE_WAIT_MS;

/// How long content waits for `100 Continue`.
pub(super) const CONTINUE_WAIT: Duration = Duration::from_millis(CONTINUE_WAIT_MS);

/// Whether the deadline of the request has passed.
#[inline]
pub(super) fn is_late(time: &TimeLimits, now: Instant) -> bool {
    time.deadline.is_some_and(|deadline| deadline <= now)
}

/// The deadline of the request has passed.
#[cold]
pub(super) fn request_timeout(time: &TimeLimits, phase: Phase) -> Error {
    Error::timeout(phase, "the request", time.allowed())
}

/// A timer has expired. It has one instant for both limits; which one it was decides what the error says.
#[cold]
fn timeout(time: &TimeLimits, phase: Phase, what: &'static str, own: Duration) -> Error {
    match is_late(time, clock::now()) {
        true => request_timeout(time, phase),
        false => Error::timeout(phase, what, own),
    }
}

/// The wait before the head was too long: for the head, or for the socket to take more of the request.
#[cold]
pub(super) fn head_timeout(time: &TimeLimits, phase: Phase) -> Error {
    match phase {
        Phase::Wait => timeout(
            time,
            phase,
            "waiting for the response head",
            time.timeouts().head,
        ),
        _ => write_timeout(time),
    }
}

/// The wait for the socket to take more of the request was too long, or that for more of its content.
#[cold]
pub(super) fn write_timeout(time: &TimeLimits) -> Error {
    let what = "a write of the request";
    timeout(time, Phase::Send, what, time.timeouts().body)
}

/// The wait for more of the body was too long.
#[cold]
pub(super) fn body_timeout(time: &TimeLimits) -> Error {
    let what = "waiting for more of the body";
    timeout(time, Phase::Receive, what, time.timeouts().body)
}

/// The wait for a stream of the connection was too long, which the limit of a permit says.
#[cold]
pub(super) fn line_timeout(time: &TimeLimits, own: Duration) -> Error {
    timeout(time, Phase::HostPermit, "waiting for a stream", own)
}

/// What becomes of the rest of a request whose final head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// No more of it is wanted.
    Stops,
    /// It goes out beside the body of the response.
    GoesOn,
    /// It was held back, and goes out now.
    Proceeds,
}

impl Rest {
    /// An error status wants no more of the request (RFC 9112 section 9.5). A success asks for content that is held
    /// back as `100 Continue` does, if the connection stays; anything else does without it (RFC 9110 section 10.1.1).
    pub(super) fn after(status: StatusCode, is_held_back: bool, is_closing: bool) -> Rest {
        match (
            status.is_client_error() || status.is_server_error(),
            is_held_back,
        ) {
            (true, _) => Rest::Stops,
            (false, false) => Rest::GoesOn,
            (false, true) if status.is_success() && !is_closing => Rest::Proceeds,
            (false, true) => Rest::Stops,
        }
    }
}

/// The source of the content has failed.
#[cold]
pub(super) fn source_failed(error: io::Error) -> Error {
    let message = "the source of the request body failed";
    let error = Error::new(ErrorKind::RequestBody, message).with_source(error);
    error.in_phase(Phase::Send)
}

/// The content, or its trailers, are not what they have to be.
#[cold]
pub(super) fn unfit_content(error: &impl StdError) -> Error {
    Error::new(ErrorKind::RequestBody, error.to_string()).in_phase(Phase::Send)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_request_is_what_the_status_wants() {
        let table = [
            (200, false, false, Rest::GoesOn),
            (200, false, true, Rest::GoesOn),
            (200, true, false, Rest::Proceeds),
            (200, true, true, Rest::Stops),
            (307, true, false, Rest::Stops),
            (307, false, false, Rest::GoesOn),
            (413, false, false, Rest::Stops),
            (417, true, false, Rest::Stops),
            (503, false, true, Rest::Stops),
        ];
        for (status, is_held_back, is_closing, rest) in table {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                Rest::after(status, is_held_back, is_closing),
                rest,
                "{status} {is_held_back} {is_closing}"
            );
        }
    }
}
