//! A value that is not `Send`, held across an await.
use std::rc::Rc;

use turbohttp::{Middleware, Next, Request, Response, Result};

struct Named;

impl Middleware for Named {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let name = Rc::new("named");
        let response = next.run(request).await;
        println!("{name}");
        response
    }
}

fn main() {}
