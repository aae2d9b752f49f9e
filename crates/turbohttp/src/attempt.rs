//! One attempt of a call: a permit of the request's origin, then the transport.
//!
//! Every attempt comes here: that of a call without middlewares, each run of a middleware, and that of
//! a queue's job.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use turbohttp_core::admission::{State, VisitId, Waited};

use crate::admission::{AdmissionControl, CallGuard};
use crate::clock;
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::transport::{AnySend, AnyTransport};

/// What every attempt of a client needs: who gives permits, and what carries the request.
pub(crate) struct Carrier {
    pub(crate) scheduler: Arc<AdmissionControl>,
    pub(crate) transport: AnyTransport,
}

/// The future of one attempt.
///
/// Written by hand, as it lies in the futures of all who send: the permit is asked for (`request` and
/// `call`), waited for (`request` and `permit`), and held while the transport sends (`sending`).
pub(crate) struct Attempt<'a> {
    carrier: &'a Carrier,
    /// Whose age the permit is asked for with; `None` where the call holds its permit itself.
    call: Option<VisitId>,
    /// `None` once the transport has it.
    request: Option<Request>,
    /// Before the permit: what the transport holds is released first, on every way out.
    sending: Option<AnySend<'a>>,
    permit: Option<CallGuard>,
}

impl<'a> Attempt<'a> {
    /// An attempt that acquires a permit with the age of `call`.
    pub(crate) fn of_call(carrier: &'a Carrier, call: VisitId, request: Request) -> Attempt<'a> {
        Attempt {
            carrier,
            call: Some(call),
            request: Some(request),
            sending: None,
            permit: None,
        }
    }

    /// An attempt whose call holds the permit: it is sent at once.
    #[inline]
    pub(crate) fn with_permit(carrier: &'a Carrier, request: Request) -> Attempt<'a> {
        Attempt {
            carrier,
            call: None,
            request: None,
            sending: Some(carrier.transport.send(request)),
            permit: None,
        }
    }

    /// Acquires the permit and hands the request to the transport.
    fn poll_permit(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let request = self
            .request
            .as_mut()
            .expect("not polled after it was ready");
        let context = &mut *request.context;
        let outcome = match &mut self.permit {
            Some(permit) => ready!(context.poll_permit(permit, cx)),
            None => match self.ask() {
                Ok(true) => Ok(()),
                Ok(false) => return self.poll_permit(cx),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = outcome {
            self.permit = None;
            // Nothing of it was sent: the error gives the request back.
            let request = self.request.take();
            return Poll::Ready(Err(error.with_request(request)));
        }
        if let Some(request) = self.request.take() {
            self.sending = Some(self.carrier.transport.send(request));
        }
        Poll::Ready(Ok(()))
    }

    /// Asks the scheduler; says whether a permit was free.
    fn ask(&mut self) -> Result<bool> {
        let (Some(call), Some(request)) = (self.call, &mut self.request) else {
            return Ok(true);
        };
        let context = &mut *request.context;
        let now = clock::now();
        context.begin_attempt(now);
        let asked = self.carrier.scheduler.ask_for(call, context.ask(now)?, now);
        let (permit, state) =
            asked.map_err(|refusal| context.refused(refusal, Waited::default()))?;
        self.permit = Some(permit);
        Ok(state == State::Taken)
    }
}

impl Future for Attempt<'_> {
    type Output = Result<Response>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let this = &mut *self;
        loop {
            if let Some(sending) = &mut this.sending {
                let sent = ready!(Pin::new(sending).poll(cx));
                this.sending = None;
                let permit = this.permit.take();
                return Poll::Ready(sent.map(|mut response| {
                    if let Some(permit) = permit {
                        response.hold_permit(permit);
                    }
                    response
                }));
            }
            ready!(this.poll_permit(cx))?;
        }
    }
}
