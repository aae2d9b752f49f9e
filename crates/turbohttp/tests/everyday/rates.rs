//! Rates: how many requests per time an origin is sent, by all ways of a client.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use turbohttp::{
    Client, ConcurrencyLimiter, ErrorKind, Limits, MockReply, MockTransport, Phase, Priority,
    QueueOptions, Rate, RequestQueue, RetryPolicy, Shutdown, StatusCode, Timeouts,
};

use crate::ground::{Origin, assert_idle, client, drop_at_every_poll, reply};

const MS: Duration = Duration::from_millis(1);

/// One request in 100 ms, two at once.
fn rate() -> Rate {
    Rate::per_second(10.0).burst(2)
}

fn mock() -> MockTransport {
    MockTransport::new(MockReply::new(StatusCode::OK).body("fine"))
}

fn paced(rate: Rate) -> Client {
    client(|builder| {
        let limits = Limits::default().rate_per_host(rate);
        builder.limits(limits).transport(mock())
    })
}

/// How long `count` requests to `url` take that are sent at once.
async fn time_of(client: &Client, url: &'static str, count: usize) -> Duration {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let client = client.clone();
        tasks.spawn(async move { client.get(url).send().await.unwrap() });
    }
    tasks.join_all().await;
    start.elapsed()
}

/// Whether it lies one tick of the timers about what is expected.
fn is_about(found: Duration, expected: Duration) -> bool {
    found.abs_diff(expected) <= 2 * MS
}

#[tokio::test(start_paused = true)]
async fn every_origin_has_the_rate_by_itself() {
    let client = paced(rate());
    let (one, other) = tokio::join!(
        time_of(&client, "http://one.test/", 12),
        time_of(&client, "http://other.test/", 7),
    );
    assert!(is_about(one, 1_000 * MS), "{one:?}");
    assert!(is_about(other, 500 * MS), "{other:?}");
    assert_idle(&client);
}

#[tokio::test(start_paused = true)]
async fn one_origin_has_a_rate_of_its_own() {
    let client = client(|builder| {
        let slow = Rate::new(1, Duration::from_secs(60));
        builder
            .host_rate("http://slow.test/x", slow)
            .transport(mock())
    });
    assert_eq!(
        time_of(&client, "http://fast.test/", 40).await,
        Duration::ZERO
    );
    let slow = time_of(&client, "http://slow.test/", 2).await;
    assert!(is_about(slow, 60_000 * MS), "{slow:?}");
    // Live: faster for what waits already, and then gone.
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { time_of(&client, "http://slow.test/", 3).await })
    };
    tokio::task::yield_now().await;
    let limiter = client.limiter();
    limiter
        .set_rate("http://slow.test", Some(Rate::per_second(5.0)))
        .unwrap();
    let faster = waiting.await.unwrap();
    assert!(is_about(faster, 600 * MS), "{faster:?}");
    limiter.set_rate("http://slow.test", None).unwrap();
    assert_eq!(
        time_of(&client, "http://slow.test/", 40).await,
        Duration::ZERO
    );
    limiter.set_rate_per_host(Some(rate())).unwrap();
    let common = time_of(&client, "http://slow.test/", 4).await;
    assert!(is_about(common, 200 * MS), "{common:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_rate_is_in_the_timeline_and_has_an_end() {
    let client = client(|builder| {
        let limits = Limits::default().rate_per_host(rate().burst(1));
        let timeouts = Timeouts::default().permit(150 * MS);
        builder.limits(limits).timeouts(timeouts).transport(mock())
    });
    let url = "http://a.test/";
    let sent = [0; 3].map(|_| client.get(url).send());
    let [first, second, third] = sent;
    let (first, second, third) = tokio::join!(first, second, third);
    assert_eq!(
        first.unwrap().timeline().duration(Phase::Pause),
        Duration::ZERO
    );
    let paused = second.unwrap().timeline().duration(Phase::Pause);
    assert!(is_about(paused, 100 * MS), "{paused:?}");
    let error = third.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Pause))
    );
    drop(error); // it has the request
    assert_idle(&client);
}

#[tokio::test(start_paused = true)]
async fn jobs_calls_and_permits_share_the_rate_by_priority() {
    let client = paced(rate().burst(1));
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(4)).unwrap();
    queue.start().unwrap();
    let start = Instant::now();
    let url = "http://a.test/";
    drop(client.get(url).send().await.unwrap());
    let tickets = [
        queue.submit(client.get(url)).await.unwrap(),
        queue.submit(client.get(url)).await.unwrap(),
    ];
    let limiter = client.limiter();
    let urgent = async {
        let permit = limiter.acquire(url).priority(Priority::Critical);
        drop(permit.await.unwrap());
        start.elapsed()
    };
    let call = async {
        drop(
            client
                .get(url)
                .priority(Priority::Low)
                .send()
                .await
                .unwrap(),
        );
        start.elapsed()
    };
    let jobs = async {
        for ticket in tickets {
            ticket.await.unwrap();
        }
        start.elapsed()
    };
    let (urgent, jobs, call) = tokio::join!(urgent, jobs, call);
    assert!(is_about(urgent, 100 * MS), "{urgent:?}");
    assert!(is_about(jobs, 300 * MS), "{jobs:?}");
    assert!(is_about(call, 400 * MS), "{call:?}");
    queue.stop(Shutdown::default()).await;
    assert_idle(&client);
}

#[tokio::test(start_paused = true)]
async fn the_limiter_alone_has_rates() {
    let limiter = ConcurrencyLimiter::new(&Limits::default().rate_per_host(rate())).unwrap();
    let lane = limiter.lane("a").unwrap();
    drop(limiter.try_acquire("a").unwrap());
    drop(lane.try_acquire().unwrap());
    let spent = limiter.try_acquire("a").unwrap_err();
    assert_eq!(spent.kind(), ErrorKind::Busy);
    assert_eq!(lane.try_acquire().unwrap_err().kind(), ErrorKind::Busy);
    drop(limiter.try_acquire("b").unwrap());
    let start = Instant::now();
    lane.execute(async {}).await.unwrap();
    assert!(is_about(start.elapsed(), 100 * MS));
    limiter.execute("a", async {}).await.unwrap();
    assert!(is_about(start.elapsed(), 200 * MS));
    drop(limiter.acquire("a").await.unwrap());
    assert!(is_about(start.elapsed(), 300 * MS));
    let late = limiter.acquire("a").within(50 * MS).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    // Nothing waits: the next one looks at the bucket itself.
    tokio::time::advance(50 * MS).await;
    drop(limiter.try_acquire("a").unwrap());
    limiter
        .set_rate("a", Some(Rate::new(1, Duration::from_secs(9))))
        .unwrap();
    limiter.set_rate_per_host(None).unwrap();
    for _ in 0..100 {
        drop(limiter.try_acquire("b").unwrap());
    }
    assert!(limiter.audit().is_idle());
}

/// Every attempt is a request to the origin: a retry and a hop of a redirect are paced as well.
#[tokio::test(start_paused = true)]
async fn further_attempts_are_paced() {
    let transport = mock();
    for _ in 0..2 {
        transport.script(MockReply::new(StatusCode::SERVICE_UNAVAILABLE));
    }
    let moved = MockReply::new(StatusCode::FOUND).header("location", "http://a.test/there");
    transport.script(moved);
    let client = client(|builder| {
        let limits = Limits::default().rate_per_host(Rate::per_second(1.0));
        let retry = RetryPolicy::up_to(3).base(MS);
        builder
            .limits(limits)
            .retry(retry)
            .transport(transport.clone())
    });
    let start = Instant::now();
    let response = client.get("http://a.test/").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(transport.stats().entered, 4);
    assert!(
        is_about(start.elapsed(), Duration::from_secs(3)),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_the_waits_for_a_rate() {
    for mode in [
        Shutdown::Now,
        Shutdown::CancelPending { within: 10 * MS },
        Shutdown::Drain { within: 250 * MS },
    ] {
        let client = paced(rate().burst(1));
        let mut tasks = JoinSet::new();
        for _ in 0..5 {
            let client = client.clone();
            tasks.spawn(async move { client.get("http://a.test/").send().await });
        }
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        let report = client.close(mode).await;
        let done = tasks.join_all().await;
        let ok = done.iter().filter(|done| done.is_ok()).count();
        let sent = if matches!(mode, Shutdown::Drain { .. }) {
            3
        } else {
            1
        };
        assert_eq!(ok, sent, "{mode:?}: {report}");
        for error in done.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), ErrorKind::Closed);
        }
        assert_idle(&client);
    }
}

#[tokio::test]
async fn dropped_at_every_poll() {
    let origin = Origin::new(|_| reply(200, &[], "x"));
    let client = client(|builder| {
        let limits = Limits::default().rate_per_host(Rate::per_second(200.0));
        builder.limits(limits)
    });
    drop_at_every_poll(&client, || client.get(origin.url("/")).send()).await;
    drop_at_every_poll(&client, || async {
        let limiter = client.limiter();
        drop(limiter.acquire(&origin.url("/")).await.unwrap());
    })
    .await;
    assert!(
        !client
            .audit()
            .scheduler
            .busy
            .iter()
            .any(|busy| busy.waiting > 0)
    );
}

#[test]
fn a_rate_out_of_bounds_is_an_error_that_says_so() {
    let never = Rate::per_second(0.0);
    let limits = Limits::default().rate_per_host(never);
    let builders = [
        Client::builder().limits(limits),
        Client::builder().host_rate("http://a.test", never),
    ];
    for builder in builders {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with("a rate must be "), "{error}");
    }
    let limiter = ConcurrencyLimiter::new(&Limits::default()).unwrap();
    let error = limiter.set_rate("a", Some(rate().burst(0))).unwrap_err();
    let text = "the burst of a rate must be 1..=1048576 (got 0)";
    assert_eq!(error.to_string(), text);
    assert!(
        Client::builder()
            .host_rate("no url", rate())
            .build()
            .is_err()
    );
}
