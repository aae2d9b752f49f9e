//! What is known of a request whose future is dropped from outside.
//!
//! # Implementation
//!
//! The context of a request lies inside the futures of middlewares and transports, so that the call which
//! drops them, because of a close or of its deadline, cannot look at it. The context itself leaves what an
//! error needs: when it is reset while a [`Salvage`] is under way on the same thread.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use turbohttp_core::origin::Origin;
use turbohttp_core::timeline::{Phase, Timeline};

use crate::clock;
use crate::error::Error;

thread_local! {
    /// Whether a [`Salvage`] is under way on this thread.
    static IS_UNDER_WAY: Cell<bool> = const { Cell::new(false) };
    /// What the first context left that was reset meanwhile.
    static FOUND: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// What the context of a dropped future has left.
pub(crate) struct Salvage(Option<Record>);

/// What an error needs of a request.
pub(super) struct Record {
    pub(super) origin: Option<Origin>,
    pub(super) timeline: Timeline,
    pub(super) phase: Phase,
    /// How long the whole request was allowed to take.
    pub(super) allowed: Duration,
}

impl Salvage {
    /// Runs `work`, which drops the futures of one call, and keeps what its context leaves.
    #[cold]
    pub(crate) fn of(work: impl FnOnce()) -> Salvage {
        let outer = Outer::set_aside();
        work();
        let found = FOUND.take();
        drop(outer);
        Salvage(found)
    }

    /// What the request was doing.
    pub(crate) fn phase(&self) -> Phase {
        self.0.as_ref().map_or(Phase::Wait, |found| found.phase)
    }

    /// How long the whole request was allowed to take.
    pub(crate) fn allowed(&self) -> Duration {
        self.0
            .as_ref()
            .map_or(Duration::ZERO, |found| found.allowed)
    }

    /// Adds phase, origin and timeline to an error.
    pub(crate) fn explain(self, error: Error) -> Error {
        let Some(found) = self.0 else { return error };
        let error = error.in_phase(found.phase).with_timeline(&found.timeline);
        match &found.origin {
            Some(origin) => error.at(origin),
            None => error,
        }
    }
}

/// The state of the salvage around this one: a drop may end another call in turn, which has a record of
/// its own.
struct Outer {
    found: Option<Record>,
    was_under_way: bool,
}

impl Outer {
    fn set_aside() -> Outer {
        Outer {
            found: FOUND.take(),
            was_under_way: IS_UNDER_WAY.replace(true),
        }
    }
}

impl Drop for Outer {
    /// Also where a drop of the user's values panics: contexts that are reset later must leave nothing.
    fn drop(&mut self) {
        IS_UNDER_WAY.set(self.was_under_way);
        FOUND.set(self.found.take());
    }
}

/// Leaves the record of a context that is reset, if one is wanted.
#[inline]
pub(super) fn leave(record: impl FnOnce() -> Record) {
    if IS_UNDER_WAY.get() {
        leave_wanted(record);
    }
}

#[cold]
fn leave_wanted(record: impl FnOnce() -> Record) {
    // The first one: with several attempts at once, the one that is dropped first was sent first.
    FOUND.with_borrow_mut(|found| {
        found.get_or_insert_with(|| {
            let mut record = record();
            // Ends the open phase, so that the time which the error tells is accounted for.
            record.timeline.end(clock::now());
            record
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_of_a_drop_ends_the_salvage() {
        let caught = turbohttp_core::contain::contain(|| {
            Salvage::of(|| panic!("as a drop of the user's may"));
        });
        assert!(!caught && !IS_UNDER_WAY.get());
    }
}
