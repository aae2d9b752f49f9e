//! The mock transport with nothing around it: what a client holds without a box.
//!
//! # Implementation
//!
//! A transport of a user's own, as the [`booth`](crate::booth) is one, sees a request come and go.
//! Here there is only the handler, which sees it come. So the call goes with the body of the reply:
//! a reply that is dropped in the mock ends it, and so does its own caller who has the answer. A queue
//! that collects has given the permit back before its caller looks; its calls end with their delay.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use turbohttp::{MockReply, MockTransport, Request};

use crate::booth::{self, Pace};
use crate::oracle::{Call, Oracle};
use crate::plan::{Act, HOSTS, Order, Plan, Way};

/// The oracle in the handler of a mock.
pub(crate) struct BareCalls {
    plan: Arc<Plan>,
    oracle: Arc<Oracle>,
    /// By the number of the order: who is in the mock, or was and has not been missed yet.
    calls: Mutex<BTreeMap<usize, Weak<OpenCall>>>,
}

/// A request in the mock.
struct OpenCall {
    call: Mutex<Option<Call>>,
    end: Instant,
}

impl OpenCall {
    fn leave(&self) {
        if let Some(call) = self.call.lock().unwrap().take() {
            call.leave();
        }
    }
}

/// A body, and the call that ends with it.
struct Carrier {
    bytes: Vec<u8>,
    _call: Arc<OpenCall>,
}

impl AsRef<[u8]> for Carrier {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl BareCalls {
    /// Returns the mock too, which the client is to hold.
    pub(crate) fn new(plan: &Arc<Plan>, oracle: &Arc<Oracle>) -> (Arc<BareCalls>, MockTransport) {
        let bare = Arc::new(BareCalls {
            plan: plan.clone(),
            oracle: oracle.clone(),
            calls: Mutex::default(),
        });
        let this = bare.clone();
        let mock = MockTransport::with_handler(move |request| this.receive(request));
        (bare, mock)
    }

    /// The caller of this order has its answer.
    pub(crate) fn is_answered(&self, id: usize) {
        let open_call = self.calls.lock().unwrap().remove(&id);
        if let Some(open_call) = open_call.and_then(|open_call| open_call.upgrade()) {
            open_call.leave();
        }
    }

    fn receive(&self, request: &Request) -> MockReply {
        let order = &self.plan.orders[booth::id_of(request)];
        self.see_off();
        let call = self.oracle.enter(order.id);
        let host = request.origin().host();
        if host != HOSTS[order.host].0 {
            let complaint = format!("order {} came to {host}", order.id);
            self.oracle.complain(complaint);
        }
        let delay = delay(order);
        let reply = booth::reply(order, order.act == Act::FailOnce, Pace::Clock);
        if delay.is_zero() {
            call.leave();
            return reply;
        }
        let open_call = Arc::new(OpenCall {
            call: Mutex::new(Some(call)),
            end: Instant::now() + delay,
        });
        let mut calls = self.calls.lock().unwrap();
        calls.insert(order.id, Arc::downgrade(&open_call));
        let carrier = Carrier {
            bytes: order.body(),
            _call: open_call,
        };
        reply.body(Bytes::from_owner(carrier))
    }

    /// Ends the calls of collected answers whose time is up, and forgets those that are over.
    fn see_off(&self) {
        let now = Instant::now();
        self.calls.lock().unwrap().retain(|id, open_call| {
            let Some(open_call) = open_call.upgrade() else {
                return false;
            };
            let is_over = self.plan.orders[*id].way == Way::Queued && open_call.end <= now;
            if is_over {
                open_call.leave();
            }
            !is_over
        });
    }
}

/// How long the mock keeps an order, as [`booth::reply`] tells it.
fn delay(order: &Order) -> Duration {
    Duration::from_millis(match order.act {
        Act::Slow(steps) | Act::FailLate(steps) => steps,
        Act::FailOnce => 1,
        Act::Never => booth::NEVER_STEPS,
        Act::Answer | Act::Fail | Act::Panic | Act::PanicAbove => 0,
    })
}
