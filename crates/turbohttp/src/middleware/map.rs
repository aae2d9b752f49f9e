//! Middlewares made of a plain function.

use std::fmt;

use super::Middleware;
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::transport::Transport;

/// Changes every request; made by [`ClientBuilder::map_request`](crate::ClientBuilder::map_request).
pub struct MapRequest<F>(pub(crate) F);

impl<F> Middleware for MapRequest<F>
where
    F: Fn(&mut Request) + Send + Sync + 'static,
{
    async fn handle<T: Transport>(&self, mut request: Request, next: &T) -> Result<Response> {
        (self.0)(&mut request);
        next.send(request).await
    }
}

impl<F> fmt::Debug for MapRequest<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapRequest")
    }
}

/// Changes every response; made by [`ClientBuilder::map_response`](crate::ClientBuilder::map_response).
pub struct MapResponse<F>(pub(crate) F);

impl<F> Middleware for MapResponse<F>
where
    F: Fn(&mut Response) + Send + Sync + 'static,
{
    async fn handle<T: Transport>(&self, request: Request, next: &T) -> Result<Response> {
        let mut response = next.send(request).await?;
        (self.0)(&mut response);
        Ok(response)
    }
}

impl<F> fmt::Debug for MapResponse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapResponse")
    }
}
