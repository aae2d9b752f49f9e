//! The side of the task, beside content and heads: control frames, and how streams and connections fail.

use std::time::Instant;

use super::error::{ConnectionEnd, ConnectionError, ErrorCode, StreamError};
use super::frame;
use super::limits::REPLIES_MAX;
use super::probe::PROBE;
use super::receive::Event;
use super::settings::{Changes, TABLE_BYTES_AT_FIRST};
use super::stream::{Receiving, StreamKey};
use super::streams::Streams;
use super::wakes::Wakes;

impl<B: AsRef<[u8]> + AsMut<[u8]>> Streams<B> {
    pub(super) fn control(
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
                // Applied before the acknowledgement is written (RFC 9113 section 6.5.3).
                self.apply(changes, wakes)?;
                frame::put_settings_ack(&mut self.out);
                self.reply(wakes)?;
                self.glitch(now)
            }
            Event::Ping(payload) => {
                frame::put_ping(&mut self.out, payload, true);
                self.reply(wakes)?;
                // Servers of gRPC send one for each piece of an upload, to measure how much is on its way.
                match std::mem::take(&mut self.has_sent_content) {
                    true => Ok(()),
                    false => self.glitch(now),
                }
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
    fn reply(&mut self, wakes: &mut Wakes) -> Result<(), ConnectionError> {
        self.poke(wakes);
        self.replies += 1;
        if self.replies > REPLIES_MAX {
            let what = "server does not read the answers to its PING and SETTINGS";
            return Err(ConnectionError::calm(what));
        }
        Ok(())
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
            // Credit for what was sent is due; more than that is work without use.
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
            // Also after a smaller window: the streams look for themselves, and wait again.
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
        if code != ErrorCode::NO_ERROR {
            self.reason = Some(code);
        }
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
        // Those at or below the last stream go on (RFC 9113 section 6.8).
        self.drain(wakes);
        self.glitch(now)
    }

    /// A frame for a stream that is not on the wire: of one that was, it may have crossed its end, and is
    /// never answered, as the answer would make the server's mistake ours.
    pub(super) fn late(&mut self, id: u32, flow: u32, now: Instant) -> Result<(), ConnectionError> {
        if id.is_multiple_of(2) || id >= self.next_id {
            return Err(ConnectionError::protocol(
                "frame on a stream that was never opened",
            ));
        }
        // Sent before the server knew of the reset (RFC 9113 section 5.1, closed).
        let mut resets = self.resets.iter_mut();
        let late = resets.find(|late| late.id == id);
        match late.is_some_and(|late| late.arrived(flow)) {
            true => Ok(()),
            false => self.glitch(now),
        }
    }

    #[cold]
    pub(super) fn glitch(&mut self, now: Instant) -> Result<(), ConnectionError> {
        match self.glitches.spend(now) {
            true => Ok(()),
            false => Err(ConnectionError::calm("too many frames without use")),
        }
    }

    #[cold]
    pub(super) fn malformed(&mut self, key: StreamKey, what: &'static str, wakes: &mut Wakes) {
        self.refuse(key, ErrorCode::PROTOCOL_ERROR, what, wakes);
    }

    #[cold]
    pub(super) fn refuse_by(&mut self, key: StreamKey, fault: StreamError, wakes: &mut Wakes) {
        let code = match fault {
            StreamError::Malformed(_) => ErrorCode::PROTOCOL_ERROR,
            _ => ErrorCode::CANCEL,
        };
        self.reset(key, code, wakes);
        self.fail(key, fault, wakes);
    }

    #[cold]
    pub(super) fn refuse(
        &mut self,
        key: StreamKey,
        code: ErrorCode,
        what: &'static str,
        wakes: &mut Wakes,
    ) {
        self.reset(key, code, wakes);
        self.fail(key, StreamError::Malformed(what), wakes);
    }

    /// Ends a stream without a whole answer.
    #[cold]
    pub(super) fn fail(&mut self, key: StreamKey, error: StreamError, wakes: &mut Wakes) {
        let stream = &mut self.slots[key.slot as usize];
        stream.is_stopped |= std::mem::take(&mut stream.is_sending);
        // A whole answer stays one, whatever becomes of its connection.
        if stream.receiving != Receiving::Ended {
            stream.receiving = Receiving::Failed(error);
        }
        wakes.wake(stream.waker.take());
        self.off_wire(key);
        self.call_line(wakes);
    }

    #[cold]
    pub(super) fn broken(&mut self, error: ConnectionError, wakes: &mut Wakes) {
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
}
