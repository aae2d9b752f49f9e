//! The scheduler's races: who gets the permit, who is told, and whether all is there in the end.
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
struct Flag {
    bell: Notify,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.bell.notify();
    }
}

impl Flag {
    fn new() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag {
            bell: Notify::new(),
        });
        (Arc::clone(&flag), Waker::from(flag))
    }

    /// Waits until it is woken; if nobody wakes it, loom reports a deadlock.
    fn wait(&self) {
        self.bell.wait();
    }
}

struct Hall {
    shared: SharedScheduler,
    now: Instant,
}

impl Hall {
    fn new(limit: usize) -> Arc<Hall> {
        Self::with(|rules| rules.total = limit)
    }

    fn with(change: impl FnOnce(&mut Rules)) -> Arc<Hall> {
        let now = Instant::now();
        let mut rules = Rules::default();
        change(&mut rules);
        Arc::new(Hall {
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

    /// Polls as a task does: again whenever it is woken, and not before.
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

    /// Nothing is out, and all permits can be had.
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

/// S3: a permit goes to the waiter, who is woken for it, at whatever moment it registers.
#[test]
fn a_permit_is_handed_to_the_waiter() {
    model("release beside waiting", || {
        let hall = Hall::new(1);
        let (first, _) = hall.admit("a", None);
        let (second, state) = hall.admit("a", None);
        assert_eq!(state, Ok(State::Queued));
        let waiter = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                hall.wait(second).unwrap();
                assert_eq!(hall.audit().running, 1);
                hall.leave(second);
            }
        });
        hall.leave(first);
        waiter.join().unwrap();
        hall.assert_whole(1);
    });
}

/// S1, X5: two that ask beside one that leaves; each gets its turn and nobody sleeps for ever.
#[test]
fn two_that_ask_beside_one_that_leaves_both_run() {
    model("two ask, one leaves", || {
        let hall = Hall::new(1);
        let (first, _) = hall.admit("a", None);
        let askers = ["a", "b"].map(|lane| {
            let hall = Arc::clone(&hall);
            thread::spawn(move || {
                let (id, _) = hall.admit(lane, None);
                hall.wait(id).unwrap();
                assert_eq!(hall.audit().running, 1);
                hall.leave(id);
            })
        });
        hall.leave(first);
        for asker in askers {
            asker.join().unwrap();
        }
        hall.assert_whole(1);
    });
}

/// S31, S3: a waiter goes just as it is granted the permit: the next one has it.
#[test]
fn a_grant_is_passed_on_when_its_waiter_goes() {
    model("cancel beside grant", || {
        let hall = Hall::new(1);
        let (first, _) = hall.admit("a", None);
        let (gone, _) = hall.admit("a", None);
        let (next, _) = hall.admit("a", None);
        let goer = thread::spawn({
            let hall = Arc::clone(&hall);
            move || hall.shared.leave(gone, Outcome::Canceled, hall.now)
        });
        let waiter = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                hall.wait(next).unwrap();
                hall.leave(next);
            }
        });
        hall.leave(first);
        let _ = goer.join().unwrap();
        waiter.join().unwrap();
        hall.assert_whole(1);
    });
}

/// S13, S5: a lane is forgotten while somebody asks for it: never two of one lane, nor a permit of a
/// lane that is gone.
#[test]
fn a_lane_is_forgotten_beside_one_who_asks_for_it() {
    model("evict beside acquire", || {
        let hall = Hall::with(|rules| {
            (rules.total, rules.per_lane) = (2, 1);
            rules.idle_lanes = 1;
        });
        let (idle, _) = hall.admit("a", None);
        hall.leave(idle);
        let evictor = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                let (other, _) = hall.admit("b", None);
                hall.leave(other);
            }
        });
        let asker = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                let (id, _) = hall.admit("a", None);
                hall.wait(id).unwrap();
                hall.leave(id);
            }
        });
        let (id, _) = hall.admit("a", None);
        hall.wait(id).unwrap();
        let busy = hall.audit().busy;
        let here: Vec<_> = busy.iter().filter(|lane| lane.lane == "a").collect();
        assert_eq!((here.len(), here[0].running), (1, 1));
        hall.leave(id);
        evictor.join().unwrap();
        asker.join().unwrap();
        assert_eq!(hall.audit().idle_lanes, 1);
        hall.assert_whole(2);
    });
}

/// S26: granted before and counted, or refused; nothing is granted after the close.
#[test]
fn a_close_and_one_who_asks_agree() {
    for (name, mode) in [
        ("drain beside acquire", CloseMode::Drain),
        ("cancel-pending beside acquire", CloseMode::CancelPending),
        ("close now beside acquire", CloseMode::Now),
    ] {
        model(name, move || {
            let hall = Hall::new(1);
            let asker = thread::spawn({
                let hall = Arc::clone(&hall);
                move || {
                    let Ok(id) = hall.enter() else {
                        assert_ne!(hall.shared.stage(), Stage::Open);
                        return (0, false);
                    };
                    let state = hall.admit_as(id, "a", None);
                    (1, hall.leave(id) && state.is_ok())
                }
            });
            let mut closed = usize::from(hall.close(mode));
            let after = hall.enter();
            assert_eq!(after, Err(Refusal::Closed), "after the close");
            let (entered, was_last) = asker.join().unwrap();
            closed += usize::from(was_last);
            let report = hall.shared.report().unwrap();
            assert_eq!(report.accepted, report.counts.sum());
            assert!(report.accepted <= entered);
            assert!(closed <= 1, "the end is told once");
            hall.assert_whole(1);
        });
    }
}

/// S7: whoever waits when the scheduler is closed is woken and refused, once.
#[test]
fn who_waits_is_refused_by_a_close() {
    model("close beside waiting", || {
        let hall = Hall::new(1);
        let (running, _) = hall.admit("a", None);
        let (waiting, _) = hall.admit("a", None);
        let waiter = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                let turn = hall.wait(waiting);
                assert_eq!(turn, Err(Refusal::Closed));
                hall.leave(waiting)
            }
        });
        let at_close = hall.close(CloseMode::CancelPending);
        let at_leave = hall.leave(running);
        let by_waiter = waiter.join().unwrap();
        let ends = [at_close, at_leave, by_waiter];
        assert_eq!(ends.iter().filter(|end| **end).count(), 1, "{ends:?}");
        let report = hall.shared.report().unwrap();
        assert_eq!((report.counts.canceled, report.counts.completed), (1, 1));
        hall.assert_whole(1);
    });
}

/// S27: the last permits come home beside two closes: the end is told exactly once.
#[test]
fn the_end_is_told_once() {
    model("last release beside close", || {
        let hall = Hall::new(2);
        let held = [hall.admit("a", None).0, hall.admit("b", None).0];
        let leavers = held.map(|id| {
            let hall = Arc::clone(&hall);
            thread::spawn(move || usize::from(hall.leave(id)))
        });
        let mut ends = usize::from(hall.close(CloseMode::Drain));
        ends += usize::from(hall.close(CloseMode::CancelPending));
        for leaver in leavers {
            ends += leaver.join().unwrap();
        }
        assert_eq!(ends, 1);
        let report = hall.shared.report().unwrap();
        assert_eq!(report.accepted, report.counts.completed);
        hall.assert_whole(2);
    });
}

/// S32: the deadline passes just as the permit comes: one of the two wins, and the permit is not lost.
#[test]
fn a_deadline_beside_a_grant_loses_no_permit() {
    model("timeout beside grant", || {
        let hall = Hall::new(1);
        let (first, _) = hall.admit("a", None);
        let (second, _) = hall.admit("a", Some(hall.now + MINUTE));
        let sweeper = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                let late = hall.now + MINUTE;
                let _ = hall
                    .shared
                    .with(|scheduler, effects| scheduler.sweep(late, effects));
            }
        });
        let waiter = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                let turn = hall.wait(second);
                match turn {
                    Ok(_) => assert_eq!(hall.audit().running, 1),
                    Err(refusal) => assert_eq!(refusal, Refusal::Expired),
                }
                hall.leave(second);
            }
        });
        hall.leave(first);
        sweeper.join().unwrap();
        waiter.join().unwrap();
        hall.assert_whole(1);
    });
}

/// X2: a grant is passed on as stale just as its owner comes for it: it has it, or its place again.
#[test]
fn a_stale_grant_beside_its_owner_is_had_once() {
    model("park beside taking up", || {
        let hall = Hall::new(1);
        let (first, _) = hall.admit("a", None);
        let (slow, _) = hall.admit("a", None);
        hall.leave(first);
        let sweeper = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                for time in [MINUTE, 2 * MINUTE] {
                    let at = hall.now + time;
                    let _ = hall
                        .shared
                        .with(|scheduler, effects| scheduler.sweep(at, effects));
                }
            }
        });
        let owner = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                hall.wait(slow).unwrap();
                assert_eq!(hall.audit().running, 1);
                hall.leave(slow);
            }
        });
        sweeper.join().unwrap();
        owner.join().unwrap();
        hall.assert_whole(1);
    });
}

/// X5: another task polls the call, with another waker, just as the grant comes: the one that polled
/// last is woken, or has its turn already.
#[test]
fn the_latest_waker_is_woken() {
    model("another waker beside grant", || {
        let hall = Hall::new(1);
        let (first, _) = hall.admit("a", None);
        let (second, _) = hall.admit("a", None);
        let (_, former) = Flag::new();
        assert!(hall.poll(second, &former).is_pending());
        let waiter = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                hall.wait(second).unwrap();
                hall.leave(second);
            }
        });
        hall.leave(first);
        waiter.join().unwrap();
        assert_eq!(Arc::strong_count(&hall), 1);
        hall.assert_whole(1);
    });
}

fn open_group(hall: &Hall) -> GroupId {
    let (group, _) = hall
        .shared
        .with(|scheduler, _| scheduler.open_group([8; Priority::COUNT]).unwrap());
    group
}

fn submit(hall: &Hall, group: GroupId, tag: u64) -> CallId {
    let (job, _) = hall
        .shared
        .with(|scheduler, effects| scheduler.submit(group, ask("a", None), tag, hall.now, effects));
    job.unwrap()
}

/// One look of a worker for a job.
fn look(hall: &Hall, group: GroupId, worker: u32, waker: &Waker) -> Option<CallId> {
    let clone = waker.clone();
    let (poll, _) = hall
        .shared
        .with(|scheduler, effects| scheduler.poll_worker(group, worker, clone, hall.now, effects));
    match poll {
        Poll::Ready(job) => Some(job.call),
        Poll::Pending => None,
    }
}

fn work(hall: &Hall, group: GroupId, worker: u32) -> CallId {
    let (flag, waker) = Flag::new();
    loop {
        if let Some(job) = look(hall, group, worker, &waker) {
            return job;
        }
        flag.wait();
    }
}

/// D26: a job and the worker that is about to sleep: never a job in line and all workers asleep.
#[test]
fn no_worker_sleeps_beside_a_job() {
    model("submit beside a worker's look", || {
        let hall = Hall::new(1);
        let group = open_group(&hall);
        let worker = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                for _ in 0..2 {
                    hall.leave(work(&hall, group, 0));
                }
            }
        });
        submit(&hall, group, 1);
        submit(&hall, group, 2);
        worker.join().unwrap();
        hall.assert_whole(1);
    });
}

/// S38, D24: a job is canceled just as a worker picks it up: it runs or it is canceled, never both.
#[test]
fn a_job_is_run_or_canceled() {
    model("cancel beside a worker's pick", || {
        let hall = Hall::new(1);
        let group = open_group(&hall);
        let (flag, waker) = Flag::new();
        // The worker sleeps: the job is its own from the start, and not picked up yet.
        assert!(look(&hall, group, 0, &waker).is_none());
        let job = submit(&hall, group, 1);
        let canceler = thread::spawn({
            let hall = Arc::clone(&hall);
            move || {
                let (is_canceled, _) = hall.shared.with(|scheduler, effects| {
                    let waits = scheduler
                        .state(job)
                        .is_some_and(|state| state != State::Taken);
                    if waits {
                        scheduler.leave(job, Outcome::Canceled, hall.now, effects);
                    }
                    waits
                });
                is_canceled
            }
        });
        flag.wait();
        let picked = look(&hall, group, 0, &waker);
        let is_canceled = canceler.join().unwrap();
        assert_ne!(picked.is_some(), is_canceled, "run or canceled");
        if let Some(job) = picked {
            hall.leave(job);
        }
        let forget = |hall: &Hall| {
            let _ = hall
                .shared
                .with(|scheduler, effects| scheduler.forget_worker(group, 0, effects));
        };
        forget(&hall);
        hall.assert_whole(1);
    });
}

/// D26: the worker that was woken for a job goes instead: another one that sleeps is woken.
#[test]
fn a_job_of_a_worker_that_goes_is_left_to_another() {
    model("a woken worker goes", || {
        let hall = Hall::new(1);
        let group = open_group(&hall);
        let (_, waker) = Flag::new();
        let stays = thread::spawn({
            let hall = Arc::clone(&hall);
            move || hall.leave(work(&hall, group, 0))
        });
        let submitter = thread::spawn({
            let hall = Arc::clone(&hall);
            move || submit(&hall, group, 1)
        });
        match look(&hall, group, 1, &waker) {
            // It has the job: the other one gets another.
            Some(job) => {
                hall.leave(job);
                submit(&hall, group, 2);
            }
            None => {
                let _ = hall
                    .shared
                    .with(|scheduler, effects| scheduler.forget_worker(group, 1, effects));
            }
        }
        submitter.join().unwrap();
        stays.join().unwrap();
        hall.assert_whole(1);
    });
}
