//! The options of a buffer pool, and the errors for options out of their bounds.

use std::error::Error;
use std::fmt;

/// The longest buffer that can be rented, in bytes: 1 GiB.
///
/// Far above any useful buffer. A length that came from a peer is refused with [`InvalidSize`]
/// before the allocator is asked for it.
pub const BUFFER_BYTES_MAX: usize = 1 << 30;

/// How large the buffers of a pool are, how many are kept, and when they are zeroed.
///
/// # Examples
///
/// ```
/// use turbohttp_core::pool::{BufferOptions, ClearPolicy};
///
/// let options = BufferOptions::default()
///     .largest(1 << 16)
///     .total_bytes(4 << 20)
///     .clear(ClearPolicy::OnReturn);
/// assert_eq!(options.smallest, 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferOptions {
    /// The length of the shortest buffers, in bytes; a power of two. Default 1 KiB.
    pub smallest: usize,
    /// The length of the longest buffers that are kept, in bytes; a power of two from `smallest` to
    /// [`BUFFER_BYTES_MAX`]. Default 1 MiB.
    pub largest: usize,
    /// How many idle buffers of one size are kept; at least 1. Default 32.
    pub per_bucket: usize,
    /// How many idle bytes are kept in all; at least `largest`. Default 16 MiB.
    pub total_bytes: usize,
    /// When buffers are zeroed. Default [`ClearPolicy::OnTake`].
    pub clear: ClearPolicy,
}

impl BufferOptions {
    /// Sets the length of the shortest buffers, in bytes.
    pub fn smallest(self, smallest: usize) -> Self {
        Self { smallest, ..self }
    }

    /// Sets the length of the longest buffers that are kept, in bytes.
    pub fn largest(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    /// Sets how many idle buffers of one size are kept.
    pub fn per_bucket(self, per_bucket: usize) -> Self {
        Self { per_bucket, ..self }
    }

    /// Sets how many idle bytes are kept in all.
    pub fn total_bytes(self, total_bytes: usize) -> Self {
        Self {
            total_bytes,
            ..self
        }
    }

    /// Sets when buffers are zeroed.
    pub fn clear(self, clear: ClearPolicy) -> Self {
        Self { clear, ..self }
    }

    pub(super) fn validate(&self) -> Result<(), InvalidBufferOptions> {
        let refuse = |field, value, bound| {
            Err(InvalidBufferOptions {
                field,
                value,
                bound,
            })
        };
        // In this order, so that a later check may rely on the ones before it.
        if !self.smallest.is_power_of_two() {
            return refuse("smallest", self.smallest, Bound::PowerOfTwo);
        }
        if !self.largest.is_power_of_two() {
            return refuse("largest", self.largest, Bound::PowerOfTwo);
        }
        if self.largest < self.smallest {
            return refuse("largest", self.largest, Bound::AtLeast(self.smallest));
        }
        if self.largest > BUFFER_BYTES_MAX {
            return refuse("largest", self.largest, Bound::AtMost(BUFFER_BYTES_MAX));
        }
        if self.per_bucket == 0 {
            return refuse("per_bucket", self.per_bucket, Bound::AtLeast(1));
        }
        // Otherwise no buffer of the largest size could ever be kept.
        if self.total_bytes < self.largest {
            return refuse(
                "total_bytes",
                self.total_bytes,
                Bound::AtLeast(self.largest),
            );
        }
        Ok(())
    }
}

impl Default for BufferOptions {
    fn default() -> Self {
        Self {
            smallest: 1 << 10,
            largest: 1 << 20,
            per_bucket: 32,
            total_bytes: 16 << 20,
            clear: ClearPolicy::default(),
        }
    }
}

/// When a pool zeroes its buffers, always over their whole length.
///
/// Zeroing costs about as much as writing the buffer once. New buffers are zero under every policy.
/// Copies elsewhere are out of the pool's reach: those of TLS, of the kernel, and of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClearPolicy {
    /// Never: a rented buffer may hold what its former owner wrote. For programs with a single
    /// tenant and public data.
    None,
    /// Before a buffer is rented again: a rented buffer holds nothing of its former owner.
    #[default]
    OnTake,
    /// When a buffer is released, kept or not: no secret stays in the pool or in freed memory.
    OnReturn,
    /// Both: also against a faulty program that writes to an idle buffer.
    Both,
}

impl ClearPolicy {
    pub(super) fn on_take(self) -> bool {
        // A new variant is to be sorted into both of these.
        matches!(self, Self::OnTake | Self::Both)
    }

    pub(super) fn on_return(self) -> bool {
        matches!(self, Self::OnReturn | Self::Both)
    }
}

/// An option of a buffer pool is out of its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidBufferOptions {
    field: &'static str,
    value: usize,
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    PowerOfTwo,
    AtLeast(usize),
    AtMost(usize),
}

impl InvalidBufferOptions {
    /// The name of the option.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The value that was refused.
    pub fn value(&self) -> usize {
        self.value
    }
}

impl fmt::Display for InvalidBufferOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "buffer pool option {} is {}, ", self.field, self.value)?;
        match self.bound {
            Bound::PowerOfTwo => write!(f, "not a power of two"),
            Bound::AtLeast(least) => write!(f, "the least is {least}"),
            Bound::AtMost(most) => write!(f, "the most is {most}"),
        }
    }
}

impl Error for InvalidBufferOptions {}

/// A buffer of this length cannot be rented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSize {
    len: usize,
}

impl InvalidSize {
    pub(super) fn check(len: usize) -> Result<(), Self> {
        if len == 0 || len > BUFFER_BYTES_MAX {
            Err(Self { len })
        } else {
            Ok(())
        }
    }

    /// The length that was refused, in bytes.
    pub fn len_refused(&self) -> usize {
        self.len
    }
}

impl fmt::Display for InvalidSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "buffer length {} is not in 1..={BUFFER_BYTES_MAX}",
            self.len
        )
    }
}

impl Error for InvalidSize {}
