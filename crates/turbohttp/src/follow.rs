//! What follows the first answer of a call: further attempts, as the policies of the client say.
//!
//! The cold path: a call whose first answer is settled never comes here. What it holds between two attempts
//! is its place in the scheduler, whose age the attempts have, and no permit: not while it waits for a
//! back-off, for the end of a pause or for a token, and not that of the former origin while it asks for one
//! of the next.

use std::future::{Future, poll_fn};
use std::task::Poll;

use turbohttp_core::scheduler::{CallId, Outcome, Priority, Waited};
use turbohttp_core::timeline::Phase;

use crate::attempt::Attempt;
use crate::carrier::Carrier;
use crate::clock;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::policy::{CallState, Provider, Settled, Step};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Boxed;

/// What the further attempts begin with.
pub(crate) enum First {
    /// The answer to the first attempt, which is open.
    Answer(Result<Response>),
    /// A request that waits for a token before it is sent at all.
    Request(Request),
}

/// Sends further attempts of `call` until one of their answers is that of the call.
///
/// Cancel safe: dropped, it releases what the attempt under way holds.
pub(crate) fn follow(carrier: &Carrier, call: CallId, first: First) -> Boxed<'_, Result<Response>> {
    Box::pin(run(Follow { carrier, call }, first))
}

async fn run(follow: Follow<'_>, first: First) -> Result<Response> {
    let policies = &follow.carrier.policies;
    let mut state = CallState::default();
    let mut answer = match first {
        First::Answer(answer) => answer,
        First::Request(request) => match follow.attempt(request).await {
            Settled::Done(done) => return done,
            Settled::Open(answer) => answer,
        },
    };
    loop {
        let request = match policies
            .next(&mut state, answer, &follow.carrier.scheduler)
            .await
        {
            Step::Done(done) => return policies.finish(state, done),
            Step::Again(request) => request,
            Step::Retry(request, then) => follow.back_off(request, then).await?,
            Step::Token(request, provider, refused) => {
                let refresh = follow.refresh(request, &provider, refused.as_ref());
                Box::pin(refresh).await?
            }
        };
        match follow.attempt(request).await {
            Settled::Done(done) => return policies.finish(state, done),
            Settled::Open(open) => answer = open,
        }
    }
}

/// Sends `request` once more as a call of its own, without layers and policies: what a cache has given out stale is
/// validated so. The response holds the call until it has been read.
///
/// Cancel safe: dropped, it releases what it holds.
pub(crate) async fn refresh(carrier: &Carrier, mut request: Request) -> Result<Response> {
    let now = clock::now();
    let context = &mut *request.context;
    context.timing.begin_anew(now);
    // Those who wait for an answer come first.
    context.request.priority = Priority::Low;
    let entered = carrier.scheduler.enter(now);
    let mut guard = entered.map_err(|refusal| context.refused(refusal, Waited::default()))?;
    let call = guard.call();
    let mut sending = Box::pin(Follow { carrier, call }.send_through(request));
    let answer = poll_fn(|cx| {
        // Registers the task with the scheduler, which wakes it when a close cuts the call off.
        if guard.poll_cut(cx).is_ready() {
            return Poll::Ready(Err(Error::closed_by_client()));
        }
        sending.as_mut().poll(cx)
    });
    let answer = answer.await;
    // A connection is released before its permit.
    drop(sending);
    match answer {
        Ok(mut response) => {
            response.hold_call(guard, false);
            Ok(response)
        }
        Err(error) => {
            guard.leave(Outcome::Failed);
            Err(error)
        }
    }
}

#[derive(Clone, Copy)]
struct Follow<'a> {
    carrier: &'a Carrier,
    call: CallId,
}

impl Follow<'_> {
    /// One more attempt, with a token where its origin wants one.
    async fn attempt(self, mut request: Request) -> Settled {
        if let Some(provider) = self
            .carrier
            .policies
            .credentials
            .missing_token(&request.context)
        {
            let refresh = Box::pin(self.refresh(request, &provider, None));
            request = match refresh.await {
                Ok(request) => request,
                Err(error) => return Settled::Done(Err(error)),
            };
        }
        // Also those of a request whose client has none.
        if let Err(error) = self.carrier.policies.prepare(&mut request) {
            return Settled::Done(Err(error));
        }
        let policies = &self.carrier.policies;
        let answer = match &policies.cache {
            None => self.send(request).await,
            Some(cache) => {
                let answering = cache.answer(request, |request| self.send_through(request));
                Box::pin(answering).await
            }
        };
        policies.settle(answer, &self.carrier.scheduler)
    }

    fn send<'a>(self, request: Request) -> Attempt<'a>
    where
        Self: 'a,
    {
        Attempt::new(self.carrier, self.call, request)
    }

    /// The same below a cache: what the answer brings for the client is taken in here, and not again with each use
    /// of what was stored.
    async fn send_through(self, request: Request) -> Result<Response> {
        let answer = self.send(request).await;
        let Carrier {
            policies,
            scheduler,
            ..
        } = self.carrier;
        policies.take_in(&answer, scheduler);
        answer
    }

    /// The permit that the call itself holds is released; those of attempts are with their responses.
    fn release(self) {
        self.carrier.scheduler.release_of(self.call);
    }

    async fn back_off(self, mut request: Request, then: std::time::Instant) -> Result<Request> {
        self.release();
        let context = &mut *request.context;
        let sleep = match clock::sleep_until(then) {
            Ok(sleep) => sleep,
            Err(error) => return Err(context.explain(error)),
        };
        begin_wait(context);
        let slept = self.carrier.scheduler.unless_canceling(sleep).await;
        end_wait(context);
        match slept {
            Ok(()) => Ok(request),
            Err(error) => Err(request.context.explain(error)),
        }
    }

    /// Waits for a token other than the refused one.
    async fn refresh(
        self,
        mut request: Request,
        provider: &Provider,
        refused: Option<&http::HeaderValue>,
    ) -> Result<Request> {
        self.release();
        begin_wait(&mut request.context);
        let refreshing = provider.refresh(refused);
        let refreshed = self.carrier.scheduler.unless_canceling(refreshing).await;
        end_wait(&mut request.context);
        match refreshed.and_then(|refreshed| refreshed) {
            Ok(()) => Ok(request),
            Err(error) => Err(request.context.explain(error)),
        }
    }
}

fn begin_wait(context: &mut Context) {
    let now = clock::now();
    context.timing.begin_attempt(now);
    context.timing.timeline.start(Phase::Backoff, now);
}

fn end_wait(context: &mut Context) {
    context.timing.timeline.finish(Phase::Backoff, clock::now());
}
