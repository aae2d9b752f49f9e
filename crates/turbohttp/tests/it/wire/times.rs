//! Time limits: which wait costs which of them.

use std::io;
use std::time::Duration;

use turbohttp::{Body, Bytes, ErrorKind, Phase};
use turbohttp_loopback::script::{Signal, Step};

use super::{Endless, origin, server, warm};
use crate::support::{TestClient, expect_error, poll_times, read, soon};

#[tokio::test]
async fn silent_server_costs_the_head_timeout() {
    for part in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let server = warm([Step::ReadHead, Step::send(part), Step::Stall]).await;
        let client = TestClient::timeouts(|timeouts| timeouts.head(Duration::from_secs(7)));
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        let error = client.get(server.url("/")).send().await.unwrap_err();
        let message = "waiting for the response head took longer than 7s";
        expect_error(
            &error,
            ErrorKind::Timeout,
            Phase::Wait,
            message,
            origin(&server),
        );
        assert!(error.is_timeout() && !error.is_retryable());
        let took = start.elapsed();
        assert!(
            took >= Duration::from_secs(7) && took < Duration::from_millis(7_010),
            "{took:?}"
        );
        assert!(error.timeline().unwrap().duration(Phase::Wait) >= Duration::from_secs(7));
        client.audit();
        assert_eq!(client.net().open, 0);
        tokio::time::resume();
        soon(server.all_closed()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn server_that_never_answers_a_first_request_costs_the_head_timeout() {
    let server = server([Step::Stall]);
    let client = TestClient::new();
    let error = client.get(server.url("/")).send().await.unwrap_err();
    let message = "waiting for the response head took longer than 30s";
    expect_error(
        &error,
        ErrorKind::Timeout,
        Phase::Wait,
        message,
        origin(&server),
    );
}

#[tokio::test]
async fn silence_in_the_body_costs_the_body_timeout() {
    let parts = [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf",
    ];
    for part in parts {
        for collect in [false, true] {
            let server = server([Step::ReadHead, Step::send(part), Step::Stall]);
            let client = TestClient::timeouts(|timeouts| timeouts.body(Duration::from_secs(3)));
            let mut response = client.get(server.url("/")).send().await.unwrap();
            tokio::time::pause();
            let error = if collect {
                response.bytes().await.unwrap_err()
            } else {
                assert_eq!(response.chunk().await.unwrap().unwrap(), b"half");
                read(&mut response).await.unwrap_err()
            };
            let message = "waiting for more of the body took longer than 3s";
            expect_error(
                &error,
                ErrorKind::Timeout,
                Phase::Receive,
                message,
                origin(&server),
            );
            assert_eq!(
                client.net().open,
                0,
                "a response that failed holds its connection"
            );
            tokio::time::resume();
            soon(server.all_closed()).await;
        }
    }
}

/// The time a caller takes between two reads is not the server's.
#[tokio::test]
async fn slow_caller_does_not_cost_the_body_timeout() {
    for collect in [false, true] {
        let go = Signal::new();
        let server = server([
            Step::ReadHead,
            Step::send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf"),
            Step::Await(go.clone()),
            Step::send("full"),
        ]);
        let client = TestClient::new();
        let mut response = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), b"half");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(100)).await;
        tokio::time::resume();
        assert!(
            poll_times(response.chunk(), 1).await.is_none(),
            "a timeout without a wait"
        );
        go.set();
        let rest = match collect {
            true => response.bytes().await.unwrap().to_vec(),
            false => read(&mut response).await.unwrap(),
        };
        assert_eq!(rest, b"full");
    }
}

/// The deadline of the request holds in every phase, whatever the phase's own limit is.
#[tokio::test]
async fn request_timeout_covers_every_phase() {
    let limit = Duration::from_secs(5);
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    let cases = [
        (vec![Step::ReadHead, Step::Stall], 0, Phase::Wait),
        (vec![Step::ReadHead, Step::Deaf], 64 << 20, Phase::Send),
        (
            vec![Step::ReadHead, Step::send(half), Step::Stall],
            0,
            Phase::Receive,
        ),
    ];
    for (steps, body_bytes, phase) in cases {
        for per_request in [false, true] {
            let server = warm(steps.clone()).await;
            let client = TestClient::timeouts(|timeouts| match per_request {
                true => timeouts,
                false => timeouts.request(limit),
            });
            assert_eq!(client.body_of(&server.url("/")).await, b"ok");
            let mut request = client.post(server.url("/")).body(vec![7; body_bytes]);
            if per_request {
                request = request.timeout(limit);
            }
            let error = if phase == Phase::Receive {
                let mut response = request.send().await.unwrap();
                tokio::time::pause();
                read(&mut response).await.unwrap_err()
            } else {
                tokio::time::pause();
                request.send().await.unwrap_err()
            };
            let message = "the request took longer than";
            expect_error(&error, ErrorKind::Timeout, phase, message, origin(&server));
            assert_eq!(client.net().open, 0);
            tokio::time::resume();
        }
    }
}

#[tokio::test]
async fn server_that_never_reads_costs_the_write_timeout() {
    let sources: [fn() -> Body; 3] = [
        || Body::from(vec![7; 64 << 20]),
        || Body::from_stream(Endless, None),
        || Body::from_stream(Endless, Some(u64::MAX)),
    ];
    for source in sources {
        let server = warm([Step::ReadHead, Step::Deaf]).await;
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        tokio::time::pause();
        let upload = client.post(server.url("/")).body(source()).send();
        let error = upload.await.unwrap_err();
        let message = "a write of the request took longer than 30s";
        expect_error(
            &error,
            ErrorKind::Timeout,
            Phase::Send,
            message,
            origin(&server),
        );
        assert_eq!(client.net().open, 0);
        tokio::time::resume();
    }
}

/// A source that gives one piece and then nothing, for ever.
struct Dry(bool);

impl futures_core::Stream for Dry {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<Bytes>>> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(Some(Ok(Bytes::from_static(b"piece"))))
    }
}

#[tokio::test]
async fn source_that_runs_dry_costs_the_write_timeout() {
    let server = warm([Step::Stall]).await;
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    tokio::time::pause();
    let body = Body::from_stream(Dry(false), None);
    let error = client
        .post(server.url("/"))
        .body(body)
        .send()
        .await
        .unwrap_err();
    let message = "a write of the request took longer than 30s";
    expect_error(
        &error,
        ErrorKind::Timeout,
        Phase::Send,
        message,
        origin(&server),
    );
    tokio::time::resume();
    soon(server.all_closed()).await;
    let received = String::from_utf8(server.received()[0].clone()).unwrap();
    assert!(
        received.ends_with("5\r\npiece\r\n"),
        "gathered pieces must not wait: {received}"
    );
}
