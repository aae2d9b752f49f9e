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
