//! A middleware as a closure: logs every call, and hooks that cost no allocation beside it.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use turbohttp::{Client, MockReply, MockTransport, Request, Response, Result, StatusCode};

#[tokio::main]
async fn main() -> Result<()> {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("fine"));
    let calls = Arc::new(AtomicU64::new(0));
    let counter = calls.clone();
    let client = Client::builder()
        .transport(mock)
        // The future borrows nothing, so it takes what it needs along.
        .with_fn(move |request, next| {
            let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
            async move {
                let line = format!("{number}: {} {}", request.method(), request.url());
                let response = next.run(request).await;
                match &response {
                    Ok(response) => println!("{line} -> {}", response.status()),
                    Err(error) => println!("{line} failed: {error}"),
                }
                response
            }
        })
        .on_request(|request: &mut Request| {
            request
                .headers_mut()
                .insert("x-sent-by", "example".parse()?);
            Ok(())
        })
        .on_response(|response: &mut Response| response.push_header("x-seen-by", b"example"))
        .build()?;
    for path in ["a", "b"] {
        let response = client
            .get(format!("http://mock.test/{path}"))
            .send()
            .await?;
        println!("{:?}", response.header("x-seen-by"));
    }
    println!("{} calls", calls.load(Ordering::Relaxed));
    Ok(())
}
