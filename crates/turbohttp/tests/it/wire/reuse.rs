//! Which connections are used again, and which are closed.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use turbohttp::ErrorKind;
use turbohttp_loopback::script::Step;

use super::{CHUNKED, OK, servers};
use crate::support::{TestClient, read, settle, soon};

#[tokio::test]
async fn surplus_bytes_with_an_answer_close_the_connection() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    for first in [OK.to_owned(), format!("{CHUNKED}2\r\nok\r\n0\r\n\r\n")] {
        for surplus in ["x", evil] {
            let server = servers(
                [
                    Step::ReadHead,
                    Step::send(format!("{first}{surplus}")),
                    Step::Stall,
                ],
                [Step::ReadHead, Step::send(OK)],
            );
            let client = TestClient::new();
            assert_eq!(client.body_of(&server.url("/1")).await, b"ok");
            assert_eq!(client.net().open, 0, "{surplus}");
            assert_eq!(client.body_of(&server.url("/2")).await, b"ok");
            assert_eq!(server.connections(), 2);
        }
    }
}

/// RFC 9112 section 9.2, advisory class 19: what arrives on an idle connection is nobody's answer.
#[tokio::test]
async fn surplus_bytes_on_an_idle_connection_close_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = TestClient::new();
    let mut peers = Vec::new();
    for round in 0..3 {
        // Every request needs a connection of its own, as the former one has been poisoned.
        let (body, mut peer) = tokio::join!(client.body_of(&url), async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            assert!(peer.read(&mut head).await.unwrap() > 0);
            peer.write_all(OK.as_bytes()).await.unwrap();
            peer
        });
        assert_eq!(body, b"ok");
        assert_eq!(client.net().idle, 1, "round {round}");
        let evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
        peer.write_all(evil).await.unwrap();
        peers.push(peer);
        settle().await;
    }
    assert_eq!(client.net().opened, 3);
    assert_eq!(
        client.net().replayed,
        0,
        "the bytes were not noticed before sending"
    );
}

#[tokio::test]
async fn half_closed_connection_is_not_used_again() {
    let server = servers(
        [Step::ReadHead, Step::send(OK), Step::HalfClose, Step::Stall],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    // The end may come with the answer or later: in either case this request, which may be sent once
    // only, is answered on a connection of its own, or fails without being sent twice.
    settle().await;
    let second = client.post(server.url("/")).body("x").send().await;
    match second {
        Ok(mut response) => assert_eq!(read(&mut response).await.unwrap(), b"ok"),
        Err(error) => assert!(
            matches!(error.kind(), ErrorKind::Io | ErrorKind::Truncated),
            "{error:?}"
        ),
    }
    assert_eq!(client.net().replayed, 0);
}

#[tokio::test]
async fn connection_closed_by_the_server_while_idle_is_not_used() {
    let server = servers(
        [Step::ReadHead, Step::send(OK), Step::Close],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    soon(server.all_closed()).await;
    settle().await;
    let mut response = client.post(server.url("/")).body("x").send().await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    assert_eq!(client.net().replayed, 0);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn dropped_response_costs_its_connection_unless_it_was_whole() {
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", false),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwholeX", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole", true),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
            true,
        ),
    ];
    for (answer, is_whole) in cases {
        let server = servers(
            [
                Step::ReadHead,
                Step::send(answer),
                Step::ReadHead,
                Step::send(OK),
            ],
            [Step::ReadHead, Step::send(OK)],
        );
        let client = TestClient::new();
        let response = client.get(server.url("/")).send().await.unwrap();
        drop(response);
        client.audit();
        assert_eq!(client.net().idle, u64::from(is_whole), "{answer}");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(
            server.connections(),
            if is_whole { 1 } else { 2 },
            "{answer}"
        );
    }
}

#[tokio::test]
async fn connection_the_server_ends_by_its_fields_is_not_kept() {
    let cases = [
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            2,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok",
            2,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 2),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
            1,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
            1,
        ),
    ];
    for (answer, connections) in cases {
        let server = servers(
            [
                Step::ReadHead,
                Step::send(answer),
                Step::ReadHead,
                Step::send(OK),
            ],
            [Step::ReadHead, Step::send(OK)],
        );
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(server.connections(), connections, "{answer}");
    }
}
