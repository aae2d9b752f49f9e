//! Ours, as it comes: limiter, timeline and pool of idle connections on.
//!
//! By default it lets 64 requests to one host run at once and keeps as many idle connections; the others
//! limit neither. Where a case has more callers, both are raised to their number: otherwise the callers
//! would queue, which is another thing than what the others do. Up to 64 callers nothing is changed.

use std::sync::Arc;

use ::turbohttp::{Client, Limits, Response, Tls};
use anyhow::Result;

use super::Work;
use crate::load::Peer;

/// A clone of the one client.
pub(super) struct Turbohttp {
    client: Client,
    work: Arc<Work>,
}

/// The client for so many callers.
pub(super) fn client(work: &Work, callers: usize) -> Result<Client> {
    let builder = Client::builder().limits(limits(callers));
    let builder = match &work.root_pem {
        None => builder,
        Some(pem) => builder.tls(Tls::default().root_pem(pem.as_bytes()).only_added_roots()),
    };
    Ok(builder.build()?)
}

/// The limits by default, but room for as many requests and connections as there are callers.
fn limits(callers: usize) -> Limits {
    let default = Limits::default();
    default
        .per_host(default.per_host.max(callers))
        .total(default.total.max(callers))
        .idle_per_origin(default.idle_per_origin.max(callers))
        .idle_total(default.idle_total.max(callers))
}

impl Peer for Turbohttp {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<Turbohttp>> {
        let client = client(&work, count)?;
        let caller = || Turbohttp {
            client: client.clone(),
            work: work.clone(),
        };
        Ok((0..count).map(|_| caller()).collect())
    }

    async fn exchange(&mut self) -> Result<()> {
        let url = &self.work.url;
        let request = match self.work.content {
            None => self.client.get(url),
            Some(content) => self.client.post(url).body(content),
        };
        read(request.send().await?, &self.work).await
    }
}

/// Checks a response and reads its content.
pub(super) async fn read(mut response: Response, work: &Work) -> Result<()> {
    work.check_head(
        response.status().as_u16(),
        response.header_bytes("content-type"),
    )?;
    if work.is_collected() {
        let bytes = std::hint::black_box(response.bytes().await?);
        return work.check_length(bytes.len() as u64);
    }
    let mut length = 0;
    while let Some(chunk) = response.chunk().await? {
        length += chunk.len() as u64;
    }
    work.check_length(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_is_the_default_one_up_to_its_limits() {
        assert_eq!(limits(1), Limits::default());
        assert_eq!(limits(64), Limits::default());
        let many = limits(1000);
        assert_eq!([many.per_host, many.total], [1000; 2]);
        assert_eq!([many.idle_per_origin, many.idle_total], [1000; 2]);
    }
}
