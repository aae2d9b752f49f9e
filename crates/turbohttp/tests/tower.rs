//! The client among the layers of tower and tower-http, outside and inside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]
#![allow(dead_code, reason = "the ground is that of another test")]

#[path = "everyday/ground.rs"]
mod ground;

use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tower::limit::ConcurrencyLimitLayer;
use tower::retry::{Policy, RetryLayer};
use tower::{Service, ServiceBuilder, ServiceExt as _};
use tower_http::decompression::DecompressionLayer;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use turbohttp::{
    Body, Credentials, ErrorKind, HeaderValue, Limits, MockReply, MockTransport, Priority,
    QueueOptions, RedirectPolicy, RequestQueue, RetryPolicy, Shutdown, StatusCode, header,
};

use crate::ground::{Origin, client, redirect, reply};

fn get(url: &str) -> http::Request<Body> {
    http::Request::get(url).body(Body::empty()).unwrap()
}

/// The body, collected as tower's users do it.
async fn collected<B: http_body::Body<Data = bytes::Bytes, Error = turbohttp::Error>>(
    body: B,
) -> Vec<u8> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes
}

fn echo() -> Origin {
    Origin::new(|seen| {
        let agent = seen.field("user-agent").unwrap_or("none");
        reply(
            200,
            &["x-from: server"],
            &format!("{} {agent} {}", seen.line, seen.body.len()),
        )
    })
}

#[tokio::test]
async fn the_client_is_a_service_under_common_layers() {
    let origin = echo();
    let client = client(|client| client);
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(SetRequestHeaderLayer::overriding(
            header::USER_AGENT,
            HeaderValue::from_static("layered"),
        ))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            Duration::from_secs(60),
        ))
        .service(client.clone());
    let response = service.oneshot(get(&origin.url("/a"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-from"], "server");
    let body = response.into_body();
    let body = tower_body(body).await;
    assert_eq!(body, "GET /a HTTP/1.1 layered 0");
    assert!(client.audit().is_idle());
}

/// The body of the trace layer has an error type of its own.
async fn tower_body<B>(body: B) -> String
where
    B: http_body::Body<Data = bytes::Bytes>,
    B::Error: std::fmt::Debug,
{
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn bodies_of_other_crates_go_out_with_their_length() {
    let origin = echo();
    let service = client(|client| client);
    for (body, length) in [("", None), ("abc", Some("3"))] {
        let request = http::Request::post(origin.url("/"));
        let request = request.body(body.to_owned()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert!(
            collected(response.into_body())
                .await
                .ends_with(body.len().to_string().as_bytes())
        );
        let seen = origin.seen();
        let sent = seen.last().unwrap().field("content-length");
        assert!(sent == length || sent == Some("0"), "{sent:?}");
    }
}

#[tokio::test]
async fn layers_inside_see_every_request_of_the_client() {
    let origin = echo();
    let client = client(|client| {
        client
            .layer(SetRequestHeaderLayer::overriding(
                header::USER_AGENT,
                HeaderValue::from_static("inside"),
            ))
            .layer(SetResponseHeaderLayer::overriding(
                header::SERVER,
                HeaderValue::from_static("layer"),
            ))
    });
    let request = client
        .post(origin.url("/b"))
        .body("12345")
        .priority(Priority::High);
    let response = request.send().await.unwrap();
    assert_eq!(response.header("server"), Some("layer"));
    assert_eq!(response.header("x-from"), Some("server"));
    // The response itself: its connection and its timeline are there.
    assert!(response.remote_addr().is_some());
    assert!(response.timeline().connection_id().is_some());
    assert_eq!(response.text().await.unwrap(), "POST /b HTTP/1.1 inside 5");
    assert!(client.audit().is_idle());
}

#[tokio::test]
async fn a_layer_may_change_the_body_and_its_type() {
    let origin = echo();
    let client = client(|client| {
        client
            .layer(MapResponseBodyLayer::new(
                |body: turbohttp::ResponseStream| {
                    Box::pin(body)
                        as std::pin::Pin<
                            Box<
                                dyn http_body::Body<Data = bytes::Bytes, Error = turbohttp::Error>
                                    + Send,
                            >,
                        >
                },
            ))
            .layer(TraceLayer::new_for_http())
    });
    let response = client.get(origin.url("/c")).send().await.unwrap();
    assert_eq!(
        (response.status(), response.url()),
        (StatusCode::OK, &*origin.url("/c"))
    );
    assert!(response.timeline().connection_id().is_some());
    assert!(response.text().await.unwrap().starts_with("GET /c"));
    assert!(client.audit().is_idle());
}

#[tokio::test]
async fn decompression_and_redirects_of_tower_http_work_inside() {
    use std::io::Write as _;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"packed").unwrap();
    let packed = encoder.finish().unwrap();
    let origin = Origin::new(move |seen| -> Vec<u8> {
        if seen.path() == "/from" {
            return redirect(302, "/to").into();
        }
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            packed.len()
        )
        .into_bytes();
        answer.extend_from_slice(&packed);
        answer
    });
    let client = client(|client| {
        client
            .redirect(RedirectPolicy::none())
            .layer(DecompressionLayer::new())
            .layer(FollowRedirectLayer::new())
    });
    let request = client.get(origin.url("/from"));
    assert_eq!(
        request.send().await.unwrap().text().await.unwrap(),
        "packed"
    );
    let paths: Vec<_> = origin
        .seen()
        .iter()
        .map(|seen| seen.path().to_owned())
        .collect();
    assert_eq!(paths, ["/from", "/to"]);
    assert!(client.audit().is_idle());
}

/// Tries what was answered by 503 once more.
#[derive(Clone)]
struct OnceMore(Arc<AtomicUsize>);

impl<B> Policy<http::Request<Body>, http::Response<B>, turbohttp::Error> for OnceMore {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut http::Request<Body>,
        result: &mut Result<http::Response<B>, turbohttp::Error>,
    ) -> Option<Self::Future> {
        let is_busy = result
            .as_ref()
            .is_ok_and(|response| response.status() == 503);
        (is_busy && self.0.fetch_add(1, Ordering::Relaxed) == 0).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &http::Request<Body>) -> Option<http::Request<Body>> {
        let mut clone = http::Request::new(request.body().try_clone()?);
        *clone.method_mut() = request.method().clone();
        *clone.uri_mut() = request.uri().clone();
        *clone.headers_mut() = request.headers().clone();
        *clone.extensions_mut() = request.extensions().clone();
        Some(clone)
    }
}

#[tokio::test]
async fn a_layer_may_send_a_request_twice() {
    let count = AtomicUsize::new(0);
    let origin = Origin::new(move |seen| {
        let status = if count.fetch_add(1, Ordering::Relaxed) == 0 {
            503
        } else {
            200
        };
        reply(status, &[], &seen.body.len().to_string())
    });
    let client = client(|client| client.layer(RetryLayer::new(OnceMore(Arc::default()))));
    let response = client
        .put(origin.url("/"))
        .body("abc")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status(), response.text().await.unwrap().as_str()),
        (StatusCode::OK, "3")
    );
    assert_eq!(origin.seen().len(), 2);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn layers_may_answer_by_themselves_and_share_what_they_keep() {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("late"));
    // A limit of one, which all calls share, and a timeout that answers by itself.
    let client = client(|client| {
        client
            .transport(mock)
            .layer(ConcurrencyLimitLayer::new(1))
            .layer(TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                Duration::from_secs(1),
            ))
            .with_fn(|request, next| async move {
                if request.url().ends_with("/slow") {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                next.run(request).await
            })
    });
    let (slow, other) = tokio::join!(
        client.get("http://mock.test/slow").send(),
        client.get("http://mock.test/other").send()
    );
    let slow = slow.unwrap();
    assert_eq!(
        (slow.status(), slow.url()),
        (StatusCode::REQUEST_TIMEOUT, "http://mock.test/slow")
    );
    assert_eq!(other.unwrap().text().await.unwrap(), "late");
    assert!(client.audit().is_idle());
}

#[tokio::test]
async fn errors_are_those_of_the_client() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let client = client(|client| client.layer(TraceLayer::new_for_http()));
    let url = format!("http://{gone}/");
    let error = client.get(&url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let error = client.clone().oneshot(get(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let error = client.clone().oneshot(get("/relative")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Url, "{error}");
}

#[tokio::test]
async fn a_call_dropped_at_any_poll_leaves_nothing() {
    let origin = echo();
    let client = client(|client| {
        client
            .layer(TraceLayer::new_for_http())
            .layer(ConcurrencyLimitLayer::new(4))
    });
    for polls in 1..200 {
        let request = http::Request::post(origin.url("/"))
            .body("x".to_owned())
            .unwrap();
        let mut calling = Box::pin(client.clone().oneshot(request));
        let mut left = polls;
        let ended = poll_fn(|cx| {
            left -= 1;
            match calling.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        let is_over = ended.is_some();
        drop((ended, calling));
        assert!(client.audit().is_idle(), "{polls}");
        if is_over {
            return;
        }
    }
    panic!("the call never ends");
}

/// An origin that redirects to another one, and that other one.
fn two_origins() -> (Origin, Origin) {
    let there = echo();
    let target = there.url("/there");
    let here = Origin::new(move |_| redirect(302, &target));
    (here, there)
}

#[tokio::test]
async fn a_layer_may_send_a_request_to_another_origin() {
    let (here, there) = two_origins();
    // With a policy that adds credentials right before the transport.
    let client = client(|client| {
        client
            .redirect(RedirectPolicy::none())
            .retry(RetryPolicy::default())
            .layer(FollowRedirectLayer::new())
    });
    let request = client
        .get(here.url("/here"))
        .credentials(Credentials::bearer("secret").unwrap());
    let response = request.send().await.unwrap();
    assert_eq!(response.url(), there.url("/there"));
    assert!(response.text().await.unwrap().starts_with("GET /there"));
    assert_eq!(here.seen()[0].field("authorization"), Some("Bearer secret"));
    assert_eq!(there.seen()[0].field("authorization"), None);
    assert!(client.audit().is_idle());
}

#[tokio::test]
async fn credentials_of_a_request_go_to_no_other_origin_that_a_layer_names() {
    use tower_http::follow_redirect::policy::FilterCredentials;

    let (here, there) = two_origins();
    let policy = FilterCredentials::new().keep_all_extensions();
    let client = client(|client| {
        client
            .redirect(RedirectPolicy::none())
            .retry(RetryPolicy::default())
            .layer(FollowRedirectLayer::with_policy(policy))
    });
    let request = client
        .get(here.url("/here"))
        .credentials(Credentials::bearer("secret").unwrap());
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(there.seen()[0].field("authorization"), None);
    assert!(client.audit().is_idle());
}

/// Sends in a task of its own, which goes on when the call is dropped.
#[derive(Clone)]
struct Detached<S>(S, Arc<Notify>, Arc<Notify>);

impl<S> Service<http::Request<Body>> for Detached<S>
where
    S: Service<http::Request<Body>, Error = turbohttp::Error> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = turbohttp::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (mut inner, go, done) = (self.0.clone(), self.1.clone(), self.2.clone());
        let sending = tokio::spawn(async move {
            go.notified().await;
            let answer = inner.call(request).await;
            done.notify_one();
            answer
        });
        Box::pin(async move { sending.await.unwrap() })
    }
}

#[tokio::test]
async fn a_request_that_a_layer_sends_after_its_call_has_ended_leaves_nothing() {
    for is_closed in [false, true] {
        let origin = echo();
        let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (first, second) = (go.clone(), done.clone());
        let client = client(|client| {
            client.layer(tower::layer::layer_fn(move |service| {
                Detached(service, first.clone(), second.clone())
            }))
        });
        let mut sending = Box::pin(client.get(origin.url("/")).send());
        assert!(ground::poll_times(&mut sending, 1).await.is_none());
        drop(sending);
        if is_closed {
            client.close(Shutdown::Now).await;
        }
        go.notify_one();
        done.notified().await;
        // A task that ends drops what it has, a moment after it has said so.
        while !client.audit().is_idle() {
            tokio::task::yield_now().await;
        }
        assert_eq!(origin.seen().len(), usize::from(!is_closed));
    }
}

/// Is never ready.
#[derive(Clone)]
struct Unready<S>(S);

impl<S: Service<http::Request<Body>>> Service<http::Request<Body>> for Unready<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Pending
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_and_a_close_end_the_wait_for_a_layer_that_is_never_ready() {
    let client = client(|client| client.layer(tower::layer::layer_fn(Unready)));
    let request = client.get("http://127.0.0.1:1/");
    let error = request.timeout(Duration::from_secs(1)).send().await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    let waiting = client.get("http://127.0.0.1:1/").send();
    let (error, _) = tokio::join!(waiting, client.close(Shutdown::Now));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
    assert!(client.audit().is_idle());
}

/// Sends two requests at once, and gives the answer of the second.
#[derive(Clone)]
struct Twice<S>(S);

impl<S> Service<http::Request<Body>> for Twice<S>
where
    S: Service<http::Request<Body>, Error = turbohttp::Error> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = turbohttp::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut copy = http::Request::new(request.body().try_clone().unwrap());
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        let (one, two) = (self.0.call(request), self.0.clone().call(copy));
        Box::pin(async move {
            let (one, two) = tokio::join!(one, two);
            drop(one);
            two
        })
    }
}

#[tokio::test]
async fn a_layer_may_send_two_requests_at_once() {
    let origin = echo();
    let client = client(|client| client.layer(tower::layer::layer_fn(Twice)));
    let response = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(response.url(), origin.url("/"));
    assert!(response.text().await.unwrap().starts_with("GET /"));
    assert_eq!(origin.seen().len(), 2);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_queue_that_waits_for_a_layer_holds_no_permit() {
    let reply = MockReply::new(StatusCode::OK).body("late").streamed();
    let client = client(|client| {
        client
            .transport(MockTransport::new(reply))
            .limits(Limits::default().per_host(1))
            .layer(ConcurrencyLimitLayer::new(1))
    });
    let queue = RequestQueue::new(&client, QueueOptions::default()).unwrap();
    queue.start().unwrap();
    let get = |priority| client.get("http://a.test/").priority(priority);
    // Out of the layer, and still with the only permit.
    let first = get(Priority::Normal).send().await.unwrap();
    let all = async {
        tokio::join!(
            // In the layer, and waits for the permit, which the job gets before.
            async { drop(get(Priority::Low).send().await.unwrap()) },
            async {
                let job = queue.submit(get(Priority::High)).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(first);
                drop(job.await.unwrap());
            }
        )
    };
    let all = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(all.is_ok(), "the one waits for the other");
    queue.stop(Shutdown::default()).await;
    assert!(client.audit().is_idle());
}
