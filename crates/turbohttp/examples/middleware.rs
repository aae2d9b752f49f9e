//! A middleware of your own: numbers and counts requests; the first one added sees them first.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use turbohttp::{
    Client, Middleware, MockReply, MockTransport, Next, Request, Response, Result, StatusCode,
    header,
};

/// Numbers every request.
#[derive(Clone, Default)]
struct Numbered(Arc<AtomicU64>);

impl Middleware for Numbered {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        request
            .headers_mut()
            .insert("x-request-number", number.into());
        next.run(request).await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // Stands for a server that says what it was sent.
    let mock = MockTransport::with_handler(|request| {
        let fields = format!("{:?}", request.headers());
        MockReply::new(StatusCode::OK).body(fields)
    });
    let numbered = Numbered::default();
    let client = Client::builder()
        .transport(mock)
        .with(numbered.clone())
        .on_request(|request| {
            let english = header::HeaderValue::from_static("en");
            request
                .headers_mut()
                .insert(header::ACCEPT_LANGUAGE, english);
        })
        .build()?;
    for _ in 0..2 {
        let response = client.get("http://mock.test/").send().await?;
        println!("{}", response.text().await?);
    }
    println!("{} sent", numbered.0.load(Ordering::Relaxed));
    Ok(())
}
