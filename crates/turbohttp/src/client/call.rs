//! One call: the way of a request through its client. **This is the file to read first.**
//!
//! ```text
//! send(request)
//!   begin         counted by the scheduler, which refuses it once a close has begun       (this file)
//!   layers        hooks and middlewares, the first added first; each may run the rest again  (middleware.rs)
//!   attempt       acquires a permit of the origin, hands the request to the transport     (attempt.rs)
//!   transport     checks a connection out or makes one, writes, reads the head            (net/)
//!   settle        a policy may have the request sent again: redirects, retries, 401       (policy/, follow.rs)
//!   end           the response holds call and permit while its body is on a connection    (this file)
//! ```
//!
//! A call has one deadline, and this future is its owner: the scheduler and the network look at the
//! deadline in their own waits, where they can say what was waited for; in everything else (middlewares,
//! other transports) the timer of the call ends it. Whatever ends a call, its error says the phase, the
//! origin and the timeline.
//!
//! Without layers, `begin` and the acquiring of the permit are one step under the scheduler's lock
//! ([`Call::poll_begin`]): two steps for the reader, one lock operation for the processor.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;
use turbohttp_core::scheduler::{CallId, Outcome, State, Waited};

use super::inner::Inner;
use crate::carrier::AnySend;
use crate::clock;
use crate::context::{Context, Salvage};
use crate::error::{Error, ErrorKind, Result};
use crate::follow::{First, follow};
use crate::middleware::Run;
use crate::policy::Settled;
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::CallGuard;
use crate::trace::RequestSpan;
use crate::transport::Boxed;

/// The future of [`Client::send`](super::Client::send).
///
/// Written by hand, so that it stays small: it lies in the futures of all who send, and is moved as
/// often as they are put together.
pub(super) struct Call<'a> {
    client: &'a Inner,
    span: RequestSpan,
    /// `None` once the layers have it.
    request: Option<Request>,
    /// Before the guard: what the layers and the transport hold is released first, on every way out.
    stage: Stage<'a>,
    timer: Option<Pin<Box<Sleep>>>,
    guard: Option<CallGuard>,
    deadline: Option<Instant>,
}

enum Stage<'a> {
    /// Not begun, waiting for the permit, or ended.
    Idle,
    /// The one attempt of a client without layers, whose permit the call holds itself.
    Bare(AnySend<'a>),
    /// The further attempts of such a client, each with a permit of its own.
    Following(Boxed<'a, Result<Response>>),
    Layers(Run<'a>),
}

impl<'a> Call<'a> {
    #[inline]
    pub(super) fn new(client: &'a Inner, request: Request) -> Call<'a> {
        Call {
            client,
            span: RequestSpan::none(),
            request: Some(request),
            stage: Stage::Idle,
            timer: None,
            guard: None,
            deadline: None,
        }
    }

    /// Everything before the layers; most calls pass through it at once.
    #[inline]
    fn poll_begin(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let request = self
            .request
            .as_mut()
            .expect("not polled after it was ready");
        let context = &mut *request.context;
        let client = self.client;
        match &mut self.guard {
            Some(guard) => {
                let _inside = self.span.enter();
                ready!(context.poll_permit(guard, cx))?;
            }
            None => {
                // The span comes first, so that the event of a wait for the permit lies inside it.
                self.span = RequestSpan::new(&context.request.method, context.request.url.origin());
                let _inside = self.span.enter();
                let started = context.take_call();
                let now = client.prepare(context, started.is_some());
                self.deadline = context.timing.limits.deadline;
                let scheduler = client.scheduler();
                let refused =
                    |context: &Context, refusal| context.refused(refusal, Waited::default());
                if let Some(started) = started {
                    // A job of a queue, whose worker has acquired the permit, or a request that stands in line.
                    let guard = self.guard.insert(started);
                    if guard.is_waiting() {
                        ready!(context.poll_permit(guard, cx))?;
                    } else if guard.is_cut() {
                        guard.set_outcome(Outcome::Aborted);
                        return Poll::Ready(Err(context.explain(Error::closed_by_client())));
                    } else {
                        // The time since it had its permit is none of the exchange.
                        context.timing.begin_attempt(now);
                    }
                } else if client.is_layered() {
                    // The attempts at the end of the chain ask for permits of their own.
                    let entered = scheduler.enter(now);
                    self.guard = Some(entered.map_err(|refusal| refused(context, refusal))?);
                } else {
                    let asked = scheduler.enter_and_ask(context.ask(now)?, cx.waker(), now);
                    let (guard, state) = asked.map_err(|refusal| refused(context, refusal))?;
                    let guard = self.guard.insert(guard);
                    if state == State::Queued {
                        ready!(context.poll_permit(guard, cx))?;
                    }
                }
            }
        }
        self.start();
        Poll::Ready(Ok(()))
    }

    /// Starts the layers, or the one attempt of a client that has none.
    #[inline]
    fn start(&mut self) {
        let (Some(guard), Some(request)) = (&self.guard, self.request.take()) else {
            unreachable!("a call that has begun has its guard and its request");
        };
        let pipeline = &self.client.pipeline;
        let carrier = &pipeline.carrier;
        let call = guard.call();
        let _inside = self.span.enter();
        if carrier.policies.prepares {
            return self.start_prepared(call, request);
        }
        self.stage = match self.client.is_layered() {
            false => Stage::Bare(carrier.transport.send(request)),
            true => Stage::Layers(Run::all(pipeline, call, request)),
        };
    }

    /// The same where policies count the calls, or add something to their requests.
    #[cold]
    fn start_prepared(&mut self, call: CallId, request: Request) {
        let pipeline = &self.client.pipeline;
        let carrier = &pipeline.carrier;
        carrier.policies.begin();
        self.stage = if self.client.is_layered() {
            Stage::Layers(Run::all(pipeline, call, request))
        } else if carrier.policies.awaits_token(&request) {
            Stage::Following(follow(carrier, call, First::Request(request)))
        } else {
            Stage::Bare(carrier.send(request))
        };
    }

    /// Has the policies look at the answer to the first attempt, and goes on with what they want.
    #[cold]
    fn follow(
        &mut self,
        answer: Result<Response>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Response>> {
        let carrier = &self.client.pipeline.carrier;
        let answer = match carrier.policies.settle(answer, &carrier.scheduler) {
            Settled::Done(done) => return Poll::Ready(done),
            Settled::Open(answer) => answer,
        };
        let call = self.guard.as_ref().expect("it has begun").call();
        let mut following = follow(carrier, call, First::Answer(answer));
        let polled = following.as_mut().poll(cx);
        self.stage = Stage::Following(following);
        polled
    }

    /// While the layers wait: whether a close or the deadline ends the call.
    fn poll_interrupt(&mut self, cx: &mut TaskContext<'_>) -> Poll<Interrupt> {
        let guard = self.guard.as_mut().expect("it has begun");
        // Registers the waker with the scheduler, which wakes it when a close cuts the call off.
        if guard.poll_cut(cx).is_ready() {
            return Poll::Ready(Interrupt::Closed);
        }
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        // The network alone has a timer of its own, which knows in which phase the deadline passes; but it
        // knows nothing of the time between two attempts.
        if !self.client.needs_timer() && matches!(self.stage, Stage::Bare(_)) {
            return Poll::Pending;
        }
        let timer = match &mut self.timer {
            Some(timer) => timer,
            None => match clock::sleep_until(deadline) {
                Ok(sleep) => self.timer.insert(Box::pin(sleep)),
                Err(error) => return Poll::Ready(Interrupt::NoTimer(error)),
            },
        };
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Interrupt::Deadline)
    }

    /// Drops the layers with all that they hold; the error says what is known of the request.
    #[cold]
    fn interrupt(&mut self, interrupt: Interrupt) -> Error {
        let _inside = self.span.enter();
        let salvage = Salvage::of(|| self.stage = Stage::Idle);
        let error = match interrupt {
            Interrupt::Closed => Error::closed_by_client(),
            Interrupt::NoTimer(error) => error,
            Interrupt::Deadline => {
                Error::timeout(salvage.phase(), "the request", salvage.allowed())
            }
        };
        salvage.explain(error)
    }

    /// The end: the response keeps the call while its body is on a connection, an error ends it.
    #[inline]
    fn end(&mut self, done: Result<Response>) -> Result<Response> {
        // The transport's future goes before the guard: a connection is released before its permit.
        self.stage = Stage::Idle;
        let guard = self.guard.take();
        match done {
            Ok(mut response) => {
                response.gather_events();
                if let Some(guard) = guard {
                    response.hold_call(guard, !self.client.is_layered());
                }
                Ok(response)
            }
            Err(error) => Err(self.fail(error, guard)),
        }
    }

    /// The end with an error, which may keep the request or the response.
    #[cold]
    fn fail(&self, mut error: Error, guard: Option<CallGuard>) -> Error {
        let Some(guard) = guard else {
            return error.with_call_ended();
        };
        error.forget_sent();
        // The response of a middleware's `error_for_status`: while its body is on a connection it holds
        // the call, as it would outside of the error.
        if let Some(response) = error.kept_mut::<Response>() {
            response.gather_events();
            response.hold_call(guard, !self.client.is_layered());
            return error;
        }
        // Dropped without an outcome, a guard counts as canceled.
        let outcome = outcome_of(&error, guard.is_cut());
        guard.leave(outcome);
        error.with_call_ended()
    }

    /// A call that was refused, or whose wait for a permit has ended without one: nothing of it was
    /// sent, so the error returns the request.
    #[cold]
    fn end_unsent(&mut self, error: Error) -> Error {
        // `poll_permit` has told the guard its outcome.
        self.guard = None;
        error.with_request(self.request.take()).with_call_ended()
    }
}

impl Error {
    /// Ends the call in the clock of a request that the error returns: sent again, it begins anew.
    #[cold]
    fn with_call_ended(mut self) -> Error {
        if let Some(request) = self.kept_mut::<Request>() {
            request.context.timing.end_call();
        }
        self
    }
}

/// What ends a call from outside.
enum Interrupt {
    Closed,
    Deadline,
    /// The deadline cannot be kept: the runtime has no timer.
    NoTimer(Error),
}

impl Future for Call<'_> {
    type Output = Result<Response>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let this = &mut *self;
        if matches!(this.stage, Stage::Idle)
            && let Err(error) = ready!(this.poll_begin(cx))
        {
            return Poll::Ready(Err(this.end_unsent(error)));
        }
        // A close may have come between two polls: the transport is not polled any more.
        if this.guard.as_ref().is_some_and(CallGuard::is_cut) {
            let error = this.interrupt(Interrupt::Closed);
            return Poll::Ready(this.end(Err(error)));
        }
        let done = match this.poll_run(cx) {
            Poll::Ready(done) => done,
            Poll::Pending => match ready!(this.poll_interrupt(cx)) {
                Interrupt::Deadline => this.last_word(cx),
                other => Err(this.interrupt(other)),
            },
        };
        Poll::Ready(this.end(done))
    }
}

impl Call<'_> {
    #[inline]
    fn poll_run(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let _inside = self.span.enter();
        match &mut self.stage {
            Stage::Bare(sending) => {
                let answer = ready!(Pin::new(sending).poll(cx));
                match self.client.pipeline.carrier.policies.is_plain(&answer) {
                    true => Poll::Ready(answer),
                    false => self.follow(answer, cx),
                }
            }
            Stage::Following(following) => following.as_mut().poll(cx),
            Stage::Layers(run) => Pin::new(run).poll(cx),
            Stage::Idle => unreachable!("a call that has begun is sent"),
        }
    }

    /// The deadline has passed: a wait inside that has the same deadline ends by itself now, and says
    /// what was waited for.
    #[cold]
    fn last_word(&mut self, cx: &mut TaskContext<'_>) -> Result<Response> {
        // The timer driver of the scheduler may come a moment later than this timer.
        self.client.scheduler().sweep(clock::now());
        match self.poll_run(cx) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(self.interrupt(Interrupt::Deadline)),
        }
    }
}

/// How the end of a call with `error` is counted.
#[cold]
fn outcome_of(error: &Error, is_cut: bool) -> Outcome {
    match error.kind() {
        ErrorKind::Closed if is_cut => Outcome::Aborted,
        ErrorKind::Closed | ErrorKind::Canceled => Outcome::Canceled,
        ErrorKind::Timeout if error.is_permit_wait() => Outcome::Expired,
        _ => Outcome::Failed,
    }
}
