//! One attempt of a call: a permit of the request's origin, then the transport.
//!
//! Every attempt comes here: that of a call without middlewares, each run of a middleware, and that of
//! a queue's job.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use turbohttp_core::scheduler::{CallId, State, Waited};

use crate::carrier::{AnySend, Carrier};
use crate::clock;
use crate::context::Context;
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::CallGuard;

/// The future of one attempt.
///
/// Written by hand, as it lies in the futures of middlewares.
pub(crate) struct Attempt<'a> {
    pub(crate) carrier: &'a Carrier,
    /// Whose age the permit is asked for with.
    pub(crate) call: CallId,
    // Before the permit: what the transport holds is released first, on every way out.
    stage: Stage<'a>,
    permit: Option<CallGuard>,
}

enum Stage<'a> {
    /// Asks for the permit, or waits for it.
    Acquiring(Request),
    Sending(AnySend<'a>),
    Ended,
}

impl<'a> Attempt<'a> {
    /// An attempt that acquires a permit with the age of `call`.
    pub(crate) fn new(carrier: &'a Carrier, call: CallId, request: Request) -> Attempt<'a> {
        Attempt {
            carrier,
            call,
            stage: Stage::Acquiring(request),
            permit: None,
        }
    }

    /// Asks for the permit of `context` once, and waits for it.
    fn poll_permit(&mut self, context: &mut Context, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if let Some(permit) = &mut self.permit {
            return context.poll_permit(permit, cx);
        }
        let now = clock::now();
        // What a middleware took before this attempt belongs to no phase of the timeline.
        context.timing.begin_attempt(now);
        let asked = self
            .carrier
            .scheduler
            .ask_for(self.call, context.ask(now)?, now);
        let (permit, state) =
            asked.map_err(|refusal| context.refused(refusal, Waited::default()))?;
        let permit = self.permit.insert(permit);
        match state {
            State::Taken => Poll::Ready(Ok(())),
            _ => context.poll_permit(permit, cx),
        }
    }
}

impl Future for Attempt<'_> {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.stage, Stage::Ended) {
                Stage::Acquiring(mut request) => match this.poll_permit(&mut request.context, cx) {
                    Poll::Pending => {
                        this.stage = Stage::Acquiring(request);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(())) => {
                        this.stage = Stage::Sending(this.carrier.send(request));
                    }
                    Poll::Ready(Err(error)) => {
                        // The place in line is left before the error is seen: who retries at once must not stand behind itself.
                        this.permit = None;
                        // Nothing of it was sent: the error returns the request.
                        return Poll::Ready(Err(error.with_request(Some(request))));
                    }
                },
                Stage::Sending(mut sending) => {
                    let Poll::Ready(sent) = Pin::new(&mut sending).poll(cx) else {
                        this.stage = Stage::Sending(sending);
                        return Poll::Pending;
                    };
                    // The transport releases what it holds before the response takes the permit over.
                    drop(sending);
                    let mut response = sent?;
                    if let Some(permit) = this.permit.take() {
                        response.hold_permit(permit);
                    }
                    return Poll::Ready(Ok(response));
                }
                Stage::Ended => unreachable!("not polled after it was ready"),
            }
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let (Stage::Acquiring(request), Some(permit)) = (&mut self.stage, &self.permit) {
            request.context.give_up_permit(permit);
        }
    }
}
