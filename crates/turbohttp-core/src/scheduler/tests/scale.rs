//! How many calls and lanes an operation looks at with many waiting: a cost that needs no clock.

use super::*;

struct Crowd {
    scheduler: Scheduler,
    effects: Effects,
    now: Instant,
    waiting: Vec<CallId>,
    running: CallId,
    group: GroupId,
}

fn ask<'a>(lane: &'a str, priority: Priority, deadline: Option<Instant>) -> Ask<'a> {
    Ask {
        lane: LaneKey::new(lane),
        priority,
        deadline,
    }
}

impl Crowd {
    /// `count` calls wait in up to 10,000 lanes, behind one that holds the only permit.
    fn new(count: usize, ageing: Option<Duration>) -> Crowd {
        let now = crate_now();
        let rules = Rules {
            total: 1,
            waiting: WAITING_MAX,
            waiting_per_lane: WAITING_MAX,
            ageing,
            ..Rules::default()
        };
        let mut scheduler = Scheduler::new(rules, now).unwrap();
        let group = scheduler.open_group([8; Priority::COUNT]).unwrap();
        let mut effects = Effects::default();
        let running = scheduler.enter(now).unwrap();
        let first = ask("first", Priority::Low, None);
        scheduler.admit(running, first, now, &mut effects).unwrap();
        let mut crowd = Crowd {
            scheduler,
            effects,
            now,
            waiting: Vec::new(),
            running,
            group,
        };
        for index in 0..count {
            crowd.enqueue(index);
        }
        crowd
    }

    fn enqueue(&mut self, index: usize) {
        let id = self.scheduler.enter(self.now).unwrap();
        let lane = (index % 10_000).to_string();
        let priority = Priority::ALL[index * 7 % Priority::COUNT];
        let deadline = self.now + index as u32 * MS;
        let ask = ask(&lane, priority, Some(deadline));
        let state = self
            .scheduler
            .admit(id, ask, self.now, &mut self.effects)
            .unwrap();
        assert_eq!(state, State::Queued);
        self.waiting.push(id);
    }

    /// The permit is released and granted to the next call.
    fn pick(&mut self) {
        let (now, effects) = (self.now, &mut self.effects);
        self.scheduler
            .leave(self.running, Outcome::Completed, now, effects);
        let next = self.scheduler.timers.first_grant().unwrap();
        let id = self.scheduler.calls[next].id(next);
        self.running = id;
        self.scheduler
            .turn(self.running, Waker::noop(), now, effects);
    }

    fn some(&mut self, step: usize) -> CallId {
        for turn in 0.. {
            let index = (step * 7_919 + turn) % self.waiting.len();
            let id = self.waiting.swap_remove(index);
            if self.scheduler.state(id) == Some(State::Queued) {
                return id;
            }
        }
        unreachable!("many wait")
    }

    fn looks(&mut self, act: impl FnOnce(&mut Crowd)) -> u64 {
        let read =
            |crowd: &Crowd| crowd.scheduler.calls.looks() + crowd.scheduler.queues.lanes.looks();
        let before = read(self);
        act(self);
        read(self) - before
    }
}

/// The most looks that each operation took with `count` calls waiting.
fn worst(count: usize, ageing: Option<Duration>) -> [u64; 6] {
    let mut crowd = Crowd::new(count, ageing);
    let mut worst = [0; 6];
    for step in 0..200 {
        let canceled = crowd.some(step);
        let changed = crowd.some(step + 1);
        let level = Priority::ALL[step % Priority::COUNT];
        let (now, group) = (crowd.now, crowd.group);
        let looks = [
            crowd.looks(|crowd| crowd.enqueue(step * 31)),
            crowd.looks(|crowd| {
                let (scheduler, effects) = (&mut crowd.scheduler, &mut crowd.effects);
                scheduler.leave(canceled, Outcome::Canceled, now, effects);
            }),
            crowd.looks(Crowd::pick),
            crowd.looks(|crowd| {
                let (scheduler, effects) = (&mut crowd.scheduler, &mut crowd.effects);
                scheduler.set_priority(changed, level, now, effects);
            }),
            crowd.looks(|crowd| {
                let until = now + 1_000 * MS;
                let lane = LaneKey::new("77");
                let (scheduler, effects) = (&mut crowd.scheduler, &mut crowd.effects);
                scheduler.pause(lane, until, now, effects).unwrap();
                scheduler.resume(lane, now, effects);
            }),
            crowd.looks(|crowd| {
                let (scheduler, effects) = (&mut crowd.scheduler, &mut crowd.effects);
                let ask = ask("99", level, None);
                let id = scheduler.submit(group, ask, 0, now, effects).unwrap();
                scheduler.leave(id, Outcome::Canceled, now, effects);
            }),
        ];
        for (worst, looks) in worst.iter_mut().zip(looks) {
            *worst = looks.max(*worst);
        }
    }
    worst
}

#[test]
fn no_operation_looks_at_more_because_more_wait() {
    for ageing in [None, Some(5 * MS)] {
        let [few, many] = [1_000, 100_000].map(|count| worst(count, ageing));
        println!("looks with 1,000 waiting {few:?}, with 100,000 {many:?}, ageing {ageing:?}");
        for (few, many) in few.into_iter().zip(many) {
            // A hundred times as many: twice as deep, seven levels more.
            assert!(many <= 2 * few + 100, "{few} looks became {many}");
            assert!(many < 600, "{many} looks");
        }
    }
}
