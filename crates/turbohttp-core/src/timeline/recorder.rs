//! Writing to a timeline from elsewhere, perhaps too late.
//!
//! # Implementation
//!
//! A [`Mailbox`] belongs to a pooled context for life, a [`Recorder`] to one request. Both carry a
//! number; a recorder whose number is not the mailbox's any more is of a former request. The
//! comparison and the write are one step under the lock, so no write can slip into the next
//! request between them. The number has 64 bits and never comes round.

use std::error::Error;
use std::fmt;
use std::time::Instant;

use super::{Phase, Timeline};
use crate::pool::Reset;
use crate::sync::{Arc, Mutex};

/// The most events that wait in a mailbox; what is beyond is counted as dropped by the timeline.
pub const LATE_EVENTS_MAX: usize = 16;

/// Where the recorders of a request leave their events.
///
/// Costs nothing for requests that hand out no recorder. Dropping it finishes its recorders.
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

    /// Moves what the recorders have left into the timeline, in the order it came in.
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

    /// Finishes all recorders handed out so far, and throws away what they have left.
    #[inline]
    pub fn retire(&mut self) {
        if self.is_shared {
            self.refuse_recorders();
        }
    }

    #[cold]
    fn refuse_recorders(&mut self) {
        self.is_shared = false;
        self.generation += 1;
        let mut state = self.shared.state.lock();
        state.generation = self.generation;
        state.dropped = 0;
        state.take_events().for_each(drop);
    }

    /// How many writes came after their request was over, since the mailbox was made.
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

/// A handle to record events of one request from any thread, at any time.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    generation: u64,
}

impl Recorder {
    /// Records a phase that is over.
    ///
    /// Never waits for more than a few instructions of another thread. If the mailbox is full, the
    /// event is counted as dropped.
    ///
    /// # Errors
    ///
    /// [`Finished`] if the request is over; the write is refused and counted.
    pub fn record(&self, phase: Phase, start: Instant, end: Instant) -> Result<(), Finished> {
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
        match self.events.get_mut(self.len) {
            Some(place) => {
                *place = Some(event);
                self.len += 1;
            }
            None => self.dropped = self.dropped.saturating_add(1),
        }
    }

    fn take_events(&mut self) -> impl Iterator<Item = LateEvent> + '_ {
        let len = std::mem::take(&mut self.len);
        self.events[..len].iter_mut().filter_map(Option::take)
    }
}

#[cfg(test)]
mod tests;
