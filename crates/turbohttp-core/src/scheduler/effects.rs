//! What an operation leaves to be done after the scheduler's lock is released.

use std::task::Waker;

use crate::contain::contain;

/// Wakers to wake and wakers to drop. Both run foreign code, which may panic, take long, or call
/// the scheduler: it never runs under the lock.
#[derive(Debug, Default)]
#[must_use = "wakers that are not woken leave their tasks asleep"]
pub struct Effects {
    /// The first waker to wake: most operations wake one at most, which needs no allocation.
    first: Option<Waker>,
    more: Vec<Waker>,
    discarded: Option<Waker>,
    pub(super) closed: bool,
    pub(super) alarm: bool,
}

impl Effects {
    /// Whether a gate has closed by this operation: that of the scheduler or of a group, each once
    /// in its life.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Whether [`sweep`](super::Scheduler::sweep) is due earlier than it said last.
    pub fn alarm(&self) -> bool {
        self.alarm
    }

    /// How many wakers are to be woken.
    pub fn wakes(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    #[inline]
    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    /// Keeps `waker` until the lock is released, to drop it then.
    #[inline]
    pub(super) fn discard(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &self.discarded {
            None => self.discarded = Some(waker),
            // A second one is woken instead of dropped: a spurious wake is allowed, and this is
            // rare.
            Some(_) => self.wake(Some(waker)),
        }
    }

    /// Wakes and drops, in the order of grants. The caller holds no lock.
    ///
    /// A panic of a waker is contained, so that the tasks of the other wakers are woken. Returns
    /// how many panicked.
    #[inline]
    pub fn perform(mut self) -> u64 {
        if !self.more.is_empty() {
            return self.perform_all();
        }
        // One of each at most: nearly every operation ends here.
        let (discarded, first) = (self.discarded.take(), self.first.take());
        // Nothing is left in `self`; without the drop glue this is a few instructions.
        std::mem::forget(self);
        let dropped = discarded.is_none_or(|waker| contain(|| drop(waker)));
        let woken = first.is_none_or(|waker| contain(|| waker.wake()));
        u64::from(!dropped) + u64::from(!woken)
    }

    #[cold]
    fn perform_all(self) -> u64 {
        let Effects {
            first,
            more,
            discarded,
            closed: _,
            alarm: _,
        } = self;
        let mut panics = 0;
        if let Some(waker) = discarded {
            panics += u64::from(!contain(|| drop(waker)));
        }
        if let Some(waker) = first {
            panics += u64::from(!contain(|| waker.wake()));
        }
        for waker in more {
            panics += u64::from(!contain(|| waker.wake()));
        }
        panics
    }
}
