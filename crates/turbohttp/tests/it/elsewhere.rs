//! Clients and limiters that are used from several places at once: runtimes that nobody drives, clients
//! inside clients, middlewares that several clients share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;
use turbohttp::{
    Client, ConcurrencyLimiter, ErrorKind, Limits, Middleware, Next, Request, Response, Result,
    Shutdown, Timeouts, Transport,
};

use crate::lab::Lab;
use crate::support::{TestClient, block_on, read};

const MS: Duration = Duration::from_millis(1);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// What `work` returns, on a thread of its own; a panic if it hangs.
fn in_time<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(work()));
    receive
        .recv_timeout(Duration::from_secs(30))
        .expect("hangs")
}

/// A limiter whose time is first kept in a runtime that is there and that nobody drives.
fn limiter_of_an_idle_runtime() -> (ConcurrencyLimiter, Runtime) {
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(1)).unwrap();
    let idle = runtime();
    idle.block_on(async {
        let later = Instant::now() + Duration::from_secs(3_600);
        limiter.pause("other", later.into_std()).unwrap();
        tokio::task::yield_now().await;
    });
    (limiter, idle)
}

/// A wait keeps its time in the runtime it is in, whoever else keeps time.
#[test]
fn a_wait_ends_in_time_beside_a_runtime_nobody_drives() {
    let (limiter, _idle) = limiter_of_an_idle_runtime();
    let _held = limiter.try_acquire("a").unwrap();
    let kind = in_time({
        let limiter = limiter.clone();
        move || runtime().block_on(async { limiter.acquire("a").within(20 * MS).await.map(drop) })
    });
    assert_eq!(kind.unwrap_err().kind(), ErrorKind::Timeout);
}

/// And so does a close.
#[test]
fn a_close_ends_in_time_beside_a_runtime_nobody_drives() {
    let (limiter, _idle) = limiter_of_an_idle_runtime();
    let held = limiter.try_acquire("a").unwrap();
    let closed = in_time({
        let limiter = limiter.clone();
        move || block_on(limiter.close(Shutdown::Drain { within: 20 * MS }))
    });
    assert_eq!((closed.accepted, closed.aborted), (1, 1));
    drop(held);
    assert!(limiter.audit().is_idle());
}

/// A grant to a task that nobody polls goes on to one who waits elsewhere.
#[test]
fn a_grant_in_a_runtime_nobody_drives_goes_on() {
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(1)).unwrap();
    let held = limiter.try_acquire("a").unwrap();
    let idle = runtime();
    idle.block_on(async {
        let limiter = limiter.clone();
        tokio::spawn(async move { limiter.acquire("a").await.map(drop) });
        tokio::task::yield_now().await;
    });
    drop(held);
    in_time(move || block_on(async { limiter.acquire("a").await.map(drop) })).unwrap();
}

/// A transport that sends through another client.
struct Via(Client);

impl Transport for Via {
    async fn send(&self, request: Request) -> Result<Response> {
        self.0.send(request).await
    }
}

/// Both clients' limits hold, with and without middlewares, and both permits are held to the end of the
/// body.
#[tokio::test(start_paused = true)]
async fn clients_inside_clients_keep_their_limits() {
    for (outer_limit, inner_limit, is_layered) in [
        (1, 8, true),
        (8, 1, true),
        (1, 8, false),
        (8, 1, false),
        (2, 2, true),
    ] {
        let lab = Lab::default();
        let build = |limit, transport: Client| {
            let limits = Limits::default().per_host(limit);
            let builder = Client::builder().limits(limits);
            match is_layered {
                true => builder.on_request(|_| ()).transport(Via(transport)).build(),
                false => builder.transport(Via(transport)).build(),
            }
        };
        let bottom = Client::builder().transport(lab.clone()).build().unwrap();
        let inner = build(inner_limit, bottom.clone()).unwrap();
        let outer = build(outer_limit, inner.clone()).unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let outer = outer.clone();
            tasks.spawn(async move {
                let mut response = outer.get("http://a/ms/10").send().await.unwrap();
                read(&mut response).await.unwrap();
            });
        }
        tasks.join_all().await;
        assert_eq!(lab.book().peak, outer_limit.min(inner_limit));
        let held = outer.get("http://a/").send().await.unwrap();
        for client in [&bottom, &inner, &outer] {
            assert_eq!(client.audit().scheduler.running, 1);
        }
        drop(held);
        for client in [&bottom, &inner, &outer] {
            assert!(client.audit().is_idle(), "{:?}", client.audit());
        }
    }
}

/// Keeps a copy of the first request it sees, and sends that in place of the second.
struct Mixup(Mutex<Option<Request>>);

impl Middleware for Mixup {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let kept = self.0.lock().unwrap().take();
        match kept {
            Some(kept) if request.url().ends_with("/kept") => next.run(kept).await,
            _ => {
                *self.0.lock().unwrap() = request.try_clone();
                next.run(request).await
            }
        }
    }
}

/// A request that came in at one client has no permit at another.
#[tokio::test(start_paused = true)]
async fn a_request_of_another_client_takes_nobodys_permit() {
    let shared = Arc::new(Mixup(Mutex::new(None)));
    let lab = Lab::default();
    let build = |lab: Lab| {
        let limits = Limits::default().per_host(1);
        let builder = Client::builder().limits(limits).with(shared.clone());
        TestClient::from(builder.transport(lab).build().unwrap())
    };
    let (first, second) = (build(Lab::default()), build(lab.clone()));
    drop(first.get("http://a/ms/10").send().await.unwrap());
    let running = tokio::spawn({
        let send = second.get("http://a/ms/1000").send();
        async move { drop(send.await.unwrap()) }
    });
    tokio::task::yield_now().await;
    *shared.0.lock().unwrap() =
        Some(Request::new(turbohttp::Method::GET, "http://a/ms/10").unwrap());
    drop(second.get("http://a/kept").send().await.unwrap());
    running.await.unwrap();
    assert_eq!(lab.book().peak, 1);
    drop(shared.0.lock().unwrap().take());
}

/// A wait that took too long is counted as expired, with a middleware and without, and by a limiter.
#[tokio::test(start_paused = true)]
async fn what_waited_too_long_is_counted_as_expired() {
    for is_layered in [false, true] {
        let builder = Client::builder()
            .limits(Limits::default().per_host(1))
            .timeouts(Timeouts::default().permit(10 * MS))
            .transport(Lab::default());
        let client = match is_layered {
            true => builder.on_request(|_| ()).build().unwrap(),
            false => builder.build().unwrap(),
        };
        let running = tokio::spawn(client.get("http://a/ms/100").send());
        tokio::task::yield_now().await;
        let error = client.get("http://a/").send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(client.stats().scheduler.ended.expired, 1, "{is_layered}");
        running.await.unwrap().unwrap();
    }
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(1)).unwrap();
    let _held = limiter.try_acquire("a").unwrap();
    limiter.acquire("a").within(MS).await.unwrap_err();
    assert_eq!(limiter.stats().ended.expired, 1);
}

/// A middleware whose drop panics, after it was closed.
struct Bomb(Arc<AtomicUsize>);

impl Middleware for Bomb {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        next.run(request).await
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("as asked");
    }
}

/// The end of a client is told although a component panics when it is dropped.
#[tokio::test]
async fn a_component_that_panics_when_dropped_does_not_hide_the_end() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let client = Client::builder()
        .with(Bomb(dropped.clone()))
        .transport(Lab::default());
    let client = client.build().unwrap();
    let limiter = client.limiter();
    let response = client.get("http://a/").send().await.unwrap();
    drop(client);
    drop(response);
    assert_eq!(limiter.close(Shutdown::Now).await.accepted, 1);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}
