//! Looking at a scheduler: what is out right now.

use super::calls::CallState;
use super::machine::Scheduler;
use super::stats::SchedulerStats;

/// What is out and what waits in a scheduler, at one moment.
///
/// A test that has dropped everything asserts [`is_idle`](Self::is_idle).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchedulerAudit {
    /// Requests inside, waiting or not, as a close would count them.
    pub present: u64,
    /// Records that are kept of them: one for each request, one more for each of its attempts that
    /// asks for a permit by itself, and those that a close has cut off while their owners still
    /// hold them.
    pub calls: usize,
    /// Permits that are out, in total.
    pub running: usize,
    /// The total limit, in permits.
    pub total: usize,
    /// Calls in line.
    pub waiting: usize,
    /// Permits that are out and that their owners have not seen yet.
    pub granted: usize,
    /// Calls that lost a grant, because they did not take it up in time, and have not asked again.
    pub parked: usize,
    /// Calls whose deadline is watched.
    pub deadlines: usize,
    /// Origins or keys that are paused.
    pub paused: usize,
    /// Origins or keys that are known, idle ones included.
    pub origins: usize,
    /// Those in which nothing runs or waits.
    pub idle_origins: usize,
    /// Those that are kept because there are handles of them.
    pub pinned_origins: usize,
    /// Those in which something runs, waits, or is paused, sorted by `origin`.
    pub busy: Vec<OriginAudit>,
}

/// One origin or key at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginAudit {
    /// The origin, such as `https://example.com`, or the key.
    pub origin: String,
    /// Its limit right now, in permits.
    pub limit: usize,
    /// Its permits that are out.
    pub running: usize,
    /// Calls in line.
    pub waiting: usize,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Whether calls wait for the next permit of its rate.
    pub is_spent: bool,
}

impl SchedulerAudit {
    /// Whether nothing is out and nothing waits: no permit, no call, no request inside. Pauses and
    /// known lanes may be there.
    pub fn is_idle(&self) -> bool {
        self.present == 0
            && self.calls == 0
            && self.running == 0
            && self.waiting == 0
            && self.granted == 0
            && self.parked == 0
            && self.deadlines == 0
    }
}

impl Scheduler {
    /// What is out right now. Costs a look at every call and every lane.
    pub fn audit(&self) -> SchedulerAudit {
        let lanes = &self.queues.lanes;
        let mut audit = SchedulerAudit {
            present: self.gate.present,
            // Permits without a call count too. After a cut they do not, but are still out in
            // `running`.
            calls: self.calls.len() + usize::try_from(self.permits).unwrap_or(usize::MAX),
            running: self.capacity.running(),
            total: self.capacity.limit(),
            deadlines: self.timers.deadlines(),
            paused: self.timers.pauses(),
            origins: lanes.len(),
            idle_origins: lanes.idle_count(),
            pinned_origins: lanes.pinned(),
            ..SchedulerAudit::default()
        };
        // Counted anew instead of read from the parts: an audit is what tests hold the counters to.
        for (_, call) in self.calls.iter() {
            match call.state {
                CallState::Queued => audit.waiting += 1,
                CallState::Granted => audit.granted += 1,
                CallState::Parked => audit.parked += 1,
                CallState::Idle | CallState::Taken | CallState::Refused(_) => {}
            }
        }
        let busy = lanes.iter().filter(|lane| !lane.is_vacant());
        audit.busy = busy
            .map(|lane| OriginAudit {
                origin: lane.text.to_string(),
                limit: lane.capacity.limit(),
                running: lane.capacity.running(),
                waiting: lane.waiting,
                is_paused: lane.paused_until.is_some(),
                is_spent: lane.is_spent && lane.waiting > 0,
            })
            .collect();
        // The hash table has no order; sorted, two audits can be compared.
        audit
            .busy
            .sort_by(|one, other| one.origin.cmp(&other.origin));
        audit
    }

    /// What has happened since the scheduler was made.
    pub fn stats(&self) -> SchedulerStats {
        SchedulerStats {
            ended: self.gate.counts,
            origins_forgotten: self.queues.lanes.evicted(),
            ..self.stats
        }
    }
}
