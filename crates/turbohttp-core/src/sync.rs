//! The lock, the counted pointer and the atomics of this crate.
//!
//! Under `--cfg loom` they are loom's, so that every interleaving of what is small can be walked; under
//! `--cfg shuttle` they are shuttle's, which tries many schedules of what is too large for that.

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

/// A mutex that cannot be poisoned.
///
/// No code of a user runs under a lock of this crate, so a panic while one is held is a fault of
/// ours; refusing every later request would only make it worse.
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

    /// Waits for the lock; hold it for a few straight lines only.
    #[inline]
    pub(crate) fn lock(&self) -> imp::MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
