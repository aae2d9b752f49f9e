//! Tokens of an origin: fetched before the first request, fetched again when the server refuses one, and once
//! for all requests that were refused with it.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use turbohttp::{Client, Credentials, MockReply, MockTransport, Request, Result, StatusCode};

#[tokio::main]
async fn main() -> Result<()> {
    // Stands for two servers: one hands out tokens, the other takes the second one only.
    let (logins, calls) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (asked, called) = (logins.clone(), calls.clone());
    let mock = MockTransport::with_handler(move |request: &Request| {
        if request.url().starts_with("https://login.test/") {
            let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
            return MockReply::new(StatusCode::OK).body(format!("token-{number}"));
        }
        called.fetch_add(1, Ordering::Relaxed);
        match request.headers().get("authorization") {
            Some(value) if value == "Bearer token-2" => MockReply::new(StatusCode::OK),
            _ => MockReply::new(StatusCode::UNAUTHORIZED),
        }
    });

    // No permit is held meanwhile, so the source may use the very client, too.
    let login = Client::builder().transport(mock.clone()).build()?;
    let credentials = Credentials::token_from(move || {
        let request = login.post("https://login.test/token");
        async move { request.send().await?.error_for_status()?.text().await }
    });
    println!("{credentials:?}"); // shows no secret
    let client = Client::builder()
        .transport(mock)
        .credentials("https://api.test", credentials) // to this origin, and to no other
        .build()?;

    let send = || client.get("https://api.test/items").send();
    let (first, second, third) = tokio::join!(send(), send(), send());
    for response in [first?, second?, third?] {
        println!("{}", response.status());
    }
    println!(
        "{} attempts, {} tokens",
        calls.load(Ordering::Relaxed),
        logins.load(Ordering::Relaxed)
    );
    Ok(())
}
