//! The key of connections and limits: scheme, host and port (RFC 9110 section 4.3.1).

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::sync::{Arc, Mutex};

/// How many origins an [`Origins`] table keeps. At one more it forgets them all: see [`Origins`].
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
    /// Makes an origin. `host` is folded to lower case, and a final dot is dropped (RFC 9110 section 4.2.3).
    ///
    /// The caller passes a name with other than ASCII characters in its IDNA form, and an IPv6 address in brackets.
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Origin {
        // `example.com.` is the same name as `example.com`, and would otherwise have connections of its own.
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
        // Interned origins are equal by pointer; two that were made before and after the table was cleared are not.
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A map that is built with the pass-through hasher of its caller hashes an origin at no cost.
        state.write_u64(self.0.hash);
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
/// It is a cache: at [`ORIGINS_MAX`] entries it forgets them all. Origins returned before stay equal to those returned
/// after, as origins compare by their text.
#[derive(Default)]
pub struct Origins {
    table: Mutex<HashTable<Origin>>,
}

impl Origins {
    /// The origin with exactly this text ([`Origin::as_str`]), if the table has it.
    pub fn find(&self, text: &str) -> Option<Origin> {
        // Hashed before the lock is taken.
        let hash = hash_of(text);
        let table = self.table.lock();
        let found = table.find(hash, |origin| *origin.0.text == *text);
        found.cloned()
    }

    /// The origin of `host` and `port`, which the table has from now on; see [`Origin::new`].
    pub fn intern(&self, scheme: Scheme, host: &str, port: u16) -> Origin {
        // Made before the lock is taken, as it allocates.
        let made = Origin::new(scheme, host, port);
        let mut table = self.table.lock();
        if let Some(known) = table.find(made.0.hash, |origin| *origin == made) {
            // `find` with another spelling of the host misses what is there.
            return known.clone();
        }
        // Clearing needs no order of use, which every lookup would have to keep up. Programs with so many origins pay
        // one allocation per origin once more.
        if table.len() >= ORIGINS_MAX {
            table.clear();
        }
        table.insert_unique(made.0.hash, made.clone(), Origin::precomputed_hash);
        made
    }

    /// How many origins are kept right now.
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
