//! The unfinished file and its journal on disk. All of it blocks, and runs in the blocking pool.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use super::journal::{self, Journal};

/// What the name of an unfinished file ends with, and that of its journal.
const PART: &str = ".turbohttp.part";
const JOURNAL: &str = ".turbohttp.journal";

/// The longest name that common file systems take, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// How often a file that another download has is tried, and the time between: a write of a download that was
/// dropped a moment ago may still be under way.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A journal is small: its lines about the file, and one for each piece.
const JOURNAL_BYTES_MAX: u64 = 256 * 1024;

/// A file that is being downloaded, locked against other downloads. Dropped, it stays for a later one if it
/// has a journal.
#[derive(Debug)]
pub(super) struct Part {
    /// What the file will be called; a link to a file is resolved.
    target: PathBuf,
    part: PathBuf,
    journal: PathBuf,
    sink: Sink,
    is_kept: bool,
    /// The file is empty, and no journal is beside it.
    is_new: bool,
}

/// Where the pieces of one version of the file are written, by several threads at once.
#[derive(Clone, Debug)]
pub(super) struct Sink {
    file: Arc<File>,
    /// The version that is being written; a thread that was given another one writes nothing.
    version: Arc<RwLock<u64>>,
    of: u64,
    journal: Option<Arc<JournalFile>>,
    is_durable: bool,
}

#[derive(Debug)]
struct JournalFile {
    file: File,
    header: String,
}

/// Bytes for a place in a file.
pub(super) struct Block {
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
    /// The piece that they belong to, how much of it is there with them, and whether that is all of it.
    pub(super) piece: Option<(usize, u64, bool)>,
}

/// What there is before a download: its target, where a link to a file is resolved, and what an earlier one
/// has left.
pub(super) struct Found {
    pub(super) target: PathBuf,
    pub(super) part: Option<Part>,
    pub(super) known: Option<Journal>,
}

impl Found {
    pub(super) fn nothing(target: PathBuf) -> Found {
        Found {
            target,
            part: None,
            known: None,
        }
    }
}

/// Looks at the target of a download, and opens what an earlier one has left.
pub(super) fn look(target: &Path, is_durable: bool) -> io::Result<Found> {
    let target = resolve(target)?;
    // Also where an unfinished file is there: its rename is the last step.
    require_writable(directory_of(&target))?;
    let (part, known) = match fs::symlink_metadata(beside(&target, PART)) {
        Ok(_) => {
            let (part, known) = Part::open(&target, is_durable)?;
            (Some(part), known)
        }
        Err(_) => (None, None),
    };
    Ok(Found {
        target,
        part,
        known,
    })
}

/// What the journal beside the target says. It may be another download's by the time it is used.
pub(super) fn peek(target: &Path) -> Option<Journal> {
    // A link is resolved where nothing is beside it.
    let open = |target: &Path| no_link().read(true).open(beside(target, PART)).ok();
    if let Some(part) = open(target) {
        return read_journal(&beside(target, JOURNAL), &part);
    }
    if !fs::symlink_metadata(target).ok()?.is_symlink() {
        return None;
    }
    let target = resolve(target).ok()?;
    read_journal(&beside(&target, JOURNAL), &open(&target)?)
}

impl Part {
    /// Opens what an earlier download of `target` has left, or a new file.
    pub(super) fn find(target: &Path, is_durable: bool) -> io::Result<Part> {
        let target = resolve(target)?;
        Part::open(&target, is_durable).map(|(part, _)| part)
    }

    /// Opens or makes the unfinished file of `target`, which is no link, with what its journal says.
    pub(super) fn open(target: &Path, is_durable: bool) -> io::Result<(Part, Option<Journal>)> {
        let (part, journal) = (beside(target, PART), beside(target, JOURNAL));
        let (file, length) = open_locked(&part)?;
        // A journal without bytes says nothing, but must not be taken for one of the bytes that come.
        let is_new = length == 0 && fs::symlink_metadata(&journal).is_err();
        let known = match is_new {
            true => None,
            false => read_journal(&journal, &file),
        };
        let part = Part {
            target: target.to_owned(),
            part,
            journal,
            sink: Sink {
                file: Arc::new(file),
                version: Arc::default(),
                of: 0,
                journal: None,
                is_durable,
            },
            is_kept: known.is_some(),
            is_new,
        };
        Ok((part, known))
    }

    /// Goes on with the version that the journal on disk is of.
    pub(super) fn go_on(&mut self, mut journal: Journal) -> io::Result<()> {
        let file = no_link().write(true).open(&self.journal)?;
        let boot = journal::boot();
        if journal.boot != boot {
            // What comes now is of this run. All that is known is synced, which its lines say again.
            journal.boot = boot;
            let text = journal.to_text();
            write_all_at(&file, text.as_bytes(), 0)?;
            file.set_len(text.len() as u64)?;
        }
        let header = journal.header();
        self.sink.journal = Some(Arc::new(JournalFile { file, header }));
        Ok(())
    }

    /// Begins a version anew: an empty file of `length` bytes to come, and its journal if it can be gone on
    /// with.
    pub(super) fn begin(
        &mut self,
        length: Option<u64>,
        journal: Option<&Journal>,
    ) -> io::Result<()> {
        {
            let version = self.sink.version.write();
            let mut version = version.unwrap_or_else(PoisonError::into_inner);
            *version += 1;
            self.sink.of = *version;
        }
        self.sink.journal = None;
        // The old journal first: it says nothing of the bytes that come.
        if !self.is_new {
            remove(&self.journal)?;
            self.sink.file.set_len(0)?;
        }
        (self.is_kept, self.is_new) = (false, false);
        let Some(journal) = journal else {
            return Ok(());
        };
        reserve(&self.sink.file, length.unwrap_or(0))?;
        let file = no_link()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.journal)?;
        write_all_at(&file, journal.to_text().as_bytes(), 0)?;
        let header = journal.header();
        self.sink.journal = Some(Arc::new(JournalFile { file, header }));
        self.is_kept = true;
        Ok(())
    }

    pub(super) fn sink(&self) -> Sink {
        self.sink.clone()
    }

    pub(super) fn file(&self) -> Arc<File> {
        self.sink.file.clone()
    }

    /// Nothing of it is worth going on with.
    pub(super) fn discard(&mut self) {
        self.is_kept = false;
    }

    /// Gives the file its name, which is one step, with the mode of the file that has it now.
    pub(super) fn finish(mut self, length: u64) -> io::Result<PathBuf> {
        let found = self.sink.file.metadata()?.len();
        // A hole at the end would be bytes that nobody sent.
        if found != length {
            let message = format!("the unfinished file has {found} bytes and not {length}");
            return Err(io::Error::other(message));
        }
        if let Ok(old) = fs::metadata(&self.target) {
            self.sink.file.set_permissions(old.permissions())?;
        }
        if self.sink.is_durable {
            self.sink.file.sync_all()?;
        }
        fs::rename(&self.part, &self.target)?;
        // The name is gone: nothing of it is to be removed by Drop.
        let has_journal = self.sink.journal.take().is_some();
        self.is_kept = true;
        if self.sink.is_durable {
            sync_directory(&self.target)?;
        }
        if has_journal {
            remove(&self.journal)?;
        }
        Ok(std::mem::take(&mut self.target))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_kept {
            // Best effort: the next download of the same file empties what is left.
            _ = remove(&self.journal);
            _ = remove(&self.part);
        }
    }
}

impl Sink {
    /// Writes the block and then its line of the journal; what is whole is on the disk before its line is.
    pub(super) fn write(&self, block: &Block) -> io::Result<()> {
        let version = self.version.read();
        if *version.unwrap_or_else(PoisonError::into_inner) != self.of {
            return Ok(());
        }
        write_all_at(&self.file, &block.bytes, block.at)?;
        let (Some(journal), Some((piece, done, is_whole))) = (&self.journal, block.piece) else {
            return Ok(());
        };
        let is_synced = is_whole && self.is_durable;
        if is_synced {
            self.file.sync_data()?;
        }
        let line = journal::line(done, is_synced);
        let at = journal::position(&journal.header, piece);
        write_all_at(&journal.file, line.as_bytes(), at)
    }
}

/// The file that `path` names: where there is one, it is a regular one.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let typed = path.as_os_str().as_encoded_bytes();
    // `a/` and `a/.` have `a` as their name, and mean a directory.
    let is_of_file = |name: &OsStr| typed.ends_with(name.as_encoded_bytes());
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(meta) if meta.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        )),
        Err(_) if !path.file_name().is_some_and(is_of_file) => {
            Err(io::ErrorKind::InvalidFilename.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

/// The name of the target with `end` behind it. One that is too long for that is cut, and told apart from others by
/// a hash of all of it.
fn beside(target: &Path, end: &str) -> PathBuf {
    let mut name: OsString = target.file_name().unwrap_or_default().to_owned();
    if name.len() + JOURNAL.len() > NAME_BYTES_MAX {
        let hash = format!("~{:016x}", journal::hash(name.as_encoded_bytes()));
        let text = name.to_string_lossy();
        let room = NAME_BYTES_MAX - JOURNAL.len() - hash.len();
        let mut ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        let end = ends.rfind(|end| *end <= room).unwrap_or_default();
        name = format!("{}{hash}", &text[..end]).into();
    }
    name.push(end);
    target.with_file_name(name)
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether a file can be made there, before anything is asked for.
fn require_writable(directory: &Path) -> io::Result<()> {
    if !fs::metadata(directory)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        access(directory, Access::WRITE_OK | Access::EXEC_OK)?;
    }
    Ok(())
}

/// Opens the unfinished file for this download alone, and tells its length.
fn open_locked(path: &Path) -> io::Result<(File, u64)> {
    for _ in 0..LOCK_TRIES {
        let file = no_link().read(true).write(true).create(true).open(path)?;
        let is_locked = lock(&file)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("the unfinished file is no regular file"));
        }
        // The file may have got its name, or been removed, between the two.
        if is_locked && is_same(&meta, path) {
            return Ok((file, meta.len()));
        }
        thread::sleep(LOCK_PAUSE);
    }
    Err(io::Error::new(
        io::ErrorKind::ResourceBusy,
        "it is being downloaded already",
    ))
}

/// What the journal says, as far as the bytes are in the file.
fn read_journal(path: &Path, part: &File) -> Option<Journal> {
    let file = no_link().read(true).open(path).ok()?;
    let mut text = Vec::new();
    // No further than a journal can reach: others may have laid a giant.
    file.take(JOURNAL_BYTES_MAX).read_to_end(&mut text).ok()?;
    let known = Journal::parse(&text, &journal::boot())?;
    let written = part.metadata().ok()?.len();
    // The bytes of a file that was cut are not there, whatever its journal says.
    let is_there = |piece| {
        let missing = known.pieces.missing(piece);
        known.pieces.done(piece) == 0 || missing.start <= written
    };
    (0..known.pieces.count()).all(is_there).then_some(known)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Options that follow no link in the last part of a path and wait for no writer of a pipe: in a directory for
/// all, others may have laid one.
fn no_link() -> OpenOptions {
    #[allow(unused_mut, reason = "only Unix has the flag")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;

        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits() as i32);
    }
    options
}

#[cfg(unix)]
fn lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;

    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        // Of file systems without locks.
        Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn lock(_: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
fn is_same(open: &fs::Metadata, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let named = fs::symlink_metadata(path);
    named.is_ok_and(|named| (open.dev(), open.ino()) == (named.dev(), named.ino()))
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &Path) -> bool {
    true
}

/// Takes the room for the file before a byte of it is asked for. Where a file system cannot do that, the
/// writes find out.
#[cfg(target_os = "linux")]
fn reserve(file: &File, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
        Err(full @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => {
            file.set_len(0)?;
            Err(full.into())
        }
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(file: &Path) -> io::Result<()> {
    match File::open(directory_of(file))?.sync_all() {
        // File systems that have nothing to sync for a directory say so.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (bytes, at) = (&bytes[written..], at + written as u64);
    }
    Ok(())
}
