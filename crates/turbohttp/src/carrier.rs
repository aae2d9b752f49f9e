//! What carries the attempts of a client: its scheduler and its transport.

use std::any::{Any, type_name};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use turbohttp_core::timeline::Phase;

use crate::clock;
use crate::context::{Context, Salvage};
use crate::error::{Error, Result};
use crate::net::{NetSend, NetTransport};
use crate::policy::Policies;
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::{Dispatcher, Failures};
use crate::transport::mock::MockTransport;
use crate::transport::{Boxed, Transport};

/// What every attempt of a client needs: who gives permits, and what carries the request.
pub(crate) struct Carrier {
    pub(crate) scheduler: Arc<Dispatcher>,
    pub(crate) transport: AnyTransport,
    pub(crate) policies: Policies,
}

impl Carrier {
    /// Sends an attempt that has its permit.
    #[inline(always)] // There is a second place, which is cold.
    pub(crate) fn send(&self, mut request: Request) -> AnySend<'_> {
        if self.policies.prepares
            && let Err(error) = self.policies.prepare(&mut request)
        {
            return AnySend::Answered(Some(Err(error)));
        }
        if self.policies.retry.is_some() && !self.transport.is_network() {
            return self.send_keeping(request);
        }
        self.transport.send(request)
    }

    /// Sends by a transport that gives no request back with its errors, so that a copy is kept for a retry.
    #[cold]
    fn send_keeping(&self, request: Request) -> AnySend<'_> {
        let copy = request.try_clone();
        let sending = self.transport.send(request);
        AnySend::Boxed(Box::pin(async move {
            let mut error = match sending.await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            Err(match copy {
                Some(copy) if error.request_mut().is_none() => error.with_sent(copy),
                _ => error,
            })
        }))
    }
}

/// A transport as a client holds it: the network and the mock as they are, so that their attempts
/// need no box.
pub(crate) enum AnyTransport {
    /// Keeps the timeouts of each phase by itself, and writes the default header fields from a
    /// template.
    Net(NetTransport),
    Mock(MockTransport),
    Custom(Box<dyn DynTransport>),
}

impl AnyTransport {
    pub(crate) fn new<T: Transport>(transport: T) -> AnyTransport {
        // By type and not by a hidden method of the trait, which users would see and could override.
        let boxed: Box<dyn Any> = Box::new(transport);
        let boxed = match boxed.downcast::<NetTransport>() {
            Ok(net) => return AnyTransport::Net(*net),
            Err(other) => other,
        };
        let boxed = match boxed.downcast::<MockTransport>() {
            Ok(mock) => return AnyTransport::Mock(*mock),
            Err(other) => other,
        };
        match boxed.downcast::<T>() {
            Ok(custom) => AnyTransport::Custom(custom),
            Err(_) => unreachable!("the box holds a `T`"),
        }
    }

    /// Sends an attempt that has its permit.
    #[inline(always)] // The third place is cold, and would have it called from the other two.
    pub(crate) fn send(&self, mut request: Request) -> AnySend<'_> {
        // Before any transport: a stream that is sent twice would be sent empty the second time.
        if let Err(error) = request.context.request.body.begin_anew() {
            return AnySend::Answered(Some(Err(request.context.explain(error))));
        }
        match self {
            AnyTransport::Net(net) => AnySend::Net(NetSend::new(&net.shared, request)),
            AnyTransport::Mock(mock) => match mock.answer(request) {
                Ok(answer) => AnySend::Answered(Some(answer)),
                Err(later) => AnySend::Boxed(later.send()),
            },
            // The mock and the network bound their waits themselves.
            AnyTransport::Custom(custom) => {
                let limit = SendLimit::of(&request.context);
                AnySend::Boxed(custom.send_boxed(request, limit))
            }
        }
    }

    /// Whether this is the network, which keeps the deadline of a call and writes the client's default
    /// header fields by itself.
    #[inline]
    pub(crate) fn is_network(&self) -> bool {
        matches!(self, AnyTransport::Net(_))
    }

    /// Closes the transport and notes in `failures` what went wrong.
    pub(crate) fn close(&self, failures: &mut Failures) {
        match self {
            AnyTransport::Net(net) => {
                failures.close(type_name::<NetTransport>(), || Transport::close(net));
            }
            AnyTransport::Mock(mock) => {
                failures.close(type_name::<MockTransport>(), || Transport::close(mock));
            }
            AnyTransport::Custom(custom) => failures.close(custom.name(), || custom.close()),
        }
    }
}

/// The future of [`AnyTransport::send`]; only a custom transport and a delayed mock are boxed.
pub(crate) enum AnySend<'a> {
    Net(NetSend<'a>),
    /// Taken when it is handed out.
    Answered(Option<Result<Response>>),
    Boxed(Boxed<'a, Result<Response>>),
}

impl Future for AnySend<'_> {
    type Output = Result<Response>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        match self.get_mut() {
            AnySend::Net(sending) => Pin::new(sending).poll(cx),
            AnySend::Answered(answer) => {
                Poll::Ready(answer.take().expect("not polled after it was ready"))
            }
            AnySend::Boxed(sending) => sending.as_mut().poll(cx),
        }
    }
}

/// How long a custom transport may take until the head of the response.
#[derive(Clone, Copy)]
pub(crate) struct SendLimit {
    until: Instant,
    length: Duration,
}

impl SendLimit {
    /// `None` where the transport sends a stream, which takes as long as its source, and where there is
    /// no runtime whose timer could end the wait.
    fn of(context: &Context) -> Option<SendLimit> {
        if context.request.body.is_stream() || clock::sleep_until(clock::now()).is_err() {
            return None;
        }
        let length = context.timing.limits.timeouts().until_head();
        Some(SendLimit {
            until: clock::after(clock::now(), length),
            length,
        })
    }
}

/// A custom transport behind a pointer; costs one allocation per attempt.
pub(crate) trait DynTransport: Send + Sync {
    fn send_boxed(&self, request: Request, limit: Option<SendLimit>)
    -> Boxed<'_, Result<Response>>;
    fn close(&self) -> Result<()>;
    /// The type of the transport, for the report of a close.
    fn name(&self) -> &'static str;
}

impl<T: Transport> DynTransport for T {
    fn send_boxed(
        &self,
        request: Request,
        limit: Option<SendLimit>,
    ) -> Boxed<'_, Result<Response>> {
        Box::pin(async move {
            let Some(limit) = limit else {
                return self.send(request).await;
            };
            let mut sending = pin!(Some(self.send(request)));
            let sent = poll_fn(|cx| match sending.as_mut().as_pin_mut() {
                Some(sending) => sending.poll(cx),
                None => unreachable!("dropped after the last poll only"),
            });
            match tokio::time::timeout_at(limit.until.into(), sent).await {
                Ok(done) => done,
                Err(_) => {
                    // Dropped inside, where the context of the request can leave its record.
                    let salvage = Salvage::of(|| sending.set(None));
                    let what = "waiting for the response head of the transport";
                    Err(salvage.explain(Error::timeout(Phase::Wait, what, limit.length)))
                }
            }
        })
    }

    fn close(&self) -> Result<()> {
        Transport::close(self)
    }

    fn name(&self) -> &'static str {
        type_name::<T>()
    }
}
