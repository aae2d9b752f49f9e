//! The other side: the mock transport with the oracle at its door, and the middlewares before it.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use turbohttp::{
    Error, ErrorKind, Middleware, MockReply, MockTransport, Next, Request, Response, Result,
    StatusCode, Transport,
};

use crate::ON_PURPOSE;
use crate::oracle::Oracle;
use crate::plan::{Act, HOSTS, Order, Plan};

/// The field that names the order, on the route down and on the route up.
pub(crate) const ID: &str = "x-id";

/// The field that marks the attempt that is to fail.
const FAILS: &str = "x-fails";

/// How a step of waiting is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A millisecond of a paused clock.
    Clock,
    /// A turn of the runtime: on several threads no clock can be paused.
    Turns,
}

/// Turns for one step of work: far more than it takes to pick up a permit, so that a task that has one is
/// at work most of the time.
const WORK_TURNS: u64 = 16;

/// How long the first ones wait for the house to be full; far longer than it takes.
const GATHERING_TURNS: u64 = 100_000;

/// Longer than the patience of any caller.
pub(crate) const NEVER_STEPS: u64 = 1_000_000;

/// Steps of patience for one turn: storms of turns are short.
const PATIENCE_STEPS: u64 = 8;

impl Pace {
    /// What takes time while it holds a permit.
    pub(crate) async fn work(self, steps: u64) {
        self.wait(steps, steps * WORK_TURNS).await;
    }

    /// How long a caller waits before it changes its mind.
    pub(crate) async fn patience(self, steps: u64) {
        self.wait(steps, steps / PATIENCE_STEPS).await;
    }

    async fn wait(self, ms: u64, turns: u64) {
        match self {
            Pace::Clock => tokio::time::sleep(Duration::from_millis(ms)).await,
            Pace::Turns => {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

/// The mock transport, watched.
pub(crate) struct Booth {
    plan: Arc<Plan>,
    oracle: Arc<Oracle>,
    pace: Pace,
    mock: MockTransport,
}

impl Booth {
    /// Returns the mock too, whose own counts are compared with the oracle's.
    pub(crate) fn new(
        plan: &Arc<Plan>,
        oracle: &Arc<Oracle>,
        pace: Pace,
    ) -> (Booth, MockTransport) {
        let orders = plan.clone();
        let mock = MockTransport::with_handler(move |request| {
            let order = &orders.orders[id_of(request)];
            reply(order, request.headers().contains_key(FAILS), pace)
        });
        let booth = Booth {
            plan: plan.clone(),
            oracle: oracle.clone(),
            pace,
            mock: mock.clone(),
        };
        (booth, mock)
    }
}

impl Transport for Booth {
    async fn send(&self, mut request: Request) -> Result<Response> {
        let id = id_of(&request);
        let order = &self.plan.orders[id];
        let call = self.oracle.enter(id);
        let host = request.origin().host();
        if host != HOSTS[order.host].0 {
            self.oracle.complain(format!("order {id} came to {host}"));
        }
        if order.act == Act::FailOnce && call.attempt == 1 {
            request = marked(request);
        }
        if self.pace == Pace::Clock {
            let answer = self.mock.send(request).await;
            call.leave();
            return answer;
        }
        // The mock waits by the clock only. Behind middlewares the permit goes with the request, which a
        // mock that fails drops: the call must have left the oracle by then, which another thread reads.
        self.take_turns(order).await;
        call.leave();
        self.mock.send(request).await
    }

    fn close(&self) -> Result<()> {
        self.mock.close()
    }
}

impl Booth {
    async fn take_turns(&self, order: &Order) {
        // Threads that are slow to start must not make the storm look mild.
        for _ in 0..GATHERING_TURNS {
            if self.oracle.has_been_full(order.host) {
                break;
            }
            tokio::task::yield_now().await;
        }
        match order.act {
            Act::Slow(steps) | Act::FailLate(steps) => self.pace.work(steps).await,
            Act::FailOnce => self.pace.work(1).await,
            Act::Never => pending().await,
            _ => {}
        }
    }
}

/// Marks the attempt that is to fail.
fn marked(mut request: Request) -> Request {
    let one = turbohttp::HeaderValue::from_static("1");
    request.headers_mut().insert(FAILS, one);
    request
}

pub(crate) fn id_of(request: &Request) -> usize {
    let id = request.headers().get(ID).unwrap().to_str().unwrap();
    id.parse().unwrap()
}

/// What the mock says to an order; `fails` where this attempt of it is to fail.
pub(crate) fn reply(order: &Order, fails: bool, pace: Pace) -> MockReply {
    let delay = |steps| match pace {
        Pace::Clock => Duration::from_millis(steps),
        Pace::Turns => Duration::ZERO,
    };
    let failure = MockReply::failure(ErrorKind::Transport, ON_PURPOSE);
    let answer = || {
        let reply = MockReply::new(StatusCode::OK).header(ID, order.id.to_string());
        // Streamed, as an unread answer is to hold its permit.
        reply.body(order.body()).streamed()
    };
    match order.act {
        _ if fails => failure.delay(delay(1)),
        Act::Fail => failure,
        Act::FailLate(steps) => failure.delay(delay(steps)),
        Act::Panic => panic!("as asked"),
        Act::Slow(steps) => answer().delay(delay(steps)),
        Act::Never => answer().delay(delay(NEVER_STEPS)),
        Act::Answer | Act::FailOnce | Act::PanicAbove => answer(),
    }
}

/// Checks on the route up that the answer belongs to the request, and panics where that is planned.
pub(crate) struct Inspector {
    pub(crate) plan: Arc<Plan>,
    pub(crate) oracle: Arc<Oracle>,
}

impl Middleware for Inspector {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let id = id_of(&request);
        if self.plan.orders[id].act == Act::PanicAbove {
            panic!("as asked");
        }
        let response = next.run(request).await?;
        if response.header(ID) != Some(&id.to_string()) {
            let other = response.header(ID).unwrap_or("none").to_owned();
            self.oracle
                .complain(format!("order {id} was answered with that of {other}"));
        }
        Ok(response)
    }
}

/// Tries once more where that is planned, after a pause that holds no permit.
pub(crate) struct Again {
    pub(crate) plan: Arc<Plan>,
    pub(crate) pace: Pace,
}

impl Middleware for Again {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let is_planned = self.plan.orders[id_of(&request)].act == Act::FailOnce;
        if !is_planned {
            return next.run(request).await;
        }
        let second = request.try_clone().unwrap();
        let error: Error = match next.run(request).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::Transport {
            return Err(error);
        }
        self.pace.work(3).await;
        next.run(second).await
    }
}
