//! What a task's cooperative budget and a reactor that had no turn yet must not hide: deadlines,
//! early answers, bytes and ends on idle connections.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
#[cfg(feature = "__tls")]
use turbohttp::Tls;
use turbohttp::{Body, Bytes, ErrorKind};
use turbohttp_loopback::script::{Script, ScriptServer, Signal, Step};
use turbohttp_loopback::tls::TestCa;

use crate::support::TestClient;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const REAL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nreal";
const POISON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON";

/// Uses up what is left of the task's budget without waiting.
async fn spend_budget() {
    poll_fn(|cx| {
        while tokio::task::coop::has_budget_remaining() {
            let mut one = pin!(tokio::task::consume_budget());
            if one.as_mut().poll(cx).is_pending() {
                break;
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Waits until the server has closed its connections, without giving this thread's reactor a turn.
fn wait_aside(server: &ScriptServer) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(server.all_closed());
        });
    });
}

#[tokio::test]
async fn deadlines_fire_for_many_requests_in_one_task() {
    const REQUESTS: usize = 200;
    let server = Script::new()
        .accept([Step::ReadHead, Step::Stall])
        .repeat_last();
    let server = server.start().unwrap();
    let limit = Duration::from_millis(200);
    let client = TestClient::timeouts(|timeouts| timeouts.head(limit).request(limit * 2));
    let send = |_| Some(Box::pin(client.get(server.url("/")).send()));
    let mut waiting: Vec<_> = (0..REQUESTS).map(send).collect();
    poll_fn(|cx| {
        for slot in &mut waiting {
            if let Some(sending) = slot
                && let Poll::Ready(done) = sending.as_mut().poll(cx)
            {
                assert_eq!(done.unwrap_err().kind(), ErrorKind::Timeout);
                *slot = None;
            }
        }
        if waiting.iter().all(Option::is_none) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    client.audit();
}

#[cfg(feature = "__tls")]
#[tokio::test]
async fn bytes_over_tls_are_seen_by_a_task_without_budget() {
    let ca = TestCa::new();
    let config = ca.server_config(&["127.0.0.1"]);
    let go = Signal::new();
    let server = Script::new()
        .accept([
            Step::Handshake(config.clone()),
            Step::ReadHead,
            Step::send(OK),
            Step::Await(go.clone()),
            Step::send(POISON),
            Step::Close,
        ])
        .accept([
            Step::Handshake(config),
            Step::ReadHead,
            Step::send(REAL),
            Step::Stall,
        ]);
    let server = server.start().unwrap();
    let client = TestClient::with(|builder| {
        builder.tls(Tls::default().root_pem(ca.pem()).only_added_roots())
    });
    let url = server.url("/").replace("http:", "https:");
    assert_eq!(client.body_of(&url).await, b"ok");
    go.set();
    wait_aside(&server);
    std::thread::sleep(Duration::from_millis(5));
    spend_budget().await;
    assert_eq!(client.body_of(&url).await, b"real");
}

#[tokio::test]
async fn bytes_that_the_reactor_has_not_seen_never_become_an_answer() {
    let server = Script::new()
        .accept([
            Step::ReadHead,
            Step::send(OK),
            Step::send(POISON),
            Step::Close,
        ])
        .accept([Step::ReadHead, Step::send(REAL), Step::Stall]);
    let server = server.start().unwrap();
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    wait_aside(&server);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(client.body_of(&server.url("/")).await, b"real");
}

#[tokio::test]
async fn an_end_that_the_reactor_has_not_seen_costs_no_post() {
    let server = Script::new()
        .accept([Step::ReadHead, Step::send(OK), Step::Close])
        .accept([
            Step::ReadHead,
            Step::ReadExact(1),
            Step::send(OK),
            Step::Stall,
        ]);
    let server = server.start().unwrap();
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    wait_aside(&server);
    std::thread::sleep(Duration::from_millis(5));
    let response = client.post(server.url("/")).body("x").send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), "ok");
}

/// Pieces without end, each ready at once.
struct Endless;

impl Stream for Endless {
    type Item = std::io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 1024]))))
    }
}

/// A server that answers the head of a request and reads on for ever.
fn early_answer(answer: &'static str) -> crate::support::Peer {
    use std::io::{Read, Write};
    crate::support::Peer::start(move |mut stream| {
        let mut buffer = vec![0; 1 << 20];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(answer.as_bytes());
        while let Ok(1..) = stream.read(&mut buffer) {}
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_answer_reaches_the_caller_of_an_upload_that_flows() {
    let peer = early_answer("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    let client = TestClient::new();
    let body = Body::from_stream(Endless, None);
    let response = client.post(peer.url("/")).body(body).send().await.unwrap();
    assert_eq!(response.status(), 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deadline_ends_an_upload_that_flows() {
    let peer = early_answer("");
    let client = TestClient::new();
    let request = client
        .post(peer.url("/"))
        .body(Body::from_stream(Endless, None));
    let error = request
        .timeout(Duration::from_millis(100))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deadline_ends_a_body_that_flows() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let flood = Step::Flood(vec![b'x'; 1 << 20]);
    let server = Script::new()
        .accept([Step::ReadHead, Step::send(head), flood])
        .start()
        .unwrap();
    let client = TestClient::new();
    let request = client
        .get(server.url("/"))
        .timeout(Duration::from_millis(100));
    let mut response = request.send().await.unwrap();
    let error = loop {
        match response.chunk().await {
            Ok(chunk) => assert!(chunk.is_some(), "an endless body ended"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("100ms"), "{error}");
}

#[tokio::test]
async fn a_field_too_many_is_the_callers_error() {
    let client = TestClient::new();
    let mut request = client.get("http://127.0.0.1:1/");
    for number in 0..40_000 {
        request = request.header(format!("x-{number}"), "y");
    }
    assert_eq!(request.send().await.unwrap_err().kind(), ErrorKind::Request);
}

#[tokio::test]
async fn a_request_that_cannot_be_written_costs_no_connection() {
    let server = Script::new().accept([
        Step::ReadHead,
        Step::send(OK),
        Step::ReadHead,
        Step::send(REAL),
        Step::Stall,
    ]);
    let server = server.start().unwrap();
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    let bad = client
        .get(server.url("/"))
        .header("transfer-encoding", "chunked");
    assert_eq!(bad.send().await.unwrap_err().kind(), ErrorKind::Request);
    assert_eq!(client.body_of(&server.url("/")).await, b"real");
    assert_eq!(client.net().opened, 1);
    let nowhere = client
        .get("http://127.0.0.1:1/")
        .header("transfer-encoding", "chunked");
    assert_eq!(nowhere.send().await.unwrap_err().kind(), ErrorKind::Request);
}

#[tokio::test]
async fn a_lifetime_ends_idle_connections_too() {
    let server = Script::new()
        .accept([Step::ReadHead, Step::send(OK), Step::Stall])
        .start()
        .unwrap();
    let client = TestClient::timeouts(|timeouts| timeouts.lifetime(Duration::from_secs(1)));
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    assert_eq!(client.net().idle, 1);
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(client.net().idle, 0);
}
