//! What workers, tickets and submitters of a queue share: its jobs, and who waits for room.
//!
//! # Implementation
//!
//! A submitter that finds no room leaves its job in [`SubmitWaiters`], and every operation that frees
//! room calls [`admit_waiting`](JobQueue::admit_waiting), which enqueues the first of them. So a
//! submitter whose future is not polled delays no other one. Only one thread admits at a time; another
//! one that calls it meanwhile sets [`SubmitWaiters::admits_again`] and returns. That keeps the order
//! of the waiters without a lock held while a job is enqueued.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use turbohttp_core::scheduler::{Ask, Priority, Refusal};
use turbohttp_core::sync::lock;

use super::group::Group;
use super::job::{Job, JobQueue};
use super::options::QueueOptions;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::QUEUE_KEPT_JOBS_MAX;
use crate::scheduler::{Dispatcher, Shutdown};

/// The state of a queue. It holds neither the handle of the queue nor the executor, so that tickets
/// do not keep those alive.
pub(super) struct Shared<J, O> {
    pub(super) group: Group,
    submitters_max: usize,
    /// Panics of the executor.
    pub(super) panicked: AtomicU64,
    lifecycle: Mutex<Lifecycle>,
    jobs: Mutex<JobTable<Arc<Job<J, O>>>>,
    waiters: Mutex<SubmitWaiters<J, O>>,
}

/// Whether a queue has workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    /// Not started.
    Idle,
    Starting,
    /// Being started, but the runtime drops the workers as they are spawned.
    RuntimeGone,
    Running,
    /// Stopped: before it had workers, while it was being started, or while they ran.
    Stopped,
}

/// Jobs that wait for room, at each priority in the order of submission. Bounded by
/// [`QueueOptions::submitters`] at each priority.
struct SubmitWaiters<J, O> {
    lines: [BTreeMap<u64, Arc<Job<J, O>>>; Priority::COUNT],
    /// The last number that was given to a waiter.
    last: u64,
    /// A thread is in `admit_waiting`.
    is_admitting: bool,
    /// That thread is to check every line once more.
    admits_again: bool,
}

/// The place of a waiter: its line, and its number in it.
#[derive(Clone, Copy)]
pub(super) struct WaitNumber {
    level: usize,
    number: u64,
}

/// The enqueued jobs, by the tag under which the scheduler names them. Bounded by what the scheduler
/// lets in.
struct JobTable<T> {
    places: Vec<Option<T>>,
    /// Invariant: each index of an empty place stands here once.
    free: Vec<usize>,
}

impl<J, O> Shared<J, O> {
    /// # Errors
    ///
    /// Those of [`Group::open`].
    pub(super) fn new(dispatcher: Arc<Dispatcher>, options: &QueueOptions) -> Result<Shared<J, O>> {
        Ok(Shared {
            group: Group::open(dispatcher, options.per_priority)?,
            submitters_max: options.submitters,
            panicked: AtomicU64::new(0),
            lifecycle: Mutex::new(Lifecycle::Idle),
            jobs: Mutex::new(JobTable::default()),
            waiters: Mutex::new(SubmitWaiters::default()),
        })
    }

    pub(super) fn lock_lifecycle(&self) -> MutexGuard<'_, Lifecycle> {
        lock(&self.lifecycle)
    }

    fn waiters(&self) -> MutexGuard<'_, SubmitWaiters<J, O>> {
        lock(&self.waiters)
    }

    /// How many jobs wait for room.
    pub(super) fn submitters(&self) -> usize {
        self.waiters().len()
    }
}

impl<J: Send + 'static, O: Send + 'static> Shared<J, O> {
    /// Closes the group in this mode, and rejects the jobs that wait for room.
    pub(super) fn begin_stop(&self, mode: Shutdown) {
        let now = clock::now();
        let (mode, deadline) = mode.parts(now);
        self.group.dispatcher.update(|scheduler, effects| {
            scheduler.close_group(self.group.id, mode, deadline, now, effects);
        });
        self.admit_waiting();
    }

    /// The runtime has dropped a worker: every job that is not done ends in [`ErrorKind::Runtime`].
    pub(super) fn close_runtime_gone(&self) {
        self.group.set_runtime_gone();
        self.begin_stop(Shutdown::Now);
    }

    /// Enqueues a job if there is room and no earlier job of its priority waits for it.
    pub(super) fn try_enqueue(&self, job: &Arc<Job<J, O>>) -> Result<(), Refusal> {
        let priority = job.priority();
        if !self.waiters().is_empty_at(priority) {
            return Err(self.group.full(priority));
        }
        // A submitter that joins the line between the two locks has come after this job.
        self.enqueue(job)
    }

    /// Enqueues a job if there is room; one that was canceled meanwhile stays out.
    fn enqueue(&self, job: &Arc<Job<J, O>>) -> Result<(), Refusal> {
        let priority = job.priority();
        // In the table before the scheduler has the tag: a worker may pick the job up at once.
        let tag = lock(&self.jobs).insert(job.clone());
        let mut waker = Some(Waker::from(job.clone()));
        let entered = self.group.dispatcher.update(|scheduler, effects| {
            // Under the scheduler's lock, as a cancel is: so one of the two comes first.
            if !job.is_unqueued() {
                return Ok(false);
            }
            let ask = Ask {
                lane: job.lane.key(),
                priority,
                deadline: job.deadline,
            };
            let call = scheduler.submit(self.group.id, ask, tag, clock::now(), effects)?;
            job.set_place(call, tag);
            if let Some(waker) = waker.take() {
                scheduler.set_waker(call, waker, effects);
            }
            Ok(true)
        });
        if !matches!(entered, Ok(true)) {
            drop(self.remove_job(tag));
        }
        entered.map(drop)
    }

    /// Puts a job in line for room. It is enqueued by the next [`admit_waiting`](JobQueue::admit_waiting)
    /// that finds room.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`] if as many wait at its priority as may.
    pub(super) fn add_waiter(&self, job: Arc<Job<J, O>>) -> Result<WaitNumber> {
        let priority = job.priority();
        let mut waiters = self.waiters();
        if waiters.lines[priority.index()].len() >= self.submitters_max {
            let most = self.submitters_max;
            let message = format!("{most} wait for room among {priority} jobs already");
            return Err(Error::new(ErrorKind::Full, message));
        }
        waiters.last += 1;
        let number = waiters.last;
        waiters.lines[priority.index()].insert(number, job);
        Ok(WaitNumber {
            level: priority.index(),
            number,
        })
    }

    /// Takes a job out of the line for room, if it is there.
    pub(super) fn remove_waiter(&self, number: WaitNumber) {
        let job = self.waiters().lines[number.level].remove(&number.number);
        // Not in the statement above: a job's drop runs code of the user, and the guard lives as long.
        drop(job);
    }

    fn admit_waiting_at(&self, level: usize) {
        loop {
            let first = self.waiters().first(level);
            let Some((number, job)) = first else { return };
            // It stays in line while it is enqueued, so that `try_enqueue` does not overtake it.
            match self.enqueue(&job) {
                Ok(()) => job.wake_waiter(),
                // At this priority only: room is counted for each.
                Err(Refusal::Full { .. }) => return,
                Err(refusal) => job.reject(Error::refused(refusal)),
            }
            self.remove_waiter(number);
        }
    }
}

impl<J: Send + 'static, O: Send + 'static> JobQueue<J, O> for Shared<J, O> {
    fn group(&self) -> &Group {
        &self.group
    }

    fn remove_job(&self, tag: u64) -> Option<Arc<Job<J, O>>> {
        lock(&self.jobs).remove(tag)
    }

    /// Enqueues the waiting jobs that there is room for, and rejects all of them if the group is closed.
    fn admit_waiting(&self) {
        {
            let mut waiters = self.waiters();
            if waiters.is_admitting {
                waiters.admits_again = true;
                return;
            }
            if waiters.len() == 0 {
                return;
            }
            waiters.is_admitting = true;
        }
        loop {
            for level in 0..Priority::COUNT {
                self.admit_waiting_at(level);
            }
            // One lock for both fields: a caller that comes later finds `is_admitting` unset.
            let mut waiters = self.waiters();
            if !std::mem::take(&mut waiters.admits_again) {
                waiters.is_admitting = false;
                return;
            }
        }
    }
}

impl<J, O> Default for SubmitWaiters<J, O> {
    fn default() -> SubmitWaiters<J, O> {
        SubmitWaiters {
            lines: Default::default(),
            last: 0,
            is_admitting: false,
            admits_again: false,
        }
    }
}

impl<J, O> SubmitWaiters<J, O> {
    fn len(&self) -> usize {
        self.lines.iter().map(BTreeMap::len).sum()
    }

    fn is_empty_at(&self, priority: Priority) -> bool {
        self.lines[priority.index()].is_empty()
    }

    fn first(&self, level: usize) -> Option<(WaitNumber, Arc<Job<J, O>>)> {
        let (number, job) = self.lines[level].first_key_value()?;
        let number = WaitNumber {
            level,
            number: *number,
        };
        Some((number, job.clone()))
    }
}

impl<T> Default for JobTable<T> {
    fn default() -> JobTable<T> {
        JobTable {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> JobTable<T> {
    fn insert(&mut self, value: T) -> u64 {
        let index = match self.free.pop() {
            Some(index) => {
                self.places[index] = Some(value);
                index
            }
            None => {
                self.places.push(Some(value));
                self.places.len() - 1
            }
        };
        index as u64
    }

    fn remove(&mut self, tag: u64) -> Option<T> {
        let index = usize::try_from(tag).ok()?;
        let value = self.places.get_mut(index)?.take()?;
        self.free.push(index);
        if self.free.len() == self.places.len() && self.places.len() > QUEUE_KEPT_JOBS_MAX {
            // Empty after a burst: the memory goes back.
            *self = JobTable::default();
        }
        Some(value)
    }
}
