//! The lock, the counted pointer and the atomics of this crate, and the one way to take a lock.
//!
//! Under `--cfg loom` they are loom's, so that every interleaving of something small is tried;
//! under `--cfg shuttle` they are shuttle's, which tries many random schedules of what is too large
//! for that.

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

#[cfg(loom)]
use loom::sync as imp;
#[cfg(shuttle)]
use shuttle::sync as imp;
#[cfg(not(any(loom, shuttle)))]
use std::sync as imp;

use std::sync::PoisonError;

/// Takes a lock, poisoned or not.
///
/// No code of a user runs under a lock of this workspace, and what a lock guards is valid between
/// any two statements: a panic under one is a bug of ours, and refusing every later request would
/// only make it worse.
///
/// # Examples
///
/// ```
/// use std::sync::Mutex;
/// use turbohttp_core::sync::lock;
///
/// let count = Mutex::new(1);
/// *lock(&count) += 1;
/// assert_eq!(*lock(&count), 2);
/// ```
#[allow(
    clippy::disallowed_types,
    reason = "this is the one place that names it"
)]
#[inline]
pub fn lock<T: ?Sized>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mutex that is taken poisoned or not: see [`lock`].
#[allow(
    clippy::disallowed_types,
    reason = "this is the one place that names it"
)]
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

#[allow(
    clippy::disallowed_types,
    reason = "this is the one place that names it"
)]
impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    /// Waits for the lock. The caller holds it for a few straight lines, and runs no foreign code
    /// under it.
    #[inline]
    pub(crate) fn lock(&self) -> imp::MutexGuard<'_, T> {
        // Not `lock` above: under loom and shuttle the mutex is not that of std.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
