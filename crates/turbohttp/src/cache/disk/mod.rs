//! Entries in a directory: a file for each, written beside its place and renamed.
//!
//! # Implementation
//!
//! A file is named by the hashes of its [`Id`], so that the table in memory is made of names and sizes alone:
//! no file is opened for it. Times of modification are those of the last use. A file is read whole and
//! checked; one that is torn, or another one under its name, is a miss, and is removed. Two processes on one
//! directory see whole files of one another or none; each counts only what it has found or written itself.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use turbohttp_core::sync::lock;

use super::entry::{Entry, Id, Key};
use super::index::Index;
use super::limits::{CACHE_ENTRIES_MAX, CACHE_ENTRY_OVERHEAD_BYTES, CACHE_LEFTOVER_SECONDS};

mod file;
mod name;

/// The store in a directory. Everything in it blocks, but for [`ids`](Disk::ids) and [`size`](Disk::size).
pub(super) struct Disk {
    directory: PathBuf,
    index: Mutex<Index<()>>,
}

/// The name of the file that is made to see whether any can be.
const PROBE: Id = Id {
    key: [0; 32],
    selection: [0; 32],
};

/// Part of the names of files that this process writes, in whichever directory.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Disk {
    /// Makes the directory if there is none, and looks through it.
    ///
    /// # Errors
    ///
    /// It cannot be made, read or written to.
    pub(super) fn open(directory: PathBuf, bytes_max: u64) -> io::Result<Disk> {
        make_private(&directory)?;
        let disk = Disk {
            index: Mutex::new(Index::new(bytes_max)),
            directory,
        };
        // Told now, and not by the first response.
        let probe = disk.part_of(&name::of(&PROBE));
        let probed = create_private(&probe).map(drop);
        _ = fs::remove_file(&probe);
        probed?;
        disk.scan()?;
        Ok(disk)
    }

    /// Takes in the files that are there, the one first that was not used for longest.
    fn scan(&self) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let Ok(data) = entry.metadata() else {
                // Another process has removed it meanwhile.
                continue;
            };
            let used = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if let Some(id) = name::read(&name) {
                found.push((used, id, data.len()));
            } else if name::is_part(&name) && is_leftover(used) {
                _ = fs::remove_file(entry.path());
            }
            if found.len() > CACHE_ENTRIES_MAX {
                break;
            }
        }
        // The order in which they are added is that in which they go.
        found.sort_unstable_by_key(|(used, ..)| *used);
        for (_, id, bytes) in found {
            self.add(id, bytes);
        }
        Ok(())
    }

    /// Counts a file that is there, and removes those that have to go for it.
    fn add(&self, id: Id, bytes: u64) -> usize {
        let bytes = bytes + CACHE_ENTRY_OVERHEAD_BYTES;
        let evicted = lock(&self.index).insert(id, (), bytes);
        // Outside of the lock, where another thread may write the file anew: then its entry is a miss.
        for (id, ()) in &evicted {
            _ = fs::remove_file(self.path(id));
        }
        evicted.len()
    }

    /// The entries of a URL by name.
    pub(super) fn ids(&self, key: &Key) -> Vec<Id> {
        let found = lock(&self.index).of(key);
        found.into_iter().map(|(id, ())| id).collect()
    }

    /// Reads those of `ids` that answer a request for `url` with these fields.
    pub(super) fn read(&self, ids: &[Id], url: &str, headers: &HeaderMap) -> Vec<Arc<Entry>> {
        let read = |id| match self.read_one(id, url, headers) {
            Ok(Some(entry)) => entry.map(Arc::new),
            // Torn, foreign, or gone.
            Ok(None) | Err(_) => {
                self.remove(id);
                None
            }
        };
        ids.iter().filter_map(read).collect()
    }

    /// `None` of a file that is no entry of this name; `Some(None)` of one that answers other requests.
    fn read_one(
        &self,
        id: &Id,
        url: &str,
        headers: &HeaderMap,
    ) -> io::Result<Option<Option<Entry>>> {
        let opened = match file::open(File::open(self.path(id))?)? {
            // A file is what its name says, or it is foreign.
            Some(opened) if opened.head.id() == *id => opened,
            _ => return Ok(None),
        };
        if !opened.head.answers(url, headers) {
            return Ok(Some(None));
        }
        Ok(opened.read()?.map(Some))
    }

    /// Notes the use in the file too, for the next one who opens the directory.
    pub(super) fn touch(&self, id: &Id) {
        lock(&self.index).touch(id);
        if let Ok(file) = File::options().append(true).open(self.path(id)) {
            _ = file.set_modified(SystemTime::now());
        }
    }

    /// Writes `entry` beside its place, and puts it there if `is_current` still says so; returns how many had
    /// to go for it.
    ///
    /// # Errors
    ///
    /// Those of the file, which is removed then.
    pub(super) fn put(
        &self,
        entry: &Entry,
        is_current: impl Fn() -> bool,
    ) -> io::Result<Option<usize>> {
        let id = entry.head.id();
        let part = self.part_of(&name::of(&id));
        // Renaming takes the place of the old file at once: who reads has the one or the other.
        let written = create_private(&part)
            .and_then(|file| file::write(entry, &mut io::BufWriter::new(file)))
            .and_then(|()| fs::rename(&part, self.path(&id)));
        if let Err(error) = written {
            _ = fs::remove_file(&part);
            return Err(error);
        }
        let evicted = self.add(id, file::length(entry));
        // Last: an invalidation counts first and removes then, so that one of the two sees the other.
        if !is_current() {
            self.remove(&id);
            return Ok(None);
        }
        Ok(Some(evicted))
    }

    pub(super) fn remove(&self, id: &Id) {
        lock(&self.index).remove(id);
        _ = fs::remove_file(self.path(id));
    }

    pub(super) fn remove_all(&self, key: &Key) {
        let removed = lock(&self.index).remove_all(key);
        for (id, ()) in removed {
            _ = fs::remove_file(self.path(&id));
        }
    }

    pub(super) fn clear(&self) {
        let removed = lock(&self.index).clear();
        for (id, ()) in removed {
            _ = fs::remove_file(self.path(&id));
        }
    }

    /// Entries and their bytes.
    pub(super) fn size(&self) -> (usize, u64) {
        let index = lock(&self.index);
        (index.len(), index.bytes())
    }

    fn path(&self, id: &Id) -> PathBuf {
        self.directory.join(name::of(id))
    }

    /// A name that no other writer has, in this process or another one.
    fn part_of(&self, name: &str) -> PathBuf {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = name::part(name, std::process::id(), next);
        self.directory.join(name)
    }
}

/// Whether what was written last then is of a process that has died.
fn is_leftover(written: SystemTime) -> bool {
    let age = SystemTime::now()
        .duration_since(written)
        .unwrap_or_default();
    age >= Duration::from_secs(CACHE_LEFTOVER_SECONDS)
}

/// Responses may be secrets of one user.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}
