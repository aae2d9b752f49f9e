//! A response that is kept across a second run of its request.
use turbohttp::{Middleware, Next, Request, Response, Result, StatusCode};

struct Again;

impl Middleware for Again {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let first = next.run(request).await?;
        if first.status() != StatusCode::SERVICE_UNAVAILABLE {
            return Ok(first);
        }
        let second = next.run(first.into_request()).await?;
        println!("{}, then {}", first.status(), second.status());
        Ok(second)
    }
}

fn main() {}
