//! A transport that answers from a script, and keeps its own counts.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use turbohttp_core::timeline::Phase;

use super::{Boxed, Transport};
use crate::body::ResponseBody;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::SCRIPT_REPLIES_MAX;
use crate::request::Request;
use crate::response::Response;

/// Answers requests in memory: first the scripted replies in order, then what the handler says.
///
/// A clone shares script and counts, so a test keeps one clone and gives the other to the client.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// use turbohttp::{Client, MockReply, MockTransport, StatusCode};
///
/// let mock = MockTransport::with_handler(|request| {
///     MockReply::new(StatusCode::OK).body(request.url().to_owned())
/// });
/// mock.script(MockReply::new(StatusCode::SERVICE_UNAVAILABLE)); // the first answer
/// let client = Client::builder().transport(mock.clone()).build()?;
/// assert_eq!(client.get("http://a.test/").send().await?.status(), 503);
/// assert_eq!(client.get("http://a.test/").send().await?.text().await?, "http://a.test/");
/// assert_eq!(mock.stats().entered, 2);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone)]
pub struct MockTransport {
    shared: Arc<Shared>,
}

struct Shared {
    handler: Box<dyn Fn(&Request) -> MockReply + Send + Sync>,
    script: Mutex<VecDeque<MockReply>>,
    scripted: AtomicU64,
    entered: AtomicU64,
    left: AtomicU64,
    dropped: AtomicU64,
    in_flight: AtomicU64,
    peak: AtomicU64,
    closed: AtomicU64,
}

/// What the mock counted, apart from the client's own counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MockStats {
    /// Requests that reached the mock.
    pub entered: u64,
    /// Requests that were answered, errors included.
    pub left: u64,
    /// Requests that were dropped while the mock held them.
    pub dropped: u64,
    /// The most requests it held at once.
    pub peak: u64,
    /// How many times a client closed it.
    pub closed: u64,
}

/// One answer: a status with fields and a body, or an error; after a delay.
#[derive(Clone, Debug)]
pub struct MockReply {
    status: StatusCode,
    fields: Arc<[(String, Vec<u8>)]>,
    body: Bytes,
    is_streamed: bool,
    delay: Duration,
    failure: Option<(ErrorKind, &'static str)>,
}

impl MockReply {
    /// An answer of `status` with no fields and no body.
    pub fn new(status: StatusCode) -> MockReply {
        MockReply {
            status,
            fields: Arc::new([]),
            body: Bytes::new(),
            is_streamed: false,
            delay: Duration::ZERO,
            failure: None,
        }
    }

    /// A failure instead of an answer.
    pub fn failure(kind: ErrorKind, message: &'static str) -> MockReply {
        MockReply {
            failure: Some((kind, message)),
            ..MockReply::new(StatusCode::OK)
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> MockReply {
        let field = (name.to_owned(), value.as_ref().to_vec());
        self.fields = self.fields.iter().cloned().chain([field]).collect();
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> MockReply {
        self.body = body.into();
        self
    }

    /// Makes the body count as still on a connection: the response holds its permit until the body has
    /// been read or the response is dropped.
    #[must_use]
    pub fn streamed(mut self) -> MockReply {
        self.is_streamed = true;
        self
    }

    /// Waits before the answer, by the runtime's clock.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> MockReply {
        self.delay = delay;
        self
    }
}

impl MockTransport {
    /// A mock that gives every request this reply, once its script is empty.
    pub fn new(reply: MockReply) -> MockTransport {
        MockTransport::with_handler(move |_| reply.clone())
    }

    /// A mock that asks `handler` for each reply, once its script is empty.
    pub fn with_handler(
        handler: impl Fn(&Request) -> MockReply + Send + Sync + 'static,
    ) -> MockTransport {
        MockTransport {
            shared: Arc::new(Shared {
                handler: Box::new(handler),
                script: Mutex::new(VecDeque::new()),
                scripted: AtomicU64::new(0),
                entered: AtomicU64::new(0),
                left: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
                in_flight: AtomicU64::new(0),
                peak: AtomicU64::new(0),
                closed: AtomicU64::new(0),
            }),
        }
    }

    /// Appends a reply to the script; `false` if [`SCRIPT_REPLIES_MAX`] wait already.
    pub fn script(&self, reply: MockReply) -> bool {
        let mut script = self
            .shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fits = script.len() < SCRIPT_REPLIES_MAX;
        if fits {
            script.push_back(reply);
            // Under the lock, so that the count never exceeds the script: `next_reply` looks at it without the lock.
            self.shared.scripted.fetch_add(1, Ordering::Release);
        }
        fits
    }

    /// What has been counted so far.
    pub fn stats(&self) -> MockStats {
        let shared = &*self.shared;
        MockStats {
            entered: shared.entered.load(Ordering::Relaxed),
            left: shared.left.load(Ordering::Relaxed),
            dropped: shared.dropped.load(Ordering::Relaxed),
            peak: shared.peak.load(Ordering::Relaxed),
            closed: shared.closed.load(Ordering::Relaxed),
        }
    }
}

impl MockTransport {
    /// The answer, or what gives it when its delay is over: a mock that answers at once allocates
    /// nothing.
    pub(crate) fn answer(
        &self,
        request: Request,
    ) -> std::result::Result<Result<Response>, Later<'_>> {
        let call = Call::enter(&self.shared);
        let reply = self.shared.next_reply(&request);
        if reply.delay.is_zero() {
            call.leave();
            return Ok(reply.give(request));
        }
        Err(Later {
            call,
            reply,
            request,
        })
    }
}

impl Transport for MockTransport {
    async fn send(&self, request: Request) -> Result<Response> {
        match self.answer(request) {
            Ok(answer) => answer,
            Err(later) => later.send().await,
        }
    }

    fn close(&self) -> Result<()> {
        self.shared.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A request inside the mock whose reply has a delay.
pub(crate) struct Later<'a> {
    call: Call<'a>,
    reply: MockReply,
    request: Request,
}

impl<'a> Later<'a> {
    /// Waits, and answers; at most for [`Timeouts::head`](crate::Timeouts::head), as for a server that
    /// is late. Boxed, as it is large and rare.
    pub(crate) fn send(self) -> Boxed<'a, Result<Response>> {
        Box::pin(async move {
            let limit = self.request.context.timing.limits.timeouts().head;
            let until = clock::after(clock::now(), self.reply.delay.min(limit));
            match clock::sleep_until(until) {
                Ok(sleep) => sleep.await,
                Err(error) => return Err(self.request.context.explain(error)),
            }
            // The mock answered or was too late; either way it has not dropped the request.
            self.call.leave();
            if self.reply.delay > limit {
                let what = "waiting for the response head";
                let error = Error::timeout(Phase::Wait, what, limit);
                return Err(self.request.context.explain(error));
            }
            self.reply.give(self.request)
        })
    }
}

impl MockReply {
    fn give(self, request: Request) -> Result<Response> {
        if let Some((kind, message)) = self.failure {
            return Err(request.context.explain(Error::new(kind, message)));
        }
        let mut response = match self.is_streamed {
            false => request.respond(self.status, self.body),
            true => {
                let length = self.body.len() as u64;
                let body = std::io::Cursor::new(self.body);
                let body = ResponseBody::from_reader(body, Some(length));
                request.respond(self.status, body)
            }
        };
        for (name, value) in &*self.fields {
            response.push_header(name, value);
        }
        Ok(response)
    }
}

impl Shared {
    fn next_reply(&self, request: &Request) -> MockReply {
        // An atomic look instead of the lock: most mocks have no script, and all callers would queue for it.
        if self.scripted.load(Ordering::Acquire) > 0 {
            let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(reply) = script.pop_front() {
                self.scripted.fetch_sub(1, Ordering::Relaxed);
                return reply;
            }
        }
        (self.handler)(request)
    }
}

/// One request inside the mock: counted as dropped unless it leaves.
struct Call<'a> {
    shared: &'a Shared,
    left: bool,
}

impl<'a> Call<'a> {
    fn enter(shared: &'a Shared) -> Call<'a> {
        shared.entered.fetch_add(1, Ordering::Relaxed);
        // Relaxed: the counts order nothing, and tests read them when all calls have ended.
        let inside = shared.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        shared.peak.fetch_max(inside, Ordering::Relaxed);
        Call {
            shared,
            left: false,
        }
    }

    fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        let count = if self.left {
            &self.shared.left
        } else {
            &self.shared.dropped
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for MockTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockTransport")
            .field("stats", &self.stats())
            .finish()
    }
}
