//! Standard output and error as they are: closed, not ready yet, or full.
//!
//! std hides three things that must not be hidden here. It buffers stdout by lines, so that an error
//! belongs to no certain line; it gives up where the descriptor is non-blocking and the reader slow
//! (`EAGAIN`); and before `main` it opens `/dev/null` in place of a descriptor that was closed.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when something could not be written to stderr, where nobody can be told of it.
static IS_STDERR_LOST: AtomicBool = AtomicBool::new(false);

/// Writes all of `bytes` to stdout, and waits for a reader that is slow.
///
/// # Errors
///
/// When stdout is closed, its reader is gone, or its disk full.
pub(crate) fn write_stdout(bytes: &[u8]) -> io::Result<()> {
    require_stdout()?;
    write_all(&io::stdout(), bytes)
}

/// Refuses a stdout that was closed when the command was started.
pub(crate) fn require_stdout() -> io::Result<()> {
    if early::is_closed(early::STDOUT) {
        return Err(closed("stdout"));
    }
    Ok(())
}

/// Refuses a stderr that was closed when the command was started, where a body is to go there.
pub(crate) fn require_stderr() -> io::Result<()> {
    if early::is_closed(early::STDERR) {
        return Err(closed("stderr"));
    }
    Ok(())
}

/// Refuses a stdin that was closed when the command was started: it is no empty file.
pub(crate) fn require_stdin() -> io::Result<()> {
    if early::is_closed(early::STDIN) {
        return Err(closed("stdin"));
    }
    Ok(())
}

fn closed(name: &str) -> io::Error {
    io::Error::other(format!("{name} is closed"))
}

/// Writes all of `bytes` to stderr, and waits for a reader that is slow. A failure is remembered for
/// [`is_stderr_lost`].
pub(crate) fn write_stderr(bytes: &[u8]) {
    if write_all(&io::stderr(), bytes).is_err() {
        IS_STDERR_LOST.store(true, Ordering::Relaxed);
    }
}

/// Whether something that was said on stderr has got lost.
pub(crate) fn is_stderr_lost() -> bool {
    IS_STDERR_LOST.load(Ordering::Relaxed)
}

/// Writes all of `bytes`, past interruptions and short writes, and waits where the descriptor is
/// non-blocking.
#[cfg(unix)]
pub(crate) fn write_all(to: &impl std::os::fd::AsFd, mut bytes: &[u8]) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;

    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(to, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn write_all<'a, W>(mut to: &'a W, bytes: &[u8]) -> io::Result<()>
where
    &'a W: io::Write,
{
    use io::Write as _;

    to.write_all(bytes)?;
    to.flush()
}

/// What was closed when the command was started.
#[cfg(unix)]
mod early {
    use std::sync::atomic::{AtomicU8, Ordering};

    use rustix::stdio::{stderr, stdin, stdout};

    pub(super) const STDIN: u8 = 1;
    pub(super) const STDOUT: u8 = 2;
    pub(super) const STDERR: u8 = 4;

    static CLOSED: AtomicU8 = AtomicU8::new(0);

    /// Runs before std opens `/dev/null` in place of what is closed: from then on nothing tells it from
    /// a `/dev/null` that was meant. It calls the system and nothing of std, which is not ready.
    #[ctor::ctor(unsafe)]
    fn look() {
        let is_closed = |fd| rustix::io::fcntl_getfd(fd).is_err();
        let mut closed = 0;
        if is_closed(stdin()) {
            closed |= STDIN;
        }
        if is_closed(stdout()) {
            closed |= STDOUT;
        }
        if is_closed(stderr()) {
            closed |= STDERR;
        }
        CLOSED.store(closed, Ordering::Relaxed);
    }

    pub(super) fn is_closed(which: u8) -> bool {
        CLOSED.load(Ordering::Relaxed) & which != 0
    }
}

#[cfg(not(unix))]
mod early {
    pub(super) const STDIN: u8 = 1;
    pub(super) const STDOUT: u8 = 2;
    pub(super) const STDERR: u8 = 4;

    pub(super) fn is_closed(_: u8) -> bool {
        false
    }
}
