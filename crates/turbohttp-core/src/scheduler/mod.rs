//! The scheduler: which request may start now.
//!
//! Strict priority, limits and rates per lane, a limit in total, pauses and deadlines are decided by one
//! state machine under one lock. There is no seam between two mechanisms at which a permit could be
//! lost, or at which a lane that is full could hold up the others. The scheduler is
//! work-conserving: between two operations, no call waits that may start.
//!
//! A *lane* is the line of one origin, or of one key of a limiter. A *call* is one request from
//! entering to leaving. A *permit* of a lane is also one of the total; a call that runs holds
//! exactly one.
//!
//! [`Scheduler`] is the machine: instants go in, decisions come out, and what is left to be done
//! without the lock is collected in [`Effects`]. [`SharedScheduler`] is the machine behind its
//! lock.
//!
//! # Implementation
//!
//! In the order to read it, each part with the invariant that it keeps:
//!
//! | File | Part | Invariant |
//! | --- | --- | --- |
//! | `machine.rs` | [`Scheduler`] | what a call does: enter, ask, wait, leave |
//! | `call.rs`, `calls.rs` | `Calls` | an id names the call that it was given to, or none |
//! | `capacity.rs` | `Capacity` | no more permits are out than a limit gives |
//! | `queues.rs` | `WaitQueues` | a lane is in a heap of ready lanes exactly while its first call could start |
//! | `lane.rs`, `line.rs`, `lanes.rs`, `overrides.rs` | `Lanes` | known lanes are bounded; a lane in use is not forgotten |
//! | `rate.rs`, `pace.rs` | `Bucket` | a lane is spent while the next permit of its rate is not due |
//! | `adaptive.rs` | `Adaptive` | a limit stays between its floor and its ceiling |
//! | `timers.rs`, `moment.rs` | `Timers` | what is due by itself has been announced |
//! | `gate.rs` | `Gate` | what entered departs once; a gate closes once |
//! | `workers.rs` | `Workers` | a granted job is assigned to its group until a worker picks it up |
//! | `dispatch.rs` | | no call waits that may start |
//!
//! `rules.rs` has what is set when a scheduler is made, `bounds.rs` the bounds of all that is set.
//! The other files are operations over these parts: `permits.rs` (permits without a call),
//! `jobs.rs` (what workers run), `sweep.rs` (what is due by itself), `adjust.rs` (limits and pauses
//! that change), `observe.rs` (what moves adaptive limits), `close.rs` (the end and its reports), `inspect.rs` (audits), and `shared.rs` (the
//! lock).

mod adaptive;
mod adjust;
mod bounds;
mod call;
mod calls;
mod capacity;
mod close;
mod dispatch;
mod effects;
mod gate;
mod heap;
mod ids;
mod inspect;
mod jobs;
mod key;
mod lane;
mod lanes;
mod line;
mod machine;
mod moment;
mod observe;
mod overrides;
mod pace;
mod permits;
mod priority;
mod queues;
mod rate;
mod rules;
mod shared;
mod slab;
mod stats;
mod sweep;
#[cfg(any(test, feature = "testing"))]
mod testing;
mod timers;
mod workers;

pub use adaptive::{AdaptiveLimit, Observation};
pub use adjust::AdjustError;
pub use bounds::{
    GRANT_MS, GROUPS_MAX, InvalidRule, OVERRIDES_MAX, PAUSED_LANES_MAX, PERMITS_MAX,
    PINNED_LANES_MAX, TooManyLanes, WAITING_MAX,
};
pub use call::{Bound, Outcome, Refusal, State, Waited};
pub use effects::Effects;
pub use gate::{CloseMode, Counts, Report, Stage};
pub use ids::{CallId, GroupId, PermitId};
pub use inspect::{OriginAudit, SchedulerAudit};
pub use jobs::{GroupLoad, Picked};
pub use key::LaneKey;
pub use lanes::PinnedLane;
pub use machine::{Ask, Scheduler, Turn};
pub use permits::PermitRequest;
pub use priority::{Priority, UnknownPriority};
pub use rate::{RATE_BURST_TIME_MAX, RATE_INTERVAL_MIN, Rate};
pub use rules::{Reserve, Rules};
pub use shared::{SharedScheduler, Signals};
pub use stats::SchedulerStats;
pub use workers::TooManyGroups;

#[cfg(test)]
mod tests;
