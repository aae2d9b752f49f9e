//! Requests that wait for a stream.
//!
//! Invariant: nobody is in line while there is [room](Streams::has_room). Whatever makes room calls the line,
//! all of it: the first to ask gets the stream, and the others keep their tickets.

use std::task::Waker;

use super::limits::OUT_HEADS_BYTES_MAX;
use super::outcome::Ticket;
use super::streams::{State, Streams};
use super::wakes::Wakes;

impl<B: AsRef<[u8]> + AsMut<[u8]>> Streams<B> {
    /// Leaves the line.
    pub fn leave(&mut self, ticket: Option<Ticket>, wakes: &mut Wakes) {
        if let Some(ticket) = ticket {
            let place = self.line.binary_search_by_key(&ticket, |(other, _)| *other);
            wakes.discard(place.ok().map(|place| self.line.remove(place).1));
        }
    }

    /// Whether a stream may begin: for the server, for the budget, and while the server is not silent.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.table.len() < self.capacity()
            && self.granted + u64::from(self.limits.stream_window)
                <= u64::from(self.limits.receive_bytes)
            && self.out.len() <= OUT_HEADS_BYTES_MAX
            && !self.probe.is_awaited()
    }

    /// Whether the server permits no stream, and has not said that it goes away.
    pub fn permits_none(&self) -> bool {
        self.peer.streams_max == Some(0) && self.last_processed == u32::MAX
    }

    /// Wakes those that wait for a stream which the server does not permit, to see how long they have waited;
    /// `false` if nobody does.
    #[cold]
    pub fn remind_line(&mut self, wakes: &mut Wakes) -> bool {
        let is_in_vain = self.permits_none() && !self.line.is_empty();
        if is_in_vain {
            self.call_all(wakes);
        }
        is_in_vain
    }

    /// Enters the line, or keeps the place in it.
    #[cold]
    pub(super) fn wait(
        &mut self,
        level: u8,
        ticket: Option<Ticket>,
        waker: &mut Option<Waker>,
        wakes: &mut Wakes,
    ) -> Ticket {
        let ticket = ticket.unwrap_or_else(|| {
            self.next_ticket += 1;
            let number = self.next_ticket;
            Ticket { level, number }
        });
        if let Some(waker) = waker.take() {
            match self.line.binary_search_by_key(&ticket, |(other, _)| *other) {
                Ok(place) => {
                    let former = std::mem::replace(&mut self.line[place].1, waker);
                    wakes.discard(Some(former));
                }
                Err(place) => self.line.insert(place, (ticket, waker)),
            }
        }
        ticket
    }

    /// Wakes those that wait for a stream, if there is one: all of them in order, as one that is woken and
    /// not polled must hold up nobody.
    #[inline]
    pub(super) fn call_line(&mut self, wakes: &mut Wakes) {
        if !self.line.is_empty() && (self.state != State::Live || self.has_room()) {
            self.call_all(wakes);
        }
    }

    #[cold]
    fn call_all(&mut self, wakes: &mut Wakes) {
        // In the order of urgency and arrival, which is the order in which a runtime polls them.
        for (_, waker) in self.line.drain(..) {
            wakes.wake(Some(waker));
        }
    }
}
