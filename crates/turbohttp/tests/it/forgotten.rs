//! What is forgotten, by `mem::forget` or by a caller who never looks again, and what must not be
//! kept in mind when it is over.

use std::mem::forget;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;
use turbohttp::{
    Client, ConcurrencyLimiter, Limits, QueueOptions, Request, RequestQueue, Response, Result,
    Shutdown, StatusCode, Transport,
};

use crate::lab::Lab;

const SECOND: Duration = Duration::from_secs(1);

/// For the last task, which needs a few on the one thread there is.
const FAREWELL_TURNS: u64 = 1_000_000;

/// Polls once, and says whether that was enough.
fn poll_once(future: impl Future) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(future).poll(&mut cx).is_ready()
}

fn client(limits: Limits) -> Client {
    let builder = Client::builder().limits(limits);
    builder.transport(Lab::default()).build().unwrap()
}

/// A forgotten response costs its permit and its context, and nobody else anything; a close with
/// a time still ends, and tells of it.
#[tokio::test(start_paused = true)]
async fn a_forgotten_response_costs_its_own_permit() {
    let client = client(Limits::default().per_host(2));
    forget(client.get("http://a/").send().await.unwrap());
    for _ in 0..10 {
        client.get("http://a/").send().await.unwrap();
    }
    let audit = client.audit();
    assert_eq!((audit.scheduler.running, audit.contexts), (1, 1));
    let before = Instant::now();
    let closed = client.close(Shutdown::Drain { within: SECOND }).await;
    assert_eq!(before.elapsed(), SECOND);
    assert_eq!((closed.accepted, closed.aborted), (1, 1), "{closed}");
}

/// A hundred forgotten contexts are lost, and no more.
#[tokio::test]
async fn forgotten_requests_are_lost_alone() {
    let client = client(Limits::default());
    for _ in 0..100 {
        forget(client.get("http://a/").build().unwrap());
        client.get("http://a/").send().await.unwrap();
    }
    let contexts = client.stats().contexts;
    assert_eq!((contexts.outstanding, contexts.made), (100, 101));
    assert_eq!(client.close(Shutdown::default()).await.accepted, 0);
}

/// A future that was polled and forgotten keeps its place in line and holds up nobody: a grant
/// it does not take up goes on.
#[tokio::test(start_paused = true)]
async fn a_forgotten_wait_holds_up_nobody() {
    let client = client(Limits::default().per_host(1));
    let held = client.get("http://a/").send().await.unwrap();
    let mut waiting = Box::pin(client.get("http://a/").send());
    assert!(!poll_once(waiting.as_mut()));
    forget(waiting);
    drop(held);
    for _ in 0..3 {
        client.get("http://a/").send().await.unwrap();
    }
    let closed = client
        .close(Shutdown::CancelPending { within: SECOND })
        .await;
    assert_eq!(closed.accepted, 1, "{closed}");
}

/// A forgotten ticket is a detached one; a forgotten permit is one permit less.
#[tokio::test(start_paused = true)]
async fn forgotten_tickets_and_permits_end_with_a_close() {
    let client = client(Limits::default().per_host(1));
    let queue = RequestQueue::new(&client, QueueOptions::default()).unwrap();
    queue.start().unwrap();
    let request = Request::new(turbohttp::Method::GET, "http://a/never").unwrap();
    forget(queue.try_submit(request).unwrap());
    tokio::task::yield_now().await;
    let stopped = queue.stop(Shutdown::Drain { within: SECOND }).await;
    assert_eq!((stopped.accepted, stopped.aborted), (1, 1), "{stopped}");

    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(2)).unwrap();
    forget(limiter.try_acquire("a").unwrap());
    drop(limiter.try_acquire("a").unwrap());
    let closed = limiter.close(Shutdown::Drain { within: SECOND }).await;
    assert_eq!((closed.accepted, closed.aborted), (1, 1), "{closed}");
}

/// Deadlines of waits that were given up are not kept.
#[tokio::test(start_paused = true)]
async fn two_hundred_thousand_deadlines_leave_nothing() {
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(1)).unwrap();
    let held = limiter.try_acquire("a").unwrap();
    for _ in 0..200_000 {
        assert!(!poll_once(limiter.acquire("a").within(3_600 * SECOND)));
    }
    let audit = limiter.audit();
    assert_eq!((audit.deadlines, audit.waiting), (0, 0));
    drop(held);
    assert!(limiter.audit().is_idle());
    // Only a janitor may be left, and it goes with its limiter.
    drop(limiter);
    let metrics = tokio::runtime::Handle::current().metrics();
    for _ in 0..FAREWELL_TURNS {
        if metrics.num_alive_tasks() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    let left = metrics.num_alive_tasks();
    assert_eq!(left, 0, "{left} tasks are left");
}

/// Answers, and is owned.
struct Owned(#[expect(dead_code, reason = "held")] Arc<()>);

impl Transport for Owned {
    async fn send(&self, request: Request) -> Result<Response> {
        Ok(request.respond(StatusCode::OK, "held"))
    }
}

/// What a client owns is freed when nobody can need it any more, and not before.
#[tokio::test]
async fn what_a_client_owns_goes_with_the_last_who_needs_it() {
    let owned = Arc::new(());
    let weak: Weak<()> = Arc::downgrade(&owned);
    let client = Client::builder().transport(Owned(owned)).build().unwrap();
    let (clone, limiter) = (client.clone(), client.limiter());
    let response = client.get("http://a/").send().await.unwrap();
    client.close_now();
    drop(client);
    assert!(
        weak.upgrade().is_some(),
        "a clone may still ask for its report"
    );
    drop(clone);
    drop((response, limiter));
    assert!(weak.upgrade().is_none(), "somebody holds it for ever");
}
