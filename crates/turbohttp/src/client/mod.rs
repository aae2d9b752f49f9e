//! The client: verbs, and the way of a request into its transport.

use std::fmt;
use std::sync::Arc;

use http::Method;
use turbohttp_core::origin::Origins;
use turbohttp_core::pool::{ObjectPool, ObjectPoolStats};

use crate::clock;
use crate::config::Settings;
use crate::context::Context;
use crate::error::Result;
use crate::net::{NetStats, NetWatch};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Held;

mod builder;
mod request_builder;

pub use builder::{ClientBuilder, IntoTransport, Network};
pub use request_builder::RequestBuilder;

/// An HTTP client: connections, pools and options. A clone is the same client.
///
/// When the last clone is dropped, idle connections are closed; responses still being read go on and
/// close theirs at their end.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Held,
    net_stats: Option<NetWatch>,
    contexts: ObjectPool<Context>,
    origins: Origins,
    settings: Arc<Settings>,
}

/// What a client holds right now: one snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Requests that exist: being built, sent, or read as responses.
    pub requests: u64,
    /// The pool of request contexts.
    pub contexts: ObjectPoolStats,
    /// The network's connections and buffers; `None` with another transport.
    pub net: Option<NetStats>,
}

impl Client {
    /// A client with default options.
    ///
    /// # Errors
    ///
    /// None with the default options; see [`ClientBuilder::build`].
    pub fn new() -> Result<Client> {
        Client::builder().build()
    }

    /// A builder with default options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A GET request.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A HEAD request.
    pub fn head(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// A POST request.
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A PUT request.
    pub fn put(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// A PATCH request.
    pub fn patch(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// A DELETE request.
    pub fn delete(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// An OPTIONS request.
    pub fn options(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::OPTIONS, url)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let request = Request {
            context: self.inner.contexts.take(),
        };
        RequestBuilder::new(self.clone(), request, method, url.as_ref())
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// On a connection that was used before and died before it gave one byte of an answer, an
    /// idempotent request whose body can be sent again is sent once more, on a fresh connection
    /// (RFC 9110 section 9.2.2). Nothing else is ever sent twice.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error) with its kind, phase, origin and the timeline so far.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection it was using and gives everything else back; whether
    /// the server saw the request is not known.
    pub async fn send(&self, mut request: Request) -> Result<Response> {
        self.inner.prepare(&mut request.context);
        let mut response = self.inner.transport.send(request).await?;
        response.gather_events();
        Ok(response)
    }

    /// What the client holds right now.
    pub fn stats(&self) -> Stats {
        let contexts = self.inner.contexts.stats();
        Stats {
            requests: contexts.outstanding,
            contexts,
            net: self.inner.net_stats.as_ref().map(NetWatch::stats),
        }
    }
}

impl Inner {
    /// Starts the clock of a request and fills in what it left to the client.
    fn prepare(&self, context: &mut Context) {
        let now = clock::now();
        context.timeline.begin(now);
        context.began = Some(now);
        let limit = context.timeout.or(self.settings.timeouts.request);
        context.deadline = limit.and_then(|limit| now.checked_add(limit));
        context
            .settings
            .get_or_insert_with(|| self.settings.clone());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("stats", &self.stats())
            .finish()
    }
}
