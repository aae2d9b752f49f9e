//! The key of connections and limits: scheme, host and port (RFC 9110 section 4.3.1).

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::sync::{Arc, Mutex};

/// How many origins an [`Origins`] table keeps before it starts afresh.
pub const ORIGINS_MAX: usize = 1_024;

/// One seed for the process, so that equal origins have equal hashes wherever they were made.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The scheme of a URL: what is spoken on the wire.
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

    /// The port that a URL of this scheme means when it names none.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Scheme, host and port, hashed once; a clone is one increment.
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
    /// Makes an origin; `host` is folded to lower case and a final dot is dropped.
    ///
    /// Names with other than ASCII characters are to be in their IDNA form already, IPv6 addresses in
    /// brackets.
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Origin {
        let host = host.strip_suffix('.').unwrap_or(host);
        let mut text = format!("{}://{host}", scheme.as_str());
        text.make_ascii_lowercase();
        if port != scheme.default_port() {
            // The port is written only where it is not the scheme's own.
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
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
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

/// A bounded table that gives the same [`Origin`] for the same text without allocating.
///
/// It is a cache, not a registry: at [`ORIGINS_MAX`] entries it forgets them all, and origins given
/// out before stay equal to those given out after, as equality falls back to the text.
#[derive(Default)]
pub struct Origins {
    table: Mutex<HashTable<Origin>>,
}

impl Origins {
    /// The origin with exactly this text ([`Origin::as_str`]), if it is kept.
    pub fn find(&self, text: &str) -> Option<Origin> {
        let hash = hash_of(text);
        let table = self.table.lock();
        let found = table.find(hash, |origin| *origin.0.text == *text);
        found.cloned()
    }

    /// The origin of `host` and `port`, kept from now on; see [`Origin::new`].
    pub fn intern(&self, scheme: Scheme, host: &str, port: u16) -> Origin {
        let made = Origin::new(scheme, host, port);
        let mut table = self.table.lock();
        if let Some(known) = table.find(made.0.hash, |origin| *origin == made) {
            return known.clone();
        }
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
