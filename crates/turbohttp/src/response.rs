//! A response: the request's own context, now with a head and, mostly, a connection.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use turbohttp_core::origin::Origin;
use turbohttp_core::pool::PoolBox;
use turbohttp_core::scheduler::Outcome;
use turbohttp_core::timeline::Timeline;

use crate::admission::Pass;
use crate::body::Received;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;

mod collect;

/// A response whose head has arrived; the body is read from here.
///
/// The response owns its connection until the body has ended. Dropping it earlier closes the
/// connection, unless the rest of the body had already arrived.
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
        self.context.head.status()
    }

    /// The version the server spoke.
    pub fn version(&self) -> Version {
        self.context.head.version()
    }

    /// The URL that was asked, in normal form.
    pub fn url(&self) -> &str {
        self.context.url.as_str()
    }

    /// The origin that answered.
    pub fn origin(&self) -> Option<&Origin> {
        self.context.url.origin()
    }

    /// The value of the first field called `name` (in any case of letters), if it is visible ASCII or
    /// other UTF-8. Allocates nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.header_bytes(name)?).ok()
    }

    /// The value of the first field called `name` as bytes.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        if self.context.map_built {
            return self.context.map.get(name).map(HeaderValue::as_bytes);
        }
        self.context.head.get(name)
    }

    /// Every field in the order of arrival, names as the server spelled them. Allocates nothing.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.context.head.iter()
    }

    /// The fields as a map, which is built at the first call.
    pub fn headers(&mut self) -> &HeaderMap {
        self.headers_mut()
    }

    /// The fields as a map, to change them; [`header`](Response::header) reads the map from then on.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        let Context {
            head,
            map,
            map_built,
            ..
        } = &mut *self.context;
        if !std::mem::replace(map_built, true) {
            head.iter()
                .for_each(|(name, value)| append(map, name, value));
        }
        map
    }

    /// The value of a trailer field, once the body has been read (RFC 9110 section 6.5).
    pub fn trailer(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.context.head.trailer(name)?).ok()
    }

    /// Bytes of body still to come, where the server said.
    pub fn remaining(&self) -> Option<u64> {
        self.context.received.remaining()
    }

    /// When what happened, up to now.
    pub fn timeline(&self) -> &Timeline {
        &self.context.timeline
    }

    /// This response if its status is below 400, an error otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`] with the status in the message.
    pub fn error_for_status(self) -> Result<Response> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            let error = Error::new(ErrorKind::Status, format!("server answered {status}"));
            return Err(self.explain(error));
        }
        Ok(self)
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
            Ok(Some(self.context.received.chunk()))
        } else {
            Ok(None)
        }
    }

    /// The whole body in one buffer of at most [`Limits::body_bytes`](crate::Limits) bytes.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Response::chunk), and [`ErrorKind::TooLarge`] if the body passes the limit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the response, which closes its connection.
    pub async fn bytes(mut self) -> Result<Bytes> {
        // A body that is in memory already is handed over as it is.
        let limit = self.context.collect_bytes_max();
        if let Received::Bytes {
            bytes,
            given: false,
        } = &mut self.context.received
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
        self.context.received = Received::Bytes {
            bytes,
            given: false,
        };
        Ok(self)
    }

    /// The whole body as text, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`ErrorKind::Decode`] naming the first bad byte.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the response, which closes its connection.
    pub async fn text(mut self) -> Result<String> {
        let bytes = self.collect().await?.into_vec();
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            self.explain(Error::new(
                ErrorKind::Decode,
                format!("body is not UTF-8 at byte {at}"),
            ))
        })
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`ErrorKind::Decode`] naming line and column.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the response, which closes its connection.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(mut self) -> Result<T> {
        let body = self.collect().await?;
        serde_json::from_slice(body.as_slice()).map_err(|error| {
            self.explain(
                Error::new(ErrorKind::Decode, "body is not the JSON expected").with_source(error),
            )
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
    /// Not cancel safe: what was written is not known. The connection is closed with the response.
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
        if self.context.is_cut() {
            return Poll::Ready(Err(self.cut()));
        }
        let (received, receipt) = self.context.receive();
        let Poll::Ready(more) = received.poll_chunk(cx, receipt) else {
            return self.poll_cut(cx).map(Err);
        };
        if !matches!(more, Ok(true)) {
            self.end(more.is_err().then_some(Outcome::Failed));
        }
        Poll::Ready(more.map_err(|error| self.explain(error)))
    }

    /// While the body has to be waited for: whether the client is closed meanwhile.
    fn poll_cut(&mut self, cx: &mut TaskContext<'_>) -> Poll<Error> {
        let Some(pass) = &mut self.context.pass else {
            return Poll::Pending;
        };
        std::task::ready!(pass.poll_cut(cx));
        Poll::Ready(self.cut())
    }

    /// The client was closed and waits for this body no longer.
    #[cold]
    fn cut(&mut self) -> Error {
        self.end(Some(Outcome::Aborted));
        self.explain(Error::closed())
    }

    /// Whether there is nothing left to read.
    pub(crate) fn has_ended(&self) -> bool {
        self.context.received.is_blank()
    }

    /// Keeps the pass of the request until the body has ended, or gives it back if it has.
    pub(crate) fn keep(&mut self, pass: Pass) {
        let has_ended = self.has_ended();
        self.context.keep_pass(pass);
        if has_ended {
            self.context.leave(Outcome::Completed);
        }
    }

    /// Keeps the permit of an attempt until the body has ended, or gives it back if it has.
    pub(crate) fn keep_permit(&mut self, permit: Pass) {
        if !self.has_ended() {
            self.context.keep_permit(permit);
        }
    }

    /// Takes over what others have recorded for this request's timeline.
    pub(crate) fn gather_events(&mut self) {
        let Context {
            mailbox, timeline, ..
        } = &mut *self.context;
        mailbox.drain_into(timeline);
    }

    /// Lets go of connection and permit: a response kept after its body holds up nothing.
    fn end(&mut self, failed: Option<Outcome>) {
        let Context { received, head, .. } = &mut *self.context;
        received.finish(head);
        if failed.is_some() {
            *received = Received::Failed;
        }
        self.context.leave(failed.unwrap_or(Outcome::Completed));
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
    fn explain(&self, error: Error) -> Error {
        let error = error.with_timeline(&self.context.timeline);
        match self.context.url.origin() {
            Some(origin) => error.at(origin),
            None => error,
        }
    }

    /// Appends a field: for middlewares and for transports that make their answers themselves.
    pub fn push_header(&mut self, name: &str, value: &[u8]) {
        let Context {
            head,
            map,
            map_built,
            ..
        } = &mut *self.context;
        head.push(name, value);
        if *map_built {
            append(map, name, value);
        }
    }
}

/// A field that the map cannot hold stays in the head only.
fn append(map: &mut HeaderMap, name: &str, value: &[u8]) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
        map.append(name, value);
    }
}

impl fmt::Debug for Response {
    /// Field names only: values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("head", &self.context.head)
            .finish()
    }
}
