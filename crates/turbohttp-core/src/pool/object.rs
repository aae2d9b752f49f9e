//! A bounded pool of objects.
//!
//! # Implementation
//!
//! A stack of boxed slots under one mutex: the cell released last is rented first, as it is in the
//! cache. A cell points to its pool only while it is rented, so that the guard is one pointer wide
//! and an idle cell keeps nothing alive. The clones of a pool share a handle whose drop closes the
//! pool; the shared part lives until the last guard is dropped.

use std::error::Error;
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

use super::inspect::{Verdict, inspect};
use super::reset::Reset;
use crate::contain::contain;
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering};

/// A bounded pool of objects that are reset between two uses.
///
/// Clones share the pool. When the last clone is dropped, the idle objects are dropped; those that
/// are out are dropped when they are released.
///
/// # Examples
///
/// ```
/// use turbohttp_core::pool::{ObjectPool, Reset};
///
/// #[derive(Default)]
/// struct Scratch(Vec<u8>);
///
/// impl Reset for Scratch {
///     fn reset(&mut self) {
///         let Self(bytes) = self;
///         bytes.clear();
///         bytes.shrink_to(4096);
///     }
///     fn is_blank(&self) -> bool {
///         self.0.is_empty()
///     }
/// }
///
/// let pool = ObjectPool::new(8, Scratch::default)?;
/// let mut scratch = pool.take();
/// scratch.0.push(1);
/// drop(scratch);
/// assert!(pool.take().0.is_empty());
/// assert_eq!(pool.stats().made, 1);
/// # Ok::<(), turbohttp_core::pool::InvalidCap>(())
/// ```
pub struct ObjectPool<T: Reset> {
    handle: Arc<Handle<T>>,
}

impl<T: Reset> ObjectPool<T> {
    /// Makes an empty pool that keeps at most `cap` idle objects; `make` is called on each miss.
    ///
    /// How many objects are out at once is not limited.
    ///
    /// # Errors
    ///
    /// [`InvalidCap`] if `cap` is 0.
    pub fn new(cap: usize, make: fn() -> T) -> Result<Self, InvalidCap> {
        if cap == 0 {
            return Err(InvalidCap { cap });
        }
        let shared = Arc::new(Shared {
            cap,
            make,
            idle_count: AtomicUsize::new(0),
            state: Mutex::new(State::new(cap)),
        });
        Ok(Self {
            handle: Arc::new(Handle { shared }),
        })
    }

    /// Rents an idle object, or makes one. Dropping the guard releases it.
    ///
    /// # Panics
    ///
    /// If `make` does; the pool is then as before.
    #[inline]
    pub fn take(&self) -> PoolBox<T> {
        let shared = &self.handle.shared;
        // The lock is released in between: `make` runs code of the user.
        let mut cell = shared.reuse().unwrap_or_else(|| shared.make());
        cell.pool = Some(Arc::clone(shared));
        PoolBox { cell: Some(cell) }
    }

    /// Adopts an object that was not rented from here: it is reset, and dropped if there is no
    /// room.
    ///
    /// # Panics
    ///
    /// In debug builds, if the object is not blank after its reset.
    pub fn put(&self, value: T) {
        let cell = Box::new(Cell { value, pool: None });
        self.handle.shared.accept(cell, Source::Adopted);
    }

    /// The number of idle objects, in `0..=cap`, without taking the lock.
    ///
    /// Exact while no other thread uses the pool, otherwise possibly out of date: for display, not
    /// for decisions.
    pub fn count(&self) -> usize {
        self.handle.shared.idle_count.load(Ordering::Relaxed)
    }

    /// Drops all idle objects, and returns how many. Objects that are out may be kept when they are
    /// released.
    pub fn clear(&self) -> usize {
        self.handle.shared.empty(Emptying::Clear)
    }

    /// What the pool has done since it was made and what it holds, read in one step.
    pub fn stats(&self) -> ObjectPoolStats {
        let shared = &self.handle.shared;
        let state = shared.state.lock();
        ObjectPoolStats {
            idle: state.idle.len(),
            cap: shared.cap,
            ..state.stats
        }
    }
}

impl<T: Reset> Clone for ObjectPool<T> {
    fn clone(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
        }
    }
}

impl<T: Reset> fmt::Debug for ObjectPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectPool").field(&self.stats()).finish()
    }
}

/// A rented object; dropping it releases it.
///
/// Releasing it twice does not compile:
///
/// ```compile_fail,E0382
/// # use turbohttp_core::pool::{ObjectPool, Reset};
/// # fn twice<T: Reset>(pool: &ObjectPool<T>) {
/// let object = pool.take();
/// drop(object);
/// drop(object);
/// # }
/// ```
///
/// One pointer wide. While the thread is unwinding from a panic the object is dropped instead of
/// kept, because the panic may have left it half changed.
///
/// # Panics
///
/// Dropping panics in debug builds only, if the object is not blank after its reset.
#[must_use = "the object is released at once"]
pub struct PoolBox<T: Reset> {
    /// Invariant: `Some` until dropped or detached, and so is the cell's pool.
    cell: Option<Box<Cell<T>>>,
}

impl<T: Reset> PoolBox<T> {
    /// Takes the object out of the pool for good; it is not reset and not kept.
    #[expect(clippy::missing_panics_doc, reason = "the cell is there until here")]
    pub fn detach(mut self) -> T {
        let mut cell = self.cell.take().expect(HELD);
        if let Some(pool) = cell.pool.take() {
            let mut state = pool.state.lock();
            state.stats.outstanding -= 1;
            state.stats.detached += 1;
        }
        cell.value
    }
}

impl<T: Reset> Deref for PoolBox<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.cell.as_ref().expect(HELD).value
    }
}

impl<T: Reset> DerefMut for PoolBox<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.cell.as_mut().expect(HELD).value
    }
}

impl<T: Reset + fmt::Debug> fmt::Debug for PoolBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Reset> Drop for PoolBox<T> {
    #[inline]
    fn drop(&mut self) {
        // `None` after `detach`.
        let Some(mut cell) = self.cell.take() else {
            return;
        };
        if let Some(pool) = cell.pool.take() {
            pool.accept(cell, Source::Rented);
        }
    }
}

/// What an [`ObjectPool`] has done, and what it holds.
///
/// `made + adopted = outstanding + idle + discarded + poisoned + detached`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPoolStats {
    /// Objects made because none was idle.
    pub made: u64,
    /// Objects rented again.
    pub reused: u64,
    /// Objects handed to `put`.
    pub adopted: u64,
    /// Objects kept after their use.
    pub returned: u64,
    /// Objects dropped: over the cap, released while unwinding, not blank after reset, cleared, or
    /// released after the last clone of the pool was dropped.
    pub discarded: u64,
    /// Objects dropped because their reset panicked.
    pub poisoned: u64,
    /// Objects taken out for good.
    pub detached: u64,
    /// Objects that are out now, forgotten ones included.
    pub outstanding: u64,
    /// Objects that are idle now.
    pub idle: usize,
    /// The most objects that may be idle.
    pub cap: usize,
}

/// A pool cannot have this cap: the least is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCap {
    cap: usize,
}

impl fmt::Display for InvalidCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object pool cap is {}, the least is 1", self.cap)
    }
}

impl Error for InvalidCap {}

const HELD: &str = "a guard holds its cell until it is dropped";

/// Room for this many pointers is allocated with the pool. A pool with a larger cap allocates as it
/// fills.
const IDLE_RESERVED: usize = 64;

/// What all clones of a pool share. Its drop closes the pool: the guards that are out hold
/// [`Shared`] alone.
struct Handle<T: Reset> {
    shared: Arc<Shared<T>>,
}

impl<T: Reset> Drop for Handle<T> {
    fn drop(&mut self) {
        self.shared.empty(Emptying::Close);
    }
}

struct Cell<T: Reset> {
    value: T,
    /// Invariant: `Some` only while rented, so that idle slots do not keep the pool alive.
    pool: Option<Arc<Shared<T>>>,
}

struct Shared<T: Reset> {
    cap: usize,
    make: fn() -> T,
    /// The length of `State::idle`, written under its lock and read without: see
    /// [`ObjectPool::count`].
    idle_count: AtomicUsize,
    state: Mutex<State<T>>,
}

struct State<T: Reset> {
    /// Invariant: at most `cap` slots, each of them blank.
    idle: Vec<Box<Cell<T>>>,
    is_closed: bool,
    /// `idle` and `cap` are filled in by [`ObjectPool::stats`].
    stats: ObjectPoolStats,
}

impl<T: Reset> State<T> {
    fn new(cap: usize) -> Self {
        Self {
            idle: Vec::with_capacity(cap.min(IDLE_RESERVED)),
            is_closed: false,
            stats: ObjectPoolStats::default(),
        }
    }
}

/// Where a cell that comes in was before.
#[derive(Clone, Copy)]
enum Source {
    Rented,
    Adopted,
}

#[derive(Clone, Copy)]
enum Emptying {
    Clear,
    Close,
}

impl<T: Reset> Shared<T> {
    #[inline]
    fn reuse(&self) -> Option<Box<Cell<T>>> {
        let mut state = self.state.lock();
        let cell = state.idle.pop()?;
        self.idle_count.store(state.idle.len(), Ordering::Relaxed);
        state.stats.reused += 1;
        state.stats.outstanding += 1;
        Some(cell)
    }

    /// Makes an object.
    #[cold]
    fn make(&self) -> Box<Cell<T>> {
        let cell = Box::new(Cell {
            value: (self.make)(),
            pool: None,
        });
        // Counted after `make`, which may panic: then there is no object that would be missing in
        // the sum.
        let mut state = self.state.lock();
        state.stats.made += 1;
        state.stats.outstanding += 1;
        cell
    }

    fn accept(&self, mut cell: Box<Cell<T>>, source: Source) {
        // Before the lock is taken: it runs code of the user, which may rent from this pool.
        let verdict = inspect(&mut cell.value);
        if let Some(refused) = self.insert(cell, source, verdict) {
            contain(|| drop(refused));
        }
        debug_assert!(
            verdict != Verdict::Stained,
            "an object is not blank after its reset"
        );
    }

    /// Keeps the cell, or returns it to be dropped outside the lock.
    #[inline]
    fn insert(&self, cell: Box<Cell<T>>, source: Source, verdict: Verdict) -> Option<Box<Cell<T>>> {
        let mut state = self.state.lock();
        match source {
            Source::Rented => state.stats.outstanding -= 1,
            Source::Adopted => state.stats.adopted += 1,
        }
        // The order of these checks decides under what a dropped object is counted, each under one
        // counter.
        if verdict == Verdict::Poisoned {
            state.stats.poisoned += 1;
            return Some(cell);
        }
        if verdict != Verdict::Blank || state.is_closed || state.idle.len() >= self.cap {
            state.stats.discarded += 1;
            return Some(cell);
        }
        state.stats.returned += 1;
        state.idle.push(cell);
        self.idle_count.store(state.idle.len(), Ordering::Relaxed);
        None
    }

    fn empty(&self, emptying: Emptying) -> usize {
        let mut state = self.state.lock();
        state.is_closed |= matches!(emptying, Emptying::Close);
        let idle = mem::take(&mut state.idle);
        state.stats.discarded += idle.len() as u64;
        self.idle_count.store(0, Ordering::Relaxed);
        // Drops of objects run code of the user.
        drop(state);

        let count = idle.len();
        for cell in idle {
            contain(|| drop(cell));
        }
        count
    }
}

#[cfg(test)]
mod tests;
