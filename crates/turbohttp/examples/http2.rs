//! HTTP/2: many requests on one connection, and what a server does not take at once waits by priority.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use tokio::task::JoinSet;
use turbohttp::{Client, Phase, Priority, Response};
use turbohttp_loopback::{Http2, Options, Server};

/// What is told of a response: in which version, on which connection, and how long its request has waited.
fn tell(name: &str, response: &Response) {
    let (version, timeline) = (response.version(), response.timeline());
    let connection = timeline.connection_id().unwrap_or_default();
    let waited = timeline.duration(Phase::HostPermit);
    println!("{name:<8} {version:?}, connection {connection}, waited {waited:.1?}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A server that takes two requests at once on a connection.
    let server = Server::start(Options {
        base_delay: Duration::from_millis(20),
        http2: Http2 {
            max_concurrent_streams: Some(2),
            ..Http2::default()
        },
        ..Options::default()
    })?;
    // Over TLS the server chooses HTTP/2 by ALPN; without TLS it has to be known.
    let client = Client::builder().http2_prior_knowledge().build()?;
    let first = client.get(server.url("/small")).send().await?;
    tell("first", &first);

    let mut sending = JoinSet::new();
    for priority in [Priority::Low, Priority::Normal, Priority::Critical] {
        for _ in 0..3 {
            let request = client.get(server.url("/small")).priority(priority);
            sending.spawn(async move { (priority, request.send().await) });
        }
    }
    while let Some(sent) = sending.join_next().await {
        let (priority, response) = sent?;
        tell(priority.name(), &response?);
    }

    // A request that is given up resets its stream, and costs nobody the connection.
    let never = client.get(server.url("/never")).send();
    let given_up = tokio::time::timeout(Duration::from_millis(20), never).await;
    assert!(given_up.is_err());
    tell("last", &client.get(server.url("/small")).send().await?);
    Ok(())
}
