//! Running code of the user where a panic must not go on.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code of the user; a panic ends here. Says whether there was none.
///
/// With `panic = "abort"` there is nothing to contain: the process ends.
#[inline]
pub(crate) fn contain(code: impl FnOnce()) -> bool {
    let Err(payload) = catch_unwind(AssertUnwindSafe(code)) else {
        return true;
    };
    // A payload is a value of the user too, and its drop may panic with yet another one.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
    false
}
