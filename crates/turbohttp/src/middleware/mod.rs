//! What stands between a client and its transport.

use std::future::Future;
use std::sync::Arc;

use crate::admission::Failures;
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::transport::Transport;

mod concurrency;
mod map;

pub use concurrency::Limited;
pub use map::{MapRequest, MapResponse};

/// Sees every request on its way down and every response on its way up.
///
/// ```
/// use turbohttp::{header, Middleware, Request, Response, Result, Transport};
///
/// /// Adds a bearer token to every request.
/// struct Auth { token: String }
///
/// impl Middleware for Auth {
///     async fn handle<T: Transport>(&self, mut request: Request, next: &T) -> Result<Response> {
///         request.headers_mut().insert(header::AUTHORIZATION, self.token.parse()?);
///         next.send(request).await
///     }
/// }
/// ```
///
/// A middleware may answer by itself, send several times, or not at all. One that sends again must
/// drop or read the response before: it holds a connection.
///
/// # Cancel safety
///
/// The future may be dropped at any await; what it holds must be given back by `Drop`.
pub trait Middleware: Send + Sync + 'static {
    /// Handles `request`, mostly by passing it on to `next`.
    fn handle<T: Transport>(
        &self,
        request: Request,
        next: &T,
    ) -> impl Future<Output = Result<Response>> + Send;

    /// Lets go of what the middleware keeps; called once, when the client that owns it has been closed
    /// and the last request has left it, or has been cut off. The middleware added last is closed
    /// first, the transport after all of them. A request sent from here fails with
    /// [`ErrorKind::Closed`](crate::ErrorKind). Do not block the thread on the close of that client: it
    /// is this call that it waits for.
    ///
    /// A middleware behind an [`Arc`] is shared: it is not closed by the client.
    ///
    /// # Errors
    ///
    /// What could not be closed; the client's report names it.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// A middleware that several clients share. None of them closes it.
impl<M: Middleware> Middleware for Arc<M> {
    async fn handle<T: Transport>(&self, request: Request, next: &T) -> Result<Response> {
        M::handle(self, request, next).await
    }
}

/// A stage that may be off.
impl<M: Middleware> Middleware for Option<M> {
    async fn handle<T: Transport>(&self, request: Request, next: &T) -> Result<Response> {
        match self {
            Some(middleware) => middleware.handle(request, next).await,
            None => next.send(request).await,
        }
    }

    fn close(&self) -> Result<()> {
        self.as_ref().map_or(Ok(()), M::close)
    }
}

/// A middleware around a transport, which is a transport.
#[derive(Debug)]
pub struct With<M, T> {
    middleware: M,
    next: T,
}

impl<M, T> With<M, T> {
    /// `middleware` in front of `next`.
    pub fn new(middleware: M, next: T) -> With<M, T> {
        With { middleware, next }
    }
}

impl<M: Middleware, T: Transport> Transport for With<M, T> {
    async fn send(&self, mut request: Request) -> Result<Response> {
        // The middleware may take its time: the network looks at the clock again.
        request.context.began = None;
        self.middleware.handle(request, &self.next).await
    }

    fn close_stages(&self, failures: &mut Failures) {
        self.next.close_stages(failures);
        failures.close::<M>(|| self.middleware.close());
    }

    fn close_base(&self, failures: &mut Failures) {
        self.next.close_base(failures);
    }
}

/// The middlewares of a builder, in the order they were added: the first sees the request first.
pub trait Stack<T> {
    /// Whether there is none.
    const IS_EMPTY: bool;

    /// The transport with all of them around it.
    type Output: Transport;

    /// Puts them around `transport`.
    fn around(self, transport: T) -> Self::Output;
}

impl<T: Transport> Stack<T> for () {
    const IS_EMPTY: bool = true;

    type Output = T;

    fn around(self, transport: T) -> T {
        transport
    }
}

impl<S, M, T> Stack<T> for (S, M)
where
    M: Middleware,
    T: Transport,
    S: Stack<With<M, T>>,
{
    const IS_EMPTY: bool = false;

    type Output = S::Output;

    fn around(self, transport: T) -> S::Output {
        let (outer, middleware) = self;
        outer.around(With::new(middleware, transport))
    }
}
