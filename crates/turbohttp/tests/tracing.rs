//! At the levels that programs show by default, nothing is said, whatever happens; and what
//! transports do belongs to the request's span.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests panic, and spawn as their users do"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use turbohttp::{Client, Limits, MockReply, MockTransport, Shutdown, StatusCode};

/// Counts what is said, by level, and keeps nothing.
#[derive(Clone, Default)]
struct Counter {
    quiet: Arc<AtomicU64>,
    loud: Arc<AtomicU64>,
    /// Events that came while no span was entered.
    astray: Arc<AtomicU64>,
    /// How many spans have been entered and not left.
    depth: Arc<AtomicU64>,
}

impl Counter {
    fn count(&self, metadata: &Metadata<'_>) {
        let count = if *metadata.level() <= Level::INFO {
            &self.loud
        } else {
            &self.quiet
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("turbohttp")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.count(span.metadata());
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        if self.depth.load(Ordering::Relaxed) == 0 {
            self.astray.fetch_add(1, Ordering::Relaxed);
        }
        self.count(event.metadata());
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {
        self.depth.fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _span: &Id) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_requests_say_nothing_aloud() {
    let counter = Counter::default();
    let _guard = tracing::subscriber::set_default(counter.clone());
    let reply = MockReply::new(StatusCode::OK).delay(Duration::from_millis(1));
    let client = Client::builder()
        .limits(Limits::default().per_host(64))
        .transport(MockTransport::new(reply))
        .build()
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..10_000u64 {
        let client = client.clone();
        tasks.spawn(async move {
            let send = client.get("http://a/").send();
            // Some are given up while they wait, or on the way.
            let patience =
                Duration::from_millis(if index % 10 == 0 { index / 100 } else { 60_000 });
            let _ = tokio::time::timeout(patience, send).await;
        });
    }
    while tasks.join_next().await.is_some() {}
    client.close(Shutdown::default()).await;
    assert_eq!(counter.loud.load(Ordering::Relaxed), 0);
    // It was listening: a span for each that was sent, an event for each that waited.
    assert!(counter.quiet.load(Ordering::Relaxed) > 10_000);
}

/// What a transport does before its future is polled is inside as well.
#[tokio::test]
async fn transports_work_inside_the_span() {
    let counter = Counter::default();
    let _guard = tracing::subscriber::set_default(counter.clone());
    let (depth, seen) = (counter.depth.clone(), Arc::new(AtomicU64::new(u64::MAX)));
    let sees = seen.clone();
    let mock = MockTransport::with_handler(move |_| {
        sees.store(depth.load(Ordering::Relaxed), Ordering::Relaxed);
        MockReply::new(StatusCode::OK)
    });
    let client = Client::builder().transport(mock).build().unwrap();
    client.get("http://a/").send().await.unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    assert_eq!(counter.depth.load(Ordering::Relaxed), 0, "left again");
}

/// The event of a wait belongs to the span of its request, with layers and without.
#[tokio::test(start_paused = true)]
async fn waits_lie_inside_the_span() {
    for is_layered in [false, true] {
        let counter = Counter::default();
        let _guard = tracing::subscriber::set_default(counter.clone());
        let reply = MockReply::new(StatusCode::OK).delay(Duration::from_millis(1));
        let mut builder = Client::builder()
            .limits(Limits::default().per_host(1))
            .transport(MockTransport::new(reply));
        if is_layered {
            builder = builder.on_request(|_| ());
        }
        let client = builder.build().unwrap();
        let (first, second) = tokio::join!(
            client.get("http://a/").send(),
            client.get("http://a/").send()
        );
        first.unwrap();
        second.unwrap();
        // Two spans, and the event of the one that waited.
        assert_eq!(counter.quiet.load(Ordering::Relaxed), 3, "{is_layered}");
        assert_eq!(counter.astray.load(Ordering::Relaxed), 0, "{is_layered}");
    }
}
