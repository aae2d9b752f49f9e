//! Testing without a network: scripted answers, faults and delays, and the mock's own counts.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use turbohttp::{Client, ErrorKind, MockReply, MockTransport, Result, StatusCode};

/// What is tested: asks again as long as the server is not ready.
async fn wait_until_ready(client: &Client) -> Result<u32> {
    let mut asked = 0;
    loop {
        asked += 1;
        let response = client.get("http://service.test/ready").send().await?;
        if response.status() == StatusCode::OK {
            return Ok(asked);
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mock = MockTransport::new(MockReply::failure(ErrorKind::Connect, "the script is over"));
    let busy = MockReply::new(StatusCode::SERVICE_UNAVAILABLE).delay(Duration::from_millis(5));
    mock.script(busy.clone());
    mock.script(busy);
    mock.script(
        MockReply::new(StatusCode::OK)
            .header("server", "mock")
            .body("ready"),
    );

    // A clone shares script and counts.
    let client = Client::builder().transport(mock.clone()).build()?;
    let asked = wait_until_ready(&client).await?;
    println!("asked {asked} times");
    assert_eq!((asked, mock.stats().entered), (3, 3));

    let error = wait_until_ready(&client)
        .await
        .expect_err("nothing is scripted any more");
    println!("then: {error}");
    assert_eq!(error.kind(), ErrorKind::Connect);
    Ok(())
}
