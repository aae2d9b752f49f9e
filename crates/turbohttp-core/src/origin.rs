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
    scheme: Scheme,
    port: u16,
    hash: u64,
    /// Lower case, without brackets' meaning changed: `[::1]` keeps its brackets.
    host: Box<str>,
    /// What the Host field says: the port only where it is not the scheme's own.
    authority: Box<str>,
}

impl Origin {
    /// Makes an origin; `host` is folded to lower case and a final dot is dropped.
    ///
    /// Names with other than ASCII characters are to be in their IDNA form already.
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Origin {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        Origin::folded(scheme, &host, port, hash_of(scheme, &host, port))
    }

    fn folded(scheme: Scheme, host: &str, port: u16, hash: u64) -> Origin {
        let authority = if port == scheme.default_port() {
            host.into()
        } else {
            format!("{host}:{port}").into_boxed_str()
        };
        Origin(Arc::new(Parts {
            scheme,
            port,
            hash,
            host: host.into(),
            authority,
        }))
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The host in lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The effective port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Host and, where it is not the scheme's default, port: the value of the Host field.
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    /// The hash that [`Hash`] writes, computed when the origin was made.
    pub fn precomputed_hash(&self) -> u64 {
        self.0.hash
    }

    fn is(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        self.0.port == port && self.0.scheme == scheme && *self.0.host == *host
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Origin) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || other.is(self.0.scheme, &self.0.host, self.0.port)
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme.as_str(), self.0.authority)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hash_of(scheme: Scheme, host: &str, port: u16) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write(host.as_bytes());
    hasher.write_u32(u32::from(port) << 1 | u32::from(scheme == Scheme::Https));
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
    /// The origin of `host` (in lower case, no final dot) and `port`.
    pub fn intern(&self, scheme: Scheme, host: &str, port: u16) -> Origin {
        let hash = hash_of(scheme, host, port);
        let mut table = self.table.lock();
        if let Some(origin) = table.find(hash, |origin| origin.is(scheme, host, port)) {
            return origin.clone();
        }
        // A miss is rare, and the entry is small: building it under the lock keeps it unique.
        if table.len() >= ORIGINS_MAX {
            table.clear();
        }
        let origin = Origin::folded(scheme, host, port, hash);
        table.insert_unique(hash, origin.clone(), Origin::precomputed_hash);
        origin
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
