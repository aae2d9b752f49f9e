//! Resetting an object that is released, which runs code of the user.

use super::reset::Reset;
use crate::contain::contain;

/// The state of an object after its reset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As good as new.
    Blank,
    /// [`Reset::is_blank`] finds something of its former use, although its reset has run.
    Stained,
    /// Its reset has panicked.
    Poisoned,
    /// The thread is unwinding from a panic, which may have left the object half changed. It is not
    /// reset.
    Unwinding,
}

/// Resets a value, and checks that it is blank.
#[inline]
pub(super) fn inspect<T: Reset>(value: &mut T) -> Verdict {
    if std::thread::panicking() {
        return Verdict::Unwinding;
    }
    // Both run code of the user. If either panics, the value is not used again.
    let mut is_blank = false;
    let is_calm = contain(|| {
        value.reset();
        is_blank = value.is_blank();
    });
    match (is_calm, is_blank) {
        (true, true) => Verdict::Blank,
        (true, false) => Verdict::Stained,
        (false, _) => Verdict::Poisoned,
    }
}
