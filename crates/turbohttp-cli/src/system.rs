//! What the system grants the process.

use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, bail};

/// Descriptors beside those of requests: standard streams, the runtime, the list, certificates, and
/// look-ups of names.
const RESERVE: u64 = 24;

/// What one request takes: standard streams, the runtime, a connection and files.
const LEAST: u64 = 16;

/// Raises the limit of descriptors as far as it goes, and refuses one that is too low for anything.
pub(crate) fn require_descriptors() -> anyhow::Result<()> {
    let granted = descriptors();
    if granted < LEAST {
        bail!("the system gives {granted} open files, and {LEAST} are needed: see ulimit -n");
    }
    Ok(())
}

/// Threads of one request: two of the runtime, one that listens for signals, and one that blocks.
const THREADS: usize = 4;

/// Refuses a system that gives too few threads: the runtime panics then, and may hang.
pub(crate) fn require_threads() -> anyhow::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        // None ends before all are there.
        let _closed = gate.lock();
        for _ in 0..THREADS {
            let waiting = || drop(gate.lock());
            thread::Builder::new()
                .spawn_scoped(scope, waiting)
                .with_context(|| format!("the system gives fewer than {THREADS} threads"))?;
        }
        Ok(())
    })
}

/// How many requests fit into the descriptors that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Open files that the system grants.
    pub(crate) descriptors: u64,
    /// The most requests at once.
    pub(crate) total: usize,
    /// The most idle connections.
    pub(crate) idle: usize,
}

/// Raises the limit of descriptors as far as it goes, and says how many of `wanted` requests fit in.
pub(crate) fn room(wanted: usize, has_files: bool) -> Room {
    share(descriptors(), wanted, has_files)
}

/// Every request has a connection, and maybe a file and the one that it replaces; connections that are
/// kept have what is left.
fn share(descriptors: u64, wanted: usize, has_files: bool) -> Room {
    let free = usize::try_from(descriptors.saturating_sub(RESERVE)).unwrap_or(usize::MAX);
    let each = 1 + 2 * usize::from(has_files);
    // As many connections may be idle as run, or every round would open new ones.
    let total = wanted.min(free / (each + 1)).max(1);
    Room {
        descriptors,
        total,
        idle: free.saturating_sub(each * total).max(1),
    }
}

#[cfg(unix)]
fn descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let granted = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: granted.maximum,
        maximum: granted.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => granted.maximum,
        // The limit stays as it is.
        Err(_) => granted.current,
    };
    // No number stands for no limit.
    current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn descriptors() -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::{Room, share};

    #[test]
    fn connections_and_files_fit_into_the_descriptors() {
        let room = |descriptors, wanted, has_files| {
            let Room { total, idle, .. } = share(descriptors, wanted, has_files);
            (total, idle)
        };
        assert_eq!(room(1024, 64, false), (64, 936));
        assert_eq!(room(1024, 64, true), (64, 808));
        assert_eq!(room(64, 64, false), (20, 20));
        assert_eq!(room(64, 64, true), (10, 10));
        assert_eq!(room(3, 64, true), (1, 1));
        assert_eq!(room(u64::MAX, 4096, true).0, 4096);
    }
}
