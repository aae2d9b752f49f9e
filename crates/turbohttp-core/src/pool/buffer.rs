//! A bounded pool of byte buffers in power-of-two sizes.
//!
//! # Implementation
//!
//! One stack per size, all under one mutex, because the cap on their total must hold in the same
//! step as the insert. Bytes are allocated, zeroed and freed outside of the lock. A buffer is a
//! `Box<[u8]>` and never grows, so no reallocation leaves a copy of its content in freed memory.

use std::ops::{Deref, DerefMut};
use std::{fmt, hint, mem};

use super::buffer_options::{BufferOptions, InvalidBufferOptions, InvalidSize};
use super::ladder::Ladder;
use crate::sync::{Arc, Mutex};

/// A bounded pool of byte buffers.
///
/// Sizes are the powers of two from `smallest` to `largest` of the [`BufferOptions`]. A buffer is
/// rented from the smallest size that fits and from no other; one longer than `largest` is
/// allocated exactly, and freed when it is released.
///
/// Clones share the pool. When the last clone is dropped, the idle buffers are freed; those that
/// are out are freed when they are released.
///
/// # Examples
///
/// ```
/// use turbohttp_core::pool::{BufferOptions, BufferPool};
///
/// let pool = BufferPool::new(BufferOptions::default())?;
/// let buffer = pool.take(5000)?;
/// assert_eq!(buffer.len(), 8192);
/// assert!(buffer.iter().all(|&byte| byte == 0));
/// drop(buffer);
/// assert_eq!(pool.stats().retained_bytes, 8192);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BufferPool {
    handle: Arc<Handle>,
}

impl BufferPool {
    /// Makes an empty pool.
    ///
    /// # Errors
    ///
    /// [`InvalidBufferOptions`] names the first option that is out of its bound.
    pub fn new(options: BufferOptions) -> Result<Self, InvalidBufferOptions> {
        let ladder = Ladder::new(&options)?;
        let shared = Arc::new(Shared {
            options,
            ladder,
            state: Mutex::new(State::new(ladder)),
        });
        Ok(Self {
            handle: Arc::new(Handle { shared }),
        })
    }

    /// Rents a buffer of at least `len` bytes. Dropping it releases it.
    ///
    /// # Errors
    ///
    /// [`InvalidSize`] if `len` is 0 or above [`BUFFER_BYTES_MAX`](super::BUFFER_BYTES_MAX);
    /// nothing is allocated then.
    pub fn take(&self, len: usize) -> Result<PoolBuffer, InvalidSize> {
        InvalidSize::check(len)?;
        let shared = &self.handle.shared;
        let bytes = match shared.ladder.bucket_for(len) {
            Some(bucket) => shared.rent(bucket),
            None => shared.allocate_exactly(len),
        };
        Ok(PoolBuffer {
            bytes,
            pool: Arc::clone(shared),
        })
    }

    /// Adopts a buffer that was not rented from here. One whose length is no size of the pool, or
    /// for which there is no room, is freed and counted as discarded.
    pub fn put(&self, bytes: Box<[u8]>) {
        self.handle.shared.accept(bytes, Source::Adopted);
    }

    /// Frees all idle buffers, and returns how many bytes that were.
    pub fn clear(&self) -> usize {
        self.handle.shared.empty(Emptying::Clear)
    }

    /// What the pool has done since it was made and what it holds, read in one step.
    pub fn stats(&self) -> BufferPoolStats {
        let shared = &self.handle.shared;
        let state = shared.state.lock();
        let counts = &state.counts;
        BufferPoolStats {
            taken: counts.made + counts.reused + counts.unpooled,
            made: counts.made,
            reused: counts.reused,
            unpooled: counts.unpooled,
            discarded: counts.discarded,
            outstanding: counts.outstanding,
            retained_bytes: state.retained_bytes,
            buckets: shared.survey(&state),
        }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BufferPool").field(&self.stats()).finish()
    }
}

/// A rented buffer; dropping it releases it.
///
/// Dereferences to all its bytes, which may be more than were asked for. Its length is fixed.
/// `Debug` shows the length, not the bytes.
#[must_use = "the buffer is released at once"]
pub struct PoolBuffer {
    bytes: Box<[u8]>,
    pool: Arc<Shared>,
}

impl PoolBuffer {
    /// Whether the buffer has one of the pool's sizes, so that it may be kept after its use.
    pub fn is_pooled(&self) -> bool {
        self.pool.ladder.bucket_of(self.bytes.len()).is_some()
    }
}

impl Deref for PoolBuffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for PoolBuffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for PoolBuffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for PoolBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl fmt::Debug for PoolBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuffer")
            .field("len", &self.len())
            .field("is_pooled", &self.is_pooled())
            .finish()
    }
}

impl Drop for PoolBuffer {
    #[inline]
    fn drop(&mut self) {
        self.pool.accept(mem::take(&mut self.bytes), Source::Rented);
    }
}

/// What a [`BufferPool`] has done, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferPoolStats {
    /// Buffers rented: `made + reused + unpooled`.
    pub taken: u64,
    /// Buffers made because none of their size was idle.
    pub made: u64,
    /// Buffers rented again.
    pub reused: u64,
    /// Buffers too large to be kept.
    pub unpooled: u64,
    /// Buffers of a pool size, and adopted ones, that were freed: no room, not a size of the pool,
    /// cleared, or released after the last clone of the pool was dropped.
    pub discarded: u64,
    /// Buffers that are out now, forgotten ones included.
    pub outstanding: u64,
    /// Bytes that are idle now.
    pub retained_bytes: usize,
    /// What each size holds, from the smallest.
    pub buckets: Vec<BucketStats>,
}

/// What a [`BufferPool`] holds of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketStats {
    /// The length of each of its buffers, in bytes.
    pub buffer_bytes: usize,
    /// How many are idle.
    pub idle: usize,
}

/// What all clones of a pool share. Its drop closes the pool: the guards that are out hold
/// [`Shared`] alone.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.empty(Emptying::Close);
    }
}

struct Shared {
    options: BufferOptions,
    ladder: Ladder,
    state: Mutex<State>,
}

struct State {
    /// One stack per bucket. Invariant: at most `per_bucket` buffers of exactly its size in each.
    idle: Vec<Vec<Box<[u8]>>>,
    /// Invariant: the sum of the lengths of all idle buffers, at most `total_bytes`.
    retained_bytes: usize,
    is_closed: bool,
    counts: Counts,
}

impl State {
    fn new(ladder: Ladder) -> Self {
        Self {
            idle: ladder.stacks(),
            retained_bytes: 0,
            is_closed: false,
            counts: Counts::default(),
        }
    }
}

#[derive(Default)]
struct Counts {
    made: u64,
    reused: u64,
    unpooled: u64,
    discarded: u64,
    outstanding: u64,
}

/// Where a buffer that comes in was before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Rented,
    Adopted,
}

#[derive(Clone, Copy)]
enum Emptying {
    Clear,
    Close,
}

impl Shared {
    fn rent(&self, bucket: usize) -> Box<[u8]> {
        match self.reuse(bucket) {
            Some(mut bytes) => {
                // After the lock, as zeroing takes longer than everything under it.
                if self.options.clear.on_take() {
                    bytes.fill(0);
                }
                bytes
            }
            None => zeroed(self.ladder.len_of(bucket)),
        }
    }

    fn reuse(&self, bucket: usize) -> Option<Box<[u8]>> {
        let mut state = self.state.lock();
        state.counts.outstanding += 1;
        // The buffer released last, which is the one most likely in the cache.
        let bytes = state.idle[bucket].pop();
        match &bytes {
            Some(bytes) => {
                state.counts.reused += 1;
                state.retained_bytes -= bytes.len();
            }
            None => state.counts.made += 1,
        }
        bytes
    }

    #[cold]
    fn allocate_exactly(&self, len: usize) -> Box<[u8]> {
        let bytes = zeroed(len);
        let mut state = self.state.lock();
        state.counts.outstanding += 1;
        state.counts.unpooled += 1;
        bytes
    }

    fn accept(&self, mut bytes: Box<[u8]>, source: Source) {
        if self.options.clear.on_return() {
            // Before it is known whether the buffer is kept: freed memory must be clean as well.
            erase(&mut bytes);
        }
        // A buffer that is not kept is freed here, after `insert` has released the lock.
        drop(self.insert(bytes, source));
    }

    /// Keeps the buffer, or returns it to be freed outside the lock.
    fn insert(&self, bytes: Box<[u8]>, source: Source) -> Option<Box<[u8]>> {
        let bucket = self.ladder.bucket_of(bytes.len());
        let mut state = self.state.lock();
        if source == Source::Rented {
            state.counts.outstanding -= 1;
        }
        let Some(bucket) = bucket.filter(|&bucket| self.has_room(&state, bucket, bytes.len()))
        else {
            // Buffers that are too large for the pool were counted as such when they were made.
            let is_unpooled = source == Source::Rented && bucket.is_none();
            state.counts.discarded += u64::from(!is_unpooled);
            return Some(bytes);
        };
        // Under the same lock as the check: both caps hold at every moment.
        state.retained_bytes += bytes.len();
        state.idle[bucket].push(bytes);
        None
    }

    fn has_room(&self, state: &State, bucket: usize, len: usize) -> bool {
        // The subtraction cannot wrap: `retained_bytes` is at most `total_bytes`.
        !state.is_closed
            && state.idle[bucket].len() < self.options.per_bucket
            && len <= self.options.total_bytes - state.retained_bytes
    }

    fn survey(&self, state: &State) -> Vec<BucketStats> {
        let bucket_stats = |(bucket, stack): (usize, &Vec<_>)| BucketStats {
            buffer_bytes: self.ladder.len_of(bucket),
            idle: stack.len(),
        };
        state.idle.iter().enumerate().map(bucket_stats).collect()
    }

    fn empty(&self, emptying: Emptying) -> usize {
        // Allocated before the lock is taken, as the old ones are freed after it.
        let stacks = self.ladder.stacks();
        let mut state = self.state.lock();
        state.is_closed |= matches!(emptying, Emptying::Close);
        let idle = mem::replace(&mut state.idle, stacks);
        state.counts.discarded += idle.iter().map(|stack| stack.len() as u64).sum::<u64>();
        let freed_bytes = mem::take(&mut state.retained_bytes);
        drop(state);
        drop(idle);
        freed_bytes
    }
}

fn zeroed(len: usize) -> Box<[u8]> {
    vec![0; len].into_boxed_slice()
}

/// Zeroes bytes that are not read again before they are freed.
fn erase(bytes: &mut [u8]) {
    bytes.fill(0);
    // Stands for a reader: without one the optimiser may leave the zeroing out.
    hint::black_box(bytes);
}

#[cfg(test)]
mod tests;
