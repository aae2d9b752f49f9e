//! Bounded pools of objects and of byte buffers, which are used again instead of allocated again.
//!
//! Both pools promise the same:
//!
//! - **Bounded.** Never more than the cap is kept. The check of the cap and the insert are one step
//!   under a lock; what is over the cap is dropped after the lock is released.
//! - **One owner.** What is rented belongs to the guard alone until the guard is dropped. Releasing
//!   it twice does not compile.
//! - **Nothing of the former owner.** An object is reset and checked before it is kept. A buffer is
//!   zeroed over its whole length when the [`ClearPolicy`] says so.
//! - **Contained.** No code of a user runs under a lock, so `reset` may rent from the same pool. An
//!   object that panics while it is reset or dropped is thrown away and counted; no other user of
//!   the pool is affected.
//! - **No allocation** to rent and to release, once the pool has been warmed up.
//!
//! The guard releases in its `Drop`, on every path. `mem::forget` of a guard loses that one item,
//! which stays counted as outstanding. A guard may outlive its pool.

mod buffer;
mod buffer_options;
mod inspect;
mod ladder;
mod object;
mod reset;

pub use buffer::{BucketStats, BufferPool, BufferPoolStats, PoolBuffer};
pub use buffer_options::{
    BUFFER_BYTES_MAX, BufferOptions, ClearPolicy, InvalidBufferOptions, InvalidSize,
};
pub use object::{InvalidCap, ObjectPool, ObjectPoolStats, PoolBox};
pub use reset::Reset;
