//! What carries a request to its answer: the network, a mock, or a stack of middlewares on one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use turbohttp_core::origin::Origin;
use turbohttp_core::timeline::Phase;

use crate::admission::{Components, Failures};
use crate::error::{Error, Result};
use crate::net::{NetSend, NetTransport};
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

    /// Lets go of what the transport keeps; called once, when the client that owns it has been closed
    /// and the last request has left it, or has been cut off.
    ///
    /// A transport behind an [`Arc`] is shared: it is not closed by the client.
    ///
    /// # Errors
    ///
    /// What could not be closed; the client's report names it.
    fn close(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the middlewares of a stack, the one added last first.
    #[doc(hidden)]
    fn close_stages(&self, _failures: &mut Failures) {}

    /// Closes the transport at the bottom of a stack.
    #[doc(hidden)]
    fn close_base(&self, failures: &mut Failures)
    where
        Self: Sized,
    {
        failures.close::<Self>(|| self.close());
    }

    /// How a client holds this transport: the two that every client may use are not boxed.
    #[doc(hidden)]
    fn into_held(self) -> Held
    where
        Self: Sized,
    {
        Held::erased(self)
    }
}

/// A transport that several clients share. None of them closes it.
impl<T: Transport> Transport for Arc<T> {
    async fn send(&self, request: Request) -> Result<Response> {
        T::send(self, request).await
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

    pub(crate) fn send(&self, request: Request) -> HeldSend<'_> {
        match self {
            // The network keeps the time of a request itself, phase by phase.
            Held::Net(net) => HeldSend::Net(NetSend::new(net, request)),
            Held::Mock(mock) => match mock.answer(request) {
                Ok(answer) => HeldSend::Answered(Some(answer)),
                Err(later) => HeldSend::in_time(request_time(later.request()), later.send()),
            },
            Held::Erased(transport) => {
                HeldSend::in_time(request_time(&request), transport.send_erased(request))
            }
        }
    }
}

/// The future of [`Held::send`], in which only the network's is not boxed or over at once.
pub(crate) enum HeldSend<'a> {
    Net(NetSend<'a>),
    /// Taken when it is handed out.
    Answered(Option<Result<Response>>),
    Boxed(Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>),
}

impl<'a> HeldSend<'a> {
    /// Holds a transport that knows no deadlines to the request's own.
    fn in_time(
        time: Option<Bound>,
        sending: Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>,
    ) -> HeldSend<'a> {
        let Some((deadline, allowed, origin)) = time else {
            return HeldSend::Boxed(sending);
        };
        HeldSend::Boxed(Box::pin(async move {
            match tokio::time::timeout_at(deadline.into(), sending).await {
                Ok(done) => done,
                Err(_) => Err(Error::timeout(Phase::Wait, "the request", allowed).at(&origin)),
            }
        }))
    }
}

impl Future for HeldSend<'_> {
    type Output = Result<Response>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        match self.get_mut() {
            HeldSend::Net(sending) => Pin::new(sending).poll(cx),
            HeldSend::Answered(answer) => {
                Poll::Ready(answer.take().expect("not polled after it was ready"))
            }
            HeldSend::Boxed(sending) => sending.as_mut().poll(cx),
        }
    }
}

impl Components for Held {
    fn close(&self, failures: &mut Failures) {
        match self {
            Held::Net(net) => net.close_base(failures),
            Held::Mock(mock) => mock.close_base(failures),
            Held::Erased(transport) => transport.close_erased(failures),
        }
    }
}

/// When a request must be over, how long that is in all, and where it was to go.
type Bound = (Instant, Duration, Origin);

fn request_time(request: &Request) -> Option<Bound> {
    let context = &request.context;
    let deadline = context.time.deadline?;
    Some((deadline, context.time.allowed(), request.origin().clone()))
}

/// A transport behind a pointer; costs one allocation per request.
#[doc(hidden)]
pub trait ErasedTransport: Send + Sync {
    /// [`Transport::send`], boxed.
    fn send_erased(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + '_>>;

    /// Closes the stages, and then the transport.
    fn close_erased(&self, failures: &mut Failures);
}

impl<T: Transport> ErasedTransport for T {
    fn send_erased(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + '_>> {
        Box::pin(self.send(request))
    }

    fn close_erased(&self, failures: &mut Failures) {
        self.close_stages(failures);
        self.close_base(failures);
    }
}
