//! Running code of the user on an object that comes back.

use super::Reset;
use crate::contain::contain;

/// What the inspection of an object has found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As good as new.
    Blank,
    /// Something of its former use is left, although its reset has run.
    Stained,
    /// Its reset has panicked.
    Poisoned,
    /// Its owner is panicking and may have left it half changed.
    Unwinding,
}

/// Resets a value and looks whether that worked.
#[inline]
pub(super) fn inspect<T: Reset>(value: &mut T) -> Verdict {
    if std::thread::panicking() {
        return Verdict::Unwinding;
    }
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
