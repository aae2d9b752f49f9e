//! An oracle that is told of what must not be has to say so: one planted defect for each complaint.

use std::sync::Arc;

use crate::booth::Pace;
use crate::crew::Crew;
use crate::oracle::{Oracle, Outcome};
use crate::plan::{Act, HOSTS, Order, Plan, Route, Whim};
use tokio::runtime::{Builder, Runtime};
use turbohttp::{Priority, Transport as _};

/// As many orders at each host as it takes to fill it, all of them plain.
fn plain() -> Plan {
    let mut orders = Vec::new();
    for (host, (_, limit)) in HOSTS.iter().enumerate() {
        for _ in 0..*limit {
            orders.push(Order {
                id: orders.len(),
                host,
                route: Route::Direct,
                priority: Priority::Normal,
                act: Act::Answer,
                whim: Whim::Read,
                arrives: 0,
            });
        }
    }
    Plan {
        seed: 0,
        orders,
        is_layered: false,
        total: 64,
    }
}

/// What a faultless client would have done, up to the outcomes.
fn sent(change: impl FnOnce(&mut Plan)) -> (Arc<Oracle>, usize) {
    let mut plan = plain();
    change(&mut plan);
    let count = plan.orders.len();
    let oracle = Oracle::new(Arc::new(plan));
    let calls: Vec<_> = (0..count).map(|id| oracle.enter(id)).collect();
    for call in calls {
        call.leave();
    }
    (oracle, count)
}

fn settled(change: impl FnOnce(&mut Plan)) -> Arc<Oracle> {
    let (oracle, count) = sent(change);
    for id in 0..count {
        oracle.settle(id, Outcome::Answered);
    }
    oracle
}

fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

#[track_caller]
fn complains(oracle: &Oracle, of: &str) {
    let complaints = oracle.complaints();
    let is_heard = complaints.iter().any(|complaint| complaint.contains(of));
    assert!(is_heard, "no word of {of:?}: {complaints:?}");
}

#[test]
fn a_faultless_run_has_no_complaint() {
    assert_eq!(settled(|_| {}).complaints(), Vec::<String>::new());
}

#[test]
fn a_lost_request_is_noticed() {
    let (oracle, count) = sent(|_| {});
    for id in 1..count {
        oracle.settle(id, Outcome::Answered);
    }
    complains(&oracle, "order 0 is lost");
}

#[test]
fn a_second_outcome_is_noticed() {
    let oracle = settled(|_| {});
    oracle.settle(3, Outcome::Answered);
    complains(&oracle, "order 3 has two outcomes");
}

#[test]
fn a_request_that_is_sent_twice_is_noticed() {
    let oracle = settled(|_| {});
    oracle.enter(3).leave();
    complains(&oracle, "Answered after 2 attempts");
}

#[test]
fn an_answer_without_a_request_is_noticed() {
    let mut plan = plain();
    plan.orders.truncate(1);
    let oracle = Oracle::new(Arc::new(plan));
    oracle.settle(0, Outcome::Answered);
    complains(&oracle, "Answered after 0 attempts");
    complains(&oracle, "0 were sent, of 1 accepted");
}

#[test]
fn one_too_many_at_once_is_noticed() {
    let oracle = settled(|plan| {
        let extra = Order {
            id: plan.orders.len(),
            ..plan.orders[0]
        };
        plan.orders.push(extra);
    });
    complains(&oracle, "2 at once at a, not 1");
    complains(&oracle, "30 at once in all, not 29");
}

#[test]
fn one_too_few_at_once_is_noticed() {
    let (oracle, _) = sent(|plan| {
        plan.orders.pop();
    });
    complains(&oracle, "15 at once at d, not 16");
    complains(&oracle, "28 at once in all, not 29");
}

#[test]
fn a_permit_that_is_held_to_the_end_is_noticed() {
    let oracle = settled(|_| {});
    let _held = oracle.enter(0);
    complains(&oracle, "1 are still at a");
}

#[test]
fn an_outcome_that_was_not_planned_is_noticed() {
    let (oracle, count) = sent(|_| {});
    for id in 0..count {
        oracle.settle(id, Outcome::Failed);
    }
    complains(&oracle, "Failed after 1 attempts cannot come of");
}

#[test]
fn a_job_that_was_canceled_waiting_and_sent_all_the_same_is_noticed() {
    let (oracle, _) = sent(|plan| {
        plan.orders[5].route = Route::Queued;
        plan.orders[5].whim = Whim::Cancel(1);
    });
    oracle.settle(5, Outcome::Canceled(true));
    complains(&oracle, "Canceled(true) after 1 attempts");
}

/// What a bare mock holds is counted in its handler, until its delay is over or it is dropped.
#[test]
fn one_too_many_at_once_in_a_bare_mock_is_noticed() {
    for (act, is_noticed) in [(Act::Slow(5), true), (Act::Answer, false)] {
        let mut plan = plain();
        plan.orders[0].act = act;
        let twin = Order {
            id: plan.orders.len(),
            ..plan.orders[0]
        };
        plan.orders.push(twin);
        paused().block_on(async {
            let crew = Crew::bare(plan);
            let [one, other] = [0, twin.id].map(|id| {
                let request = crew.request(&crew.plan.orders[id]);
                crew.mock.send(request)
            });
            let (one, other) = tokio::join!(one, other);
            for (id, sent) in [(0, one), (twin.id, other)] {
                let outcome = crew.receive(&crew.plan.orders[id], sent).await;
                assert_eq!(outcome, Some(Outcome::Answered));
            }
            let complaints = crew.oracle.complaints();
            let is_heard = |of: &str| complaints.iter().any(|complaint| complaint.contains(of));
            assert_eq!(is_heard("2 at once at a, not 1"), is_noticed, "{act:?}");
            assert!(!is_heard("are still at"), "{act:?}: {complaints:?}");
        });
    }
}

/// The crew notices too: an answer is what its own order asked for, or nothing.
#[test]
fn an_answer_that_belongs_to_another_is_noticed() {
    paused().block_on(async {
        let crew = Crew::new(plain(), Pace::Clock);
        let [mine, other] = [2, 3].map(|id| crew.plan.orders[id]);
        let sent = crew.client.send(crew.request(&other)).await;
        assert_eq!(crew.receive(&mine, sent).await, None);
        complains(&crew.oracle, "order 2 has another one's answer");
    });
}
