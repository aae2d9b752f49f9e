//! A response: the request's own context, now with a head and, mostly, a connection.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use turbohttp_core::origin::Origin;
use turbohttp_core::pool::PoolBox;
use turbohttp_core::scheduler::Outcome;
use turbohttp_core::timeline::{Phase, Timeline};

use crate::body::{BodySource, Content, ResponseBody};
use crate::context::{Context, Timing, append};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{DRAIN_WAIT_MS, DRAINED_BYTES_MAX};
use crate::request::Request;
use crate::scheduler::CallGuard;

mod collect;
mod events;
mod stream;
mod text;
mod upgrade;

pub use events::EventStream;
pub use stream::ResponseStream;
pub use upgrade::Upgraded;

/// A response whose head has arrived; the body is read from here.
///
/// A response holds its permit while its body is still on a connection: until the body has been read,
/// or the response is dropped. Dropping it earlier closes the connection, unless the rest of the body
/// had already arrived; over HTTP/2 it resets the stream, and the connection goes on. A body that arrived whole with its head (it and the head fit the read buffer,
/// from [`READ_BYTES_MIN`](crate::limits::READ_BYTES_MIN) bytes up) holds neither: connection and permit
/// are free when [`send`](crate::Client::send) returns, and the body may be read whenever it suits.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// # use turbohttp::{Client, MockReply, MockTransport, StatusCode};
/// # let reply = MockReply::new(StatusCode::OK).header("content-type", "text/plain").body("fine");
/// # let client = Client::builder().transport(MockTransport::new(reply)).build()?;
/// let mut response = client.get("http://example.com/").send().await?;
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(response.header("Content-Type"), Some("text/plain"));
/// while let Some(chunk) = response.chunk().await? {
///     println!("{} bytes", chunk.len());
/// }
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
pub struct Response {
    context: PoolBox<Context>,
}

impl Response {
    pub(crate) fn new(request: Request) -> Response {
        Response {
            context: request.context,
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.context.response.head.status()
    }

    /// The version the server spoke.
    pub fn version(&self) -> Version {
        self.context.response.head.version()
    }

    /// The URL that was asked, in normal form.
    pub fn url(&self) -> &str {
        self.context.request.url.as_str()
    }

    /// The fragment of the URL: that of the last redirect that had one, or of the request. Without the number
    /// sign.
    pub fn fragment(&self) -> Option<&str> {
        self.context.request.url.fragment()
    }

    /// The origin that answered.
    pub fn origin(&self) -> Option<&Origin> {
        self.context.request.url.origin()
    }

    /// The value of the first field called `name` (in any case of letters), if it is visible ASCII or
    /// other UTF-8. Allocates nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.header_bytes(name)?).ok()
    }

    /// The value of the first field called `name` as bytes.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        match self.context.response.fields.map.get() {
            Some(map) => map.get(name).map(HeaderValue::as_bytes),
            None => self.context.response.head.get(name),
        }
    }

    /// The values of all fields called `name`, in the order of arrival. Allocates nothing.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let map = match self.context.response.fields.is_changed {
            true => self.context.response.fields.map.get(),
            false => None,
        };
        let head = match map {
            Some(_) => None,
            None => Some(self.context.response.head.get_all(name)),
        };
        let changed = map.into_iter().flat_map(move |map| map.get_all(name));
        let changed = changed.map(HeaderValue::as_bytes);
        head.into_iter().flatten().chain(changed)
    }

    /// Every field, in the order of arrival and with the names as the server spelled them, until
    /// [`headers_mut`](Response::headers_mut) was called; from then on the fields of the map. Allocates
    /// nothing.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let map = match self.context.response.fields.is_changed {
            true => self.context.response.fields.map.get(),
            false => None,
        };
        let head = map.is_none().then(|| self.context.response.head.iter());
        let changed = map.into_iter().flat_map(HeaderMap::iter);
        let changed = changed.map(|(name, value)| (name.as_str(), value.as_bytes()));
        head.into_iter().flatten().chain(changed)
    }

    /// The fields as a map, which is built at the first call in the memory of a former one.
    pub fn headers(&self) -> &HeaderMap {
        self.context.response.map()
    }

    /// The fields as a map, to change them; all other accessors read the map from then on.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.context.response.map_mut()
    }

    /// The values that went with the request ([`Request::extensions`]).
    pub fn extensions(&self) -> &Extensions {
        &self.context.extensions
    }

    /// The [`extensions`](Response::extensions), to change them.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.context.extensions
    }

    /// The request of this response, for another attempt: the body is given up, and with it the
    /// connection and the permit.
    ///
    /// The request is as it was sent, timeline included, without the credentials and the cookies that the
    /// client has added: sent again, it gets those of where it goes. A body of bytes is whole again; one that was a
    /// stream has been consumed, and sending it once more fails with [`ErrorKind::RequestBody`].
    #[rustfmt::skip] // The compiler shows this line when a response is used again after it.
    pub fn into_request(mut self) -> Request { // copy what is still needed of the response (status, fields) before
        self.context.forget_response();
        self.request_mut().remove_clients();
        Request {
            context: self.context,
        }
    }

    /// The value of a trailer field, once the body has been read (RFC 9110 section 6.5).
    pub fn trailer(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.context.response.head.trailer(name)?).ok()
    }

    /// The fields of the trailer section, once the body has been read; `None` if there are none.
    pub fn trailers(&self) -> Option<HeaderMap> {
        let mut map = HeaderMap::new();
        for (name, value) in self.context.response.head.trailers() {
            append(&mut map, name, value);
        }
        (!map.is_empty()).then_some(map)
    }

    pub(crate) fn has_trailers(&self) -> bool {
        self.context.response.head.trailers().next().is_some()
    }

    /// Malformed field lines that were passed over: none, unless
    /// [`lenient_fields`](crate::ClientBuilder::lenient_fields) permits them.
    pub fn skipped_fields(&self) -> usize {
        self.context.response.head.skipped_fields()
    }

    /// Bytes of the whole body, where the server said: while nothing of it has been read, the same as
    /// [`remaining`](Response::remaining). Of a HEAD request, what a GET would have brought.
    pub fn content_length(&self) -> Option<u64> {
        let field = self.header("content-length");
        field.map_or_else(|| self.remaining(), |value| value.parse().ok())
    }

    /// Bytes of body still to come, where the server said.
    pub fn remaining(&self) -> Option<u64> {
        self.context.response.body.remaining()
    }

    /// The address of the server, or of what stands before it, that this response came from. `None`
    /// with a transport other than the network. Costs no system call.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.context
            .response
            .addresses
            .map(|addresses| addresses.remote)
    }

    /// The address at this end of the connection that this response came on; see
    /// [`remote_addr`](Response::remote_addr).
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.context
            .response
            .addresses
            .map(|addresses| addresses.local)
    }

    /// When what happened, up to now.
    pub fn timeline(&self) -> &Timeline {
        &self.context.timing.timeline
    }

    /// This response if its status is below 400, an error otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`] with the status in [`Error::status`] and in the message. The error keeps the
    /// response, so that its body can be read: [`Error::into_response`]. Until the error is dropped, the
    /// response holds what it held.
    pub fn error_for_status(self) -> Result<Response> {
        match self.status_error() {
            None => Ok(self),
            Some(error) => Err(error.keep(self)),
        }
    }

    /// This response if its status is below 400, an error otherwise, which does not keep the response.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`], as [`error_for_status`](Response::error_for_status).
    pub fn error_for_status_ref(&self) -> Result<&Response> {
        self.status_error().map_or(Ok(self), Err)
    }

    fn status_error(&self) -> Option<Error> {
        let status = self.status();
        let is_error = status.is_client_error() || status.is_server_error();
        is_error.then(|| {
            let error = Error::new(ErrorKind::Status, format!("server answered {status}"));
            self.explain(error.with_status(status))
        })
    }

    /// The next slice of the body, `None` at its end. Allocates nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Truncated`] if the connection ends too early, [`ErrorKind::Protocol`] if the
    /// framing is broken, [`ErrorKind::Timeout`] if nothing arrives within
    /// [`Timeouts::body`](crate::Timeouts) or the request's time is up, [`ErrorKind::Io`]. A body that
    /// has failed goes on failing: it never looks ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped call has taken nothing from the body.
    pub async fn chunk(&mut self) -> Result<Option<&[u8]>> {
        if poll_fn(|cx| self.poll_chunk(cx)).await? {
            Ok(Some(self.context.response.body.chunk()))
        } else {
            Ok(None)
        }
    }

    /// The next piece of the body as bytes of its own, `None` at its end. Copies the piece, where
    /// [`chunk`](Response::chunk) lends it.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Response::chunk).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped call has taken nothing from the body.
    pub async fn chunk_owned(&mut self) -> Result<Option<Bytes>> {
        Ok(self.chunk().await?.map(Bytes::copy_from_slice))
    }

    /// The body as a [`Stream`](futures_core::Stream) of bytes, an [`AsyncRead`](tokio::io::AsyncRead)
    /// and an [`http_body::Body`].
    pub fn into_stream(self) -> ResponseStream {
        ResponseStream::new(self)
    }

    /// The same as [`into_stream`](Response::into_stream), by the name that reqwest has for it.
    pub fn bytes_stream(self) -> ResponseStream {
        self.into_stream()
    }

    /// The response as the type of the `http` crate: status, version, fields and extensions are moved,
    /// the body is read from the [`ResponseStream`].
    pub fn into_http(mut self) -> http::Response<ResponseStream> {
        let (status, version) = (self.status(), self.version());
        // The response keeps its context, and with it connection and permit, until the body is read.
        let headers = std::mem::take(self.context.response.map_mut());
        let extensions = std::mem::take(&mut self.context.extensions);
        let mut response = http::Response::new(self.into_stream());
        *response.status_mut() = status;
        *response.version_mut() = version;
        *response.headers_mut() = headers;
        *response.extensions_mut() = extensions;
        response
    }

    /// Puts something around the body: `map` is given the body as it is and returns what is read from
    /// now on.
    ///
    /// A body that was in memory still holds no permit; one on a connection holds it until what was put
    /// around it has ended. Fields such as Content-Length are left as they are: change them where the
    /// new body has another length.
    ///
    /// ```
    /// # use std::task::{Context, Poll, ready};
    /// # use turbohttp::{BodyContext, BodySource, ResponseBody, Result};
    /// struct Counted { body: ResponseBody, bytes: u64 }
    ///
    /// impl BodySource for Counted {
    ///     fn poll_chunk(&mut self, cx: &mut Context<'_>, context: BodyContext<'_>) -> Poll<Result<bool>> {
    ///         let more = ready!(self.body.poll_chunk(cx, context))?;
    ///         self.bytes += self.body.chunk().len() as u64;
    ///         Poll::Ready(Ok(more))
    ///     }
    ///
    ///     fn chunk(&self) -> &[u8] {
    ///         self.body.chunk()
    ///     }
    /// }
    ///
    /// # fn count(response: turbohttp::Response) -> turbohttp::Response {
    /// response.map_body(|body| Counted { body, bytes: 0 })
    /// # }
    /// ```
    #[must_use]
    pub fn map_body<S: BodySource + 'static>(
        mut self,
        map: impl FnOnce(ResponseBody) -> S,
    ) -> Response {
        self.replace_body(|body| body.map(map));
        self
    }

    /// Replaces the body by what `replace` makes of it: for hooks, which have the response by reference.
    pub fn replace_body(&mut self, replace: impl FnOnce(ResponseBody) -> ResponseBody) {
        // `replace` may panic: then the response has an ended body, and the old one is dropped with the panic.
        let body = std::mem::take(&mut self.context.response.body);
        self.context.response.body = replace(body);
        // The former body was dropped, and the new one is in memory: nothing is left to hold a permit for.
        if !self.context.response.body.holds_connection() {
            self.context.release(Outcome::Completed);
        }
    }

    /// Sets the status, and the timeline where there is another one than its own.
    #[cfg(feature = "tower")]
    pub(crate) fn rewrite(&mut self, status: StatusCode, timeline: Option<Timeline>) {
        self.context.response.head.set_status(status);
        if let Some(timeline) = timeline {
            self.context.timing.timeline = timeline;
        }
    }

    /// The slice that the last poll has made ready.
    fn slice(&self) -> &[u8] {
        self.context.response.body.chunk()
    }

    /// The whole body in one buffer of at most [`Limits::body_bytes`](crate::Limits) bytes.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Response::chunk), and [`ErrorKind::TooLarge`] if the body passes the limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the response, and with it its connection or its stream.
    pub async fn bytes(mut self) -> Result<Bytes> {
        // A body that is in memory already is handed over as it is.
        // Without a copy: the bytes of a mock, and those that a queue has collected.
        let limit = self.context.collect_bytes_max();
        if let Content::Bytes {
            bytes,
            given: false,
        } = &mut self.context.response.body.0
            && bytes.len() <= limit
        {
            let bytes = std::mem::take(bytes);
            self.end(None);
            return Ok(bytes);
        }
        Ok(self.collect().await?.into_bytes())
    }

    /// The same response with its body in memory: connection and permit have gone home.
    pub(crate) async fn into_memory(mut self) -> Result<Response> {
        let bytes = self.collect().await?.into_bytes();
        self.context.response.body = ResponseBody::from(bytes);
        Ok(self)
    }

    /// The whole body, read as JSON. A byte order mark before it is passed over (RFC 8259 section 8.1).
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`ErrorKind::Decode`] naming line and column, which keeps the
    /// bytes: [`Error::into_bytes`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the response, and with it its connection or its stream.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(mut self) -> Result<T> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        let body = self.collect().await?;
        let text = body.as_slice();
        serde_json::from_slice(text.strip_prefix(MARK).unwrap_or(text)).map_err(|error| {
            let message = "body is not the JSON expected";
            let error = Error::new(ErrorKind::Decode, message).with_source(error);
            self.explain(error).keep(body.into_bytes())
        })
    }

    /// Writes the body to `writer` as it arrives; returns its bytes. The writer is flushed.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Response::chunk), and [`ErrorKind::Output`] if the writer fails.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was written is not known. Dropping the response closes its connection, or resets
    /// its stream.
    pub async fn copy_to(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<u64> {
        let mut total = 0;
        let failed = |error| {
            Error::new(
                ErrorKind::Output,
                "body could not be written where it was to go",
            )
            .with_source(error)
        };
        while let Some(chunk) = self.chunk().await? {
            total += chunk.len() as u64;
            writer.write_all(chunk).await.map_err(failed)?;
        }
        writer.flush().await.map_err(failed)?;
        Ok(total)
    }

    fn poll_chunk(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<bool>> {
        // Looked at before the body is polled: data that is ready must not outrun a close for ever.
        if self.context.is_cut() {
            return Poll::Ready(Err(self.cut()));
        }
        let (received, context) = self.context.receive();
        let Poll::Ready(more) = received.poll_chunk(cx, context) else {
            return self.poll_cut(cx).map(Err);
        };
        // The end and an error release everything at once; the response itself may be kept for its head.
        if !matches!(more, Ok(true)) {
            self.end(more.is_err().then_some(Outcome::Failed));
        }
        Poll::Ready(more.map_err(|error| self.explain(error)))
    }

    /// While the body has to be waited for: whether the client is closed meanwhile.
    fn poll_cut(&mut self, cx: &mut TaskContext<'_>) -> Poll<Error> {
        std::task::ready!(self.context.poll_cut(cx));
        Poll::Ready(self.cut())
    }

    /// The client was closed and waits for this body no longer.
    #[cold]
    fn cut(&mut self) -> Error {
        self.end(Some(Outcome::Aborted));
        self.explain(Error::closed_by_client().in_phase(Phase::Receive))
    }

    /// Holds the call while the body is on a connection; otherwise the call ends here, be the body unread.
    /// `has_permit` says that the permit is the call's, unless one of a further attempt is here.
    #[inline]
    pub(crate) fn hold_call(&mut self, call: CallGuard, has_permit: bool) {
        self.context.timing.end_call();
        if !self.context.response.body.holds_connection() {
            call.leave(Outcome::Completed);
            self.context.release(Outcome::Completed);
            return;
        }
        // What holds the permit is what others wait for.
        let call = match has_permit && !self.context.has_permit() {
            true => call.held_unread(),
            false => call,
        };
        self.context.hold_call(call);
    }

    /// Holds the permit of an attempt while the body is on a connection.
    pub(crate) fn hold_permit(&mut self, permit: CallGuard) {
        if self.context.response.body.holds_connection() {
            self.context.hold_permit(permit.held_unread());
        }
    }

    /// What this response and its request are.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// What was sent, to take out again what was added to it.
    pub(crate) fn request_mut(&mut self) -> &mut crate::context::RequestParts {
        &mut self.context.request
    }

    /// Takes in the rest of a body that is not wanted, so that its connection can be used again: if it is
    /// short and comes at once. A new connection would take longer than the one, and less than the other.
    #[cold]
    pub(crate) async fn drain(&mut self) {
        let is_short = self
            .remaining()
            .is_none_or(|left| left <= DRAINED_BYTES_MAX);
        // What ends with its connection leaves none to be used again.
        let has_end = self.remaining().is_some() || self.header("transfer-encoding").is_some();
        if !is_short || !has_end || !self.context.response.body.holds_connection() {
            return;
        }
        let reading = async {
            let mut room = DRAINED_BYTES_MAX;
            while let Ok(Some(chunk)) = self.chunk().await
                && room > 0
            {
                room = room.saturating_sub(chunk.len() as u64);
            }
        };
        let wait = Duration::from_millis(DRAIN_WAIT_MS);
        // Whether it was read or not: what is left closes the connection.
        _ = tokio::time::timeout(wait, reading).await;
    }

    /// Takes over what others have recorded for this request's timeline.
    pub(crate) fn gather_events(&mut self) {
        let Timing {
            mailbox, timeline, ..
        } = &mut self.context.timing;
        mailbox.drain_into(timeline);
    }

    /// Releases connection, permit and call: a response that is kept after its body holds nothing.
    fn end(&mut self, failed: Option<Outcome>) {
        let (body, context) = self.context.receive();
        body.finish(context.head, context.spare);
        if failed.is_some() {
            body.0 = Content::Failed;
        }
        self.context.release(failed.unwrap_or(Outcome::Completed));
        self.gather_events();
    }

    #[cold]
    fn too_large(&self, limit: usize) -> Error {
        self.explain(Error::new(
            ErrorKind::TooLarge,
            format!("body exceeds {limit} bytes"),
        ))
    }

    /// Adds what the context knows to an error of this response.
    #[cold]
    pub(crate) fn explain(&self, error: Error) -> Error {
        self.context.explain(error)
    }

    /// Appends a field: for middlewares and for transports that make their answers themselves.
    pub fn push_header(&mut self, name: &str, value: &[u8]) {
        self.context.response.push_field(name, value);
    }

    /// Removes every field called `name`, in any case of letters: for middlewares that change a body.
    pub fn remove_header(&mut self, name: &str) {
        self.context.response.remove_field(name);
    }

    /// Whether the request was HEAD, so that the fields are of a body that does not come (RFC 9110 section
    /// 9.3.2).
    #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
    pub(crate) fn is_to_head(&self) -> bool {
        self.context.request.method == http::Method::HEAD
    }
}

impl Error {
    /// The response whose status is the error, to read its body; see
    /// [`Response::error_for_status`].
    pub fn into_response(self) -> Option<Response> {
        self.into_kept()
    }

    /// The body that could not be decoded as text or JSON, as it arrived.
    pub fn into_bytes(self) -> Option<Bytes> {
        self.into_kept()
    }
}

impl fmt::Debug for Response {
    /// Field names only: values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("head", &self.context.response.head)
            .finish()
    }
}
