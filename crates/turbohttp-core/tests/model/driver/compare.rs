//! What must be equal on both sides after every step, and what must hold of the scheduler alone.

use std::sync::PoisonError;

use turbohttp_core::scheduler::{Counts, LaneKey, Report, Stage, State};

use super::super::gates::Gate;
use super::super::reference::Call;
use super::{Driver, LANES};

impl Driver {
    /// Compares everything that the scheduler's interface shows.
    pub(super) fn compare(&mut self) {
        self.coverage.steps += 1;
        self.compare_wakes();
        self.compare_calls();
        self.compare_audit();
        self.compare_lanes();
        self.compare_gates();
        self.hold();
        self.subject = None;
    }

    /// The order of wakes is the order of starts and refusals. A spurious wake is allowed only of
    /// the call that the step is about.
    fn compare_wakes(&mut self) {
        let woken = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *log)
        };
        let mut expected = std::mem::take(&mut self.model.events);
        self.coverage.wakes += expected.len() as u64;
        let mut extra = woken;
        if extra.len() > expected.len() {
            let subject = self.subject;
            let is_needed = expected.iter().any(|event| Some(*event) == subject);
            extra.retain(|event| is_needed || Some(*event) != subject);
        }
        assert_eq!(
            extra,
            std::mem::take(&mut expected),
            "who was woken, in order"
        );
    }

    fn compare_calls(&self) {
        for call in &self.model.calls {
            let Some(entry) = self.entries.iter().find(|entry| entry.name == call.name) else {
                // It has entered in this very step, and is compared in the next one.
                continue;
            };
            let state = self.scheduler.state(entry.id);
            assert_eq!(state, Some(call.state), "call {}", call.name);
        }
    }

    fn compare_audit(&self) {
        let (audit, model) = (self.scheduler.audit(), &self.model);
        let count = |is_it: fn(&Call) -> bool| model.calls.iter().filter(|v| is_it(v)).count();
        // A permit without a call that was cut off is counted as gone.
        let is_gone = |call: &&Call| call.seat == usize::MAX && !call.is_counted;
        let gone = model.calls.iter().filter(is_gone).count();
        assert_eq!(audit.calls, model.calls.len() - gone);
        assert_eq!(audit.running, model.running());
        assert_eq!(audit.total, model.plan.total);
        assert_eq!(audit.waiting, count(|v| v.state == State::Queued));
        assert_eq!(audit.granted, count(|v| v.state == State::Granted));
        assert_eq!(audit.parked, count(|v| v.state == State::Parked));
        assert_eq!(audit.deadlines, model.deadlines_count());
        assert_eq!(audit.paused, model.pauses.len());
        let used: Vec<usize> = (0..LANES.len())
            .filter(|lane| model.is_used(*lane))
            .collect();
        assert_eq!(audit.idle_origins, model.idle.len());
        assert_eq!(audit.origins, used.len() + model.idle.len());
        assert_eq!(audit.busy.len(), used.len());
        for (found, lane) in audit.busy.iter().zip(used) {
            assert_eq!(found.origin, LANES[lane]);
            assert_eq!(
                found.limit,
                model.lane_limit(lane),
                "limit of {}",
                found.origin
            );
            assert_eq!(found.running, model.lane_running(lane));
            assert_eq!(found.waiting, model.lane_waiting(lane));
            assert_eq!(found.is_paused, model.is_paused(lane));
            let is_spent = model.is_spent(lane) && model.lane_waiting(lane) > 0;
            assert_eq!(found.is_spent, is_spent);
        }
    }

    fn compare_lanes(&self) {
        let idle: Vec<&str> = self.scheduler.idle_lanes().collect();
        let expected: Vec<&str> = self.model.idle.iter().map(|lane| LANES[*lane]).collect();
        assert_eq!(idle, expected, "idle lanes, the one idle longest first");
        // Looking a lane up makes none.
        let _ = LaneKey::new(LANES[0]);
    }

    fn compare_gates(&self) {
        let stats = self.scheduler.stats();
        let model = &self.model;
        assert_eq!(in_order(stats.ended), model.gate.counts, "how calls ended");
        assert_eq!(stats.grants_released, model.grants_released);
        assert_eq!(stats.grants_parked, model.parked);
        assert_eq!(stats.origins_forgotten, model.forgotten);
        assert_eq!(stats.running_peak, model.running_peak);
        assert_eq!(stats.waiting_peak, model.waiting_peak);
        compare_gate(self.scheduler.stage(), self.scheduler.report(), &model.gate);
        let cut = |flag: bool, gate: &Gate| assert_eq!(flag, gate.is_cut);
        let flag = self.scheduler.cut_flag();
        cut(flag.load(std::sync::atomic::Ordering::SeqCst), &model.gate);
        for (id, group) in self.groups.iter().zip(&model.groups) {
            let report = self.scheduler.group_report(*id);
            compare_gate(self.scheduler.group_stage(*id), report, &group.gate);
            let flag = self.scheduler.group_cut_flag(*id);
            cut(flag.load(std::sync::atomic::Ordering::SeqCst), &group.gate);
        }
    }

    /// What must hold without the reference: work conservation, the limits, and that every alarm
    /// was raised.
    fn hold(&mut self) {
        assert_eq!(self.model.next(), None, "it could start and waits");
        let running = self.model.running();
        let plan = &self.model.plan;
        assert!(
            running <= plan.total.max(self.before.0),
            "more run in total"
        );
        for (lane, name) in LANES.iter().enumerate() {
            let here = self.model.lane_running(lane);
            let allowed = self.model.lane_limit(lane).max(self.before.1[lane]);
            assert!(here <= allowed, "more run in {name}");
            self.before.1[lane] = here;
        }
        self.before.0 = running;
        assert!(self.model.idle.len() <= self.model.plan.idle_lanes);
        if let Some(due) = self.model.due() {
            let is_known = self.armed.is_some_and(|armed| armed <= due);
            assert!(is_known || self.is_alarmed, "due, and no alarm was raised");
        }
    }
}

fn in_order(counts: Counts) -> [u64; 5] {
    [
        counts.completed,
        counts.failed,
        counts.canceled,
        counts.expired,
        counts.aborted,
    ]
}

fn compare_gate(stage: Stage, report: Option<Report>, gate: &Gate) {
    assert_eq!(stage, gate.stage);
    let found = report.map(|report| {
        assert_eq!(report.counts.sum(), report.accepted, "the report adds up");
        let elapsed = u64::try_from(report.elapsed.as_micros()).unwrap();
        (report.accepted, in_order(report.counts), elapsed)
    });
    assert_eq!(found, gate.report);
}
