//! The cookies of a user agent, bounded per domain and in all.
//!
//! # Implementation
//!
//! Cookies are filed under their domain, so that a look-up asks once for each label of the host. Order and
//! age are counts of the jar, not times: two cookies of one second stay apart, and a clock that is set back
//! changes nothing.

use std::fmt;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::matching::{domain_matches, path_matches};
use super::{
    COOKIE_FIELD_BYTES_MAX, COOKIE_HOST_BYTES_MAX, COOKIES_MAX, COOKIES_PER_DOMAIN_MAX, Cookie,
    Refused, Target,
};

/// A bounded store of cookies. `Debug` shows counts only.
///
/// ```
/// use turbohttp_core::cookie::{CookieJar, Target};
///
/// let mut jar = CookieJar::default();
/// let login = Target::new(true, "www.example.com", "/login");
/// let is_public_suffix = |domain: &str| domain == "com";
/// jar.store(login, b"id=7; Domain=example.com; Path=/", 0, &is_public_suffix).unwrap();
/// let elsewhere = Target::new(true, "api.example.com", "/users");
/// assert_eq!(jar.field(elsewhere, 1).unwrap(), b"id=7");
/// ```
#[derive(Default)]
pub struct CookieJar {
    /// Invariant: no list is empty, and none is longer than [`COOKIES_PER_DOMAIN_MAX`].
    domains: HashMap<Box<str>, Vec<Entry>, RandomState>,
    /// Invariant: the sum of the lengths of all lists, at most [`COOKIES_MAX`].
    len: usize,
    /// Counts what is created and used.
    count: u64,
}

/// A cookie in the jar.
struct Entry {
    cookie: Cookie,
    /// When it was first set; kept when it is set again.
    created: u64,
    used: u64,
}

impl CookieJar {
    /// Stores what a response from `target` sets with one Set-Cookie field; a cookie that has expired removes
    /// the one it stands for.
    ///
    /// `is_public_suffix` says whether others register domains under the one it is given, which is in lower
    /// case and no address.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the cookie may not be set so; the jar is as it was.
    pub fn store(
        &mut self,
        target: Target<'_>,
        field: &[u8],
        now: u64,
        is_public_suffix: &dyn Fn(&str) -> bool,
    ) -> Result<(), Refused> {
        let cookie = Cookie::from_field(target, field, now, is_public_suffix)?;
        if !target.is_secure && self.is_overlay(&cookie) {
            return Err(Refused::Overlay);
        }
        self.insert(cookie, now);
        Ok(())
    }

    /// Whether `cookie`, which came without https, would hide one with `Secure` (section 5.7, step 12): the
    /// names are equal, one domain is in the other, and its path is below that of the other.
    fn is_overlay(&self, cookie: &Cookie) -> bool {
        let is_hidden = |other: &Cookie| {
            other.is_secure && other.name == cookie.name && path_matches(&cookie.path, &other.path)
        };
        let related = self.domains.iter().filter(|(domain, _)| {
            domain_matches(domain, &cookie.domain) || domain_matches(&cookie.domain, domain)
        });
        let mut entries = related.flat_map(|(_, entries)| entries);
        entries.any(|entry| is_hidden(&entry.cookie))
    }

    /// Puts a cookie in, in the place of the one with the same name, domain and path. One that has expired
    /// only removes that.
    pub fn insert(&mut self, cookie: Cookie, now: u64) {
        self.count += 1;
        let mut created = self.count;
        if let Some(entries) = self.domains.get_mut(&cookie.domain) {
            let mut former_ones = entries.iter();
            let former = former_ones.position(|entry| entry.cookie.is_same_as(&cookie));
            if let Some(at) = former {
                created = entries.remove(at).created;
                self.len -= 1;
            }
        }
        if !cookie.is_expired(now) {
            let entries = self.domains.entry_ref(&*cookie.domain).or_default();
            let used = self.count;
            entries.push(Entry {
                cookie: cookie.clone(),
                created,
                used,
            });
            self.len += 1;
        }
        self.shrink(&cookie.domain, now);
    }

    /// Keeps the bounds after a cookie of `domain` was put in or removed (section 5.7, at its end).
    fn shrink(&mut self, domain: &str, now: u64) {
        let Some(entries) = self.domains.get_mut(domain) else {
            return;
        };
        if entries.len() > COOKIES_PER_DOMAIN_MAX {
            self.len -= remove_expired(entries, now);
        }
        while entries.len() > COOKIES_PER_DOMAIN_MAX {
            // Without `Secure` first: what came without https must not drive out what came with it.
            let oldest = entries.iter().enumerate();
            let oldest = oldest.min_by_key(|(_, entry)| (entry.cookie.is_secure, entry.used));
            let Some((at, _)) = oldest else { break };
            entries.remove(at);
            self.len -= 1;
        }
        if entries.is_empty() {
            self.domains.remove(domain);
        }
        if self.len > COOKIES_MAX {
            self.remove_expired(now);
        }
        while self.len > COOKIES_MAX {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        let entries = self
            .domains
            .iter()
            .flat_map(|(domain, entries)| entries.iter().map(move |entry| (entry.used, domain)));
        let oldest = entries.min_by_key(|(used, _)| *used);
        let Some((used, domain)) = oldest.map(|(used, domain)| (used, domain.clone())) else {
            return;
        };
        // One field sends many: they have the same count.
        let mut is_removed = false;
        self.retain_in(&domain, |entry| {
            let goes = !is_removed && entry.used == used;
            is_removed |= goes;
            !goes
        });
    }

    /// Removes the cookies that have expired.
    pub fn remove_expired(&mut self, now: u64) {
        let removed = &mut 0;
        self.domains.retain(|_, entries| {
            *removed += remove_expired(entries, now);
            !entries.is_empty()
        });
        self.len -= *removed;
    }

    fn retain_in(&mut self, domain: &str, is_kept: impl FnMut(&Entry) -> bool) {
        let Some(entries) = self.domains.get_mut(domain) else {
            return;
        };
        let before = entries.len();
        entries.retain(is_kept);
        self.len -= before - entries.len();
        if entries.is_empty() {
            self.domains.remove(domain);
        }
    }

    /// The value of the field Cookie for a request to `target`: those with longer paths first, then those
    /// that were set first (section 5.8.3). `None` if there is none.
    ///
    /// What would make it longer than [`COOKIE_FIELD_BYTES_MAX`] is left out.
    pub fn field(&mut self, target: Target<'_>, now: u64) -> Option<Vec<u8>> {
        if self.len == 0 || target.host.len() > COOKIE_HOST_BYTES_MAX {
            return None;
        }
        self.count += 1;
        let count = self.count;
        let mut matching: Vec<(std::cmp::Reverse<usize>, u64, Vec<u8>)> = Vec::new();
        for domain in domains_of(target.host) {
            let Some(entries) = self.domains.get_mut(domain) else {
                continue;
            };
            for entry in entries.iter_mut().filter(|entry| entry.is_for(target, now)) {
                entry.used = count;
                let order = std::cmp::Reverse(entry.cookie.path.len());
                matching.push((order, entry.created, entry.cookie.pair()));
            }
        }
        matching.sort_unstable();
        let mut field = Vec::new();
        for (_, _, pair) in matching {
            let separator: &[u8] = if field.is_empty() { b"" } else { b"; " };
            if field.len() + separator.len() + pair.len() <= COOKIE_FIELD_BYTES_MAX {
                field.extend_from_slice(separator);
                field.extend_from_slice(&pair);
            }
        }
        (!field.is_empty()).then_some(field)
    }

    /// Every cookie, in the order in which they were set. Those that have expired since may be among them.
    pub fn iter(&self) -> impl Iterator<Item = &Cookie> {
        let mut entries: Vec<&Entry> = self.domains.values().flatten().collect();
        entries.sort_unstable_by_key(|entry| entry.created);
        entries.into_iter().map(|entry| &entry.cookie)
    }

    /// How many cookies there are. Those that have expired since may be among them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no cookie.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes every cookie.
    pub fn clear(&mut self) {
        self.domains.clear();
        self.len = 0;
    }
}

impl Entry {
    /// Whether the cookie goes along with a request to `target`, in whose domains it is (section 5.8.3).
    fn is_for(&self, target: Target<'_>, now: u64) -> bool {
        let Cookie {
            domain,
            path,
            is_host_only,
            is_secure,
            ..
        } = &self.cookie;
        let is_host = match is_host_only {
            true => **domain == *target.host,
            false => domain_matches(target.host, domain),
        };
        is_host
            && path_matches(target.path.as_bytes(), path)
            && (target.is_secure || !is_secure)
            && !self.cookie.is_expired(now)
    }
}

impl Cookie {
    /// As the field Cookie shows it: without an equals sign if it has no name.
    fn pair(&self) -> Vec<u8> {
        match self.name.is_empty() {
            true => self.value.to_vec(),
            false => [&self.name, &b"="[..], &self.value].concat(),
        }
    }
}

fn remove_expired(entries: &mut Vec<Entry>, now: u64) -> usize {
    let before = entries.len();
    entries.retain(|entry| !entry.cookie.is_expired(now));
    before - entries.len()
}

/// The host, and every domain that it is in.
fn domains_of(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |domain| {
        domain.split_once('.').map(|(_, parent)| parent)
    })
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar")
            .field("cookies", &self.len)
            .field("domains", &self.domains.len())
            .finish()
    }
}
