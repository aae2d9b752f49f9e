//! Requests and responses that leave the call they were made for: sent again elsewhere, kept by an error,
//! kept by a middleware.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use turbohttp::{
    Body, Client, ErrorKind, Limits, MockReply, MockTransport, NetTransport, Next, Request,
    Response, ResponseBody, Result, Shutdown, StatusCode, Timeouts, Transport,
};
use turbohttp_loopback::Server;

use crate::limits::poll_pending;
use crate::support::{TestClient, read, settle, soon};

const MS: Duration = Duration::from_millis(1);

fn ok() -> MockTransport {
    MockTransport::new(MockReply::new(StatusCode::OK).body("fine"))
}

#[tokio::test(start_paused = true)]
async fn request_sent_by_another_client_has_the_options_of_that_one() {
    let slow = MockTransport::new(MockReply::new(StatusCode::OK).delay(200 * MS));
    let hasty = TestClient::with(|builder| {
        builder
            .timeouts(Timeouts::default().head(50 * MS).permit(50 * MS))
            .transport(ok())
    });
    let patient = TestClient::with(|builder| builder.transport(slow));
    let request = hasty.get("http://a/").build().unwrap();
    let request = hasty.send(request).await.unwrap().into_request();
    patient.send(request).await.unwrap();
}

#[tokio::test]
async fn transport_without_a_client_begins_a_clock_of_its_own() {
    let server = Server::start(turbohttp_loopback::Options::default()).unwrap();
    // The deadline of the client's call, which a mock answers at once, passes before the request is sent.
    let client = TestClient::with(|builder| builder.timeout(50 * MS).transport(ok()));
    let request = client.get(server.url("/small")).build().unwrap();
    let request = client.send(request).await.unwrap().into_request();
    tokio::time::sleep(60 * MS).await;
    let net = NetTransport::builder().build().unwrap();
    net.send(request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn response_kept_by_an_error_of_a_middleware_ends_its_call() {
    let reply = MockReply::new(StatusCode::NOT_FOUND)
        .body("why")
        .streamed()
        .delay(10 * MS);
    let client = TestClient::with(|builder| {
        builder
            .transport(MockTransport::new(reply))
            .with_fn(|request, next: Next<'static>| async move {
                next.run(request).await?.error_for_status()
            })
    });
    let error = client
        .get("http://a/")
        .timeout(100 * MS)
        .send()
        .await
        .unwrap_err();
    let response = error.into_response().unwrap();
    assert_eq!(client.client_audit().scheduler.running, 1);
    let request = response.into_request();
    assert_eq!(client.client_audit().scheduler.running, 0);
    tokio::time::sleep(200 * MS).await;
    // A call of its own, with a deadline of its own.
    let error = client.send(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_a_response_that_an_error_keeps_and_cuts_it_off() {
    let reply = MockReply::new(StatusCode::NOT_FOUND)
        .body("why")
        .streamed()
        .delay(10 * MS);
    let client = TestClient::with(|builder| {
        builder
            .transport(MockTransport::new(reply))
            .with_fn(|request, next: Next<'static>| async move {
                next.run(request).await?.error_for_status()
            })
    });
    let error = client.get("http://a/").send().await.unwrap_err();
    let mut response = error.into_response().unwrap();
    let report = client.close(Shutdown::Now).await;
    assert_eq!((report.accepted, report.ended.aborted), (1, 1), "{report}");
    let error = response.chunk().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

struct Pieces(Vec<&'static [u8]>);
impl futures_core::Stream for Pieces {
    type Item = std::io::Result<Bytes>;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let first = if self.0.is_empty() {
            None
        } else {
            Some(self.0.remove(0))
        };
        std::task::Poll::Ready(first.map(|p| Ok(Bytes::from_static(p))))
    }
}

#[tokio::test]
async fn empty_pieces_do_not_end_a_chunked_body() {
    let server = Server::start(turbohttp_loopback::Options::default()).unwrap();
    let client = TestClient::new();
    let body = Body::from_stream(Pieces(vec![b"", b"ab", b"", b"cd", b""]), None);
    let mut response = client
        .post(format!("http://{}/echo", server.addr()))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"abcd");
}

#[tokio::test(start_paused = true)]
async fn body_replaced_by_bytes_holds_no_permit() {
    let reply = MockReply::new(StatusCode::OK).body("long").streamed();
    let client = TestClient::with(|builder| builder.transport(MockTransport::new(reply)));
    let mut response = client.get("http://a/").send().await.unwrap();
    assert_eq!(client.client_audit().scheduler.running, 1);
    response.replace_body(|_| ResponseBody::from("short"));
    assert_eq!(client.client_audit().scheduler.running, 0);
    assert_eq!(read(&mut response).await.unwrap(), b"short");
}

#[tokio::test(start_paused = true)]
async fn body_replaced_inside_a_call() {
    let reply = MockReply::new(StatusCode::OK).body("long").streamed();
    let client = TestClient::with(|builder| {
        builder
            .limits(Limits::default().per_host(1))
            .transport(MockTransport::new(reply))
            .with_fn(|request, next: Next<'static>| async move {
                let second = request.try_clone().unwrap();
                let mut first = next.run(request).await?;
                first.replace_body(|_| ResponseBody::from("short"));
                drop(next.run(second).await?);
                Ok(first)
            })
    });
    let response = client.get("http://a/").timeout(1000 * MS).send().await;
    response.unwrap();
}

#[tokio::test(start_paused = true)]
async fn error_of_a_spent_stream_is_not_retryable() {
    let client = TestClient::with(|builder| {
        builder
            .limits(Limits::default().per_host(1))
            .timeouts(Timeouts::default().permit(50 * MS))
            .transport(ReadsBody)
            .with_fn(|request, next: Next<'static>| async move {
                let other = Request::new(http::Method::GET, "http://a/hold").unwrap();
                let request = next.run(request).await?.into_request();
                let held = next.run(other).await?;
                let again = next.run(request).await;
                drop(held);
                again
            })
    });
    let error = client
        .post("http://a/")
        .body(Body::from_stream(Pieces(vec![b"ab"]), None))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.is_retryable(), "{error:?}");
}

struct ReadsBody;
impl Transport for ReadsBody {
    async fn send(&self, mut request: Request) -> Result<Response> {
        use http_body::Body as _;
        std::future::poll_fn(|cx| std::pin::Pin::new(request.body_mut()).poll_frame(cx)).await;
        let body = ResponseBody::from_reader(std::io::Cursor::new(b"x".to_vec()), None);
        Ok(request.respond(StatusCode::OK, body))
    }
}

#[tokio::test(start_paused = true)]
async fn next_that_outlives_its_call_is_refused_after_a_close() {
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let mock = ok();
    let client = TestClient::with(|builder| {
        builder
            .transport(mock.clone())
            .with_fn(move |request, next: Next<'static>| {
                *keep.lock().unwrap() = Some(next.clone());
                async move { next.run(request).await }
            })
    });
    client.get("http://a/").send().await.unwrap();
    let next = kept.lock().unwrap().take().unwrap();
    next.run(client.get("http://a/").build().unwrap())
        .await
        .unwrap();
    assert_eq!(client.client_audit().scheduler.running, 0);
    client.close(Shutdown::Now).await;
    let error = next
        .run(client.get("http://a/").build().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    drop(error);
    assert_eq!(mock.stats().closed, 1);
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as a drop of the user's may");
    }
}

#[tokio::test]
async fn extension_whose_drop_panics() {
    #[derive(Clone)]
    struct Ext(#[expect(dead_code, reason = "held to be dropped")] Arc<Bomb>);
    let client = TestClient::with(|builder| builder.transport(ok()));
    let response = client
        .get("http://a/")
        .extension(Ext(Arc::new(Bomb)))
        .send()
        .await
        .unwrap();
    drop(response);
    assert_eq!(client.client_audit().contexts, 0, "{:?}", client.stats());
    let response = client.get("http://a/").send().await.unwrap();
    assert!(response.extensions().is_empty());
}

#[tokio::test]
async fn extension_whose_drop_uses_the_client() {
    #[derive(Clone)]
    struct Ext(#[expect(dead_code, reason = "held to be dropped")] Arc<Uses>);
    struct Uses(Client);
    impl Drop for Uses {
        fn drop(&mut self) {
            drop(self.0.get("http://a/x").build());
            let c = self.0.clone();
            tokio::spawn(async move {
                c.get("http://a/y").send().await.unwrap();
            });
        }
    }
    let client = TestClient::with(|builder| builder.transport(ok()));
    let response = client
        .get("http://a/")
        .extension(Ext(Arc::new(Uses(client.clone()))))
        .send()
        .await
        .unwrap();
    drop(response);
    settle().await;
    assert_eq!(client.stats().scheduler.ended.completed, 2);
}

#[tokio::test]
async fn panics_of_hooks_and_transports_leave_nothing() {
    struct Panics;
    impl Transport for Panics {
        async fn send(&self, _: Request) -> Result<Response> {
            panic!("transport")
        }
    }
    for at in 0..5 {
        let client = TestClient::with(|builder| match at {
            0 => builder
                .transport(ok())
                .on_request(|_| -> () { panic!("hook") }),
            1 => builder
                .transport(ok())
                .on_response(|_| -> () { panic!("hook") }),
            2 => builder.transport(Panics),
            3 => builder.transport(Panics).on_request(|_| ()),
            _ => builder.transport(MockTransport::with_handler(|_| panic!("handler"))),
        });
        let call = client.get("http://a/").send();
        let joined = tokio::spawn(call).await;
        assert!(joined.unwrap_err().is_panic());
        client.audit();
        let report = soon(client.close(Shutdown::default())).await;
        assert_eq!(report.accepted, 0);
    }
}

struct Nested(Client);
impl Transport for Nested {
    async fn send(&self, request: Request) -> Result<Response> {
        self.0.send(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn close_of_an_inner_client_cuts_the_body_off() {
    let reply = MockReply::new(StatusCode::OK).body("x").streamed();
    let inner = TestClient::with(|b| {
        b.limits(Limits::default().per_host(1))
            .transport(MockTransport::new(reply))
    });
    let outer = TestClient::with(|b| {
        b.limits(Limits::default().per_host(1))
            .transport(Nested(inner.clone()))
    });
    let mut response = outer.get("http://a/").send().await.unwrap();
    let report = inner.close(Shutdown::Now).await;
    assert_eq!(report.accepted, 1);
    let chunk = response.chunk().await;
    assert_eq!(chunk.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn nested_errors_keep_the_request() {
    let reply = MockReply::new(StatusCode::OK).body("x").streamed();
    let inner = TestClient::with(|b| {
        b.limits(Limits::default().per_host(1))
            .transport(MockTransport::new(reply))
    });
    let outer = TestClient::with(|b| {
        b.timeouts(Timeouts::default().permit(50 * MS))
            .transport(Nested(inner.clone()))
    });
    let held = outer.get("http://a/").send().await.unwrap();
    let error = outer
        .get("http://a/")
        .timeout(100 * MS)
        .send()
        .await
        .unwrap_err();
    let request = error.into_request().unwrap();
    tokio::time::sleep(1000 * MS).await;
    drop(held);
    outer.send(request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unread_is_counted_where_a_permit_is_held() {
    let client = TestClient::with(|b| {
        b.limits(Limits::default().per_host(1))
            .timeouts(Timeouts::default().permit(50 * MS))
            .transport(Stuck)
            .on_response(|response: &mut Response| {
                response.replace_body(|_| {
                    ResponseBody::from_reader(std::io::Cursor::new(b"x".to_vec()), None)
                });
            })
    });
    let _response = client.get("http://a/").send().await.unwrap();
    let mut stuck = Box::pin(client.get("http://a/stuck").send());
    poll_pending(&mut stuck);
    let error = client.get("http://a/").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.to_string().contains("unread"), "{error}");
}

struct Stuck;
impl Transport for Stuck {
    async fn send(&self, request: Request) -> Result<Response> {
        if request.url().ends_with("stuck") {
            std::future::pending::<()>().await;
        }
        Ok(request.respond(StatusCode::OK, "x"))
    }
}

#[tokio::test]
async fn error_of_a_request_body_says_the_phase() {
    let server = Server::start(turbohttp_loopback::Options::default()).unwrap();
    let client = TestClient::new();
    let url = format!("http://{}/echo", server.addr());
    for body in [
        Body::from(std::fs::File::open("/").unwrap()),
        Body::from_stream(Pieces(vec![b"ab"]), Some(5)),
    ] {
        let error = client.post(&url).body(body).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody);
        assert_eq!(error.phase(), Some(turbohttp::Phase::Send));
        assert!(!error.is_retryable());
    }
}

#[test]
fn limit_of_a_host_out_of_bounds_is_named() {
    let error = Client::builder()
        .host_limit("http://a.test", 0)
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the limit of a host must be 1..=1048576 (got 0)"
    );
}

/// The request of a response was sent, whatever becomes of the next attempt of the same call.
#[tokio::test(start_paused = true)]
async fn post_that_was_answered_is_not_retryable_in_its_call() {
    for (method, expected) in [(http::Method::POST, false), (http::Method::PUT, true)] {
        let reply = MockReply::new(StatusCode::SERVICE_UNAVAILABLE)
            .body("x")
            .streamed();
        let client = TestClient::with(|builder| {
            builder
                .limits(Limits::default().per_host(1))
                .timeouts(Timeouts::default().permit(50 * MS))
                .transport(MockTransport::new(reply))
                .with_fn(|request, next: Next<'static>| async move {
                    let other = Request::new(http::Method::GET, "http://a/hold").unwrap();
                    let request = next.run(request).await?.into_request();
                    let held = next.run(other).await?;
                    let again = next.run(request).await;
                    drop(held);
                    again
                })
        });
        let error = client
            .request(method, "http://a/")
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.is_retryable(), expected, "{error:?}");
        // A call of its own begins anew.
        let request = error.into_request().unwrap();
        let held = client.get("http://b/").send().await;
        drop((request, held));
    }
}

/// Signs with `&Request` across an await, and looks at `&Response` in the same way.
struct Signs;

impl Signs {
    async fn sign(&self, request: &Request) -> usize {
        tokio::task::yield_now().await;
        request.url().len()
    }

    async fn look(&self, response: &Response) -> StatusCode {
        tokio::task::yield_now().await;
        response.status()
    }
}

impl turbohttp::Middleware for Signs {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        assert_eq!(self.sign(&request).await, request.url().len());
        let response = next.run(request).await?;
        assert_eq!(self.look(&response).await, StatusCode::OK);
        Ok(response)
    }
}

#[tokio::test]
async fn request_and_response_are_lent_across_an_await() {
    fn is_shareable<T: Send + Sync>() {}
    is_shareable::<Request>();
    is_shareable::<Response>();
    is_shareable::<turbohttp::RequestBuilder>();
    is_shareable::<turbohttp::ResponseStream>();
    let client = TestClient::with(|builder| builder.transport(ok()).with(Signs));
    client.get("http://a/").send().await.unwrap();
}
