//! Ours through a `RequestQueue`: every request is a job, and a worker stands ready for each caller.
//!
//! A queue of default options hands out responses whose content is in memory already, and that is
//! what this is.

use std::sync::Arc;

use ::turbohttp::{Client, QueueOptions, RequestQueue};
use anyhow::Result;

use super::{Work, turbohttp};
use crate::load::Peer;

/// A clone of the one client and of its queue.
pub(super) struct TurbohttpQueue {
    client: Client,
    queue: RequestQueue,
    work: Arc<Work>,
}

impl Peer for TurbohttpQueue {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<TurbohttpQueue>> {
        let client = turbohttp::client(&work, count)?;
        let queue = RequestQueue::new(&client, QueueOptions::default().workers(count))?;
        queue.start()?;
        let caller = || TurbohttpQueue {
            client: client.clone(),
            queue: queue.clone(),
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
        let submitted = self.queue.submit(request.build()?).await;
        let ticket = submitted.map_err(::turbohttp::Error::from)?;
        turbohttp::read(ticket.await?, &self.work).await
    }
}
