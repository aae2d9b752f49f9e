//! Uploads: resets, answers that come early, sources that fail, and `100 Continue`.

use std::io;
use std::time::Duration;

use turbohttp::{Body, Bytes, ErrorKind, Phase};
use turbohttp_loopback::pattern;
use turbohttp_loopback::script::Step;

use super::{Endless, OK, Pieces, accepted, origin, outcome, server, servers, warm};
use crate::support::{TestClient, expect_error, read, soon};

#[tokio::test]
async fn reset_is_an_error_wherever_it_comes() {
    let cases = [
        ("", Phase::Wait),
        ("HTTP/1.1 200 OK\r\nconte", Phase::Wait),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            Phase::Receive,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
            Phase::Receive,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf",
            Phase::Receive,
        ),
    ];
    for (answer, phase) in cases {
        for collect in [false, true] {
            let steps = [Step::ReadHead, Step::send(answer), Step::Reset];
            let (server, outcome) = outcome(&steps, collect).await;
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
            // The reset can overtake what was sent before it.
            assert!(
                [phase, Phase::Wait].contains(&error.phase().unwrap()),
                "{error:?}"
            );
            assert!(error.to_string().contains(&origin(&server)), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
    }
}

#[tokio::test]
async fn reset_during_an_upload_is_an_error() {
    let server = server([Step::ReadHead, Step::ReadExact(10_000), Step::Reset]);
    let client = TestClient::new();
    let upload = client.post(server.url("/")).body(vec![7; 64 << 20]).send();
    let error = soon(upload).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    assert!(error.to_string().contains(&origin(&server)), "{error}");
    assert_eq!(client.net().open, 0);
}

#[tokio::test]
async fn early_answer_stops_the_upload() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let server = servers(
        [Step::ReadHead, Step::send(refusal), Step::ReadToEnd],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    let body = Body::from_stream(Endless, Some(u64::MAX));
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(&mut response).await.unwrap(), b"big");
    drop(response);
    assert_eq!(client.net().open, 0, "an unfinished upload was kept");
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
}

/// As before, but with bytes, of which the stream takes no more.
#[tokio::test]
async fn early_answer_to_bytes_stops_the_upload() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let server = server([Step::ReadHead, Step::send(refusal), Step::Deaf]);
    let client = TestClient::new();
    let body = vec![7; 64 << 20];
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(&mut response).await.unwrap(), b"big");
    drop(response);
    assert_eq!(client.net().open, 0);
}

#[tokio::test]
async fn early_answer_stops_an_endless_stream() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let server = server([Step::ReadHead, Step::send(refusal), Step::ReadToEnd]);
    let client = TestClient::new();
    let body = Body::from_stream(Endless, None);
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(&mut response).await.unwrap(), b"big");
    drop(response);
    assert_eq!(client.net().open, 0);
    soon(server.all_closed()).await;
}

#[tokio::test]
async fn source_that_fails_or_miscounts_is_the_callers_error() {
    let failing = || {
        let pieces = vec![Ok(Bytes::from_static(b"ab")), Err(io::Error::other("disk"))];
        Pieces(pieces.into_iter())
    };
    let cases: [(Body, &str); 4] = [
        (
            Body::from_stream(failing(), None),
            "source of the request body failed",
        ),
        (
            Body::from_stream(failing(), Some(9)),
            "source of the request body failed",
        ),
        (
            Body::from_stream(Pieces::of(&[b"abc", b"de"]), Some(4)),
            "announced with 4 bytes and gave 5",
        ),
        (
            Body::from_stream(Pieces::of(&[b"abc"]), Some(4)),
            "announced with 4 bytes and gave 3",
        ),
    ];
    for (body, message) in cases {
        let server = server([Step::Stall]);
        let client = TestClient::new();
        let error = soon(client.put(server.url("/")).body(body).send())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains(&origin(&server)), "{error}");
        assert_eq!(
            client.net().open,
            0,
            "half a request was left on a connection"
        );
        soon(accepted(&server)).await;
        soon(server.all_closed()).await;
        // Nothing that looks like the end of a body was sent.
        let received = String::from_utf8(server.received()[0].clone()).unwrap();
        assert!(
            !received.contains("0\r\n\r\n") || received.contains("content-length"),
            "{received}"
        );
        assert!(!received.ends_with("abcde"), "{received}");
    }
}

#[tokio::test]
async fn streamed_bodies_arrive_whole() {
    let server = turbohttp_loopback::Server::start(turbohttp_loopback::Options::default()).unwrap();
    let client = TestClient::new();
    let content = pattern(300_000);
    let reader = || io::Cursor::new(pattern(300_000));
    let bodies = [
        (Body::from_reader(reader(), None), content.clone()),
        (Body::from_reader(reader(), Some(300_000)), content.clone()),
        (Body::from(content.clone()), content.clone()),
        (
            Body::from_stream(Pieces::of(&[b"a", b"", b"bc"]), None),
            b"abc".to_vec(),
        ),
        (
            Body::from_stream(Pieces::of(&[b"a", b"", b"bc"]), Some(3)),
            b"abc".to_vec(),
        ),
        (Body::from_stream(Pieces::of(&[]), None), Vec::new()),
        (Body::from_stream(Pieces::of(&[]), Some(0)), Vec::new()),
    ];
    for (body, expected) in bodies {
        let mut response = client
            .post(server.url("/echo"))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert!(read(&mut response).await.unwrap() == expected);
    }
    assert_eq!(
        client.net().opened,
        1,
        "complete uploads keep their connection"
    );
}

const EXPECT: &[u8] = b"expect: 100-continue\r\n";

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn body_waits_for_100_continue() {
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    for body in [
        Body::from("body"),
        Body::from_stream(Pieces::of(&[b"bo", b"dy"]), Some(4)),
    ] {
        let server = server([
            Step::ReadHead,
            Step::send("HTTP/1.1 102 Processing\r\n\r\n"),
            Step::send(proceed),
            Step::ReadExact(4),
            Step::send(OK),
            Step::ReadHead,
            Step::send(OK),
        ]);
        let client = TestClient::new();
        let request = client.post(server.url("/")).body(body).expect_continue();
        let mut response = soon(request.send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        let received = &server.received()[0];
        assert!(contains(received, EXPECT) && contains(received, b"\r\n\r\nbody"));
        assert_eq!(server.connections(), 1);
    }
}

/// RFC 9110 section 10.1.1: a client does not wait for ever.
#[tokio::test]
async fn body_is_sent_after_a_wait_without_100_continue() {
    let server = warm([Step::ReadHead, Step::ReadExact(4), Step::Stall]).await;
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    tokio::time::pause();
    let request = client.post(server.url("/")).body("body").expect_continue();
    let error = request.send().await.unwrap_err();
    let message = "waiting for the response head took longer than 30s";
    expect_error(
        &error,
        ErrorKind::Timeout,
        Phase::Wait,
        message,
        origin(&server),
    );
    let sending = error.timeline().unwrap().duration(Phase::Send);
    assert!(
        sending >= Duration::from_secs(1),
        "the body did not wait: {sending:?}"
    );
    tokio::time::resume();
    soon(server.all_closed()).await;
    assert!(server.received()[0].ends_with(b"\r\n\r\nbody"));
}

#[tokio::test]
async fn final_answer_instead_of_100_continue_keeps_the_body_back() {
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
    let server = servers(
        [Step::ReadHead, Step::send(refusal), Step::ReadToEnd],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    let request = client.post(server.url("/")).body("body").expect_continue();
    let mut response = soon(request.send()).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(read(&mut response).await.unwrap(), b"no");
    drop(response);
    assert_eq!(
        client.net().open,
        0,
        "the server may still wait for the body"
    );
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    assert!(server.received()[0].ends_with(b"\r\n\r\n"));
}
