//! Rates: so many requests in so much time, for every origin or for one, changed while requests wait.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use tokio::task::JoinSet;
use turbohttp::{Client, Limits, MockReply, MockTransport, Phase, Rate, Result, StatusCode};

/// Sends five requests at once, and prints how long each waited for the rate.
async fn five(client: &Client, url: &'static str) -> Result<()> {
    let mut sending = JoinSet::new();
    for _ in 0..5 {
        sending.spawn(client.get(url).send());
    }
    let mut waited = Vec::new();
    for sent in sending.join_all().await {
        waited.push(sent?.timeline().duration(Phase::Pause).as_millis());
    }
    waited.sort_unstable();
    println!("{url:<17} waits of {waited:?} ms");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let client = Client::builder()
        .transport(MockTransport::new(MockReply::new(StatusCode::OK)))
        // Every origin: 20 in a second, one at a time.
        .limits(Limits::default().rate_per_host(Rate::per_second(20.0)))
        // This one: 600 in a minute, and three at once after a rest.
        .host_rate(
            "http://api.test",
            Rate::new(600, Duration::from_secs(60)).burst(3),
        )
        .build()?;

    five(&client, "http://any.test/").await?;
    five(&client, "http://api.test/").await?;

    // The server says that we may send more.
    let limiter = client.limiter();
    limiter.set_rate("http://api.test", Some(Rate::per_second(1_000.0)))?;
    five(&client, "http://api.test/").await
}
