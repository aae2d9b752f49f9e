//! Names to addresses: by the system's resolver, off the async threads, bounded and remembered.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::clock;
use crate::limits::{ADDRESSES_MAX, DNS_KEPT_SECONDS, DNS_LOOKUPS_MAX, DNS_NAMES_MAX};

/// Addresses of names that DNS is not asked for; as many as the options of the transport have.
pub(crate) type Overrides = HashMap<String, Vec<SocketAddr>>;

pub(crate) struct Resolver {
    overrides: Overrides,
    pub(super) lookups: Arc<Semaphore>,
    cache: Mutex<HashMap<String, Remembered>>,
}

struct Remembered {
    addresses: Vec<IpAddr>,
    until: Instant,
}

impl Resolver {
    pub(crate) fn new(overrides: Overrides) -> Resolver {
        Resolver {
            overrides,
            lookups: Arc::new(Semaphore::new(DNS_LOOKUPS_MAX)),
            cache: Mutex::new(HashMap::new()),
        }
    }

    /// The addresses of `host` that are known without asking: a literal, an override, or remembered.
    pub(crate) fn known(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        if let Some(addresses) = self.overrides.get(host) {
            let with_port = |address: &SocketAddr| match address.port() {
                0 => SocketAddr::new(address.ip(), port),
                _ => *address,
            };
            return Some(
                addresses
                    .iter()
                    .map(with_port)
                    .take(ADDRESSES_MAX)
                    .collect(),
            );
        }
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if let Ok(address) = literal.unwrap_or(host).parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(address, port)]);
        }
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cache.get(host).filter(|found| found.until > clock::now())?;
        Some(
            found
                .addresses
                .iter()
                .map(|address| SocketAddr::new(*address, port))
                .collect(),
        )
    }

    /// Asks the system's resolver.
    ///
    /// Cancel safe: the lookup itself goes on in its thread, and holds its permit until it ends.
    pub(crate) async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        // The permit moves into the thread: a lookup that is given up still occupies it.
        let place = self
            .lookups
            .clone()
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let name = host.to_owned();
        #[expect(clippy::disallowed_methods, reason = "bounded in number, and awaited")]
        let lookup = tokio::task::spawn_blocking(move || {
            let _place = place;
            (name.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>)
        });
        let addresses = lookup.await.map_err(io::Error::other)??;
        let addresses = interleave(addresses);
        self.remember(host, &addresses);
        Ok(addresses)
    }

    fn remember(&self, host: &str, addresses: &[SocketAddr]) {
        let now = clock::now();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        // Expired names are removed only when room is needed: a lookup passes over them.
        if cache.len() >= DNS_NAMES_MAX {
            cache.retain(|_, remembered| remembered.until > now);
        }
        if cache.len() < DNS_NAMES_MAX && !addresses.is_empty() {
            let remembered = Remembered {
                addresses: addresses.iter().map(SocketAddr::ip).collect(),
                until: now + Duration::from_secs(DNS_KEPT_SECONDS),
            };
            cache.insert(host.to_owned(), remembered);
        }
    }
}

/// Families in turn, the resolver's first choice first (RFC 8305 section 4); at most
/// [`ADDRESSES_MAX`].
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    // The system has sorted by RFC 6724; that order is kept within each family.
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut mixed = Vec::new();
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed.truncate(ADDRESSES_MAX);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_number_is_bounded() {
        let v4 = |n: u8| SocketAddr::from(([127, 0, 0, n], 1));
        let v6 = |n: u16| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, n], 1));
        let mixed = interleave(vec![v6(1), v6(2), v6(3), v4(1), v4(2)]);
        assert_eq!(mixed, [v6(1), v4(1), v6(2), v4(2), v6(3)]);
        assert_eq!(interleave((0..100).map(v4).collect()).len(), ADDRESSES_MAX);
    }

    #[test]
    fn literals_and_overrides_need_no_lookup() {
        let fixed = SocketAddr::from(([127, 0, 0, 9], 0));
        let resolver = Resolver::new(HashMap::from([("a.test".to_owned(), vec![fixed])]));
        assert_eq!(
            resolver.known("[::1]", 7),
            Some(vec!["[::1]:7".parse().unwrap()])
        );
        assert_eq!(
            resolver.known("127.0.0.1", 7),
            Some(vec!["127.0.0.1:7".parse().unwrap()])
        );
        assert_eq!(
            resolver.known("a.test", 7),
            Some(vec!["127.0.0.9:7".parse().unwrap()])
        );
        assert_eq!(resolver.known("b.test", 7), None);
    }
}
