//! One lane: its limit, what runs in it, who waits at each level, and until when it is paused.

use super::Priority;
use super::heap::NONE;
use super::line::Line;
use super::moment::Moment;
use super::rules::ceilings;
use super::workers::GroupId;

/// What keeps the visits of a lane from starting, as far as the lane itself is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    None,
    Paused,
    Full,
}

/// The lines of one group in one lane.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) lines: [Line; Priority::COUNT],
    /// Where this lane stands among those of the group that could start at each level.
    pub(super) ready_at: [u32; Priority::COUNT],
}

impl Default for Desk {
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
    pub(super) limit: usize,
    /// How many permits each level may see in use and still take one.
    pub(super) ceilings: [usize; Priority::COUNT],
    /// Permits given out, those not yet taken up included.
    pub(super) running: usize,
    /// Visits in its lines.
    pub(super) waiting: usize,
    /// Those among them that are no jobs of a group.
    pub(super) callers_waiting: usize,
    /// Visits that lost a grant here and may claim their place back: the lane is kept for them.
    pub(super) parked: usize,
    /// Handles of it that are out: the lane is kept for them, too.
    pub(super) pins: usize,
    pub(super) paused_until: Option<Moment>,
    /// Its place among the pauses.
    pub(super) pause_at: u32,
    /// One for each group that has had a job here; the callers' is the first.
    pub(super) desks: Vec<Desk>,
    /// In how many heaps of ready lanes it is.
    pub(super) ready: usize,
    /// Neighbours in the list of lanes by when they became idle.
    pub(super) older: u32,
    pub(super) newer: u32,
    pub(super) is_listed: bool,
    pub(super) is_idle: bool,
    obstacle: Obstacle,
    since: Moment,
    /// Nanoseconds lost to pauses and to the limit while anybody waited, ever.
    paused_for: u64,
    full_for: u64,
}

impl Lane {
    pub(super) fn new(
        text: &str,
        hash: u64,
        limit: usize,
        reserve: &[usize; Priority::COUNT],
    ) -> Lane {
        Lane {
            text: text.into(),
            hash,
            limit,
            ceilings: ceilings(limit, reserve),
            running: 0,
            waiting: 0,
            callers_waiting: 0,
            parked: 0,
            pins: 0,
            paused_until: None,
            pause_at: NONE,
            desks: vec![Desk::default()],
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

    pub(super) fn set_limit(&mut self, limit: usize, reserve: &[usize; Priority::COUNT]) {
        self.limit = limit;
        self.ceilings = ceilings(limit, reserve);
    }

    /// Whether the lane itself lets a visit of this level start.
    #[inline]
    pub(super) fn is_open(&self, level: usize) -> bool {
        self.paused_until.is_none() && self.running < self.ceilings[level]
    }

    /// Whether nothing happens here.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.running == 0 && self.waiting == 0 && self.parked == 0 && self.paused_until.is_none()
    }

    /// Whether nothing happens here and nobody has a handle of it, so that the lane may be forgotten.
    #[inline]
    pub(super) fn is_unused(&self) -> bool {
        self.pins == 0 && self.is_quiet()
    }

    #[inline]
    pub(super) fn desk(&mut self, group: GroupId) -> &mut Desk {
        let index = group.index();
        if self.desks.len() <= index {
            self.desks.resize_with(index + 1, Desk::default);
        }
        &mut self.desks[index]
    }

    /// Adds up the time since the last look under what stood in the way.
    #[inline]
    pub(super) fn account(&mut self, now: Moment) {
        let obstacle = match self.paused_until {
            _ if self.waiting == 0 => Obstacle::None,
            Some(_) => Obstacle::Paused,
            None if self.running >= self.limit => Obstacle::Full,
            None => Obstacle::None,
        };
        if obstacle == self.obstacle {
            return;
        }
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
