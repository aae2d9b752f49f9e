//! One request for all who ask the same at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use turbohttp::{Client, ErrorKind, Limits, MockReply, MockTransport, SingleFlight, StatusCode};

fn shared(reply: impl Fn(usize) -> MockReply + Send + Sync + 'static) -> (Client, MockTransport) {
    let number = Arc::new(AtomicUsize::new(0));
    let mock = MockTransport::with_handler(move |_| {
        reply(number.fetch_add(1, Ordering::Relaxed)).delay(Duration::from_millis(100))
    });
    let single = SingleFlight::new().body_bytes_max(1_000);
    let client = Client::builder()
        .transport(mock.clone())
        .limits(Limits::default().per_host(1).total(1))
        .with(single)
        .build();
    (client.unwrap(), mock)
}

fn numbered(number: usize) -> MockReply {
    MockReply::new(StatusCode::OK)
        .header("x-number", number.to_string())
        .body(number.to_string())
}

async fn get(client: &Client, url: &str) -> (String, String) {
    let response = client.get(url).send().await.unwrap();
    let field = response.header("x-number").unwrap().to_owned();
    (field, response.text().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn equal_requests_share_one_answer() {
    let (client, mock) = shared(numbered);
    let all = || async {
        tokio::join!(
            get(&client, "http://a.test/"),
            get(&client, "http://a.test/"),
            get(&client, "http://a.test/")
        )
    };
    let (one, two, three) = Box::pin(all()).await;
    assert_eq!((&one, &two), (&three, &three));
    assert_eq!(mock.stats().entered, 1);
    // Nothing is kept.
    assert_eq!(get(&client, "http://a.test/").await.1, "1");
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_not_shared() {
    let (client, mock) = shared(numbered);
    let plain = get(&client, "http://a.test/");
    let other = get(&client, "http://a.test/?x");
    let field = client
        .get("http://a.test/")
        .header("authorization", "Bearer x")
        .send();
    let post = client.post("http://a.test/").send();
    let body = client.get("http://a.test/").body("x").send();
    let head = client.head("http://a.test/").send();
    let (_, _, field, post, body, head) = tokio::join!(plain, other, field, post, body, head);
    for answer in [field, post, body, head] {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(mock.stats().entered, 6);
}

#[tokio::test(start_paused = true)]
async fn large_bodies_are_sent_for_by_each() {
    let (client, mock) = shared(|_| {
        MockReply::new(StatusCode::OK)
            .header("x-number", "1")
            .body("x".repeat(1_001))
    });
    let (one, two) = tokio::join!(
        get(&client, "http://a.test/"),
        get(&client, "http://a.test/")
    );
    assert_eq!((one.1.len(), two.1.len()), (1_001, 1_001));
    assert_eq!(mock.stats().entered, 2);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn errors_are_shared() {
    let (client, mock) = shared(|_| MockReply::failure(ErrorKind::Io, "cut"));
    let send = || client.get("http://a.test/").send();
    let (one, two) = tokio::join!(send(), send());
    let (one, two) = (one.unwrap_err(), two.unwrap_err());
    assert_eq!((one.kind(), two.kind()), (ErrorKind::Io, ErrorKind::Io));
    assert!(two.to_string().contains("that it shared"), "{two}");
    assert_eq!(two.origin().unwrap().as_str(), "http://a.test");
    assert_eq!(mock.stats().entered, 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_one_sends_if_the_first_is_dropped() {
    for polls in 1..6 {
        let (client, mock) = shared(numbered);
        let mut first = Box::pin(get(&client, "http://a.test/"));
        let over = super::poll_times(&mut first, polls).await;
        let mut second = Box::pin(get(&client, "http://a.test/"));
        _ = super::poll_times(&mut second, 1).await;
        drop(first);
        let (_, body) = second.await;
        let expected = usize::from(over.is_some() || mock.stats().entered == 2);
        assert_eq!(body, expected.to_string(), "{polls}");
        assert!(client.audit().is_idle());
    }
}
