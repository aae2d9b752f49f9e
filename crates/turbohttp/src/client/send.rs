//! The way of a request through its client: let in, admitted, handed to the transport.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use turbohttp_core::scheduler::{Outcome, State};
use turbohttp_core::timeline::Phase;

use super::Inner;
use crate::admission::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;
use crate::response::Response;
use crate::trace::{RequestSpan, Spanned};
use crate::transport::HeldSend;

/// The future of [`Client::send`](super::Client::send).
///
/// Written by hand, so that it stays small: it lies in the futures of all who send, and is moved as
/// often as they are put together.
///
/// A request comes in and asks for its permit (`request` alone), waits for it (`request` and `pass`),
/// and is with the transport (`sending` and `pass`).
pub(super) struct ClientSend<'a> {
    inner: &'a Inner,
    request: Option<Request>,
    /// Before the pass, so that what the transport holds goes first, on every way out.
    sending: Option<Spanned<HeldSend<'a>>>,
    pass: Option<Pass>,
}

impl<'a> ClientSend<'a> {
    #[inline]
    pub(super) fn new(inner: &'a Inner, request: Request) -> ClientSend<'a> {
        ClientSend {
            inner,
            request: Some(request),
            sending: None,
            pass: None,
        }
    }

    /// For a request that has been let in, and has its permit unless its client is layered.
    pub(super) fn admitted(inner: &'a Inner, request: Request, pass: Pass) -> ClientSend<'a> {
        let mut send = ClientSend::new(inner, request);
        send.pass = Some(pass);
        send.hand_over();
        send
    }

    /// Everything before the transport; most requests pass through it at once.
    fn poll_admission(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let request = self
            .request
            .as_mut()
            .expect("not polled after it was ready");
        match &mut self.pass {
            None => {
                let (pass, state) = self.inner.let_in(&mut request.context, cx.waker())?;
                let pass = self.pass.insert(pass);
                if state == State::Queued {
                    ready!(request.context.poll_permit(pass, cx))?;
                }
            }
            Some(pass) => ready!(request.context.poll_permit(pass, cx))?,
        }
        self.hand_over();
        Poll::Ready(Ok(()))
    }

    /// Gives the request to the transport, unless a close has cut it off by now.
    #[inline]
    fn hand_over(&mut self) {
        if self.pass.as_ref().is_some_and(Pass::is_cut) {
            return;
        }
        if let Some(request) = self.request.take() {
            let span = RequestSpan::new(request.method(), request.context.url.origin());
            let transport = &self.inner.transport;
            self.sending = Some(span.around(|| transport.send(request)));
        }
    }

    /// The way back: the response keeps the pass, an error ends it.
    #[inline]
    fn end(&mut self, sent: Result<Response>) -> Result<Response> {
        self.sending = None;
        self.request = None;
        let pass = self.pass.take();
        match sent {
            Ok(mut response) => {
                response.gather_events();
                if let Some(pass) = pass {
                    response.keep(pass);
                }
                Ok(response)
            }
            Err(error) => {
                if let Some(pass) = pass {
                    let outcome = outcome_of(&error, pass.is_cut());
                    pass.leave(outcome);
                }
                Err(error)
            }
        }
    }
}

impl Future for ClientSend<'_> {
    type Output = Result<Response>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let this = &mut *self;
        if this.sending.is_none()
            && let Err(error) = ready!(this.poll_admission(cx))
        {
            // Its pass knows how it ended; nothing of it is left that could be polled once more.
            this.pass = None;
            this.request = None;
            return Poll::Ready(Err(error));
        }
        let pass = this.pass.as_mut().expect("it has come in");
        // Unless a close cuts it off.
        let sent = match &mut this.sending {
            Some(sending) if !pass.is_cut() => match Pin::new(sending).poll(cx) {
                Poll::Ready(sent) => sent,
                Poll::Pending => {
                    ready!(pass.poll_cut(cx));
                    Err(Error::closed())
                }
            },
            _ => Err(Error::closed()),
        };
        Poll::Ready(this.end(sent))
    }
}

/// How the call of a request that ended in `error` is counted.
#[cold]
fn outcome_of(error: &Error, is_cut: bool) -> Outcome {
    let is_wait = matches!(
        error.phase(),
        Some(Phase::Pause | Phase::HostPermit | Phase::TotalPermit)
    );
    match error.kind() {
        ErrorKind::Closed if is_cut => Outcome::Aborted,
        ErrorKind::Closed | ErrorKind::Canceled => Outcome::Canceled,
        ErrorKind::Timeout if is_wait => Outcome::Expired,
        _ => Outcome::Failed,
    }
}
