//! Transports: what carries one attempt to its response.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Result;
use crate::request::Request;
use crate::response::Response;

pub(crate) mod mock;

/// Carries one attempt of a request to the head of its response.
///
/// The client's network is a transport ([`NetTransport`](crate::NetTransport)), and so is [`MockTransport`](crate::MockTransport). A transport of
/// one's own answers with [`Request::respond`], fails with an [`Error`](crate::Error), or wraps another transport:
///
/// ```
/// use turbohttp::{NetTransport, Request, Response, Result, Transport};
///
/// /// Counts what goes over the network.
/// struct Counted { net: NetTransport, sent: std::sync::atomic::AtomicU64 }
///
/// impl Transport for Counted {
///     async fn send(&self, request: Request) -> Result<Response> {
///         self.sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         self.net.send(request).await
///     }
/// }
/// ```
///
/// The default header fields of the client are in the request by the time `send` sees it. The client
/// bounds `send` by the deadline of the call; where the request has no streamed body it is bounded as
/// well by the sum of [`Timeouts`](crate::Timeouts) for `dns`, `connect`, `tls` and `head`.
///
/// # Cancel safety
///
/// A dropped `send` must release all that it holds; whether the server saw the request is not known.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` and waits for the head of the response.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response>> + Send;

    /// Releases what the transport keeps. The client that owns the transport calls it once, when that
    /// client has been closed and its last call has ended or was cut off.
    ///
    /// A transport behind an [`Arc`] is shared: the client does not close it.
    ///
    /// # Errors
    ///
    /// What could not be closed; the client's [`CloseReport`](crate::CloseReport) report names it.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// A transport that several clients share. None of them closes it.
impl<T: Transport> Transport for Arc<T> {
    async fn send(&self, request: Request) -> Result<Response> {
        T::send(self, request).await
    }
}

/// A boxed future that borrows for `'a`.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
