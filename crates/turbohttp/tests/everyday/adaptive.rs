//! Limits that follow what a server bears: what counts as a sign of overload, and by what ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use turbohttp::{
    AdaptiveLimit, Client, ClientBuilder, ErrorKind, Limits, Middleware, MockReply, MockTransport,
    Next, QueueOptions, Request, RequestQueue, Response, Result, RetryPolicy, StatusCode,
    Transport,
};

use crate::ground::{Origin, assert_idle, client, drop_at_every_poll, reply};

const MS: Duration = Duration::from_millis(1);
const URL: &str = "http://a.test/";

/// Answers after 10 ms.
fn mock() -> MockTransport {
    MockTransport::new(MockReply::new(StatusCode::OK).body("x").delay(10 * MS))
}

fn adaptive(transport: MockTransport, limit: AdaptiveLimit) -> Client {
    client(|builder| builder.transport(transport).adaptive_limit(limit))
}

/// The limit of the origin, while a request of it is under way.
fn limit(client: &Client) -> usize {
    client.audit().scheduler.busy[0].limit
}

/// Sends so many at once, one of which says the limit in the end.
async fn send_all(client: &Client, count: usize) -> usize {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let client = client.clone();
        tasks.spawn(async move { client.get(URL).send().await.map(|_| limit_after(&client)) });
    }
    let done = tasks.join_all().await;
    let limits = done.into_iter().map(|limit| limit.unwrap_or_default());
    limits.max().unwrap()
}

/// That of the first busy origin, 0 where all are idle by now.
fn limit_after(client: &Client) -> usize {
    let audit = client.audit();
    audit
        .scheduler
        .busy
        .first()
        .map_or(0, |origin| origin.limit)
}

#[tokio::test(start_paused = true)]
async fn a_limit_grows_to_the_ordinary_one_and_no_further() {
    for rule in [AdaptiveLimit::aimd(), AdaptiveLimit::gradient()] {
        let builder = |builder: ClientBuilder| {
            let limits = Limits::default().per_host(30);
            builder
                .limits(limits)
                .transport(mock())
                .adaptive_limit(rule.initial(2))
        };
        let client = client(builder);
        let most = send_all(&client, 3_000).await;
        assert_eq!(most, 30, "{rule:?}");
        assert_idle(&client);
    }
}

struct Plain;

impl Middleware for Plain {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        next.run(request).await
    }
}

fn busy() -> MockReply {
    MockReply::new(StatusCode::SERVICE_UNAVAILABLE)
}

/// The limit, which began with 100, after one call that is answered by this.
async fn limit_after_call(
    reply: MockReply,
    options: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> usize {
    let transport = mock();
    transport.script(reply);
    let client = client(|builder| {
        let limits = Limits::default().per_host(100);
        let rule = AdaptiveLimit::aimd().initial(100);
        options(
            builder
                .limits(limits)
                .transport(transport)
                .adaptive_limit(rule),
        )
    });
    // Keeps the origin busy, so that the audit shows it.
    let limiter = client.limiter();
    let _permit = limiter.acquire(URL).await.unwrap();
    drop(client.get(URL).send().await);
    limit(&client)
}

#[tokio::test(start_paused = true)]
async fn signs_of_overload_lower_the_limit_with_and_without_layers() {
    let failure = |kind| MockReply::failure(kind, "as a network fails");
    for (reply, expected) in [
        (MockReply::new(StatusCode::OK), 100),
        (MockReply::new(StatusCode::NOT_FOUND), 100),
        (MockReply::new(StatusCode::TOO_MANY_REQUESTS), 90),
        (busy(), 90),
        (failure(ErrorKind::Timeout), 90),
        (failure(ErrorKind::Connect), 90),
        (failure(ErrorKind::Io), 100),
    ] {
        let bare = limit_after_call(reply.clone(), |builder| builder).await;
        let layered = limit_after_call(reply.clone(), |builder| builder.with(Plain)).await;
        assert_eq!([bare, layered], [expected; 2], "{reply:?}");
    }
}

/// A 429 that asks for a pause is one where a policy pauses, and a sign of overload elsewhere.
#[tokio::test(start_paused = true)]
async fn a_pause_that_was_asked_for_lowers_nothing() {
    let many = MockReply::new(StatusCode::TOO_MANY_REQUESTS).header("retry-after", "1");
    for (policy, expected) in [(None, 90), (Some(RetryPolicy::up_to(1)), 100)] {
        let after = limit_after_call(many.clone(), |builder| builder.retry(policy)).await;
        assert_eq!(after, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_call_counts() {
    let transport = mock();
    for _ in 0..3 {
        transport.script(busy());
    }
    let rule = AdaptiveLimit::aimd().initial(50);
    let client = client(|builder| {
        let retry = RetryPolicy::up_to(3).base(MS);
        builder
            .transport(transport)
            .adaptive_limit(rule)
            .retry(retry)
    });
    let limiter = client.limiter();
    let _permit = limiter.acquire(URL).await.unwrap();
    drop(client.get(URL).send().await.unwrap());
    // The other permit was out each time, so every second refusal counts: 50, 45, 45, 40.
    assert_eq!(limit(&client), 40);
}

/// What a cache answers says nothing of a server.
#[cfg(feature = "cache")]
#[tokio::test(start_paused = true)]
async fn answers_of_a_cache_count_for_nothing() {
    let fresh = MockReply::new(StatusCode::OK).header("cache-control", "max-age=60");
    let transport = MockTransport::new(fresh);
    let client = client(|builder| {
        let cache = turbohttp::Cache::memory(1 << 20);
        let rule = AdaptiveLimit::aimd().initial(4);
        let builder = builder.transport(transport.clone()).adaptive_limit(rule);
        builder.cache(cache)
    });
    let limiter = client.limiter();
    let mut permits = Vec::new();
    for _ in 0..3 {
        permits.push(limiter.acquire(URL).await.unwrap());
    }
    for _ in 0..10 {
        let response = client.get(URL).send().await.unwrap();
        response.bytes().await.unwrap();
        assert_eq!(limit(&client), 5, "one answer of the server, and no more");
    }
    assert_eq!(transport.stats().entered, 1);
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_queue_are_seen_as_well() {
    let transport = mock();
    transport.script(MockReply::new(StatusCode::SERVICE_UNAVAILABLE));
    let client = adaptive(transport, AdaptiveLimit::gradient().initial(20));
    let limiter = client.limiter();
    let _permit = limiter.acquire(URL).await.unwrap();
    let queue = RequestQueue::new(&client, QueueOptions::default()).unwrap();
    queue.start().unwrap();
    let ticket = queue.submit(client.get(URL)).await.unwrap();
    ticket.await.unwrap();
    assert_eq!(limit(&client), 18);
}

/// A server that works on 20 requests at once and refuses what is more.
#[derive(Clone, Default)]
struct Server(Arc<Inside>);

#[derive(Default)]
struct Inside {
    now: AtomicUsize,
    peak: AtomicUsize,
    refused: AtomicUsize,
}

impl Transport for Server {
    async fn send(&self, request: Request) -> Result<Response> {
        let inside = self.0.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.peak.fetch_max(inside, Ordering::Relaxed);
        let (status, time) = match inside {
            0..=20 => (StatusCode::OK, 10 * MS),
            _ => (StatusCode::SERVICE_UNAVAILABLE, MS),
        };
        let is_refused = usize::from(status != StatusCode::OK);
        self.0.refused.fetch_add(is_refused, Ordering::Relaxed);
        tokio::time::sleep(time).await;
        self.0.now.fetch_sub(1, Ordering::Relaxed);
        Ok(request.respond(status, ""))
    }
}

/// The client finds out what its server bears, and goes on near it.
#[tokio::test(start_paused = true)]
async fn a_client_settles_where_its_server_keeps_up() {
    let server = Server::default();
    let rule = AdaptiveLimit::aimd().initial(2);
    let client = client(|builder| builder.transport(server.clone()).adaptive_limit(rule));
    let start = Instant::now();
    assert!(send_all(&client, 6_000).await >= 18);
    let (peak, refused) = (&server.0.peak, &server.0.refused);
    let peak = peak.load(Ordering::Relaxed);
    assert!((20..=40).contains(&peak), "{peak} at once");
    let refused = refused.load(Ordering::Relaxed);
    assert!(refused > 0 && refused < 300, "{refused} of 6000");
    // 3 s are the least, with 20 at once all the time.
    let took = start.elapsed();
    assert!(took < Duration::from_millis(3_450), "{took:?}");
    assert_idle(&client);
}

#[tokio::test]
async fn dropped_at_every_poll() {
    let origin = Origin::new(|_| reply(503, &[], "x"));
    let rule = AdaptiveLimit::gradient();
    let client = client(|builder| builder.adaptive_limit(rule));
    drop_at_every_poll(&client, || client.get(origin.url("/")).send()).await;
}

#[test]
fn bounds_that_contradict_each_other_are_an_error() {
    let rule = AdaptiveLimit::aimd().floor(20);
    let error = Client::builder().adaptive_limit(rule).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = "the initial value of an adaptive limit must be 20..=1048576 (got 10)";
    assert_eq!(error.to_string(), text);
}
