//! What carries a request to its answer: the network, a mock, or a stack of middlewares on one.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use turbohttp_core::origin::Origin;
use turbohttp_core::timeline::Phase;

use crate::error::{Error, Result};
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
            // The network keeps the time of a request itself, phase by phase.
            Held::Mock(mock) => in_time(&request_time(&request), mock.send(request)).await,
            Held::Erased(transport) => {
                in_time(&request_time(&request), transport.send_erased(request)).await
            }
        }
    }
}

/// When a request must be over, how long that is in all, and where it was to go.
type RequestTime = Option<(Instant, Duration, Origin)>;

fn request_time(request: &Request) -> RequestTime {
    let context = &request.context;
    let deadline = context.deadline?;
    Some((deadline, context.time_allowed(), request.origin().clone()))
}

/// Holds a transport that knows no deadlines to the request's own.
async fn in_time(
    time: &RequestTime,
    sending: impl Future<Output = Result<Response>>,
) -> Result<Response> {
    let Some((deadline, allowed, origin)) = time else {
        return sending.await;
    };
    // Boxed, so that the way without a deadline does not grow by it.
    match tokio::time::timeout_at((*deadline).into(), Box::pin(sending)).await {
        Ok(done) => done,
        Err(_) => Err(Error::timeout(Phase::Wait, "the request", *allowed).at(origin)),
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
