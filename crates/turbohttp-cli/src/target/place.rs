//! What a path leads to: a descriptor of this process, or the end of its links.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Links that are followed, as many as Linux follows.
const LINKS_MAX: usize = 40;

pub(super) enum Place {
    /// A descriptor that the command was started with.
    Descriptor(u32),
    /// What only the system can follow, such as `/proc/1/fd/1`: what such a link says is no path.
    Magic(PathBuf),
    /// No link; maybe nothing at all.
    Path(PathBuf),
}

/// Follows the links of the last component, also to a file that is not there yet.
pub(super) fn resolve(path: &Path) -> io::Result<Place> {
    let typed = path;
    let mut path = path.to_owned();
    for followed in 0..=LINKS_MAX {
        if let Some(number) = number_of(&path) {
            return Ok(Place::Descriptor(number));
        }
        let is_link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink());
        if is_link && is_in_proc(&path) {
            return Ok(Place::Magic(path));
        }
        match fs::read_link(&path) {
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            // No link, or nothing: opening it tells which.
            Err(_) => {
                if followed > 0 {
                    ask_system(typed, &path)?;
                }
                return Ok(Place::Path(path));
            }
        }
    }
    Err(io::Error::other(format!("more than {LINKS_MAX} links")))
}

/// Refuses links that the system does not follow, or not to there: in a directory for all, such as
/// `/tmp`, others may lay one that leads to a file of the user (`fs.protected_symlinks`).
fn ask_system(typed: &Path, end: &Path) -> io::Result<()> {
    match (fs::metadata(typed), fs::metadata(end)) {
        (Ok(system), Ok(own)) if is_same(&system, &own) => Ok(()),
        (Err(system), Err(_)) if system.kind() == io::ErrorKind::NotFound => Ok(()),
        (Err(system), _) => Err(system),
        _ => Err(io::Error::other("its link changes")),
    }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// The number of the descriptor that `path` stands for, as `/dev/fd/3` does.
fn number_of(path: &Path) -> Option<u32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let directory = fs::canonicalize(path.parent()?).ok()?;
    // Not by the number of the process: /proc may be that of an outer namespace.
    let own = fs::canonicalize("/proc/self");
    let is_own = directory == Path::new("/dev/fd")
        || (own.is_ok_and(|own| directory.starts_with(own)) && directory.ends_with("fd"));
    is_own.then_some(number)
}

/// Whether a path lies in the file system of processes.
#[cfg(target_os = "linux")]
fn is_in_proc(path: &Path) -> bool {
    /// As `statfs(2)` numbers it.
    const PROC: u32 = 0x9fa0;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let system = rustix::fs::statfs(directory.unwrap_or(Path::new(".")));
    system.is_ok_and(|system| system.f_type as u32 == PROC)
}

#[cfg(not(target_os = "linux"))]
fn is_in_proc(_: &Path) -> bool {
    false
}

/// A second handle of a descriptor of this process, with the same place in its file: opening
/// `/dev/fd/N` would begin a file anew, and cannot open a socket.
#[cfg(unix)]
pub(super) fn descriptor(number: u32) -> io::Result<File> {
    use std::os::fd::AsFd as _;

    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let standard = match number {
        0 => stdin.as_fd(),
        1 => stdout.as_fd(),
        2 => stderr.as_fd(),
        number => return inherited(number),
    };
    match number {
        1 => crate::output::standard::require_stdout()?,
        2 => crate::output::standard::require_stderr()?,
        _ => {}
    }
    standard.try_clone_to_owned().map(File::from)
}

#[cfg(not(unix))]
pub(super) fn descriptor(number: u32) -> io::Result<File> {
    let error = format!("{number} is no file that can be written to");
    Err(io::Error::other(error))
}

#[cfg(target_os = "linux")]
fn inherited(number: u32) -> io::Result<File> {
    use rustix::io::Errno;
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    /// What the sources of the command have and no inherited descriptor has: O_CLOEXEC.
    const OWN: u32 = 0o2_000_000;
    let closed = || io::Error::from(Errno::BADF);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).map_err(|_| closed())?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    if flags.is_none_or(|flags| flags & OWN != 0) {
        return Err(closed());
    }
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    let number = i32::try_from(number).map_err(|_| closed())?;
    match own.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty())) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        // An old system, or one that forbids it: a file is then written behind what it holds.
        Err(_) => append(number),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn inherited(number: u32) -> io::Result<File> {
    append(i32::try_from(number).map_err(io::Error::other)?)
}

#[cfg(unix)]
fn append(number: i32) -> io::Result<File> {
    let path = format!("/dev/fd/{number}");
    File::options().append(true).open(path)
}

/// Whether it is the process that lacks something, and not the file.
#[cfg(unix)]
pub(super) fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

#[cfg(not(unix))]
pub(super) fn is_shortage(_: &io::Error) -> bool {
    false
}
