//! One request, its body, and where its time went.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use turbohttp::{Client, Limits, Timeouts};

#[tokio::main]
async fn main() -> turbohttp::Result<()> {
    let url = std::env::args().nth(1);
    let url = url.unwrap_or_else(|| "https://example.com/".to_owned());
    let client = Client::builder()
        .limits(Limits::default().idle_total(16))
        .timeouts(Timeouts::default().request(Duration::from_secs(20)))
        .build()?;

    let request = client.get(url).header("accept-language", "en");
    let mut response = request.send().await?.error_for_status()?;
    let kind = response.header("content-type").unwrap_or("-");
    println!("{} {kind}", response.status());

    while let Some(chunk) = response.chunk().await? {
        println!("{} bytes", chunk.len()); // borrowed from the connection's own buffer
    }
    for span in response.timeline().spans() {
        println!("{:>8} {:?}..{:?}", span.phase.name(), span.start, span.end);
    }
    Ok(())
}
