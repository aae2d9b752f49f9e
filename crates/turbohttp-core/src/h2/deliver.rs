//! The side of the task: what has arrived is delivered to the streams, and the output is taken.

use std::time::Instant;

use super::error::{ConnectionEnd, ConnectionError, ErrorCode, StreamError};
use super::fields::FieldSection;
use super::frame::{self, FRAME_BYTES_MAX};
use super::limits::REPLIES_MAX;
use super::probe::PROBE;
use super::receive::{Batch, Event};
use super::settings::{Changes, TABLE_BYTES_AT_FIRST};
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

    fn control(
        &mut self,
        event: &Event,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        match *event {
            Event::Reset { stream, code } => self.was_reset(stream, code, now, wakes),
            Event::WindowUpdate { stream, increment } => {
                self.window_update(stream, increment, now, wakes)
            }
            Event::Settings(changes) => {
                self.apply(changes, wakes)?;
                frame::put_settings_ack(&mut self.out);
                self.reply(now, wakes)
            }
            Event::Ping(payload) => {
                frame::put_ping(&mut self.out, payload, true);
                self.reply(now, wakes)
            }
            Event::Pong(payload) if payload == PROBE => Ok(()),
            Event::Pong(_) | Event::Nothing => self.glitch(now),
            Event::GoAway { last, code } => self.goes_away(last, code, now, wakes),
            Event::Wrong { stream, code, what } => {
                match self.find(stream) {
                    Some(key) => self.refuse(key, code, what, wakes),
                    None => return self.late(stream, 0, now),
                }
                Ok(())
            }
            Event::Data { .. } | Event::Fields { .. } => Ok(()),
        }
    }

    /// Counts an acknowledgement that is in the output.
    fn reply(&mut self, now: Instant, wakes: &mut Wakes) -> Result<(), ConnectionError> {
        self.poke(wakes);
        self.replies += 1;
        if self.replies > REPLIES_MAX {
            let what = "server does not read the answers to its PING and SETTINGS";
            return Err(ConnectionError::calm(what));
        }
        self.glitch(now)
    }

    fn was_reset(
        &mut self,
        id: u32,
        code: ErrorCode,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        let Some(key) = self.find(id) else {
            return self.late(id, 0, now);
        };
        let stream = &mut self.slots[key.slot as usize];
        if stream.receiving == Receiving::Ended {
            // The answer is whole, and the rest of the request not wanted (RFC 9113 section 8.1).
            stream.is_stopped |= std::mem::take(&mut stream.is_sending);
            wakes.wake(stream.waker.take());
            self.off_wire(key);
        } else {
            self.fail(key, StreamError::Reset(code), wakes);
        }
        self.call_line(wakes);
        Ok(())
    }

    fn window_update(
        &mut self,
        id: u32,
        increment: u32,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        if id == 0 {
            if !self.send_window.add(increment.into()) {
                let code = ErrorCode::FLOW_CONTROL_ERROR;
                let what = "window of the connection beyond 2^31 - 1";
                return Err(ConnectionError::new(code, what));
            }
            let is_return = u64::from(increment) <= self.unreturned;
            self.unreturned = self.unreturned.saturating_sub(increment.into());
            if !self.blocked.is_empty() {
                self.unblock(wakes);
                return Ok(());
            }
            return match is_return {
                true => Ok(()),
                false => self.glitch(now),
            };
        }
        let Some(key) = self.find(id) else {
            return self.late(id, 0, now);
        };
        let stream = &mut self.slots[key.slot as usize];
        if !stream.send_window.add(increment.into()) {
            let code = ErrorCode::FLOW_CONTROL_ERROR;
            self.refuse(key, code, "window of the stream beyond 2^31 - 1", wakes);
            return Ok(());
        }
        if stream.is_sending {
            if stream.awaits_room {
                self.unblock(wakes);
            }
            return Ok(());
        }
        // What was sent comes back when the server has read it; more is of no use any more.
        match stream.send_window.exceeds(self.peer.initial_window) {
            true => self.glitch(now),
            false => Ok(()),
        }
    }

    fn apply(&mut self, changes: Changes, wakes: &mut Wakes) -> Result<(), ConnectionError> {
        if let Some((least, last)) = changes.table_bytes {
            // The encoder takes no more than the table that every peer has.
            for bytes in [least, last] {
                let bytes = bytes.min(TABLE_BYTES_AT_FIRST);
                self.encoder.set_table_bytes_max(bytes as usize);
            }
        }
        if let Some(bytes) = changes.field_list_bytes {
            self.peer.field_list_bytes = bytes;
        }
        if let Some(window) = changes.initial_window {
            let change = i64::from(window) - i64::from(self.peer.initial_window);
            self.peer.initial_window = window;
            for stream in self.slots.iter_mut().filter(|stream| stream.is_on_wire) {
                if !stream.send_window.add(change) {
                    let code = ErrorCode::FLOW_CONTROL_ERROR;
                    let what = "INITIAL_WINDOW_SIZE makes a window pass 2^31 - 1";
                    return Err(ConnectionError::new(code, what));
                }
            }
            self.unblock(wakes);
        }
        // The first SETTINGS set no bound unless they say so.
        let said = changes.streams_max.or(self.peer.streams_max);
        self.peer.streams_max = Some(said.unwrap_or(u32::MAX));
        self.call_line(wakes);
        Ok(())
    }

    fn goes_away(
        &mut self,
        last: u32,
        code: ErrorCode,
        now: Instant,
        wakes: &mut Wakes,
    ) -> Result<(), ConnectionError> {
        if last > self.last_processed {
            return Err(ConnectionError::protocol(
                "GOAWAY that takes requests back in",
            ));
        }
        self.last_processed = last;
        for slot in 0..self.slots.len() as u32 {
            let stream = &self.slots[slot as usize];
            if stream.is_on_wire && stream.id > last {
                let key = StreamKey {
                    slot,
                    id: stream.id,
                };
                self.fail(key, StreamError::NotProcessed(code), wakes);
            }
        }
        self.drain(wakes);
        self.glitch(now)
    }

    /// A frame for a stream that is not on the wire: of one that was, it may have crossed its end, and is
    /// never answered, as the answer would make the server's mistake ours.
    fn late(&mut self, id: u32, flow: u32, now: Instant) -> Result<(), ConnectionError> {
        if id.is_multiple_of(2) || id >= self.next_id {
            return Err(ConnectionError::protocol(
                "frame on a stream that was never opened",
            ));
        }
        let mut resets = self.resets.iter_mut();
        let late = resets.find(|late| late.id == id);
        match late.is_some_and(|late| late.arrived(flow)) {
            true => Ok(()),
            false => self.glitch(now),
        }
    }

    #[cold]
    fn glitch(&mut self, now: Instant) -> Result<(), ConnectionError> {
        match self.glitches.spend(now) {
            true => Ok(()),
            false => Err(ConnectionError::calm("too many frames without use")),
        }
    }

    #[cold]
    fn malformed(&mut self, key: StreamKey, what: &'static str, wakes: &mut Wakes) {
        self.refuse(key, ErrorCode::PROTOCOL_ERROR, what, wakes);
    }

    #[cold]
    fn refuse_by(&mut self, key: StreamKey, fault: StreamError, wakes: &mut Wakes) {
        let code = match fault {
            StreamError::Malformed(_) => ErrorCode::PROTOCOL_ERROR,
            _ => ErrorCode::CANCEL,
        };
        self.reset(key, code, wakes);
        self.fail(key, fault, wakes);
    }

    #[cold]
    fn refuse(&mut self, key: StreamKey, code: ErrorCode, what: &'static str, wakes: &mut Wakes) {
        self.reset(key, code, wakes);
        self.fail(key, StreamError::Malformed(what), wakes);
    }

    /// Ends a stream without a whole answer.
    #[cold]
    fn fail(&mut self, key: StreamKey, error: StreamError, wakes: &mut Wakes) {
        let stream = &mut self.slots[key.slot as usize];
        stream.is_stopped |= std::mem::take(&mut stream.is_sending);
        if stream.receiving != Receiving::Ended {
            stream.receiving = Receiving::Failed(error);
        }
        wakes.wake(stream.waker.take());
        self.off_wire(key);
        self.call_line(wakes);
    }

    #[cold]
    fn broken(&mut self, error: ConnectionError, wakes: &mut Wakes) {
        frame::put_goaway(&mut self.out, error.code.0);
        self.end(ConnectionEnd::Broken(error), wakes);
        self.poke(wakes);
    }

    /// Wakes all whose content waits for a window or for room in the output.
    #[cold]
    pub(super) fn unblock(&mut self, wakes: &mut Wakes) {
        while let Some(key) = self.blocked.pop_front() {
            let stream = &mut self.slots[key.slot as usize];
            stream.awaits_room = false;
            wakes.wake(stream.waker.take());
        }
    }

    #[inline]
    fn find(&self, id: u32) -> Option<StreamKey> {
        let slots = &self.slots;
        let found = self
            .table
            .find(hash(id), |slot| slots[*slot as usize].id == id);
        found.map(|slot| StreamKey { slot: *slot, id })
    }
}
