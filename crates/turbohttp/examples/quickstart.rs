//! One request, its body, and where its time went.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::Client;

#[tokio::main]
async fn main() -> turbohttp::Result<()> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "https://example.com/".to_owned());
    let client = Client::new()?;
    let mut response = client.get(url).send().await?;
    println!(
        "{} {}",
        response.status(),
        response.header("content-type").unwrap_or("-")
    );

    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await? {
        bytes += chunk.len();
    }
    println!("{bytes} bytes");
    for span in response.timeline().spans() {
        println!("{:>8} {:?}..{:?}", span.phase.name(), span.start, span.end);
    }
    Ok(())
}
