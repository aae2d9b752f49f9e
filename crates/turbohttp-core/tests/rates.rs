//! Rates beside governor, a crate of the same algorithm, on random traces of virtual time; and what
//! follows from a rate where timers come late.
#![cfg(not(any(loom, shuttle)))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::num::NonZeroU32;
use std::task::Waker;
use std::time::{Duration, Instant};

use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use proptest::collection::vec;
use proptest::prelude::*;
use turbohttp_core::scheduler::{
    Ask, Effects, LaneKey, Outcome, PermitId, PermitRequest, Priority, Rate, Rules, Scheduler,
};

/// How much too early a permit may be granted.
const LENIENCY: Duration = Duration::from_millis(2);

#[allow(clippy::disallowed_methods, reason = "a mark to count from")]
fn mark() -> Instant {
    Instant::now()
}

/// A scheduler with one rate for all lanes.
fn scheduler(rate: Rate, now: Instant) -> Scheduler {
    let mut rules = Rules::default();
    (rules.total, rules.per_lane) = (1_000_000, 1_000_000);
    rules.rate = Some(rate);
    Scheduler::new(rules, now).unwrap()
}

fn release(scheduler: &mut Scheduler, permit: PermitId, now: Instant) {
    let mut effects = Effects::default();
    scheduler.release_permit(permit, Outcome::Completed, now, &mut effects);
    effects.perform();
}

/// Asks at each of the moments, which are given by their distances, and says when a permit was due.
fn ours(rate: Rate, steps: &[Duration]) -> Vec<bool> {
    let mut now = mark();
    let mut scheduler = scheduler(rate, now);
    let ask = |step: &Duration| {
        now += *step;
        let mut effects = Effects::default();
        let key = LaneKey::new("a");
        let taken = scheduler
            .take_paced_permit(key, Priority::Normal, now, &mut effects)
            .unwrap();
        assert_eq!(effects.perform(), 0);
        let is_due = taken.is_some();
        if let Some(permit) = taken {
            release(&mut scheduler, permit, now);
        }
        is_due
    };
    steps.iter().map(ask).collect()
}

fn governors(interval: Duration, burst: u32, steps: &[Duration]) -> Vec<bool> {
    let burst = NonZeroU32::new(burst).unwrap();
    let quota = Quota::with_period(interval).unwrap().allow_burst(burst);
    let clock = FakeRelativeClock::default();
    let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
    let ask = |step: &Duration| {
        clock.advance(*step);
        limiter.check().is_ok()
    };
    steps.iter().map(ask).collect()
}

/// An interval, a burst, and steps around the interval: none, a part of it, exactly it, a rest.
fn traces() -> impl Strategy<Value = (Duration, u32, Vec<Duration>)> {
    let interval =
        prop_oneof![1u64..50, 50u64..2_000, 2_000u64..5_000_000].prop_map(Duration::from_micros);
    (interval, 1u32..40).prop_flat_map(|(interval, burst)| {
        let nanos = interval.as_nanos() as u64;
        let step = prop_oneof![
            3 => Just(0),
            3 => 0..nanos,
            2 => Just(nanos),
            1 => nanos..4 * nanos,
            1 => 0..60 * nanos,
        ];
        let steps = vec(step.prop_map(Duration::from_nanos), 1..400);
        (Just(interval), Just(burst), steps)
    })
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Where the burst takes longer than the leniency the decisions are the same, one by one. Where
    /// it does not, they are those of a burst that takes as long, if there is one.
    #[test]
    fn decisions_are_those_of_governor((interval, burst, steps) in traces()) {
        let rate = Rate::new(1, interval).burst(burst);
        let found = ours(rate, &steps);
        let count = |decisions: &[bool]| decisions.iter().filter(|is_due| **is_due).count();
        let lenient = u32::try_from(LENIENCY.as_nanos() / interval.as_nanos()).unwrap() + 1;
        let is_whole = LENIENCY.as_nanos().is_multiple_of(interval.as_nanos());
        if interval * (burst - 1) >= LENIENCY {
            prop_assert_eq!(found, governors(interval, burst, &steps));
        } else if is_whole {
            prop_assert_eq!(found, governors(interval, lenient, &steps));
        } else {
            prop_assert!(count(&found) >= count(&governors(interval, lenient, &steps)));
            prop_assert!(count(&found) <= count(&governors(interval, lenient + 1, &steps)));
        }
    }

}

proptest! {
    #![proptest_config(cases(40))]

    /// No time has more permits than the burst, and one more for each interval.
    #[test]
    fn no_window_has_more_than_it_may((interval, burst, steps) in traces()) {
        let found = ours(Rate::new(1, interval).burst(burst), &steps);
        let mut at = Duration::ZERO;
        let moments = steps.iter().map(|step| { at += *step; at });
        let due: Vec<Duration> = moments.zip(&found).filter(|(_, is_due)| **is_due).map(|due| due.0).collect();
        for (first, from) in due.iter().enumerate() {
            for (last, until) in due.iter().enumerate().skip(first) {
                let window = (*until - *from + LENIENCY).as_nanos() / interval.as_nanos();
                let most = window as usize + burst as usize;
                prop_assert!(last - first < most, "{} in {:?}", last - first + 1, *until - *from);
            }
        }
    }

    /// With calls in line and a timer that comes up to 1.5 ms late, a rate is reached and not
    /// passed, be it 20 or 20,000 per second.
    #[test]
    fn late_timers_do_not_slow_a_rate_down(
        per_second in prop_oneof![Just(20.0), Just(300.0), Just(5_000.0), Just(20_000.0)],
        late in vec(0u64..1_500, 64),
    ) {
        let rate = Rate::per_second(per_second);
        let start = mark();
        let mut scheduler = scheduler(rate, start);
        let (mut now, mut granted, mut line) = (start, 0u32, Vec::new());
        let mut late = late.iter().cycle();
        let end = start + Duration::from_secs(2);
        while now < end {
            let mut effects = Effects::default();
            // As many wait as may come due by the next tick.
            while line.len() < 200 {
                let ask = Ask { lane: LaneKey::new("a"), priority: Priority::Normal, deadline: None };
                let asked = scheduler.request_permit(ask, Waker::noop().clone(), now, &mut effects);
                match asked.unwrap() {
                    PermitRequest::Taken(permit) => {
                        granted += 1;
                        release(&mut scheduler, permit, now);
                    }
                    PermitRequest::Queued(id) => line.push(id),
                }
            }
            let due = scheduler.sweep(now, &mut effects).unwrap();
            effects.perform();
            line.retain(|id| match scheduler.claim_permit(*id) {
                Some(permit) => {
                    granted += 1;
                    release(&mut scheduler, permit, now);
                    false
                }
                None => true,
            });
            now = due.max(now) + Duration::from_micros(*late.next().unwrap());
        }
        let expected = per_second * 2.0;
        prop_assert!(f64::from(granted) >= expected * 0.97 - 1.0, "{granted} of {expected}");
        let most = expected + 1.0 + 0.002 * per_second + 1.0;
        prop_assert!(f64::from(granted) <= most + 0.0015 * per_second, "{granted} of {expected}");
    }
}

#[test]
fn a_rate_out_of_bounds_is_refused() {
    let second = Duration::from_secs(1);
    for rate in [
        Rate::per_second(0.0),
        Rate::per_second(-1.0),
        Rate::per_second(f64::NAN),
        Rate::per_second(f64::INFINITY),
        Rate::per_second(1e-9),
        Rate::new(0, second),
        Rate::new(1, Duration::ZERO),
        Rate::new(u32::MAX, second),
        Rate::new(1, Duration::MAX),
        Rate::per_second(1.0).burst(0),
        Rate::per_second(1.0).burst(u32::MAX),
        Rate::new(1, 366 * 24 * 60 * 60 * second).burst(2),
    ] {
        assert!(rate.check().is_err(), "{rate:?}");
        let mut rules = Rules::default();
        rules.rate = Some(rate);
        assert!(Scheduler::new(rules, mark()).is_err());
    }
    for rate in [
        Rate::per_second(1e6),
        Rate::new(1, 366 * 24 * 60 * 60 * second),
        Rate::per_second(2.0).burst(1 << 20),
    ] {
        assert_eq!(rate.check(), Ok(()));
    }
    // Rounded so that a rate is not passed.
    let third = Rate::new(3, second).interval();
    assert!(third * 3 >= second, "{third:?}");
}
