//! Looking at a scheduler: what is out right now, and what has happened so far.

use super::Scheduler;
use super::gate::Counts;
use super::visit::Phase;

/// What a scheduler has given out and who waits, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmissionAudit {
    /// Requests inside, waiting or not, as a close would count them.
    pub present: u64,
    /// What is filed of them: one for each request that may be cut off, one more for each attempt of
    /// a request that may make several, and what a close has cut off and its owner still holds.
    pub visits: usize,
    /// Permits given out, in total.
    pub running: usize,
    /// Permits there are, in total.
    pub total: usize,
    /// Visits in line.
    pub waiting: usize,
    /// Permits given out that their owners have not seen yet.
    pub granted: usize,
    /// Visits that lost a grant and have not asked again.
    pub parked: usize,
    /// Visits with a deadline that is watched.
    pub deadlines: usize,
    /// Lanes that are paused.
    pub paused: usize,
    /// Lanes that are known, idle ones included.
    pub lanes: usize,
    /// Lanes in which nothing runs or waits.
    pub idle_lanes: usize,
    /// Lanes that are kept because there are handles of them.
    pub pinned_lanes: usize,
    /// The lanes in which something runs, waits, or is paused.
    pub busy: Vec<LaneAudit>,
}

/// One lane at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneAudit {
    /// Its key.
    pub lane: String,
    /// Its limit.
    pub limit: usize,
    /// Permits given out.
    pub running: usize,
    /// Visits in line.
    pub waiting: usize,
    /// Whether it is paused.
    pub is_paused: bool,
}

impl AdmissionAudit {
    /// Whether nothing is out: no permit, nobody waiting, nobody inside.
    pub fn is_quiet(&self) -> bool {
        self.present == 0
            && self.visits == 0
            && self.running == 0
            && self.waiting == 0
            && self.granted == 0
            && self.parked == 0
            && self.deadlines == 0
    }
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdmissionStats {
    /// How visits ended.
    pub ended: Counts,
    /// The most permits out at once.
    pub running_peak: usize,
    /// The most visits in line at once.
    pub waiting_peak: usize,
    /// Grants that were passed on because their owner had gone.
    pub passed_on: u64,
    /// Grants that were passed on because their owner did not take them up in time.
    pub parked: u64,
    /// Idle lanes that were forgotten.
    pub lanes_forgotten: u64,
}

impl AdmissionStats {
    #[inline]
    pub(super) fn note_running(&mut self, running: usize) {
        self.running_peak = self.running_peak.max(running);
    }

    #[inline]
    pub(super) fn note_waiting(&mut self, waiting: usize) {
        self.waiting_peak = self.waiting_peak.max(waiting);
    }
}

impl Scheduler {
    /// What is out right now. Costs a look at every visit and every lane.
    pub fn audit(&self) -> AdmissionAudit {
        let mut audit = AdmissionAudit {
            present: self.gate.present,
            // Permits without a visit are filed too; after a cut they are still out, as `running`.
            visits: self.visits.len() + usize::try_from(self.loose).unwrap_or(usize::MAX),
            running: self.running,
            total: self.rules.total,
            deadlines: self.deadlines.len(),
            paused: self.pauses.len(),
            lanes: self.lanes.len(),
            idle_lanes: self.lanes.idle_count(),
            pinned_lanes: self.lanes.pinned,
            ..AdmissionAudit::default()
        };
        for (_, visit) in self.visits.iter() {
            match visit.state {
                Phase::Queued => audit.waiting += 1,
                Phase::Granted => audit.granted += 1,
                Phase::Parked => audit.parked += 1,
                Phase::Idle | Phase::Taken | Phase::Refused(_) => {}
            }
        }
        let busy = self.lanes.iter().filter(|lane| !lane.is_quiet());
        audit.busy = busy
            .map(|lane| LaneAudit {
                lane: lane.text.to_string(),
                limit: lane.limit,
                running: lane.running,
                waiting: lane.waiting,
                is_paused: lane.paused_until.is_some(),
            })
            .collect();
        audit.busy.sort_by(|one, other| one.lane.cmp(&other.lane));
        audit
    }

    /// The lanes that are kept although nothing happens in them, the one to be forgotten first at the
    /// beginning.
    pub fn idle_lanes(&self) -> impl Iterator<Item = &str> {
        self.lanes.idle().map(|lane| &*lane.text)
    }

    /// What has happened so far.
    pub fn stats(&self) -> AdmissionStats {
        AdmissionStats {
            ended: self.gate.counts,
            lanes_forgotten: self.lanes.evicted,
            ..self.stats
        }
    }
}
