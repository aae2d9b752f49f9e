//! Limits that follow what a server bears: two algorithms, as state machines over observations.
//!
//! # Implementation
//!
//! Both algorithms are published ones, those of Netflix's concurrency limits. AIMD adds one permit
//! a round trip while nothing is wrong, and takes a tenth away when the server is overloaded.
//! Gradient2 compares the time of the latest round with a long average of it: a server that has to
//! queue requests takes longer before it refuses any.
//!
//! What is added to them, and why: a *round* is as many answers as there are permits (ten at
//! least), about one round trip, so that a limit of 500 does not grow 500 times as fast as a limit of 1. After a limit
//! was lowered, the requests that were sent before still come back with bad news; they are let pass
//! for one round, as the lower limit has not been tried yet.

use std::time::Duration;

use super::bounds::{InvalidRule, PERMITS_MAX};

/// By what a limit is multiplied when the server is overloaded.
const BACKOFF: f64 = 0.9;

/// Rounds that the long average of times looks back on.
const LONG_ROUNDS: f64 = 600.0;

/// Rounds that are averaged evenly at the beginning, when there is no long average yet.
const WARMUP_ROUNDS: u32 = 10;

/// How many times the long average a round may take before the limit is lowered for it.
const TOLERANCE: f64 = 1.5;

/// Requests that may be queued by the server: what a limit that fits is raised by.
const QUEUE_ALLOWANCE: f64 = 4.0;

/// The part that the newest round has in a limit.
const SMOOTHING: f64 = 0.2;

/// How far one round may lower a limit at most: to the half, before it is smoothed.
const GRADIENT_MIN: f64 = 0.5;

/// The least answers of a round: fewer say little about the time, and a small limit would be tried
/// beyond what fits every few answers.
const ROUND_MIN: usize = 10;

/// A limit per origin that follows what the server bears.
///
/// Each origin begins with `initial` permits. Its limit grows while at least half of it is used and
/// the server keeps up, and shrinks when the server is overloaded. It stays between `floor` and the
/// lesser of `ceiling` and the origin's ordinary limit.
///
/// # Examples
///
/// ```
/// use turbohttp_core::scheduler::AdaptiveLimit;
///
/// let limit = AdaptiveLimit::gradient().floor(2).initial(8).ceiling(100);
/// assert!(limit.check().is_ok());
/// assert!(limit.floor(9).check().is_err()); // more than it begins with
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveLimit {
    algorithm: Algorithm,
    initial: usize,
    floor: usize,
    ceiling: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Aimd,
    Gradient,
}

/// What the end of an attempt shows of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it bears the load, or it does not")]
pub enum Observation {
    /// It has answered, in this time.
    Answered(Duration),
    /// It is overloaded: it refused, or did not answer in time.
    Overloaded,
}

impl AdaptiveLimit {
    /// Additive increase, multiplicative decrease: the limit grows by one permit a round trip until
    /// the server refuses or does not answer, and is then lowered by a tenth. Before the first
    /// such sign it doubles each round trip.
    ///
    /// Finds what a server refuses, not what it queues: for servers that answer 429 or 503 early.
    pub fn aimd() -> AdaptiveLimit {
        AdaptiveLimit::new(Algorithm::Aimd)
    }

    /// Gradient: the limit is lowered when answers take longer than they have on average, before
    /// the server refuses any, and as in [`aimd`](AdaptiveLimit::aimd) when it does.
    ///
    /// Finds where a server begins to queue. The average follows what lasts, so a queue that stays
    /// for some hundred round trips counts as ordinary by and by. Answers should take about the same time while the
    /// server is idle; where some take a thousand times as long as others,
    /// [`aimd`](AdaptiveLimit::aimd) is the better choice.
    pub fn gradient() -> AdaptiveLimit {
        AdaptiveLimit::new(Algorithm::Gradient)
    }

    fn new(algorithm: Algorithm) -> AdaptiveLimit {
        AdaptiveLimit {
            algorithm,
            initial: 10,
            floor: 1,
            ceiling: PERMITS_MAX,
        }
    }

    /// Sets the limit that an origin begins with. Default 10.
    #[must_use]
    pub fn initial(mut self, permits: usize) -> AdaptiveLimit {
        self.initial = permits;
        self
    }

    /// Sets the least limit. Default 1.
    #[must_use]
    pub fn floor(mut self, permits: usize) -> AdaptiveLimit {
        self.floor = permits;
        self
    }

    /// Sets the greatest limit. Default 1,048,576, so that the origin's ordinary limit is the ceiling.
    #[must_use]
    pub fn ceiling(mut self, permits: usize) -> AdaptiveLimit {
        self.ceiling = permits;
        self
    }

    /// Checks the bounds of the limit.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] unless `1 <= floor <= initial <= ceiling <= 1,048,576`.
    pub fn check(&self) -> Result<(), InvalidRule> {
        let bounds = [
            ("adaptive.floor", self.floor, 1, PERMITS_MAX),
            ("adaptive.ceiling", self.ceiling, self.floor, PERMITS_MAX),
            ("adaptive.initial", self.initial, self.floor, self.ceiling),
        ];
        for (field, value, min, max) in bounds {
            if !(min..=max).contains(&value) {
                let bound = format!("{min}..={max}");
                return Err(InvalidRule {
                    field,
                    bound,
                    value,
                });
            }
        }
        Ok(())
    }
}

/// The limit of one lane as it is now. Its size does not change.
#[derive(Debug)]
pub(super) struct Adaptive {
    rule: AdaptiveLimit,
    /// The ordinary limit of the lane.
    ordinary: usize,
    /// Invariant: between the floor and the ceiling. Its whole part is the limit that holds.
    limit: f64,
    /// The server has not been overloaded yet.
    is_starting: bool,
    /// Answers that are still let pass after the limit was lowered.
    passed: usize,
    round: Round,
    average: Average,
}

/// The answers of one round.
#[derive(Debug, Default)]
struct Round {
    answers: usize,
    seconds: f64,
    /// The most permits that were out when one came.
    running: usize,
}

/// An average that looks back on [`LONG_ROUNDS`] rounds, with the latest weighing most.
#[derive(Debug, Default)]
struct Average {
    rounds: u32,
    sum: f64,
    value: f64,
}

impl Average {
    fn add(&mut self, sample: f64) -> f64 {
        if self.rounds < WARMUP_ROUNDS {
            self.rounds += 1;
            self.sum += sample;
            self.value = self.sum / f64::from(self.rounds);
        } else {
            let weight = 2.0 / (LONG_ROUNDS + 1.0);
            self.value = self.value * (1.0 - weight) + sample * weight;
        }
        self.value
    }
}

impl Adaptive {
    /// The limit of a lane that is new; `ordinary` is its limit without this.
    pub(super) fn new(rule: AdaptiveLimit, ordinary: usize) -> Adaptive {
        let mut new = Adaptive {
            rule,
            ordinary,
            limit: rule.initial as f64,
            is_starting: true,
            passed: 0,
            round: Round::default(),
            average: Average::default(),
        };
        new.set(new.limit);
        new
    }

    /// The limit that holds now, in permits.
    pub(super) fn limit(&self) -> usize {
        // The cast rounds down; the limit is at least 1.
        self.limit as usize
    }

    /// Changes the ordinary limit of the lane.
    pub(super) fn set_ordinary(&mut self, limit: usize) {
        self.ordinary = limit;
        self.set(self.limit);
    }

    /// An attempt has ended while so many permits were out, its own included.
    pub(super) fn observe(&mut self, observation: Observation, running: usize) {
        let is_passed = self.passed > 0;
        self.passed = self.passed.saturating_sub(1);
        match (observation, self.rule.algorithm) {
            // Good news as well: it was sent with the others, at the limit that was too high.
            (_, Algorithm::Aimd) if is_passed => {}
            (Observation::Overloaded, _) => {
                if !is_passed {
                    self.back_off(running);
                }
            }
            (Observation::Answered(_), Algorithm::Aimd) => self.add(running),
            // Times count also then: they are what the server takes at that load.
            (Observation::Answered(time), Algorithm::Gradient) => self.time(time, running),
        }
    }

    fn back_off(&mut self, running: usize) {
        self.is_starting = false;
        // The others were sent before the limit was lowered.
        self.passed = running.saturating_sub(1);
        self.round = Round::default();
        // To a whole permit, so that a small limit gives up one at least.
        self.set((self.limit * BACKOFF).floor());
    }

    /// AIMD: one permit more each round trip, if the limit is used.
    fn add(&mut self, running: usize) {
        // A limit that is not used says nothing about what would fit.
        if running * 2 >= self.limit() {
            let step = match self.is_starting {
                true => 1.0,
                false => 1.0 / self.limit.max(ROUND_MIN as f64),
            };
            self.set(self.limit + step);
        }
    }

    /// Gradient: an answer more in the round, which may end by it.
    fn time(&mut self, time: Duration, running: usize) {
        let round = &mut self.round;
        round.answers += 1;
        round.seconds += time.as_secs_f64();
        round.running = round.running.max(running);
        if round.answers >= self.limit().max(ROUND_MIN) {
            let Round {
                answers,
                seconds,
                running,
            } = std::mem::take(&mut self.round);
            self.end_round(seconds / answers as f64, running);
        }
    }

    /// One step of Gradient2, for a round of so many seconds on average.
    fn end_round(&mut self, short: f64, running: usize) {
        // An answer that took no time at all would have the limit divided by it.
        let short = short.max(1e-9);
        let long = self.average.add(short);
        // After a long time of overload the average is too high, and would come down too slowly.
        if long / short > 2.0 {
            self.average.value *= 0.95;
        }
        // As in `add`.
        if (running as f64) < self.limit / 2.0 {
            return;
        }
        let gradient = (TOLERANCE * long / short).clamp(GRADIENT_MIN, 1.0);
        let wanted = self.limit * gradient + QUEUE_ALLOWANCE;
        self.set(self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING);
    }

    fn set(&mut self, limit: f64) {
        let ceiling = self.rule.ceiling.min(self.ordinary);
        // An ordinary limit below the floor is kept: it was set for this lane.
        let floor = self.rule.floor.min(ceiling);
        self.limit = limit.clamp(floor as f64, ceiling as f64);
    }
}

#[cfg(test)]
mod tests;
