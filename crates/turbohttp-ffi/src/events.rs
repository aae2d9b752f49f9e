//! The line of requests that have something to say.
//!
//! Each request stands in it once, however much has happened: so the line is never longer than there are
//! requests, and a host that does not poll makes nothing grow. What is said of one request is said in order:
//! HEADERS, READABLE, WRITABLE, DONE.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use crate::abi::{
    TH_BUSY, TH_EVENT_DONE, TH_EVENT_HEADERS, TH_EVENT_READABLE, TH_EVENT_WRITABLE, ThEvent,
};
use crate::fault::{Fault, Result};
use crate::wait::Until;

#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Mutex<Line>,
    arrived: Condvar,
    has_poller: AtomicBool,
    /// Wakes the task that tells the poller, once it has run.
    announcer: OnceLock<Waker>,
}

#[derive(Debug, Default)]
struct Line {
    /// Slots of requests.
    order: VecDeque<u32>,
    /// By slot.
    pending: Vec<Pending>,
    is_woken: bool,
    /// The poller waits for the condition.
    is_waiting: bool,
    /// The announcer is woken.
    is_announced: bool,
}

/// What one request has to say.
#[derive(Clone, Debug, Default)]
struct Pending {
    request: u64,
    user: u64,
    is_in_line: bool,
    head: Option<HeadSeen>,
    readable: Option<u64>,
    is_writable: bool,
    done: Option<Done>,
    /// DONE was posted: nothing comes after it.
    is_over: bool,
    status: u32,
}

/// What HEADERS says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadSeen {
    pub(crate) status: u32,
    pub(crate) flags: u32,
    pub(crate) content_length: u64,
}

/// What DONE says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) flags: u32,
    pub(crate) bytes: u64,
}

/// Something that has happened to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    Headers(HeadSeen),
    /// So many bytes wait.
    Readable(u64),
    Writable,
    Done(Done),
}

impl Events {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new request in this slot. If the one before it stands in the line, this one has its place.
    pub(crate) fn begin(&self, slot: u32, request: u64, user: u64) {
        let mut line = self.line();
        let slot = slot as usize;
        if line.pending.len() <= slot {
            line.pending.resize(slot + 1, Pending::default());
        }
        line.pending[slot] = Pending {
            request,
            user,
            is_in_line: line.pending[slot].is_in_line,
            ..Pending::default()
        };
    }

    /// The request says nothing any more.
    pub(crate) fn forget(&self, slot: u32, request: u64) {
        let mut line = self.line();
        if let Some(pending) = line.of(slot, request) {
            let is_in_line = pending.is_in_line;
            *pending = Pending {
                is_in_line,
                ..Pending::default()
            };
        }
    }

    pub(crate) fn post(&self, slot: u32, request: u64, happening: Happening) {
        let mut line = self.line();
        let Some(pending) = line.of(slot, request) else {
            return;
        };
        pending.note(happening);
        if !std::mem::replace(&mut pending.is_in_line, true) {
            line.order.push_back(slot);
        }
        // Only for a poller that waits, and once for all that happens until the announcer runs.
        if !line.is_waiting || std::mem::replace(&mut line.is_announced, true) {
            return;
        }
        drop(line);
        match self.announcer.get() {
            Some(announcer) => announcer.wake_by_ref(),
            None => self.tell(),
        }
    }

    /// Tells the poller that something has happened, if it waits.
    fn tell(&self) {
        let mut line = self.line();
        line.is_announced = false;
        if line.is_waiting && !line.order.is_empty() {
            line.is_waiting = false;
            drop(line);
            self.arrived.notify_one();
        }
    }

    /// The task that tells the poller. Woken, it lets the tasks that are ready run first: a poller that were told
    /// of every event would run once for each of them, and each time another thread with it.
    pub(crate) async fn announce(&self) {
        let mut has_yielded = false;
        poll_fn(|cx| {
            _ = self.announcer.set(cx.waker().clone());
            if !std::mem::replace(&mut has_yielded, true) {
                cx.waker().wake_by_ref();
                return Poll::<()>::Pending;
            }
            has_yielded = false;
            self.tell();
            Poll::Pending
        })
        .await;
    }

    /// Ends the wait of a poll, or of the next one.
    pub(crate) fn wake(&self) {
        self.line().is_woken = true;
        self.arrived.notify_one();
    }

    pub(crate) fn ready(&self) -> usize {
        self.line().order.len()
    }

    /// Gives at most `most` events, and waits for the first one.
    pub(crate) fn poll(
        &self,
        most: usize,
        until: Until,
        mut give: impl FnMut(ThEvent),
    ) -> Result<usize> {
        if self.has_poller.swap(true, Ordering::Acquire) {
            return Err(Fault::new(TH_BUSY, "another thread polls this client"));
        }
        let _poller = Poller(&self.has_poller);
        let mut line = self.line();
        loop {
            let given = line.give(most, &mut give);
            if given > 0 || std::mem::take(&mut line.is_woken) {
                return Ok(given);
            }
            line.is_waiting = true;
            let has_waited;
            (line, has_waited) = until.wait(&self.arrived, line);
            line.is_waiting = false;
            if !has_waited {
                return Ok(0);
            }
        }
    }
}

/// The right to poll, given back when the poll is over.
struct Poller<'a>(&'a AtomicBool);

impl Drop for Poller<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Line {
    fn of(&mut self, slot: u32, request: u64) -> Option<&mut Pending> {
        let pending = self.pending.get_mut(slot as usize);
        pending.filter(|pending| pending.request == request)
    }

    fn give(&mut self, most: usize, give: &mut impl FnMut(ThEvent)) -> usize {
        let mut given = 0;
        while given < most {
            let Some(&slot) = self.order.front() else {
                break;
            };
            let pending = &mut self.pending[slot as usize];
            match pending.next() {
                Some(event) => {
                    give(event);
                    given += 1;
                }
                None => {
                    pending.is_in_line = false;
                    self.order.pop_front();
                }
            }
        }
        given
    }
}

impl Pending {
    fn note(&mut self, happening: Happening) {
        if self.is_over {
            return;
        }
        match happening {
            Happening::Headers(head) => {
                self.status = head.status;
                self.head = Some(head);
            }
            Happening::Readable(bytes) => self.readable = Some(bytes),
            Happening::Writable => self.is_writable = true,
            Happening::Done(done) => {
                // There is nothing to write to any more.
                self.is_writable = false;
                self.is_over = true;
                self.done = Some(done);
            }
        }
    }

    fn next(&mut self) -> Option<ThEvent> {
        let event = |kind, value| ThEvent {
            request: self.request,
            user: self.user,
            kind,
            status: self.status,
            value,
            ..ThEvent::default()
        };
        if let Some(head) = self.head {
            let event = ThEvent {
                flags: head.flags,
                ..event(TH_EVENT_HEADERS, head.content_length)
            };
            self.head = None;
            return Some(event);
        }
        if let Some(bytes) = self.readable {
            let event = event(TH_EVENT_READABLE, bytes);
            self.readable = None;
            return Some(event);
        }
        if self.is_writable {
            let event = event(TH_EVENT_WRITABLE, 0);
            self.is_writable = false;
            return Some(event);
        }
        let done = self.done?;
        let event = ThEvent {
            flags: done.flags,
            code: done.code,
            ..event(TH_EVENT_DONE, done.bytes)
        };
        self.done = None;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: Happening = Happening::Done(Done {
        code: 0,
        flags: 0,
        bytes: 3,
    });

    fn kinds(events: &Events, most: usize) -> Vec<(u64, u32)> {
        let mut kinds = Vec::new();
        let give = |event: ThEvent| kinds.push((event.user, event.kind));
        events
            .poll(most, Until::after(0), give)
            .expect("one poller");
        kinds
    }

    #[test]
    fn one_request_speaks_in_order_and_once_for_each_kind() {
        let events = Events::default();
        events.begin(0, 7, 70);
        events.post(0, 7, Happening::Readable(1));
        events.post(0, 7, Happening::Readable(3));
        let head = HeadSeen {
            status: 200,
            flags: 0,
            content_length: 3,
        };
        events.post(0, 7, Happening::Headers(head));
        events.post(0, 7, DONE);
        // By a task that had begun to say so before.
        events.post(0, 7, Happening::Writable);
        events.post(0, 7, DONE);
        assert_eq!(events.ready(), 1);
        // A poll with little room goes on where it ended.
        assert_eq!(kinds(&events, 1), [(70, TH_EVENT_HEADERS)]);
        let rest = [(70, TH_EVENT_READABLE), (70, TH_EVENT_DONE)];
        assert_eq!(kinds(&events, 9), rest);
        events.post(0, 7, Happening::Writable);
        assert_eq!(kinds(&events, 9), []);
        assert_eq!(events.ready(), 0);
    }

    #[test]
    fn a_host_that_never_polls_makes_nothing_grow() {
        let events = Events::default();
        for request in 1..=1_000 {
            events.begin(0, request, request);
            events.post(0, request, DONE);
            events.forget(0, request);
        }
        assert_eq!(events.ready(), 1);
        assert_eq!(kinds(&events, 9), []);
    }

    #[test]
    fn what_an_earlier_request_of_the_slot_does_is_not_said_of_the_next() {
        let events = Events::default();
        events.begin(0, 1, 10);
        events.post(0, 1, DONE);
        events.forget(0, 1);
        events.begin(0, 2, 20);
        events.post(0, 1, DONE);
        assert_eq!(kinds(&events, 9), []);
        events.post(0, 2, DONE);
        assert_eq!(kinds(&events, 9), [(20, TH_EVENT_DONE)]);
    }

    #[test]
    fn a_second_poller_is_refused_and_a_wake_is_kept() {
        let events = Events::default();
        events.wake();
        assert_eq!(events.poll(1, Until::after(100), |_| ()).expect("woken"), 0);
        events.has_poller.store(true, Ordering::Relaxed);
        let refused = events.poll(1, Until::after(0), |_| ());
        assert_eq!(refused.expect_err("busy").code, TH_BUSY);
    }
}
