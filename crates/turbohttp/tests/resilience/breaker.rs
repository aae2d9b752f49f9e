//! Circuits that open, let one call through, and close.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use turbohttp::{CircuitBreaker, Client, ErrorKind, MockReply, MockTransport, StatusCode};

/// A client whose server answers with the status that is set.
fn moody() -> (Client, MockTransport, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(500));
    let answered = status.clone();
    let mock = MockTransport::with_handler(move |request| {
        let status = match request.url().contains("well") {
            true => 200,
            false => answered.load(Ordering::Relaxed),
        };
        let reply = MockReply::new(StatusCode::from_u16(status).unwrap());
        match request.url().ends_with("/later") {
            true => reply.header("retry-after", "1"),
            false => reply,
        }
    });
    let breaker = CircuitBreaker::new()
        .failures(0.5, 4)
        .open_for(Duration::from_secs(30));
    let client = Client::builder()
        .transport(mock.clone())
        .with(breaker)
        .build()
        .unwrap();
    (client, mock, status)
}

async fn send(client: &Client, url: &str) -> turbohttp::Result<StatusCode> {
    client
        .get(url)
        .send()
        .await
        .map(|response| response.status())
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_fails_is_left_alone_and_tried_again() {
    let (client, mock, status) = moody();
    for _ in 0..4 {
        assert_eq!(send(&client, "http://ill.test/").await.unwrap(), 500);
    }
    let error = send(&client, "http://ill.test/a?b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
    assert!(error.to_string().contains("open for 30.0s"), "{error}");
    assert_eq!(error.origin().unwrap().as_str(), "http://ill.test");
    assert!(error.is_retryable());
    assert_eq!(error.into_request().unwrap().url(), "http://ill.test/a?b");
    // Another origin is none of its business.
    assert_eq!(send(&client, "http://well.test/").await.unwrap(), 200);
    assert_eq!(mock.stats().entered, 5);

    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(send(&client, "http://ill.test/").await.unwrap(), 500);
    assert!(send(&client, "http://ill.test/").await.is_err());
    tokio::time::advance(Duration::from_secs(30)).await;
    status.store(200, Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!(send(&client, "http://ill.test/").await.unwrap(), 200);
    }
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_429_and_a_pause_are_no_failures() {
    let (client, _, status) = moody();
    for (code, path) in [(429, "/"), (503, "/later"), (404, "/"), (501, "/")] {
        status.store(code, Ordering::Relaxed);
        for _ in 0..20 {
            let answered = send(&client, &format!("http://ill.test{path}")).await;
            assert_eq!(answered.unwrap(), code);
        }
    }
    // Without Retry-After it is one.
    status.store(503, Ordering::Relaxed);
    let mut sent = 0;
    while send(&client, "http://ill.test/").await.is_ok() {
        sent += 1;
    }
    assert!(
        sent > 50,
        "as many failures as there were good answers, {sent}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_is_followed_by_another() {
    let (client, _, status) = moody();
    for _ in 0..4 {
        _ = send(&client, "http://ill.test/").await;
    }
    for polls in 1..5 {
        tokio::time::advance(Duration::from_secs(30)).await;
        let mut probe = Box::pin(send(&client, "http://ill.test/"));
        _ = super::poll_times(&mut probe, polls).await;
        drop(probe);
    }
    tokio::time::advance(Duration::from_secs(30)).await;
    status.store(200, Ordering::Relaxed);
    assert_eq!(send(&client, "http://ill.test/").await.unwrap(), 200);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_ends_on_this_side_tells_nothing_of_the_server() {
    let mock = MockTransport::new(MockReply::new(StatusCode::INTERNAL_SERVER_ERROR));
    let client = Client::builder()
        .transport(mock)
        .with(CircuitBreaker::new().failures(0.5, 4))
        .on_request(|request| match request.url().ends_with("/bad") {
            true => Err(turbohttp::Error::new(ErrorKind::Request, "no")),
            false => Ok(()),
        })
        .build()
        .unwrap();
    for _ in 0..4 {
        _ = send(&client, "http://ill.test/").await;
    }
    tokio::time::advance(Duration::from_secs(30)).await;
    let error = send(&client, "http://ill.test/bad").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    // Still half open: the next one is tried, and fails.
    assert_eq!(send(&client, "http://ill.test/").await.unwrap(), 500);
    let error = send(&client, "http://ill.test/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_an_answer_does_not_keep_the_circuit_open_for_ever() {
    let (client, mock, status) = moody();
    for _ in 0..4 {
        _ = send(&client, "http://ill.test/").await;
    }
    tokio::time::advance(Duration::from_secs(30)).await;
    let hanging = MockReply::new(StatusCode::OK).delay(Duration::from_secs(1_000_000));
    assert!(mock.script(hanging));
    let mut probe = Box::pin(send(&client, "http://ill.test/"));
    assert!(super::poll_times(&mut probe, 1).await.is_none());
    status.store(200, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(29)).await;
    let error = send(&client, "http://ill.test/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(send(&client, "http://ill.test/").await.unwrap(), 200);
    }
    drop(probe);
    assert_eq!(send(&client, "http://ill.test/").await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn statuses_that_a_layer_makes_errors_of_are_counted_as_what_they_are() {
    for (status, opens) in [(500, true), (404, false)] {
        let status = StatusCode::from_u16(status).unwrap();
        let mock = MockTransport::new(MockReply::new(status));
        let client = Client::builder()
            .transport(mock.clone())
            .with(CircuitBreaker::new().failures(0.5, 4))
            .with_fn(|request, next| async move { next.run(request).await?.error_for_status() });
        let client = client.build().unwrap();
        for _ in 0..8 {
            _ = send(&client, "http://ill.test/").await;
        }
        let expected = if opens { 4 } else { 8 };
        assert_eq!(mock.stats().entered, expected, "{status}");
    }
}
