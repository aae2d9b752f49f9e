//! Running foreign code, such as wakers and drops of a user's values, where a panic must not go on.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic carried.
pub type Payload = Box<dyn Any + Send>;

/// Runs foreign code; a panic ends here. Returns `false` if there was one.
///
/// With `panic = "abort"` there is nothing to contain: the process ends.
///
/// # Examples
///
/// ```
/// use turbohttp_core::contain::contain;
///
/// assert!(contain(|| ()));
/// ```
#[inline]
pub fn contain(code: impl FnOnce()) -> bool {
    let Err(payload) = catch(code) else {
        return true;
    };
    discard(payload);
    false
}

/// Runs foreign code, and returns what its panic carried if there was one. The caller drops that
/// with [`discard`].
///
/// # Errors
///
/// The payload of the panic.
#[inline]
pub fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Payload> {
    // What the code left half done is thrown away by every caller, or is valid between any two
    // statements.
    catch_unwind(AssertUnwindSafe(code))
}

/// Drops the payload of a panic. It is a value of the user, whose drop may panic with yet another
/// one: that one is leaked, as its drop may do the same.
#[cold]
pub fn discard(payload: Payload) {
    if let Err(second) = catch(|| drop(payload)) {
        mem::forget(second);
    }
}
