//! One lane: its permits, its lines, its pause, and what it has of a rate and an adaptive limit.

use super::adaptive::Adaptive;
use super::capacity::Capacity;
use super::heap::NONE;
use super::ids::GroupId;
use super::line::Line;
use super::moment::Moment;
use super::priority::Priority;
use super::rate::{Bucket, Rate};

/// What of the lane itself keeps its calls from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    None,
    /// A pause, or its rate.
    Paused,
    Full,
}

/// The lines of one group in one lane.
#[derive(Debug)]
pub(super) struct LaneQueues {
    pub(super) lines: [Line; Priority::COUNT],
    /// The place of this lane in the group's heap of ready lanes at each level; [`NONE`] where it
    /// is in none.
    pub(super) ready_at: [u32; Priority::COUNT],
}

impl Default for LaneQueues {
    fn default() -> Self {
        Self {
            lines: Default::default(),
            ready_at: [NONE; Priority::COUNT],
        }
    }
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) text: Box<str>,
    pub(super) hash: u64,
    pub(super) capacity: Capacity,
    /// The most permits that are of use: what the connections to its server carry at once. The lane is kept
    /// while they say so.
    pub(super) carried: usize,
    /// Invariant: the calls in all lines of `groups`.
    pub(super) waiting: usize,
    /// Invariant: the calls in the lines of the callers, who are the first of `groups`.
    pub(super) callers_waiting: usize,
    /// Calls that lost a grant here and may claim their place back. The lane is kept for them.
    pub(super) parked: usize,
    /// [`PinnedLane`](super::lanes::PinnedLane)s of it that are out. The lane is kept for them.
    pub(super) pins: usize,
    pub(super) paused_until: Option<Moment>,
    /// Its place in the heap of pauses. Invariant: other than [`NONE`] while `paused_until` is set.
    pub(super) pause_at: u32,
    /// What its limit follows, where limits are adaptive.
    pub(super) adaptive: Option<Box<Adaptive>>,
    /// The bucket of its rate, if it has one.
    pub(super) bucket: Option<Box<Bucket>>,
    /// Its bucket was empty when it was looked at last. Where no call waits it may have filled
    /// since then, which [`Scheduler::reopen`](super::Scheduler::reopen) finds out.
    pub(super) is_spent: bool,
    /// One for each group that has had a job here, by the group's number.
    pub(super) groups: Vec<LaneQueues>,
    /// Invariant: how many `ready_at` of `groups` are other than [`NONE`].
    pub(super) ready: usize,
    /// Neighbours in the list of lanes in the order in which they became idle.
    pub(super) older: u32,
    pub(super) newer: u32,
    pub(super) is_listed: bool,
    /// Invariant: the lane counts as idle in [`Lanes`](super::lanes::Lanes), so it is in its list.
    pub(super) is_idle: bool,
    /// What has stood in the way since when, while calls wait.
    obstacle: Obstacle,
    since: Moment,
    /// Nanoseconds lost to pauses (and the rate) and to the limit while calls waited, up to `since`. Both only
    /// grow: a call takes the difference between the beginning and the end of its wait.
    paused_for: u64,
    full_for: u64,
}

impl Lane {
    pub(super) fn new(
        text: &str,
        hash: u64,
        limit: usize,
        reserve: &[usize; Priority::COUNT],
        bucket: Option<Box<Bucket>>,
    ) -> Lane {
        Lane {
            text: text.into(),
            hash,
            capacity: Capacity::new(limit, reserve),
            carried: usize::MAX,
            waiting: 0,
            callers_waiting: 0,
            parked: 0,
            pins: 0,
            paused_until: None,
            pause_at: NONE,
            adaptive: None,
            is_spent: bucket.is_some(),
            bucket,
            // The callers' queues are always there; `next_in_full_lane` relies on it.
            groups: vec![LaneQueues::default()],
            ready: 0,
            older: NONE,
            newer: NONE,
            is_listed: false,
            is_idle: false,
            obstacle: Obstacle::None,
            since: Moment::default(),
            paused_for: 0,
            full_for: 0,
        }
    }

    /// Whether the lane itself lets a call of this level start.
    #[inline]
    pub(super) fn is_open(&self, level: usize) -> bool {
        self.paused_until.is_none() && !self.is_spent && self.capacity.allows(level)
    }

    /// Whether nothing runs, waits, is parked or paused here.
    #[inline]
    pub(super) fn is_vacant(&self) -> bool {
        let is_free = self.capacity.running() == 0 && self.waiting == 0;
        is_free && self.parked == 0 && self.paused_until.is_none()
    }

    /// Whether the lane may be forgotten: it is idle, not pinned, and no connection has said what it carries.
    #[inline]
    pub(super) fn is_unused(&self) -> bool {
        self.pins == 0 && self.carried == usize::MAX && self.is_vacant()
    }

    /// Sets its rate, or takes it away. The caller looks anew whether it is spent.
    pub(super) fn set_rate(&mut self, rate: Option<Rate>, now: Moment) {
        match (rate, &mut self.bucket) {
            (Some(rate), Some(bucket)) => bucket.set_rate(rate, now),
            // Its bucket is full: what ran before the rate is not counted.
            (Some(rate), None) => self.bucket = Some(Box::new(Bucket::new(rate, now))),
            (None, _) => {
                self.bucket = None;
                self.is_spent = false;
            }
        }
    }

    /// The lines of a group, made where it has its first job in this lane.
    #[inline]
    pub(super) fn queues_of(&mut self, group: GroupId) -> &mut LaneQueues {
        let index = group.index();
        // Few lanes have jobs of several groups, so the vector mostly has one entry.
        if self.groups.len() <= index {
            self.groups.resize_with(index + 1, LaneQueues::default);
        }
        &mut self.groups[index]
    }

    /// Looks anew what stands in the way of the calls here, and files the time up to now under what
    /// stood there before. Called after every change of what runs or waits in the lane, of its
    /// limit and of its pause.
    #[inline]
    pub(super) fn account(&mut self, now: Moment) {
        // While no call waits, no time is lost, whatever stands in the way. A pause and the rate
        // come before the limit: a lane that is both paused and full would not open by a release.
        let obstacle = match self.paused_until {
            _ if self.waiting == 0 => Obstacle::None,
            Some(_) => Obstacle::Paused,
            None if self.is_spent => Obstacle::Paused,
            None if self.capacity.is_full() => Obstacle::Full,
            None => Obstacle::None,
        };
        if obstacle == self.obstacle {
            return;
        }
        // File the time under the old obstacle, then begin with the new one.
        let (paused, full) = self.lost(now);
        self.paused_for = paused;
        self.full_for = full;
        self.obstacle = obstacle;
        self.since = now;
    }

    /// Nanoseconds lost to pauses and to the limit up to now.
    #[inline]
    pub(super) fn lost(&self, now: Moment) -> (u64, u64) {
        let open = now.since(self.since);
        match self.obstacle {
            Obstacle::None => (self.paused_for, self.full_for),
            Obstacle::Paused => (self.paused_for + open, self.full_for),
            Obstacle::Full => (self.paused_for, self.full_for + open),
        }
    }
}
