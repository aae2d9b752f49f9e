//! Wakers to wake and to drop once the lock of the streams is free.

use std::task::Waker;

use crate::contain::contain;

/// Wakers of an operation. Waking runs foreign code, which never runs under the lock.
#[derive(Debug, Default)]
pub struct Wakes {
    /// Most operations wake one at most, which allocates nothing.
    first: Option<Waker>,
    more: Vec<Waker>,
    discarded: Option<Waker>,
}

impl Wakes {
    #[inline]
    pub(crate) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    /// Keeps `waker` until the lock is free, to drop it then.
    #[inline]
    pub(crate) fn discard(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &self.discarded {
            None => self.discarded = Some(waker),
            // Woken instead, which is allowed, and rare.
            Some(_) => self.wake(Some(waker)),
        }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty() && self.discarded.is_none()
    }

    /// Wakes and drops, in order; panics are contained. What it kept of room is used again.
    #[inline]
    pub fn perform(&mut self) {
        if let Some(waker) = self.discarded.take() {
            discard(waker);
        }
        if let Some(waker) = self.first.take() {
            contain(|| waker.wake());
        }
        if !self.more.is_empty() {
            self.perform_more();
        }
    }

    /// [`perform`](Wakes::perform) where nothing is done afterwards.
    #[inline]
    pub(crate) fn perform_last(mut self) {
        self.perform();
        if self.more.capacity() == 0 {
            // Nothing is left; without the drop glue this is a comparison.
            std::mem::forget(self);
        }
    }

    #[inline(never)]
    fn perform_more(&mut self) {
        for waker in self.more.drain(..) {
            contain(|| waker.wake());
        }
    }
}

#[cold]
#[inline(never)]
fn discard(waker: Waker) {
    contain(|| drop(waker));
}
