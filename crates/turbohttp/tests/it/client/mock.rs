//! The transport that plays a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use turbohttp::{
    Bytes, Client, ErrorKind, MockReply, MockStats, MockTransport, StatusCode, Timeouts,
};

use crate::support::{TestClient, read};

fn counts(stats: MockStats) -> [u64; 4] {
    [stats.entered, stats.left, stats.dropped, stats.peak]
}

#[tokio::test(start_paused = true)]
async fn mock_plays_script_then_handler_and_counts() {
    let mock = MockTransport::with_handler(|request| {
        MockReply::new(StatusCode::OK).body(request.method().to_string())
    });
    assert!(
        mock.script(
            MockReply::new(StatusCode::CREATED)
                .header("x-a", "b")
                .body("scripted")
        )
    );
    assert!(mock.script(MockReply::failure(ErrorKind::Transport, "no such luck")));
    assert!(mock.script(MockReply::new(StatusCode::OK).delay(Duration::from_secs(60))));
    let client = Client::builder()
        .timeouts(Timeouts::default().head(Duration::from_secs(90)))
        .transport(mock.clone());
    let client = TestClient::from(client.build().unwrap());
    let url = "http://a.test/x";

    let response = client.get(url).send().await.unwrap();
    assert_eq!(
        (response.status(), response.header("X-A")),
        (StatusCode::CREATED, Some("b"))
    );
    assert_eq!(response.text().await.unwrap(), "scripted");

    let error = client.get(url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(error.to_string(), "no such luck (http://a.test)");

    let start = tokio::time::Instant::now();
    client.get(url).send().await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(60));

    let response = client.delete(url).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "DELETE");
    assert_eq!(counts(mock.stats()), [4, 4, 0, 1]);

    assert!(mock.script(MockReply::new(StatusCode::OK).delay(Duration::from_secs(60))));
    let waiting = client.get(url).send();
    let dropped = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(dropped.is_err());
    assert_eq!(counts(mock.stats()), [5, 4, 1, 1]);
    assert!(client.stats().net.is_none());
}

#[tokio::test(start_paused = true)]
async fn mock_knows_how_many_it_held_at_once() {
    let reply = MockReply::new(StatusCode::OK)
        .delay(Duration::from_secs(1))
        .body("x");
    let mock = MockTransport::new(reply);
    let client = Client::builder().transport(mock.clone()).build().unwrap();
    let client = Arc::new(TestClient::from(client));
    let answered = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (client, answered) = (client.clone(), answered.clone());
            tokio::spawn(async move {
                let response = client.get("http://a.test/").send().await.unwrap();
                assert_eq!(response.bytes().await.unwrap(), Bytes::from_static(b"x"));
                answered.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(answered.load(Ordering::Relaxed), 50);
    assert_eq!(counts(mock.stats()), [50, 50, 0, 50]);
    client.audit();
}

/// Slices of a body that is in memory already, and its end.
#[tokio::test]
async fn mock_bodies_are_read_like_any_other() {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("memory"));
    let client = TestClient::from(Client::builder().transport(mock).build().unwrap());
    let mut response = client.get("http://a.test/").send().await.unwrap();
    assert_eq!(response.remaining(), Some(6));
    assert_eq!(read(&mut response).await.unwrap(), b"memory");
    assert_eq!(response.remaining(), Some(0));
    let mut response = client.get("http://a.test/").send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap(), Some(&b"memory"[..]));
    assert_eq!(
        response.bytes().await.unwrap(),
        b""[..],
        "bytes that were read came again"
    );
}
