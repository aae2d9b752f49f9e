//! What RFC 9111 says about one request and one stored response: may it be stored, is it fresh, may it be
//! used although it is stale.
//!
//! The rules are those of a private cache: `private` and `s-maxage` mean nothing to it (section
//! 5.2.2). Everything here decides; nothing waits or is kept.

use std::time::SystemTime;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, StatusCode};

use super::directives::Directives;
use super::entry::{Fields, Head};
use super::limits::CACHE_HEURISTIC_SECONDS_MAX;
use crate::error::{Error, ErrorKind};

/// Statuses whose meaning for a cache is known here (RFC 9111 section 3); others are not stored.
const UNDERSTOOD: [u16; 14] = [
    200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501,
];

/// Those of them that may be fresh without a field that says so (RFC 9110 section 15.1).
const HEURISTIC: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// The part of the time since the last modification for which a response counts as fresh (RFC 9111 section
/// 4.2.2).
const HEURISTIC_DIVISOR: u64 = 10;

/// What a request asks of the cache (RFC 9111 section 5.2.1).
pub(super) struct Demand {
    directives: Directives,
    no_cache: bool,
}

impl Demand {
    pub(super) fn of(headers: &HeaderMap) -> Demand {
        let values = |name| headers.get_all(name).iter().map(|value| value.as_bytes());
        let directives = Directives::parse(values(CACHE_CONTROL));
        // Pragma counts where there is no Cache-Control (section 5.4).
        let is_old = directives.is_empty() && Directives::parse(values(PRAGMA)).has("no-cache");
        Demand {
            no_cache: is_old || directives.has("no-cache"),
            directives,
        }
    }

    /// Neither the request nor its response may be stored.
    pub(super) fn no_store(&self) -> bool {
        self.directives.has("no-store")
    }

    /// The caller wants a stored response or none.
    pub(super) fn only_if_cached(&self) -> bool {
        self.directives.has("only-if-cached")
    }
}

/// How a stored response may answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fresh,
    /// The request takes it stale (`max-stale`).
    Stale,
    /// The response may be used while it is validated (`stale-while-revalidate`, RFC 5861 section 3).
    Refresh,
    /// Only once its server has confirmed it.
    Validate,
}

/// What a response says of its own freshness.
struct Freshness {
    directives: Directives,
    /// `no-cache`, or a Pragma of that name where there is no Cache-Control: each use is validated.
    no_cache: bool,
    /// Seconds after which it is stale.
    lifetime: u64,
}

impl Freshness {
    fn of(head: &Head) -> Freshness {
        let directives = Directives::parse(head.fields.values("cache-control"));
        let pragma = || Directives::parse(head.fields.values("pragma"));
        let no_cache =
            directives.has("no-cache") || (directives.is_empty() && pragma().has("no-cache"));
        let lifetime = match no_cache {
            true => 0,
            false => lifetime(head, &directives),
        };
        Freshness {
            directives,
            no_cache,
            lifetime,
        }
    }

    /// Whether it may never be used stale (section 5.2.2).
    fn is_strict(&self) -> bool {
        self.no_cache || self.directives.has("must-revalidate")
    }
}

/// Section 4.2.1, and 4.2.2 where the response says nothing.
fn lifetime(head: &Head, directives: &Directives) -> u64 {
    if let Some(max_age) = directives.seconds("max-age") {
        return max_age;
    }
    let fields = &head.fields;
    // By the clock of the server, if it says it: that of the client may be wrong by more than the lifetime.
    let date = fields.date("date").unwrap_or(head.since);
    if fields.first("expires").is_some() {
        // What is no date lies in the past, `0` above all (section 5.3).
        return fields
            .date("expires")
            .and_then(|expires| expires.duration_since(date).ok())
            .map_or(0, |left| left.as_secs());
    }
    // `public` permits it of any status (section 4.2.2).
    let is_heuristic = HEURISTIC.contains(&head.status.as_u16()) || directives.has("public");
    match fields.date("last-modified") {
        Some(modified) if is_heuristic => {
            let unchanged = date.duration_since(modified).unwrap_or_default();
            (unchanged.as_secs() / HEURISTIC_DIVISOR).min(CACHE_HEURISTIC_SECONDS_MAX)
        }
        _ => 0,
    }
}

/// Whether the response to a GET may be stored (section 3), and is of any use then.
pub(super) fn may_store(demand: &Demand, head: &Head) -> bool {
    let freshness = Freshness::of(head);
    let directives = &freshness.directives;
    let is_permitted = !demand.no_store()
        && !directives.has("no-store")
        && UNDERSTOOD.contains(&head.status.as_u16())
        && (HEURISTIC.contains(&head.status.as_u16())
            || directives.has("public")
            || directives.has("max-age")
            || head.fields.first("expires").is_some());
    // Without a lifetime and without a validator it would be fetched anew each time.
    let is_useful = freshness.lifetime > 0
        || has_validator(head)
        || directives.has("stale-while-revalidate")
        || directives.has("stale-if-error");
    is_permitted && is_useful
}

fn has_validator(head: &Head) -> bool {
    head.fields.first("etag").is_some() || head.fields.first("last-modified").is_some()
}

/// How `head` may answer a request that it was selected for (section 4).
pub(super) fn judge(demand: &Demand, head: &Head, now: SystemTime) -> Verdict {
    let freshness = Freshness::of(head);
    let asked = |name| demand.directives.seconds(name);
    let age = head.age_at(now);
    let left = freshness.lifetime.saturating_sub(age);
    let is_refused = demand.no_cache
        || freshness.no_cache
        || asked("max-age").is_some_and(|max_age| age > max_age)
        || asked("min-fresh").is_some_and(|min_fresh| left < min_fresh);
    // Before freshness, and for stale responses too: what is refused fresh is not taken stale.
    if is_refused {
        return Verdict::Validate;
    }
    if freshness.lifetime > age {
        return Verdict::Fresh;
    }
    let staleness = age - freshness.lifetime;
    let is_taken = demand.directives.has("max-stale")
        // Without a value any staleness will do.
        && (demand.directives.is_bare("max-stale")
            || asked("max-stale").is_some_and(|most| staleness <= most));
    let window = freshness.directives.seconds("stale-while-revalidate");
    match freshness.is_strict() {
        true => Verdict::Validate,
        false if is_taken => Verdict::Stale,
        false if window.is_some_and(|window| staleness <= window) => Verdict::Refresh,
        false => Verdict::Validate,
    }
}

/// Whether `head` may stand in for an answer that did not come (`stale-if-error`, RFC 5861 section 4).
pub(super) fn may_stand_in(demand: &Demand, head: &Head, now: SystemTime) -> bool {
    let freshness = Freshness::of(head);
    let staleness = head.age_at(now).saturating_sub(freshness.lifetime);
    let own = freshness.directives.seconds("stale-if-error");
    let asked = demand.directives.seconds("stale-if-error");
    // The request knows better what its user can do with something old.
    let window = asked.or(own);
    !demand.no_cache && !freshness.is_strict() && window.is_some_and(|most| staleness <= most)
}

/// The statuses that stand for a server that cannot answer (RFC 5861 section 4).
pub(super) fn is_outage(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// The errors that do: of the way to the server, and not of the caller.
pub(super) fn is_outage_error(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Dns
            | ErrorKind::Connect
            | ErrorKind::Proxy
            | ErrorKind::Io
            | ErrorKind::Truncated
            | ErrorKind::Protocol
            | ErrorKind::Timeout
            | ErrorKind::Transport
    )
}

/// Whether a 304 with these fields is about `head` (section 4.3.4): what it names is what was asked about.
pub(super) fn confirms(head: &Head, fields: &Fields) -> bool {
    fn opaque(tag: &[u8]) -> &[u8] {
        tag.strip_prefix(b"W/").unwrap_or(tag)
    }
    // Weak comparison (RFC 9110 section 8.8.3): the body of a weakly equal one will do for a whole answer.
    match (head.fields.first("etag"), fields.first("etag")) {
        (Some(stored), Some(named)) => opaque(stored) == opaque(named),
        (None, Some(_)) => false,
        (_, None) => match fields.first("last-modified") {
            Some(named) if head.fields.first("etag").is_none() => {
                head.fields.first("last-modified") == Some(named)
            }
            _ => true,
        },
    }
}
