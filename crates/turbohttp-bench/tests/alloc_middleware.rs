//! What middlewares allocate in steady state: one future each, of a type or of a closure; hooks nothing.
//!
//! One test in one process, as all threads are counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use turbohttp::{
    Client, ClientBuilder, Middleware, MockReply, MockTransport, Next, Request, Response, Result,
    StatusCode,
};
use turbohttp_bench::meter::{self, Reading};

#[global_allocator]
static ALLOCATOR: meter::Meter = meter::Meter;

const REQUESTS: u64 = 1_000;

/// Counts of each kind, of which the least is held to the bound: the test harness has a thread, too.
const TRIES: usize = 3;

struct Passing;

impl Middleware for Passing {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        next.run(request).await
    }
}

async fn send(client: &Client) {
    let response = client.get("http://host.test/").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

async fn allocations(layers: impl FnOnce(ClientBuilder) -> ClientBuilder) -> u64 {
    let builder = Client::builder().transport(MockTransport::new(MockReply::new(StatusCode::OK)));
    let client = layers(builder).build().unwrap();
    for _ in 0..100 {
        send(&client).await;
    }
    let mut least = u64::MAX;
    for _ in 0..TRIES {
        let before = Reading::now();
        for _ in 0..REQUESTS {
            send(&client).await;
        }
        least = least.min(Reading::now().since(before).allocations);
    }
    least
}

#[tokio::test]
async fn middlewares_allocate_one_future_each() {
    let bare = allocations(|builder| builder).await;
    let hooks = allocations(|builder| builder.on_request(|_| ()).on_response(|_| ())).await;
    let types = allocations(|builder| builder.with(Passing).with(Passing).with(Passing)).await;
    let closures = allocations(|builder| {
        let builder = builder.with_fn(|request, next| async move { next.run(request).await });
        builder.with_fn(|request, next| async move { next.run(request).await })
    })
    .await;
    assert!(hooks <= bare, "hooks: {hooks} allocations, {bare} without");
    assert!(
        types <= bare + 3 * REQUESTS,
        "three middlewares: {types} allocations, {bare} without"
    );
    assert!(
        closures <= bare + 2 * REQUESTS,
        "two closures: {closures} allocations, {bare} without"
    );
}
