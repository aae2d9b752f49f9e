//! The lengths of buffers that a pool keeps.

use super::buffer_options::{BufferOptions, InvalidBufferOptions};

/// The sizes of the buckets: `smallest << 0`, `smallest << 1`, … up to the largest.
#[derive(Clone, Copy)]
pub(super) struct Ladder {
    smallest: usize,
    count: usize,
}

impl Ladder {
    /// Refuses options that are out of their bounds.
    pub(super) fn new(options: &BufferOptions) -> Result<Self, InvalidBufferOptions> {
        options.validate()?;
        // Both are powers of two, as `validate` has checked.
        let steps = options.largest.trailing_zeros() - options.smallest.trailing_zeros();
        Ok(Self {
            smallest: options.smallest,
            count: steps as usize + 1,
        })
    }

    /// The bucket whose buffers are the shortest that hold `len` bytes.
    #[inline]
    pub(super) fn bucket_for(&self, len: usize) -> Option<usize> {
        // Rounding up to a power of two and to the smallest size; `None` only near `usize::MAX`.
        let rounded = len.checked_next_power_of_two()?.max(self.smallest);
        self.bucket_of(rounded)
    }

    /// The bucket whose buffers are exactly `len` bytes long.
    #[inline]
    pub(super) fn bucket_of(&self, len: usize) -> Option<usize> {
        // An adopted buffer may have any length; one that is no size of the pool has no bucket.
        if !len.is_power_of_two() || len < self.smallest {
            return None;
        }
        let bucket = (len.trailing_zeros() - self.smallest.trailing_zeros()) as usize;
        (bucket < self.count).then_some(bucket)
    }

    /// How long the buffers of a bucket are, in bytes.
    #[inline]
    pub(super) fn len_of(&self, bucket: usize) -> usize {
        self.smallest << bucket
    }

    /// One empty stack for each bucket.
    pub(super) fn stacks<T>(&self) -> Vec<Vec<T>> {
        (0..self.count).map(|_| Vec::new()).collect()
    }
}
