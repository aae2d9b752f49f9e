//! Retries by a policy of the client: what is sent again, what a server asks to wait, and where the waits are
//! seen. The example `retry` is a retry of one's own, as a middleware.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use turbohttp::{Client, MockReply, MockTransport, Result, RetryPolicy, StatusCode};

#[tokio::main]
async fn main() -> Result<()> {
    // Stands for a server that is busy, says for how long, fails, and is well again.
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("at last"));
    let busy = || MockReply::new(StatusCode::SERVICE_UNAVAILABLE);
    mock.script(busy().header("retry-after", "1")); // pauses the origin for all requests of the client
    mock.script(MockReply::new(StatusCode::BAD_GATEWAY));
    let policy = RetryPolicy::up_to(3)
        .base(Duration::from_millis(50))
        .within(Duration::from_secs(20))
        .budget_percent(20);
    let client = Client::builder()
        .transport(mock.clone())
        .retry(policy)
        .build()?;

    let response = client.get("http://mock.test/").send().await?;
    for span in response.timeline().spans() {
        println!("{:>8} {:.1?}", span.phase.name(), span.end - span.start);
    }
    let attempts = mock.stats().entered;
    println!("{} after {attempts} attempts", response.text().await?);

    // A POST may be done twice by a retry, so it is not sent again: the 503 is the response.
    mock.script(busy());
    let once = client.post("http://mock.test/").body("order");
    println!("{} to a POST", once.send().await?.status());

    // Where the server knows the order by its key, the program says so.
    let any = RetryPolicy::up_to(3).any_method(true);
    let client = Client::builder()
        .transport(mock.clone())
        .retry(any)
        .build()?;
    mock.script(busy());
    let again = client
        .post("http://mock.test/")
        .header("idempotency-key", "7");
    println!(
        "{} to the second one",
        again.body("order").send().await?.status()
    );
    Ok(())
}
