//! The names that a scheduler gives out.

/// Names a call. Once the call has left, its id names none, although its slot is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    pub(super) slot: u32,
    /// Unique among all calls of a scheduler, so that an id of the past is told from the slot's
    /// present user.
    pub(super) number: u64,
}

/// A permit that is out without a call. Its holder releases it once, with
/// [`release_permit`](super::Scheduler::release_permit); it is neither `Clone` nor `Copy`.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not released is lost"]
pub struct PermitId {
    /// The slot of its lane, which is kept while one of its permits is out.
    pub(super) lane: u32,
}

/// Names a group of workers of one scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(pub(super) u8);

impl GroupId {
    /// The group of all calls that are no jobs: callers run their own requests, so it needs no
    /// workers.
    pub(super) const CALLERS: GroupId = GroupId(0);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}
