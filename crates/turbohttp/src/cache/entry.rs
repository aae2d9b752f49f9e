//! A stored response: what came, when, and for which requests.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use super::directives;
use super::limits::CACHE_SECONDS_MAX;
use crate::response::Response;

/// Fields of one connection or of one transfer, which are not stored (RFC 9111 section 3.1).
const NOT_STORED: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Fields that say how the stored body looks: a 304 does not change them (RFC 9111 section 3.2).
const OF_THE_BODY: [&str; 3] = ["content-encoding", "content-length", "content-range"];

/// What entries of one URL are found by: SHA-256 of the URL.
pub(super) type Key = [u8; 32];

/// What names one entry: its URL, and the values of the request fields that it was selected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) key: Key,
    pub(super) selection: [u8; 32],
}

/// The key of a URL in normal form.
pub(super) fn key_of(url: &str) -> Key {
    Sha256::digest(url).into()
}

/// A stored response.
pub(super) struct Entry {
    pub(super) head: Head,
    pub(super) body: Bytes,
}

/// A stored response without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) url: String,
    /// A hash of what selects it: the values may be secrets, and lie in a file.
    pub(super) selection: [u8; 32],
    pub(super) status: StatusCode,
    pub(super) fields: Fields,
    /// Seconds that the response was old when it came.
    pub(super) age: u64,
    /// When it came.
    pub(super) since: SystemTime,
}

impl Head {
    /// What would be stored of `response`; `None` if it names no selection that a request could meet (`Vary:
    /// *`).
    pub(super) fn of(response: &Response, asked: SystemTime, now: SystemTime) -> Option<Head> {
        let fields = Fields::of(response);
        let request = &response.context().request;
        Some(Head {
            url: request.url.as_str().to_owned(),
            selection: selection(&fields, &request.headers)?,
            status: response.status(),
            age: initial_age(&fields, asked, now),
            since: now,
            fields,
        })
    }

    /// This head with the fields of the 304 that has confirmed it (RFC 9111 section 3.2).
    pub(super) fn confirmed_by(
        &self,
        response: &Response,
        asked: SystemTime,
        now: SystemTime,
    ) -> Option<Head> {
        // Without the fields of its connection, as those of a stored response.
        let fresh = Fields::of(response);
        let mut fields = self.fields.clone();
        // Of the former answer: the new one is as old as it says itself.
        fields.remove("age");
        fields.remove("date");
        fields.update(&fresh);
        let request = &response.context().request;
        Some(Head {
            url: self.url.clone(),
            selection: selection(&fields, &request.headers)?,
            status: self.status,
            age: initial_age(&fresh, asked, now),
            since: now,
            fields,
        })
    }

    /// Seconds since the origin made the response (RFC 9111 section 4.2.3).
    pub(super) fn age_at(&self, now: SystemTime) -> u64 {
        // A clock that was set back makes nothing younger than it was.
        let resident = now.duration_since(self.since).unwrap_or(Duration::ZERO);
        self.age
            .saturating_add(resident.as_secs())
            .min(CACHE_SECONDS_MAX)
    }

    pub(super) fn id(&self) -> Id {
        Id {
            key: key_of(&self.url),
            selection: self.selection,
        }
    }

    /// Whether a request for `url` with these fields selects the response (RFC 9111 section 4.1).
    pub(super) fn answers(&self, url: &str, headers: &HeaderMap) -> bool {
        self.url == url && selection(&self.fields, headers) == Some(self.selection)
    }

    /// Bytes that the head takes, about.
    pub(super) fn bytes(&self) -> usize {
        let fields = self.fields.0.iter();
        let fields: usize = fields.map(|(name, value)| name.len() + value.len()).sum();
        self.url.len() + fields
    }
}

/// Seconds since the origin made a response, as it comes in (RFC 9111 section 4.2.3): by its Age and the time of
/// the exchange, or by its Date, whichever says more.
fn initial_age(fields: &Fields, asked: SystemTime, answered: SystemTime) -> u64 {
    let seconds = |from, to: SystemTime| to.duration_since(from).map_or(0, |time| time.as_secs());
    let apparent = fields
        .date("date")
        .map_or(0, |date| seconds(date, answered));
    let age = fields.first("age").and_then(age_value).unwrap_or(0);
    // A clock that jumps may make an exchange last for ever.
    let corrected = age.saturating_add(seconds(asked, answered));
    corrected.max(apparent).min(CACHE_SECONDS_MAX)
}

/// The first member counts; one that is no number is ignored (RFC 9111 section 5.1).
fn age_value(value: &[u8]) -> Option<u64> {
    let first = value.split(|byte| *byte == b',').next()?.trim_ascii();
    directives::seconds(first)
}

/// The hash of what Vary names of a request, and of its Authorization: what one user may see is not shown to
/// another one, whether or not the server says Vary. `None` of `Vary: *`.
fn selection(fields: &Fields, headers: &HeaderMap) -> Option<[u8; 32]> {
    // In one order, so that Vary may list its names in any.
    let mut names = vec!["authorization".to_owned()];
    for name in fields
        .values("vary")
        .flat_map(|line| line.split(|byte| *byte == b','))
    {
        let name = str::from_utf8(name.trim_ascii()).ok()?.to_ascii_lowercase();
        match name.as_str() {
            "*" => return None,
            "" => {}
            _ => names.push(name),
        }
    }
    names.sort_unstable();
    names.dedup();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(&name);
        // A field that is absent differs from one that is empty. No value has a line feed in it.
        for value in headers.get_all(&name) {
            for member in value.as_bytes().split(|byte| *byte == b',') {
                hash.update(b"\n,");
                hash.update(member.trim_ascii());
            }
        }
        hash.update(b"\n");
    }
    Some(hash.finalize().into())
}

/// The fields of a response in their order, as the server spelled them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<(String, Vec<u8>)>);

impl Fields {
    /// Those that may be stored: neither those of a connection, nor those that Connection names.
    pub(super) fn of(response: &Response) -> Fields {
        let listed: Vec<&[u8]> = response
            .header_values("connection")
            .flat_map(|line| line.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .collect();
        let is_kept = |name: &str| {
            !NOT_STORED
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
                && !listed
                    .iter()
                    .any(|of| of.eq_ignore_ascii_case(name.as_bytes()))
        };
        let fields = response.fields().filter(|(name, _)| is_kept(name));
        Fields(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
        )
    }

    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let found = self.0.iter();
        let found = found.filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }

    pub(super) fn first<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The first value as a date, in any of the three forms (RFC 9110 section 5.6.7).
    pub(super) fn date(&self, name: &str) -> Option<SystemTime> {
        let value = str::from_utf8(self.first(name)?).ok()?;
        httpdate::parse_http_date(value).ok()
    }

    fn remove(&mut self, name: &str) {
        self.0
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Replaces what `fresh` has too, and adds the rest of it.
    fn update(&mut self, fresh: &Fields) {
        let is_taken = |name: &str| !OF_THE_BODY.iter().any(|of| name.eq_ignore_ascii_case(of));
        let taken = || fresh.0.iter().filter(|(name, _)| is_taken(name));
        // First all of them: a field may have several lines, of which none of the old ones is to stay.
        taken().for_each(|(name, _)| self.remove(name));
        self.0.extend(taken().cloned());
    }
}
