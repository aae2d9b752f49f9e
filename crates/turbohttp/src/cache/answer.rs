//! The walk of one attempt through the cache.

use std::future::Future;
use std::sync::{Arc, OnceLock, Weak};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::entry::{Entry, Fields, Head, key_of};
use super::refresh::Refresher;
use super::rules::{self, Demand, Verdict};
use super::tee::{Arriving, Tee};
use super::{Cache, CacheStatus, Epoch};
use turbohttp_core::h1::encode::Asks;

use crate::body::{BodySource, Content, ResponseBody};
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;

/// Requests with one of these are the caller's own business with the server: what it asks about is what the
/// caller has, a part of something, or another host than that of the URL.
const PASSED_ON: [HeaderName; 7] = [
    RANGE,
    IF_RANGE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
    HOST,
];

/// The cache of one client.
pub(crate) struct Caching {
    cache: Cache,
    /// The client, to validate in the background.
    client: OnceLock<Weak<dyn Refresher>>,
}

impl Caching {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) if the bound of the cache is too small.
    pub(crate) fn new(cache: Cache) -> Result<Caching> {
        cache.check()?;
        Ok(Caching {
            cache,
            client: OnceLock::new(),
        })
    }

    /// Sets the client, once it is made.
    pub(crate) fn set_client(&self, client: Weak<dyn Refresher>) {
        _ = self.client.set(client);
    }

    /// Answers `request` by what is stored, or by what `send` brings, which is stored while it is read.
    ///
    /// Cancel safe: dropped, it has stored nothing in part, and what `send` was doing is released.
    pub(crate) async fn answer<F, Fut>(&self, request: Request, send: F) -> Result<Response>
    where
        F: Fn(Request) -> Fut,
        Fut: Future<Output = Result<Response>>,
    {
        let cache = &self.cache;
        let (mut response, status) = match is_question(&request) {
            true => self.look_up(request, &send).await?,
            false => (cache.pass(request, &send).await?, CacheStatus::Bypass),
        };
        // In the extensions, so that it goes along into other types of responses, and no response grows by it.
        cache.count(status);
        response.extensions_mut().insert(status);
        Ok(response)
    }

    async fn look_up<F, Fut>(&self, request: Request, send: &F) -> Result<(Response, CacheStatus)>
    where
        F: Fn(Request) -> Fut,
        Fut: Future<Output = Result<Response>>,
    {
        let cache = &self.cache;
        let demand = Demand::of(request.headers());
        // A directory is read outside of the scheduler: a call that waits for a disk holds no permit.
        let found = cache.find(&request).await;
        let is_head = request.method() == Method::HEAD;
        let now = cache.now();
        let verdict = found
            .as_ref()
            .map(|entry| rules::judge(&demand, &entry.head, now));
        let Some((entry, verdict)) = found.zip(verdict) else {
            return match demand.only_if_cached() {
                true => Ok(unavailable(request)),
                false => cache.fetch(request, send).await,
            };
        };
        // `only-if-cached` is content with what may be used stale, and with nothing that has to be asked for.
        match verdict {
            Verdict::Fresh => Ok((give(request, &entry, now), CacheStatus::Hit)),
            Verdict::Stale => Ok((give(request, &entry, now), CacheStatus::Stale)),
            Verdict::Refresh if !is_head && self.refresh(&request, &entry) => {
                Ok((give(request, &entry, now), CacheStatus::Stale))
            }
            _ if demand.only_if_cached() => Ok(unavailable(request)),
            // What a HEAD brings is no answer to a GET.
            _ if is_head => cache.fetch(request, send).await,
            _ => cache.validate(request, entry, send).await,
        }
    }

    fn refresh(&self, request: &Request, entry: &Arc<Entry>) -> bool {
        let client = self.client.get();
        client.is_some_and(|client| self.cache.refresh(request, entry, client))
    }
}

impl Cache {
    /// What is stored for the request. A directory that cannot be opened has nothing.
    async fn find(&self, request: &Request) -> Option<Arc<Entry>> {
        let found = self
            .shared
            .store
            .find(request.url(), request.headers())
            .await;
        self.note(found)
    }

    /// Sends a request that no stored response can answer. One that changes something makes what is stored of
    /// its URL useless (RFC 9111 section 4.4).
    async fn pass<F, Fut>(&self, request: Request, send: &F) -> Result<Response>
    where
        F: Fn(Request) -> Fut,
        Fut: Future<Output = Result<Response>>,
    {
        // Asked before the request goes away.
        let is_safe = is_safe(request.method());
        let response = send(request).await?;
        if !is_safe && response.status().as_u16() < 400 {
            for url in invalidated_by(&response) {
                self.invalidate(key_of(&url)).await;
            }
        }
        Ok(response)
    }

    /// Sends the request, and stores what comes.
    async fn fetch<F, Fut>(&self, request: Request, send: &F) -> Result<(Response, CacheStatus)>
    where
        F: Fn(Request) -> Fut,
        Fut: Future<Output = Result<Response>>,
    {
        let asked = self.ask(&request);
        let response = send(request).await?;
        Ok((self.keep(response, asked), CacheStatus::Miss))
    }

    /// Asks the server whether `entry` still holds (RFC 9111 section 4.3).
    pub(super) async fn validate<F, Fut>(
        &self,
        mut request: Request,
        entry: Arc<Entry>,
        send: &F,
    ) -> Result<(Response, CacheStatus)>
    where
        F: Fn(Request) -> Fut,
        Fut: Future<Output = Result<Response>>,
    {
        let demand = Demand::of(request.headers());
        let stands_in = || rules::may_stand_in(&demand, &entry.head, self.now());
        // An error does not always give its request back.
        let spare = if stands_in() {
            request.try_clone()
        } else {
            None
        };
        let asked = self.ask(&request);
        add_conditions(request.headers_mut(), &entry.head.fields);
        let mut response = match send(request).await {
            Ok(response) => response,
            Err(mut error) => {
                if let Some(request) = error.request_mut() {
                    remove_conditions(request.headers_mut());
                }
                return match spare {
                    Some(spare) if rules::is_outage_error(&error) && stands_in() => {
                        Ok((give(spare, &entry, self.now()), CacheStatus::Stale))
                    }
                    _ => Err(error),
                };
            }
        };
        remove_conditions(&mut response.request_mut().headers);
        // The conditions were ours, as a request with conditions of the caller is passed on: so is the 304.
        if response.status() == StatusCode::NOT_MODIFIED {
            return Box::pin(self.confirm(response, &entry, asked, send)).await;
        }
        // Asked again: the answer may have taken longer than the entry may stand in.
        if rules::is_outage(response.status()) && stands_in() {
            response.drain().await;
            let request = response.into_request();
            return Ok((give(request, &entry, self.now()), CacheStatus::Stale));
        }
        if !response.status().is_server_error() {
            // The server has something else now, whether or not that may be stored.
            self.remove(entry.head.id()).await;
        }
        Ok((self.keep(response, asked), CacheStatus::Miss))
    }

    /// Answers by `entry` with the fields of the 304 that has come for it.
    async fn confirm<F, Fut>(
        &self,
        response: Response,
        entry: &Arc<Entry>,
        asked: Asked,
        send: &F,
    ) -> Result<(Response, CacheStatus)>
    where
        F: Fn(Request) -> Fut,
        Fut: Future<Output = Result<Response>>,
    {
        let now = self.now();
        if !rules::confirms(&entry.head, &Fields::of(&response)) {
            // A 304 about something else: without the conditions there can be none.
            self.remove(entry.head.id()).await;
            return self.fetch(response.into_request(), send).await;
        }
        let head = entry.head.confirmed_by(&response, asked.time, now);
        let demand = Demand::of(&response.context().request.headers);
        let request = response.into_request();
        let Some(head) = head.filter(|head| rules::may_store(&demand, head)) else {
            self.remove(entry.head.id()).await;
            return Ok((give(request, entry, now), CacheStatus::Revalidated));
        };
        if head.selection != entry.head.selection {
            // The 304 has another Vary, so that the entry has another name now.
            self.remove(entry.head.id()).await;
        }
        // The same bytes: in a directory they are written once more, beside the new head.
        let body = entry.body.clone();
        let confirmed = Entry { head, body };
        let response = give(request, &confirmed, now);
        self.put(confirmed, asked.epoch);
        Ok((response, CacheStatus::Revalidated))
    }

    /// Stores the response: at once if it is here whole, or while it is read.
    fn keep(&self, response: Response, asked: Asked) -> Response {
        let request = &response.context().request;
        // A HEAD has no body that could be stored under the name of a GET.
        if request.method != Method::GET {
            return response;
        }
        let demand = Demand::of(&request.headers);
        let head = Head::of(&response, asked.time, self.now());
        let Some(head) = head.filter(|head| rules::may_store(&demand, head)) else {
            return response;
        };
        let remaining = response.remaining();
        // What ends with its connection may have been cut off (RFC 9112 section 8).
        let has_end = remaining.is_some() || response.header("transfer-encoding").is_some();
        if !has_end || remaining.is_some_and(|length| length > self.body_bytes_max()) {
            return response;
        }
        let copy = Arriving::new(self.clone(), asked.epoch, head);
        match whole_body(&response) {
            Some(body) => {
                copy.store_whole(body);
                response
            }
            None => response.map_body(|body| Tee::new(body, copy)),
        }
    }

    fn ask(&self, request: &Request) -> Asked {
        Asked {
            time: self.now(),
            epoch: self.epoch(&key_of(request.url())),
        }
    }
}

/// The body of a response that holds no connection: nothing has been read of it yet.
fn whole_body(response: &Response) -> Option<Bytes> {
    let body = &response.context().response.body;
    match &body.0 {
        Content::Ended => Some(Bytes::new()),
        // Shared with the caller.
        Content::Bytes { bytes, .. } => Some(bytes.clone()),
        Content::Buffered(_) => Some(Bytes::copy_from_slice(body.chunk())),
        Content::Connection(_) | Content::Source(_) | Content::Failed => None,
    }
}

/// When a request was sent.
#[derive(Clone, Copy)]
struct Asked {
    time: SystemTime,
    epoch: Epoch,
}

/// Whether a stored response may answer the request.
fn is_question(request: &Request) -> bool {
    let parts = &request.context.request;
    matches!(parts.method, Method::GET | Method::HEAD)
        && parts.body.is_empty()
        && parts.asks != Asks::Upgrade
        && !PASSED_ON
            .iter()
            .any(|name| parts.headers.contains_key(name))
        && !Demand::of(&parts.headers).no_store()
}

/// RFC 9110 section 9.2.1; a method that is not known here may do anything.
fn is_safe(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

/// The URL of the request, and those of its origin that the response names.
fn invalidated_by(response: &Response) -> Vec<String> {
    let own = response.url();
    let mut urls = vec![own.to_owned()];
    let base = url::Url::parse(own).ok();
    for name in ["location", "content-location"] {
        let named = base.as_ref().zip(response.header(name));
        let named = named.and_then(|(base, reference)| base.join(reference).ok());
        // In the normal form of requests; of other schemes there are none.
        let named = named.and_then(|url| Request::new(Method::GET, url.as_str()).ok());
        if let Some(named) = named
            && Some(named.origin()) == response.origin()
        {
            urls.push(named.url().to_owned());
        }
    }
    urls
}

/// Asks for an answer only if there is another one than this.
fn add_conditions(headers: &mut HeaderMap, fields: &Fields) {
    for (name, of) in [
        (IF_NONE_MATCH, "etag"),
        (IF_MODIFIED_SINCE, "last-modified"),
    ] {
        if let Some(value) = fields.first(of)
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            // Both, where both are there: a server that knows the tag ignores the date (RFC 9110 section 13.1.3).
            headers.insert(name, value);
        }
    }
}

/// The request is the caller's again: with none of these, as such a request is no question.
fn remove_conditions(headers: &mut HeaderMap) {
    headers.remove(IF_NONE_MATCH);
    headers.remove(IF_MODIFIED_SINCE);
}

/// Answers `request` by a stored response, with its age now.
fn give(request: Request, entry: &Entry, now: SystemTime) -> Response {
    let body = match *request.method() == Method::HEAD {
        true => ResponseBody::default(),
        false => ResponseBody::from(entry.body.clone()),
    };
    let mut response = request.respond(entry.head.status, body);
    let fields = entry.head.fields.0.iter();
    for (name, value) in fields.filter(|(name, _)| !name.eq_ignore_ascii_case("age")) {
        response.push_header(name, value);
    }
    let age = entry.head.age_at(now).to_string();
    response.push_header("age", age.as_bytes());
    response
}

/// Nothing is stored, and nothing else is wanted (`only-if-cached`, RFC 9111 section 5.2.1).
fn unavailable(request: Request) -> (Response, CacheStatus) {
    let response = request.respond(StatusCode::GATEWAY_TIMEOUT, "");
    (response, CacheStatus::Miss)
}
