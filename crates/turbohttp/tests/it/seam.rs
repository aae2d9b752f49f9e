//! The seam that users extend: the list of hooks and middlewares, permits of attempts, deadlines, what
//! errors keep, and what requests and responses carry along.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use turbohttp::{
    Body, Client, ClientBuilder, Error, ErrorKind, Limits, Method, Middleware, MockReply,
    MockTransport, Next, Phase, Request, Response, Result, Shutdown, StatusCode, Timeouts,
    Transport,
};

use crate::lab::Lab;
use crate::limits::poll_pending;
use crate::support::TestClient;

const MS: Duration = Duration::from_millis(1);

fn ok() -> MockTransport {
    MockTransport::new(MockReply::new(StatusCode::OK).body("fine"))
}

/// Writes its name down on the way down and on the way up.
struct Named(&'static str, Arc<Mutex<Vec<String>>>);

impl Middleware for Named {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        self.1.lock().unwrap().push(format!("{} down", self.0));
        let response = next.run(request).await;
        self.1.lock().unwrap().push(format!("{} up", self.0));
        response
    }
}

#[tokio::test]
async fn layers_run_in_the_order_in_which_they_were_added() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |text: &'static str| {
        let log = log.clone();
        move || log.lock().unwrap().push(text.to_owned())
    };
    let (down, up, within) = (note("hook down"), note("hook up"), note("closure"));
    let mut builder = Client::builder().transport(ok());
    for name in ["first", "second"] {
        builder = builder.with(Named(name, log.clone()));
    }
    let client = builder
        .on_request(move |_| down())
        .on_response(move |_| up())
        .with_fn(move |request, next| {
            within();
            async move { next.run(request).await }
        })
        .with(Arc::new(Named("shared", log.clone())))
        .with(None::<Named>)
        .with(Some(Named("some", log.clone())));
    let client = TestClient::from(client.build().unwrap());
    client.get("http://a/").send().await.unwrap();
    let order = [
        "first down",
        "second down",
        "hook down",
        "closure",
        "shared down",
        "some down",
        "some up",
        "shared up",
        "hook up",
        "second up",
        "first up",
    ];
    assert_eq!(*log.lock().unwrap(), order);
}

#[tokio::test]
async fn an_error_of_a_hook_ends_the_call_and_is_explained() {
    let fails = || Err::<(), _>(Error::new(ErrorKind::Request, "not signed"));
    for builder in [
        Client::builder().on_request(move |_| fails()),
        Client::builder().on_response(move |_| fails()),
    ] {
        let client = TestClient::from(builder.transport(ok()).build().unwrap());
        let error = client.get("http://a/").send().await.unwrap_err();
        assert_eq!(error.to_string(), "not signed (http://a)");
        assert!(error.timeline().is_some());
    }
}

/// Sends until the status is not 503, with the request that each response gives back.
struct Insistent;

impl Middleware for Insistent {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
        for _ in 0..2 {
            let response = next.run(request).await?;
            if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                return Ok(response);
            }
            request = response.into_request();
        }
        next.run(request).await
    }
}

#[tokio::test]
async fn a_response_gives_its_request_back_for_another_attempt() {
    let mock = MockTransport::with_handler(|request| {
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(request.headers()["x-own"], "1");
        MockReply::new(StatusCode::OK).body("last")
    });
    for _ in 0..2 {
        let busy = MockReply::new(StatusCode::SERVICE_UNAVAILABLE);
        assert!(mock.script(busy.header("x-old", "yes").body("busy")));
    }
    // One permit: an attempt that kept its own would wait for ever.
    let client = TestClient::with(|builder| {
        let limits = Limits::default().per_host(1);
        builder
            .limits(limits)
            .transport(mock.clone())
            .with(Insistent)
    });
    let mut response = client
        .put("http://a/x")
        .header("x-own", "1")
        .body("content")
        .send()
        .await
        .unwrap();
    assert_eq!(mock.stats().entered, 3);
    assert_eq!(response.header("x-old"), None);
    assert_eq!(response.chunk().await.unwrap(), Some(&b"last"[..]));
}

#[tokio::test]
async fn a_request_that_was_sent_may_be_sent_anew() {
    let client = TestClient::with(|builder| builder.transport(ok()));
    let mut request = client.get("http://a/").timeout(1_000 * MS).build().unwrap();
    for _ in 0..3 {
        let response = client.send(request).await.unwrap();
        request = response.into_request();
        assert_eq!(client.client_audit().scheduler.running, 0);
    }
}

#[tokio::test]
async fn extensions_go_along_and_are_gone_with_the_request() {
    #[derive(Clone, Debug, PartialEq)]
    struct Tag(u32);
    let client = TestClient::with(|builder| {
        builder.transport(ok()).on_request(|request: &mut Request| {
            let Tag(number) = request.extensions().get::<Tag>().cloned().unwrap_or(Tag(0));
            request.extensions_mut().insert(Tag(number + 1));
        })
    });
    let mut request = client.get("http://a/").build().unwrap();
    request.extensions_mut().insert(Tag(6));
    let clone = request.try_clone().unwrap();
    assert_eq!(clone.extensions().get(), Some(&Tag(6)));
    let response = client.send(request).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Tag(7)));
    drop(response);
    let response = client.get("http://a/").send().await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Tag(1)));
}

#[tokio::test]
async fn all_accessors_see_changed_fields() {
    let reply = MockReply::new(StatusCode::OK)
        .header("X-One", "1")
        .header("X-Two", "2");
    let client = TestClient::with(|builder| builder.transport(MockTransport::new(reply)));
    let mut response = client.get("http://a/").send().await.unwrap();
    let fields = |response: &Response| -> Vec<(String, Vec<u8>)> {
        let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
        response.fields().map(owned).collect()
    };
    // Looking at the map leaves the spelling of the server.
    assert_eq!(response.headers()["x-one"], "1");
    assert_eq!(fields(&response)[0].0, "X-One");
    response
        .headers_mut()
        .insert("x-one", "changed".parse().unwrap());
    response.headers_mut().remove("x-two");
    assert_eq!(response.header("x-one"), Some("changed"));
    assert_eq!(response.header("x-two"), None);
    assert_eq!(
        fields(&response),
        [("x-one".to_owned(), b"changed".to_vec())]
    );
    response.push_header("x-three", b"3");
    assert_eq!(response.header("x-three"), Some("3"));
    assert_eq!(fields(&response).len(), 2);
}

/// What is known of an error, wherever it came from.
#[track_caller]
fn is_explained(error: &Error, kind: ErrorKind, phase: Phase) {
    assert_eq!(
        (error.kind(), error.phase()),
        (kind, Some(phase)),
        "{error}"
    );
    assert_eq!(
        error.origin().map(|origin| origin.as_str()),
        Some("http://a"),
        "{error}"
    );
    assert!(error.timeline().is_some(), "{error}");
}

fn bare(builder: ClientBuilder) -> ClientBuilder {
    builder
}

fn layered(builder: ClientBuilder) -> ClientBuilder {
    let log = Arc::new(Mutex::new(Vec::new()));
    builder.on_request(|_| ()).with(Named("layer", log))
}

/// A deadline that passes in the line for a permit is the line's, whatever stands before it.
#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_line_for_a_permit_says_so() {
    for layers in [bare, layered] {
        let client = layers(Client::builder().limits(Limits::default().per_host(1)));
        let client = TestClient::from(client.transport(Lab::default()).build().unwrap());
        let mut first = Box::pin(client.get("http://a/never").send());
        poll_pending(&mut first);
        let second = client.get("http://a/").timeout(50 * MS).send();
        let error = second.await.unwrap_err();
        is_explained(&error, ErrorKind::Timeout, Phase::HostPermit);
        assert_eq!(
            error.timeline().unwrap().duration(Phase::HostPermit),
            50 * MS
        );
        let request = error.into_request().expect("nothing of it was sent");
        assert_eq!(request.url(), "http://a/");
        drop((request, first));
        let report = client.close(Shutdown::Now).await;
        assert_eq!((report.accepted, report.ended.failed), (0, 0));
        assert_eq!(client.stats().scheduler.ended.expired, 1);
    }
}

/// A deadline that passes elsewhere is told by the call: in a transport, and in a middleware.
#[tokio::test(start_paused = true)]
async fn a_deadline_in_a_transport_or_a_middleware_is_explained() {
    for layers in [bare, layered] {
        let client = TestClient::with(|builder| layers(builder).transport(Lab::default()));
        let late = client.get("http://a/never").timeout(50 * MS).send();
        let error = late.await.unwrap_err();
        is_explained(&error, ErrorKind::Timeout, Phase::Wait);
        assert_eq!(
            error.to_string(),
            "the request took longer than 50ms (http://a)"
        );
    }
    let client = TestClient::with(|builder| {
        builder.transport(ok()).with_fn(|request, next| async move {
            tokio::time::sleep(1_000 * MS).await;
            next.run(request).await
        })
    });
    let error = client
        .get("http://a/")
        .timeout(50 * MS)
        .send()
        .await
        .unwrap_err();
    is_explained(&error, ErrorKind::Timeout, Phase::Wait);
}

#[tokio::test(start_paused = true)]
async fn what_a_close_cuts_off_is_explained() {
    for layers in [bare, layered] {
        let client = TestClient::with(|builder| layers(builder).transport(Lab::default()));
        let mut sending = Box::pin(client.get("http://a/never").send());
        poll_pending(&mut sending);
        client.close_now();
        let error = sending.await.unwrap_err();
        is_explained(&error, ErrorKind::Closed, Phase::Wait);
        assert_eq!(
            error.to_string(),
            "cut off: the client was closed (http://a)"
        );
        let refused = client.get("http://a/").send().await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "closed: nothing more is sent (http://a)"
        );
        assert!(refused.into_request().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn wait_for_a_permit_that_a_close_cuts_off_is_explained() {
    for layers in [bare, layered] {
        let limits = Limits::default().per_host(1);
        let client = TestClient::with(|builder| {
            let builder = builder.limits(limits);
            layers(builder).transport(Lab::default())
        });
        let mut holding = Box::pin(client.get("http://a/never").send());
        poll_pending(&mut holding);
        let mut waiting = Box::pin(client.get("http://a/never").send());
        poll_pending(&mut waiting);
        tokio::time::advance(30 * MS).await;
        client.close_now();
        let error = waiting.await.unwrap_err();
        is_explained(&error, ErrorKind::Closed, Phase::HostPermit);
        holding.await.unwrap_err();
    }
}

/// Default fields and timeouts hold for every transport, and middlewares see what will be sent.
#[tokio::test(start_paused = true)]
async fn options_hold_for_every_transport() {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let sees = seen.clone();
    let client = TestClient::with(|builder| {
        builder
            .default_header("x-default".parse().unwrap(), "1".parse().unwrap())
            .timeouts(Timeouts::default().head(1_000 * MS))
            .on_request(move |request: &mut Request| {
                *sees.lock().unwrap() = request.headers().clone();
            })
            .transport(MockTransport::with_handler(|request| {
                assert_eq!(request.headers()["x-default"], "1");
                assert_eq!(request.headers()["user-agent"], "own");
                MockReply::new(StatusCode::OK).delay(match request.url() {
                    "http://a/late" => 1_001 * MS,
                    _ => 1_000 * MS,
                })
            }))
    });
    let get = |url| client.get(url).header("user-agent", "own").send();
    get("http://a/").await.unwrap();
    let names: Vec<_> = seen
        .lock()
        .unwrap()
        .keys()
        .map(|name| name.to_string())
        // The field of the codings that are compiled in.
        .filter(|name| name != "accept-encoding")
        .collect();
    assert_eq!(names, ["user-agent", "accept", "x-default"]);
    let error = get("http://a/late").await.unwrap_err();
    is_explained(&error, ErrorKind::Timeout, Phase::Wait);
    assert_eq!(
        error.to_string(),
        "waiting for the response head took longer than 1s (http://a)"
    );

    let limits = Timeouts::default().dns(MS).connect(MS).tls(MS).head(MS);
    let client = TestClient::with(|builder| builder.timeouts(limits).transport(Lab::default()));
    let error = client.get("http://a/never").send().await.unwrap_err();
    is_explained(&error, ErrorKind::Timeout, Phase::Wait);
    client.get("http://a/ms/4").send().await.unwrap();
}

/// Small answers hold no permit, so that a second request may be sent while the first is looked at.
#[tokio::test(start_paused = true)]
async fn a_look_at_a_response_while_sending_another_ends() {
    let client = TestClient::with(|builder| builder.transport(ok()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let client = Client::clone(&client);
        tasks.spawn(async move {
            let first = client.get("http://a/").send().await.unwrap();
            tokio::task::yield_now().await;
            let second = client.get("http://a/").send().await.unwrap();
            (first.text().await.unwrap(), second.text().await.unwrap())
        });
    }
    while let Some(texts) = tasks.join_next().await {
        assert_eq!(texts.unwrap(), ("fine".to_owned(), "fine".to_owned()));
    }
}

/// Runs the rest of the chain twice at once.
struct Twice;

impl Middleware for Twice {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let other = request.try_clone().unwrap();
        let (first, second) = tokio::join!(next.run(request), next.run(other));
        drop(first);
        second
    }
}

#[tokio::test(start_paused = true)]
async fn every_run_acquires_a_permit_of_its_own() {
    let lab = Lab::default();
    let client = TestClient::with(|builder| builder.transport(lab.clone()).with(Twice));
    client.get("http://a/ms/5").send().await.unwrap();
    assert_eq!((lab.book().entered, lab.book().peak), (2, 2));
    // With one permit the second run waits for the first, whose body holds none once it is in memory.
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).delay(5 * MS));
    let client = TestClient::with(|builder| {
        let limits = Limits::default().per_host(1);
        builder.limits(limits).transport(mock.clone()).with(Twice)
    });
    client.get("http://b/").send().await.unwrap();
    assert_eq!((mock.stats().entered, mock.stats().peak), (2, 1));
}

/// A transport that wraps another one sees every attempt.
struct Wrapped<T>(T, Arc<AtomicU64>);

impl<T: Transport> Transport for Wrapped<T> {
    async fn send(&self, request: Request) -> Result<Response> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.send(request).await
    }
}

#[tokio::test]
async fn a_transport_may_wrap_another() {
    let count = Arc::new(AtomicU64::new(0));
    let client = TestClient::with(|builder| {
        builder
            .transport(Wrapped(ok(), count.clone()))
            .with(Insistent)
    });
    let response = client
        .get("http://a/")
        .body(Body::empty())
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "fine");
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

/// A close while a connection is made: the error says in which phase, though the request is inside the
/// future that makes the connection.
#[tokio::test]
async fn a_close_while_connecting_is_explained() {
    for layers in [bare, layered] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let client = TestClient::with(layers);
        let sending = client.get(&url).send();
        let mut sending = std::pin::pin!(sending);
        // The server accepts and says nothing more.
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            _ = &mut sending => unreachable!("there is no handshake"),
        };
        client.close_now();
        let error = sending.await.unwrap_err();
        drop(accepted);
        assert_eq!(error.kind(), ErrorKind::Closed);
        let phase = error.phase().unwrap();
        assert!(matches!(phase, Phase::Connect | Phase::Tls), "{phase:?}");
        let timeline = error.timeline().unwrap();
        assert!(
            timeline.spans().any(|span| span.phase == phase),
            "{timeline:?}"
        );
        assert_eq!(error.origin().unwrap().host(), "127.0.0.1");
    }
}

/// A request that an error returns is as good as new: its next call has a time of its own.
#[tokio::test(start_paused = true)]
async fn a_returned_request_begins_anew() {
    for layers in [bare, layered] {
        let limits = Limits::default().per_host(1);
        let client =
            TestClient::with(|builder| layers(builder.limits(limits)).transport(Lab::default()));
        let mut first = Box::pin(client.get("http://a/never").send());
        poll_pending(&mut first);
        let mut request = client
            .get("http://a/ms/40")
            .timeout(50 * MS)
            .build()
            .unwrap();
        for _ in 0..3 {
            let error = client.send(request).await.unwrap_err();
            is_explained(&error, ErrorKind::Timeout, Phase::HostPermit);
            request = error.into_request().unwrap();
        }
        drop(first);
        let response = client.send(request).await.unwrap();
        assert_eq!(response.timeline().total(), 40 * MS);
    }
}

/// All values of a default field are sent, and none where the request has one of its own, with
/// each kind of transport.
#[tokio::test]
async fn default_fields_are_sent_by_every_transport() {
    let server = turbohttp_loopback::Server::start(turbohttp_loopback::Options::default()).unwrap();
    let mut fields = HeaderMap::new();
    fields.append("x-many", "1".parse().unwrap());
    fields.append("x-many", "2".parse().unwrap());
    fields.append("x-own", "default".parse().unwrap());
    let net = turbohttp::NetTransport::builder().build().unwrap();
    let own = Client::builder().transport(net);
    for builder in [Client::builder(), layered(Client::builder()), own] {
        let client = builder.default_headers(fields.clone()).build().unwrap();
        let client = TestClient::from(client);
        let request = client.get(server.url("/headers")).header("x-own", "own");
        let text = request.send().await.unwrap().text().await.unwrap();
        for line in ["x-many: 1", "x-many: 2", "x-own: own", "accept: */*"] {
            assert_eq!(text.matches(line).count(), 1, "{line} in {text}");
        }
        assert!(!text.contains("default"), "{text}");
    }
}
