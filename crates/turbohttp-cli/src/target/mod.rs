//! Where a body goes: never less than the shell's `>` would leave, and whole or not at all where that
//! can be had.
//!
//! # Implementation
//!
//! A regular file is written under a random name in its directory and renamed at the end. Where a
//! rename would lose something of the file that is there (other links to it, its owner, its ACL, its
//! attributes), or the system refuses it (a mount point, another device, rights), the body is copied
//! into that file at the end. Where the directory takes no new file, and for everything that is no
//! regular file, the body is written as it comes.

mod keep;
mod outlet;
mod place;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use tempfile::{NamedTempFile, TempPath};

pub(crate) use outlet::Outlet;
use place::Place;

use crate::exit::Told;
use crate::interrupt::WHOLE;

/// A place that is being written to. Dropped before [`finish`](Target::finish), a regular file is as it
/// was before, unless it had to be written in place.
pub(crate) struct Target {
    /// As it was typed.
    shown: PathBuf,
    outlet: Outlet,
    way: Way,
    /// When the content was changed, if the file is to say so.
    modified: Option<SystemTime>,
}

/// Where the bytes are after all.
pub(crate) struct Finished {
    pub(crate) path: PathBuf,
    /// That they were written in place, and why.
    pub(crate) in_place: Option<String>,
}

enum Way {
    /// What is written is there at once. Of a regular file, why.
    Through(Option<String>),
    /// The new file takes the name of the target at the end. `old` is the file that has it now.
    Rename {
        new: TempPath,
        target: PathBuf,
        old: Option<File>,
    },
    /// The new file takes the first of these names that is free at the end.
    Free { new: TempPath, names: Vec<PathBuf> },
    /// The new file is copied into the old one at the end, for this reason.
    Copy {
        new: TempPath,
        old: File,
        why: String,
    },
}

/// What is opened, and how it comes to its end.
type Opened = (File, Way);

impl Target {
    /// Opens what `path` names.
    ///
    /// Dropping the future leaves nothing; opening a pipe that nobody reads goes on in a thread.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Target> {
        // As any new file: the mask of the process, or the ACL of the directory, takes from it.
        Target::open_as(path, 0o666).await
    }

    /// The same of secrets: a file that is not there yet is made for its owner alone.
    pub(crate) async fn open_private(path: &Path) -> anyhow::Result<Target> {
        Target::open_as(path, 0o600).await
    }

    async fn open_as(path: &Path, mode: u32) -> anyhow::Result<Target> {
        let unwritten = || Told::unwritten(format!("{} cannot be written", path.display()));
        let opened = match place::resolve(path).with_context(unwritten)? {
            Place::Descriptor(number) => {
                place::descriptor(number).map(|file| (file, Way::Through(None)))
            }
            Place::Magic(link) => open_through(link, true).await,
            Place::Path(resolved) => open_path(resolved, mode).await,
        };
        opened
            .map(|opened| Target::of(path, opened))
            .with_context(unwritten)
    }

    fn of(path: &Path, (file, way): Opened) -> Target {
        Target {
            shown: path.to_owned(),
            outlet: Outlet::new(file),
            way,
            modified: None,
        }
    }

    /// A file that takes the first of `names` that no file has at the end.
    ///
    /// # Errors
    ///
    /// Where all of them are taken already, or no file can be made beside them.
    pub(crate) fn open_free(names: Vec<PathBuf>) -> anyhow::Result<Target> {
        let first = names.first().cloned().unwrap_or_default();
        let unwritten = || Told::unwritten(format!("{} cannot be written", first.display()));
        if !names.iter().any(|name| name.symlink_metadata().is_err()) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists)).with_context(unwritten);
        }
        let (file, new) = create_beside(&first, 0o666).with_context(unwritten)?;
        Ok(Target::of(&first, (file, Way::Free { new, names })))
    }

    /// The end of a file, which is made where it is not there. What is written is there at once.
    pub(crate) async fn open_end(path: &Path) -> anyhow::Result<Target> {
        let target = path.to_owned();
        let opening = tokio::task::spawn_blocking(move || {
            let mut options = OpenOptions::new();
            options.append(true).create(true).open(target)
        });
        let opened = opening.await.map_err(io::Error::other);
        let opened = opened.and_then(|opened| opened);
        let unwritten = || Told::unwritten(format!("{} cannot be written", path.display()));
        let file = opened.with_context(unwritten)?;
        Ok(Target::of(path, (file, Way::Through(None))))
    }

    /// Has the file say, when it is finished, that its content was changed at `time`.
    pub(crate) fn set_modified(&mut self, time: SystemTime) {
        self.modified = Some(time);
    }

    /// Its path as it was typed.
    pub(crate) fn shown(&self) -> String {
        self.shown.display().to_string()
    }

    /// Why a regular file that is there is written in place, if it is already known.
    pub(crate) fn in_place(&self) -> Option<String> {
        let (Way::Through(Some(why)) | Way::Copy { why, .. }) = &self.way else {
            return None;
        };
        Some(format!(
            "{} is written in place: {why}",
            self.shown.display()
        ))
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.outlet.write_all(bytes).await;
        written.with_context(|| Told::unwritten(format!("writing {}", self.shown.display())))
    }

    /// All bytes are there: gives them the name of the target.
    pub(crate) async fn finish(self) -> anyhow::Result<Finished> {
        let Target {
            shown,
            outlet,
            way,
            modified,
        } = self;
        let unwritten = || Told::unwritten(format!("naming {}", shown.display()));
        outlet
            .settle()
            .await
            .with_context(|| Told::unwritten(format!("writing {}", shown.display())))?;
        let uncopied = || Told::unwritten(format!("copying into {}", shown.display()));
        date(outlet.file(), modified);
        let mut in_place = None;
        match way {
            Way::Through(_) => {}
            Way::Rename { new, target, old } => {
                let refused = new.persist(&target).err();
                match (refused, old) {
                    (None, _) => {}
                    (Some(refused), None) => return Err(refused.error).with_context(unwritten),
                    (Some(refused), Some(old)) => {
                        copy(&outlet, &old).with_context(uncopied)?;
                        date(&old, modified);
                        let why = refused.error;
                        in_place = Some(format!("{} was written in place: {why}", shown.display()));
                    }
                }
            }
            Way::Free { new, names } => {
                let path = persist_free(new, names).with_context(unwritten)?;
                return Ok(Finished { path, in_place });
            }
            Way::Copy { new, old, .. } => {
                copy(&outlet, &old).with_context(uncopied)?;
                date(&old, modified);
                drop(new);
            }
        }
        Ok(Finished {
            path: shown,
            in_place,
        })
    }
}

/// Gives `new` the first of `names` that is free at this moment.
fn persist_free(mut new: TempPath, names: Vec<PathBuf>) -> io::Result<PathBuf> {
    for name in names {
        match new.persist_noclobber(&name) {
            Ok(()) => return Ok(name),
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => new = taken.path,
            Err(refused) => return Err(refused.error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A time that cannot be set is no reason to lose the content.
fn date(file: &File, modified: Option<SystemTime>) {
    let is_regular = || file.metadata().is_ok_and(|meta| meta.is_file());
    if let Some(time) = modified.filter(|_| is_regular()) {
        _ = file.set_modified(time);
    }
}

/// Opens a path that is no link.
async fn open_path(path: PathBuf, mode: u32) -> io::Result<Opened> {
    match fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(meta) if meta.is_file() => open_old(path, &meta, mode),
        Ok(_) => open_through(path, false).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => open_new(path, mode),
        Err(error) => Err(error),
    }
}

/// What is written to as it is; `is_emptied` where a regular file may be behind it.
async fn open_through(path: PathBuf, is_emptied: bool) -> io::Result<Opened> {
    // The open of a pipe returns when it has a reader, and Ctrl-C is to be heard meanwhile.
    let opening = tokio::task::spawn_blocking(move || like_shell(is_emptied).open(path));
    let file = opening.await.map_err(io::Error::other)??;
    Ok((file, Way::Through(None)))
}

/// Opens what is there, as the shell does: it would make what is not there, and so the system refuses
/// files and pipes that others have laid in a directory for all, such as `/tmp`
/// (`fs.protected_regular`, `fs.protected_fifos`).
fn like_shell(is_emptied: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(is_emptied);
    options
}

/// A file that is not there yet.
fn open_new(target: PathBuf, mode: u32) -> io::Result<Opened> {
    if target.file_name().is_none() {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    if target.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let (file, new) = create_beside(&target, mode)?;
    let way = Way::Rename {
        new,
        target,
        old: None,
    };
    Ok((file, way))
}

/// A regular file that is there.
fn open_old(target: PathBuf, meta: &fs::Metadata, mode: u32) -> io::Result<Opened> {
    // As the shell does: what may not be written is not replaced. Only a program that runs may be.
    let old = match like_shell(false).open(&target) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => None,
        Err(error) => return Err(error),
    };
    let (file, new) = match (create_beside(&target, mode), &old) {
        (Ok(created), _) => created,
        (Err(error), Some(_)) if !place::is_shortage(&error) => {
            return open_in_place(&target, error);
        }
        (Err(error), _) => return Err(error),
    };
    let way = match (keep::like(meta, &target, &file), old) {
        (Ok(()), old) => Way::Rename { new, target, old },
        (Err(why), Some(old)) => Way::Copy { new, old, why },
        (Err(_), None) => return Err(io::ErrorKind::ExecutableFileBusy.into()),
    };
    Ok((file, way))
}

fn open_in_place(target: &Path, refused: io::Error) -> io::Result<Opened> {
    let file = like_shell(true).open(target)?;
    let why = format!("its directory takes no new file ({refused})");
    Ok((file, Way::Through(Some(why))))
}

/// A new file in the directory of `target`: only within one file system is renaming one step. Its name
/// is random, so that nothing that was left there is in its way.
fn create_beside(target: &Path, mode: u32) -> io::Result<(File, TempPath)> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Opened here and not by the builder, whose errors name the random path and have no number.
    let open = |path: &Path| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(mode);
        }
        #[cfg(not(unix))]
        let _ = mode;
        options.open(path)
    };
    tempfile::Builder::new()
        .prefix(".turbohttp-")
        .suffix(".part")
        .make_in(directory, open)
        .map(NamedTempFile::into_parts)
}

/// Copies what was written into `old`, in place of its content. This blocks and is no future: one that
/// is dropped half-way, at a signal, would leave neither the old content nor the new one.
fn copy(written: &Outlet, mut old: &File) -> io::Result<()> {
    tokio::task::block_in_place(|| {
        let _whole = WHOLE.lock();
        let mut new = written.file();
        let length = new.metadata()?.len();
        reserve(old, length)?;
        new.rewind()?;
        io::copy(&mut new, &mut old)?;
        old.set_len(length)
    })
}

/// Takes the room for `length` bytes before any byte of `file` is lost. Where a file system cannot do
/// that, the copy finds out.
#[cfg(target_os = "linux")]
fn reserve(file: &File, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
        Err(full @ (Errno::NOSPC | Errno::DQUOT)) => {
            // Gives back what was taken behind its end.
            file.set_len(file.metadata()?.len())?;
            Err(full.into())
        }
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use super::Target;

    #[test]
    fn a_copy_that_has_begun_is_not_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let (file, other) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&file, "old").unwrap();
        fs::hard_link(&file, &other).unwrap();
        let new = vec![b'x'; 1 << 20];
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(async {
            let mut target = Target::open(&file).await.unwrap();
            target.write_all(&new).await.unwrap();
            let mut finishing = pin!(target.finish());
            // As a signal that comes now would drop it.
            let is_over = poll_fn(|cx| Poll::Ready(finishing.as_mut().poll(cx).is_ready())).await;
            assert!(is_over);
        });
        assert!(fs::read(&other).unwrap() == new);
    }
}
