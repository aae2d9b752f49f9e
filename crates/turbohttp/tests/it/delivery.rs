//! What a response holds, and until when: a body that has arrived whole holds no connection and no
//! permit; any other holds both until it has been read.

use std::time::Duration;

use turbohttp::{
    Client, ErrorKind, Limits, Method, MockReply, MockTransport, NetTransport, Phase, Request,
    StatusCode, Timeouts, Transport,
};
use turbohttp_loopback::script::{Script, ScriptServer, Signal, Step};
use turbohttp_loopback::{Options, Server, pattern};

use crate::limits::poll_pending;
use crate::support::{TestClient, expect_error, read, soon};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

/// A server that answers one request with these bytes in one piece.
fn answering(answer: impl Into<String>) -> ScriptServer {
    let answer: String = answer.into();
    let steps = [Step::ReadHead, Step::send(answer), Step::Stall];
    Script::new().accept(steps).start().unwrap()
}

fn one_at_a_time() -> TestClient {
    TestClient::with(|builder| builder.limits(Limits::default().per_host(1)))
}

/// Two hundred responses are kept while the next one is sent, with a limit of one.
#[tokio::test]
async fn unread_bodies_that_have_arrived_hold_up_no_request() {
    let server = server();
    let client = one_at_a_time();
    for path in ["/small", "/bytes/1024", "/chunked/7/143"] {
        let mut kept = Vec::new();
        for _ in 0..200 {
            let sent = client.get(server.url(path)).send();
            kept.push(soon(sent).await.unwrap());
        }
        let audit = client.client_audit();
        assert_eq!((audit.scheduler.running, audit.connections), (0, 0));
        assert_eq!(audit.buffers, 200, "each has its own bytes");
        let first = read(&mut kept[0]).await.unwrap();
        for response in &mut kept[1..] {
            assert_eq!(read(response).await.unwrap(), first);
        }
        assert_eq!(client.client_audit().buffers, 0, "read, and not dropped");
        drop(kept);
        client.audit();
    }
    assert_eq!(server.stats().connections, 1);
    assert_eq!(client.stats().scheduler.ended.completed, 600);
}

#[tokio::test]
async fn unread_body_that_is_still_coming_holds_its_permit() {
    let server = server();
    let client = one_at_a_time();
    let mut held = client
        .get(server.url("/bytes/300000"))
        .send()
        .await
        .unwrap();
    let audit = client.client_audit();
    assert_eq!((audit.scheduler.running, audit.connections), (1, 1));
    let mut next = Box::pin(client.get(server.url("/small")).send());
    poll_pending(&mut next);
    assert_eq!(client.client_audit().scheduler.waiting, 1);
    assert_eq!(read(&mut held).await.unwrap(), pattern(300_000));
    let mut next = soon(next).await.unwrap();
    assert_eq!(read(&mut next).await.unwrap(), b"Hello, world!");
}

#[tokio::test]
async fn body_in_the_memory_of_a_mock_holds_no_permit_unless_it_is_streamed() {
    let reply = MockReply::new(StatusCode::OK).body("body");
    for (reply, running) in [(reply.clone(), 0), (reply.streamed(), 1)] {
        for is_layered in [false, true] {
            let mock = MockTransport::new(reply.clone());
            let builder = Client::builder().limits(Limits::default().per_host(1));
            let client = match is_layered {
                true => builder.on_request(|_| ()).transport(mock).build(),
                false => builder.transport(mock).build(),
            };
            let client = client.unwrap();
            let mut response = client.get("http://a.test/").send().await.unwrap();
            assert_eq!(client.audit().scheduler.running, running);
            assert_eq!(response.remaining(), Some(4));
            assert_eq!(response.chunk().await.unwrap().unwrap(), b"body");
            assert_eq!(response.chunk().await.unwrap(), None);
            assert!(client.audit().scheduler.is_idle());
            assert_eq!(client.stats().scheduler.ended.completed, 1);
        }
    }
}

/// The bytes are decoded before they are asked for, and still are what they were.
#[tokio::test]
async fn chunked_body_that_has_arrived_is_one_slice_with_its_trailers() {
    let answer = format!("{CHUNKED}1\r\na\r\n2;x=y\r\nbc\r\n3\r\ndef\r\n0\r\nx-sum: 6\r\n\r\n");
    let server = answering(answer);
    let client = TestClient::new();
    let mut response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!((client.net().idle, response.remaining()), (1, Some(6)));
    assert_eq!(response.chunk().await.unwrap().unwrap(), b"abcdef");
    assert_eq!(response.chunk().await.unwrap(), None);
    assert_eq!(response.trailer("x-sum"), Some("6"));
    let receive = |span: &turbohttp::Span| span.phase == Phase::Receive;
    assert!(response.timeline().spans().any(|span| receive(&span)));
}

/// What looks like the end of the body is data of a chunk.
#[tokio::test]
async fn body_that_only_looks_whole_is_read_to_its_end() {
    let more = Signal::new();
    let steps = [
        Step::ReadHead,
        Step::send(format!("{CHUNKED}1\r\na\r\n6\r\nbc\r\n\r\n")),
        Step::Await(more.clone()),
        Step::send("\r\n0\r\n\r\n"),
        Step::Stall,
    ];
    let server = Script::new().accept(steps).start().unwrap();
    let client = TestClient::new();
    let mut response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!(client.net().idle, 0);
    assert_eq!(response.chunk().await.unwrap().unwrap(), b"abc\r\n\r\n");
    more.set();
    assert_eq!(response.chunk().await.unwrap(), None);
    assert_eq!(client.net().idle, 1);
}

#[tokio::test]
async fn what_stands_before_a_fault_is_read_before_the_error() {
    let answer = format!("{CHUNKED}1\r\na\r\n2\r\nbc\r\nx\r\n\r\n");
    for is_read in [true, false] {
        let server = answering(answer.clone());
        let client = TestClient::new();
        let mut response = client.get(server.url("/")).send().await.unwrap();
        if is_read {
            assert_eq!(response.chunk().await.unwrap().unwrap(), b"abc");
            let error = response.chunk().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            response.chunk().await.unwrap_err();
        }
        drop(response);
        client.audit();
        assert_eq!(client.net().open, 0);
        soon(server.all_closed()).await;
    }
    let server = answering(answer);
    let client = TestClient::new();
    let response = client.get(server.url("/")).send().await.unwrap();
    let error = response.bytes().await.unwrap_err();
    let message = "chunk size is malformed";
    let (kind, at) = (ErrorKind::Protocol, server.url(""));
    expect_error(&error, kind, Phase::Receive, message, at);
}

#[tokio::test]
async fn response_knows_both_ends_of_its_connection() {
    let server = server();
    let client = TestClient::new();
    let mut ports = Vec::new();
    for path in ["/small", "/bytes/0", "/bytes/300000"] {
        let response = client.get(server.url(path)).send().await.unwrap();
        assert_eq!(response.remote_addr(), Some(server.addr()));
        let local = response.local_addr().unwrap();
        assert!(local.ip().is_loopback());
        ports.push(local.port());
    }
    assert_eq!(ports[0], ports[1], "the same connection");
    let mock = MockTransport::new(MockReply::new(StatusCode::OK));
    let mocked = Client::builder().transport(mock).build().unwrap();
    let response = mocked.get("http://a.test/").send().await.unwrap();
    assert_eq!(
        (response.remote_addr(), response.local_addr()),
        (None, None)
    );
}

#[tokio::test]
async fn network_works_without_a_client() {
    let server = server();
    let network = NetTransport::builder()
        .resolve("a.test", [server.addr()])
        .build()
        .unwrap();
    for round in 1..=3 {
        let request = Request::new(Method::GET, "http://a.test/small").unwrap();
        let mut response = network.send(request).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"Hello, world!");
        assert!(
            response
                .timeline()
                .spans()
                .any(|span| span.phase == Phase::Wait)
        );
        assert_eq!(
            (network.stats().opened, network.stats().idle),
            (1, 1),
            "{round}"
        );
    }
    network.close().unwrap();
    assert_eq!(network.stats().open, 0);
}

/// Without a client the network's own timeouts hold, and its limits.
#[tokio::test]
async fn network_without_a_client_keeps_its_own_options() {
    let server = Script::new()
        .accept([Step::ReadHead, Step::Stall])
        .repeat_last()
        .start()
        .unwrap();
    for (timeouts, what) in [
        (
            Timeouts::default().head(Duration::from_millis(30)),
            "waiting for the response head",
        ),
        (
            Timeouts::default().request(Duration::from_millis(30)),
            "the request",
        ),
    ] {
        let network = NetTransport::new(&Limits::default(), &timeouts).unwrap();
        let request = Request::new(Method::POST, server.url("/")).unwrap();
        let error = soon(network.send(request)).await.unwrap_err();
        let (kind, at) = (ErrorKind::Timeout, server.url(""));
        expect_error(&error, kind, Phase::Wait, what, at);
    }
    let refused = NetTransport::new(&Limits::default().head_bytes(1), &Timeouts::default());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
}

/// A response keeps its bytes when its client and all its connections are gone.
#[tokio::test]
async fn body_that_has_arrived_outlives_its_client() {
    let server = answering(OK);
    let client = Client::new().unwrap();
    let mut response = client.get(server.url("/")).send().await.unwrap();
    client.close_now();
    drop(client);
    soon(server.all_closed()).await;
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
}
