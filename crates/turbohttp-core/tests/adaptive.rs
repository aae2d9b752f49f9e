//! Adaptive limits before a server whose capacity changes, in virtual time: what gets through is
//! held against the best of all fixed limits, and printed beside the published algorithms.
#![cfg(not(any(loom, shuttle)))]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "trajectories are printed, a failed unwrap is a failed test"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use turbohttp_core::scheduler::{
    AdaptiveLimit, Ask, CallId, Effects, LaneKey, Observation, Outcome, PermitId, PermitRequest,
    Priority, Rules, Scheduler,
};

type Micros = u64;

/// How many requests the server works on at full speed, phase by phase.
const CAPACITIES: [usize; 4] = [40, 10, 60, 20];
/// How many more it lets wait; beyond that it answers 503.
const QUEUE: usize = 12;
const PHASE: Micros = 12_000_000;
/// What of a phase is not measured.
const SETTLING: Micros = 4_000_000;
/// The time of a request on average; from 80 % to 120 % of it.
const SERVICE: Micros = 20_000;
const REFUSAL: Micros = 4_000;
/// Calls that wait for the server at all times.
const DEMAND: usize = 30;
/// The most permits of a lane, and callers of the other origin.
const PER_LANE: usize = 100;
const NEIGHBORS: usize = 4;

const LANE: &str = "followed";
const NEIGHBOR: &str = "neighbor";

/// What sets the limit of the lane.
enum Control {
    /// The scheduler itself.
    Rule(AdaptiveLimit),
    Fixed(usize),
    /// A published algorithm, which is told the time (or that the server was overloaded) and the
    /// permits that were out, and says the limit.
    Published(Box<dyn FnMut(Option<f64>, usize) -> usize>),
}

/// AIMD as Netflix publishes it.
fn published_aimd() -> Control {
    let mut limit = 10usize;
    Control::Published(Box::new(move |time, running| {
        if time.is_none() {
            limit = (limit as f64 * 0.9) as usize;
        } else if running * 2 >= limit {
            limit += 1;
        }
        limit = limit.clamp(1, PER_LANE);
        limit
    }))
}

/// Gradient2 as Netflix publishes it, which takes no notice of refusals.
fn published_gradient2() -> Control {
    let (mut limit, mut long, mut sum, mut count) = (10.0f64, 0.0, 0.0, 0.0);
    Control::Published(Box::new(move |time, running| {
        let Some(short) = time else {
            return limit as usize;
        };
        if count < 10.0 {
            count += 1.0;
            sum += short;
            long = sum / count;
        } else {
            let factor = 2.0 / 601.0;
            long = long * (1.0 - factor) + short * factor;
        }
        let average = long;
        if average / short > 2.0 {
            long *= 0.95;
        }
        if running as f64 >= limit / 2.0 {
            let gradient = (1.5 * average / short).clamp(0.5, 1.0);
            limit = limit * 0.8 + (limit * gradient + 4.0) * 0.2;
            limit = limit.clamp(1.0, PER_LANE as f64);
        }
        limit as usize
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The capacity changes.
    Phase(usize),
    /// A request is done; when it was sent.
    Done(Micros),
    Refused,
    /// The same of the other origin.
    NeighborDone,
}

/// Two origins, their servers, and more calls than they bear.
struct World {
    base: Instant,
    scheduler: Scheduler,
    control: Control,
    now: Micros,
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    sequence: u64,
    random: u64,
    capacity: usize,
    /// See [`QUEUE`].
    queue: usize,
    busy: usize,
    /// When the requests were sent that wait in the server.
    queued: VecDeque<Micros>,
    line: VecDeque<CallId>,
    neighbors: VecDeque<CallId>,
    permits: Vec<PermitId>,
    neighbor_permits: Vec<PermitId>,
    told: Told,
}

/// What has come of it.
#[derive(Default)]
struct Told {
    /// Good answers in the measured part of each phase.
    good: [u64; CAPACITIES.len()],
    refused: u64,
    /// The limit at each half second.
    limits: Vec<usize>,
    least: usize,
    /// Requests of the other origin, and how many of them had to wait.
    neighbor: u64,
    neighbor_waited: u64,
}

impl World {
    fn new(control: Control) -> World {
        #[allow(clippy::disallowed_methods, reason = "a mark to count from")]
        let base = Instant::now();
        let mut rules = Rules::default();
        (rules.per_lane, rules.total) = (PER_LANE, PER_LANE + NEIGHBORS);
        if let Control::Rule(rule) = &control {
            rules.adaptive = Some(*rule);
        }
        let scheduler = Scheduler::new(rules, base).unwrap();
        let mut world = World {
            base,
            scheduler,
            control,
            now: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            random: 1,
            capacity: 0,
            queue: QUEUE,
            busy: 0,
            queued: VecDeque::new(),
            line: VecDeque::new(),
            neighbors: VecDeque::new(),
            permits: Vec::new(),
            neighbor_permits: Vec::new(),
            told: Told {
                least: PER_LANE,
                ..Told::default()
            },
        };
        match world.control {
            Control::Fixed(limit) => world.set_limit(limit),
            Control::Published(_) => world.set_limit(10),
            Control::Rule(_) => {}
        }
        for phase in 0..CAPACITIES.len() {
            world.after(PHASE * phase as u64, Event::Phase(phase));
        }
        world
    }

    fn at(&self) -> Instant {
        self.base + Duration::from_micros(self.now)
    }

    fn after(&mut self, time: Micros, event: Event) {
        self.sequence += 1;
        let at = self.now + time;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Scheduler, Instant, &mut Effects) -> R) -> R {
        let (now, mut effects) = (self.at(), Effects::default());
        let result = act(&mut self.scheduler, now, &mut effects);
        effects.perform();
        result
    }

    fn set_limit(&mut self, limit: usize) {
        self.act(|scheduler, now, effects| {
            let lane = LaneKey::new(LANE);
            scheduler
                .set_lane_limit(lane, Some(limit), now, effects)
                .unwrap();
        });
    }

    fn limit(&self) -> usize {
        let audit = self.scheduler.audit();
        let lane = audit.busy.iter().find(|lane| lane.origin == LANE);
        lane.map_or(0, |lane| lane.limit)
    }

    fn run(mut self) -> Told {
        let end = PHASE * CAPACITIES.len() as u64;
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at >= end {
                break;
            }
            let halves = at / 500_000;
            while (self.told.limits.len() as u64) < halves {
                let limit = self.limit();
                self.told.limits.push(limit);
            }
            self.now = at;
            match event {
                Event::Phase(phase) => self.capacity = CAPACITIES[phase],
                Event::Done(sent) => self.done(sent),
                Event::Refused => self.end(None),
                Event::NeighborDone => {
                    let permit = self.neighbor_permits.pop().unwrap();
                    self.release(permit);
                }
            }
            self.top_up();
        }
        self.told
    }

    /// A request is done, and the server takes the next one.
    fn done(&mut self, sent: Micros) {
        self.busy -= 1;
        let phase = (self.now / PHASE) as usize;
        self.told.good[phase] += u64::from(self.now % PHASE >= SETTLING);
        self.end(Some(self.now - sent));
        self.work();
    }

    fn work(&mut self) {
        while self.busy < self.capacity
            && let Some(sent) = self.queued.pop_front()
        {
            self.busy += 1;
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let part = 80 + (self.random >> 33) % 41;
            self.after(SERVICE * part / 100, Event::Done(sent));
        }
    }

    /// An attempt has ended: after this time, or refused.
    fn end(&mut self, time: Option<Micros>) {
        self.told.refused += u64::from(time.is_none());
        let running = self.permits.len();
        match &mut self.control {
            Control::Fixed(_) => {}
            Control::Published(update) => {
                let limit = update(time.map(|time| time as f64), running);
                self.set_limit(limit);
            }
            Control::Rule(_) => {
                let observation = match time {
                    Some(time) => Observation::Answered(Duration::from_micros(time)),
                    None => Observation::Overloaded,
                };
                self.act(|scheduler, now, effects| {
                    scheduler.observe(LaneKey::new(LANE), observation, now, effects);
                });
            }
        }
        let permit = self.permits.pop().unwrap();
        self.release(permit);
    }

    fn release(&mut self, permit: PermitId) {
        self.act(|scheduler, now, effects| {
            scheduler.release_permit(permit, Outcome::Completed, now, effects);
        });
    }

    fn ask(&mut self, lane: &'static str) -> PermitRequest {
        self.act(|scheduler, now, effects| {
            let ask = Ask {
                lane: LaneKey::new(lane),
                priority: Priority::Normal,
                deadline: None,
            };
            scheduler
                .request_permit(ask, Waker::noop().clone(), now, effects)
                .unwrap()
        })
    }

    /// Takes up what was granted, and asks for more.
    fn top_up(&mut self) {
        loop {
            while let Some(id) = self.neighbors.front()
                && let Some(permit) = self.scheduler.claim_permit(*id)
            {
                self.neighbors.pop_front();
                self.told.neighbor_waited += 1;
                self.start_neighbor(permit);
            }
            if let Some(id) = self.line.front()
                && let Some(permit) = self.scheduler.claim_permit(*id)
            {
                self.line.pop_front();
                self.start(permit);
            } else if self.neighbor_permits.len() + self.neighbors.len() < NEIGHBORS {
                match self.ask(NEIGHBOR) {
                    PermitRequest::Taken(permit) => self.start_neighbor(permit),
                    PermitRequest::Queued(id) => self.neighbors.push_back(id),
                }
            } else if self.line.len() < DEMAND {
                match self.ask(LANE) {
                    PermitRequest::Taken(permit) => self.start(permit),
                    PermitRequest::Queued(id) => self.line.push_back(id),
                }
            } else {
                break;
            }
        }
        if matches!(self.control, Control::Rule(_)) {
            self.told.least = self.told.least.min(self.limit());
        }
    }

    fn start_neighbor(&mut self, permit: PermitId) {
        self.neighbor_permits.push(permit);
        self.told.neighbor += 1;
        self.after(SERVICE, Event::NeighborDone);
    }

    /// Sends a request: it is worked on, queued, or refused.
    fn start(&mut self, permit: PermitId) {
        self.permits.push(permit);
        if self.busy + self.queued.len() >= self.capacity + self.queue {
            return self.after(REFUSAL, Event::Refused);
        }
        self.queued.push_back(self.now);
        self.work();
    }
}

fn shown(name: &str, told: &Told) {
    println!("{name:<20} good {:?}, refused {}", told.good, told.refused);
    let limits: Vec<String> = told.limits.iter().map(usize::to_string).collect();
    println!("{:<20} limit {}", "", limits.join(" "));
}

/// The most that any fixed limit gets through, phase by phase.
fn best_of_fixed() -> [u64; CAPACITIES.len()] {
    let mut best = [0; CAPACITIES.len()];
    for limit in [10, 14, 20, 26, 40, 46, 52, 60, 66, 72] {
        let told = World::new(Control::Fixed(limit)).run();
        for (best, good) in best.iter_mut().zip(told.good) {
            *best = good.max(*best);
        }
    }
    best
}

#[test]
fn what_gets_through_is_near_the_best_of_all_fixed_limits() {
    let best = best_of_fixed();
    println!("{:<20} good {best:?}", "best fixed limits");
    shown("published AIMD", &World::new(published_aimd()).run());
    shown(
        "published Gradient2",
        &World::new(published_gradient2()).run(),
    );
    for (name, rule) in [
        ("AIMD", AdaptiveLimit::aimd()),
        ("Gradient", AdaptiveLimit::gradient()),
    ] {
        let told = World::new(Control::Rule(rule)).run();
        shown(name, &told);
        for (phase, (good, best)) in told.good.into_iter().zip(best).enumerate() {
            let part = good as f64 / best as f64;
            assert!(part >= 0.85, "{name}, phase {phase}: {part:.2} of the best");
        }
        assert!(told.least >= 1);
        // The other origin has all of its permits all of the time.
        assert_eq!(told.neighbor_waited, 0);
        let most = NEIGHBORS as u64 * PHASE * CAPACITIES.len() as u64 / SERVICE;
        assert!(
            told.neighbor + 2 * NEIGHBORS as u64 >= most,
            "{}",
            told.neighbor
        );
    }
}

/// Before a server that queues everything and refuses nothing, AIMD has no sign to go by; Gradient
/// sees that answers take longer when the capacity falls, and keeps most calls out of the queue.
#[test]
fn gradient_finds_where_a_server_begins_to_queue() {
    let best = best_of_fixed();
    let mean = |told: &Told, phase: usize| {
        let all = told.limits.len() / CAPACITIES.len();
        let measured = &told.limits[all * phase + all / 3..all * (phase + 1)];
        measured.iter().sum::<usize>() / measured.len()
    };
    let [aimd, gradient] = [AdaptiveLimit::aimd(), AdaptiveLimit::gradient()].map(|rule| {
        let mut world = World::new(Control::Rule(rule));
        world.queue = usize::MAX / 2;
        world.run()
    });
    shown("AIMD", &aimd);
    shown("Gradient", &gradient);
    for (phase, capacity) in CAPACITIES.into_iter().enumerate() {
        let limit = mean(&gradient, phase);
        assert_eq!(mean(&aimd, phase), PER_LANE);
        let has_fallen = phase > 0 && capacity < CAPACITIES[phase - 1];
        assert!(!has_fallen || limit < PER_LANE * 3 / 4, "{limit}");
        let part = gradient.good[phase] as f64 / best[phase] as f64;
        assert!(part >= 0.85, "phase {phase}: {part:.2} of the best");
    }
}
