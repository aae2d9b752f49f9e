//! Where a response comes from.

use std::fmt;

use crate::response::Response;

/// What a [`Cache`](super::Cache) had to do with a response; the words are those of RFC 9211 where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheStatus {
    /// It is a stored response that is fresh. No request was sent.
    Hit,
    /// It is a stored response that is stale: the request takes it (`max-stale`), it is being validated in the
    /// background (`stale-while-revalidate`), or its server does not answer (`stale-if-error`).
    Stale,
    /// It is a stored response that its server has just confirmed by a 304.
    Revalidated,
    /// It comes from the server, or is a 504 to `only-if-cached`: nothing that was stored could answer.
    Miss,
    /// It comes from the server, as the request is none that a cache answers.
    Bypass,
}

impl CacheStatus {
    /// The status in one lower-case word, for logs and machine-readable output.
    pub fn name(self) -> &'static str {
        match self {
            CacheStatus::Hit => "hit",
            CacheStatus::Stale => "stale",
            CacheStatus::Revalidated => "revalidated",
            CacheStatus::Miss => "miss",
            CacheStatus::Bypass => "bypass",
        }
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Response {
    /// What the cache of the client had to do with this response; `None` where the client has none. It is among
    /// the [`extensions`](Response::extensions), too.
    pub fn cache_status(&self) -> Option<CacheStatus> {
        self.extensions().get().copied()
    }
}
