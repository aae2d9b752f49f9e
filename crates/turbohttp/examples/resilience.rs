//! An origin that fails, one that is slow now and then, and one that many ask the same.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use turbohttp::{
    CircuitBreaker, Client, Hedge, MockReply, MockTransport, Result, SingleFlight, StatusCode,
};

#[tokio::main]
async fn main() -> Result<()> {
    // Stands for three servers.
    let asked = AtomicUsize::new(0);
    let mock = MockTransport::with_handler(move |request| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        match request.origin().host() {
            "ill.test" => MockReply::new(StatusCode::BAD_GATEWAY),
            "slow.test" if number.is_multiple_of(2) => {
                MockReply::new(StatusCode::OK).delay(Duration::from_secs(60))
            }
            _ => MockReply::new(StatusCode::OK)
                .body("well")
                .delay(Duration::from_millis(5)),
        }
    });
    let client = Client::builder()
        .transport(mock.clone())
        .with(SingleFlight::new())
        .with(
            CircuitBreaker::new()
                .failures(0.5, 4)
                .open_for(Duration::from_secs(5)),
        )
        .with(Hedge::delay(Duration::from_millis(20)).budget(1.0))
        .build()?;

    for _ in 0..6 {
        match client.get("http://ill.test/").send().await {
            Ok(response) => println!("answered {}", response.status()),
            Err(error) => println!("{error}"),
        }
    }
    let began = tokio::time::Instant::now();
    let response = client.get("http://slow.test/").send().await?;
    println!(
        "{} in well below a minute: {}",
        response.status(),
        began.elapsed().as_secs() < 30
    );

    let before = mock.stats().entered;
    let send = || client.get("http://busy.test/").send();
    let (one, two, three) = tokio::join!(send(), send(), send());
    let texts = [one?.text().await?, two?.text().await?, three?.text().await?];
    println!("{texts:?} of {} request", mock.stats().entered - before);
    Ok(())
}
