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

pub(super) struct Lobby<J, O> {
    lines: [BTreeMap<u64, Arc<Job<J, O>>>; Priority::COUNT],
    /// Numbers given out.
    last: u64,
    /// Somebody is letting in.
    is_busy: bool,
    /// He is to look once more.
    has_news: bool,
}

impl<J, O> Default for Lobby<J, O> {
    fn default() -> Lobby<J, O> {
        Lobby {
            lines: Default::default(),
            last: 0,
            is_busy: false,
            has_news: false,
        }
    }
}

/// A place among those who wait for room.
#[derive(Clone, Copy)]
pub(super) struct Number {
    level: usize,
    number: u64,
}

impl<J, O> Lobby<J, O> {
    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(BTreeMap::len).sum()
    }

    pub(super) fn is_empty_at(&self, level: Priority) -> bool {
        self.lines[level.index()].is_empty()
    }

    fn first(&self, level: usize) -> Option<(Number, Arc<Job<J, O>>)> {
        let (number, job) = self.lines[level].first_key_value()?;
        let number = Number {
            level,
            number: *number,
        };
        Some((number, job.clone()))
    }
}

impl<J: Send + 'static, O: Send + 'static> Shared<J, O> {
    /// Leaves a job to be put in when there is room.
    pub(super) fn wait_for_room(&self, job: Arc<Job<J, O>>) -> Result<Number> {
        let priority = job.priority();
        let mut lobby = self.lobby();
        if lobby.lines[priority.index()].len() >= self.submitters_max {
            let most = self.submitters_max;
            let message = format!("{most} wait for room among {priority} jobs already");
            return Err(Error::new(ErrorKind::Full, message));
        }
        lobby.last += 1;
        let number = lobby.last;
        lobby.lines[priority.index()].insert(number, job);
        Ok(Number {
            level: priority.index(),
            number,
        })
    }

    /// Does not wait for room any more.
    pub(super) fn withdraw(&self, number: Number) {
        let job = self.lobby().lines[number.level].remove(&number.number);
        drop(job);
    }

    /// Puts in whoever there is room for, or turns all away if there never will be.
    pub(super) fn let_in(&self) {
        {
            let mut lobby = self.lobby();
            if lobby.is_busy {
                lobby.has_news = true;
                return;
            }
            if lobby.len() == 0 {
                return;
            }
            lobby.is_busy = true;
        }
        loop {
            for level in 0..Priority::COUNT {
                self.let_in_at(level);
            }
            let mut lobby = self.lobby();
            if !std::mem::take(&mut lobby.has_news) {
                lobby.is_busy = false;
                return;
            }
        }
    }

    fn let_in_at(&self, level: usize) {
        loop {
            let first = self.lobby().first(level);
            let Some((number, job)) = first else { return };
            match self.put_in(&job) {
                Ok(()) => job.tell(),
                Err(Refusal::Full { .. }) => return,
                Err(refusal) => job.turn_away(Error::refused(refusal)),
            }
            self.withdraw(number);
        }
    }
}
