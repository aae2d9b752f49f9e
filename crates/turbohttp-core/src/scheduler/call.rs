//! A call: one request in the scheduler, from entering to leaving: its states, and how it ends.

use std::time::Duration;

use super::priority::Priority;

/// What a call is doing. Every transition happens under the scheduler's lock. Only `Taken` holds a
/// permit that its owner releases; the permit of `Granted` is still the scheduler's, which may
/// grant it to another call.
///
/// ```text
///          admit                grant             turn
///   Idle ---------> Queued -------------> Granted ---------> Taken
///    ^               |  ^                    |                 |
///    |               |  | turn               | not taken up    |
///    |               |  +----- Parked <------+ in time         |
///    +-- Refused <---+ (expired, closed)                       |
///    +---------------------- release --------------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the states are the concept")]
pub enum State {
    /// Neither waits nor holds a permit.
    Idle,
    /// Waits in its lane.
    Queued,
    /// Was granted a permit, did not take it up in time, and keeps its place until it asks again.
    Parked,
    /// Has a permit that its owner has not seen yet.
    Granted,
    /// Its owner holds a permit.
    Taken,
    /// Will not be admitted; its owner is told the reason when it asks.
    Refused(Refusal),
}

/// Why a call is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The scheduler or the group is closed, or closing.
    Closed,
    /// The line is full.
    Full {
        /// Which line.
        bound: Bound,
        /// How many calls may wait in it.
        limit: usize,
    },
    /// Its deadline passed while it waited.
    Expired,
    /// No permit is free, and the caller did not want to wait.
    Busy,
}

/// A line that may be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// Everything that waits, jobs of groups excluded: [`Rules::waiting`](super::Rules::waiting).
    Waiting,
    /// What waits in one lane: [`Rules::waiting_per_lane`](super::Rules::waiting_per_lane).
    Lane,
    /// The jobs of a group at one level: the capacity given to
    /// [`open_group`](super::Scheduler::open_group).
    Group(Priority),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what ends, ends in one of these")]
pub enum Outcome {
    /// The request succeeded.
    Completed,
    /// The request failed with an error of its own.
    Failed,
    /// Its owner gave it up, or it was refused because of a close.
    Canceled,
    /// Its deadline passed while it waited.
    Expired,
    /// It held a permit and was cut off by a close.
    Aborted,
}

/// How long a call waited, by what kept it waiting. The three add up to the whole wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// While its lane was paused.
    pub paused: Duration,
    /// While its lane had no permit free.
    pub lane: Duration,
    /// While no permit was free in total, no worker was idle, or other calls were before it.
    pub total: Duration,
}

impl Waited {
    /// The whole wait.
    pub fn sum(&self) -> Duration {
        self.paused + self.lane + self.total
    }

    /// Divides the nanoseconds of a wait, of which so many were lost to pauses and to the lane's
    /// limit.
    pub(super) fn divide(sum: u64, paused: u64, full: u64) -> Waited {
        // A clock that callers do not read at every step can make the parts a little longer than
        // the sum.
        let paused = paused.min(sum);
        let lane = full.min(sum - paused);
        Waited {
            paused: Duration::from_nanos(paused),
            lane: Duration::from_nanos(lane),
            total: Duration::from_nanos(sum - paused - lane),
        }
    }

    /// The largest part; `total` of a wait that took no time, as that is where a worker's delay
    /// belongs.
    pub(super) fn largest(&mut self) -> &mut Duration {
        if self.lane > self.paused.max(self.total) {
            &mut self.lane
        } else if self.paused > self.total {
            &mut self.paused
        } else {
            &mut self.total
        }
    }
}
