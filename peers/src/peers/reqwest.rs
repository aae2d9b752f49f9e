//! reqwest's client as it comes (it keeps any number of idle connections and sends without delay);
//! only proxies from the environment are left out.

use std::sync::Arc;

use ::reqwest::header::CONTENT_TYPE;
use ::reqwest::{Client, Url};
use anyhow::Result;

use super::{Work, tls};
use crate::load::Peer;

/// A clone of the one client. The URL is parsed beforehand, which spares it one of three parses.
pub(super) struct Reqwest {
    client: Client,
    url: Url,
    work: Arc<Work>,
}

/// A client that trusts this root, if there is one. It was built to speak TLS in any case, as it is by
/// default, and would otherwise look for a provider of its own.
pub(crate) fn client(root_pem: Option<&str>) -> Result<Client> {
    let builder = Client::builder().no_proxy();
    let builder = builder.tls_backend_preconfigured(tls::client_config(root_pem)?);
    Ok(builder.build()?)
}

impl Peer for Reqwest {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<Reqwest>> {
        let client = client(work.root_pem.as_deref())?;
        let url: Url = work.url.parse()?;
        let caller = || Reqwest {
            client: client.clone(),
            url: url.clone(),
            work: work.clone(),
        };
        Ok((0..count).map(|_| caller()).collect())
    }

    async fn exchange(&mut self) -> Result<()> {
        let url = self.url.clone();
        let request = match self.work.content {
            None => self.client.get(url),
            Some(content) => self.client.post(url).body(content),
        };
        let mut response = request.send().await?;
        let content_type = response.headers().get(CONTENT_TYPE);
        self.work.check_head(
            response.status().as_u16(),
            content_type.map(|value| value.as_bytes()),
        )?;
        if self.work.is_collected() {
            let bytes = std::hint::black_box(response.bytes().await?);
            return self.work.check_length(bytes.len() as u64);
        }
        let mut length = 0;
        while let Some(chunk) = response.chunk().await? {
            length += chunk.len() as u64;
        }
        self.work.check_length(length)
    }
}
