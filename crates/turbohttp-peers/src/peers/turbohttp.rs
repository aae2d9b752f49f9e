//! Ours, with room for as many idle connections as the others keep by default.

use std::sync::Arc;

use ::turbohttp::{Client, Limits};
use anyhow::Result;

use super::{Peer, Work};

/// More than any case has callers.
const IDLE_CONNECTIONS: usize = 4096;

/// A clone of the one client.
pub(crate) struct Turbohttp {
    client: Client,
    work: Arc<Work>,
}

impl Peer for Turbohttp {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<Turbohttp>> {
        let limits = Limits::default()
            .idle_per_origin(IDLE_CONNECTIONS)
            .idle_total(IDLE_CONNECTIONS);
        let client = Client::builder().limits(limits).build()?;
        let caller = || Turbohttp {
            client: client.clone(),
            work: work.clone(),
        };
        Ok((0..count).map(|_| caller()).collect())
    }

    async fn exchange(&mut self) -> Result<()> {
        let url = &self.work.url;
        let request = match &self.work.content {
            None => self.client.get(url),
            Some(content) => self.client.post(url).body(content.clone()),
        };
        let mut response = request.send().await?;
        self.work.check_head(
            response.status().as_u16(),
            response.header_bytes("content-type"),
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
