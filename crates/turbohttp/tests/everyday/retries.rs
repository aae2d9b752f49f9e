//! What is sent again, how often, when, and what holds a permit meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use turbohttp::{
    Body, Client, ErrorKind, Limits, MockReply, MockTransport, Phase, RetryPolicy, Shutdown,
    StatusCode,
};

use crate::ground::{Origin, Seen, assert_idle, client, drop_at_every_poll, reply};

/// A policy whose waits are short.
fn quickly(retries: u32) -> RetryPolicy {
    RetryPolicy::up_to(retries).base(Duration::from_millis(1))
}

/// Answers `status` so many times, then 200.
fn failing(times: u32, status: u16, field: &'static str) -> Origin {
    let count = AtomicU32::new(0);
    Origin::new(
        move |_: &Seen| match count.fetch_add(1, Ordering::Relaxed) < times {
            true if status == 0 => String::new(),
            true => reply(status, &[field], "not now"),
            false => reply(200, &[], "fine"),
        },
    )
}

/// Method, status (0: the connection is closed), and the attempts that are made of three failures.
#[tokio::test]
async fn what_is_sent_again() {
    let table = [
        ("GET", 503, 4),
        ("GET", 408, 4),
        ("GET", 425, 4),
        ("GET", 429, 4),
        ("GET", 500, 4),
        ("GET", 502, 4),
        ("GET", 504, 4),
        ("PUT", 503, 4),
        ("DELETE", 503, 4),
        ("GET", 501, 1),
        ("GET", 404, 1),
        ("POST", 503, 1),
        ("PATCH", 429, 1),
        ("GET", 0, 4),
        ("POST", 0, 1),
    ];
    for (method, status, attempts) in table {
        let origin = failing(3, status, "x-nothing: 1");
        let client = client(|builder| builder.retry(quickly(3)));
        let request = client.request(method.parse().unwrap(), origin.url("/"));
        let outcome = request.body("content").send().await;
        let case = format!("{method} {status}");
        assert_eq!(origin.seen().len(), attempts, "{case}");
        match (attempts, status, outcome) {
            (4, _, Ok(response)) => {
                assert_eq!(response.status(), StatusCode::OK, "{case}");
                assert_eq!(response.timeline().attempts(), 4);
                assert!(
                    response
                        .timeline()
                        .spans()
                        .any(|span| span.phase == Phase::Backoff)
                );
            }
            (1, 0, Err(error)) => assert!(!error.is_retryable(), "{case}: {error}"),
            (1, _, Ok(response)) => assert_eq!(response.status().as_u16(), status, "{case}"),
            (.., outcome) => panic!("{case}: {outcome:?}"),
        }
        assert_idle(&client);
    }
}

#[tokio::test]
async fn off_by_default_and_bounded_when_on() {
    let origin = failing(u32::MAX, 503, "x-nothing: 1");
    let off = Client::new().unwrap();
    assert_eq!(
        off.get(origin.url("/"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        503
    );
    assert_eq!(origin.seen().len(), 1);
    // The budget: ten to begin with, and a fifth of the calls.
    let on = client(|builder| builder.retry(quickly(3)));
    for _ in 0..100 {
        on.get(origin.url("/")).send().await.unwrap();
    }
    let attempts = origin.seen().len() - 1;
    assert_eq!(attempts, 100 + 10 + 20, "100 calls");
    let free = client(|builder| builder.retry(quickly(3).budget_percent(100)));
    for _ in 0..20 {
        free.get(origin.url("/")).send().await.unwrap();
    }
    assert_eq!(origin.seen().len() - 1 - attempts, 80);
}

#[tokio::test]
async fn streams_are_sent_once_and_any_method_is_an_option() {
    let origin = failing(1, 503, "x-nothing: 1");
    let client = client(|builder| builder.retry(quickly(3).any_method(true)));
    let stream = || Body::from_reader(&b"content"[..], Some(7));
    let response = client
        .put(origin.url("/"))
        .body(stream())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 503);
    drop(response);
    let origin = failing(2, 503, "x-nothing: 1");
    let response = client.post(origin.url("/")).body("x").send().await.unwrap();
    assert_eq!((response.status().as_u16(), origin.seen().len()), (200, 3));
}

/// A port that nobody listens on: nothing was sent, so that a POST is sent again too.
#[tokio::test]
async fn refused_connections_are_tried_again() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = client(|builder| builder.retry(quickly(2)));
    let error = client
        .post(format!("http://{port}/"))
        .body("x")
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let waits = error
        .timeline()
        .unwrap()
        .spans()
        .filter(|span| span.phase == Phase::Backoff)
        .count();
    assert_eq!(waits, 2);
    assert!(error.into_request().is_some(), "nothing was sent");
    assert_idle(&client);
}

/// The values of Retry-After: whether the request is sent again, and whether its origin is paused.
#[tokio::test(start_paused = true)]
async fn retry_after() {
    let table: [(&str, u32, bool); 10] = [
        ("7", 2, true),
        ("0", 2, false),
        ("60", 2, true),
        ("61", 1, true),
        ("1000000000000", 1, true),
        ("-5", 2, false),
        ("120.5", 2, false),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 2, false),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1, true),
        ("soon", 2, false),
    ];
    for (value, attempts, is_paused) in table {
        let mock = MockTransport::new(MockReply::new(StatusCode::OK));
        let refusal = MockReply::new(StatusCode::TOO_MANY_REQUESTS).header("retry-after", value);
        mock.script(refusal);
        let client = client(|builder| builder.transport(mock).retry(quickly(3)));
        let start = tokio::time::Instant::now();
        let response = client.get("http://a.test/").send().await.unwrap();
        let status = if attempts == 2 { 200 } else { 429 };
        assert_eq!(response.status().as_u16(), status, "{value}");
        let asked = Duration::from_secs(value.parse().unwrap_or(0)).min(Duration::from_secs(60));
        if attempts == 2 {
            let waited = start.elapsed();
            assert!(
                waited >= asked && waited <= asked + asked / 10 + Duration::from_millis(4),
                "{value}: {waited:?}"
            );
        }
        drop(response);
        // Another call of the same origin waits for the pause as well; one elsewhere does not.
        if attempts == 1 && is_paused {
            let (start, elsewhere) = (
                tokio::time::Instant::now(),
                client.get("http://b.test/").send(),
            );
            elsewhere.await.unwrap();
            assert!(start.elapsed() < Duration::from_secs(1));
            client.get("http://a.test/").send().await.unwrap();
            let waited = start.elapsed().as_secs();
            assert!((59..=66).contains(&waited), "{value}: {waited}");
        }
        assert_idle(&client);
    }
}

/// Of two answers that ask for pauses the longer one holds, in whatever order they come.
#[tokio::test(start_paused = true)]
async fn pause_is_never_shortened() {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK));
    for seconds in ["50", "2"] {
        mock.script(MockReply::new(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", seconds));
    }
    let policy = quickly(3).retry_after_max(Duration::from_secs(50));
    let client = client(|builder| builder.transport(mock).retry(policy));
    let start = tokio::time::Instant::now();
    let both = tokio::join!(
        client.get("http://a.test/").send(),
        client.get("http://a.test/").send()
    );
    assert_eq!(
        (both.0.unwrap().status(), both.1.unwrap().status()),
        (StatusCode::OK, StatusCode::OK)
    );
    assert!(start.elapsed().as_secs() >= 50, "{:?}", start.elapsed());
}

/// One permit: while the first request waits for its back-off, a second one runs.
#[tokio::test(start_paused = true)]
async fn no_permit_is_kept_while_a_call_waits() {
    let policy = RetryPolicy::up_to(1)
        .base(Duration::from_secs(10))
        .cap(Duration::from_secs(10));
    let one = Limits::default().per_host(1).total(1);
    for layered in [false, true] {
        let policy = policy.clone();
        let mock = MockTransport::new(MockReply::new(StatusCode::OK));
        mock.script(MockReply::new(StatusCode::BAD_GATEWAY));
        let client = client(|builder| {
            let builder = builder.transport(mock).retry(policy).limits(one);
            match layered {
                true => builder.on_response(|_: &mut turbohttp::Response| {}),
                false => builder,
            }
        });
        let first = tokio::spawn(client.get("http://a.test/").send());
        tokio::task::yield_now().await;
        let start = tokio::time::Instant::now();
        client.get("http://a.test/").send().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO, "layered: {layered}");
        assert_eq!(first.await.unwrap().unwrap().status(), StatusCode::OK);
        assert_idle(&client);
    }
}

/// A close and a deadline end the wait; a deadline that comes before the retry ends the call at once.
#[tokio::test(start_paused = true)]
async fn what_ends_a_wait() {
    let refusing = || MockTransport::new(MockReply::new(StatusCode::BAD_GATEWAY));
    let hour = Duration::from_secs(3_600);
    let policy = RetryPolicy::up_to(1_000)
        .base(hour)
        .cap(hour)
        .budget_percent(100);
    let closed = client(|builder| builder.transport(refusing()).retry(policy.clone()));
    let waiting = tokio::spawn(closed.get("http://a.test/").send());
    tokio::task::yield_now().await;
    let report = closed.close(Shutdown::Now).await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{report}");
    assert_eq!(error.phase(), Some(Phase::Backoff));
    assert_idle(&closed);
    // The last answer is returned where the deadline comes first.
    let start = tokio::time::Instant::now();
    let late = client(|builder| {
        builder
            .transport(refusing())
            .retry(policy)
            .timeout(Duration::from_secs(1))
    });
    let response = late.get("http://a.test/").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(start.elapsed() <= Duration::from_secs(1));
}

/// A pause may be longer than a request may wait for a permit.
#[tokio::test(start_paused = true)]
async fn a_long_pause_is_no_wait_for_a_permit() {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK));
    mock.script(MockReply::new(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", "500"));
    let policy = quickly(1).retry_after_max(Duration::from_secs(600));
    let client = client(|builder| builder.transport(mock).retry(policy));
    let start = tokio::time::Instant::now();
    let response = client.get("http://a.test/").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(start.elapsed().as_secs() >= 500);
}

/// A close that cancels what is pending ends a back-off at once; one that drains lets it go on.
#[tokio::test(start_paused = true)]
async fn closes_and_waits() {
    let minute = Duration::from_secs(60);
    for (mode, is_canceled) in [
        (Shutdown::CancelPending { within: 2 * minute }, true),
        (Shutdown::Drain { within: 2 * minute }, false),
    ] {
        let mock = MockTransport::new(MockReply::new(StatusCode::OK));
        mock.script(MockReply::new(StatusCode::BAD_GATEWAY));
        let policy = quickly(1).fixed_delay(minute);
        let client = client(|builder| builder.transport(mock).retry(policy));
        let waiting = tokio::spawn(client.get("http://a.test/").send());
        tokio::task::yield_now().await;
        let start = tokio::time::Instant::now();
        client.close(mode).await;
        let outcome = waiting.await.unwrap();
        match is_canceled {
            true => {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Closed);
                assert_eq!(error.phase(), Some(Phase::Backoff));
                assert_eq!(start.elapsed(), Duration::ZERO);
            }
            false => assert_eq!(outcome.unwrap().status(), StatusCode::OK),
        }
        assert_idle(&client);
    }
}

/// Errors of a transport other than the network are retried by their kind, as a test of a policy expects.
#[tokio::test]
async fn errors_of_other_transports() {
    for (kind, method, attempts) in [
        (ErrorKind::Io, "GET", 3),
        (ErrorKind::Connect, "GET", 3),
        (ErrorKind::Dns, "PUT", 3),
        (ErrorKind::Io, "POST", 1),
        (ErrorKind::Protocol, "GET", 1),
        (ErrorKind::Closed, "GET", 1),
    ] {
        let mock = MockTransport::new(MockReply::new(StatusCode::OK));
        for _ in 0..2 {
            mock.script(MockReply::failure(kind, "as a network fails"));
        }
        let client = client(|builder| builder.transport(mock).retry(quickly(3)));
        let request = client
            .request(method.parse().unwrap(), "http://a.test/")
            .body("x");
        let outcome = request.send().await;
        assert_eq!(outcome.is_ok(), attempts == 3, "{kind} {method}");
        drop(outcome);
        assert_idle(&client);
    }
}

/// Dropped at every poll, a call that is retried leaves nothing.
#[tokio::test]
async fn dropped_at_every_poll() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let origin = Origin::new(
        move |_: &Seen| match counted.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => reply(503, &[], "x"),
            _ => reply(200, &[], "y"),
        },
    );
    let client = client(|builder| builder.retry(quickly(1).budget_percent(100)));
    drop_at_every_poll(&client, || client.get(origin.url("/")).send()).await;
}
