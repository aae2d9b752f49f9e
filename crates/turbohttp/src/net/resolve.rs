//! Names to addresses: by the system's resolver in threads of our own, bounded, shared and remembered.
//!
//! Failures are not remembered: a name that was just entered is found at once. The system's resolver
//! tells no lifetime, so addresses are kept for [`DNS_KEPT_SECONDS`], and not at all once a connection to
//! them has failed.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::route::Route;
use super::shortage::descriptor_shortage;
use crate::clock;
use crate::limits::{ADDRESSES_MAX, DNS_KEPT_SECONDS, DNS_NAMES_MAX};

mod lookups;
mod user;

pub use user::Resolve;
pub(crate) use user::UserResolver;

use lookups::{Lookups, Outcome, SLOW_AFTER};

/// Addresses of hosts that DNS is not asked for; as many as the options of the transport have.
pub(crate) type Overrides = HashMap<String, Vec<SocketAddr>>;

/// What asks the system: blocking, for as long as it takes.
type Ask = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

pub(crate) struct Resolver {
    overrides: Overrides,
    /// What is asked in place of the system.
    user: Option<UserResolver>,
    shared: Arc<Shared>,
}

/// What the threads of look-ups share with the resolver.
struct Shared {
    ask: Box<Ask>,
    lookups: Mutex<Lookups>,
    cache: Mutex<HashMap<String, Remembered>>,
}

struct Remembered {
    addresses: Arc<[SocketAddr]>,
    until: Instant,
}

impl Resolver {
    pub(crate) fn new(overrides: Overrides, user: Option<UserResolver>) -> Resolver {
        // The port means nothing to the question.
        let system = |name: &str| Ok((name, 0).to_socket_addrs()?.collect());
        Resolver {
            user,
            ..Resolver::asking(overrides, system)
        }
    }

    fn asking(
        overrides: Overrides,
        ask: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Resolver {
        Resolver {
            overrides,
            user: None,
            shared: Arc::new(Shared {
                ask: Box::new(ask),
                lookups: Mutex::default(),
                cache: Mutex::default(),
            }),
        }
    }

    /// A resolver whose names have no answer until `answered` is dropped.
    #[cfg(test)]
    pub(super) fn silent(answered: std::sync::mpsc::Receiver<()>) -> Resolver {
        let answered = Mutex::new(answered);
        Resolver::asking(Overrides::default(), move |_| {
            _ = lock(&answered).recv();
            Ok(Vec::new())
        })
    }

    /// Whether the options say the addresses of `host`.
    pub(crate) fn is_overridden(&self, host: &str) -> bool {
        self.overrides.contains_key(host)
    }

    /// The addresses of `route` that are known without asking: an override, a literal, or remembered.
    pub(crate) fn known(&self, route: &Route) -> Option<Vec<SocketAddr>> {
        let (host, port) = (route.origin.host(), route.origin.port());
        if let Some(addresses) = self.overrides.get(host) {
            let with_port = |address: &SocketAddr| match address.port() {
                0 => SocketAddr::new(address.ip(), port),
                _ => *address,
            };
            let addresses = addresses.iter().map(with_port).take(ADDRESSES_MAX);
            return Some(addresses.collect());
        }
        let name = route.name();
        let literal = name
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if let Ok(address) = literal.unwrap_or(name).parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(address, port)]);
        }
        let cache = lock(&self.shared.cache);
        let found = cache.get(name).filter(|found| found.until > clock::now())?;
        Some(with_port(&found.addresses, port))
    }

    /// Asks the user's resolver, or the system's: then all who ask for the same name at the same time share one look-up.
    ///
    /// Cancel safe: a look-up that nobody waits for any more leaves the line, or its place.
    pub(crate) async fn look_up(&self, route: &Route) -> io::Result<Vec<SocketAddr>> {
        let name = route.name();
        if let Some(user) = &self.user {
            let found = user.look_up(name).await?;
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            return Ok(with_port(
                &interleave(addresses.collect()),
                route.origin.port(),
            ));
        }
        let mut waiter = Waiter {
            receiver: Some(lock(&self.shared.lookups).join(name)),
            shared: &self.shared,
            name,
        };
        Shared::start_due(&self.shared);
        loop {
            if let Ok(outcome) = tokio::time::timeout(SLOW_AFTER, waiter.outcome()).await {
                let addresses = outcome?;
                return Ok(with_port(&addresses, route.origin.port()));
            }
            // A look-up that has become slow by now frees its place.
            let due = lock(&self.shared.lookups).start_due_again(clock::now());
            Shared::start(&self.shared, due);
        }
    }

    /// Forgets those addresses of `route` that refused a connection.
    #[cold]
    pub(crate) fn forget(&self, route: &Route, refused: impl Fn(IpAddr) -> bool) {
        let mut cache = lock(&self.shared.cache);
        let Some(found) = cache.get_mut(route.name()) else {
            return;
        };
        found.addresses = (found.addresses.iter().copied())
            .filter(|address| !refused(address.ip()))
            .collect();
        if found.addresses.is_empty() {
            cache.remove(route.name());
        }
    }
}

/// One that waits for the look-up of a name.
struct Waiter<'a> {
    receiver: Option<watch::Receiver<Option<Outcome>>>,
    shared: &'a Shared,
    name: &'a str,
}

impl Waiter<'_> {
    async fn outcome(&mut self) -> io::Result<Arc<[SocketAddr]>> {
        let receiver = self
            .receiver
            .as_mut()
            .expect("dropped with the waiter only");
        let settled = receiver.wait_for(Option::is_some).await;
        let outcome = settled.map_err(io::Error::other)?.clone();
        let addresses = outcome.expect("waited for");
        // Shared by all who wait, so that each gets an error of the same kind around it; the code of the
        // system says whether it is a shortage.
        addresses.map_err(|error| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error),
        })
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // Under the lock, so that of two who leave at once one is the last.
        let mut lookups = lock(&self.shared.lookups);
        self.receiver = None;
        lookups.leave(self.name);
    }
}

impl Shared {
    /// Starts a thread for every look-up whose turn it is.
    fn start_due(shared: &Arc<Shared>) {
        let due = lock(&shared.lookups).start_due(clock::now());
        Shared::start(shared, due);
    }

    /// Starts a thread for each of these.
    fn start(shared: &Arc<Shared>, due: Vec<Box<str>>) {
        for name in due {
            let (own, asked) = (shared.clone(), name.clone());
            let thread = std::thread::Builder::new().name("turbohttp-dns".to_owned());
            #[expect(
                clippy::disallowed_methods,
                reason = "bounded in number, and ends with the system's answer or its own timeout"
            )]
            let spawned = thread.spawn(move || {
                own.ask_and_settle(&asked);
                // Its place is free.
                Shared::start_due(&own);
            });
            if let Err(error) = spawned {
                shared.settle(&name, Err(Arc::new(error)));
            }
        }
    }

    fn ask_and_settle(&self, name: &str) {
        let outcome = match (self.ask)(name) {
            Ok(addresses) => Ok(interleave(addresses).into()),
            Err(error) => Err(Arc::new(descriptor_shortage().unwrap_or(error))),
        };
        if let Ok(addresses) = &outcome {
            self.remember(name, addresses);
        }
        self.settle(name, outcome);
    }

    fn settle(&self, name: &str, outcome: Outcome) {
        lock(&self.lookups).settle(name, outcome, clock::now());
    }

    fn remember(&self, name: &str, addresses: &Arc<[SocketAddr]>) {
        let now = clock::now();
        let mut cache = lock(&self.cache);
        // Expired names are removed only when room is needed: a lookup passes over them.
        if cache.len() >= DNS_NAMES_MAX {
            cache.retain(|_, remembered| remembered.until > now);
        }
        if cache.len() < DNS_NAMES_MAX && !addresses.is_empty() {
            let remembered = Remembered {
                addresses: addresses.clone(),
                until: now + Duration::from_secs(DNS_KEPT_SECONDS),
            };
            cache.insert(name.to_owned(), remembered);
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with_port(addresses: &[SocketAddr], port: u16) -> Vec<SocketAddr> {
    let with_port = |mut address: SocketAddr| {
        // The zone of an IPv6 address stays.
        address.set_port(port);
        address
    };
    addresses.iter().copied().map(with_port).collect()
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use turbohttp_core::origin::{Origin, Scheme};

    use super::*;

    fn route(host: &str) -> Route {
        let origin = Origin::new(Scheme::Http, host, 7);
        Route::direct(&origin)
    }

    #[tokio::test]
    async fn burst_is_one_question_and_failures_are_not_kept() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (answer, answered) = std::sync::mpsc::channel::<()>();
        let (count, answered) = (asked.clone(), Mutex::new(answered));
        let resolver = Arc::new(Resolver::asking(Overrides::default(), move |name| {
            count.fetch_add(1, Ordering::SeqCst);
            // Until all are in line; then the channel is closed.
            _ = lock(&answered).recv();
            match name {
                "no.test" => Err(io::Error::new(io::ErrorKind::NotFound, "no such host")),
                _ => Ok(vec![SocketAddr::from(([127, 0, 0, 3], 0))]),
            }
        }));
        let mut burst = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let resolver = resolver.clone();
            burst.spawn(async move { resolver.look_up(&route("a.test")).await.unwrap() });
        }
        // Spawned before this task goes on: on one thread tasks run in their order.
        tokio::task::yield_now().await;
        drop(answer);
        while let Some(found) = burst.join_next().await {
            assert_eq!(found.unwrap(), ["127.0.0.3:7".parse().unwrap()]);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(resolver.known(&route("a.test")).is_some());
        for asked_by_now in [2, 3] {
            let error = resolver.look_up(&route("no.test")).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert_eq!(error.to_string(), "no such host");
            assert_eq!(asked.load(Ordering::SeqCst), asked_by_now);
        }
    }

    #[tokio::test]
    async fn refused_addresses_are_forgotten() {
        let resolver = Resolver::asking(Overrides::default(), |_| {
            let address = |n| SocketAddr::from(([127, 0, 0, n], 0));
            Ok(vec![address(1), address(2)])
        });
        let at = route("a.test");
        resolver.look_up(&at).await.unwrap();
        resolver.forget(&at, |address| address == IpAddr::from([127, 0, 0, 1]));
        assert_eq!(
            resolver.known(&at),
            Some(vec!["127.0.0.2:7".parse().unwrap()])
        );
        resolver.forget(&at, |_| true);
        assert_eq!(resolver.known(&at), None);
        // A name with its final dot is another question.
        let absolute = Route::new(at.origin.clone(), Some("a.test.".into()), None);
        resolver.look_up(&absolute).await.unwrap();
        assert_eq!(
            (
                resolver.known(&at),
                resolver.known(&absolute).map(|found| found.len())
            ),
            (None, Some(2))
        );
    }

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
        let resolver = Resolver::new(HashMap::from([("a.test".to_owned(), vec![fixed])]), None);
        let known = |host: &str| resolver.known(&route(host));
        assert_eq!(known("[::1]"), Some(vec!["[::1]:7".parse().unwrap()]));
        assert_eq!(
            known("127.0.0.1"),
            Some(vec!["127.0.0.1:7".parse().unwrap()])
        );
        assert_eq!(known("a.test"), Some(vec!["127.0.0.9:7".parse().unwrap()]));
        assert_eq!(known("b.test"), None);
    }
}
