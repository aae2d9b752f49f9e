//! The memory that responses are read into: rented, kept spare with a context, lent out as a body.
//!
//! # Implementation
//!
//! A connection rents memory when bytes have arrived, not before: one that waits holds none. A response
//! whose body has arrived whole takes the memory along as a [`BufferedBody`], so that its connection is
//! free. Where the memory goes afterwards depends on its size: one small buffer stays with the pooled
//! context of the request ([`SpareBuffer`]), which saves the next request two turns at the pool's mutex;
//! all others go back to the pool.

use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use turbohttp_core::pool::{
    BufferOptions, BufferPool, BufferPoolStats, ClearPolicy, InvalidBufferOptions, PoolBuffer,
};

use crate::limits::{
    READ_BUFFERS_BYTES_MAX, READ_BUFFERS_PER_SIZE_MAX, READ_BYTES_MAX, READ_BYTES_MIN,
    SPARE_BUFFERS_MAX,
};

/// Where connections rent the memory that they read into.
pub(crate) struct ReadPool {
    buffers: BufferPool,
    spares: Arc<SpareCount>,
}

/// How many buffers of one pool are kept spare with contexts.
#[derive(Default)]
struct SpareCount(AtomicUsize);

impl ReadPool {
    pub(crate) fn new() -> Result<ReadPool, InvalidBufferOptions> {
        let options = BufferOptions::default()
            .smallest(READ_BYTES_MIN)
            .largest(READ_BYTES_MAX)
            .per_bucket(READ_BUFFERS_PER_SIZE_MAX)
            .total_bytes(READ_BUFFERS_BYTES_MAX)
            // Read buffers never leave this crate: only bytes that a read put there for this very
            // response are shown, so there is nothing to clear.
            .clear(ClearPolicy::None);
        Ok(ReadPool {
            buffers: BufferPool::new(options)?,
            spares: Arc::default(),
        })
    }

    /// The pool's counts, in which a spare buffer is not out.
    pub(crate) fn stats(&self) -> BufferPoolStats {
        let mut stats = self.buffers.stats();
        // The two counts are not taken at the same moment, so the difference may be off by those that
        // moved in between, but never below zero.
        stats.outstanding = stats.outstanding.saturating_sub(self.spare_count());
        stats
    }

    /// Buffers that are kept spare with contexts.
    pub(crate) fn spare_count(&self) -> u64 {
        self.spares.0.load(Ordering::Relaxed) as u64
    }

    /// Rents memory of at least `length` bytes, which is not zero.
    #[cold]
    pub(crate) fn rent(&self, length: usize) -> ReadMemory {
        ReadMemory {
            bytes: self.buffers.take(length).expect("the size is not zero"),
            spares: self.spares.clone(),
        }
    }
}

impl SpareCount {
    /// Counts one more, unless there are [`SPARE_BUFFERS_MAX`].
    #[inline]
    fn enter(&self) -> bool {
        // Only the bound is decided here; the buffer itself moves with its context, which orders it.
        let is_below = self.0.fetch_add(1, Ordering::Relaxed) < SPARE_BUFFERS_MAX;
        if !is_below {
            self.leave();
        }
        is_below
    }

    #[inline]
    fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A rented read buffer. Dropping it gives it back to its pool.
pub(crate) struct ReadMemory {
    bytes: PoolBuffer,
    spares: Arc<SpareCount>,
}

impl Deref for ReadMemory {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for ReadMemory {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for ReadMemory {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for ReadMemory {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// The place for one small read buffer in the context of a request.
///
/// It outlives the reset of the context: nothing of its content is ever shown, as a [`ReadBuffer`] shows
/// only what its own reads put there. A request made without a client leaves it with one of the
/// `DETACHED_CONTEXTS_MAX` contexts that such requests share.
#[derive(Default)]
pub(crate) struct SpareBuffer(Option<ReadMemory>);

impl SpareBuffer {
    #[inline]
    pub(crate) fn take(&mut self) -> Option<ReadMemory> {
        let memory = self.0.take()?;
        memory.spares.leave();
        Some(memory)
    }

    /// Keeps a buffer of the smallest size if there is none here yet; any other goes to its pool.
    #[inline]
    pub(crate) fn put(&mut self, memory: ReadMemory) {
        if self.0.is_none() && memory.len() == READ_BYTES_MIN && memory.spares.enter() {
            self.0 = Some(memory);
        }
    }
}

impl Drop for SpareBuffer {
    fn drop(&mut self) {
        self.take();
    }
}

/// Bytes that have arrived on a connection and are not consumed: `memory[start..end]`.
///
/// Invariant: `start <= end <= memory.len()`, and only bytes in that range are ever shown; all of them
/// were put there by reads of the exchange that is going on.
pub(crate) struct ReadBuffer {
    memory: Option<ReadMemory>,
    start: usize,
    end: usize,
    /// The size of the next buffer: grows while reads fill it, shrinks when responses are small.
    size: usize,
    /// The stream was asked once whether it is readable, and was not.
    pub(crate) was_awaited: bool,
    /// The most bytes that one read gave since the last release.
    largest_read: usize,
}

impl ReadBuffer {
    pub(crate) fn new() -> ReadBuffer {
        ReadBuffer {
            memory: None,
            start: 0,
            end: 0,
            size: READ_BYTES_MIN,
            was_awaited: false,
            largest_read: 0,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether no memory is rented.
    #[inline]
    pub(crate) fn is_unrented(&self) -> bool {
        self.memory.is_none()
    }

    #[inline]
    pub(crate) fn filled(&self) -> &[u8] {
        match &self.memory {
            Some(memory) => &memory[self.start..self.end],
            None => &[],
        }
    }

    /// The filled part, for a decoder that moves data together in place.
    #[inline]
    pub(crate) fn filled_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Some(memory) => &mut memory[self.start..self.end],
            None => &mut [],
        }
    }

    #[inline]
    pub(crate) fn consume(&mut self, length: usize) {
        debug_assert!(length <= self.len(), "consumed more than there was");
        self.start += length;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Free space of at least one byte behind the filled part; the spare buffer of `spare` is used first.
    ///
    /// A full buffer is replaced by one of twice the size, so the caller bounds what it leaves
    /// unconsumed.
    #[inline]
    pub(crate) fn space(&mut self, pool: &ReadPool, spare: &mut SpareBuffer) -> &mut [u8] {
        // A connection whose responses are larger rents from the pool at once, and grows no spare buffer.
        if self.memory.is_none() && self.size == READ_BYTES_MIN {
            self.memory = spare.take();
        }
        let length = self.memory.as_deref().map_or(0, <[u8]>::len);
        let is_too_small = self.is_empty() && length < self.size;
        if is_too_small || self.end == length {
            self.make_room(pool, spare, length);
        }
        let end = self.end;
        let memory = self.memory.as_mut().expect("room was made");
        &mut memory[end..]
    }

    /// Notes that a read put `length` bytes into the free space, which had room for `room`.
    #[inline]
    pub(crate) fn fill(&mut self, length: usize, room: usize) {
        self.was_awaited = false;
        self.end += length;
        self.largest_read = self.largest_read.max(length);
        if length == room {
            self.size = (self.size * 2).min(READ_BYTES_MAX);
        }
    }

    /// Gives the memory back if it holds nothing: a wait may be long.
    #[inline]
    pub(crate) fn release_if_empty(&mut self, spare: &mut SpareBuffer) {
        if self.is_empty()
            && let Some(memory) = self.memory.take()
        {
            spare.put(memory);
        }
    }

    /// Gives the memory back at the end of an exchange; what was not consumed is gone.
    #[inline]
    pub(crate) fn release(&mut self, spare: &mut SpareBuffer) {
        if let Some(memory) = self.memory.take() {
            spare.put(memory);
        }
        self.reset();
    }

    /// Moves the memory out as a body of which `data` is a range of the filled part.
    #[inline]
    pub(crate) fn take_body(&mut self, data: Range<usize>) -> Option<BufferedBody> {
        // `data` is relative to the filled part, the body's range to the memory.
        let data = self.start + data.start..self.start + data.end;
        let memory = self.memory.take()?;
        self.reset();
        let is_given = false;
        Some(BufferedBody {
            memory,
            data,
            is_given,
        })
    }

    #[inline]
    fn reset(&mut self) {
        (self.start, self.end) = (0, 0);
        // A quarter, so that responses of about one size do not make it grow and shrink in turn.
        if self.largest_read * 4 < self.size {
            self.size = (self.size / 2).max(READ_BYTES_MIN);
        }
        self.largest_read = 0;
        self.was_awaited = false;
    }

    #[cold]
    fn make_room(&mut self, pool: &ReadPool, spare: &mut SpareBuffer, length: usize) {
        if self.start > 0 {
            // Room in front is used before anything larger is rented.
            let (start, end) = (self.start, self.end);
            if let Some(memory) = &mut self.memory {
                memory.copy_within(start..end, 0);
            }
            (self.start, self.end) = (0, end - start);
            return;
        }
        let wanted = match self.is_empty() {
            true => self.size,
            false => length * 2,
        };
        let mut larger = pool.rent(wanted);
        larger[..self.end].copy_from_slice(self.filled());
        if let Some(smaller) = self.memory.replace(larger) {
            spare.put(smaller);
        }
    }
}

/// The body of a response that had arrived whole with its head. It holds no connection.
pub(crate) struct BufferedBody {
    memory: ReadMemory,
    data: Range<usize>,
    /// The data was handed out, or there is none.
    is_given: bool,
}

impl BufferedBody {
    /// A body of the first `filled` bytes of `memory`.
    #[inline]
    pub(crate) fn whole(memory: ReadMemory, filled: usize) -> BufferedBody {
        BufferedBody {
            memory,
            data: 0..filled,
            is_given: false,
        }
    }

    /// Marks the data as handed out; says whether there was some that had not been.
    #[inline]
    pub(super) fn give(&mut self) -> bool {
        !std::mem::replace(&mut self.is_given, true) && !self.data.is_empty()
    }

    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.memory[self.data.clone()]
    }

    /// Bytes that were not handed out.
    #[inline]
    pub(super) fn remaining(&self) -> u64 {
        match self.is_given {
            true => 0,
            false => self.data.len() as u64,
        }
    }

    #[inline]
    pub(super) fn release(self, spare: &mut SpareBuffer) {
        spare.put(self.memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pool: &ReadPool, spare: &mut SpareBuffer) -> ReadBuffer {
        let mut buffer = ReadBuffer::new();
        let room = buffer.space(pool, spare).len();
        buffer.space(pool, spare)[..5].copy_from_slice(b"hello");
        buffer.fill(5, room);
        buffer
    }

    #[test]
    fn context_keeps_one_small_buffer_that_counts_as_in_the_pool() {
        let pool = ReadPool::new().unwrap();
        let mut spare = SpareBuffer::default();
        let mut buffer = filled(&pool, &mut spare);
        assert_eq!(pool.stats().outstanding, 1);
        buffer.release(&mut spare);
        assert_eq!((pool.stats().outstanding, pool.stats().taken), (0, 1));
        assert_eq!(pool.spare_count(), 1);
        let body = filled(&pool, &mut spare).take_body(1..4).unwrap();
        assert_eq!(body.data(), b"ell");
        assert_eq!((pool.stats().outstanding, pool.stats().taken), (1, 1));
        body.release(&mut spare);
        drop(spare);
        let stats = pool.stats();
        assert_eq!(
            (stats.outstanding, stats.retained_bytes),
            (0, READ_BYTES_MIN)
        );
    }

    #[test]
    fn spare_buffers_are_bounded() {
        let pool = ReadPool::new().unwrap();
        let mut spares = Vec::new();
        let mut buffers: Vec<ReadBuffer> = (0..SPARE_BUFFERS_MAX + 1)
            .map(|_| filled(&pool, &mut SpareBuffer::default()))
            .collect();
        for buffer in &mut buffers {
            let mut spare = SpareBuffer::default();
            buffer.release(&mut spare);
            spares.push(spare);
        }
        assert_eq!(pool.spare_count(), SPARE_BUFFERS_MAX as u64);
        assert_eq!(pool.stats().outstanding, 0);
        assert_eq!(pool.stats().retained_bytes, READ_BYTES_MIN);
    }
}
