//! Addresses and connections that do not come to be.

use std::io;
use std::time::Duration;

use turbohttp::{ErrorKind, Phase};
use turbohttp_loopback::script::Step;

use super::{OK, server};
use crate::support::{TestClient, expect_error, read};

/// A port on which nobody listens.
fn refusing() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn refused_connection_is_an_error_at_once() {
    let at = refusing();
    let client = TestClient::new();
    let error = client
        .post(format!("http://{at}/"))
        .body("x")
        .send()
        .await
        .unwrap_err();
    let message = format!("no connection to {at}");
    expect_error(
        &error,
        ErrorKind::Connect,
        Phase::Connect,
        &message,
        format!("http://{at}"),
    );
    assert!(error.is_retryable(), "nothing was sent");
    assert_eq!(client.net().opened, 0);
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn next_address_is_tried_when_one_refuses() {
    let server = server([Step::ReadHead, Step::send(OK)]);
    let addresses = [refusing(), refusing(), server.addr()];
    let client = TestClient::with(|builder| builder.resolve("Many.test", addresses));
    assert_eq!(client.body_of("http://many.test/").await, b"ok");
    let head = String::from_utf8(server.received()[0].clone()).unwrap();
    assert!(head.contains("\r\nhost: many.test\r\n"), "{head}");
}

#[tokio::test]
async fn error_when_every_address_refuses() {
    let addresses = [refusing(), refusing()];
    let client = TestClient::with(|builder| builder.resolve("many.test", addresses));
    let error = client.get("http://many.test/").send().await.unwrap_err();
    let message = format!("no connection to {} or 1 more", addresses[0]);
    expect_error(
        &error,
        ErrorKind::Connect,
        Phase::Connect,
        &message,
        "http://many.test",
    );
}

#[tokio::test]
async fn name_without_an_address_is_an_error() {
    let nobody: [std::net::SocketAddr; 0] = [];
    let client = TestClient::with(|builder| builder.resolve("nobody.test", nobody));
    let error = client.get("http://nobody.test/").send().await.unwrap_err();
    expect_error(
        &error,
        ErrorKind::Connect,
        Phase::Connect,
        "no address",
        "http://nobody.test",
    );
    // A label longer than DNS allows: the resolver refuses it without asking anybody.
    let host = format!("{}.test", "a".repeat(64));
    let error = client
        .get(format!("http://{host}/"))
        .send()
        .await
        .unwrap_err();
    let at = format!("http://{host}");
    expect_error(&error, ErrorKind::Dns, Phase::Dns, "no address for", at);
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn names_are_resolved_by_the_system() {
    let server = server([Step::ReadHead, Step::send(OK)]);
    let client = TestClient::new();
    let url = format!("http://localhost:{}/", server.addr().port());
    let mut response = client.get(url).send().await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    assert!(
        response
            .timeline()
            .spans()
            .any(|span| span.phase == Phase::Dns)
    );
}

/// A listener whose queue is full: the system answers no further connect.
#[cfg(target_os = "linux")]
struct BlackHole {
    addr: std::net::SocketAddr,
    _held: Vec<socket2::Socket>,
}

#[cfg(target_os = "linux")]
impl BlackHole {
    fn new() -> BlackHole {
        use socket2::{Domain, Socket, Type};
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut held = vec![listener];
        for _ in 0..4 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&addr);
            held.push(socket);
        }
        BlackHole {
            addr: addr.as_socket().unwrap(),
            _held: held,
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn connect_that_nobody_answers_costs_the_connect_timeout() {
    let hole = BlackHole::new();
    let client = TestClient::new();
    let start = tokio::time::Instant::now();
    let error = client
        .get(format!("http://{}/", hole.addr))
        .send()
        .await
        .unwrap_err();
    let at = format!("http://{}", hole.addr);
    let message = "connecting took longer than 10s";
    expect_error(&error, ErrorKind::Timeout, Phase::Connect, message, at);
    assert!(error.is_retryable(), "nothing was sent");
    assert!(start.elapsed() < Duration::from_millis(10_010));
    assert_eq!(client.net().opened, 0);
    let request = client.get(format!("http://{}/", hole.addr));
    let error = request
        .timeout(Duration::from_secs(2))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Connect))
    );
    assert!(
        error
            .to_string()
            .contains("the request took longer than 2s"),
        "{error}"
    );
}

/// RFC 8305 section 5: the second address has its turn although the first has not failed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn address_that_nobody_answers_does_not_hold_up_the_next() {
    let hole = BlackHole::new();
    let server = server([Step::ReadHead, Step::send(OK)]);
    let addresses = [hole.addr, server.addr()];
    let client = TestClient::with(|builder| builder.resolve("many.test", addresses));
    assert_eq!(client.body_of("http://many.test/").await, b"ok");
    assert_eq!(client.net().opened, 1);
}
