//! The earlier one of two limits in time, of which either may be absent.

/// The lesser one of two values; a value that is absent limits nothing.
///
/// # Examples
///
/// ```
/// use turbohttp_core::earlier::earlier;
///
/// assert_eq!(earlier(Some(3), Some(2)), Some(2));
/// assert_eq!(earlier(None, Some(2)), Some(2));
/// assert_eq!(earlier::<u64>(None, None), None);
/// ```
#[inline]
pub fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
