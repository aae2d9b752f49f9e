//! What workers, tickets and submitters of a queue have in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use turbohttp_core::scheduler::{Ask, Bound, GroupId, Priority, Refusal, Stage};

use super::job::Job;
use super::options::QueueOptions;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::QUEUE_KEPT_JOBS_MAX;
use crate::scheduler::{Dispatcher, Shutdown};

/// The place of a queue at its scheduler. It holds neither the queue nor the executor.
pub(super) struct Shared<J, O> {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) group: GroupId,
    pub(super) per_priority: usize,
    pub(super) submitters_max: usize,
    /// Set by the scheduler when what runs is to be dropped.
    cut: Arc<AtomicBool>,
    /// The runtime of the workers has gone.
    is_runtime_gone: AtomicBool,
    pub(super) panicked: AtomicU64,
    lifecycle: Mutex<Lifecycle>,
    table: Mutex<Table<Arc<Job<J, O>>>>,
    waiters: Mutex<SubmitWaiters<J, O>>,
}

impl<J, O> Shared<J, O> {
    pub(super) fn new(dispatcher: Arc<Dispatcher>, options: &QueueOptions) -> Result<Shared<J, O>> {
        let per_priority = options.per_priority;
        let (group, cut) = dispatcher.update(|scheduler, _| {
            if scheduler.stage() != Stage::Open {
                return Err(Error::closed());
            }
            let opened = scheduler.open_group([per_priority; Priority::COUNT]);
            let group = opened.map_err(|error| {
                Error::new(ErrorKind::Full, "the client has too many queues").with_source(error)
            })?;
            Ok((group, scheduler.group_cut_flag(group)))
        })?;
        Ok(Shared {
            dispatcher,
            group,
            per_priority,
            submitters_max: options.submitters,
            cut,
            is_runtime_gone: AtomicBool::new(false),
            panicked: AtomicU64::new(0),
            lifecycle: Mutex::new(Lifecycle::Idle),
            table: Mutex::new(Table::default()),
            waiters: Mutex::new(SubmitWaiters::default()),
        })
    }

    /// Whether what runs is to be dropped.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Why a job was not done of a queue that was stopped.
    pub(super) fn stopped(&self) -> Error {
        if self.is_runtime_gone.load(Ordering::Acquire) {
            return runtime_gone();
        }
        let message = "canceled: the queue was stopped before the job was done";
        Error::new(ErrorKind::Canceled, message)
    }

    pub(super) fn full(&self, priority: Priority) -> Error {
        Error::refused(Refusal::Full {
            bound: Bound::Group(priority),
            limit: self.per_priority,
        })
    }

    pub(super) fn lock_lifecycle(&self) -> MutexGuard<'_, Lifecycle> {
        self.lifecycle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn waiters(&self) -> MutexGuard<'_, SubmitWaiters<J, O>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self) -> MutexGuard<'_, Table<Arc<Job<J, O>>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job out of the table; its job is to be dropped without a lock held.
    pub(super) fn remove_job(&self, tag: u64) -> Option<Arc<Job<J, O>>> {
        self.table().remove(tag)
    }
}

impl<J: Send + 'static, O: Send + 'static> Shared<J, O> {
    /// Stops the group of workers in this way, and turns away those who wait for room.
    pub(super) fn begin_stop(&self, mode: Shutdown) {
        let now = clock::now();
        let (mode, deadline) = mode.parts(now);
        self.dispatcher.update(|scheduler, effects| {
            scheduler.close_group(self.group, mode, deadline, now, effects);
        });
        self.admit_waiting();
    }

    /// Nobody is left to run the jobs, and nobody will be: all of them are told.
    pub(super) fn close_runtime_gone(&self) {
        self.is_runtime_gone.store(true, Ordering::Release);
        self.begin_stop(Shutdown::Now);
    }

    /// Puts a job in the queue if there is room and nobody else waits for it.
    pub(super) fn try_enqueue(&self, job: &Arc<Job<J, O>>) -> Result<(), Refusal> {
        let priority = job.priority();
        if !self.waiters().is_empty_at(priority) {
            return Err(Refusal::Full {
                bound: Bound::Group(priority),
                limit: self.per_priority,
            });
        }
        self.enqueue(job)
    }

    /// Puts a job in the queue if there is room; one that was canceled meanwhile stays out.
    pub(super) fn enqueue(&self, job: &Arc<Job<J, O>>) -> Result<(), Refusal> {
        let priority = job.priority();
        let tag = self.table().insert(job.clone());
        let mut waker = Some(Waker::from(job.clone()));
        let entered = self.dispatcher.update(|scheduler, effects| {
            if !job.is_unqueued() {
                return Ok(false);
            }
            let ask = Ask {
                lane: job.lane.key(),
                priority,
                deadline: job.deadline,
            };
            let call = scheduler.submit(self.group, ask, tag, clock::now(), effects)?;
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
}

impl<J, O> Drop for Shared<J, O> {
    /// The last ticket and the last worker have gone: another queue may have the place.
    fn drop(&mut self) {
        self.dispatcher
            .update(|scheduler, _| scheduler.forget_group(self.group));
    }
}

/// There was a runtime, and it was shut down.
pub(super) fn runtime_gone() -> Error {
    let message = "the runtime of the queue's workers was shut down before the job was done";
    Error::new(ErrorKind::Runtime, message)
}

pub(super) struct SubmitWaiters<J, O> {
    lines: [BTreeMap<u64, Arc<Job<J, O>>>; Priority::COUNT],
    /// Numbers given out.
    last: u64,
    /// Somebody is letting in.
    is_admitting: bool,
    /// He is to look once more.
    admits_again: bool,
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

/// A place among those who wait for room.
#[derive(Clone, Copy)]
pub(super) struct WaitNumber {
    level: usize,
    number: u64,
}

impl<J, O> SubmitWaiters<J, O> {
    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(BTreeMap::len).sum()
    }

    pub(super) fn is_empty_at(&self, level: Priority) -> bool {
        self.lines[level.index()].is_empty()
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

impl<J: Send + 'static, O: Send + 'static> Shared<J, O> {
    /// Leaves a job to be put in when there is room.
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

    /// Does not wait for room any more.
    pub(super) fn remove_waiter(&self, number: WaitNumber) {
        let job = self.waiters().lines[number.level].remove(&number.number);
        drop(job);
    }

    /// Puts in whoever there is room for, or turns all away if there never will be.
    pub(super) fn admit_waiting(&self) {
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
            let mut waiters = self.waiters();
            if !std::mem::take(&mut waiters.admits_again) {
                waiters.is_admitting = false;
                return;
            }
        }
    }

    fn admit_waiting_at(&self, level: usize) {
        loop {
            let first = self.waiters().first(level);
            let Some((number, job)) = first else { return };
            match self.enqueue(&job) {
                Ok(()) => job.wake_waiter(),
                Err(Refusal::Full { .. }) => return,
                Err(refusal) => job.reject(Error::refused(refusal)),
            }
            self.remove_waiter(number);
        }
    }
}

/// Places that are used again.
#[derive(Debug)]
pub(super) struct Table<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Table<T> {
    pub(super) fn insert(&mut self, value: T) -> u64 {
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

    pub(super) fn remove(&mut self, tag: u64) -> Option<T> {
        let index = usize::try_from(tag).ok()?;
        let value = self.places.get_mut(index)?.take()?;
        self.free.push(index);
        if self.free.len() == self.places.len() && self.places.len() > QUEUE_KEPT_JOBS_MAX {
            // A burst is over.
            *self = Table::default();
        }
        Some(value)
    }
}

/// Whether a queue has workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    /// Not yet.
    Idle,
    Starting,
    /// While it is being started, its runtime drops what is spawned.
    RuntimeGone,
    Running,
    /// Stopped before it had any, or while it was being started.
    Stopped,
}
