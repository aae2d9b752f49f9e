//! A shortage of descriptors or local ports: a request waits for a connection of its own transport to come
//! back, instead of failing.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::error::Error;

/// The requests of a transport that wait for a connection to be closed or returned.
#[derive(Default)]
pub(crate) struct Shortage {
    waiting: AtomicUsize,
    freed: Notify,
}

/// A request that waits; dropped when it goes on.
pub(crate) struct Waiting<'a>(&'a Shortage);

impl Shortage {
    /// Announces a wait. What is freed from now on is told to it.
    pub(crate) fn enter(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }

    /// A connection was closed or returned. One load while there is no shortage.
    #[inline]
    pub(crate) fn freed(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.freed.notify_one();
        }
    }
}

impl Waiting<'_> {
    /// Waits until a connection was closed or returned.
    pub(crate) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // What was told to this one may be of use to the next.
        if self.0.waiting.fetch_sub(1, Ordering::SeqCst) > 1 {
            self.0.freed.notify_one();
        }
    }
}

/// Whether a connection could not be made because this process, or this machine, has no descriptor or no
/// local port left.
#[cold]
pub(crate) fn is_shortage(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let system = source.and_then(|source| source.downcast_ref::<io::Error>());
    system.is_some_and(|error| match error.kind() {
        io::ErrorKind::AddrNotAvailable => true,
        _ => error.raw_os_error().is_some_and(is_no_descriptor),
    })
}

/// EMFILE and ENFILE; `std` has no kind for them.
fn is_no_descriptor(code: i32) -> bool {
    #[cfg(unix)]
    return code == 24 || code == 23;
    #[cfg(not(unix))]
    return code == 10_024;
}
