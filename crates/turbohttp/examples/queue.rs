//! Limits, priorities, a queue, and a close with its report; against a server in this process.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use turbohttp::{Client, Limits, Phase, Priority, QueueOptions, RequestQueue, Shutdown};
use turbohttp_loopback::{Options, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(Options {
        base_delay: Duration::from_millis(20),
        ..Options::default()
    })?;
    let limits = Limits::default().per_host(2).total(8);
    let client = Client::builder().limits(limits).build()?;
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(4))?;
    queue.start()?;

    let mut tickets = Vec::new();
    for index in 0..8 {
        // The last ones are the most urgent.
        let priority = if index < 6 {
            Priority::Low
        } else {
            Priority::Critical
        };
        let request = client
            .get(server.url(&format!("/id/{index}")))
            .priority(priority)
            .build()?;
        tickets.push((index, priority, queue.submit(request).await?));
    }
    let (_, _, unwanted) = tickets.remove(0);
    unwanted.cancel();

    for (index, priority, ticket) in tickets {
        let response = ticket.await?;
        let waited = response.timeline().duration(Phase::HostPermit);
        println!(
            "{index} {priority:<8} {} waited {waited:.1?} for its host",
            response.status()
        );
        response.bytes().await?;
    }

    let report = client.close(Shutdown::default()).await;
    println!("{report}");
    assert!(client.audit().is_idle());
    Ok(())
}
