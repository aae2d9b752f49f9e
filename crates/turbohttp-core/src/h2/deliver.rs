//! The side of the task: what has arrived is delivered to the streams, and the output is taken.

use std::time::{Duration, Instant};

use super::error::{ConnectionEnd, ConnectionError, ErrorCode, StreamError};
use super::fields::FieldSection;
use super::frame::{self, FRAME_BYTES_MAX};
use super::keep_alive::Silence;
use super::probe::PROBE;
use super::receive::{Batch, Event};
use super::stream::{Receiving, StreamKey};
use super::streams::{State, Streams, hash};
use super::wakes::Wakes;
use crate::h1::framing::is_bodiless;

/// How far a batch was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver must handle each")]
pub enum Delivered {
    /// To its end.
    All,
    /// Memory of so many bytes is needed before it goes on.
    NeedsMemory(usize),
    /// The server has broken the protocol: GOAWAY is in the output, and every stream has failed.
    Broken(ConnectionError),
}

/// The memory that is asked for one piece of content: the largest frame fits.
const PIECE_BYTES_MIN: usize = 8 * 1024;
const PIECE_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(FRAME_BYTES_MAX <= PIECE_BYTES_MAX);

/// What a whole answer gives back of the budget for glitches: servers update windows of streams that have
/// ended, as they cannot know it yet.
const GLITCHES_PER_ANSWER: u32 = 4;

impl<B: AsRef<[u8]> + AsMut<[u8]>> Streams<B> {
    /// Delivers a batch that was parsed out of `input`. `memory` is used for the first content that needs
    /// some; when [`Delivered::NeedsMemory`] says so, the same batch is delivered further with more.
    pub fn deliver(
        &mut self,
        batch: &mut Batch,
        input: &[u8],
        memory: &mut Option<B>,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Delivered {
        // Once for a batch, also where it is delivered in parts.
        if batch.delivered == 0 && !batch.events.is_empty() {
            self.hear(batch, wakes);
        }
        while let Some(event) = batch.events.get(batch.delivered) {
            let delivered = match event {
                Event::Data {
                    stream,
                    content,
                    flow,
                    ends,
                } => {
                    let content = &input[content.clone()];
                    let key = self.find(*stream);
                    let given = memory.as_ref().map_or(0, |memory| memory.as_ref().len());
                    // Looked at first: nothing has been accounted when the batch is given back.
                    let needed = key.and_then(|key| self.memory_needed(key, content.len(), given));
                    if let Some(needed) = needed {
                        return Delivered::NeedsMemory(needed);
                    }
                    self.data((*stream, key), content, (*flow, *ends), memory, now, wakes)
                }
                Event::Fields {
                    stream,
                    section,
                    ends,
                } => {
                    let section = &mut batch.sections[*section];
                    self.fields(*stream, section, *ends, now, wakes)
                }
                event => self.control(event, now, wakes),
            };
            batch.delivered += 1;
            if let Err(error) = delivered {
                batch.fault = Some(error);
                break;
            }
        }
        match batch.fault {
            None => Delivered::All,
            Some(error) => {
                self.broken(error, wakes);
                Delivered::Broken(error)
            }
        }
    }

    /// Whether the connection has nothing more to do: it takes no requests, and none is under way.
    pub fn is_over(&self) -> bool {
        self.state != State::Live && self.table.is_empty() && self.out.is_empty()
    }

    /// When the task has to [look](Streams::give_up_if_silent) whether the server has answered a PING.
    pub fn probe_due(&self) -> Option<Instant> {
        match self.state {
            State::Live => self.probe.due(),
            _ => None,
        }
    }

    /// The server has not answered a PING in time: no new requests. Those under way go on until their own
    /// deadlines. Returns whether that is so.
    pub fn give_up_if_silent(&mut self, now: Instant, wakes: &mut Wakes) -> bool {
        let is_silent = self.probe_due().is_some_and(|due| due <= now);
        if is_silent {
            self.drain(wakes);
        }
        is_silent
    }

    /// Sends PING if the server has been silent for `interval` while streams are open, once in a silence. `unread`
    /// are the bytes that have arrived and are no whole frame yet. Returns when the task has to look next, if
    /// nothing happens before.
    ///
    /// # Errors
    ///
    /// [`ConnectionEnd::Silent`] if nothing at all has come for [`PROBE_WAIT_MS`](super::PROBE_WAIT_MS) since.
    #[cold]
    pub fn keep_alive(
        &mut self,
        interval: Duration,
        unread: usize,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<Option<Instant>, ConnectionEnd> {
        if self.table.is_empty() {
            self.keep_alive.rest();
            return Ok(None);
        }
        let heard = (self.probe.heard(), unread);
        match self.keep_alive.look(interval, heard, now) {
            Silence::Waits(due) => Ok(due),
            Silence::Asks(due) => {
                // The answer to a probe that is under way says the same.
                if !self.probe.is_awaited() {
                    frame::put_ping(&mut self.out, PROBE, false);
                    self.poke(wakes);
                    wakes.wake(self.blocked_task.take());
                }
                Ok(due)
            }
            Silence::Dead => Err(ConnectionEnd::Silent),
        }
    }

    /// Takes no new requests any more; those in line are woken to go elsewhere.
    pub fn drain(&mut self, wakes: &mut Wakes) {
        if self.state == State::Live {
            self.state = State::Draining;
        }
        self.call_line(wakes);
        self.poke(wakes);
        wakes.wake(self.blocked_task.take());
    }

    /// Says farewell by GOAWAY, and takes no new requests.
    pub fn go_away(&mut self, wakes: &mut Wakes) {
        if self.state == State::Live {
            frame::put_goaway(&mut self.out, ErrorCode::NO_ERROR.0);
        }
        self.drain(wakes);
    }

    /// Ends the connection: every stream that is under way fails.
    pub fn end(&mut self, end: ConnectionEnd, wakes: &mut Wakes) {
        if matches!(self.state, State::Ended(_)) {
            return;
        }
        // The end of the bytes is only what follows from the reason that the server gave.
        let end = match (end, self.reason) {
            (ConnectionEnd::Closed | ConnectionEnd::Failed(_), Some(code)) => {
                ConnectionEnd::GoAway(code)
            }
            (end, _) => end,
        };
        self.state = State::Ended(end);
        for slot in 0..self.slots.len() as u32 {
            let stream = &self.slots[slot as usize];
            let key = StreamKey {
                slot,
                id: stream.id,
            };
            if stream.is_on_wire {
                self.fail(key, StreamError::Connection(end), wakes);
            }
        }
        self.blocked.clear();
        self.call_line(wakes);
    }

    /// Frames have arrived.
    #[inline]
    fn hear(&mut self, batch: &Batch, wakes: &mut Wakes) {
        let answers = batch
            .events
            .iter()
            .any(|event| matches!(event, Event::Fields { .. } | Event::Data { .. }));
        if self.probe.hear(answers) {
            self.call_line(wakes);
        }
    }

    /// How much memory the content of a stream needs instead of the `given` bytes. Those may have been
    /// given for another stream, which was released meanwhile.
    #[inline]
    fn memory_needed(&self, key: StreamKey, length: usize, given: usize) -> Option<usize> {
        let stream = &self.slots[key.slot as usize];
        let missing = length.saturating_sub(stream.room());
        if missing <= given || stream.receiving != Receiving::Body {
            return None;
        }
        // The more has arrived unread, the larger the next piece: the bytes at its end are the only waste.
        let wanted = (stream.buffered as usize + length).next_power_of_two();
        Some(wanted.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX))
    }

    #[inline]
    fn data(
        &mut self,
        (id, key): (u32, Option<StreamKey>),
        content: &[u8],
        (flow, ends): (u32, bool),
        memory: &mut Option<B>,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        // First, and whatever becomes of the content: the credit of the connection goes back on arrival.
        self.take_from_window(flow, wakes)?;
        let Some(key) = key else {
            return self.late(id, flow, now);
        };
        // An empty frame costs the peer nothing (CVE-2019-9518).
        if content.is_empty() && !ends {
            self.glitch(now)?;
        }
        let stream = &mut self.slots[key.slot as usize];
        match stream.receiving {
            Receiving::Body => {}
            Receiving::Head => {
                self.malformed(key, "DATA before HEADERS", wakes);
                return Ok(());
            }
            // This side still sends, and the server has ended its own.
            Receiving::Ended | Receiving::Failed(_) => return self.glitch(now),
        }
        if !stream.window.arrived(flow) {
            let code = ErrorCode::FLOW_CONTROL_ERROR;
            self.refuse(key, code, "more DATA than the window of the stream", wakes);
            return Ok(());
        }
        // The sum of all DATA has to be what content-length says (RFC 9113 section 8.1.1).
        if let Some(remaining) = stream.remaining {
            let Some(left) = remaining.checked_sub(content.len() as u64) else {
                self.malformed(key, "more content than content-length says", wakes);
                return Ok(());
            };
            stream.remaining = Some(left);
        }
        if !content.is_empty() {
            stream.append(content, memory);
        }
        // Nobody reads padding. A stream that has ended needs no window.
        let padding = flow - content.len() as u32;
        if padding > 0
            && !ends
            && let Some(update) = stream.window.taken(padding)
        {
            frame::put_window_update(&mut self.out, id, update);
        }
        if ends {
            self.end_receiving(key, wakes);
        } else {
            wakes.wake(self.slots[key.slot as usize].waker.take());
        }
        Ok(())
    }

    #[inline]
    fn take_from_window(&mut self, flow: u32, wakes: &mut Wakes) -> Result<(), ConnectionError> {
        if !self.window.arrived(flow) {
            let code = ErrorCode::FLOW_CONTROL_ERROR;
            let what = "more DATA than the window of the connection";
            return Err(ConnectionError::new(code, what));
        }
        if let Some(update) = self.window.taken(flow) {
            frame::put_window_update(&mut self.out, 0, update);
            self.poke(wakes);
        }
        Ok(())
    }

    fn fields(
        &mut self,
        id: u32,
        section: &mut FieldSection,
        ends: bool,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        let Some(key) = self.find(id) else {
            return self.late(id, 0, now);
        };
        match self.slots[key.slot as usize].receiving {
            Receiving::Head => self.head(key, section, ends, now, wakes),
            Receiving::Body => {
                self.trailers(key, section, ends, wakes);
                Ok(())
            }
            Receiving::Ended | Receiving::Failed(_) => self.glitch(now),
        }
    }

    fn head(
        &mut self,
        key: StreamKey,
        section: &mut FieldSection,
        ends: bool,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        if let Some(fault) = section.fault {
            self.refuse_by(key, fault, wakes);
            return Ok(());
        }
        let Some(status) = section.status else {
            self.malformed(key, "no :status", wakes);
            return Ok(());
        };
        if status.is_informational() {
            return self.interim(key, section, ends, now, wakes);
        }
        let stream = &mut self.slots[key.slot as usize];
        stream.remaining = match is_bodiless(stream.to_head, status) {
            true => Some(0),
            false => section.content_length,
        };
        // The scratch head of the batch gets the blank one of the slot.
        std::mem::swap(&mut stream.head, &mut section.head);
        stream.receiving = Receiving::Body;
        stream.has_head = true;
        self.glitches.earn(GLITCHES_PER_ANSWER);
        if ends {
            self.end_receiving(key, wakes);
        } else {
            wakes.wake(self.slots[key.slot as usize].waker.take());
        }
        Ok(())
    }

    #[cold]
    fn interim(
        &mut self,
        key: StreamKey,
        section: &FieldSection,
        ends: bool,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        let max = self.limits.head.bytes;
        let stream = &mut self.slots[key.slot as usize];
        let status = section.status.map_or(0, |status| status.as_u16());
        if ends {
            self.malformed(key, "interim head that ends the stream", wakes);
            return Ok(());
        }
        // Upgrades belong to HTTP/1.1 (RFC 9113 section 8.6).
        if status == 101 {
            self.malformed(key, "101, which HTTP/2 does not have", wakes);
            return Ok(());
        }
        stream.interim_bytes += section.list_bytes();
        if stream.interim_bytes > max {
            self.refuse_by(key, StreamError::HeadTooLarge { max }, wakes);
            return Ok(());
        }
        if status == 100 {
            stream.proceeds = true;
            wakes.wake(stream.waker.take());
        }
        self.glitch(now)
    }

    #[cold]
    fn trailers(
        &mut self,
        key: StreamKey,
        section: &mut FieldSection,
        ends: bool,
        wakes: &mut Wakes,
    ) {
        if !ends {
            return self.malformed(key, "HEADERS behind the head that end nothing", wakes);
        }
        if section.status.is_some() {
            return self.malformed(key, "pseudo-field in trailers", wakes);
        }
        if let Some(fault) = section.fault {
            return self.refuse_by(key, fault, wakes);
        }
        let stream = &mut self.slots[key.slot as usize];
        std::mem::swap(&mut stream.trailers, &mut section.head);
        self.end_receiving(key, wakes);
    }

    /// END_STREAM has arrived.
    #[inline]
    fn end_receiving(&mut self, key: StreamKey, wakes: &mut Wakes) {
        let stream = &mut self.slots[key.slot as usize];
        if stream.remaining.is_some_and(|remaining| remaining > 0) {
            return self.malformed(key, "less content than content-length says", wakes);
        }
        stream.receiving = Receiving::Ended;
        wakes.wake(stream.waker.take());
        if !stream.is_sending {
            self.off_wire(key);
            self.call_line(wakes);
        }
    }

    #[inline]
    pub(super) fn find(&self, id: u32) -> Option<StreamKey> {
        let slots = &self.slots;
        let found = self
            .table
            .find(hash(id), |slot| slots[*slot as usize].id == id);
        found.map(|slot| StreamKey { slot: *slot, id })
    }
}
