//! Middlewares: what a client runs around the attempts of a call.
//!
//! # Implementation
//!
//! A client holds its layers as a list in a [`Pipeline`], next to the scheduler and the transport. The
//! future [`Run`] walks the list from one index on: it calls the request hooks up to the first
//! middleware, boxes that middleware's future, and calls the response hooks it has passed when the
//! response comes back. Behind the last layer stands the [`Attempt`]. [`Next`] is an index into the
//! list, so a middleware can run the rest of it any number of times.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll, ready};

use turbohttp_core::scheduler::CallId;

use crate::attempt::Attempt;
use crate::cache::Refresher;
use crate::carrier::{AnyTransport, Carrier};
use crate::error::{Error, Result};
use crate::follow::{self, First, follow};
use crate::policy::Settled;
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::{Components, Failures};
use crate::transport::Boxed;

/// Sees every call of a client: its request on the way down, its response on the way up.
///
/// ```
/// use turbohttp::{header, Middleware, Next, Request, Response, Result};
///
/// /// Adds a bearer token to every request.
/// struct Auth { token: String }
///
/// impl Middleware for Auth {
///     async fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
///         let value = format!("Bearer {}", self.token).parse()?;
///         request.headers_mut().insert(header::AUTHORIZATION, value);
///         next.run(request).await
///     }
/// }
/// ```
///
/// A middleware may answer by itself ([`Request::respond`]), run the rest of the chain several times, or
/// not at all. Every run that reaches the transport is an attempt with a permit of its own; the response
/// holds that permit while its body is on a connection. Before a second run, give the first response up:
/// [`Response::into_request`] closes its body and returns the request.
///
/// The client's default header fields are in the request already, so a middleware that signs or logs
/// sees what will be sent. One allocation per call holds the future of the middleware;
/// [`ClientBuilder::on_request`](crate::ClientBuilder::on_request) and
/// [`on_response`](crate::ClientBuilder::on_response) cost none.
///
/// # Cancel safety
///
/// The future may be dropped at any await; what it holds must be released by `Drop`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Middleware`",
    label = "not a middleware",
    note = "implement `async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response>`, or add a closure with `ClientBuilder::with_fn`"
)]
pub trait Middleware: Send + Sync + 'static {
    /// Handles `request`, mostly by running the rest of the chain with it.
    fn handle(&self, request: Request, next: Next<'_>) -> impl Handling + Send;

    /// Releases what the middleware keeps. The client that owns it calls this once, when that client has
    /// been closed and its last call has ended or was cut off. The middleware added last is closed
    /// first, the transport after all of them. A request sent from here fails with
    /// [`ErrorKind::Closed`](crate::ErrorKind). Blocking the thread on the close of the same client
    /// never ends: that close waits for this call.
    ///
    /// A middleware behind an [`Arc`] is shared: the client does not close it.
    ///
    /// # Errors
    ///
    /// What could not be closed; the client's [`CloseReport`](crate::CloseReport) report names it.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// The future of [`Middleware::handle`]: every future of `Result<Response>` is one.
#[diagnostic::on_unimplemented(
    message = "`Middleware::handle` must be an `async fn` that returns `Result<Response>`, not a function that returns `{Self}`",
    label = "write `async fn handle(..) -> Result<Response>`"
)]
pub trait Handling: Future<Output = Result<Response>> {}

#[diagnostic::do_not_recommend]
impl<F: Future<Output = Result<Response>>> Handling for F {}

/// A middleware that several clients share. None of them closes it.
impl<M: Middleware> Middleware for Arc<M> {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        M::handle(self, request, next).await
    }
}

/// A middleware that may be off: `None` passes every request on.
impl<M: Middleware> Middleware for Option<M> {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        match self {
            Some(middleware) => middleware.handle(request, next).await,
            None => next.run(request).await,
        }
    }

    fn close(&self) -> Result<()> {
        self.as_ref().map_or(Ok(()), M::close)
    }
}

/// The rest of the chain behind a middleware: further middlewares, then an attempt.
///
/// It can be run any number of times, one after the other or at once; every run that reaches the
/// transport acquires its own permit, with the priority and the age of the call.
///
/// A run belongs to its call. One that goes on in a task of its own after the call has ended holds its
/// permit, but a close of the client neither waits for it nor cuts it off.
///
/// ```
/// use turbohttp::{Middleware, Next, Request, Response, Result, StatusCode};
///
/// /// Sends a request that was answered by 503 once more.
/// struct OnceMore;
///
/// impl Middleware for OnceMore {
///     async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
///         let response = next.run(request).await?;
///         match response.status() {
///             StatusCode::SERVICE_UNAVAILABLE => next.run(response.into_request()).await,
///             _ => Ok(response),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Next<'a> {
    pipeline: PipelineRef<'a>,
    /// The layer that the next run begins with.
    index: usize,
    call: CallId,
}

#[derive(Clone)]
enum PipelineRef<'a> {
    Borrowed(&'a Arc<Pipeline>),
    Shared(Arc<Pipeline>),
}

impl Next<'_> {
    /// Runs the rest of the chain with `request`, up to the head of the response.
    ///
    /// # Errors
    ///
    /// As [`Client::send`](crate::Client::send). [`Error::into_request`] returns the request where
    /// nothing of it was sent.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that it was using, or resets its stream of HTTP/2, and releases
    /// its permit.
    pub fn run(&self, request: Request) -> Run<'_> {
        let pipeline = match &self.pipeline {
            PipelineRef::Borrowed(pipeline) => pipeline,
            PipelineRef::Shared(pipeline) => pipeline,
        };
        Run::new(pipeline, self.index, self.call, request)
    }

    /// Releases the permit with which a job of a queue has begun, before a wait for something else than the server: another
    /// call may need it to end that wait. The next run asks for one again.
    #[cold]
    pub(crate) fn release_permit(&self) {
        let pipeline = match &self.pipeline {
            PipelineRef::Borrowed(pipeline) => pipeline,
            PipelineRef::Shared(pipeline) => pipeline,
        };
        pipeline.carrier.scheduler.release_of(self.call);
    }

    /// This, holding the pipeline itself: for the future of a closure, which borrows nothing.
    pub(crate) fn into_static(self) -> Next<'static> {
        let pipeline = match self.pipeline {
            // A count on the pipeline per call: the future of a closure may outlive this borrow.
            PipelineRef::Borrowed(pipeline) => pipeline.clone(),
            PipelineRef::Shared(pipeline) => pipeline,
        };
        Next {
            pipeline: PipelineRef::Shared(pipeline),
            index: self.index,
            call: self.call,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("layer", &self.index)
            .finish_non_exhaustive()
    }
}

/// What a hook may return: nothing, or a `Result` whose error ends the call.
pub trait HookResult {
    /// The error, if there is one.
    ///
    /// # Errors
    ///
    /// What the hook returned.
    fn into_result(self) -> Result<()>;
}

impl HookResult for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl HookResult for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// One element of a client's list, in the order in which it was added.
#[expect(clippy::type_complexity, reason = "two hooks, each named once")]
pub(crate) enum Layer {
    OnRequest(Box<dyn Fn(&mut Request) -> Result<()> + Send + Sync>),
    OnResponse(Box<dyn Fn(&mut Response) -> Result<()> + Send + Sync>),
    Middleware(Box<dyn DynMiddleware>),
}

impl Layer {
    pub(crate) fn middleware(middleware: impl Middleware) -> Layer {
        Layer::Middleware(Box::new(middleware))
    }

    pub(crate) fn closure<F, Fut>(closure: F) -> Layer
    where
        F: Fn(Request, Next<'static>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response>> + Send + 'static,
    {
        Layer::Middleware(Box::new(Closure(closure)))
    }
}

/// A middleware behind a pointer; costs one allocation per run.
pub(crate) trait DynMiddleware: Send + Sync {
    fn handle_boxed<'a>(&'a self, request: Request, next: Next<'a>) -> Boxed<'a, Result<Response>>;
    fn close(&self) -> Result<()>;
    /// The type of the middleware, for the report of a close.
    fn name(&self) -> &'static str;
}

impl<M: Middleware> DynMiddleware for M {
    fn handle_boxed<'a>(&'a self, request: Request, next: Next<'a>) -> Boxed<'a, Result<Response>> {
        Box::pin(self.handle(request, next))
    }

    fn close(&self) -> Result<()> {
        Middleware::close(self)
    }

    fn name(&self) -> &'static str {
        type_name::<M>()
    }
}

/// A closure as a middleware.
struct Closure<F>(F);

impl<F, Fut> DynMiddleware for Closure<F>
where
    F: Fn(Request, Next<'static>) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Response>> + Send + 'static,
{
    fn handle_boxed<'a>(&'a self, request: Request, next: Next<'a>) -> Boxed<'a, Result<Response>> {
        Box::pin((self.0)(request, next.into_static()))
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// What every call of a client goes through: the layers, and behind them what carries its attempts.
pub(crate) struct Pipeline {
    pub(crate) layers: Box<[Layer]>,
    pub(crate) carrier: Carrier,
}

impl Components for Pipeline {
    /// Closes the middlewares, the one added last first, and then the transport.
    fn close(&self, failures: &mut Failures) {
        // The reverse of the order of adding: a layer may use those that were added before it until it is closed.
        for layer in self.layers.iter().rev() {
            if let Layer::Middleware(middleware) = layer {
                failures.close(middleware.name(), || middleware.close());
            }
        }
        self.carrier.transport.close(failures);
    }
}

impl Pipeline {
    /// Lets the cache, if there is one, send requests of its own; says whether there is one.
    pub(crate) fn reach_from_cache(self: &Arc<Self>) -> bool {
        let Some(cache) = &self.carrier.policies.cache else {
            return false;
        };
        let client: Weak<Pipeline> = Arc::downgrade(self);
        let trusts_all = match &self.carrier.transport {
            AnyTransport::Net(net) => net.watch().accepts_any_certificate(),
            _ => false,
        };
        cache.set_client(client, trusts_all);
        true
    }
}

impl Refresher for Pipeline {
    fn refresh(self: Arc<Self>, request: Request) -> Boxed<'static, Result<Response>> {
        Box::pin(async move { follow::refresh(&self.carrier, request).await })
    }
}

/// The future of [`Next::run`]: the layers from one index on, and the attempt behind them.
#[must_use = "futures do nothing unless polled"]
pub struct Run<'a> {
    /// The hooks that were passed on the way down: their responses come back through them.
    passed: &'a [Layer],
    state: RunState<'a>,
}

enum RunState<'a> {
    Attempt(Attempt<'a>),
    /// Further attempts, as the policies of the client say.
    Following(Boxed<'a, Result<Response>>),
    Middleware(Boxed<'a, Result<Response>>),
    /// A request hook ended the call.
    Failed(Option<Error>),
}

impl<'a> Run<'a> {
    fn new(
        pipeline: &'a Arc<Pipeline>,
        from: usize,
        call: CallId,
        mut request: Request,
    ) -> Run<'a> {
        let layers = &pipeline.layers[from..];
        for (at, layer) in layers.iter().enumerate() {
            match layer {
                // Called when the response comes back: see `come_back`.
                Layer::OnResponse(_) => {}
                Layer::OnRequest(hook) => {
                    if let Err(error) = hook(&mut request) {
                        // The request is dropped here, so that its origin and timeline are added now.
                        let error = request.context.explain(error);
                        return Run {
                            passed: &[],
                            state: RunState::Failed(Some(error)),
                        };
                    }
                }
                Layer::Middleware(middleware) => {
                    let next = Next {
                        pipeline: PipelineRef::Borrowed(pipeline),
                        // The hooks behind this middleware belong to its own run of the rest.
                        index: from + at + 1,
                        call,
                    };
                    return Run {
                        passed: &layers[..at],
                        state: RunState::Middleware(middleware.handle_boxed(request, next)),
                    };
                }
            }
        }
        let carrier = &pipeline.carrier;
        let state = match carrier.policies.follow_first(&request) {
            true => RunState::Following(follow(carrier, call, First::Request(request))),
            false => RunState::Attempt(Attempt::new(carrier, call, request)),
        };
        Run {
            passed: layers,
            state,
        }
    }

    /// Every layer, for a call that has come in.
    pub(crate) fn all(pipeline: &'a Arc<Pipeline>, call: CallId, request: Request) -> Run<'a> {
        Run::new(pipeline, 0, call, request)
    }

    /// Has the policies look at the answer to the first attempt, and goes on with what they want.
    #[cold]
    fn follow(
        &mut self,
        answer: Result<Response>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Response>> {
        let RunState::Attempt(attempt) = &self.state else {
            unreachable!("an attempt was answered");
        };
        let (carrier, call) = (attempt.carrier, attempt.call);
        let answer = match carrier.policies.settle(answer, &carrier.scheduler) {
            Settled::Done(done) => return Poll::Ready(done),
            Settled::Open(answer) => answer,
        };
        let mut following = follow(carrier, call, First::Answer(answer));
        let polled = following.as_mut().poll(cx);
        self.state = RunState::Following(following);
        polled
    }

    /// Calls the response hooks that were passed on the way down, the last one first.
    #[inline(always)]
    fn come_back(&self, mut response: Response) -> Result<Response> {
        // In reverse: the layer that saw the request first sees the response last.
        for layer in self.passed.iter().rev() {
            if let Layer::OnResponse(hook) = layer {
                hook(&mut response).map_err(|error| response.explain(error))?;
            }
        }
        Ok(response)
    }
}

impl Future for Run<'_> {
    type Output = Result<Response>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Response>> {
        let this = &mut *self;
        let done = match &mut this.state {
            RunState::Attempt(attempt) => {
                let answer = ready!(Pin::new(&mut *attempt).poll(cx));
                match attempt.carrier.policies.is_plain(&answer) {
                    true => answer,
                    false => ready!(this.follow(answer, cx)),
                }
            }
            RunState::Following(following) => ready!(following.as_mut().poll(cx)),
            RunState::Middleware(handling) => ready!(handling.as_mut().poll(cx)),
            RunState::Failed(error) => Err(error.take().expect("not polled after it was ready")),
        };
        Poll::Ready(match done {
            // Errors pass the response hooks by: a middleware sees them.
            Ok(response) if !this.passed.is_empty() => this.come_back(response),
            done => done,
        })
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}
