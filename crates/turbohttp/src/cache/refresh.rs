//! Validation in the background (`stale-while-revalidate`, RFC 5861 section 3).
//!
//! One task for each response that is validated, and at most [`CACHE_REFRESHES_MAX`] of them: it sends one
//! request as a call of its own, of low priority, reads the answer to its end, and ends. It holds the client
//! weakly until the request is sent; a close of the client refuses it or cuts it off.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use turbohttp_core::sync::lock;

use super::Cache;
use super::entry::{Entry, Id};
use super::limits::CACHE_REFRESHES_MAX;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Boxed;

/// Sends a request as a call of its own: a client, as its cache sees it.
pub(crate) trait Refresher: Send + Sync {
    /// Sends `request` without layers and policies, and without its former call.
    fn refresh(self: Arc<Self>, request: Request) -> Boxed<'static, Result<Response>>;
}

/// The entries that are being validated.
pub(super) type Refreshes = HashSet<Id>;

/// The turn of one entry, which ends with its drop.
struct Turn {
    cache: Cache,
    id: Id,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.cache.shared.refreshes).remove(&self.id);
    }
}

impl Cache {
    /// Has `entry` validated in the background; `false` if that cannot be begun. An entry that is being validated
    /// already is not validated twice.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with its one request, and a close of the client ends that"
    )]
    pub(super) fn refresh(
        &self,
        request: &Request,
        entry: &Arc<Entry>,
        client: &Weak<dyn Refresher>,
    ) -> bool {
        let id = entry.head.id();
        let (Ok(runtime), Some(request)) = (Handle::try_current(), request.try_clone()) else {
            return false;
        };
        // Looked at and taken under one lock, so that two requests at once begin one task.
        let mut refreshes = lock(&self.shared.refreshes);
        if refreshes.contains(&id) {
            return true;
        }
        if refreshes.len() >= CACHE_REFRESHES_MAX {
            return false;
        }
        refreshes.insert(id);
        drop(refreshes);
        let cache = self.clone();
        let turn = Turn { cache, id };
        runtime.spawn(run(turn, request, entry.clone(), client.clone()));
        true
    }
}

async fn run(turn: Turn, request: Request, entry: Arc<Entry>, client: Weak<dyn Refresher>) {
    let send = |request| {
        let client = client.clone();
        async move {
            match client.upgrade() {
                Some(client) => client.refresh(request).await,
                None => Err(Error::closed()),
            }
        }
    };
    // An error leaves the entry as it is: the next request tries again, or finds it too stale.
    // The body is stored while it is read, and by nothing else.
    if let Ok((mut response, _)) = turn.cache.validate(request, entry, &send).await {
        while let Ok(Some(_)) = response.chunk().await {}
    }
}
