//! Stands for `cache` where it is not compiled in: no client has one.

use std::future::Future;
use std::sync::{Arc, Weak};

use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::transport::Boxed;

#[derive(Clone)]
pub(crate) enum Cache {}

pub(crate) enum Caching {}

impl Caching {
    pub(crate) fn new(cache: Cache) -> Result<Caching> {
        match cache {}
    }

    pub(crate) fn set_client(&self, _client: Weak<dyn Refresher>, _trusts_all: bool) {
        match *self {}
    }

    pub(crate) async fn answer<F, Fut>(&self, _request: Request, _send: F) -> Result<Response>
    where
        F: Fn(Request) -> Fut,
        Fut: Future<Output = Result<Response>>,
    {
        match *self {}
    }
}

pub(crate) trait Refresher: Send + Sync {
    #[expect(dead_code, reason = "nothing is validated where nothing is stored")]
    fn refresh(self: Arc<Self>, request: Request) -> Boxed<'static, Result<Response>>;
}
