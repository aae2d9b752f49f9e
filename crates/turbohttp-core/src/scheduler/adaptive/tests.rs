//! The algorithms beside the published ones, step by step; `tests/adaptive.rs` has servers to
//! follow.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// AIMD as Netflix publishes it: one permit for each answer, a tenth for each bad one.
struct PublishedAimd {
    limit: usize,
}

impl PublishedAimd {
    fn update(&mut self, running: usize, is_dropped: bool) {
        if is_dropped {
            self.limit = (self.limit as f64 * 0.9) as usize;
        } else if running * 2 >= self.limit {
            self.limit += 1;
        }
        self.limit = self.limit.clamp(1, 200);
    }
}

/// Gradient2 as Netflix publishes it, with a constant queue of 4.
struct PublishedGradient2 {
    limit: f64,
    long: f64,
    sum: f64,
    count: u32,
}

impl PublishedGradient2 {
    fn update(&mut self, rtt: f64, running: usize) {
        if self.count < 10 {
            self.count += 1;
            self.sum += rtt;
            self.long = self.sum / f64::from(self.count);
        } else {
            let factor = 2.0 / (600.0 + 1.0);
            self.long = self.long * (1.0 - factor) + rtt * factor;
        }
        let long = self.long;
        if long / rtt > 2.0 {
            self.long *= 0.95;
        }
        if (running as f64) < self.limit / 2.0 {
            return;
        }
        let gradient = (1.5 * long / rtt).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + 4.0;
        self.limit = (self.limit * 0.8 + wanted * 0.2).clamp(1.0, 200.0);
    }
}

fn answered(millis: u64) -> Observation {
    Observation::Answered(Duration::from_millis(millis))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn rounds_are_steps_of_the_published_gradient(
        trace in vec((1e-4..2.0f64, 0usize..200), 1..300),
    ) {
        let mut adaptive = Adaptive::new(AdaptiveLimit::gradient().initial(20), 200);
        let mut published = PublishedGradient2 { limit: 20.0, long: 0.0, sum: 0.0, count: 0 };
        for (rtt, running) in trace {
            adaptive.end_round(rtt, running);
            published.update(rtt, running);
            prop_assert!((adaptive.limit - published.limit).abs() < 1e-9);
        }
    }

    /// The same up to the first sign of overload, and by it.
    #[test]
    fn the_start_is_that_of_the_published_aimd(running in vec(0usize..200, 0..300)) {
        let mut adaptive = Adaptive::new(AdaptiveLimit::aimd().initial(20), 200);
        let mut published = PublishedAimd { limit: 20 };
        for running in running {
            adaptive.observe(answered(1), running);
            published.update(running, false);
            prop_assert_eq!(adaptive.limit(), published.limit);
        }
        adaptive.observe(Observation::Overloaded, 50);
        published.update(50, true);
        prop_assert_eq!(adaptive.limit(), published.limit);
    }

    /// Whatever is seen, a limit stays in its bounds and is never none.
    #[test]
    fn limits_stay_in_their_bounds(
        is_aimd: bool,
        floor in 1usize..20,
        ordinary in 1usize..100,
        trace in vec((0u64..5_000, 0usize..200, 0u8..3), 0..400),
    ) {
        let rule = match is_aimd {
            true => AdaptiveLimit::aimd(),
            false => AdaptiveLimit::gradient(),
        };
        let mut adaptive = Adaptive::new(rule.floor(floor).initial(20).ceiling(80), ordinary);
        for (millis, running, kind) in trace {
            let observation = match kind {
                0 => Observation::Overloaded,
                _ => answered(millis),
            };
            adaptive.observe(observation, running);
            let limit = adaptive.limit();
            prop_assert!(limit >= floor.min(ordinary) && limit <= ordinary.min(80), "{limit}");
        }
    }
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    for rule in [AdaptiveLimit::aimd(), AdaptiveLimit::gradient()] {
        let mut adaptive = Adaptive::new(rule.initial(20), 100);
        for _ in 0..1_000 {
            adaptive.observe(answered(10), 9);
        }
        assert_eq!(adaptive.limit(), 20);
        for _ in 0..10_000 {
            adaptive.observe(answered(10), 100);
        }
        assert_eq!(adaptive.limit(), 100);
    }
}

/// Requests that were sent before the limit was lowered lower it no further.
#[test]
fn one_round_of_bad_news_counts_once() {
    for rule in [AdaptiveLimit::aimd(), AdaptiveLimit::gradient()] {
        let mut adaptive = Adaptive::new(rule.initial(100), 100);
        for _ in 0..100 {
            adaptive.observe(Observation::Overloaded, 100);
        }
        assert_eq!(adaptive.limit(), 90);
        adaptive.observe(Observation::Overloaded, 90);
        assert_eq!(adaptive.limit(), 81);
        for _ in 0..100_000 {
            adaptive.observe(Observation::Overloaded, 1);
        }
        assert_eq!(adaptive.limit(), 1);
    }
}

/// After the first overload the limit grows by one permit a round trip.
#[test]
fn growth_is_by_round_trips() {
    let mut adaptive = Adaptive::new(AdaptiveLimit::aimd().initial(50), 1_000);
    adaptive.observe(Observation::Overloaded, 1);
    let before = adaptive.limit;
    for _ in 0..45 {
        adaptive.observe(answered(10), 45);
    }
    let grown = adaptive.limit - before;
    assert!((0.9..=1.0).contains(&grown), "{grown}");
}

#[test]
fn an_ordinary_limit_is_the_ceiling_and_may_change() {
    let mut adaptive = Adaptive::new(AdaptiveLimit::aimd().floor(4), 6);
    assert_eq!(adaptive.limit(), 6);
    adaptive.set_ordinary(2);
    assert_eq!(adaptive.limit(), 2, "below the floor, as it was set");
    adaptive.set_ordinary(50);
    assert_eq!(adaptive.limit(), 4);
}

#[test]
fn bounds_that_contradict_each_other_are_refused() {
    let field = |rule: AdaptiveLimit| rule.check().unwrap_err().field;
    let rule = AdaptiveLimit::aimd();
    assert_eq!(field(rule.floor(0)), "adaptive.floor");
    assert_eq!(field(rule.floor(PERMITS_MAX + 1)), "adaptive.floor");
    assert_eq!(field(rule.floor(5).ceiling(4)), "adaptive.ceiling");
    assert_eq!(field(rule.ceiling(PERMITS_MAX + 1)), "adaptive.ceiling");
    assert_eq!(field(rule.ceiling(9)), "adaptive.initial");
    assert_eq!(field(rule.floor(11)), "adaptive.initial");
    assert_eq!(rule.floor(10).ceiling(10).check(), Ok(()));
}
