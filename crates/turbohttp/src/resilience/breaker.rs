//! A circuit breaker for each origin.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use turbohttp_core::origin::Origin;

use super::circuit::{Admitted, Circuit, Rules};
use super::origins::Origins;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::middleware::{Middleware, Next};
use crate::request::Request;
use crate::response::Response;

/// Stops sending to an origin that fails, for a time, and then tries one request.
///
/// A circuit opens when half of at least ten calls within ten seconds have failed. For 30 s each call to that
/// origin then ends at once with [`ErrorKind::CircuitOpen`], which returns the request; the next call after that
/// is let through alone and decides. Failures are errors of the network and of the protocol, timeouts, and the statuses
/// 500, 502, 503 and 504. A 429 is none, nor is a 503 with `Retry-After`: those pause the origin
/// ([`RetryPolicy`](crate::RetryPolicy)). A call that is dropped counts as nothing, as does one that ends by the client's own
/// limits or by a mistake in its request. If the one that was let through has not ended after another 30 s, one more is.
///
/// It counts calls: the retries of the client's policy are below it. The states of up to 1,024 origins are kept.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use std::time::Duration;
/// use turbohttp::{CircuitBreaker, Client};
///
/// let breaker = CircuitBreaker::new().failures(0.3, 20).open_for(Duration::from_secs(5));
/// let client = Client::builder().with(breaker).build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CircuitBreaker {
    rules: Rules,
    circuits: Mutex<Origins<Circuit>>,
}

impl Default for CircuitBreaker {
    fn default() -> CircuitBreaker {
        CircuitBreaker {
            rules: Rules {
                ratio: 0.5,
                calls_min: 10,
                window: Duration::from_secs(10),
                open_for: Duration::from_secs(30),
            },
            circuits: Mutex::default(),
        }
    }
}

impl CircuitBreaker {
    /// A breaker with the default rules.
    pub fn new() -> CircuitBreaker {
        CircuitBreaker::default()
    }

    /// Sets the share of failed calls that opens a circuit, from 0 to 1, and how many calls there must be within
    /// the window; values out of range are cut to it.
    #[must_use]
    pub fn failures(mut self, share: f64, calls_min: u32) -> CircuitBreaker {
        // NaN is no share, and says nothing: what was set before stays.
        if !share.is_nan() {
            self.rules.ratio = share.clamp(0.0, 1.0);
        }
        self.rules.calls_min = calls_min.max(1);
        self
    }

    /// Sets the time over which calls are counted; default 10 s.
    #[must_use]
    pub fn window(mut self, window: Duration) -> CircuitBreaker {
        self.rules.window = window.min(clock::FAR);
        self
    }

    /// Sets for how long nothing is sent, and how long the one request that is tried then may take before another one is;
    /// default 30 s.
    #[must_use]
    pub fn open_for(mut self, time: Duration) -> CircuitBreaker {
        self.rules.open_for = time.min(clock::FAR);
        self
    }

    fn circuits(&self) -> MutexGuard<'_, Origins<Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Middleware for CircuitBreaker {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let origin = request.origin().clone();
        let now = clock::now();
        let admitted = {
            let mut circuits = self.circuits();
            circuits
                .get_or_make(&origin, || Circuit::new(now))
                .admit(now, &self.rules)
        };
        let pass = match admitted {
            Ok(pass) => pass,
            Err(left) => return Err(refused(left).with_request(Some(request)).at(&origin)),
        };
        // From here on every way out, a drop too, gives the permission back.
        let mut guard = Guard {
            breaker: self,
            origin: &origin,
            pass: Some(pass),
        };
        let answer = next.run(request).await;
        if let Some(has_failed) = has_failed(&answer) {
            guard.report(has_failed);
        }
        answer
    }
}

fn refused(left: Duration) -> Error {
    let message = match left.is_zero() {
        true => "the circuit is open: one request is being tried".to_owned(),
        false => format!("the circuit is open for {left:.1?} more"),
    };
    Error::new(ErrorKind::CircuitOpen, message)
}

/// Whether the answer speaks against its server; `None` if it says nothing of it: a wait for a permit, a mistake in the
/// request, an error of another layer.
fn has_failed(answer: &Result<Response>) -> Option<bool> {
    let error = match answer {
        Ok(response) => {
            let status = response.status();
            let is_pause = status == StatusCode::SERVICE_UNAVAILABLE
                && response.header(RETRY_AFTER.as_str()).is_some();
            return Some(is_outage(status) && !is_pause);
        }
        Err(error) => error,
    };
    if error.is_permit_wait() {
        return None;
    }
    match error.kind() {
        ErrorKind::Dns
        | ErrorKind::Connect
        | ErrorKind::Tls
        | ErrorKind::Proxy
        | ErrorKind::Io
        | ErrorKind::Truncated
        | ErrorKind::Protocol
        | ErrorKind::Timeout
        | ErrorKind::Transport => Some(true),
        // A layer below has made an error of the status.
        ErrorKind::Status => error.status().map(is_outage),
        // It has answered, and the client does not take the answer.
        ErrorKind::Redirect | ErrorKind::Decode | ErrorKind::TooLarge => Some(false),
        _ => None,
    }
}

fn is_outage(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// Gives the pass of a call back, whatever its end.
struct Guard<'a> {
    breaker: &'a CircuitBreaker,
    origin: &'a Origin,
    pass: Option<Admitted>,
}

impl Guard<'_> {
    fn report(&mut self, has_failed: bool) {
        let mut circuits = self.breaker.circuits();
        if let (Some(pass), Some(circuit)) = (self.pass.take(), circuits.get(self.origin)) {
            circuit.report(pass, has_failed, clock::now(), &self.breaker.rules);
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take()
            && let Some(circuit) = self.breaker.circuits().get(self.origin)
        {
            circuit.abandon(pass);
        }
    }
}
