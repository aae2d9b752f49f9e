//! The content of requests, as far as windows and output take it.

use std::task::Waker;

use http::HeaderMap;

use super::error::ErrorCode;
use super::frame::{self, FRAME_BYTES_MAX};
use super::limits::OUT_BYTES_MAX;
use super::outcome::Sent;
use super::send;
use super::stream::{Receiving, StreamKey};
use super::streams::{Streams, is_watched};
use super::wakes::Wakes;

impl<B: AsRef<[u8]> + AsMut<[u8]>> Streams<B> {
    /// Sends content, as much as the windows and the output take, and the end of the stream behind the
    /// last byte if `ends`.
    pub fn send(
        &mut self,
        key: StreamKey,
        content: &[u8],
        ends: bool,
        asking: &Waker,
        wakes: &mut Wakes,
    ) -> Sent {
        let stream = &self.slots[key.slot as usize];
        if !stream.is_sending {
            return Sent::Stopped;
        }
        let taken = self.append(key, content, ends, wakes);
        // An empty content with `ends` is a frame, and takes no window.
        if taken > 0 || content.is_empty() {
            self.poke(wakes);
            return Sent::Taken(taken);
        }
        let stream = &mut self.slots[key.slot as usize];
        // At most once in the queue, which `release_slot` relies on.
        if !std::mem::replace(&mut stream.awaits_room, true) {
            self.blocked.push_back(key);
        }
        let is_watched = is_watched(stream.waker.as_ref(), asking);
        Sent::Blocked { is_watched }
    }

    /// Ends the stream with fields behind the content; `false` if it takes no more.
    pub fn send_trailers(
        &mut self,
        key: StreamKey,
        trailers: &HeaderMap,
        wakes: &mut Wakes,
    ) -> bool {
        if !self.slots[key.slot as usize].is_sending {
            return false;
        }
        // Trailers are no content: no window holds them back (RFC 9113 section 5.2.1).
        send::put_trailers(&mut self.out, &mut self.encoder, key.id, trailers);
        self.end_sending(key, wakes);
        self.poke(wakes);
        true
    }

    /// Sends no more of the content: the rest of it is not wanted. The response goes on.
    pub fn stop(&mut self, key: StreamKey, wakes: &mut Wakes) {
        let stream = &mut self.slots[key.slot as usize];
        if stream.is_sending && stream.receiving == Receiving::Ended {
            self.reset(key, ErrorCode::NO_ERROR, wakes);
            self.call_line(wakes);
        }
    }

    /// Whether the whole request is in the output, or was; `false` if its sending was cut short.
    pub fn is_sent(&self, key: StreamKey) -> bool {
        let stream = &self.slots[key.slot as usize];
        !stream.is_sending && !stream.is_stopped
    }

    /// Appends DATA; returns how many bytes of the content the windows and the output took.
    pub(super) fn append(
        &mut self,
        key: StreamKey,
        content: &[u8],
        ends: bool,
        wakes: &mut Wakes,
    ) -> usize {
        let room = OUT_BYTES_MAX.saturating_sub(self.out.len());
        let stream = &mut self.slots[key.slot as usize];
        let windows = self
            .send_window
            .available()
            .min(stream.send_window.available());
        let length = content.len().min(windows).min(room);
        // END_STREAM goes with the last byte, not in a frame of its own.
        let ends = ends && length == content.len();
        if length == 0 && !(ends && content.is_empty()) {
            return 0;
        }
        stream.is_removable = false;
        stream.send_window.take(length);
        self.send_window.take(length);
        // What a server gives back of this is no glitch.
        self.unreturned += length as u64;
        self.has_sent_content |= length > 0;
        let mut rest = &content[..length];
        loop {
            let (piece, behind) = rest.split_at(rest.len().min(FRAME_BYTES_MAX));
            let is_last = behind.is_empty();
            frame::put_data(&mut self.out, key.id, piece, ends && is_last);
            rest = behind;
            if is_last {
                break;
            }
        }
        if ends {
            self.end_sending(key, wakes);
        }
        length
    }

    fn end_sending(&mut self, key: StreamKey, wakes: &mut Wakes) {
        let stream = &mut self.slots[key.slot as usize];
        stream.is_sending = false;
        // Both sides have ended (RFC 9113 section 5.1): the peer counts the stream no more.
        if stream.is_received() {
            self.off_wire(key);
            self.call_line(wakes);
        }
    }
}
