//! Jobs: calls that a worker of a group runs for their owner.

use std::task::{Poll, Waker};
use std::time::Instant;

use super::call::{Outcome, Refusal, Waited};
use super::calls::{Call, CallState};
use super::effects::Effects;
use super::gate::{Counts, Stage};
use super::ids::{CallId, GroupId};
use super::machine::{Ask, Scheduler};
use super::moment::Moment;
use super::priority::Priority;
use super::workers::TooManyGroups;

/// A job that a worker has picked up; it holds its permit.
#[derive(Debug)]
#[non_exhaustive]
pub struct Picked {
    /// The job.
    pub call: CallId,
    /// The name that its owner gave it.
    pub tag: u64,
    /// How long it waited.
    pub waited: Waited,
    /// The waker of its owner, which the worker wakes when the job is done.
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
    /// [`TooManyGroups`] if there are [`GROUPS_MAX`](super::GROUPS_MAX) already.
    pub fn open_group(
        &mut self,
        capacity: [usize; Priority::COUNT],
    ) -> Result<GroupId, TooManyGroups> {
        let group = self.workers.open()?;
        // Under a number that is used again, the queues of the former group are empty: all its jobs
        // have left.
        self.queues.open_group(group, capacity);
        Ok(group)
    }

    /// Lets the number of a group be used again, if all its jobs have left.
    pub fn forget_group(&mut self, group: GroupId) {
        let is_left = !self.calls.iter().any(|(_, call)| call.group == group);
        if is_left && group != GroupId::CALLERS {
            self.workers.forget(group);
        }
    }

    /// Puts a job in line. If it may start and a worker of its group is idle, the worker is woken
    /// for it.
    ///
    /// # Errors
    ///
    /// [`Refusal::Closed`], and [`Refusal::Full`] if as many jobs wait at this level as may.
    pub fn submit(
        &mut self,
        group: GroupId,
        ask: Ask<'_>,
        tag: u64,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<CallId, Refusal> {
        if self.gate.stage != Stage::Open || self.workers[group].gate.stage != Stage::Open {
            return Err(Refusal::Closed);
        }
        self.queues.check_job_room(group, ask.priority)?;
        // Counted at both gates: a close of the group waits for its jobs, one of the scheduler for
        // everything.
        self.gate.present += 1;
        self.workers[group].gate.present += 1;
        let id = self.calls.insert(now, true, None);
        let call = &mut self.calls[id.slot];
        call.group = group;
        call.is_job = true;
        call.cold.tag = tag;
        // Always by way of the line, even where it starts at once: a job needs a worker besides its
        // permit.
        let lane = self.queues.lanes.find_or_make(ask.lane);
        let now = self.timers.moment(now);
        self.line_up(id.slot, lane, ask, now, effects);
        self.start_ready(now, effects);
        Ok(id)
    }

    /// A worker asks for a job. While there is none it counts as idle, and `waker` is woken when
    /// there is one.
    pub fn poll_worker(
        &mut self,
        group: GroupId,
        worker: u32,
        waker: Waker,
        now: Instant,
        effects: &mut Effects,
    ) -> Poll<Picked> {
        let now = self.timers.moment(now);
        // It asks, so it is awake: a waker of a former poll is of no use any more.
        self.workers[group].remove_idle(worker, effects);
        let mut assigned = self.workers[group].take_assigned();
        if assigned.is_none() {
            // Idle without a waker: it need not be woken for what may start now that it is there.
            self.workers[group].insert_idle(worker);
            self.start_ready(now, effects);
            assigned = self.workers[group].take_assigned();
        }
        let Some(slot) = assigned else {
            self.workers[group].set_waker(worker, waker);
            return Poll::Pending;
        };
        effects.discard(Some(waker));
        Poll::Ready(self.pick(slot, now))
    }

    fn pick(&mut self, slot: u32, now: Moment) -> Picked {
        let call = &mut self.calls[slot];
        call.state = CallState::Taken;
        Picked {
            call: call.id(slot),
            tag: call.cold.tag,
            waited: call.waited(now),
            waker: call.waker.take(),
        }
    }

    /// A worker goes and is idle no more. A job that it was woken for is left to another worker.
    pub fn forget_worker(&mut self, group: GroupId, worker: u32, effects: &mut Effects) {
        let group = &mut self.workers[group];
        // A worker that is not among the idle ones was woken for a job that it will not pick up.
        if !group.remove_idle(worker, effects) {
            group.wake_for_assigned(effects);
        }
    }

    /// Wakes the idle workers of every group that is closed, so that they end.
    pub fn dismiss_workers(&mut self, effects: &mut Effects) {
        for group in self.workers.ids() {
            let group = &mut self.workers[group];
            if group.gate.stage == Stage::Closed {
                group.wake_all(effects);
            }
        }
    }

    /// Counts a job as done in its group; the call may go on holding its permit. Returns `false` if
    /// it has been counted before, as a job is that a close cut off.
    pub fn finish_job(
        &mut self,
        id: CallId,
        outcome: Outcome,
        now: Instant,
        effects: &mut Effects,
    ) -> bool {
        let Some(slot) = self.calls.find(id) else {
            return false;
        };
        self.depart_job(slot, outcome, self.timers.moment(now), effects)
    }

    /// Moves the permit of a job to a call of its own, which may outlive the job: the scheduler's
    /// close waits for that call from now on, the group's close for the job. `None` if the job
    /// holds no permit.
    pub fn transfer_permit(&mut self, id: CallId) -> Option<CallId> {
        let slot = self.calls.find(id)?;
        let job = &mut self.calls[slot];
        if job.state != CallState::Taken {
            return None;
        }
        // What the scheduler's gate counted as the job it counts as the heir from now on; `is_job`
        // stays with the job, for the gate of its group.
        job.state = CallState::Idle;
        let is_counted = std::mem::take(&mut job.is_counted);
        let (priority, lane, age) = (job.priority, job.lane, job.key.age);
        let arrived = job.cold.arrived;
        let heir = self.calls.insert(arrived, is_counted, Some(age));
        self.calls[heir.slot].take(lane, priority);
        Some(heir)
    }

    /// What a group has to do, and how its jobs ended so far.
    pub fn group_load(&self, group: GroupId) -> GroupLoad {
        let its = &self.workers[group];
        GroupLoad {
            present: its.gate.present,
            waiting: self.queues.jobs(group),
            idle: its.idle_count(),
            ended: its.gate.counts,
        }
    }

    /// How many jobs of the group would start before this one if nothing changed and every lane
    /// were open; `None` if it does not wait. Costs a look at every call.
    pub fn position(&self, id: CallId) -> Option<usize> {
        let slot = self.calls.find(id)?;
        let this = &self.calls[slot];
        // The order in which `WaitQueues::next` would take them, across all lanes.
        let order = |call: &Call| match self.has_ageing() {
            false => (call.priority.index(), call.key),
            true => (0, call.key),
        };
        let is_before = |other: &Call| {
            let waits = other.state == CallState::Queued && other.group == this.group;
            waits && order(other) < order(this)
        };
        let others = || self.calls.iter().filter(|(_, other)| is_before(other));
        (this.state == CallState::Queued).then(|| others().count())
    }
}
