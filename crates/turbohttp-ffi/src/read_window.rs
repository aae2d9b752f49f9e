//! The window of a response body: what has arrived and was not read.

use std::collections::VecDeque;
use std::task::Waker;

/// What one block holds at most, in bytes. A block does not move while the caller looks at it.
pub(crate) const BLOCK: usize = 16 * 1024;

/// What the first block holds at least: most bodies of an API are no longer than their first piece.
const FIRST_BLOCK_MIN: usize = 512;

/// Blocks in order: the first one is read, the last one is filled.
#[derive(Debug)]
pub(crate) struct ReadWindow {
    blocks: VecDeque<Block>,
    /// An empty block that is used next.
    spare: Option<Block>,
    waiting: usize,
    window: usize,
    has_begun: bool,
    /// Nothing more comes.
    has_ended: bool,
    /// A reader found nothing: the next bytes are an event.
    is_armed: bool,
    /// The task waits for room.
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Block {
    bytes: Box<[u8]>,
    read: usize,
    filled: usize,
}

impl Block {
    fn new(size: usize) -> Block {
        Block {
            bytes: vec![0; size].into_boxed_slice(),
            read: 0,
            filled: 0,
        }
    }
}

/// What a push did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Bytes that found room.
    pub(crate) bytes: usize,
    /// Those of them that are beyond the first block.
    pub(crate) shared: usize,
    /// The caller is to be told that there is something.
    pub(crate) is_event: bool,
}

/// What taking bytes off did.
#[derive(Debug, Default)]
pub(crate) struct Consumed {
    pub(crate) bytes: usize,
    /// Those of them that were beyond the first block.
    pub(crate) shared: usize,
    /// Waits for room.
    pub(crate) writer: Option<Waker>,
}

impl ReadWindow {
    pub(crate) fn new(window: usize) -> ReadWindow {
        ReadWindow {
            blocks: VecDeque::new(),
            spare: None,
            waiting: 0,
            window,
            has_begun: false,
            has_ended: false,
            is_armed: true,
            writer: None,
        }
    }

    /// Empties it for the next body, and keeps one block.
    pub(crate) fn reset(&mut self, window: usize) {
        let block = self.blocks.pop_front().or(self.spare.take());
        *self = ReadWindow::new(window);
        self.spare = block.map(|mut block| {
            (block.read, block.filled) = (0, 0);
            block
        });
    }

    /// Whether there is room for a byte that is shared memory.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting < self.window
    }

    /// The bytes that wait beyond the first block.
    pub(crate) fn shared(&self) -> usize {
        self.waiting.saturating_sub(BLOCK)
    }

    /// Takes of `bytes` what has room: of the first block, and `leased` bytes beyond it. Without any, `waker` is
    /// woken when there is some.
    pub(crate) fn push(&mut self, bytes: &[u8], leased: usize, waker: &Waker) -> Pushed {
        let (room, shared) = (self.window - self.waiting, self.shared());
        let own = BLOCK.saturating_sub(self.waiting);
        let taken = bytes.len().min(room).min(own + leased);
        if taken == 0 {
            self.writer = Some(waker.clone());
        }
        let mut rest = &bytes[..taken];
        while !rest.is_empty() {
            let block = self.open_block(rest.len());
            let length = rest.len().min(block.bytes.len() - block.filled);
            block.bytes[block.filled..][..length].copy_from_slice(&rest[..length]);
            block.filled += length;
            rest = &rest[length..];
        }
        self.waiting += taken;
        Pushed {
            bytes: taken,
            shared: self.shared() - shared,
            is_event: taken > 0 && std::mem::take(&mut self.is_armed),
        }
    }

    /// A block with room; `coming` bytes are about to be put in.
    fn open_block(&mut self, coming: usize) -> &mut Block {
        let last = self.blocks.back();
        if last.is_none_or(|last| last.filled == last.bytes.len()) {
            let is_first = !std::mem::replace(&mut self.has_begun, true);
            let size = match is_first {
                true => coming.clamp(FIRST_BLOCK_MIN, BLOCK),
                false => BLOCK,
            };
            let block = self.spare.take().unwrap_or_else(|| Block::new(size));
            self.blocks.push_back(block);
        }
        self.blocks.back_mut().expect("one was pushed")
    }

    /// What can be read at once, in one piece.
    pub(crate) fn peek(&self) -> &[u8] {
        match self.blocks.front() {
            Some(block) => &block.bytes[block.read..block.filled],
            None => &[],
        }
    }

    /// Takes bytes off that [`peek`](ReadWindow::peek) has shown.
    pub(crate) fn consume(&mut self, bytes: usize) -> Consumed {
        let before = self.shared();
        self.take_off(bytes);
        self.consumed(bytes, before)
    }

    /// Gives at most `most` bytes away, piece by piece.
    pub(crate) fn read(&mut self, most: usize, mut give: impl FnMut(&[u8])) -> Consumed {
        let (mut read, before) = (0, self.shared());
        while read < most {
            let piece = self.peek();
            let length = piece.len().min(most - read);
            if length == 0 {
                break;
            }
            give(&piece[..length]);
            self.take_off(length);
            read += length;
        }
        self.consumed(read, before)
    }

    fn take_off(&mut self, bytes: usize) {
        let Some(block) = self.blocks.front_mut() else {
            return;
        };
        block.read += bytes;
        self.waiting -= bytes;
        // The last one too: nobody looks at an empty one, and the next bytes begin it anew.
        if block.read == block.filled {
            let mut empty = self.blocks.pop_front().expect("it was there");
            (empty.read, empty.filled) = (0, 0);
            self.spare = Some(empty);
        }
    }

    fn consumed(&mut self, bytes: usize, shared_before: usize) -> Consumed {
        // Half of the window: one wake for many small reads.
        let has_room = bytes > 0 && self.waiting <= self.window / 2;
        Consumed {
            bytes,
            shared: shared_before - self.shared(),
            writer: if has_room { self.writer.take() } else { None },
        }
    }

    /// A reader has found nothing, and is told when there is something.
    pub(crate) fn arm(&mut self) {
        self.is_armed = true;
    }

    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(window: &mut ReadWindow, bytes: &[u8]) -> Pushed {
        window.push(bytes, usize::MAX / 2, Waker::noop())
    }

    #[test]
    fn bytes_come_out_as_they_went_in_and_never_more_than_the_window_waits() {
        let sent: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 + n / 251) as u8).collect();
        let mut window = ReadWindow::new(40_000);
        let (mut at, mut got) = (0, Vec::new());
        while got.len() < sent.len() {
            let end = sent.len().min(at + 9_999);
            at += push(&mut window, &sent[at..end]).bytes;
            assert!(window.waiting() <= 40_000);
            window.read(7_001, |piece| got.extend_from_slice(piece));
        }
        assert!(got == sent);
        assert_eq!(window.waiting(), 0);
    }

    #[test]
    fn an_event_is_due_once_for_each_reader_that_found_nothing() {
        let mut window = ReadWindow::new(100);
        assert!(push(&mut window, b"ab").is_event);
        assert!(!push(&mut window, b"cd").is_event);
        assert_eq!(window.read(8, |_| ()).bytes, 4);
        assert!(!push(&mut window, b"ef").is_event);
        assert_eq!(window.read(8, |_| ()).bytes, 2);
        window.arm();
        assert!(push(&mut window, b"gh").is_event);
    }

    #[test]
    fn a_writer_that_found_no_room_is_woken_at_half_of_the_window() {
        let mut window = ReadWindow::new(100);
        assert_eq!(push(&mut window, &[1; 100]).bytes, 100);
        assert_eq!(push(&mut window, &[1]).bytes, 0);
        assert!(window.read(49, |_| ()).writer.is_none());
        assert!(window.read(1, |_| ()).writer.is_some());
    }

    #[test]
    fn what_a_reader_looks_at_does_not_move_while_more_comes() {
        let mut window = ReadWindow::new(1 << 20);
        push(&mut window, b"first");
        let before = window.peek().as_ptr();
        push(&mut window, &[7; 100_000]);
        assert_eq!(window.peek().as_ptr(), before);
        assert_eq!(&window.peek()[..5], b"first");
    }

    #[test]
    fn the_first_block_needs_no_shared_memory_and_the_rest_does() {
        let mut window = ReadWindow::new(1 << 20);
        let pushed = window.push(&[1; 3 * BLOCK], 0, Waker::noop());
        assert_eq!((pushed.bytes, pushed.shared), (BLOCK, 0));
        assert_eq!(window.push(&[1], 0, Waker::noop()).bytes, 0);
        let pushed = window.push(&[1; 3 * BLOCK], 100, Waker::noop());
        assert_eq!((pushed.bytes, pushed.shared), (100, 100));
        // What is read first is shared memory: it can be given to others.
        let consumed = window.read(150, |_| ());
        assert_eq!((consumed.bytes, consumed.shared), (150, 100));
        assert!(consumed.writer.is_some());
        assert_eq!(window.push(&[1; 99], 0, Waker::noop()).bytes, 50);
    }
}
