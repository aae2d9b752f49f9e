//! Where entries are: in memory, or in a directory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use super::disk::Disk;
use super::entry::{Entry, Id, Key, key_of};
use super::limits::{CACHE_FILE_BODY_BYTES_MAX, CACHE_SHARE};
use super::memory::Memory;

/// One of the two stores.
pub(super) enum Store {
    Memory(Memory),
    Directory(Directory),
}

/// A directory that is opened by the first request.
pub(super) struct Directory {
    path: PathBuf,
    bytes_max: u64,
    /// `None` once it could not be opened: the client works without it.
    disk: OnceCell<Option<Arc<Disk>>>,
}

impl Store {
    pub(super) fn memory(bytes_max: u64) -> Store {
        Store::Memory(Memory::new(bytes_max))
    }

    pub(super) fn directory(path: PathBuf, bytes_max: u64) -> Store {
        Store::Directory(Directory {
            path,
            bytes_max,
            disk: OnceCell::new(),
        })
    }

    /// The largest body that is stored, in bytes, where all may take so many.
    pub(super) fn body_bytes_max(&self, bytes_max: u64) -> u64 {
        let share = bytes_max / CACHE_SHARE;
        match self {
            Store::Memory(_) => share,
            Store::Directory(_) => share.min(CACHE_FILE_BODY_BYTES_MAX),
        }
    }

    /// The entry that a request for `url` with these fields selects; of several the one that came last (RFC 9111
    /// section 4).
    ///
    /// # Errors
    ///
    /// The directory cannot be opened, which is said once.
    pub(super) async fn find(
        &self,
        url: &str,
        headers: &HeaderMap,
    ) -> io::Result<Option<Arc<Entry>>> {
        let key = key_of(url);
        match self {
            Store::Memory(memory) => {
                let mut found = memory.of(&key);
                found.retain(|entry| entry.head.answers(url, headers));
                let found = newest(found);
                if let Some(entry) = &found {
                    memory.touch(&entry.head.id());
                }
                Ok(found)
            }
            Store::Directory(directory) => {
                let Some(disk) = directory.open().await? else {
                    return Ok(None);
                };
                // Most URLs have no file: then no thread is asked.
                let ids = disk.ids(&key);
                if ids.is_empty() {
                    return Ok(None);
                }
                // Copied for the thread that reads.
                let (disk, url, headers) = (disk.clone(), url.to_owned(), headers.clone());
                let read = blocking(move || {
                    let found = newest(disk.read(&ids, &url, &headers));
                    if let Some(entry) = &found {
                        disk.touch(&entry.head.id());
                    }
                    found
                });
                Ok(joined(read).await.flatten())
            }
        }
    }

    /// Removes one entry.
    ///
    /// # Errors
    ///
    /// As [`find`](Store::find).
    pub(super) async fn remove(&self, id: Id) -> io::Result<()> {
        match self {
            Store::Memory(memory) => memory.remove(&id),
            Store::Directory(directory) => directory.with(move |disk| disk.remove(&id)).await?,
        }
        Ok(())
    }

    /// Removes the entries of a URL.
    ///
    /// # Errors
    ///
    /// As [`find`](Store::find).
    pub(super) async fn remove_all(&self, key: Key) -> io::Result<()> {
        match self {
            Store::Memory(memory) => memory.remove_all(&key),
            Store::Directory(directory) => {
                directory.with(move |disk| disk.remove_all(&key)).await?
            }
        }
        Ok(())
    }

    /// Removes everything.
    ///
    /// # Errors
    ///
    /// As [`find`](Store::find).
    pub(super) async fn clear(&self) -> io::Result<()> {
        match self {
            Store::Memory(memory) => memory.clear(),
            Store::Directory(directory) => directory.with(Disk::clear).await?,
        }
        Ok(())
    }

    /// Entries and their bytes.
    pub(super) fn size(&self) -> (usize, u64) {
        match self {
            Store::Memory(memory) => memory.size(),
            Store::Directory(directory) => directory.opened().map_or((0, 0), |disk| disk.size()),
        }
    }
}

impl Directory {
    async fn open(&self) -> io::Result<Option<&Arc<Disk>>> {
        // A caller that is dropped here leaves the cell empty, and the next one looks through the directory anew.
        let mut failed = None;
        let opened = self.disk.get_or_init(|| async {
            let (path, bytes_max) = (self.path.clone(), self.bytes_max);
            match joined(blocking(move || Disk::open(path, bytes_max))).await {
                Some(Ok(disk)) => Some(Arc::new(disk)),
                Some(Err(error)) => {
                    failed = Some(error);
                    None
                }
                None => {
                    failed = Some(io::Error::other(
                        "there is no tokio runtime to read files with",
                    ));
                    None
                }
            }
        });
        let opened = opened.await.as_ref();
        failed.map_or(Ok(opened), Err)
    }

    pub(super) fn opened(&self) -> Option<&Arc<Disk>> {
        self.disk.get()?.as_ref()
    }

    /// Has the store do something that blocks. A directory that nothing has asked yet has its files all the same.
    async fn with(&self, work: impl FnOnce(&Disk) + Send + 'static) -> io::Result<()> {
        if let Some(disk) = self.open().await?.cloned() {
            _ = joined(blocking(move || work(&disk))).await;
        }
        Ok(())
    }
}

fn newest(entries: Vec<Arc<Entry>>) -> Option<Arc<Entry>> {
    entries.into_iter().max_by_key(|entry| entry.head.since)
}

/// Runs what blocks in the runtime's blocking pool; dropped, it goes on there to its end. `None` without a
/// runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "one piece of work on files, which ends by itself"
)]
pub(super) fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<JoinHandle<T>> {
    let runtime = Handle::try_current().ok()?;
    Some(runtime.spawn_blocking(work))
}

/// The result of [`blocking`]; `None` if the runtime was shut down.
async fn joined<T>(work: Option<JoinHandle<T>>) -> Option<T> {
    work?.await.ok()
}
