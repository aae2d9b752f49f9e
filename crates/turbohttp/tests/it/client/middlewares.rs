//! Middlewares, and requests that are sent more than once.

use std::sync::Arc;
use std::time::Duration;

use turbohttp::{
    Client, ErrorKind, HeaderValue, Limits, Method, Middleware, Next, Phase, Request, Response,
    StatusCode, Timeouts,
};
use turbohttp_loopback::script::{Script, Step};

use super::{ok, server};
use crate::support::TestClient;

/// Writes its name into the request on the way down and into the response on the way up.
struct Named(&'static str);

impl Middleware for Named {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> turbohttp::Result<Response> {
        request
            .headers_mut()
            .append("x-down", HeaderValue::from_static(self.0));
        let mut response = next.run(request).await?;
        response.push_header("x-up", self.0.as_bytes());
        Ok(response)
    }
}

#[tokio::test]
async fn first_middleware_added_sees_the_request_first() {
    let server = server();
    let client = Client::builder()
        .with(Named("first"))
        .with(Some(Named("second")))
        .with(None::<Named>)
        .on_request(|request| {
            request
                .headers_mut()
                .append("x-down", HeaderValue::from_static("third"));
        })
        .on_response(|response| response.push_header("x-up", b"fourth"))
        .build();
    let client = TestClient::from(client.unwrap());
    let response = client.get(server.url("/headers")).send().await.unwrap();
    let up: Vec<_> = response
        .fields()
        .filter(|(name, _)| *name == "x-up")
        .collect();
    let up: Vec<&[u8]> = up.into_iter().map(|(_, value)| value).collect();
    assert_eq!(up, [&b"fourth"[..], b"second", b"first"]);
    let head = response.text().await.unwrap();
    let down: Vec<&str> = head
        .lines()
        .filter_map(|line| line.strip_prefix("x-down: "))
        .collect();
    assert_eq!(down, ["first", "second", "third"]);
}

/// Sends a request elsewhere, answers it itself, or sends it twice, as its path says.
struct Router(String);

impl Middleware for Router {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> turbohttp::Result<Response> {
        if request.url().ends_with("/cached") {
            return Ok(request.respond(StatusCode::NOT_MODIFIED, "kept"));
        }
        if request.url().ends_with("/moved") {
            request.set_url(&self.0)?;
        }
        if request.url().ends_with("/twice") {
            let again = request.try_clone().expect("the body is no stream");
            next.run(request).await?.bytes().await?;
            return next.run(again).await;
        }
        if request.url().ends_with("/again") {
            let again = request.try_clone().expect("the body is no stream");
            drop(next.run(request).await?);
            return next.run(again).await;
        }
        next.run(request).await
    }
}

#[tokio::test]
async fn middleware_may_answer_redirect_and_repeat() {
    let server = server();
    let elsewhere = self::server();
    let router = Router(elsewhere.url("/id/elsewhere"));
    let client = TestClient::from(Client::builder().with(router).build().unwrap());
    let response = client.get(server.url("/cached")).send().await.unwrap();
    assert_eq!(response.status(), 304);
    assert_eq!(response.text().await.unwrap(), "kept");
    assert_eq!(server.stats().connections, 0);
    let response = client.get(server.url("/moved")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "elsewhere");
    assert_eq!(
        (server.stats().connections, elsewhere.stats().connections),
        (0, 1)
    );
    let response = client
        .put(server.url("/id/twice"))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "twice");
    let stats = server.stats();
    assert_eq!((stats.requests, stats.body_bytes_received), (2, 2));
    assert_eq!(
        stats.connections, 1,
        "the clone did not use the idle connection"
    );
}

/// A second attempt has the rest of the request's time, and the limits of its client.
#[tokio::test]
async fn clone_of_a_request_keeps_deadline_and_limits() {
    let server = Script::new()
        .accept([
            Step::ReadHead,
            Step::Send(ok("", b"first")),
            Step::ReadHead,
            Step::Stall,
        ])
        .start()
        .unwrap();
    let timeouts = Timeouts::default().head(Duration::from_secs(99));
    let client = Client::builder()
        .with(Router(String::new()))
        .timeouts(timeouts.request(Duration::from_secs(40)));
    let client = Arc::new(TestClient::from(client.build().unwrap()));
    let url = server.url("/twice");
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.get(url).send().await.unwrap_err() }
    });
    // The clock is stopped when the second attempt waits.
    let heads = || String::from_utf8(server.received().concat()).unwrap();
    while heads().matches("\r\n\r\n").count() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let error = task.await.unwrap();
    assert!(
        start.elapsed() <= Duration::from_secs(40),
        "the deadline was forgotten"
    );
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Wait))
    );
    assert!(
        error
            .to_string()
            .contains("the request took longer than 40s"),
        "{error}"
    );
    client.audit();
}

#[tokio::test]
async fn clone_of_a_request_keeps_its_body_limit() {
    let server = server();
    let limits = Limits::default().body_bytes(5);
    let builder = Client::builder().limits(limits).with(Router(String::new()));
    let client = TestClient::from(builder.build().unwrap());
    let url = server.url("/bytes/6?/again");
    let response = client.get(&url).body_bytes_max(6).send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap().len(), 6);
    let response = client.get(&url).send().await.unwrap();
    assert_eq!(
        response.bytes().await.unwrap_err().kind(),
        ErrorKind::TooLarge
    );
}

/// Holds back the requests that upload: a limiter, a back-off.
struct Late(Duration);

impl Middleware for Late {
    async fn handle(&self, request: Request, next: Next<'_>) -> turbohttp::Result<Response> {
        if request.method() == Method::POST {
            tokio::time::sleep(self.0).await;
        }
        next.run(request).await
    }
}

/// The wait of a middleware is no part of the phases of the network, nor of their limits.
#[tokio::test]
async fn time_spent_in_a_middleware_is_not_the_networks() {
    let steps = [
        Step::ReadHead,
        Step::Send(ok("", b"x")),
        Step::ReadHead,
        Step::Deaf,
    ];
    let server = Script::new().accept(steps).start().unwrap();
    let late = Late(Duration::from_secs(60));
    let client = TestClient::from(Client::builder().with(late).build().unwrap());
    assert_eq!(client.body_of(&server.url("/")).await, b"x");
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let send = client.post(server.url("/")).body(vec![7; 64 << 20]).send();
    let error = send.await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a write of the request took longer than 30s"),
        "{error}"
    );
    let took = start.elapsed();
    assert!(
        took >= Duration::from_secs(90),
        "the write had no time: {took:?}"
    );
    let timeline = error.timeline().unwrap();
    assert!(timeline.is_connection_reused());
    let sending = timeline.duration(Phase::Send);
    assert!(sending < Duration::from_secs(31), "{timeline:?}");
    assert!(timeline.total() >= Duration::from_secs(90), "{timeline:?}");
}

#[tokio::test]
async fn request_without_a_client_is_sent_like_any_other() {
    let server = server();
    let client = TestClient::new();
    for _ in 0..2 {
        let mut request = Request::new(Method::POST, server.url("/echo")).unwrap();
        request.set_body("content");
        let response = client.send(request).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "content");
    }
    assert_eq!(client.net().opened, 1);
    assert!(Request::new(Method::GET, "nothing").is_err());
}
