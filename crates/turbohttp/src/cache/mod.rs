//! A private HTTP cache (RFC 9111).
//!
//! A cache answers attempts: below redirects, retries, cookies, credentials and decoding, and above the permit.
//! So each hop of a redirect is looked up by its own URL, the fields that select a response are those that would
//! be sent, and what is stored is what came, codings included. `answer.rs` is the walk of one attempt; read it
//! first. `rules.rs` and `directives.rs` decide, `entry.rs` is what is stored, `tee.rs` copies a body while it is
//! read, `refresh.rs` validates in the background, and `store.rs` keeps entries in `memory.rs` or `disk`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use tokio::sync::Notify;
use turbohttp_core::sync::lock;

use crate::error::{Error, ErrorKind, Result};

mod answer;
mod directives;
mod disk;
mod entry;
mod index;
mod limits;
mod memory;
mod refresh;
mod rules;
mod status;
mod store;
mod tee;

pub(crate) use answer::Caching;
pub(crate) use refresh::Refresher;
pub use status::CacheStatus;

use entry::{Entry, Id, Key};
use limits::{CACHE_BYTES_MIN, CACHE_PENDING_BYTES_MAX};
use refresh::Refreshes;
use store::{Store, blocking};

/// Responses that are kept to answer later requests: a private cache by RFC 9111, in memory or in a directory.
///
/// A clone is the same cache. Two clients may share one, if they are of the same user.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// use turbohttp::{Cache, CacheStatus, Client, MockReply, MockTransport, StatusCode};
///
/// # let reply = MockReply::new(StatusCode::OK).header("cache-control", "max-age=60").body("content");
/// # let mock = MockTransport::new(reply);
/// let cache = Cache::memory(64 * 1024 * 1024);
/// let client = Client::builder().cache(cache.clone());
/// # let client = client.transport(mock);
/// let client = client.build()?;
/// for expected in [CacheStatus::Miss, CacheStatus::Hit] {
///     let response = client.get("http://example.com/").send().await?;
///     assert_eq!(response.cache_status(), Some(expected));
///     assert_eq!(response.text().await?, "content");
/// }
/// assert_eq!(cache.stats().hits, 1);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
///
/// The bound counts heads, bodies and 512 bytes for each entry; beyond it, the entries go that were not used for
/// longest. A body of more than an eighth of the bound is not stored, nor one of more than 32 MiB in a directory.
#[derive(Clone)]
pub struct Cache {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    bytes_max: u64,
    clock: OnceLock<Clock>,
    counts: Counts,
    /// How often something was removed for an unsafe request, by the first bits of the key. What was asked for
    /// before that is not stored after it.
    epochs: [AtomicU64; EPOCHS],
    /// Bytes of bodies on their way into the cache.
    pending: AtomicUsize,
    refreshes: Mutex<Refreshes>,
    /// Files that are being written, and who waits for the last of them.
    writes: AtomicUsize,
    written: Notify,
    failure: Mutex<Option<String>>,
}

type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

const EPOCHS: usize = 64;

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    stale: AtomicU64,
    revalidated: AtomicU64,
    misses: AtomicU64,
    bypassed: AtomicU64,
    stored: AtomicU64,
    evicted: AtomicU64,
    failures: AtomicU64,
}

/// What a cache has counted, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Attempts that were answered by [`CacheStatus::Hit`].
    pub hits: u64,
    /// Those that were answered by [`CacheStatus::Stale`].
    pub stale: u64,
    /// Those that were answered by [`CacheStatus::Revalidated`].
    pub revalidated: u64,
    /// Those that were answered by [`CacheStatus::Miss`].
    pub misses: u64,
    /// Those that were answered by [`CacheStatus::Bypass`].
    pub bypassed: u64,
    /// Entries that were stored or confirmed.
    pub stored: u64,
    /// Entries that went for the bounds.
    pub evicted: u64,
    /// Entries that could not be written, and a directory that could not be opened.
    pub failures: u64,
    /// What the last of the failures said.
    pub failure: Option<String>,
    /// Entries that are there.
    pub entries: usize,
    /// Bytes that count against the bound.
    pub bytes: u64,
}

impl Cache {
    /// A cache in memory, of at most so many bytes.
    pub fn memory(bytes_max: u64) -> Cache {
        Cache::new(Store::memory(bytes_max), bytes_max)
    }

    /// A cache in files of this directory, of at most so many bytes. The directory is made if there is none, for
    /// its owner alone, and opened by the first request; files that a former cache has left there are taken over.
    ///
    /// A directory that cannot be used leaves the client without a cache: [`CacheStats::failure`] says why. Two
    /// processes may use one directory: neither sees a part of an entry, nor what the other one has added since;
    /// each keeps the bound by what it knows of.
    pub fn directory(path: impl AsRef<Path>, bytes_max: u64) -> Cache {
        let path = PathBuf::from(path.as_ref());
        Cache::new(Store::directory(path, bytes_max), bytes_max)
    }

    fn new(store: Store, bytes_max: u64) -> Cache {
        Cache {
            shared: Arc::new(Shared {
                store,
                bytes_max,
                clock: OnceLock::new(),
                counts: Counts::default(),
                epochs: [const { AtomicU64::new(0) }; EPOCHS],
                pending: AtomicUsize::new(0),
                refreshes: Mutex::default(),
                writes: AtomicUsize::new(0),
                written: Notify::new(),
                failure: Mutex::default(),
            }),
        }
    }

    /// Takes the time from `clock` in place of the system, for tests; the first one that is set stays.
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Cache {
        _ = self.shared.clock.set(Box::new(clock));
        self
    }

    /// What was counted so far.
    pub fn stats(&self) -> CacheStats {
        let counts = &self.shared.counts;
        let (entries, bytes) = self.shared.store.size();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&counts.hits),
            stale: read(&counts.stale),
            revalidated: read(&counts.revalidated),
            misses: read(&counts.misses),
            bypassed: read(&counts.bypassed),
            stored: read(&counts.stored),
            evicted: read(&counts.evicted),
            failures: read(&counts.failures),
            failure: lock(&self.shared.failure).clone(),
            entries,
            bytes,
        }
    }

    /// Removes every entry. In a directory, files that are no entries stay.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped, it goes on in the runtime's blocking pool, if it has begun there.
    pub async fn clear(&self) {
        self.shared.epochs.iter().for_each(begin_epoch);
        let cleared = self.shared.store.clear().await;
        self.note(cleared);
    }

    /// Waits until the files are written that are being written now. In memory there is nothing to wait for.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the files are written all the same.
    pub async fn flush(&self) {
        loop {
            let mut written = std::pin::pin!(self.shared.written.notified());
            // Registered before the look, so that the last write is not missed.
            written.as_mut().enable();
            if self.shared.writes.load(Ordering::Acquire) == 0 {
                return;
            }
            written.await;
        }
    }

    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the bound is too small.
    pub(crate) fn check(&self) -> Result<()> {
        let bytes_max = self.shared.bytes_max;
        if bytes_max < CACHE_BYTES_MIN {
            let message = format!(
                "cache: the bound must be at least {CACHE_BYTES_MIN} bytes, not {bytes_max}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(())
    }

    fn now(&self) -> SystemTime {
        self.shared
            .clock
            .get()
            .map_or_else(SystemTime::now, |clock| clock())
    }

    fn body_bytes_max(&self) -> u64 {
        self.shared.store.body_bytes_max(self.shared.bytes_max)
    }

    /// Counts an answer, and says in it where it comes from.
    fn count(&self, status: CacheStatus) {
        let counts = &self.shared.counts;
        let count = match status {
            CacheStatus::Hit => &counts.hits,
            CacheStatus::Stale => &counts.stale,
            CacheStatus::Revalidated => &counts.revalidated,
            CacheStatus::Miss => &counts.misses,
            CacheStatus::Bypass => &counts.bypassed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn count_stored(&self, evicted: Option<usize>) {
        let counts = &self.shared.counts;
        if let Some(evicted) = evicted {
            counts.stored.fetch_add(1, Ordering::Relaxed);
            counts.evicted.fetch_add(evicted as u64, Ordering::Relaxed);
        }
    }

    /// What `done` brought; a failure is noted and brings nothing, as no request fails by its cache.
    fn note<T: Default>(&self, done: io::Result<T>) -> T {
        done.unwrap_or_else(|error| {
            self.shared.counts.failures.fetch_add(1, Ordering::Relaxed);
            *lock(&self.shared.failure) = Some(error.to_string());
            T::default()
        })
    }

    /// What an entry that is asked for now is stored under, if nothing is removed meanwhile.
    fn epoch(&self, key: &Key) -> Epoch {
        let at = usize::from(key[0]) % EPOCHS;
        Epoch {
            at,
            count: self.shared.epochs[at].load(Ordering::Acquire),
        }
    }

    fn is_current(&self, epoch: Epoch) -> bool {
        self.shared.epochs[epoch.at].load(Ordering::Acquire) == epoch.count
    }

    /// Removes the entries of a URL, and those that are on their way.
    async fn invalidate(&self, key: Key) {
        // First: what is put from now on sees it, and what was put before is removed.
        begin_epoch(&self.shared.epochs[self.epoch(&key).at]);
        let removed = self.shared.store.remove_all(key).await;
        self.note(removed);
    }

    async fn remove(&self, id: Id) {
        let removed = self.shared.store.remove(id).await;
        self.note(removed);
    }

    /// Stores an entry: in memory at once, in a directory by a thread of the runtime's blocking pool.
    fn put(&self, entry: Entry, epoch: Epoch) {
        // A head alone could push out everything, too.
        let largest = entry.body.len().max(entry.head.bytes()) as u64;
        if largest > self.body_bytes_max() {
            return;
        }
        match &self.shared.store {
            Store::Memory(memory) => {
                self.count_stored(memory.put(entry, || self.is_current(epoch)));
            }
            Store::Directory(directory) => {
                let Some(disk) = directory.opened().cloned() else {
                    return;
                };
                let cache = self.clone();
                // Counted before the thread has it, so that a `flush` from now on waits for it.
                let write = Write::begin(self.clone());
                // Nothing waits for it: it ends by itself, and `flush` sees when.
                _ = blocking(move || {
                    let put = disk.put(&entry, || cache.is_current(epoch));
                    cache.count_stored(cache.note(put));
                    // Last, so that what `flush` has waited for is counted.
                    drop(write);
                });
            }
        }
    }

    /// Room for so many bytes of a body on its way.
    fn reserve(&self, bytes: usize) -> bool {
        let taken = |pending: usize| {
            let sum = pending.checked_add(bytes)?;
            (sum <= CACHE_PENDING_BYTES_MAX).then_some(sum)
        };
        let pending = &self.shared.pending;
        pending
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken)
            .is_ok()
    }

    fn release(&self, bytes: usize) {
        self.shared.pending.fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn begin_epoch(epoch: &AtomicU64) {
    epoch.fetch_add(1, Ordering::AcqRel);
}

/// When something was asked for, as far as removals are concerned.
#[derive(Clone, Copy)]
struct Epoch {
    at: usize,
    count: u64,
}

/// A file that is being written, or will never be, as its runtime was shut down.
struct Write(Cache);

impl Write {
    fn begin(cache: Cache) -> Write {
        cache.shared.writes.fetch_add(1, Ordering::Relaxed);
        Write(cache)
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let shared = &self.0.shared;
        if shared.writes.fetch_sub(1, Ordering::Release) == 1 {
            shared.written.notify_waiters();
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, bytes) = self.shared.store.size();
        f.debug_struct("Cache")
            .field("entries", &entries)
            .field("bytes", &bytes)
            .field("bytes_max", &self.shared.bytes_max)
            .finish_non_exhaustive()
    }
}
