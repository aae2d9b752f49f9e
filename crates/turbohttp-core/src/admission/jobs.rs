//! Jobs: visits that a worker of a group runs for somebody else.

use std::task::{Poll, Waker};
use std::time::Instant;

use super::gate::{Counts, Stage};
use super::moment::Moment;
use super::visit::{Bound, Outcome, Phase, Refusal, VisitId, Waited};
use super::workers::{GroupId, TooManyGroups};
use super::{Ask, Effects, Priority, Scheduler};

/// A job that a worker has picked up; it holds its permit.
#[derive(Debug)]
#[non_exhaustive]
pub struct Picked {
    /// The job.
    pub visit: VisitId,
    /// What its owner filed it under.
    pub tag: u64,
    /// How long it waited.
    pub waited: Waited,
    /// Who was to be woken while it waited: now to be woken when it is done.
    pub waker: Option<Waker>,
}

/// A group at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupLoad {
    /// Jobs that are waiting or running.
    pub present: u64,
    /// Jobs in line at each level.
    pub waiting: [usize; Priority::COUNT],
    /// Workers that wait for a job.
    pub idle: usize,
    /// How jobs ended so far.
    pub ended: Counts,
}

impl Scheduler {
    /// Makes a group of workers, with so many jobs that may wait at each level.
    ///
    /// # Errors
    ///
    /// [`TooManyGroups`].
    pub fn open_group(
        &mut self,
        capacity: [usize; Priority::COUNT],
    ) -> Result<GroupId, TooManyGroups> {
        self.groups.open(capacity)
    }

    /// Frees the place of a group whose jobs have all left.
    pub fn forget_group(&mut self, group: GroupId) {
        let is_left = !self.visits.iter().any(|(_, visit)| visit.group == group);
        if is_left && group != GroupId::CALLERS {
            self.groups[group].is_gone = true;
        }
    }

    /// Puts a job in line; a worker that is idle gets it at once if it may start.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`], [`Refusal::Full`].
    pub fn submit(
        &mut self,
        group: GroupId,
        ask: Ask<'_>,
        tag: u64,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<VisitId, Refusal> {
        let its = &self.groups[group];
        if self.gate.stage != Stage::Open || its.gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        let level = ask.priority.index();
        if its.waiting[level] >= its.capacity[level] {
            return Err(Refusal::Full {
                bound: Bound::Group(ask.priority),
                limit: its.capacity[level],
            });
        }
        self.gate.present += 1;
        self.groups[group].gate.present += 1;
        let id = self.visits.insert(now, true, None);
        let visit = &mut self.visits[id.slot];
        visit.group = group;
        visit.is_job = true;
        visit.cold.tag = tag;
        let lane = self.lanes.find_or_make(ask.lane);
        let now = self.moment(now);
        self.line_up(id.slot, lane, ask, now, effects);
        self.start_ready(now, effects);
        Ok(id)
    }

    /// A worker asks for a job. While there is none it counts as idle, and `waker` is woken when
    /// there is.
    pub fn poll_worker(
        &mut self,
        group: GroupId,
        worker: u32,
        waker: Waker,
        now: Instant,
        effects: &mut Effects,
    ) -> Poll<Picked> {
        let now = self.moment(now);
        self.take_worker(group, worker, effects);
        if self.groups[group].assigned.is_empty() {
            // Without its waker: what it gets now it need not be woken for.
            self.groups[group].idle.push((worker, None));
            self.start_ready(now, effects);
        }
        if let Some(slot) = self.groups[group].assigned.pop_front() {
            effects.discard(Some(waker));
            return Poll::Ready(self.pick(slot, now));
        }
        let mut idle = self.groups[group].idle.iter_mut();
        match idle.find(|(known, _)| *known == worker) {
            Some((_, known)) => *known = Some(waker),
            None => unreachable!("no job was there to take the worker away"),
        }
        Poll::Pending
    }

    /// A worker goes: it is idle no more. A job that it was woken for is left to another one.
    pub fn forget_worker(&mut self, group: GroupId, worker: u32, effects: &mut Effects) {
        let was_idle = self.take_worker(group, worker, effects);
        let group = &mut self.groups[group];
        if !was_idle
            && !group.assigned.is_empty()
            && let Some((_, waker)) = group.idle.pop()
        {
            effects.wake(waker);
        }
    }

    /// Takes a worker out of the idle ones. Says whether it was there.
    fn take_worker(&mut self, group: GroupId, worker: u32, effects: &mut Effects) -> bool {
        let idle = &mut self.groups[group].idle;
        let Some(index) = idle.iter().position(|(known, _)| *known == worker) else {
            return false;
        };
        let (_, waker) = idle.remove(index);
        effects.discard(waker);
        true
    }

    /// The job is done as far as its group is concerned; the visit may go on holding its permit. Says
    /// whether this is how it is counted: a job that was cut off before has been counted as that.
    pub fn finish_job(
        &mut self,
        id: VisitId,
        outcome: Outcome,
        now: Instant,
        effects: &mut Effects,
    ) -> bool {
        let Some(slot) = self.visits.find(id) else {
            return false;
        };
        let group = self.visits[slot].group;
        let was_job = std::mem::take(&mut self.visits[slot].is_job);
        if was_job {
            let at = self.moment(now);
            effects.closed |= self.groups[group].gate.depart(outcome, at);
        }
        was_job
    }

    /// Passes the permit of a job on to a visit of its own, which may outlive the job: it is what the
    /// scheduler's own close waits for from now on, while that of the group waits for the job. `None`
    /// if the job holds no permit.
    pub fn hand_over(&mut self, id: VisitId) -> Option<VisitId> {
        let slot = self.visits.find(id)?;
        let job = &mut self.visits[slot];
        if job.state != Phase::Taken {
            return None;
        }
        job.state = Phase::Idle;
        let is_counted = std::mem::take(&mut job.is_counted);
        let (priority, lane, age) = (job.priority, job.lane, job.key.age);
        let arrived = job.cold.arrived;
        let heir = self.visits.insert(arrived, is_counted, Some(age));
        let visit = &mut self.visits[heir.slot];
        visit.state = Phase::Taken;
        visit.priority = priority;
        visit.lane = lane;
        Some(heir)
    }

    /// What a group has to do, and what has become of its jobs so far.
    pub fn group_load(&self, group: GroupId) -> GroupLoad {
        let group = &self.groups[group];
        GroupLoad {
            present: group.gate.present,
            waiting: group.waiting,
            idle: group.idle.len(),
            ended: group.gate.counts,
        }
    }

    /// Wakes the idle workers of every group that is closed, so that they go.
    pub fn dismiss_workers(&mut self, effects: &mut Effects) {
        for group in self.groups.ids() {
            let group = &mut self.groups[group];
            if group.gate.stage == Stage::Closed {
                for (_, waker) in group.idle.drain(..) {
                    effects.wake(waker);
                }
            }
        }
    }

    /// Wakes whoever runs the visit, so that it looks again.
    pub fn nudge(&mut self, id: VisitId, effects: &mut Effects) {
        if let Some(slot) = self.visits.find(id) {
            effects.wake(self.visits[slot].waker.take());
        }
    }

    /// How many jobs of the group would start before this one if nothing changed and no lane stood
    /// in the way; `None` if it does not wait. Costs a look at every visit.
    pub fn position(&self, id: VisitId) -> Option<usize> {
        let slot = self.visits.find(id)?;
        let this = &self.visits[slot];
        let order = |visit: &super::visit::Visit| match self.rules.ageing {
            None => (visit.priority.index(), visit.key),
            Some(_) => (0, visit.key),
        };
        let is_before = |other: &super::visit::Visit| {
            other.state == Phase::Queued && other.group == this.group && order(other) < order(this)
        };
        (this.state == Phase::Queued).then(|| {
            self.visits
                .iter()
                .filter(|(_, other)| is_before(other))
                .count()
        })
    }

    /// Hands a granted job to an idle worker.
    pub(super) fn assign(&mut self, slot: u32, group: GroupId, effects: &mut Effects) {
        let group = &mut self.groups[group];
        group.assigned.push_back(slot);
        if let Some((_, waker)) = group.idle.pop() {
            effects.wake(waker);
        }
    }

    fn pick(&mut self, slot: u32, now: Moment) -> Picked {
        let waited = self.waited_by(slot, now);
        let visit = &mut self.visits[slot];
        visit.state = Phase::Taken;
        Picked {
            visit: VisitId {
                slot,
                number: visit.number,
            },
            tag: visit.cold.tag,
            waited,
            waker: visit.waker.take(),
        }
    }
}
