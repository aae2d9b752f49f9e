//! One request for many callers that ask the same at the same time.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::Notify;

use crate::error::{Error, ErrorKind, Result};
use crate::middleware::{Middleware, Next};
use crate::request::Request;
use crate::response::Response;

/// What a shared body may have, in bytes, unless the caller says otherwise.
const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// Requests under way that others may join: beyond it, each call sends its own.
const FLIGHTS_MAX: usize = 65_536;

/// Sends one request where several calls ask for the same at the same time: by GET or HEAD, of the same URL, with the
/// same fields, and without a body.
///
/// The call that came first sends; the others wait for its answer without a permit, and get a copy of its status, its
/// fields and its body. A body whose length is not known, or that is larger than 1 MiB
/// ([`body_bytes_max`](SingleFlight::body_bytes_max)), is not shared: then each of the others sends its own request. An
/// error is shared with its kind and its text. If the first call is dropped, one of the others sends.
///
/// An answer that has been given is not kept: for that there is a cache.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use turbohttp::{Client, SingleFlight};
///
/// let client = Client::builder().with(SingleFlight::new()).build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SingleFlight {
    flights: Mutex<HashMap<Key, Arc<Flight>>>,
    body_bytes_max: u64,
}

/// What two requests must have in common, in their own order.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    method: Method,
    url: String,
    fields: Vec<(String, Vec<u8>)>,
}

impl std::fmt::Debug for Key {
    /// Neither the query nor the fields: both can be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {url}", self.method)
    }
}

/// A request under way, and its answer for those who wait.
#[derive(Debug, Default)]
struct Flight {
    landed: Mutex<Option<Landed>>,
    notify: Notify,
}

#[derive(Clone, Debug)]
enum Landed {
    Answer(Arc<Answer>),
    Failed(ErrorKind, String),
    /// The body is not for sharing: each sends its own.
    Alone,
    /// The call was dropped: the next one sends.
    Dropped,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Default for SingleFlight {
    fn default() -> SingleFlight {
        SingleFlight {
            flights: Mutex::default(),
            body_bytes_max: BODY_BYTES_MAX,
        }
    }
}

/// What a call does.
enum Part {
    Lead(Arc<Flight>),
    Follow(Arc<Flight>),
    Alone,
}

impl SingleFlight {
    /// Shares bodies of up to 1 MiB.
    pub fn new() -> SingleFlight {
        SingleFlight::default()
    }

    /// Sets the largest body that is shared, in bytes.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: u64) -> SingleFlight {
        self.body_bytes_max = bytes;
        self
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, key: &Key) -> Part {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(key) {
            return Part::Follow(flight.clone());
        }
        if flights.len() >= FLIGHTS_MAX {
            return Part::Alone;
        }
        let flight = Arc::<Flight>::default();
        flights.insert(key.clone(), flight.clone());
        Part::Lead(flight)
    }

    /// Sends for all, and keeps the answer for those who wait.
    async fn lead(
        &self,
        key: &Key,
        flight: Arc<Flight>,
        request: Request,
        next: &Next<'_>,
    ) -> Result<Response> {
        let mut landing = Landing {
            single: self,
            key,
            flight,
            with: Landed::Dropped,
        };
        let answer = next.run(request).await;
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => {
                landing.with = Landed::Failed(error.kind(), error.to_string());
                return Err(error);
            }
        };
        // Asked of what is still to come, which a decoding may have changed from Content-Length.
        let is_shared = response
            .remaining()
            .is_some_and(|length| length <= self.body_bytes_max);
        if !is_shared {
            landing.with = Landed::Alone;
            return Ok(response);
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(chunk),
                Ok(None) => break,
                Err(error) => {
                    landing.with = Landed::Failed(error.kind(), error.to_string());
                    return Err(error);
                }
            }
        }
        let body = Bytes::from(body);
        landing.with = Landed::Answer(Arc::new(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: body.clone(),
        }));
        response.replace_body(|_| body.into());
        Ok(response)
    }
}

impl Middleware for SingleFlight {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
        let Some(key) = key(&request) else {
            return next.run(request).await;
        };
        // Again only where the call in front was dropped.
        loop {
            let flight = match self.join(&key) {
                Part::Alone => return next.run(request).await,
                Part::Lead(flight) => {
                    return Box::pin(self.lead(&key, flight, request, &next)).await;
                }
                Part::Follow(flight) => flight,
            };
            match flight.wait().await {
                Landed::Dropped => {}
                Landed::Alone => return next.run(request).await,
                Landed::Failed(kind, message) => {
                    let origin = request.origin().clone();
                    let message = format!("the request that it shared has failed: {message}");
                    return Err(Error::new(kind, message).at(&origin));
                }
                Landed::Answer(answer) => {
                    request.take_body();
                    let mut response = request.respond(answer.status, answer.body.clone());
                    *response.headers_mut() = answer.headers.clone();
                    return Ok(response);
                }
            }
        }
    }
}

/// `None` for a request that is not shared.
fn key(request: &Request) -> Option<Key> {
    let method = request.method();
    let is_safe = *method == Method::GET || *method == Method::HEAD;
    if !is_safe || !request.body().is_empty() {
        return None;
    }
    let fields = request.headers().iter();
    let mut fields: Vec<_> = fields
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    // By name; the order of the values of one name says something.
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    Some(Key {
        method: method.clone(),
        url: request.url().to_owned(),
        fields,
    })
}

impl Flight {
    fn landed(&self) -> MutexGuard<'_, Option<Landed>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) -> Landed {
        loop {
            // Registered before the look, so that a landing between the two is not missed.
            let mut landing = pin!(self.notify.notified());
            landing.as_mut().enable();
            let landed = self.landed().clone();
            if let Some(landed) = landed {
                return landed;
            }
            landing.await;
        }
    }
}

/// Ends a flight, whatever the end of its call.
struct Landing<'a> {
    single: &'a SingleFlight,
    key: &'a Key,
    flight: Arc<Flight>,
    with: Landed,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        // Out of the table first: who comes from now on sends anew.
        self.single.flights().remove(self.key);
        let with = std::mem::replace(&mut self.with, Landed::Dropped);
        *self.flight.landed() = Some(with);
        self.flight.notify.notify_waiters();
    }
}
