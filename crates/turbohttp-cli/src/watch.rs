//! What is seen of one transfer on its way, redirects included: it goes along in the extensions of the request.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use turbohttp::Response;

use crate::output::heads::{raw_head, response_head};
use crate::output::{note, standard};

/// What one transfer shows of its heads, and what it counts.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// `--verbose`.
    tells: bool,
    /// `--include`, or `--head`.
    includes: bool,
    dump: Option<Arc<Dump>>,
    counts: Mutex<Counts>,
    /// Bytes of a body that have been sent by the last attempt.
    sent: AtomicU64,
}

/// Sums over the responses so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) head_bytes: u64,
    pub(crate) connects: u32,
    pub(crate) redirects: u32,
    /// When the last redirect that was followed had come.
    pub(crate) redirected: Duration,
}

impl Watch {
    pub(crate) fn new(tells: bool, includes: bool, dump: Option<Arc<Dump>>) -> Watch {
        Watch {
            tells,
            includes,
            dump,
            ..Watch::default()
        }
    }

    /// A redirect that is followed.
    pub(crate) fn redirect(&self, response: &Response) {
        if self.includes {
            // An output that is closed is found by what follows.
            _ = standard::write_stdout(&raw_head(response));
        }
        self.head(response);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.redirects += 1;
        counts.redirected = response.timeline().total();
    }

    /// Any head, that of a redirect too.
    pub(crate) fn head(&self, response: &Response) {
        if self.tells {
            note(&response_head(response));
        }
        let head = raw_head(response);
        if let Some(dump) = &self.dump {
            dump.write(&head);
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.head_bytes += head.len() as u64;
        counts.connects += u32::from(!response.timeline().is_connection_reused());
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_sent(&self, bytes: u64) {
        self.sent.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Where `--dump-header` writes.
#[derive(Debug)]
pub(crate) struct Dump {
    /// `None` is stdout.
    file: Option<File>,
    is_lost: AtomicBool,
}

impl Dump {
    pub(crate) fn open(path: &Path) -> io::Result<Dump> {
        let file = match path == Path::new("-") {
            true => None,
            false => Some(File::create(path)?),
        };
        Ok(Dump {
            file,
            is_lost: AtomicBool::new(false),
        })
    }

    fn write(&self, head: &[u8]) {
        let written = match &self.file {
            Some(file) => standard::write_all(file, head),
            None => standard::write_stdout(head),
        };
        if written.is_err() {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a head could not be written.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }
}
