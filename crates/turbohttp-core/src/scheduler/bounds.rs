//! The bounds of what is set in a scheduler, and the errors of what is beyond them.

use std::fmt;
use std::time::Duration;

/// The most permits that any limit may give: 1,048,576. The scheduler numbers its slots with 32
/// bits, and a process has fewer sockets.
pub const PERMITS_MAX: usize = 1 << 20;

/// The greatest bound on calls that wait: 16,777,216.
pub const WAITING_MAX: usize = 1 << 24;

/// The most lanes with a limit or a rate of their own. One more is refused with
/// [`TooManyLanes`].
pub const OVERRIDES_MAX: usize = 4_096;

/// The most lanes that are paused at the same time. One more is refused with
/// [`TooManyLanes`].
pub const PAUSED_LANES_MAX: usize = 4_096;

/// The most lanes that are kept because there are handles of them. One more is refused with
/// [`TooManyLanes`].
pub const PINNED_LANES_MAX: usize = 4_096;

/// The most groups of workers on one scheduler. One more is refused with
/// [`TooManyGroups`](super::TooManyGroups).
pub const GROUPS_MAX: usize = 16;

/// How long a grant waits for its owner to take it up, in milliseconds, before its permit goes to
/// another call. It may take twice as long, as time is counted in periods of this length.
pub const GRANT_MS: u64 = 100;

/// The longest step of [`Rules::ageing`](super::Rules::ageing): a year. Ranks are nanoseconds in 64 bits, which four such
/// steps fit into.
pub(super) const AGEING_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A rule out of its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidRule {
    /// The name of the field of [`Rules`](super::Rules), or of the limit that was to be set.
    pub field: &'static str,
    /// The values that are allowed, in words.
    pub bound: String,
    /// The value that was refused.
    pub value: usize,
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidRule {
            field,
            bound,
            value,
        } = self;
        write!(f, "{field} must be {bound} (got {value})")
    }
}

impl std::error::Error for InvalidRule {}

/// Too many lanes have a rule of their own: a limit, a pause, or a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyLanes {
    /// How many may have one of that kind.
    pub limit: usize,
}

impl fmt::Display for TooManyLanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} lanes to be treated apart", self.limit)
    }
}

impl std::error::Error for TooManyLanes {}
