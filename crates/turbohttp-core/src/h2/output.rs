//! The output of a connection, as its task takes it, and how the task waits for more of it.

use std::task::Waker;

use super::error::ConnectionEnd;
use super::frame::{self, FRAME_HEAD_BYTES, FrameHead, PREFACE};
use super::limits::OUT_KEPT_BYTES;
use super::stream::StreamKey;
use super::streams::{State, Streams};
use super::wakes::Wakes;

impl<B: AsRef<[u8]> + AsMut<[u8]>> Streams<B> {
    /// Moves what is to be written into `writing`, which is empty; `false` if there is nothing.
    #[inline]
    pub fn take_output(&mut self, writing: &mut Vec<u8>, wakes: &mut Wakes) -> bool {
        wakes.discard(self.parked.take());
        if self.out.is_empty() {
            return false;
        }
        // A swap, so that requests append to one buffer while the other is written.
        std::mem::swap(&mut self.out, writing);
        if self.out.capacity() > OUT_KEPT_BYTES {
            self.out = Vec::new();
        }
        // Acknowledgements are on their way: those of now on are counted anew.
        self.replies = 0;
        // From here on the server may have seen these requests.
        self.unwritten_from = self.next_id;
        if !self.blocked.is_empty() {
            self.unblock(wakes);
        }
        self.call_line(wakes);
        true
    }

    /// Whether not one byte of the request was handed to the connection's socket.
    pub fn is_unwritten(&self, key: StreamKey) -> bool {
        key.id >= self.unwritten_from
    }

    /// Takes a request of which nothing was written out of the output. A server counts streams that are reset, and
    /// ends the connection of a client that has too many of them. An identifier that was left out is no fault: the
    /// next one closes it (RFC 9113 section 5.1.1). `false` if the stream has to be reset.
    #[cold]
    pub(super) fn take_back(&mut self, key: StreamKey) -> bool {
        let is_removable = self.slots[key.slot as usize].is_removable;
        if !is_removable || !self.is_unwritten(key) {
            return false;
        }
        // All frames in the output are whole.
        let mut at = match self.out.starts_with(PREFACE) {
            true => PREFACE.len(),
            false => 0,
        };
        while let Some(head) = FrameHead::parse(&self.out[at..]) {
            let end = at + FRAME_HEAD_BYTES + head.length;
            match head.stream == key.id {
                true => drop(self.out.drain(at..end)),
                false => at = end,
            }
        }
        self.off_wire(key);
        true
    }

    /// Puts the last words of a connection that has ended into `writing`: GOAWAY if the server has broken the
    /// protocol. What else is in the output is not said any more: its requests can be sent elsewhere.
    pub fn last_words(&self, writing: &mut Vec<u8>) {
        writing.clear();
        if let State::Ended(ConnectionEnd::Broken(error)) = self.state {
            frame::put_goaway(writing, error.code.0);
        }
    }

    /// Whether there is something to be written.
    pub fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// Parks the task: `waker` is woken by the first request that appends something. `false` if there is
    /// something to write already.
    #[inline]
    pub fn park(&mut self, waker: Waker) -> bool {
        if !self.out.is_empty() {
            return false;
        }
        self.parked = Some(waker);
        true
    }

    /// The socket takes nothing: `waker` is woken by what has a time limit of its own, a question whether the
    /// server lives and the end of the connection.
    #[cold]
    pub fn park_blocked(&mut self, waker: Waker) {
        self.blocked_task = Some(waker);
    }
}
