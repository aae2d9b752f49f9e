//! Those who wait for room in a queue, at each level in the order in which they came.
//!
//! They leave their jobs here, and whoever frees room puts the first of them in: nobody has to be
//! polled for that, so that a submitter who is not polled holds up nobody. One at a time lets in; who
//! comes meanwhile leaves word, so that the order is kept without a lock held for long.

use std::collections::BTreeMap;
use std::sync::Arc;

use turbohttp_core::scheduler::{Priority, Refusal};

use super::job::Job;
use super::shared::Shared;
use crate::error::{Error, ErrorKind, Result};

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
