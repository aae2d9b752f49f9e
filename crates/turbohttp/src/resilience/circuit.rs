//! The state machine of one circuit: closed, open, half open.

use std::time::{Duration, Instant};

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    /// The share of failures that opens it, from 0 to 1.
    pub(super) ratio: f64,
    /// The calls of one window below which it never opens.
    pub(super) calls_min: u32,
    /// The time over which calls are counted.
    pub(super) window: Duration,
    /// The time for which nothing is sent.
    pub(super) open_for: Duration,
}

/// One circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    state: State,
    /// Counts the openings: what a call says that began before the last one is not counted.
    opened: u64,
}

#[derive(Debug)]
enum State {
    /// Calls go through, and are counted in two halves of a window.
    Closed { halves: [Count; 2], since: Instant },
    /// None goes through.
    Open { until: Instant },
    /// One goes through, and decides.
    HalfOpen { is_probed: bool },
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    calls: u32,
    failures: u32,
}

/// A call that goes through. What became of it is told to [`Circuit::report`], or to [`Circuit::abandon`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    opened: u64,
    is_probe: bool,
}

impl Circuit {
    pub(super) fn new(now: Instant) -> Circuit {
        Circuit {
            state: State::closed(now),
            opened: 0,
        }
    }

    /// Lets a call through.
    ///
    /// # Errors
    ///
    /// The time until the next one may be let through; zero while another one is being tried.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Admitted, Duration> {
        if let State::Open { until } = self.state {
            if now < until {
                return Err(until - now);
            }
            // Nothing is woken at that time: the first call behind it finds the circuit half open.
            self.state = State::HalfOpen { is_probed: false };
        }
        let is_probe = match &mut self.state {
            State::HalfOpen { is_probed: true } => return Err(Duration::ZERO),
            State::HalfOpen { is_probed } => {
                *is_probed = true;
                true
            }
            _ => false,
        };
        Ok(Admitted {
            opened: self.opened,
            is_probe,
        })
    }

    /// A call has ended.
    pub(super) fn report(&mut self, pass: Admitted, has_failed: bool, now: Instant, rules: &Rules) {
        // It began before the circuit opened, and tells of the time before.
        if pass.opened != self.opened {
            return;
        }
        match &mut self.state {
            State::HalfOpen { .. } if pass.is_probe => match has_failed {
                true => self.open(now, rules),
                false => self.state = State::closed(now),
            },
            State::Closed { halves, since } => {
                turn(halves, since, now, rules.window / 2);
                halves[0].calls += 1;
                halves[0].failures += u32::from(has_failed);
                let calls = halves[0].calls + halves[1].calls;
                let failures = halves[0].failures + halves[1].failures;
                // Compared without a division, of which 0 calls would make no number.
                let is_bad = f64::from(failures) >= rules.ratio * f64::from(calls);
                if has_failed && calls >= rules.calls_min && is_bad {
                    self.open(now, rules);
                }
            }
            _ => {}
        }
    }

    /// A call was dropped before it ended: it says nothing, and another one may be tried.
    pub(super) fn abandon(&mut self, pass: Admitted) {
        if let State::HalfOpen { is_probed } = &mut self.state
            && pass.is_probe
            && pass.opened == self.opened
        {
            *is_probed = false;
        }
    }

    fn open(&mut self, now: Instant, rules: &Rules) {
        self.opened += 1;
        self.state = State::Open {
            until: now + rules.open_for,
        };
    }
}

impl State {
    fn closed(now: Instant) -> State {
        State::Closed {
            halves: Default::default(),
            since: now,
        }
    }
}

/// Forgets the older half when the newer one is over.
fn turn(halves: &mut [Count; 2], since: &mut Instant, now: Instant, half: Duration) {
    let passed = now.saturating_duration_since(*since);
    if passed < half {
        return;
    }
    // After a whole window without a call, neither half says anything of now.
    let is_long_ago = passed >= 2 * half;
    halves[1] = if is_long_ago {
        Count::default()
    } else {
        halves[0]
    };
    halves[0] = Count::default();
    *since = now;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules {
        ratio: 0.5,
        calls_min: 4,
        window: Duration::from_secs(10),
        open_for: Duration::from_secs(30),
    };

    fn call(circuit: &mut Circuit, has_failed: bool, now: Instant) -> bool {
        let pass = circuit.admit(now);
        if let Ok(pass) = pass {
            circuit.report(pass, has_failed, now, &RULES);
        }
        pass.is_ok()
    }

    #[test]
    fn it_opens_at_the_ratio_and_not_below_the_least_calls() {
        let now = crate::clock::now();
        let mut circuit = Circuit::new(now);
        for has_failed in [true, true, true] {
            assert!(call(&mut circuit, has_failed, now));
        }
        assert!(
            call(&mut circuit, true, now),
            "the fourth goes through and opens it"
        );
        assert_eq!(circuit.admit(now), Err(RULES.open_for));
        let mut circuit = Circuit::new(now);
        for at in 0..100 {
            assert!(
                call(&mut circuit, at % 5 > 2, now),
                "two of five are below the ratio"
            );
        }
    }

    #[test]
    fn failures_of_long_ago_are_forgotten() {
        let mut now = crate::clock::now();
        let mut circuit = Circuit::new(now);
        for _ in 0..100 {
            assert!(call(&mut circuit, true, now));
            now += Duration::from_secs(6);
        }
    }

    #[test]
    fn one_call_is_tried_when_the_time_is_over() {
        let mut now = crate::clock::now();
        let mut circuit = Circuit::new(now);
        (0..4).for_each(|_| _ = call(&mut circuit, true, now));
        let late = Circuit::new(now).admit(now).unwrap();
        now += RULES.open_for;
        let probe = circuit.admit(now).unwrap();
        assert_eq!(circuit.admit(now), Err(Duration::ZERO));
        circuit.report(late, false, now, &RULES);
        assert_eq!(
            circuit.admit(now),
            Err(Duration::ZERO),
            "what began before says nothing"
        );
        circuit.abandon(probe);
        let probe = circuit.admit(now).unwrap();
        circuit.report(probe, true, now, &RULES);
        assert_eq!(circuit.admit(now), Err(RULES.open_for));
        now += RULES.open_for;
        assert!(call(&mut circuit, false, now));
        assert!(call(&mut circuit, false, now), "closed again");
    }

    proptest! {
        /// It is never stuck: after the time of an opening there is a call that is let through, unless one is being
        /// tried; and while it is open, none is.
        #[test]
        fn it_never_sticks(moves in prop::collection::vec((0_u8..4, 0_u64..20), 1..300)) {
            let mut now = crate::clock::now();
            let mut circuit = Circuit::new(now);
            let mut inside: Vec<Admitted> = vec![];
            for (what, seconds) in moves {
                now += Duration::from_secs(seconds);
                match (what, inside.pop()) {
                    (0, Some(pass)) => circuit.abandon(pass),
                    (1, Some(pass)) => circuit.report(pass, true, now, &RULES),
                    (2, Some(pass)) => circuit.report(pass, false, now, &RULES),
                    (_, pass) => {
                        inside.extend(pass);
                        inside.extend(circuit.admit(now).ok());
                    }
                }
                let is_open = matches!(circuit.state, State::Open { until } if now < until);
                prop_assert!(!is_open || circuit.admit(now).is_err());
            }
            inside.drain(..).for_each(|pass| circuit.abandon(pass));
            prop_assert!(circuit.admit(now + RULES.open_for).is_ok());
        }
    }
}
