//! Writing to a timeline from other tasks, possibly after the request is over.
//!
//! # Implementation
//!
//! A [`Mailbox`] belongs to a pooled context for life, a [`Recorder`] to one request. Both carry a
//! generation; a recorder whose generation is not that of the mailbox is of a former request. The
//! comparison and the write are one step under the lock, so no write can end up in the next
//! request. A generation has 64 bits and does not wrap.

use std::error::Error;
use std::fmt;
use std::time::Instant;

use super::phase::Phase;
use super::record::Timeline;
use crate::pool::Reset;
use crate::sync::{Arc, Mutex};

/// The most events that wait in a mailbox. Further ones are counted by [`Timeline::dropped_events`]
/// and lost.
pub const LATE_EVENTS_MAX: usize = 16;

/// The place where the recorders of a request leave their events, until they are moved into its
/// [`Timeline`].
///
/// Takes no lock for requests that hand out no recorder. Dropping it finishes its recorders.
#[derive(Debug, Default)]
pub struct Mailbox {
    shared: Arc<Shared>,
    /// Invariant: equal to the generation in `shared`, which only this mailbox changes.
    generation: u64,
    /// Whether a recorder of this generation was handed out.
    is_shared: bool,
}

impl Mailbox {
    /// Makes an empty mailbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands out a recorder that works until [`retire`](Self::retire).
    pub fn recorder(&mut self) -> Recorder {
        self.is_shared = true;
        Recorder {
            shared: Arc::clone(&self.shared),
            generation: self.generation,
        }
    }

    /// Moves the events of the recorders into the timeline, in the order in which they were
    /// recorded.
    #[inline]
    pub fn drain_into(&mut self, timeline: &mut Timeline) {
        if self.is_shared {
            self.drain(timeline);
        }
    }

    #[cold]
    fn drain(&self, timeline: &mut Timeline) {
        let mut state = self.shared.state.lock();
        for event in state.take_events() {
            timeline.record(event.phase, event.start, event.end);
        }
        timeline.count_dropped(std::mem::take(&mut state.dropped));
    }

    /// Finishes all recorders handed out so far, and drops their events.
    #[inline]
    pub fn retire(&mut self) {
        if self.is_shared {
            self.refuse_recorders();
        }
    }

    #[cold]
    fn refuse_recorders(&mut self) {
        // The new generation first in the mailbox, then under the lock: only this mailbox writes
        // either.
        self.is_shared = false;
        self.generation += 1;
        let mut state = self.shared.state.lock();
        state.generation = self.generation;
        state.dropped = 0;
        state.take_events().for_each(drop);
    }

    /// How many writes were refused because their request was over, since the mailbox was made.
    pub fn late_writes(&self) -> u64 {
        self.shared.state.lock().late_writes
    }
}

impl Reset for Mailbox {
    fn reset(&mut self) {
        self.retire();
    }

    fn is_blank(&self) -> bool {
        !self.is_shared
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.retire();
    }
}

/// Records events of one request from any thread, at any time.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use turbohttp_core::timeline::{Mailbox, Phase, Timeline};
///
/// let (mut mailbox, mut timeline) = (Mailbox::new(), Timeline::new());
/// let recorder = mailbox.recorder();
/// let now = Instant::now();
/// recorder.record(Phase::Dns, now, now)?;
/// mailbox.drain_into(&mut timeline);
/// assert_eq!(timeline.spans().len(), 1);
///
/// mailbox.retire();
/// assert!(recorder.record(Phase::Dns, now, now).is_err(), "the request is over");
/// # Ok::<(), turbohttp_core::timeline::Finished>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    generation: u64,
}

impl Recorder {
    /// Records a phase that is over.
    ///
    /// Takes a lock that is held for a few instructions. If the mailbox is full, the event is
    /// counted as dropped.
    ///
    /// # Errors
    ///
    /// [`Finished`] if the request is over; the write is refused and counted.
    pub fn record(&self, phase: Phase, start: Instant, end: Instant) -> Result<(), Finished> {
        // The comparison and the write under one lock: `retire` cannot come in between.
        let mut state = self.shared.state.lock();
        if state.generation != self.generation {
            state.late_writes += 1;
            return Err(Finished(()));
        }
        state.push(LateEvent { phase, start, end });
        Ok(())
    }
}

/// The request that a [`Recorder`] belongs to is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished(());

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request of this recorder is over")
    }
}

impl Error for Finished {}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    late_writes: u64,
    dropped: u32,
    /// Invariant: exactly `events[..len]` are `Some`.
    len: usize,
    events: [Option<LateEvent>; LATE_EVENTS_MAX],
}

#[derive(Clone, Copy, Debug)]
struct LateEvent {
    phase: Phase,
    start: Instant,
    end: Instant,
}

impl State {
    fn push(&mut self, event: LateEvent) {
        // The first events are kept and later ones dropped, so that what was recorded stays in
        // order.
        match self.events.get_mut(self.len) {
            Some(place) => {
                *place = Some(event);
                self.len += 1;
            }
            None => self.dropped = self.dropped.saturating_add(1),
        }
    }

    fn take_events(&mut self) -> impl Iterator<Item = LateEvent> + '_ {
        // Each entry is taken, so none is left for the next request even if the iterator is dropped
        // early: `len` is 0.
        let len = std::mem::take(&mut self.len);
        self.events[..len].iter_mut().filter_map(Option::take)
    }
}

#[cfg(test)]
mod tests;
