//! Connections that switch to another protocol.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turbohttp::{Client, ErrorKind, MockReply, MockTransport, Shutdown, StatusCode, Upgraded};

use crate::ground::{assert_idle, drop_at_every_poll, poll_times, reply};
use crate::message::Reader;
use crate::support::{Peer, TestClient, read_head, soon};

const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/// Switches, with `greeting` in the segment of the head, and sends back what comes.
fn echo(greeting: &'static str) -> Peer {
    Peer::start(move |mut stream| {
        let head = read_head(&mut stream).unwrap();
        assert!(
            head.contains("\r\nconnection: upgrade\r\nupgrade: echo\r\n"),
            "{head}"
        );
        stream
            .write_all([SWITCHED, greeting].concat().as_bytes())
            .unwrap();
        send_back(stream);
    })
}

fn send_back(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

async fn upgraded(client: &Client, url: String) -> Upgraded {
    let response = soon(client.get(url).upgrade("echo").send()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.header("upgrade"), Some("echo"));
    response.upgrade().unwrap()
}

#[tokio::test]
async fn bytes_go_both_ways_and_those_behind_the_head_come_first() {
    for greeting in ["", "hello"] {
        let server = echo(greeting);
        let client = TestClient::new();
        let mut stream = upgraded(&client, server.url("/")).await;
        soon(stream.write_all(b" world")).await.unwrap();
        soon(stream.flush()).await.unwrap();
        let mut read = vec![0; greeting.len() + 6];
        // In small parts, so that what came with the head is taken in several.
        for part in read.chunks_mut(2) {
            soon(stream.read_exact(part)).await.unwrap();
        }
        assert_eq!(read, format!("{greeting} world").as_bytes());
        assert_eq!(
            client.client_audit().scheduler.running,
            1,
            "it holds its permit"
        );
        assert_eq!(client.client_audit().buffers, 0, "it holds no read buffer");
        soon(stream.shutdown()).await.unwrap();
        assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
        drop(stream);
        assert_eq!(client.net().idle, 0, "it is not used again");
        client.audit();
    }
}

#[tokio::test]
async fn the_body_of_a_101_is_what_the_other_protocol_sends() {
    let server = echo("hello");
    let client = TestClient::new();
    let sent = client.get(server.url("/")).upgrade("echo").send();
    let mut response = soon(sent).await.unwrap();
    assert_eq!(soon(response.chunk()).await.unwrap(), Some(&b"hello"[..]));
    let mut stream = response.upgrade().unwrap();
    soon(stream.write_all(b"x")).await.unwrap();
    assert_eq!(soon(stream.read_u8()).await.unwrap(), b'x');
    drop(stream);
    client.audit();
}

#[tokio::test]
async fn a_server_may_decline() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let sent = client.get(server.url("/")).upgrade("echo").send();
    let error = soon(sent).await.unwrap().upgrade().unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Status, Some(StatusCode::OK))
    );
    let response = error.into_response().unwrap();
    assert_eq!(soon(response.text()).await.unwrap(), "ok");
    assert_eq!(client.net().idle, 1, "the connection speaks HTTP still");
    client.audit();
}

#[tokio::test]
async fn a_switch_that_was_not_asked_for_is_an_error() {
    let server = Peer::start(|mut stream| {
        read_head(&mut stream).unwrap();
        stream.write_all(SWITCHED.as_bytes()).unwrap();
    });
    let client = TestClient::new();
    let error = soon(client.get(server.url("/")).send()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    // An Upgrade field alone asks for nothing that the client would be prepared for.
    let sent = client.get(server.url("/")).header("upgrade", "echo").send();
    let error = soon(sent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request, "{error}");
    client.audit();
}

#[tokio::test]
async fn http_1_0_does_not_switch() {
    let server = Peer::start(|mut stream| {
        read_head(&mut stream).unwrap();
        stream
            .write_all(b"HTTP/1.0 101 X\r\nupgrade: echo\r\n\r\n")
            .unwrap();
    });
    let client = TestClient::new();
    let sent = client.get(server.url("/")).upgrade("echo").send();
    let error = soon(sent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    client.audit();
}

#[tokio::test]
async fn connect_is_refused_still() {
    let client = TestClient::new();
    let request = client.request(turbohttp::Method::CONNECT, "http://127.0.0.1:9/");
    let error = soon(request.upgrade("echo").send()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request, "{error}");
    client.audit();
}

#[tokio::test]
async fn a_response_without_a_connection_cannot_switch() {
    let mock = MockTransport::new(MockReply::new(StatusCode::SWITCHING_PROTOCOLS));
    let client = Client::builder().transport(mock).build().unwrap();
    let response = client
        .get("http://mock.test/")
        .upgrade("echo")
        .send()
        .await
        .unwrap();
    assert_eq!(response.upgrade().unwrap_err().kind(), ErrorKind::Transport);
    assert_idle(&client);
}

#[tokio::test]
async fn a_connection_that_served_a_request_can_switch() {
    let server = Peer::start(|mut stream| {
        read_head(&mut stream).unwrap();
        stream.write_all(reply(200, &[], "ok").as_bytes()).unwrap();
        read_head(&mut stream).unwrap();
        stream.write_all(SWITCHED.as_bytes()).unwrap();
        send_back(stream);
    });
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    let mut stream = upgraded(&client, server.url("/")).await;
    assert_eq!(client.net().opened, 1);
    soon(stream.write_all(b"x")).await.unwrap();
    assert_eq!(soon(stream.read_u8()).await.unwrap(), b'x');
    drop(stream);
    client.audit();
}

#[tokio::test]
async fn time_limits_end_with_the_head() {
    let server = echo("");
    let client = TestClient::timeouts(|timeouts| timeouts.body(Duration::from_millis(1)));
    let sent = client
        .get(server.url("/"))
        .upgrade("echo")
        .timeout(Duration::from_millis(500));
    let mut stream = soon(sent.send()).await.unwrap().upgrade().unwrap();
    // Longer than both.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    soon(stream.write_all(b"x")).await.unwrap();
    assert_eq!(soon(stream.read_u8()).await.unwrap(), b'x');
}

#[tokio::test]
async fn a_close_waits_for_it_and_then_cuts_both_halves_off() {
    let server = echo("");
    let client = TestClient::new();
    let stream = upgraded(&client, server.url("/")).await;
    let mut closing = Box::pin(client.close(Shutdown::Drain {
        within: Duration::from_secs(600),
    }));
    assert!(poll_times(&mut closing, 1).await.is_none(), "it is inside");
    let (mut read, mut write) = tokio::io::split(stream);
    let reader = tokio::spawn(async move { read.read_u8().await.unwrap_err().kind() });
    let writer = tokio::spawn(async move {
        loop {
            match write.write_all(&[0; 4096]).await {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => return error.kind(),
            }
        }
    });
    tokio::task::yield_now().await;
    client.close_now();
    soon(closing).await;
    let aborted = std::io::ErrorKind::ConnectionAborted;
    assert_eq!(soon(writer).await.unwrap(), aborted);
    assert_eq!(soon(reader).await.unwrap(), aborted);
    client.audit();
}

/// The server neither reads nor writes, so that in the end both halves wait.
#[tokio::test]
async fn a_close_wakes_both_halves_that_wait() {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let server = Peer::start(move |mut stream| {
        read_head(&mut stream).unwrap();
        stream.write_all(SWITCHED.as_bytes()).unwrap();
        _ = ended.lock().unwrap().recv();
    });
    let client = TestClient::new();
    let stream = upgraded(&client, server.url("/")).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let reader = tokio::spawn(async move { read.read_u8().await.unwrap_err().kind() });
    let (full, was_full) = tokio::sync::oneshot::channel();
    let writer = tokio::spawn(async move {
        let mut full = Some(full);
        let bytes = vec![0; 1 << 20];
        loop {
            let mut writing = Box::pin(write.write_all(&bytes));
            let written = poll_fn(|cx| {
                let polled = writing.as_mut().poll(cx);
                if polled.is_pending()
                    && let Some(full) = full.take()
                {
                    full.send(()).unwrap();
                }
                polled
            });
            if let Err(error) = written.await {
                return error.kind();
            }
        }
    });
    soon(was_full).await.unwrap();
    client.close_now();
    let aborted = std::io::ErrorKind::ConnectionAborted;
    assert_eq!(soon(writer).await.unwrap(), aborted);
    assert_eq!(soon(reader).await.unwrap(), aborted);
    drop(end);
    client.audit();
}

#[tokio::test]
async fn a_dropped_upgrade_leaves_nothing() {
    let server = echo("hello");
    let client = Client::new().unwrap();
    drop_at_every_poll(&client, || async {
        let sent = client.get(server.url("/")).upgrade("echo").send();
        let mut stream = sent.await.unwrap().upgrade().unwrap();
        stream.write_all(b"!").await.unwrap();
        stream.read_exact(&mut [0; 6]).await.unwrap();
    })
    .await;
}
