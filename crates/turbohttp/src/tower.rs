//! tower on both sides: the client as a service, and a stack of layers inside the client.
//!
//! # Implementation
//!
//! A layer is applied once, to [`NextService`], so that what it keeps (a rate, a count) is shared by all calls.
//! The rest of the chain, which each call has of its own, goes through the stack in the extensions of the
//! request, which a layer may take along into a task of its own; and beside it in [`INSIDE`], as a layer may send a
//! request without extensions, such as that of a redirect to another origin.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_core::Stream;
use http::{StatusCode, Uri};
use tower_layer::Layer;
use tower_service::Service;
use turbohttp_core::timeline::Timeline;

use crate::body::{Body, ResponseBody};
use crate::client::{Client, ClientBuilder};
use crate::error::{Error, ErrorKind, Result};
use crate::middleware::{Middleware, Next};
use crate::policy::Credentials;
use crate::request::Request;
use crate::response::{Response, ResponseStream};

type BoxError = Box<dyn StdError + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// The client as a [`Service`]: always ready, as the permit of a request is waited for in its call, where its
/// origin and its priority are known.
///
/// The body of the request is streamed, with the Content-Length that its exact size says; that of the response
/// streams, and is dropped to cancel.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// # let mock = turbohttp::MockTransport::new(turbohttp::MockReply::new(http::StatusCode::OK));
/// # let client = turbohttp::Client::builder().transport(mock).build()?;
/// use tower_service::Service as _;
///
/// let request = http::Request::get("http://example.com/").body(turbohttp::Body::empty());
/// let response = (&client).call(request.expect("a URI")).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
impl<B> Service<http::Request<B>> for Client
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<ResponseStream>;
    type Error = Error;
    type Future = BoxFuture<http::Response<ResponseStream>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move {
            let request = Request::try_from(request.map(into_body))?;
            client.send(request).await.map(Response::into_http)
        })
    }
}

impl<B> Service<http::Request<B>> for &Client
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<ResponseStream>;
    type Error = Error;
    type Future = BoxFuture<http::Response<ResponseStream>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        (*self).clone().call(request)
    }
}

/// One of our own as it is, so that it can still be sent again.
fn into_body<B>(body: B) -> Body
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    match downcast::<B, Body>(body) {
        Ok(own) => own,
        Err(body) if body.is_end_stream() => Body::empty(),
        Err(body) => Body::wrap(body),
    }
}

fn downcast<T: 'static, U: 'static>(value: T) -> std::result::Result<U, T> {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    if let Some(other) = any.downcast_mut::<Option<U>>().and_then(Option::take) {
        return Ok(other);
    }
    // Of another type, and so not taken.
    value.map_or_else(|| unreachable!("a value is of one type"), Err)
}

impl ClientBuilder {
    /// Adds a layer of tower as a middleware. It is applied once: what its service keeps is shared by all calls,
    /// each of which has a clone of it and waits until that is ready.
    ///
    /// A layer that leaves the type of the response's body as it is leaves the response itself as it is. Of another
    /// one, trailers are left out, and the timeline ends with the head.
    ///
    /// A request that a layer sends twice has the priority and the timeout of the first one; an error of a
    /// layer that is none of this crate has the kind [`ErrorKind::Transport`].
    pub fn layer<L, B>(self, layer: L) -> ClientBuilder
    where
        L: Layer<NextService>,
        L::Service:
            Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + 'static,
        <L::Service as Service<http::Request<Body>>>::Future: Send,
        <L::Service as Service<http::Request<Body>>>::Error: Into<BoxError>,
        B: http_body::Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = layer.layer(NextService { _private: () });
        self.with(Stack(Mutex::new(service)))
    }
}

/// The rest of a client's chain as the innermost service of a stack of layers; see [`ClientBuilder::layer`].
///
/// It sends the requests that come to it in a call of that client, and refuses others.
#[derive(Clone, Debug)]
pub struct NextService {
    _private: (),
}

tokio::task_local! {
    /// That of the call whose stack is being polled.
    static INSIDE: Inside;
}

/// What goes through the stack with a request.
#[derive(Clone)]
struct Inside {
    next: Next<'static>,
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    /// The request itself, until it is sent.
    request: Option<Request>,
    /// The same without its body: for what is sent after it, and for answers that the layers make.
    copy: Option<Request>,
    /// As it went into the stack.
    uri: Uri,
    /// A layer has sent a request to another origin.
    has_left_origin: bool,
    /// Up to the head of the last answer.
    timeline: Option<Timeline>,
}

impl Inside {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request that a layer sends: the first one is that of the call.
    fn request(&self, mut parts: http::request::Parts, body: Body) -> Result<Request> {
        let mut kept = self.kept();
        let first = kept.request.take();
        let request = first.or_else(|| kept.copy.as_ref()?.try_clone());
        let mut request = request.ok_or_else(|| outside("a request cannot be copied"))?;
        if parts.uri != kept.uri {
            let origin = request.origin().clone();
            request.set_url(&parts.uri)?;
            kept.has_left_origin |= *request.origin() != origin;
        }
        if kept.has_left_origin {
            // They are for the origin of the call, and never come back once it was left, as with a redirect.
            parts.extensions.remove::<Credentials>();
        }
        request.set_method(parts.method);
        *request.headers_mut() = parts.headers;
        *request.extensions_mut() = parts.extensions;
        request.set_body(body);
        Ok(request)
    }
}

#[cold]
fn outside(message: &'static str) -> Error {
    Error::new(ErrorKind::Request, message)
}

impl<B> Service<http::Request<B>> for NextService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<ResponseStream>;
    type Error = Error;
    type Future = BoxFuture<http::Response<ResponseStream>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        // Taken out, so that what the transport sees are the extensions of the caller.
        let inside: Option<Inside> = parts.extensions.remove();
        let inside = inside.or_else(|| INSIDE.try_with(Inside::clone).ok());
        Box::pin(async move {
            let message = "a layer has sent a request that is of no call of its client";
            let inside = inside.ok_or_else(|| outside(message))?;
            let request = inside.request(parts, into_body(body))?;
            let response = inside.next.run(request).await?;
            inside.kept().timeline = Some(response.timeline().clone());
            Ok(response.into_http())
        })
    }
}

/// A stack of layers as a middleware.
struct Stack<S>(Mutex<S>);

impl<S, B> Middleware for Stack<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let (request, inside) = enter(request, next.into_static())?;
        // Cloned out of its lock, as the call is the layers' code.
        let mut service = {
            let service = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            service.clone()
        };
        let ready = poll_fn(|cx| {
            let polled = service.poll_ready(cx);
            if polled.is_pending() {
                // The call that has what is waited for may wait for the permit that this one has begun with.
                inside.next.release_permit();
            }
            polled
        });
        ready.await.map_err(of_layer)?;
        // The call itself too, as a layer may send in it.
        let call = INSIDE.scope(inside.clone(), async move { service.call(request).await });
        let response = call.await.map_err(of_layer)?;
        leave(response, &inside)
    }
}

fn enter(mut request: Request, next: Next<'static>) -> Result<(http::Request<Body>, Inside)> {
    // The body first: without it, the copy costs its fields alone.
    let uri = request.uri()?;
    let body = request.take_body();
    let mut out = http::Request::new(body);
    *out.method_mut() = request.method().clone();
    *out.uri_mut() = uri.clone();
    *out.headers_mut() = request.headers().clone();
    *out.extensions_mut() = std::mem::take(request.extensions_mut());
    let inside = Inside {
        next,
        kept: Arc::new(Mutex::new(Kept {
            copy: request.try_clone(),
            request: Some(request),
            uri,
            has_left_origin: false,
            timeline: None,
        })),
    };
    out.extensions_mut().insert(inside.clone());
    Ok((out, inside))
}

/// What came out of the stack: the response itself if its body is as it was.
fn leave<B>(response: http::Response<B>, inside: &Inside) -> Result<Response>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = response.into_parts();
    parts.extensions.remove::<Inside>();
    let mut response = match downcast::<B, ResponseStream>(body) {
        // A layer that answers by itself has a default body, which is of no request.
        Ok(stream) if stream.get_ref().url().is_empty() => respond(inside, parts.status, stream)?,
        Ok(stream) => {
            let mut response = stream.into_response();
            response.rewrite(parts.status, None);
            response
        }
        Err(body) => respond(inside, parts.status, body)?,
    };
    *response.headers_mut() = parts.headers;
    *response.extensions_mut() = parts.extensions;
    Ok(response)
}

/// A response of another body than the one that was read from the network, or of none.
fn respond<B>(inside: &Inside, status: StatusCode, body: B) -> Result<Response>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut kept = inside.kept();
    let (first, copy) = (kept.request.take(), kept.copy.take());
    let request = first.or(copy);
    let request = request.ok_or_else(|| outside("a request cannot be copied"))?;
    let body = match body.is_end_stream() {
        true => ResponseBody::default(),
        false => {
            let length = body.size_hint().exact();
            ResponseBody::from_stream(DataStream(Box::pin(body)), length)
        }
    };
    let mut response = request.respond(status, body);
    response.rewrite(status, kept.timeline.take());
    Ok(response)
}

/// The error of a layer, or our own that came through it.
fn of_layer(error: impl Into<BoxError>) -> Error {
    match error.into().downcast::<Error>() {
        Ok(own) => *own,
        Err(other) => Error::new(ErrorKind::Transport, "a layer has failed").with_source(other),
    }
}

/// The data of a body, as a stream.
struct DataStream<B>(Pin<Box<B>>);

impl<B> Stream for DataStream<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        while let Some(frame) = ready!(self.0.as_mut().poll_frame(cx)) {
            match frame {
                Err(error) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                // Trailers have no place in a stream of bytes.
                Ok(frame) => {
                    if let Ok(mut data) = frame.into_data() {
                        let length = data.remaining();
                        return Poll::Ready(Some(Ok(data.copy_to_bytes(length))));
                    }
                }
            }
        }
        Poll::Ready(None)
    }
}

impl<S> fmt::Debug for Stack<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stack")
    }
}
