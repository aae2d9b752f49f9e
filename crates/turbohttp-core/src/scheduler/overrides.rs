//! Limits and rates of single lanes, which are kept when the lane is forgotten.

use hashbrown::HashTable;

use super::bounds::{OVERRIDES_MAX, TooManyLanes};
use super::key::LaneKey;
use super::moment::Moment;
use super::rate::Rate;

/// What one lane has of its own. Invariant: it has something.
#[derive(Debug)]
struct Override {
    text: Box<str>,
    hash: u64,
    limit: Option<usize>,
    rate: Option<Rate>,
    /// When the bucket of the lane is full, of a lane with `rate` that was forgotten.
    full_at: Moment,
}

/// The lanes that have a limit or a rate of their own, by key.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    /// Invariant: at most [`OVERRIDES_MAX`].
    table: HashTable<Override>,
    /// Invariant: the lanes in `table` with a rate.
    rates: usize,
}

impl Overrides {
    fn find(&self, key: LaneKey<'_>) -> Option<&Override> {
        self.table.find(key.hash, |known| *known.text == *key.text)
    }

    pub(super) fn limit(&self, key: LaneKey<'_>) -> Option<usize> {
        self.find(key)?.limit
    }

    /// The rate of a lane, and when its bucket is full.
    pub(super) fn rate(&self, key: LaneKey<'_>) -> Option<(Rate, Moment)> {
        let found = self.find(key)?;
        Some((found.rate?, found.full_at))
    }

    /// Whether any lane has a rate of its own.
    pub(super) fn has_rates(&self) -> bool {
        self.rates > 0
    }

    pub(super) fn set_limit(
        &mut self,
        key: LaneKey<'_>,
        limit: Option<usize>,
    ) -> Result<(), TooManyLanes> {
        self.change(key, limit.is_none(), |known| known.limit = limit)
    }

    pub(super) fn set_rate(
        &mut self,
        key: LaneKey<'_>,
        rate: Option<Rate>,
        now: Moment,
    ) -> Result<(), TooManyLanes> {
        let had_rate = self.rate(key).is_some();
        self.change(key, rate.is_none(), |known| {
            known.rate = rate;
            // A lane that was forgotten at a slower rate is not closed for longer than the new one
            // asks for.
            known.full_at = match rate {
                Some(rate) => known.full_at.min(rate.full_at_latest(now)),
                None => Moment::default(),
            };
        })?;
        self.rates -= usize::from(had_rate);
        self.rates += usize::from(rate.is_some());
        Ok(())
    }

    /// Keeps the state of the bucket of a lane that is forgotten, if its rate is its own.
    pub(super) fn keep_bucket(&mut self, text: &str, hash: u64, full_at: Moment) {
        let known = self.table.find_mut(hash, |known| *known.text == *text);
        // One that has a limit alone has the rate of all lanes, and begins anew.
        if let Some(known) = known
            && known.rate.is_some()
        {
            known.full_at = full_at;
        }
    }

    fn change(
        &mut self,
        key: LaneKey<'_>,
        is_removal: bool,
        change: impl FnOnce(&mut Override),
    ) -> Result<(), TooManyLanes> {
        let is_it = |known: &Override| *known.text == *key.text;
        // Read here: the entry below borrows the table.
        let count = self.table.len();
        match self.table.find_entry(key.hash, is_it) {
            Ok(mut known) => {
                change(known.get_mut());
                // An entry without anything would count towards the bound for good.
                let Override { limit, rate, .. } = known.get();
                if limit.is_none() && rate.is_none() {
                    known.remove();
                }
            }
            Err(_) if is_removal => {}
            Err(_) if count >= OVERRIDES_MAX => {
                return Err(TooManyLanes {
                    limit: OVERRIDES_MAX,
                });
            }
            Err(_) => {
                let mut new = Override {
                    text: key.text.into(),
                    hash: key.hash,
                    limit: None,
                    rate: None,
                    full_at: Moment::default(),
                };
                change(&mut new);
                self.table.insert_unique(key.hash, new, |known| known.hash);
            }
        }
        Ok(())
    }
}
