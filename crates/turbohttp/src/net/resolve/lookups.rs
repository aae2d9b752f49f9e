//! Which names are being looked up, and by whose turn: plain state, under the lock of the resolver.
//!
//! The system's resolver blocks its thread, for many seconds where a name server is silent. A look-up has a
//! place at first; one that is slow, or that nobody waits for any more, is set aside and frees its place.
//! Names of a zone that was slow a moment ago have a small share of what is set aside, but for one at a time
//! that finds out whether it is slow still. So a silent name server holds up its own names and no others.
//!
//! ```text
//!           join              start_due                 settle
//!  (none) ────────> in line ──────────────> in a place ────────> (none)
//!                    │    │                     │ slow, abandoned  ^
//!                    │    │ of a suspect zone   v                  │
//!                    │    └─────────────────> aside ───────────────┘
//!                    └── abandoned ──> (none)
//! ```

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::limits::{
    DNS_ASIDE_MAX, DNS_NAMES_MAX, DNS_PLACES_MAX, DNS_SLOW_MS, DNS_SUSPECT_SECONDS,
    DNS_SUSPECTS_MAX,
};

/// After how long a look-up is slow.
pub(super) const SLOW_AFTER: Duration = Duration::from_millis(DNS_SLOW_MS);

/// How often those who wait look whose turn it is.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(DNS_SLOW_MS / 10);

/// What a look-up has found, shared by all who wait for it; the ports mean nothing.
pub(super) type Outcome = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

type Name = Box<str>;

#[derive(Debug, Default)]
pub(super) struct Lookups {
    flights: HashMap<Name, Flight>,
    /// Names that wait for a thread, in the order in which they were asked for. As many as there are
    /// requests that connect.
    line: VecDeque<Name>,
    /// Look-ups in a place: at most `DNS_PLACES_MAX`.
    placed: usize,
    /// Look-ups that are set aside: at most `DNS_ASIDE_MAX`.
    aside: usize,
    /// Zones whose names were slow, and until when that counts.
    suspects: HashMap<Name, Instant>,
    /// When it was last looked at whose turn it is.
    looked_at: Option<Instant>,
}

/// One look-up, for all who ask for its name meanwhile.
#[derive(Debug)]
struct Flight {
    outcome: watch::Sender<Option<Outcome>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InLine,
    Placed { began: Instant },
    Aside { began: Instant },
}

impl Lookups {
    /// Waits for the look-up of `name`: for the one that is under way, or for a new one in line.
    pub(super) fn join(&mut self, name: &str) -> watch::Receiver<Option<Outcome>> {
        if let Some(flight) = self.flights.get(name) {
            return flight.outcome.subscribe();
        }
        let (outcome, receiver) = watch::channel(None);
        let state = State::InLine;
        self.flights.insert(name.into(), Flight { outcome, state });
        self.line.push_back(name.into());
        receiver
    }

    /// Somebody waits for `name` no longer. The last one takes a name out of the line; a look-up that runs
    /// cannot be stopped, and frees its place.
    pub(super) fn leave(&mut self, name: &str) {
        let Some(flight) = self.flights.get(name) else {
            return;
        };
        if flight.outcome.receiver_count() > 0 {
            return;
        }
        match flight.state {
            State::InLine => {
                self.flights.remove(name);
                self.line.retain(|waiting| **waiting != *name);
            }
            State::Placed { .. } => self.set_aside(name),
            State::Aside { .. } => {}
        }
    }

    /// [`start_due`](Lookups::start_due) for somebody who has waited for a while: nothing if that was looked
    /// at a moment ago, as all who wait ask it, and each look is linear in them.
    pub(super) fn start_due_again(&mut self, now: Instant) -> Vec<Name> {
        let is_fresh = |looked_at| now.saturating_duration_since(looked_at) < LOOK_AGAIN_AFTER;
        match self.looked_at.is_some_and(is_fresh) {
            true => Vec::new(),
            false => self.start_due(now),
        }
    }

    /// The names whose turn it is: each is to be looked up in a thread, and settled then.
    pub(super) fn start_due(&mut self, now: Instant) -> Vec<Name> {
        self.looked_at = Some(now);
        self.set_slow_aside(now);
        let mut asked = self.zones_asked();
        let mut due = Vec::new();
        let mut at = 0;
        while let Some(name) = self.line.get(at) {
            // One name of a suspect zone is as good as any other: it finds out whether the zone is silent
            // still. Otherwise zones that are silent would hold up one that was slow once.
            let is_suspect = self.is_suspect(name, now) && asked.contains(zone(name));
            let has_room = match is_suspect {
                true => self.aside < DNS_SUSPECTS_MAX,
                false => self.placed < DNS_PLACES_MAX,
            };
            if !has_room {
                at += 1;
                continue;
            }
            let name = self.line.remove(at).expect("just looked at");
            asked.insert(zone(&name).into());
            let flight = self.flights.get_mut(&name).expect("in line");
            flight.state = match is_suspect {
                true => State::Aside { began: now },
                false => State::Placed { began: now },
            };
            match is_suspect {
                true => self.aside += 1,
                false => self.placed += 1,
            }
            due.push(name);
        }
        due
    }

    /// The look-up of `name` has ended: all who wait for it get `outcome`.
    pub(super) fn settle(&mut self, name: &str, outcome: Outcome, now: Instant) {
        let Some(flight) = self.flights.remove(name) else {
            return;
        };
        let began = match flight.state {
            State::Placed { began } => {
                self.placed -= 1;
                began
            }
            State::Aside { began } => {
                self.aside -= 1;
                began
            }
            State::InLine => now,
        };
        match now.saturating_duration_since(began) >= SLOW_AFTER {
            true => self.suspect(name, now),
            // Its name server answers again.
            false => _ = self.suspects.remove(zone(name)),
        }
        // Nobody may be left to hear it.
        _ = flight.outcome.send_replace(Some(outcome));
    }

    /// The zones of which a name is being looked up.
    fn zones_asked(&self) -> HashSet<Name> {
        let running = (self.flights.iter()).filter(|(_, flight)| flight.state != State::InLine);
        running.map(|(name, _)| zone(name).into()).collect()
    }

    fn set_slow_aside(&mut self, now: Instant) {
        let is_slow = |flight: &Flight| match flight.state {
            State::Placed { began } => now.saturating_duration_since(began) >= SLOW_AFTER,
            _ => false,
        };
        let slow: Vec<Name> = (self.flights.iter())
            .filter(|(_, flight)| is_slow(flight))
            .map(|(name, _)| name.clone())
            .collect();
        for name in slow {
            self.suspect(&name, now);
            self.set_aside(&name);
        }
    }

    /// Frees the place of `name`. Where too many are set aside already, it keeps it: the number of threads
    /// is bounded.
    fn set_aside(&mut self, name: &str) {
        let Some(flight) = self.flights.get_mut(name) else {
            return;
        };
        if let State::Placed { began } = flight.state
            && self.aside < DNS_ASIDE_MAX
        {
            flight.state = State::Aside { began };
            self.placed -= 1;
            self.aside += 1;
        }
    }

    fn suspect(&mut self, name: &str, now: Instant) {
        if self.suspects.len() >= DNS_NAMES_MAX {
            self.suspects.retain(|_, until| *until > now);
        }
        if self.suspects.len() < DNS_NAMES_MAX {
            let until = now + Duration::from_secs(DNS_SUSPECT_SECONDS);
            self.suspects.insert(zone(name).into(), until);
        }
    }

    fn is_suspect(&self, name: &str, now: Instant) -> bool {
        let until = self.suspects.get(zone(name));
        until.is_some_and(|until| *until > now)
    }
}

/// What a name probably shares its name servers with: its parent domain, or itself below a top-level
/// domain.
fn zone(name: &str) -> &str {
    let relative = name.strip_suffix('.').unwrap_or(name);
    match relative.split_once('.') {
        Some((_, parent)) if parent.contains('.') => parent,
        _ => relative,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn found() -> Outcome {
        Ok(Arc::from([SocketAddr::from(([127, 0, 0, 1], 0))]))
    }

    fn ask(lookups: &mut Lookups, names: &[&str]) -> Vec<watch::Receiver<Option<Outcome>>> {
        names.iter().map(|name| lookups.join(name)).collect()
    }

    fn names(zone: &str, count: usize) -> Vec<String> {
        (0..count).map(|index| format!("n{index}.{zone}")).collect()
    }

    #[test]
    fn equal_names_share_one_lookup() {
        let (mut lookups, now) = (Lookups::default(), crate::clock::now());
        let waiting = ask(&mut lookups, &["a.test"; 64]);
        assert_eq!(lookups.start_due(now), ["a.test".into()]);
        assert!(lookups.start_due(now).is_empty());
        lookups.settle("a.test", found(), now);
        assert!(waiting.iter().all(|receiver| receiver.borrow().is_some()));
        assert!(lookups.flights.is_empty());
    }

    #[test]
    fn names_whose_last_waiter_has_left_free_their_place() {
        let (mut lookups, now) = (Lookups::default(), crate::clock::now());
        let mut waiting = ask(&mut lookups, &["a.test", "a.test", "b.test"]);
        assert_eq!(lookups.start_due(now).len(), 2);
        // One of two waiters of `a.test` leaves, then the other; `b.test` goes on.
        drop(waiting.remove(0));
        lookups.leave("a.test");
        assert_eq!((lookups.placed, lookups.aside), (2, 0));
        drop(waiting.remove(0));
        lookups.leave("a.test");
        assert_eq!((lookups.placed, lookups.aside), (1, 1));
        // Asked for again, the same look-up is waited for.
        let again = lookups.join("a.test");
        assert!(lookups.start_due(now).is_empty());
        lookups.settle("a.test", found(), now);
        assert!(again.borrow().is_some());
        // A name in line is forgotten at once.
        let many = names("zone.test", DNS_PLACES_MAX + 1);
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut waiting = ask(&mut lookups, &many);
        lookups.start_due(now);
        let last = lookups.line.back().expect("one is in line").clone();
        drop(waiting.pop());
        lookups.leave(&last);
        assert!(!lookups.flights.contains_key(&last));
    }

    #[test]
    fn silent_zone_holds_up_its_own_names_only() {
        let (mut lookups, start) = (Lookups::default(), crate::clock::now());
        let silent = names("silent.test", 1_000);
        let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
        let _waiting = ask(&mut lookups, &silent);
        assert_eq!(lookups.start_due(start).len(), DNS_PLACES_MAX);
        let _other = ask(&mut lookups, &["www.fast.test"]);
        assert!(lookups.start_due(start).is_empty(), "all places are taken");
        // A second later its names are suspect and free their places; no more of them start.
        let now = start + SECOND;
        assert_eq!(lookups.start_due(now), ["www.fast.test".into()]);
        assert_eq!((lookups.placed, lookups.aside), (1, DNS_PLACES_MAX));
        lookups.settle("www.fast.test", found(), now);
        // The threads of the silent zone end: only its share of them starts anew.
        for name in &silent[..DNS_PLACES_MAX] {
            lookups.settle(name, found(), start + 10 * SECOND);
        }
        let due = lookups.start_due(start + 10 * SECOND);
        // One finds out in a place whether it answers.
        assert_eq!((due.len(), lookups.placed), (1 + DNS_SUSPECTS_MAX, 1));
        // It answers again: its names are like any others.
        lookups.settle(&due[0], found(), start + 10 * SECOND);
        assert_eq!(lookups.start_due(start + 10 * SECOND).len(), DNS_PLACES_MAX);
    }

    /// A packet is lost, and a zone was slow once: that others are silent does not hold it up.
    #[test]
    fn zone_that_was_slow_once_is_not_held_up_by_a_silent_one() {
        let (mut lookups, start) = (Lookups::default(), crate::clock::now());
        let _once = ask(&mut lookups, &["www.once.test"]);
        lookups.start_due(start);
        lookups.settle("www.once.test", found(), start + 2 * SECOND);
        let silent = names("silent.test", 1_000);
        let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
        let _silent = ask(&mut lookups, &silent);
        assert_eq!(lookups.start_due(start + 2 * SECOND).len(), DNS_PLACES_MAX);
        lookups.start_due(start + 3 * SECOND);
        let _again = ask(&mut lookups, &["api.once.test", "www.once.test"]);
        // One of them asks whether its name server answers again.
        assert_eq!(
            lookups.start_due(start + 3 * SECOND),
            ["api.once.test".into()]
        );
        lookups.settle("api.once.test", found(), start + 3 * SECOND);
        assert_eq!(
            lookups.start_due(start + 3 * SECOND),
            ["www.once.test".into()]
        );
    }

    #[test]
    fn threads_are_bounded_whatever_is_silent() {
        let (mut lookups, start) = (Lookups::default(), crate::clock::now());
        let mut waiting = Vec::new();
        let mut running = 0;
        for second in 0..10 {
            let many: Vec<String> = (0..100)
                .map(|n| format!("www.z{second}-{n}.test"))
                .collect();
            let many: Vec<&str> = many.iter().map(String::as_str).collect();
            waiting.extend(ask(&mut lookups, &many));
            running += lookups.start_due(start + second * SECOND).len();
            assert_eq!(running, lookups.placed + lookups.aside);
            assert!(running <= DNS_PLACES_MAX + DNS_ASIDE_MAX);
        }
        assert_eq!(running, DNS_PLACES_MAX + DNS_ASIDE_MAX);
    }

    #[test]
    fn zones_are_parent_domains() {
        for (name, expected) in [
            ("www.a.test", "a.test"),
            ("www.a.test.", "a.test"),
            ("a.test", "a.test"),
            ("localhost", "localhost"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ] {
            assert_eq!(zone(name), expected, "{name}");
        }
    }
}
