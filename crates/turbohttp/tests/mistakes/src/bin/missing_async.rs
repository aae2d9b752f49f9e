//! `handle` without `async`.
use turbohttp::{Middleware, Next, Request, Response, Result};

struct Auth;

impl Middleware for Auth {
    fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        next.run(request)
    }
}

fn main() {}
