//! The scheduler's races: which call gets the permit, which task is woken, and that no permit is
//! lost.
//!
//! Two threads and the main one, as polls of futures do it: by [`SharedScheduler::poll_turn`].

use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use loom::sync::Notify;
use loom::thread;
use turbohttp_core::scheduler::{
    Ask, CallId, CloseMode, GroupId, LaneKey, Outcome, Priority, Refusal, Rules, SchedulerAudit,
    SharedScheduler, Stage, State, Waited,
};

use super::model;

const MINUTE: Duration = Duration::from_secs(60);

/// A waker that a test can wait for.
pub(crate) struct Flag {
    bell: Notify,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.bell.notify();
    }
}

impl Flag {
    pub(crate) fn new() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag {
            bell: Notify::new(),
        });
        (Arc::clone(&flag), Waker::from(flag))
    }

    /// Waits for the wake; if there is none, loom reports a deadlock.
    pub(crate) fn wait(&self) {
        self.bell.wait();
    }
}

struct Fixture {
    shared: SharedScheduler,
    now: Instant,
}

impl Fixture {
    fn new(limit: usize) -> Arc<Fixture> {
        Self::with(|rules| rules.total = limit)
    }

    fn with(change: impl FnOnce(&mut Rules)) -> Arc<Fixture> {
        let now = Instant::now();
        let mut rules = Rules::default();
        change(&mut rules);
        Arc::new(Fixture {
            shared: SharedScheduler::new(rules, now).unwrap(),
            now,
        })
    }

    fn enter(&self) -> Result<CallId, Refusal> {
        let (entered, _) = self.shared.with(|scheduler, _| scheduler.enter(self.now));
        entered
    }

    fn admit(&self, lane: &str, deadline: Option<Instant>) -> (CallId, Result<State, Refusal>) {
        let id = self.enter().unwrap();
        (id, self.admit_as(id, lane, deadline))
    }

    fn admit_as(
        &self,
        id: CallId,
        lane: &str,
        deadline: Option<Instant>,
    ) -> Result<State, Refusal> {
        self.shared.admit(id, ask(lane, deadline), self.now).0
    }

    fn poll(&self, id: CallId, waker: &Waker) -> Poll<Result<Waited, Refusal>> {
        self.shared.poll_turn(id, waker, self.now).0
    }

    /// Polls as a task does: again after each wake, and not before.
    fn wait(&self, id: CallId) -> Result<Waited, Refusal> {
        let (flag, waker) = Flag::new();
        loop {
            if let Poll::Ready(turn) = self.poll(id, &waker) {
                return turn;
            }
            flag.wait();
        }
    }

    fn leave(&self, id: CallId) -> bool {
        self.shared.leave(id, Outcome::Completed, self.now).closed
    }

    fn close(&self, mode: CloseMode) -> bool {
        self.shared.close(mode, None, self.now).closed
    }

    fn audit(&self) -> SchedulerAudit {
        self.shared.look(|scheduler| scheduler.audit())
    }

    /// Checks that nothing is out and that all permits can be taken.
    fn assert_whole(&self, limit: usize) {
        let audit = self.audit();
        assert!(audit.is_idle(), "{audit:?}");
        assert_eq!(audit.total, limit);
        if self.shared.stage() == Stage::Open {
            let calls: Vec<_> = (0..=limit)
                .map(|lane| self.admit(["x", "y", "z"][lane], None))
                .collect();
            let taken = calls.iter().filter(|(_, state)| *state == Ok(State::Taken));
            assert_eq!(taken.count(), limit);
            for (id, _) in calls.into_iter().rev() {
                self.leave(id);
            }
        }
    }
}

fn ask(lane: &str, deadline: Option<Instant>) -> Ask<'_> {
    Ask {
        lane: LaneKey::new(lane),
        priority: Priority::Normal,
        deadline,
    }
}

/// The permit goes to the waiting call, whose task is woken, at whatever moment it sets its waker.
#[test]
fn a_permit_is_handed_to_the_waiter() {
    model("release beside waiting", || {
        let fixture = Fixture::new(1);
        let (first, _) = fixture.admit("a", None);
        let (second, state) = fixture.admit("a", None);
        assert_eq!(state, Ok(State::Queued));
        let waiter = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                fixture.wait(second).unwrap();
                assert_eq!(fixture.audit().running, 1);
                fixture.leave(second);
            }
        });
        fixture.leave(first);
        waiter.join().unwrap();
        fixture.assert_whole(1);
    });
}

/// Two calls ask beside one that leaves: each gets its turn, and no task sleeps for ever.
#[test]
fn two_that_ask_beside_one_that_leaves_both_run() {
    model("two ask, one leaves", || {
        let fixture = Fixture::new(1);
        let (first, _) = fixture.admit("a", None);
        let askers = ["a", "b"].map(|lane| {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || {
                let (id, _) = fixture.admit(lane, None);
                fixture.wait(id).unwrap();
                assert_eq!(fixture.audit().running, 1);
                fixture.leave(id);
            })
        });
        fixture.leave(first);
        for asker in askers {
            asker.join().unwrap();
        }
        fixture.assert_whole(1);
    });
}

/// A call leaves just as it is granted the permit: the next call gets it.
#[test]
fn a_grant_is_passed_on_when_its_waiter_goes() {
    model("cancel beside grant", || {
        let fixture = Fixture::new(1);
        let (first, _) = fixture.admit("a", None);
        let (gone, _) = fixture.admit("a", None);
        let (next, _) = fixture.admit("a", None);
        let goer = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || fixture.shared.leave(gone, Outcome::Canceled, fixture.now)
        });
        let waiter = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                fixture.wait(next).unwrap();
                fixture.leave(next);
            }
        });
        fixture.leave(first);
        let _ = goer.join().unwrap();
        waiter.join().unwrap();
        fixture.assert_whole(1);
    });
}

/// A lane is forgotten beside a call that asks for it: there are never two lanes of one key, nor a
/// permit of a lane that is gone.
#[test]
fn a_lane_is_forgotten_beside_one_who_asks_for_it() {
    model("evict beside acquire", || {
        let fixture = Fixture::with(|rules| {
            (rules.total, rules.per_lane) = (2, 1);
            rules.idle_lanes = 1;
        });
        let (idle, _) = fixture.admit("a", None);
        fixture.leave(idle);
        let evictor = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                let (other, _) = fixture.admit("b", None);
                fixture.leave(other);
            }
        });
        let asker = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                let (id, _) = fixture.admit("a", None);
                fixture.wait(id).unwrap();
                fixture.leave(id);
            }
        });
        let (id, _) = fixture.admit("a", None);
        fixture.wait(id).unwrap();
        let busy = fixture.audit().busy;
        let here: Vec<_> = busy.iter().filter(|lane| lane.origin == "a").collect();
        assert_eq!((here.len(), here[0].running), (1, 1));
        fixture.leave(id);
        evictor.join().unwrap();
        asker.join().unwrap();
        assert_eq!(fixture.audit().idle_origins, 1);
        fixture.assert_whole(2);
    });
}

/// A call beside a close is granted before it and counted, or refused; nothing is granted after the
/// close.
#[test]
fn a_close_and_one_who_asks_agree() {
    for (name, mode) in [
        ("drain beside acquire", CloseMode::Drain),
        ("cancel-pending beside acquire", CloseMode::CancelPending),
        ("close now beside acquire", CloseMode::Now),
    ] {
        model(name, move || {
            let fixture = Fixture::new(1);
            let asker = thread::spawn({
                let fixture = Arc::clone(&fixture);
                move || {
                    let Ok(id) = fixture.enter() else {
                        assert_ne!(fixture.shared.stage(), Stage::Open);
                        return (0, false);
                    };
                    let state = fixture.admit_as(id, "a", None);
                    (1, fixture.leave(id) && state.is_ok())
                }
            });
            let mut closed = usize::from(fixture.close(mode));
            let after = fixture.enter();
            assert_eq!(after, Err(Refusal::Closed), "after the close");
            let (entered, was_last) = asker.join().unwrap();
            closed += usize::from(was_last);
            let report = fixture.shared.report().unwrap();
            assert_eq!(report.accepted, report.counts.sum());
            assert!(report.accepted <= entered);
            assert!(closed <= 1, "the end is told once");
            fixture.assert_whole(1);
        });
    }
}

/// A call that waits when the scheduler is closed is woken and refused, once.
#[test]
fn who_waits_is_refused_by_a_close() {
    model("close beside waiting", || {
        let fixture = Fixture::new(1);
        let (running, _) = fixture.admit("a", None);
        let (waiting, _) = fixture.admit("a", None);
        let waiter = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                let turn = fixture.wait(waiting);
                assert_eq!(turn, Err(Refusal::Closed));
                fixture.leave(waiting)
            }
        });
        let at_close = fixture.close(CloseMode::CancelPending);
        let at_leave = fixture.leave(running);
        let by_waiter = waiter.join().unwrap();
        let ends = [at_close, at_leave, by_waiter];
        assert_eq!(ends.iter().filter(|end| **end).count(), 1, "{ends:?}");
        let report = fixture.shared.report().unwrap();
        assert_eq!((report.counts.canceled, report.counts.completed), (1, 1));
        fixture.assert_whole(1);
    });
}

/// The last permits are released beside two closes: the end is signalled exactly once.
#[test]
fn the_end_is_told_once() {
    model("last release beside close", || {
        let fixture = Fixture::new(2);
        let held = [fixture.admit("a", None).0, fixture.admit("b", None).0];
        let leavers = held.map(|id| {
            let fixture = Arc::clone(&fixture);
            thread::spawn(move || usize::from(fixture.leave(id)))
        });
        let mut ends = usize::from(fixture.close(CloseMode::Drain));
        ends += usize::from(fixture.close(CloseMode::CancelPending));
        for leaver in leavers {
            ends += leaver.join().unwrap();
        }
        assert_eq!(ends, 1);
        let report = fixture.shared.report().unwrap();
        assert_eq!(report.accepted, report.counts.completed);
        fixture.assert_whole(2);
    });
}

/// The deadline passes just as the permit is granted: one of the two wins, and the permit is not
/// lost.
#[test]
fn a_deadline_beside_a_grant_loses_no_permit() {
    model("timeout beside grant", || {
        let fixture = Fixture::new(1);
        let (first, _) = fixture.admit("a", None);
        let (second, _) = fixture.admit("a", Some(fixture.now + MINUTE));
        let sweeper = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                let late = fixture.now + MINUTE;
                let _ = fixture
                    .shared
                    .with(|scheduler, effects| scheduler.sweep(late, effects));
            }
        });
        let waiter = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                let turn = fixture.wait(second);
                match turn {
                    Ok(_) => assert_eq!(fixture.audit().running, 1),
                    Err(refusal) => assert_eq!(refusal, Refusal::Expired),
                }
                fixture.leave(second);
            }
        });
        fixture.leave(first);
        sweeper.join().unwrap();
        waiter.join().unwrap();
        fixture.assert_whole(1);
    });
}

/// A stale grant is taken back just as its owner asks for its turn: the owner has the permit, or
/// its place in line.
#[test]
fn a_stale_grant_beside_its_owner_is_had_once() {
    model("park beside taking up", || {
        let fixture = Fixture::new(1);
        let (first, _) = fixture.admit("a", None);
        let (slow, _) = fixture.admit("a", None);
        fixture.leave(first);
        let sweeper = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                for time in [MINUTE, 2 * MINUTE] {
                    let at = fixture.now + time;
                    let _ = fixture
                        .shared
                        .with(|scheduler, effects| scheduler.sweep(at, effects));
                }
            }
        });
        let owner = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                fixture.wait(slow).unwrap();
                assert_eq!(fixture.audit().running, 1);
                fixture.leave(slow);
            }
        });
        sweeper.join().unwrap();
        owner.join().unwrap();
        fixture.assert_whole(1);
    });
}

/// Another task polls the call with another waker just as it is granted: the task that polled last
/// is woken, or has its turn already.
#[test]
fn the_latest_waker_is_woken() {
    model("another waker beside grant", || {
        let fixture = Fixture::new(1);
        let (first, _) = fixture.admit("a", None);
        let (second, _) = fixture.admit("a", None);
        let (_, former) = Flag::new();
        assert!(fixture.poll(second, &former).is_pending());
        let waiter = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                fixture.wait(second).unwrap();
                fixture.leave(second);
            }
        });
        fixture.leave(first);
        waiter.join().unwrap();
        assert_eq!(Arc::strong_count(&fixture), 1);
        fixture.assert_whole(1);
    });
}

fn open_group(fixture: &Fixture) -> GroupId {
    let (group, _) = fixture
        .shared
        .with(|scheduler, _| scheduler.open_group([8; Priority::COUNT]).unwrap());
    group
}

fn submit(fixture: &Fixture, group: GroupId, tag: u64) -> CallId {
    let (job, _) = fixture.shared.with(|scheduler, effects| {
        scheduler.submit(group, ask("a", None), tag, fixture.now, effects)
    });
    job.unwrap()
}

/// One poll of a worker.
fn look(fixture: &Fixture, group: GroupId, worker: u32, waker: &Waker) -> Option<CallId> {
    let clone = waker.clone();
    let (poll, _) = fixture.shared.with(|scheduler, effects| {
        scheduler.poll_worker(group, worker, clone, fixture.now, effects)
    });
    match poll {
        Poll::Ready(job) => Some(job.call),
        Poll::Pending => None,
    }
}

fn work(fixture: &Fixture, group: GroupId, worker: u32) -> CallId {
    let (flag, waker) = Flag::new();
    loop {
        if let Some(job) = look(fixture, group, worker, &waker) {
            return job;
        }
        flag.wait();
    }
}

/// A job is submitted beside a worker that becomes idle: never does a job stay in line while all
/// workers sleep.
#[test]
fn no_worker_sleeps_beside_a_job() {
    model("submit beside a worker's look", || {
        let fixture = Fixture::new(1);
        let group = open_group(&fixture);
        let worker = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                for _ in 0..2 {
                    fixture.leave(work(&fixture, group, 0));
                }
            }
        });
        submit(&fixture, group, 1);
        submit(&fixture, group, 2);
        worker.join().unwrap();
        fixture.assert_whole(1);
    });
}

/// A job is canceled just as a worker picks it up: it runs or it is canceled, never both.
#[test]
fn a_job_is_run_or_canceled() {
    model("cancel beside a worker's pick", || {
        let fixture = Fixture::new(1);
        let group = open_group(&fixture);
        let (flag, waker) = Flag::new();
        // The worker is idle: the job is assigned at once, and not picked up yet.
        assert!(look(&fixture, group, 0, &waker).is_none());
        let job = submit(&fixture, group, 1);
        let canceler = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || {
                let (is_canceled, _) = fixture.shared.with(|scheduler, effects| {
                    let waits = scheduler
                        .state(job)
                        .is_some_and(|state| state != State::Taken);
                    if waits {
                        scheduler.leave(job, Outcome::Canceled, fixture.now, effects);
                    }
                    waits
                });
                is_canceled
            }
        });
        flag.wait();
        let picked = look(&fixture, group, 0, &waker);
        let is_canceled = canceler.join().unwrap();
        assert_ne!(picked.is_some(), is_canceled, "run or canceled");
        if let Some(job) = picked {
            fixture.leave(job);
        }
        let forget = |fixture: &Fixture| {
            let _ = fixture
                .shared
                .with(|scheduler, effects| scheduler.forget_worker(group, 0, effects));
        };
        forget(&fixture);
        fixture.assert_whole(1);
    });
}

/// The worker that was woken for a job ends instead: another idle one is woken.
#[test]
fn a_job_of_a_worker_that_goes_is_left_to_another() {
    model("a woken worker goes", || {
        let fixture = Fixture::new(1);
        let group = open_group(&fixture);
        let (_, waker) = Flag::new();
        let stays = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || fixture.leave(work(&fixture, group, 0))
        });
        let submitter = thread::spawn({
            let fixture = Arc::clone(&fixture);
            move || submit(&fixture, group, 1)
        });
        match look(&fixture, group, 1, &waker) {
            // It has the job: the other worker gets another one.
            Some(job) => {
                fixture.leave(job);
                submit(&fixture, group, 2);
            }
            None => {
                let _ = fixture
                    .shared
                    .with(|scheduler, effects| scheduler.forget_worker(group, 1, effects));
            }
        }
        submitter.join().unwrap();
        stays.join().unwrap();
        fixture.assert_whole(1);
    });
}
