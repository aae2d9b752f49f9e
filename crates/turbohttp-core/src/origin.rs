//! The key of connections and limits: scheme, host and port (RFC 9110 section 4.3.1).

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{LazyLock, OnceLock};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::sync::{Arc, Mutex};

/// How many origins an [`Origins`] table keeps at most.
pub const ORIGINS_MAX: usize = 1_024;

/// One seed for the process, so that equal origins have equal hashes wherever they were made.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The scheme of a URL (RFC 9110 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "complete: the client speaks these two"
)]
pub enum Scheme {
    /// HTTP over plain TCP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port of a URL of this scheme that names none: 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Scheme, host and port (RFC 9110 section 4.3.1), hashed once. A clone increments a counter.
///
/// # Examples
///
/// ```
/// use turbohttp_core::origin::{Origin, Scheme};
///
/// let origin = Origin::new(Scheme::Https, "Example.COM.", 8443);
/// assert_eq!(origin.as_str(), "https://example.com:8443");
/// assert_eq!(origin.host(), "example.com");
/// assert_eq!(origin, Origin::new(Scheme::Https, "example.com", 8443));
/// ```
#[derive(Clone)]
pub struct Origin(Arc<Parts>);

struct Parts {
    /// The origin as it begins a URL: `http://host` or `http://host:port`, in lower case.
    text: Box<str>,
    host_len: usize,
    scheme: Scheme,
    port: u16,
    hash: u64,
}

impl Origin {
    /// Makes an origin. `host` is folded to lower case, and a final dot is dropped (RFC 9110
    /// section 4.2.3).
    ///
    /// The caller passes a name with other than ASCII characters in its IDNA form, and an IPv6
    /// address in brackets.
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Origin {
        // `example.com.` is the same name as `example.com`, and would otherwise have connections of
        // its own.
        let host = host.strip_suffix('.').unwrap_or(host);
        let mut text = format!("{}://{host}", scheme.as_str());
        text.make_ascii_lowercase();
        if port != scheme.default_port() {
            // `http://a:80` and `http://a` are the same origin: the default port is never written.
            text = format!("{text}:{port}");
        }
        let hash = hash_of(&text);
        let host_len = host.len();
        Origin(Arc::new(Parts {
            text: text.into(),
            host_len,
            scheme,
            port,
            hash,
        }))
    }

    /// The origin as it begins a URL, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The host in lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.authority()[..self.0.host_len]
    }

    /// The effective port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Host and, where it is not the scheme's default, port: the value of the Host field.
    pub fn authority(&self) -> &str {
        &self.0.text[self.0.scheme.as_str().len() + "://".len()..]
    }

    /// The hash that [`Hash`] writes, computed when the origin was made.
    pub fn precomputed_hash(&self) -> u64 {
        self.0.hash
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Origin) -> bool {
        // Interned origins are equal by pointer; two that were made before and after the table was
        // cleared are not.
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A map that is built with the pass-through hasher of its caller hashes an origin at no
        // cost.
        state.write_u64(self.0.hash);
    }
}

impl AsRef<str> for Origin {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn hash_of(text: &str) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// A bounded table that returns the same [`Origin`] for the same text without allocating.
///
/// It is a cache: when it is full it forgets the origins beyond the first few. Origins returned
/// before stay equal to those returned after, as origins compare by their text.
///
/// # Implementation
///
/// The first origins of a program, which are all that most programs ever talk to, stand in slots
/// that are written once and read without a lock. The others are in a hash table behind a mutex.
pub struct Origins {
    /// Invariant: a slot is set under the lock of `table` only, and an origin is never in both.
    front: Box<[OnceLock<Origin>]>,
    /// Invariant: at most [`TABLE_MAX`].
    table: Mutex<HashTable<Origin>>,
}

/// Slots of the front, a power of two: 1 KiB per table of origins.
const FRONT_SLOTS: usize = 64;

/// Slots that one origin may be in. More would find a slot for more origins, and make the search
/// for one that has none longer.
const FRONT_PROBES: usize = 4;

const TABLE_MAX: usize = ORIGINS_MAX - FRONT_SLOTS;

impl Default for Origins {
    fn default() -> Self {
        Self {
            front: (0..FRONT_SLOTS).map(|_| OnceLock::new()).collect(),
            table: Mutex::default(),
        }
    }
}

impl Origins {
    /// The origin with exactly this text ([`Origin::as_str`]), if the table has it. Takes no lock
    /// for the first origins.
    pub fn find(&self, text: &str) -> Option<Origin> {
        let hash = hash_of(text);
        match self.find_in_front(hash, text) {
            Some(origin) => Some(origin.clone()),
            None => self.find_in_table(hash, text),
        }
    }

    /// The origin of `host` and `port`, which the table has from now on; see [`Origin::new`].
    pub fn intern(&self, scheme: Scheme, host: &str, port: u16) -> Origin {
        // Made before the lock is taken, as it allocates.
        let made = Origin::new(scheme, host, port);
        let mut table = self.table.lock();
        // Under the lock, so that of two threads with the same new origin the second one finds that
        // of the first. `find` with another spelling of the host misses what is there, so it may be
        // an old one as well.
        if let Some(known) = self.find_in_front(made.0.hash, &made.0.text) {
            return known.clone();
        }
        if let Some(known) = table.find(made.0.hash, |origin| *origin == made) {
            return known.clone();
        }
        let mut slots = self.slots_of(made.0.hash);
        if slots.any(|slot| slot.set(made.clone()).is_ok()) {
            return made;
        }
        // Clearing needs no order of use, which every lookup would have to keep up. Programs with
        // so many origins pay one allocation per origin once more.
        if table.len() >= TABLE_MAX {
            table.clear();
        }
        table.insert_unique(made.0.hash, made.clone(), Origin::precomputed_hash);
        made
    }

    /// How many origins are kept right now.
    pub fn len(&self) -> usize {
        let front = self.front.iter().filter(|slot| slot.get().is_some());
        front.count() + self.table.lock().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn find_in_front(&self, hash: u64, text: &str) -> Option<&Origin> {
        for slot in self.slots_of(hash) {
            // Slots are set in the order of the search, and never emptied: behind an empty one
            // there is nothing.
            let origin = slot.get()?;
            if origin.0.hash == hash && *origin.0.text == *text {
                return Some(origin);
            }
        }
        None
    }

    #[cold]
    fn find_in_table(&self, hash: u64, text: &str) -> Option<Origin> {
        let table = self.table.lock();
        let found = table.find(hash, |origin| *origin.0.text == *text);
        found.cloned()
    }

    /// The slots that an origin with this hash may be in, in the order in which they are searched
    /// and set.
    #[inline]
    fn slots_of(&self, hash: u64) -> impl Iterator<Item = &OnceLock<Origin>> {
        let first = hash as usize;
        (0..FRONT_PROBES).map(move |probe| &self.front[first.wrapping_add(probe) % FRONT_SLOTS])
    }
}

#[cfg(test)]
mod tests;
