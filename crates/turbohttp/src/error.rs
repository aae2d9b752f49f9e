//! The one error of the client: whose fault, in which phase, at which origin, and from what.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use turbohttp_core::contain;
use turbohttp_core::h1::{EncodeError, ParseError};
use turbohttp_core::origin::Origin;
use turbohttp_core::scheduler::{AdjustError, Bound, Refusal, TooManyLanes};
use turbohttp_core::timeline::{Phase, Timeline};

use http::StatusCode;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Shared by the copies of an error.
type Source = Arc<dyn StdError + Send + Sync>;

mod shared;

/// What went wrong with a request, in one word of memory.
///
/// `Display` tells this level only and names the origin; [`source`](StdError::source) goes deeper.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// # use turbohttp::{Client, ErrorKind, MockReply, MockTransport, StatusCode};
/// # let mock = MockTransport::new(MockReply::new(StatusCode::NOT_FOUND));
/// # let client = Client::builder().transport(mock).build()?;
/// let response = client.get("http://example.com/x").send().await?;
/// let error = response.error_for_status().unwrap_err();
/// assert_eq!(error.to_string(), "server answered 404 Not Found (http://example.com)");
/// assert_eq!((error.kind(), error.status()), (ErrorKind::Status, Some(StatusCode::NOT_FOUND)));
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    phase: Option<Phase>,
    origin: Option<Origin>,
    source: Option<Source>,
    timeline: Option<Box<Timeline>>,
    repeat: Repeat,
    status: Option<StatusCode>,
    /// The request that was not sent, or the response whose status is the error. Of no type here, as
    /// those modules use this one; the mutex only makes the error shareable.
    kept: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Whether the request of an error may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    No,
    /// No byte of a response had arrived.
    Unanswered,
    /// No byte of the request was sent.
    Unsent,
}

/// Whose fault an error is: the caller's, the peer's, the network's, a limit's, or ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option is out of its bounds (caller).
    Config,
    /// The URL is malformed or of another scheme than http and https (caller).
    Url,
    /// The request cannot be put on the wire: a field, the method or its framing (caller).
    Request,
    /// The source of the request body failed or had another length than announced (caller).
    RequestBody,
    /// The response breaks HTTP (peer).
    Protocol,
    /// The connection ended before the response did (peer).
    Truncated,
    /// The status is an error, and [`Response::error_for_status`](crate::Response::error_for_status)
    /// was asked (peer).
    Status,
    /// A redirect cannot be followed, or is not: too many in a row, a circle, from https to http, a Location
    /// that is no URL of http (peer).
    Redirect,
    /// The body is not what it was read as: text, JSON, or its content coding (peer).
    Decode,
    /// The name has no address (network).
    Dns,
    /// No connection could be made (network).
    Connect,
    /// The TLS handshake or its checks failed (network or peer).
    Tls,
    /// A proxy did not open the way to the origin; [`Error::status`] has its answer to CONNECT (network).
    Proxy,
    /// A connection failed while in use (network).
    Io,
    /// A deadline passed; [`Error::phase`] says where (limit).
    Timeout,
    /// A response is larger than its limit (limit).
    TooLarge,
    /// Writing the body where the caller wanted it failed (caller).
    Output,
    /// A downloaded file does not hash to what the caller or the server says (peer).
    Checksum,
    /// A file changes on its server while it is downloaded, again and again (peer).
    Changed,
    /// There is no runtime to work on, or it has been shut down (caller).
    Runtime,
    /// A transport other than the network's own failed, as it says itself.
    Transport,
    /// The client, the limiter or the queue was closed (caller).
    Closed,
    /// As many requests wait as may wait (limit).
    Full,
    /// No permit is free, and the caller did not want to wait (limit).
    Busy,
    /// A [`CircuitBreaker`](crate::CircuitBreaker) lets nothing through to the origin (limit).
    CircuitOpen,
    /// The request was canceled by its ticket, or by the close of its queue (caller).
    Canceled,
    /// The deadline of a queued request passed before it was started; it was never sent (limit).
    ExpiredInQueue,
    /// Code of the user panicked (caller).
    Panicked,
}

impl ErrorKind {
    /// The kind in one lower-case word, for logs and machine-readable output.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Config => "config",
            ErrorKind::Url => "url",
            ErrorKind::Request => "request",
            ErrorKind::RequestBody => "request_body",
            ErrorKind::Protocol => "protocol",
            ErrorKind::Truncated => "truncated",
            ErrorKind::Status => "status",
            ErrorKind::Redirect => "redirect",
            ErrorKind::Decode => "decode",
            ErrorKind::Dns => "dns",
            ErrorKind::Connect => "connect",
            ErrorKind::Tls => "tls",
            ErrorKind::Proxy => "proxy",
            ErrorKind::Io => "io",
            ErrorKind::Timeout => "timeout",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Output => "output",
            ErrorKind::Checksum => "checksum",
            ErrorKind::Changed => "changed",
            ErrorKind::Runtime => "runtime",
            ErrorKind::Transport => "transport",
            ErrorKind::Closed => "closed",
            ErrorKind::Full => "full",
            ErrorKind::Busy => "busy",
            ErrorKind::CircuitOpen => "circuit_open",
            ErrorKind::Canceled => "canceled",
            ErrorKind::ExpiredInQueue => "expired_in_queue",
            ErrorKind::Panicked => "panicked",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Error {
    /// An error with a message of its own: for middlewares and transports outside this crate.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            phase: None,
            origin: None,
            source: None,
            timeline: None,
            repeat: Repeat::No,
            status: None,
            kept: Mutex::new(None),
        }))
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The phase of the request in which it went wrong, where it had begun.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The origin that the request was for, where the URL told it.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// The timeline up to the error: a copy that holds no other part of the request.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.0.timeline.as_deref()
    }

    /// Whether a deadline passed, in a queue or elsewhere.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Timeout | ErrorKind::ExpiredInQueue)
    }

    /// Whether no connection could be made: the name has no address, the address or the proxy refuses, the
    /// TLS handshake fails, or one of them takes too long.
    pub fn is_connect(&self) -> bool {
        match self.0.kind {
            ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Tls | ErrorKind::Proxy => true,
            ErrorKind::Timeout => matches!(
                self.0.phase,
                Some(Phase::Dns | Phase::Connect | Phase::Tunnel | Phase::Tls)
            ),
            _ => false,
        }
    }

    /// Whether the mistake is in how client, URL or request were built: nothing was sent.
    pub fn is_builder(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Config | ErrorKind::Url | ErrorKind::Request
        )
    }

    /// Whether the exchange with the server failed, from the first byte sent to the end of the head.
    pub fn is_request(&self) -> bool {
        matches!(self.0.phase, Some(Phase::Send | Phase::Wait))
    }

    /// Whether a body failed: the request's source, or the response's bytes.
    pub fn is_body(&self) -> bool {
        self.0.kind == ErrorKind::RequestBody || self.0.phase == Some(Phase::Receive)
    }

    /// Whether the body is not what it was read as: text, JSON, or its content coding.
    pub fn is_decode(&self) -> bool {
        self.0.kind == ErrorKind::Decode
    }

    /// Whether a redirect cannot be followed, or is not.
    pub fn is_redirect(&self) -> bool {
        self.0.kind == ErrorKind::Redirect
    }

    /// Whether it is the status of a response, made an error by
    /// [`Response::error_for_status`](crate::Response::error_for_status).
    pub fn is_status(&self) -> bool {
        self.0.kind == ErrorKind::Status
    }

    /// Whether the client, the limiter or the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.0.kind == ErrorKind::Closed
    }

    /// Whether the request may be sent again without being done twice: nothing of it was sent, or its
    /// method is idempotent (RFC 9110 section 9.2.2) and nothing of a response had arrived. Of a POST or
    /// a PATCH that was sent, and of a body that was a stream and was read from, this is never said.
    pub fn is_retryable(&self) -> bool {
        self.0.repeat != Repeat::No
    }

    pub(crate) fn is_unsent(&self) -> bool {
        self.0.repeat == Repeat::Unsent
    }

    /// The status of the response, if that is the error; of an error of the kind [`ErrorKind::Proxy`], what
    /// the proxy answered to CONNECT.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Error {
        self.0.status = Some(status);
        self
    }

    /// Keeps the request or the response that belongs to the error.
    pub(crate) fn keep<T: Send + 'static>(mut self, value: T) -> Error {
        // Boxed, so that an error without it stays small; this path is cold.
        self.0.kept = Mutex::new(Some(Box::new(value)));
        self
    }

    /// What [`keep`](Error::keep) was given, if it is of this type, to change it.
    pub(crate) fn kept_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let kept = self.0.kept.get_mut();
        let kept = kept.unwrap_or_else(PoisonError::into_inner).as_mut()?;
        kept.downcast_mut()
    }

    /// What [`keep`](Error::keep) was given, if it is of this type, out of the error.
    pub(crate) fn take_kept<T: 'static>(&mut self) -> Option<T> {
        self.kept_mut::<T>()?;
        let kept = self.0.kept.get_mut();
        let kept = kept.unwrap_or_else(PoisonError::into_inner).take()?;
        kept.downcast().ok().map(|value| *value)
    }

    /// What [`keep`](Error::keep) was given, if it is of this type.
    pub(crate) fn into_kept<T: 'static>(self) -> Option<T> {
        let kept = self.0.kept.into_inner();
        let kept = kept.unwrap_or_else(PoisonError::into_inner)?;
        kept.downcast().ok().map(|value| *value)
    }

    /// Whether the request still waited for a permit.
    pub(crate) fn is_permit_wait(&self) -> bool {
        matches!(
            self.0.phase,
            Some(Phase::Pause | Phase::HostPermit | Phase::TotalPermit)
        )
    }

    /// The error of the way to a proxy, which its message says.
    #[cold]
    pub(crate) fn on_the_way_to(mut self, proxy: impl fmt::Display) -> Error {
        self.0.message = format!("on the way to {proxy}: {}", self.0.message).into();
        self
    }

    pub(crate) fn in_phase(mut self, phase: Phase) -> Error {
        // The inner one wins: it knows more than the layers above it.
        self.0.phase.get_or_insert(phase);
        self
    }

    pub(crate) fn at(mut self, origin: &Origin) -> Error {
        // Likewise: behind a redirect of a middleware the inner origin is the one that failed.
        self.0.origin.get_or_insert_with(|| origin.clone());
        self
    }

    /// Nothing of a response had arrived, so that an idempotent request may be sent again.
    pub(crate) fn unanswered(self) -> Error {
        self.repeat(Repeat::Unanswered)
    }

    /// Nothing of the request was sent.
    pub(crate) fn unsent(self) -> Error {
        self.repeat(Repeat::Unsent)
    }

    pub(crate) fn not_retryable(self) -> Error {
        self.repeat(Repeat::No)
    }

    fn repeat(mut self, repeat: Repeat) -> Error {
        self.0.repeat = repeat;
        self
    }

    pub(crate) fn with_timeline(mut self, timeline: &Timeline) -> Error {
        // A copy: the context goes back to its pool while the error lives on.
        self.0
            .timeline
            .get_or_insert_with(|| Box::new(timeline.clone()));
        self
    }

    /// `what` took longer than `limit`.
    #[cold]
    pub(crate) fn timeout(phase: Phase, what: &'static str, limit: Duration) -> Error {
        Error::new(
            ErrorKind::Timeout,
            format!("{what} took longer than {limit:?}"),
        )
        .in_phase(phase)
    }

    /// The scheduler does not admit the request.
    #[cold]
    pub(crate) fn refused(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Full { bound, limit } => Error::full(bound, limit),
            Refusal::Expired => Error::new(ErrorKind::Timeout, "no permit came free in time"),
            Refusal::Busy => Error::new(ErrorKind::Busy, "no permit is free"),
            _ => Error::closed(),
        }
    }

    #[cold]
    pub(crate) fn closed() -> Error {
        Error::new(ErrorKind::Closed, "closed: nothing more is sent")
    }

    /// A close of the client has ended a call that was under way.
    #[cold]
    pub(crate) fn closed_by_client() -> Error {
        Error::new(ErrorKind::Closed, "cut off: the client was closed")
    }

    #[cold]
    fn full(bound: Bound, limit: usize) -> Error {
        let message = match bound {
            Bound::Waiting => format!("{limit} requests wait already (limits.waiting)"),
            Bound::Lane => {
                format!("{limit} requests wait for this host already (limits.waiting_per_host)")
            }
            Bound::Group(priority) => format!("{limit} {priority} requests are queued already"),
            _ => format!("{limit} wait already"),
        };
        Error::new(ErrorKind::Full, message)
    }

    /// What a panic said, as an error.
    #[cold]
    pub(crate) fn panicked(what: &str, panic: Box<dyn Any + Send>) -> Error {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        contain::discard(panic);
        let message = match said {
            Some(said) => format!("{what} panicked: {said}"),
            None => format!("{what} panicked"),
        };
        Error::new(ErrorKind::Panicked, message)
    }

    #[cold]
    pub(crate) fn io(phase: Phase, message: &'static str, source: std::io::Error) -> Error {
        Error::new(ErrorKind::Io, message)
            .with_source(source)
            .in_phase(phase)
    }

    #[cold]
    pub(crate) fn config(field: &str, bound: &str, value: impl fmt::Display) -> Error {
        Error::new(
            ErrorKind::Config,
            format!("{field} must be {bound} (got {value})"),
        )
    }
}

/// Runs code of the user; a panic ends here, and is an error that names `what`.
pub(crate) fn contain<R>(what: &str, code: impl FnOnce() -> R) -> Result<R> {
    contain::catch(code).map_err(|panic| Error::panicked(what, panic))
}

impl From<ParseError> for Error {
    #[cold]
    fn from(error: ParseError) -> Error {
        let kind = match error {
            ParseError::HeadTruncated { .. } | ParseError::BodyTruncated { .. } => {
                ErrorKind::Truncated
            }
            ParseError::HeadTooLarge { .. }
            | ParseError::TooManyFields { .. }
            | ParseError::TooManyInterim { .. } => ErrorKind::TooLarge,
            // What breaks the grammar or the framing of RFC 9112.
            _ => ErrorKind::Protocol,
        };
        Error::new(kind, error.to_string())
    }
}

impl From<AdjustError> for Error {
    #[cold]
    fn from(error: AdjustError) -> Error {
        match error {
            AdjustError::Limit(rule) => rule.into(),
            AdjustError::Lanes(lanes) => lanes.into(),
            error => Error::new(ErrorKind::Config, error.to_string()),
        }
    }
}

impl From<TooManyLanes> for Error {
    #[cold]
    fn from(error: TooManyLanes) -> Error {
        Error::new(ErrorKind::Full, error.to_string())
    }
}

impl From<EncodeError> for Error {
    #[cold]
    fn from(error: EncodeError) -> Error {
        Error::new(ErrorKind::Request, error.to_string())
    }
}

impl From<http::header::InvalidHeaderValue> for Error {
    #[cold]
    fn from(error: http::header::InvalidHeaderValue) -> Error {
        Error::new(ErrorKind::Request, "field value holds a control byte").with_source(error)
    }
}

impl From<http::header::InvalidHeaderName> for Error {
    #[cold]
    fn from(error: http::header::InvalidHeaderName) -> Error {
        Error::new(ErrorKind::Request, "field name is malformed").with_source(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("phase", &self.0.phase)
            .field("origin", &self.0.origin)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Error {
        match never {}
    }
}
