//! isahc's client: libcurl in a thread of its own, and futures in front of it. How many idle
//! connections libcurl keeps by default grows with the requests under way; here it has room for one
//! per caller.

use std::sync::Arc;

use ::isahc::config::Configurable;
use ::isahc::http::Uri;
use ::isahc::http::header::CONTENT_TYPE;
use ::isahc::{AsyncBody, AsyncReadResponseExt, HttpClient, Request};
use anyhow::{Result, ensure};

use super::Work;
use crate::load::Peer;

/// A caller of the one client.
pub(super) struct Isahc {
    client: HttpClient,
    uri: Uri,
    work: Arc<Work>,
}

impl Peer for Isahc {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<Isahc>> {
        ensure!(!work.is_tls(), "isahc was built without TLS");
        let client = HttpClient::builder()
            .proxy(None)
            .tcp_nodelay()
            .connection_cache_size(count)
            .build()?;
        let uri: Uri = work.url.parse()?;
        let caller = || Isahc {
            client: client.clone(),
            uri: uri.clone(),
            work: work.clone(),
        };
        Ok((0..count).map(|_| caller()).collect())
    }

    async fn exchange(&mut self) -> Result<()> {
        let uri = self.uri.clone();
        let request = match self.work.content {
            None => Request::get(uri).body(AsyncBody::empty())?,
            Some(content) => Request::post(uri).body(AsyncBody::from_bytes_static(content))?,
        };
        let mut response = self.client.send_async(request).await?;
        let content_type = response.headers().get(CONTENT_TYPE);
        self.work.check_head(
            response.status().as_u16(),
            content_type.map(|value| value.as_bytes()),
        )?;
        // Whether in one piece or not: reading in pieces would take another crate's traits.
        let bytes = std::hint::black_box(response.bytes().await?);
        self.work.check_length(bytes.len() as u64)
    }
}
