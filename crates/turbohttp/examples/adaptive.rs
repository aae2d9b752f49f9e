//! A limit that follows what a server bears: this one works on eight requests at once, and on three later.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;
use turbohttp::{AdaptiveLimit, Client, Request, Response, Result, StatusCode, Transport};

/// Stands for a server that answers 503 beyond what it bears.
#[derive(Clone, Default)]
struct Server {
    inside: Arc<AtomicUsize>,
    bears: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Transport for Server {
    async fn send(&self, request: Request) -> Result<Response> {
        let is_refused = self.inside.fetch_add(1, Relaxed) >= self.bears.load(Relaxed);
        tokio::time::sleep(Duration::from_millis(if is_refused { 1 } else { 4 })).await;
        self.inside.fetch_sub(1, Relaxed);
        if is_refused {
            self.refused.fetch_add(1, Relaxed);
            return Ok(request.respond(StatusCode::SERVICE_UNAVAILABLE, ""));
        }
        Ok(request.respond(StatusCode::OK, ""))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::default();
    let client = Client::builder()
        .transport(server.clone())
        .adaptive_limit(AdaptiveLimit::aimd().initial(2))
        .build()?;
    for bears in [8, 3] {
        server.bears.store(bears, Relaxed);
        let mut sending = JoinSet::new();
        for _ in 0..500 {
            sending.spawn(client.get("http://server.test/").send());
        }
        let mut limits = Vec::new();
        while let Some(sent) = sending.join_next().await {
            sent.expect("no task panics")?;
            let busy = client.audit().scheduler.busy;
            let sample = busy.first().filter(|_| sending.len() % 50 == 25);
            limits.extend(sample.map(|origin| origin.limit));
        }
        let refused = server.refused.swap(0, Relaxed);
        println!("bears {bears}: {refused} of 500 refused, limits {limits:?}");
    }
    Ok(())
}
