//! A middleware of your own: counts requests and adds a field; the first one added sees them first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use turbohttp::{
    Client, Middleware, MockReply, MockTransport, Request, Response, Result, StatusCode, Transport,
    header,
};

/// Numbers every request, and counts those that came back as errors.
#[derive(Clone, Default)]
struct Numbered {
    sent: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Middleware for Numbered {
    async fn handle<T: Transport>(&self, mut request: Request, next: &T) -> Result<Response> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        request
            .headers_mut()
            .insert("x-request-number", number.into());
        let outcome = next.send(request).await;
        if !matches!(&outcome, Ok(response) if response.status().is_success()) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // Stands for a server that dislikes every second request.
    let mock = MockTransport::with_handler(|request| {
        let number = request.headers()["x-request-number"].to_str();
        match number.is_ok_and(|number| number.ends_with(['1', '3', '5', '7', '9'])) {
            true => MockReply::new(StatusCode::OK),
            false => MockReply::new(StatusCode::SERVICE_UNAVAILABLE),
        }
    });
    let numbered = Numbered::default();
    let client = Client::builder()
        .transport(mock)
        .with(numbered.clone())
        .map_request(|request| {
            let english = header::HeaderValue::from_static("en");
            request
                .headers_mut()
                .insert(header::ACCEPT_LANGUAGE, english);
        })
        .build()?;
    for _ in 0..10 {
        client.get("http://mock.test/").send().await?;
    }
    let (sent, failed) = (&numbered.sent, &numbered.failed);
    println!(
        "{} sent, {} failed",
        sent.load(Ordering::Relaxed),
        failed.load(Ordering::Relaxed)
    );
    Ok(())
}
