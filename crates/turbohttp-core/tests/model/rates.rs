//! The rates of the reference: buckets as moments, looked at where the scheduler has to.

use turbohttp_core::scheduler::State;

use super::driver::LANES;
use super::reference::{Micros, Reference};

/// How much too early a permit may be granted.
const LENIENCY: Micros = 2_000;

/// One permit in so many microseconds, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) interval: Micros,
    pub(crate) burst: u64,
}

impl Pace {
    fn tolerance(self) -> Micros {
        (self.interval * (self.burst - 1)).max(LENIENCY)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) common: Option<Pace>,
    own: [Option<Pace>; LANES.len()],
    full_at: [Micros; LANES.len()],
    is_spent: [bool; LANES.len()],
}

impl Reference {
    pub(crate) fn rate(&self, lane: usize) -> Option<Pace> {
        self.rates.own[lane].or(self.rates.common)
    }

    fn opens_at(&self, lane: usize) -> Option<Micros> {
        let rate = self.rate(lane)?;
        Some(self.rates.full_at[lane].saturating_sub(rate.tolerance()))
    }

    pub(crate) fn is_spent(&self, lane: usize) -> bool {
        self.rates.is_spent[lane]
    }

    /// Whether the scheduler knows the lane: something happens in it, or it is idle and remembered.
    fn is_known(&self, lane: usize) -> bool {
        self.is_used(lane) || self.idle.contains(&lane)
    }

    pub(crate) fn pace(&mut self, lane: usize) {
        let now = self.now;
        self.rates.is_spent[lane] = self.opens_at(lane).is_some_and(|at| at > now);
    }

    /// A call asks: where no call waits it looks at the bucket itself.
    pub(crate) fn reopen(&mut self, lane: usize) {
        if self.lane_waiting(lane) == 0 {
            self.pace(lane);
        }
    }

    pub(crate) fn spend(&mut self, lane: usize) {
        if let Some(rate) = self.rate(lane) {
            let full_at = self.rates.full_at[lane].max(self.now);
            self.rates.full_at[lane] = full_at + rate.interval;
            self.pace(lane);
        }
    }

    pub(crate) fn put_back(&mut self, lane: usize) {
        if let Some(rate) = self.rate(lane) {
            let full_at = self.rates.full_at[lane];
            self.rates.full_at[lane] = full_at.saturating_sub(rate.interval);
            self.pace(lane);
        }
    }

    pub(crate) fn open_due(&mut self) {
        let now = self.now;
        let due: Vec<usize> = self
            .openings()
            .filter(|(at, _)| *at <= now)
            .map(|at| at.1)
            .collect();
        due.into_iter().for_each(|lane| self.pace(lane));
    }

    /// The lanes that are spent and in which calls wait, and when the next permit of each is due.
    pub(crate) fn openings(&self) -> impl Iterator<Item = (Micros, usize)> {
        let closed = (0..LANES.len()).filter(|lane| {
            let is_here = |lane: usize| {
                self.calls
                    .iter()
                    .any(|call| call.lane == lane && call.state == State::Queued)
            };
            self.is_spent(*lane) && is_here(*lane)
        });
        closed.filter_map(|lane| Some((self.opens_at(lane)?, lane)))
    }

    pub(crate) fn forget_bucket(&mut self, lane: usize) {
        if self.rates.own[lane].is_none() {
            self.rates.full_at[lane] = 0;
        }
    }

    pub(crate) fn set_rate(&mut self, rate: Option<Pace>) {
        self.rates.common = rate;
        (0..LANES.len()).for_each(|lane| self.apply_rate(lane));
        self.start_all();
    }

    pub(crate) fn set_lane_rate(&mut self, lane: usize, rate: Option<Pace>) {
        self.rates.own[lane] = rate;
        self.apply_rate(lane);
        self.start_all();
    }

    fn apply_rate(&mut self, lane: usize) {
        let is_kept = self.rates.own[lane].is_some() || self.is_known(lane);
        self.rates.full_at[lane] = match self.rate(lane) {
            Some(rate) if is_kept => {
                let latest = self.now + rate.tolerance() + rate.interval;
                self.rates.full_at[lane].min(latest)
            }
            _ => 0,
        };
        self.pace(lane);
    }
}
