//! hyper-util's pooled client, with the settings its users should choose.

use std::sync::Arc;

use ::hyper_util::client::legacy::Client;
use ::hyper_util::client::legacy::connect::HttpConnector;
use ::hyper_util::rt::TokioExecutor;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Uri};

use super::{Peer, Work};

/// A clone of the one client.
pub(crate) struct HyperUtil {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Uri,
    work: Arc<Work>,
}

impl Peer for HyperUtil {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<HyperUtil>> {
        let mut connector = HttpConnector::new();
        // Off by default.
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(usize::MAX)
            .build(connector);
        let uri: Uri = work.url.parse()?;
        let caller = || HyperUtil {
            client: client.clone(),
            uri: uri.clone(),
            work: work.clone(),
        };
        Ok((0..count).map(|_| caller()).collect())
    }

    async fn exchange(&mut self) -> Result<()> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = self.uri.clone();
        if let Some(content) = &self.work.content {
            *request.method_mut() = Method::POST;
            *request.body_mut() = Full::new(content.clone());
        }
        let response = self.client.request(request).await?;
        let content_type = response.headers().get(CONTENT_TYPE);
        self.work.check_head(
            response.status().as_u16(),
            content_type.map(|value| value.as_bytes()),
        )?;
        let mut content = response.into_body();
        if self.work.is_collected() {
            let bytes = std::hint::black_box(content.collect().await?.to_bytes());
            return self.work.check_length(bytes.len() as u64);
        }
        let mut length = 0;
        while let Some(frame) = content.frame().await {
            length += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        self.work.check_length(length)
    }
}
