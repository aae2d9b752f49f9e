//! The mock transport with nothing around it: what a client holds without a box.
//!
//! # Implementation
//!
//! A transport of a user's own, as the [`booth`](crate::booth) is one, sees a request come and go.
//! Here there is only the handler, which sees it come. So the call goes with the body of the reply:
//! a reply that is dropped in the mock ends it, and so does the caller that receives the answer. A queue
//! that reads bodies has released the permit before its ticket is polled; its calls end with their delay.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use turbohttp::{MockReply, MockTransport, Request};

use crate::booth::{self, Pace};
use crate::oracle::{Call, Oracle};
use crate::plan::{Act, HOSTS, Order, Plan, Route};

/// The oracle in the handler of a mock.
pub(crate) struct BareMock {
    plan: Arc<Plan>,
    oracle: Arc<Oracle>,
    /// By the number of the order: calls in the mock, and calls that have ended and were not removed yet.
    calls: Mutex<BTreeMap<usize, Weak<HeldCall>>>,
}

/// A request in the mock.
struct HeldCall {
    call: Mutex<Option<Call>>,
    end: Instant,
}

impl HeldCall {
    fn leave(&self) {
        if let Some(call) = self.call.lock().unwrap().take() {
            call.leave();
        }
    }
}

/// A body, and the call that ends with it.
struct Carrier {
    bytes: Vec<u8>,
    _held: Arc<HeldCall>,
}

impl AsRef<[u8]> for Carrier {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl BareMock {
    /// Returns the mock too, which the client is to hold.
    pub(crate) fn new(plan: &Arc<Plan>, oracle: &Arc<Oracle>) -> (Arc<BareMock>, MockTransport) {
        let bare = Arc::new(BareMock {
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
        let held = self.calls.lock().unwrap().remove(&id);
        if let Some(held) = held.and_then(|held| held.upgrade()) {
            held.leave();
        }
    }

    fn receive(&self, request: &Request) -> MockReply {
        let order = &self.plan.orders[booth::id_of(request)];
        self.remove_ended();
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
        let held = Arc::new(HeldCall {
            call: Mutex::new(Some(call)),
            end: Instant::now() + delay,
        });
        let mut calls = self.calls.lock().unwrap();
        calls.insert(order.id, Arc::downgrade(&held));
        let carrier = Carrier {
            bytes: order.body(),
            _held: held,
        };
        reply.body(Bytes::from_owner(carrier))
    }

    /// Ends the calls of collected answers whose time is up, and forgets those that are over.
    fn remove_ended(&self) {
        let now = Instant::now();
        self.calls.lock().unwrap().retain(|id, held| {
            let Some(held) = held.upgrade() else {
                return false;
            };
            let is_over = self.plan.orders[*id].route == Route::Queued && held.end <= now;
            if is_over {
                held.leave();
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
