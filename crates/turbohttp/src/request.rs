//! A request: a handle of one pointer on its context.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Method, StatusCode, Uri};
use turbohttp_core::origin::{Origin, Origins};
use turbohttp_core::pool::{ObjectPool, PoolBox};
use turbohttp_core::scheduler::Priority;
use turbohttp_core::timeline::Recorder;

use crate::body::{Body, IntoBody, ResponseBody};
use crate::clock;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::DETACHED_CONTEXTS_MAX;
use crate::response::Response;
use crate::url::IntoUrl;

/// Contexts of requests that no client made.
static DETACHED: LazyLock<ObjectPool<Context>> = LazyLock::new(|| {
    ObjectPool::new(DETACHED_CONTEXTS_MAX, Context::default).expect("the cap is not zero")
});

/// A request on its way to a transport: what a middleware sees and may change.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use turbohttp::{Method, Request};
///
/// let mut request = Request::new(Method::POST, "http://example.com/?a=1")?;
/// request.headers_mut().insert("content-type", "text/plain".parse()?);
/// request.set_body("content");
/// request.extensions_mut().insert(7_u32);
/// let copy = request.try_clone().expect("the body is no stream");
/// assert_eq!(copy.url(), "http://example.com/?a=1");
/// # Ok(())
/// # }
/// ```
pub struct Request {
    pub(crate) context: PoolBox<Context>,
}

impl Request {
    /// A request that belongs to no client yet; send it with [`Client::send`](crate::Client::send).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Url`] if `url` is malformed or has another scheme than http and https.
    pub fn new(method: Method, url: impl IntoUrl) -> Result<Request> {
        let mut request = Request {
            context: DETACHED.take(),
        };
        request.context.request.method = method;
        request.set_url(url)?;
        Ok(request)
    }

    /// A request for nothing yet, of no client.
    pub(crate) fn blank() -> Request {
        Request {
            context: DETACHED.take(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.context.request.method
    }

    /// The method, to change it.
    pub fn method_mut(&mut self) -> &mut Method {
        &mut self.context.request.method
    }

    /// Changes the method.
    pub fn set_method(&mut self, method: Method) {
        self.context.request.method = method;
    }

    /// The URL in normal form, without userinfo and fragment.
    pub fn url(&self) -> &str {
        self.context.request.url.as_str()
    }

    /// The fragment of the URL, without the number sign. It is never sent; a redirect that has none of its own
    /// inherits it (RFC 9110 section 10.2.2).
    pub fn fragment(&self) -> Option<&str> {
        self.context.request.url.fragment()
    }

    /// The URL as an [`Uri`]; made anew at each call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Url`] if the URL is longer than that type can hold.
    pub fn uri(&self) -> Result<Uri> {
        Uri::try_from(self.url())
            .map_err(|error| Error::new(ErrorKind::Url, "URL is no http::Uri").with_source(error))
    }

    /// Changes the URL. Its userinfo, if any, becomes an Authorization field; one that came from the
    /// userinfo of the former URL is removed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Url`] if `url` is malformed or has another scheme than http and https.
    pub fn set_url(&mut self, url: impl IntoUrl) -> Result<()> {
        self.read_url(&url.as_url(), None)
    }

    /// Reads the URL with the help of a client's table of origins.
    #[inline]
    pub(crate) fn read_url(&mut self, url: &str, origins: Option<&Origins>) -> Result<()> {
        let parts = &mut self.context.request;
        match parts.url.credentials().cloned() {
            None => parts.url.set(url, origins)?,
            Some(former) => {
                parts.url.set(url, origins)?;
                parts.remove_authorization(&former);
            }
        }
        if let Some(credentials) = parts.url.credentials() {
            parts.headers.insert(AUTHORIZATION, credentials.clone());
        }
        Ok(())
    }

    /// Sends `target`, path and query, in place of those of the URL and as it is: no dot segment is
    /// removed and nothing is encoded (curl's `--path-as-is`). [`set_url`](Request::set_url) replaces it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Url`] if it does not begin with a slash, or holds anything but visible ASCII.
    pub fn set_target(&mut self, target: impl AsRef<str>) -> Result<()> {
        self.context.request.url.set_target(target.as_ref())
    }

    /// The origin the request goes to.
    ///
    /// # Panics
    ///
    /// Never: a request that can be seen has a URL.
    pub fn origin(&self) -> &Origin {
        self.context
            .request
            .url
            .origin()
            .expect("a request that can be seen has a URL")
    }

    /// The header fields that were set.
    pub fn headers(&self) -> &HeaderMap {
        &self.context.request.headers
    }

    /// The header fields, to change them.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.context.request.headers
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.context.request.body
    }

    /// The body, to change it.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.context.request.body
    }

    /// How long the whole request may take, where it says so itself.
    pub fn timeout(&self) -> Option<Duration> {
        self.context.timing.limits.timeout
    }

    /// Changes how long the whole request may take, from `send` to the end of the body; `None` leaves it
    /// to [`Timeouts::request`](crate::Timeouts::request). It is read when a call begins: a change by a
    /// middleware or a hook holds for the next call with this request.
    pub fn timeout_mut(&mut self) -> &mut Option<Duration> {
        &mut self.context.timing.limits.timeout
    }

    /// Replaces the body.
    pub fn set_body(&mut self, body: impl IntoBody) {
        self.context.request.body = body.into_body();
    }

    /// Takes the body out, and leaves none: for transports that send it themselves.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.context.request.body)
    }

    /// Values that go with the request, by type: from the caller to middlewares and hooks, and on to
    /// [`Response::extensions`]. They are dropped with the request.
    pub fn extensions(&self) -> &Extensions {
        &self.context.extensions
    }

    /// The [`extensions`](Request::extensions), to change them.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.context.extensions
    }

    /// How urgent the request is, should it have to wait.
    pub fn priority(&self) -> Priority {
        self.context.request.priority
    }

    /// Changes how urgent the request is.
    pub fn set_priority(&mut self, priority: Priority) {
        self.context.request.priority = priority;
    }

    /// A second request like this one; `None` if its body is a stream.
    ///
    /// In a middleware, the clone belongs to the same call and shares its deadline. For a request that
    /// is sent after the call has ended, make a new one.
    pub fn try_clone(&self) -> Option<Request> {
        let mut clone = Request {
            context: DETACHED.take(),
        };
        let context = &mut *clone.context;
        context.request.copy_from(&self.context.request)?;
        // Within a call a further attempt has the options of its client and the rest of its time.
        context.timing.copy_from(&self.context.timing);
        context.extensions = self.context.extensions.clone();
        Some(clone)
    }

    /// A handle by which a part that may outlive the request can add to its timeline; once the
    /// request is over, what it writes is refused.
    pub fn recorder(&mut self) -> Recorder {
        self.context.timing.mailbox.recorder()
    }

    /// Answers the request without sending it: for transports and middlewares that make answers. The
    /// body is bytes, or a [`ResponseBody`] that streams.
    ///
    /// A response whose body is in memory holds no permit.
    pub fn respond(mut self, status: StatusCode, body: impl Into<ResponseBody>) -> Response {
        let context = &mut *self.context;
        context.response.head.reset();
        context.response.head.set_status(status);
        context.response.body = body.into();
        // The answer exists from now on: without a network there are no phases up to here.
        context.timing.timeline.end(clock::now());
        Response::new(self)
    }
}

/// A request of the `http` crate: method, URI, fields, extensions and body are taken over, the version is
/// not.
impl<B: IntoBody> TryFrom<http::Request<B>> for Request {
    type Error = Error;

    fn try_from(request: http::Request<B>) -> Result<Request> {
        let (parts, body) = request.into_parts();
        let mut request = Request::new(parts.method, &parts.uri)?;
        // Userinfo of the URI is a field already; one of that name in the parts replaces it.
        for name in parts.headers.keys() {
            request.context.request.headers.remove(name);
        }
        request.context.request.headers.extend(parts.headers);
        // Moved, not copied: the `http` request is consumed.
        request.context.extensions = parts.extensions;
        request.set_body(body);
        Ok(request)
    }
}

impl Error {
    /// The request as it was, where nothing of it was sent: of a call that was refused, got no permit in
    /// time, or no connection; also of an idempotent request that found its idle connection closed by the
    /// server, and then got no new one. `None` of every other error: of a deadline, too, that passes while
    /// a connection is made.
    pub fn into_request(self) -> Option<Request> {
        let mut request: Request = self.into_kept()?;
        request.context.request.remove_clients();
        Some(request)
    }

    /// Keeps the request that the error did not consume.
    pub(crate) fn with_request(self, request: Option<Request>) -> Error {
        let Some(mut request) = request else {
            return self;
        };
        let context = &mut *request.context;
        context.timing.end_exchange();
        // Nothing of this attempt was sent, but a former one of the same call may have been: a stream that
        // it has read from is spent, and a POST would be done twice.
        let is_spent = context.request.body.check_unspent().is_err();
        let is_done = context.timing.was_answered() && !context.request.is_idempotent();
        let error = match is_spent || is_done {
            true => self.not_retryable(),
            false => self.unsent(),
        };
        error.keep(request)
    }
}

/// A request of which something was sent, in an error: for a policy that sends it once more. The end of
/// the call drops it.
struct SentRequest(Request);

impl Error {
    /// Keeps a request that was sent and not answered.
    #[cold]
    pub(crate) fn with_sent(self, mut request: Request) -> Error {
        request.context.timing.end_exchange();
        self.keep(SentRequest(request))
    }

    /// The request of a failed attempt, sent or not.
    pub(crate) fn request_mut(&mut self) -> Option<&mut Request> {
        // Asked twice, as a borrow that is returned cannot be given up in between.
        match self.kept_mut::<Request>().is_some() {
            true => self.kept_mut::<Request>(),
            false => self.kept_mut::<SentRequest>().map(|sent| &mut sent.0),
        }
    }

    /// The request of a failed attempt, sent or not, out of its error.
    pub(crate) fn take_request(&mut self) -> Option<Request> {
        let sent = self.take_kept::<SentRequest>().map(|sent| sent.0);
        sent.or_else(|| self.take_kept::<Request>())
    }

    /// Drops a request that was sent, as its call has ended.
    pub(crate) fn forget_sent(&mut self) {
        drop(self.take_kept::<SentRequest>());
    }
}

impl fmt::Debug for Request {
    /// Fields without their values, the query left out: both can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url().split('?').next().unwrap_or_default();
        f.debug_struct("Request")
            .field("method", self.method())
            .field("url", &url)
            .field("headers", &self.headers().keys().collect::<Vec<_>>())
            .field("body", self.body())
            .finish()
    }
}
