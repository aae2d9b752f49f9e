//! A second request where the first one is late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use turbohttp::{Client, ErrorKind, Hedge, Limits, MockReply, MockTransport, StatusCode};

/// A client whose server takes as many milliseconds for each request, by its number from 0, as `delay` says.
fn slow(
    hedge: Hedge,
    delay: impl Fn(usize) -> u64 + Send + Sync + 'static,
) -> (Client, MockTransport) {
    let number = AtomicUsize::new(0);
    let mock = MockTransport::with_handler(move |_| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let delay = Duration::from_millis(delay(number));
        MockReply::new(StatusCode::OK)
            .body(number.to_string())
            .delay(delay)
    });
    let limits = Limits::default().per_host(4);
    let client = Client::builder()
        .transport(mock.clone())
        .limits(limits)
        .with(hedge);
    (client.build().unwrap(), mock)
}

async fn get(client: &Client) -> String {
    client
        .get("http://a.test/")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_late_is_sent_again_and_the_first_answer_counts() {
    let (client, mock) = slow(
        Hedge::delay(Duration::from_millis(50)).budget(1.0),
        |number| [60_000, 10, 10, 100, 1_000][number.min(4)],
    );
    let began = tokio::time::Instant::now();
    assert_eq!(get(&client).await, "1");
    assert_eq!(began.elapsed(), Duration::from_millis(60));
    assert_eq!(get(&client).await, "2", "in time");
    assert_eq!(get(&client).await, "3", "late, but before its hedge");
    assert_eq!(mock.stats().entered, 5);
    assert!(client.audit().is_idle(), "what was not wanted is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_percentile_is_of_the_answers_of_late() {
    let (client, mock) = slow(Hedge::percentile(0.95), |number| match number {
        0..100 => 10 + number as u64 % 10,
        100 => 5_000,
        _ => 10,
    });
    for _ in 0..100 {
        get(&client).await;
    }
    let before = mock.stats().entered;
    let began = tokio::time::Instant::now();
    get(&client).await;
    assert!(
        began.elapsed() < Duration::from_millis(50),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(mock.stats().entered, before + 2);
}

#[tokio::test(start_paused = true)]
async fn hedges_are_bounded_by_their_budget() {
    let (client, mock) = slow(Hedge::delay(Duration::from_millis(1)).budget(0.1), |_| 100);
    for _ in 0..200 {
        get(&client).await;
    }
    let hedges = mock.stats().entered - 200;
    assert!((18..=20).contains(&hedges), "{hedges}");
}

#[tokio::test(start_paused = true)]
async fn a_post_is_never_hedged_and_each_attempt_has_a_permit() {
    let (client, mock) = slow(Hedge::delay(Duration::from_millis(1)).budget(1.0), |_| 100);
    client
        .post("http://a.test/")
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(mock.stats().entered, 1);

    let (client, mock) = slow(Hedge::delay(Duration::from_millis(1)).budget(1.0), |_| 100);
    let four = || async { tokio::join!(get(&client), get(&client), get(&client), get(&client)) };
    Box::pin(four()).await;
    // Four permits for eight attempts: no hedge has got one before its first was done.
    assert_eq!(mock.stats().entered, 4);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn an_error_waits_for_the_other() {
    let number = Arc::new(AtomicUsize::new(0));
    let mock = MockTransport::with_handler(move |_| {
        let late = Duration::from_millis(100);
        match number.fetch_add(1, Ordering::Relaxed) {
            0 => MockReply::failure(ErrorKind::Io, "cut").delay(late),
            1 => MockReply::new(StatusCode::OK).delay(2 * late),
            _ => MockReply::failure(ErrorKind::Io, "cut").delay(late),
        }
    });
    let hedge = Hedge::delay(Duration::from_millis(10)).budget(1.0);
    let client = Client::builder()
        .transport(mock)
        .with(hedge)
        .build()
        .unwrap();
    assert_eq!(
        client.get("http://a.test/").send().await.unwrap().status(),
        200
    );
    let error = client.get("http://a.test/").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_nothing() {
    let (client, _) = slow(Hedge::delay(Duration::from_millis(10)).budget(1.0), |_| 100);
    for polls in 1..20 {
        let mut call = Box::pin(get(&client));
        let is_over = super::poll_times(&mut call, polls).await.is_some();
        drop(call);
        assert!(client.audit().is_idle(), "{polls}");
        if is_over {
            return;
        }
    }
    panic!("the call never ends");
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_asked_for_once() {
    let (client, mock) = slow(Hedge::delay(Duration::ZERO).budget(1.0), |_| 10);
    let request = client.get("http://a.test/").upgrade("websocket");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(mock.stats().entered, 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_origin_takes_that_redirects_elsewhere_is_its_own() {
    let number = AtomicUsize::new(0);
    let mock = MockTransport::with_handler(move |request| {
        if request.url().starts_with("http://a.test/") {
            return MockReply::new(StatusCode::FOUND).header("location", "http://b.test/");
        }
        let delay = match number.fetch_add(1, Ordering::Relaxed) {
            20 => 5_000,
            _ => 10,
        };
        MockReply::new(StatusCode::OK).delay(Duration::from_millis(delay))
    });
    let client = Client::builder().transport(mock.clone());
    let client = client.with(Hedge::percentile(0.95)).build().unwrap();
    for _ in 0..20 {
        get(&client).await;
    }
    let began = tokio::time::Instant::now();
    get(&client).await;
    assert!(began.elapsed() < Duration::from_millis(100));
    assert_eq!(mock.stats().entered, 44);
}
