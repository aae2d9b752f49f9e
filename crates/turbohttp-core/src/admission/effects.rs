//! What is left to do once the lock of a scheduler has been given back.

use std::task::Waker;

use crate::contain::contain;

/// Wakers to wake and wakers to drop. Both are foreign code, and foreign code runs under no lock of
/// ours: it may panic, take its time, or call back.
#[derive(Debug, Default)]
#[must_use = "wakers that are not woken leave their tasks asleep"]
pub struct Effects {
    /// Mostly there is one at most, which needs no allocation.
    first: Option<Waker>,
    more: Vec<Waker>,
    discarded: Option<Waker>,
    pub(super) closed: bool,
    pub(super) alarm: bool,
}

impl Effects {
    /// Whether the last visit has left a closed scheduler: true once in its life.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Whether [`sweep`](super::Scheduler::sweep) is due earlier than its caller has been told.
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

    /// Keeps `waker` until the lock is free, only to drop it then.
    #[inline]
    pub(super) fn discard(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match &self.discarded {
            None => self.discarded = Some(waker),
            // Waking a task once too often is allowed, and rare enough here.
            Some(_) => self.wake(Some(waker)),
        }
    }

    /// Wakes and drops, in the order of grants. Call it without any lock held.
    ///
    /// A waker that panics is contained: the others are woken all the same, as they belong to others.
    /// Returns how many panicked.
    #[inline]
    pub fn perform(mut self) -> u64 {
        if !self.more.is_empty() {
            return self.perform_all();
        }
        // One of each at most, which is by far the most frequent.
        let (discarded, first) = (self.discarded.take(), self.first.take());
        // The list is empty, so there is nothing to drop.
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
