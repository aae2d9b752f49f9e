//! One request for many callers that ask the same at the same time.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Method, StatusCode};
use tokio::sync::Notify;
use turbohttp_core::h1::encode::Asks;

use crate::clock;
use crate::error::{Error, Result};
use crate::middleware::{Middleware, Next};
use crate::policy::Credentials;
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
/// error is shared without its source. If the first call is dropped, or its deadline passes, one of the others
/// sends.
///
/// Whose answer a request may have is told by its fields alone. So a request with
/// [extensions](crate::RequestBuilder::extension), by which a layer below may tell one user from another, is not shared;
/// nor is one with [credentials](crate::RequestBuilder::credentials) that are not among its fields yet, nor one that asks
/// for another protocol. A layer that adds the field of a user by other means must be added before this one.
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
    Failed(Arc<Error>),
    /// The body is not for sharing: each sends its own.
    Alone,
    /// The call was dropped: the next one sends.
    Dropped,
}

#[derive(Debug)]
struct Answer {
    /// Where redirects have led.
    url: String,
    fragment: Option<String>,
    status: StatusCode,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
}

impl Answer {
    fn of(response: &Response, body: Bytes) -> Answer {
        Answer {
            url: response.url().to_owned(),
            fragment: response.fragment().map(str::to_owned),
            status: response.status(),
            headers: response.headers().clone(),
            extensions: response.extensions().clone(),
            body,
        }
    }

    /// The answer to `request`, which is one of those that share it.
    fn give(&self, mut request: Request) -> Result<Response> {
        request.take_body();
        if request.url() != self.url {
            match &self.fragment {
                Some(fragment) => request.set_url(format!("{}#{fragment}", self.url))?,
                None => request.set_url(&self.url)?,
            }
        }
        let mut response = request.respond(self.status, self.body.clone());
        *response.headers_mut() = self.headers.clone();
        *response.extensions_mut() = self.extensions.clone();
        Ok(response)
    }
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
        let deadline = request.context.timing.limits.deadline;
        let failed = |error: &Error| match deadline {
            // The others have deadlines of their own.
            Some(deadline) if deadline <= clock::now() => Landed::Dropped,
            _ => Landed::Failed(Arc::new(error.shared())),
        };
        let answer = next.run(request).await;
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => {
                landing.with = failed(&error);
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
                    landing.with = failed(&error);
                    return Err(error);
                }
            }
        }
        let body = Bytes::from(body);
        landing.with = Landed::Answer(Arc::new(Answer::of(&response, body.clone())));
        response.replace_body(|_| body.into());
        Ok(response)
    }
}

impl Middleware for SingleFlight {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
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
            // The call in front may wait for the very permit that this one has begun with.
            next.release_permit();
            match flight.wait().await {
                Landed::Dropped => {}
                Landed::Alone => return next.run(request).await,
                Landed::Failed(error) => {
                    return Err(error.copy().at(&request.origin().clone()));
                }
                Landed::Answer(answer) => return answer.give(request),
            }
        }
    }
}

/// `None` for a request that is not shared.
fn key(request: &Request) -> Option<Key> {
    let method = request.method();
    let is_safe = *method == Method::GET || *method == Method::HEAD;
    let is_plain = request.body().is_empty() && request.context.request.asks != Asks::Upgrade;
    if !is_safe || !is_plain || !is_told_by_fields(request) {
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

/// Whether the fields of the request tell all about its user: nothing else goes along for the layers below, and its
/// own credentials are among them.
fn is_told_by_fields(request: &Request) -> bool {
    let extensions = request.extensions();
    let has_credentials = extensions.get::<Credentials>().is_some();
    extensions.len() == usize::from(has_credentials)
        && (!has_credentials || request.headers().contains_key(AUTHORIZATION))
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
