//! What an answer says about the load of its server, for limits that follow it.

use http::StatusCode;
use http::header::RETRY_AFTER;
use turbohttp_core::scheduler::{LaneKey, Observation};

use super::Policies;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::response::Response;
use crate::scheduler::Dispatcher;

impl Policies {
    /// Tells the scheduler how an attempt has ended.
    pub(super) fn observe(&self, done: &Result<Response>, dispatcher: &Dispatcher) {
        let (origin, observation) = match done {
            Ok(response) => (response.origin(), self.of_response(response)),
            Err(error) => (error.origin(), of_error(error)),
        };
        let (Some(origin), Some(observation)) = (origin, observation) else {
            return;
        };
        // Most permits are released after this, so that a limit that has grown is used at once.
        let now = clock::now();
        dispatcher.update(|scheduler, effects| {
            scheduler.observe(LaneKey::from(origin), observation, now, effects);
        });
    }

    fn of_response(&self, response: &Response) -> Option<Observation> {
        let status = response.status();
        let is_pause = || {
            let asks = response.header_bytes(RETRY_AFTER.as_str()).is_some();
            asks && self
                .retry
                .as_ref()
                .is_some_and(|retry| retry.pauses(status))
        };
        match status {
            // The server says itself when to come again; the pause for that is the remedy.
            StatusCode::TOO_MANY_REQUESTS if is_pause() => None,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some(Observation::Overloaded)
            }
            // From the permit, or from the connection where it was a new one, to the head.
            _ => {
                let began = response.context().timing.began()?;
                let time = clock::now().saturating_duration_since(began);
                Some(Observation::Answered(time))
            }
        }
    }
}

/// Errors that a server makes which cannot keep up; all others say nothing about its load.
fn of_error(error: &Error) -> Option<Observation> {
    match error.kind() {
        // A wait for a permit says something of this client alone.
        ErrorKind::Timeout if !error.is_permit_wait() => Some(Observation::Overloaded),
        ErrorKind::Connect => Some(Observation::Overloaded),
        _ => None,
    }
}
