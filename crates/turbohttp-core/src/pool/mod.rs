//! Pools: objects and byte buffers that are used again instead of made again.
//!
//! Both pools promise the same:
//!
//! - **Bounded.** Never more than the cap is kept. The check and the insert are one step under a
//!   lock; what is over the cap is dropped after the lock is released.
//! - **One owner.** What is rented belongs to the renter alone until it is dropped. Giving back
//!   twice cannot be written.
//! - **Nothing of the former owner.** An object is reset and checked before it is kept. A buffer is
//!   zeroed over its whole length, when the [`ClearPolicy`] says so.
//! - **Contained.** No code of a user runs under a lock, so `reset` may rent from the same pool.
//!   What panics while it is reset or dropped is thrown away, counted, and disturbs nobody.
//! - **No allocation** to rent and to return, once the pool has been warmed up.
//!
//! Giving back happens in `Drop`, on every path. `mem::forget` of a guard loses that one item and
//! nothing else; it stays counted as outstanding. A guard may outlive its pool.

mod buffer;
mod buffer_options;
mod inspect;
mod ladder;
mod object;

pub use buffer::{BucketStats, BufferPool, BufferPoolStats, PoolBuffer};
pub use buffer_options::{
    BUFFER_BYTES_MAX, BufferOptions, ClearPolicy, InvalidBufferOptions, InvalidSize,
};
pub use object::{InvalidCap, ObjectPool, ObjectPoolStats, PoolBox};

/// What can be made as good as new.
pub trait Reset {
    /// Makes `self` equal to a new one, and gives up memory beyond what a new one may hold.
    ///
    /// Runs outside every lock. Take `self` apart without `..`, so that a new field which is not
    /// reset does not compile.
    fn reset(&mut self);

    /// Whether nothing of the former use is left; called after [`reset`](Self::reset), also in
    /// release builds, so it should look at lengths and flags only.
    fn is_blank(&self) -> bool;
}
