//! A retry as a middleware of 15 lines: waits and sends again, three times at most. Every attempt
//! acquires a permit of its own, and none is held while it waits.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use turbohttp::{
    Client, Middleware, MockReply, MockTransport, Next, Request, Response, Result, StatusCode,
};

struct Retry;

impl Middleware for Retry {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
        for attempt in 1..3 {
            let spare = request.try_clone();
            request = match (next.run(request).await, spare) {
                (Ok(response), _) if response.status() != StatusCode::SERVICE_UNAVAILABLE => {
                    return Ok(response);
                }
                (Ok(response), _) => response.into_request(),
                (Err(error), Some(spare)) if error.is_retryable() => spare,
                (Err(error), _) => return Err(error),
            };
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
        next.run(request).await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // Stands for a server that is busy twice.
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("at last"));
    for _ in 0..2 {
        mock.script(MockReply::new(StatusCode::SERVICE_UNAVAILABLE));
    }
    let client = Client::builder()
        .transport(mock.clone())
        .with(Retry)
        .build()?;
    let response = client.get("http://mock.test/").send().await?;
    println!(
        "{} after {} attempts",
        response.text().await?,
        mock.stats().entered
    );
    Ok(())
}
