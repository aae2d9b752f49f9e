//! What carries a request to its answer: the network, a mock, or a stack of middlewares on one.

use std::future::Future;
use std::pin::Pin;

use crate::error::Result;
use crate::net::NetTransport;
use crate::request::Request;
use crate::response::Response;

pub(crate) mod mock;

use mock::MockTransport;

/// Carries a request to its answer.
///
/// The client's network is one, [`MockTransport`] is one, and a middleware around a transport is one
/// ([`With`](crate::With)).
///
/// # Cancel safety
///
/// A dropped `send` must give back all that it held; whether the server saw the request is not known.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` and waits for the head of the response.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response>> + Send;

    /// How a client holds this transport: the two that every client may use are not boxed.
    #[doc(hidden)]
    fn into_held(self) -> Held
    where
        Self: Sized,
    {
        Held::erased(self)
    }
}

/// A transport as a client holds it: concrete where that saves an allocation per request.
#[doc(hidden)]
#[non_exhaustive]
#[expect(missing_debug_implementations, reason = "internal")]
pub enum Held {
    /// The network, no middleware.
    Net(NetTransport),
    /// The mock, no middleware.
    Mock(MockTransport),
    /// Anything else.
    Erased(Box<dyn ErasedTransport>),
}

impl Held {
    fn erased(transport: impl Transport) -> Held {
        Held::Erased(Box::new(transport))
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        match self {
            Held::Net(net) => net.send(request).await,
            Held::Mock(mock) => mock.send(request).await,
            Held::Erased(transport) => transport.send_erased(request).await,
        }
    }
}

/// A transport behind a pointer; costs one allocation per request.
#[doc(hidden)]
pub trait ErasedTransport: Send + Sync {
    /// [`Transport::send`], boxed.
    fn send_erased(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + '_>>;
}

impl<T: Transport> ErasedTransport for T {
    fn send_erased(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + '_>> {
        Box::pin(self.send(request))
    }
}
