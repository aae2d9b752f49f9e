//! How an object is made as good as new between two uses.

/// An object that can be made as good as new, so that an [`ObjectPool`](super::ObjectPool) may keep
/// it.
pub trait Reset {
    /// Makes `self` equal to a new one, and frees memory beyond what an idle object may hold.
    ///
    /// Runs outside every lock. Take `self` apart without `..`, so that a new field which is not
    /// reset does not compile.
    fn reset(&mut self);

    /// Whether nothing of the former use is left. Called after each [`reset`](Self::reset), in
    /// release builds too, so it looks at lengths and flags only.
    fn is_blank(&self) -> bool;
}
