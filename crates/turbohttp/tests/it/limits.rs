//! Who may send when: limits, order, pauses, waits by reason, and permits to the end of the body.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use turbohttp::{
    Client, ConcurrencyLimiter, Error, ErrorKind, Limits, Middleware, Next, Phase, Priority,
    Request, Response, Result, Shutdown, Timeouts, Transport,
};
use turbohttp_loopback::{Options, Server};

use crate::lab::Lab;
use crate::support::{TestClient, poll_times, read, soon};

const MS: Duration = Duration::from_millis(1);

fn lab(limits: Limits) -> (TestClient, Lab) {
    let lab = Lab::default();
    let client = Client::builder().limits(limits).transport(lab.clone());
    (TestClient::from(client.build().unwrap()), lab)
}

/// Sends and reads to the end.
async fn fetch(client: Client, url: String) -> Result<Response> {
    let mut response = client.get(&url).send().await?;
    read(&mut response).await?;
    Ok(response)
}

/// Polls once; the future must not be ready.
pub(crate) fn poll_pending<F: Future + Unpin>(future: &mut F) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(future).poll(&mut cx).is_pending());
}

/// With more demand than permits, the peak that the transport sees is each limit exactly.
#[tokio::test(start_paused = true)]
async fn peaks_equal_the_limits() {
    for (total, peak) in [(256, 10), (10, 10), (7, 7)] {
        peak_equals(total, peak).await;
    }
}

async fn peak_equals(total: usize, peak: usize) {
    let (client, lab) = lab(Limits::default().per_host(3).total(total));
    let origin = turbohttp::Origin::new(turbohttp::Scheme::Http, "small", 80);
    client
        .limiter()
        .set_limit(origin.as_str(), Some(1))
        .unwrap();
    let mut tasks = JoinSet::new();
    for index in 0..120 {
        let host = ["a", "b", "c", "small"][index % 4];
        tasks.spawn(fetch(client.clone(), format!("http://{host}/ms/10")));
    }
    while let Some(fetched) = tasks.join_next().await {
        fetched.unwrap().unwrap();
    }
    let book = lab.book();
    assert_eq!((book.entered, book.peak), (120, peak));
    let peaks: Vec<_> = book
        .hosts
        .iter()
        .map(|(host, counts)| (host.as_str(), counts.peak))
        .collect();
    if peak == 7 {
        // Those who came first hold the total between them.
        return;
    }
    assert_eq!(peaks, [("a", 3), ("b", 3), ("c", 3), ("small", 1)]);
}

/// The waiters of a host that never answers hold nothing of what others need.
#[tokio::test(start_paused = true)]
async fn a_dead_host_holds_up_itself_only() {
    let (client, lab) = lab(Limits::default().per_host(6).total(8));
    let mut dead = JoinSet::new();
    for _ in 0..1_000 {
        dead.spawn(fetch(client.clone(), "http://dead/never".to_owned()));
    }
    tokio::task::yield_now().await;
    let before = Instant::now();
    let mut healthy = JoinSet::new();
    for _ in 0..100 {
        healthy.spawn(fetch(client.clone(), "http://alive/ms/10".to_owned()));
    }
    while let Some(fetched) = healthy.join_next().await {
        fetched.unwrap().unwrap();
    }
    // Two permits are left of eight: exactly the time that two at once take.
    assert_eq!(before.elapsed(), 50 * 10 * MS);
    assert_eq!(lab.book().hosts["dead"].peak, 6);
    dead.shutdown().await;
}

/// One permit, everybody in line: the order is priority, then arrival.
#[tokio::test(start_paused = true)]
async fn the_urgent_go_first_and_equals_in_order() {
    let (client, lab) = lab(Limits::default().per_host(1).total(1));
    let mut tasks = JoinSet::new();
    let first = tokio::spawn(fetch(client.clone(), "http://a/ms/1".to_owned()));
    tokio::task::yield_now().await;
    for index in 0..400 {
        let priority = Priority::ALL[index % Priority::COUNT];
        let client = client.clone();
        tasks.spawn(async move {
            let url = format!("http://a/{}/{index:03}", priority.index());
            let mut response = client.get(&url).priority(priority).send().await.unwrap();
            read(&mut response).await.unwrap();
        });
    }
    first.await.unwrap().unwrap();
    tasks.join_all().await;
    let order = lab.book().order;
    assert!(order[1..].is_sorted(), "{order:?}");
}

/// The permit is held until the body has ended or is dropped, and a response that is kept after
/// its body holds up nothing.
#[tokio::test]
async fn the_permit_is_held_to_the_end_of_the_body() {
    let server = Server::start(Options::default()).unwrap();
    let url = server.url("/bytes/300000");
    let limits = Limits::default().per_host(1);
    holds_to_the_end(Client::builder().limits(limits).build(), &url).await;
    // Below a middleware each attempt has a permit of its own.
    let layered = Client::builder().limits(limits).with(Retry { pause: MS });
    holds_to_the_end(layered.build(), &url).await;
}

async fn holds_to_the_end(client: Result<Client>, url: &str) {
    let client = TestClient::from(client.unwrap());
    let mut first = client.get(url).send().await.unwrap();
    let mut second = Box::pin(client.get(url).send());
    poll_pending(&mut second);
    let audit = client.client_audit().scheduler;
    assert_eq!((audit.running, audit.waiting), (1, 1));
    read(&mut first).await.unwrap();
    let second = soon(second).await.unwrap();
    // Dropped unread.
    drop(second);
    let mut third = soon(client.get(url).send()).await.unwrap();
    read(&mut third).await.unwrap();
    assert_eq!(client.client_audit().scheduler.running, 0);
    drop((first, third));
}

/// A send that was refused is over: it holds nothing, however long its future is kept.
#[tokio::test(start_paused = true)]
async fn a_refused_send_holds_nothing() {
    let limits = Limits::default().per_host(1).waiting(1);
    let (client, lab) = lab(limits.waiting_per_host(1));
    let mut first = Box::pin(client.get("http://a/ms/10").send());
    let mut second = Box::pin(client.get("http://a/ms/10").send());
    poll_pending(&mut first);
    poll_pending(&mut second);
    let mut third = Box::pin(client.send(client.get("http://a/ms/10").build().unwrap()));
    let mut cx = Context::from_waker(Waker::noop());
    let refused = pin!(&mut third).poll(&mut cx);
    let kind = match refused {
        Poll::Ready(Err(error)) => error.kind(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind, ErrorKind::Full);
    assert_eq!(client.stats().requests, 2, "its context is back");
    // It would have room now; and would panic, were it asked again.
    drop((first, second));
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut cx = Context::from_waker(Waker::noop());
        pin!(&mut third).poll(&mut cx).is_ready()
    }));
    assert!(again.is_err());
    assert_eq!(lab.book().entered, 1, "the first alone was sent");
}

/// A transport that lets go of its request at once, and works on until it fails.
struct Careless;

impl Transport for Careless {
    async fn send(&self, request: Request) -> Result<Response> {
        drop(request);
        tokio::time::sleep(MS).await;
        Err(Error::new(ErrorKind::Transport, "nothing came of it"))
    }
}

/// Hands on what it is given.
struct Through;

impl Middleware for Through {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        next.run(request).await
    }
}

/// The work is over when the transport is, whatever it does with the request.
#[tokio::test(start_paused = true)]
async fn the_permit_is_held_while_the_transport_works() {
    let limits = Limits::default().per_host(1);
    let bare = Client::builder().limits(limits).transport(Careless).build();
    let layered = Client::builder().limits(limits).with(Through);
    for client in [bare, layered.transport(Careless).build()] {
        let client = TestClient::from(client.unwrap());
        let mut first = Box::pin(client.get("http://a/").send());
        poll_pending(&mut first);
        assert_eq!(client.client_audit().scheduler.running, 1);
        assert!(first.await.is_err());
        assert_eq!(client.client_audit().scheduler.running, 0);
    }
}

/// A wait is in the timeline by what caused it, to the nanosecond of the clock, and only if there
/// was one; the spans add up.
#[tokio::test(start_paused = true)]
async fn waits_are_told_apart() {
    let (client, _lab) = lab(Limits::default().per_host(1).total(2));
    let at_once = fetch(client.clone(), "http://a/ms/250".to_owned());
    let behind = fetch(client.clone(), "http://a/ms/100".to_owned());
    let (first, second) = tokio::join!(at_once, behind);
    let (first, second) = (first.unwrap(), second.unwrap());
    let waits = [
        Phase::Pause,
        Phase::HostPermit,
        Phase::TotalPermit,
        Phase::Queue,
    ];
    assert!(
        first
            .timeline()
            .spans()
            .all(|span| !waits.contains(&span.phase))
    );
    assert_eq!(second.timeline().duration(Phase::HostPermit), 250 * MS);
    assert_eq!(
        second.timeline().duration(Phase::TotalPermit),
        Duration::ZERO
    );

    // Two others hold the total; then the host is paused as well.
    let others =
        ["b", "c"].map(|host| tokio::spawn(fetch(client.clone(), format!("http://{host}/ms/70"))));
    tokio::task::yield_now().await;
    let limiter = client.limiter();
    limiter
        .pause("http://a", Instant::now().into_std() + 30 * MS)
        .unwrap();
    let third = fetch(client.clone(), "http://a/ms/1".to_owned())
        .await
        .unwrap();
    assert_eq!(third.timeline().duration(Phase::Pause), 30 * MS);
    assert_eq!(third.timeline().duration(Phase::TotalPermit), 40 * MS);
    assert_eq!(third.timeline().duration(Phase::HostPermit), Duration::ZERO);
    for other in others {
        other.await.unwrap().unwrap();
    }
}

/// A limit on the wait alone: the error says where the time went, and the place in line is free.
#[tokio::test(start_paused = true)]
async fn a_wait_has_a_time_of_its_own() {
    let lab = Lab::default();
    let client = Client::builder()
        .limits(Limits::default().per_host(1))
        .timeouts(Timeouts::default().permit(50 * MS))
        .transport(lab.clone());
    let client = TestClient::from(client.build().unwrap());
    let slow = tokio::spawn(fetch(client.clone(), "http://a/ms/200".to_owned()));
    tokio::task::yield_now().await;
    let before = Instant::now();
    let error = fetch(client.clone(), "http://a/".to_owned())
        .await
        .unwrap_err();
    assert_eq!(before.elapsed(), 50 * MS);
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::HostPermit))
    );
    assert_eq!(
        error.timeline().unwrap().duration(Phase::HostPermit),
        50 * MS
    );
    assert_eq!(lab.book().entered, 1);
    slow.await.unwrap().unwrap();
}

/// The time of a request bounds its wait too.
#[tokio::test(start_paused = true)]
async fn the_time_of_a_request_includes_its_wait() {
    let (client, _lab) = lab(Limits::default().per_host(1));
    let slow = tokio::spawn(fetch(client.clone(), "http://a/ms/200".to_owned()));
    tokio::task::yield_now().await;
    let error = client
        .get("http://a/")
        .timeout(20 * MS)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    slow.await.unwrap().unwrap();
}

/// Beyond the bounds of waiting a request is refused, and the error names the bound.
#[tokio::test(start_paused = true)]
async fn too_many_waiters_are_refused() {
    let limits = Limits::default().per_host(1).waiting(4).waiting_per_host(2);
    let (client, _lab) = lab(limits);
    let mut tasks = JoinSet::new();
    for host in ["a", "a", "a", "b", "b"] {
        tasks.spawn(fetch(client.clone(), format!("http://{host}/ms/10")));
    }
    tokio::task::yield_now().await;
    let refused = fetch(client.clone(), "http://a/".to_owned())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Full);
    assert!(
        refused
            .to_string()
            .contains("2 requests wait for this host"),
        "{refused}"
    );
    tasks.spawn(fetch(client.clone(), "http://b/ms/10".to_owned()));
    tokio::task::yield_now().await;
    let refused = fetch(client.clone(), "http://b/".to_owned())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("4 requests wait already"),
        "{refused}"
    );
    while let Some(fetched) = tasks.join_next().await {
        fetched.unwrap().unwrap();
    }
}

/// A failing and a panicking transport give their permits back.
#[tokio::test(start_paused = true)]
async fn failures_and_panics_give_permits_back() {
    let (client, lab) = lab(Limits::default().per_host(1));
    for _ in 0..100 {
        assert!(
            fetch(client.clone(), "http://a/fail".to_owned())
                .await
                .is_err()
        );
        let panicking = tokio::spawn(fetch(client.clone(), "http://a/panic".to_owned()));
        assert!(panicking.await.unwrap_err().is_panic());
        let aborted = tokio::spawn(fetch(client.clone(), "http://a/never".to_owned()));
        tokio::task::yield_now().await;
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        fetch(client.clone(), "http://a/".to_owned()).await.unwrap();
    }
    assert_eq!(lab.book().entered, 400);
}

async fn panics() {
    panic!("as asked");
}

/// Work behind a limiter that panics, or is dropped on the way, gives its permit back.
#[tokio::test(start_paused = true)]
async fn work_that_panics_or_is_dropped_gives_its_permit_back() {
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(1)).unwrap();
    for _ in 0..100 {
        let cloned = limiter.clone();
        let panicking = tokio::spawn(async move { cloned.execute("a", panics()).await });
        assert!(panicking.await.unwrap_err().is_panic());
        drop(limiter.try_acquire("a").unwrap());
        let endless = limiter.execute("a", std::future::pending::<()>());
        assert!(poll_times(endless, 1).await.is_none());
        drop(limiter.try_acquire("a").unwrap());
    }
    assert!(limiter.audit().is_idle(), "{:?}", limiter.audit());
}

/// Ways of writing one origin are one lane.
#[tokio::test(start_paused = true)]
async fn spellings_of_one_origin_are_one_lane() {
    let (client, _lab) = lab(Limits::default());
    let urls = [
        "HTTP://Example.COM:80/never",
        "http://example.com/never",
        "http://example.com./never",
        "http://user:secret@example.com/never#y",
    ];
    let mut sends: Vec<_> = urls.map(|url| Box::pin(client.get(url).send())).into();
    sends.iter_mut().for_each(poll_pending);
    let lanes: Vec<_> = client.client_audit().scheduler.busy;
    assert_eq!(lanes.len(), 1, "{lanes:?}");
    assert_eq!(
        (lanes[0].origin.as_str(), lanes[0].running),
        ("http://example.com", 4)
    );
}

/// Tries again after a pause of its own, as a middleware for retries would.
struct Retry {
    pause: Duration,
}

impl Middleware for Retry {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let again = request.try_clone();
        match next.run(request).await {
            Err(error) if error.kind() == ErrorKind::Transport => {
                tokio::time::sleep(self.pause).await;
                let mut again = again.unwrap();
                again.set_url("http://a/again")?;
                next.run(again).await
            }
            answer => answer,
        }
    }
}

/// A pause between two attempts holds no permit, and the second attempt is admitted with the age
/// of the first.
#[tokio::test(start_paused = true)]
async fn a_further_attempt_is_admitted_anew_with_its_age() {
    let lab = Lab::default();
    let pause = 10_000 * MS;
    let client = Client::builder()
        .limits(Limits::default().per_host(1))
        .with(Retry { pause })
        .transport(lab.clone());
    let client = TestClient::from(client.build().unwrap());
    let retrying = tokio::spawn(fetch(client.clone(), "http://a/fail".to_owned()));
    tokio::task::yield_now().await;
    let before = Instant::now();
    fetch(client.clone(), "http://a/second".to_owned())
        .await
        .unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    // When the pause is over, one runs and younger ones wait.
    let long = tokio::spawn(fetch(client.clone(), "http://a/ms/20000".to_owned()));
    tokio::task::yield_now().await;
    let younger = tokio::spawn(fetch(client.clone(), "http://a/younger".to_owned()));
    retrying.await.unwrap().unwrap();
    younger.await.unwrap().unwrap();
    long.await.unwrap().unwrap();
    let order = lab.book().order;
    assert_eq!(
        order,
        ["/fail", "/second", "/ms/20000", "/again", "/younger"]
    );
}

/// Follows to the other host, as a middleware for redirects would.
struct Follow;

impl Middleware for Follow {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let mut second = request.try_clone().unwrap();
        let other = if request.origin().host() == "a" {
            "b"
        } else {
            "a"
        };
        let first = next.run(request).await?;
        drop(first);
        second.set_url(format!("http://{other}/ms/1"))?;
        next.run(second).await
    }
}

/// From a to b and from b to a with one permit each: nobody ever holds two.
#[tokio::test(start_paused = true)]
async fn crossing_redirects_do_not_lock_each_other_out() {
    let lab = Lab::default();
    let client = Client::builder()
        .limits(Limits::default().per_host(1))
        .with(Follow)
        .transport(lab.clone());
    let client = TestClient::from(client.build().unwrap());
    let mut tasks = JoinSet::new();
    for index in 0..200 {
        let host = ["a", "b"][index % 2];
        tasks.spawn(fetch(client.clone(), format!("http://{host}/ms/1")));
    }
    while let Some(fetched) = tasks.join_next().await {
        fetched.unwrap().unwrap();
    }
    let book = lab.book();
    assert_eq!(
        (book.entered, book.hosts["a"].peak, book.hosts["b"].peak),
        (400, 1, 1)
    );
}

/// A request whose task does not poll it when its turn comes holds up nobody behind it.
#[tokio::test(start_paused = true)]
async fn a_grant_nobody_takes_up_goes_to_the_next() {
    let (client, _lab) = lab(Limits::default().per_host(1));
    let running = tokio::spawn(fetch(client.clone(), "http://a/ms/10".to_owned()));
    tokio::task::yield_now().await;
    let mut unpolled = Box::pin(client.get("http://a/").send());
    poll_pending(&mut unpolled);
    let behind = fetch(client.clone(), "http://a/".to_owned());
    tokio::time::timeout(500 * MS, behind)
        .await
        .unwrap()
        .unwrap();
    running.await.unwrap().unwrap();
    let stats = client.limiter().stats();
    assert_eq!(stats.grants_parked, 1);
    // It kept its place.
    unpolled.await.unwrap();
}

/// A limiter's `acquire` dropped at every poll, before, at and after its turn.
#[tokio::test(start_paused = true)]
async fn acquire_may_be_dropped_at_every_poll() {
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(1)).unwrap();
    for polls in 0..4 {
        let first = limiter.acquire("a").await.unwrap();
        let waiting = limiter.acquire("a");
        let dropped = async {
            let permit = poll_times(waiting, polls).await;
            drop(permit);
        };
        let release = async {
            tokio::time::sleep(MS).await;
            drop(first);
        };
        tokio::join!(dropped, release);
        assert!(
            limiter.audit().is_idle(),
            "{polls} polls: {:?}",
            limiter.audit()
        );
        drop(limiter.try_acquire("a").unwrap());
    }
}

/// The limiter alone: exact peak, priorities, times, pauses, limits that change.
#[tokio::test(start_paused = true)]
async fn the_limiter_works_alone() {
    let limits = Limits::default().per_host(4).total(6);
    let limiter = ConcurrencyLimiter::new(&limits).unwrap();
    let inside = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let mut tasks = JoinSet::new();
    for index in 0..60 {
        let (limiter, inside) = (limiter.clone(), inside.clone());
        tasks.spawn(async move {
            let work = async {
                let count = inside[0].fetch_add(1, Ordering::SeqCst) + 1;
                inside[1].fetch_max(count, Ordering::SeqCst);
                tokio::time::sleep(MS).await;
                inside[0].fetch_sub(1, Ordering::SeqCst);
            };
            limiter.execute(["a", "b"][index % 2], work).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(inside[1].load(Ordering::SeqCst), 6);

    limiter.set_limit("a", Some(1)).unwrap();
    let held = limiter.acquire("a").await.unwrap();
    assert_eq!(
        limiter.try_acquire("a").unwrap_err().kind(),
        ErrorKind::Busy
    );
    let error = limiter.acquire("a").within(5 * MS).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    drop(held);
    let until = Instant::now() + 7 * MS;
    limiter.pause("a", until.into_std()).unwrap();
    let permit = limiter.acquire("a").priority(Priority::Low).await.unwrap();
    assert_eq!(Instant::now(), until);
    drop(permit);
    for wrong in [0, usize::MAX] {
        let error = limiter.set_limit("a", Some(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    let report = limiter.close(Shutdown::default()).await;
    assert_eq!(report.accepted, 0);
    assert_eq!(
        limiter.acquire("a").await.unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert!(limiter.audit().is_idle());
}

/// Limits that cannot be are refused when the client is built, by name.
#[test]
fn impossible_limits_are_refused_by_name() {
    let cases = [
        (
            Limits::default().per_host(0),
            "limits.per_host must be 1..=1048576 (got 0)",
        ),
        (
            Limits::default().total(usize::MAX),
            "limits.total must be 1..=1048576",
        ),
        (Limits::default().waiting(0), "limits.waiting must be"),
        (
            Limits::default().waiting_per_host(0),
            "limits.waiting_per_host must be",
        ),
        (Limits::default().idle_hosts(0), "limits.idle_hosts must be"),
        (
            Limits::default()
                .per_host(2)
                .reserve(Priority::Critical, 2, 0),
            "limits.reserve.per_host must be 0..=1 (got 2)",
        ),
    ];
    for (limits, message) in cases {
        let error = Client::builder().limits(limits).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(message), "{error}");
        assert!(ConcurrencyLimiter::new(&limits).is_err());
    }
}

/// With the limiter in the way or not, the answer is the same to the byte.
#[tokio::test]
async fn a_limited_request_gets_the_same_answer() {
    let server = Server::start(Options::default()).unwrap();
    let free = TestClient::new();
    let tight = TestClient::with(|builder| builder.limits(Limits::default().per_host(1).total(1)));
    for path in ["/small", "/chunked/16/1024", "/status/404", "/bytes/70000"] {
        let url = server.url(path);
        assert_eq!(
            free.body_of(&url).await,
            tight.body_of(&url).await,
            "{path}"
        );
    }
    let nowhere = "http://127.0.0.1:1/";
    let one = free.get(nowhere).send().await.unwrap_err();
    let other = tight.get(nowhere).send().await.unwrap_err();
    assert_eq!(
        (one.kind(), one.to_string()),
        (other.kind(), other.to_string())
    );
}

#[tokio::test]
async fn a_handle_of_a_key_draws_from_the_same_permits() {
    let limits = Limits::default().per_host(1).idle_hosts(1);
    let limiter = ConcurrencyLimiter::new(&limits).unwrap();
    let lane = limiter.lane("a").unwrap();
    let permit = lane.try_acquire().unwrap();
    assert_eq!(
        limiter.try_acquire("a").unwrap_err().kind(),
        ErrorKind::Busy
    );
    let mut waiting = Box::pin(lane.execute(async { 1 }));
    poll_pending(&mut waiting);
    drop(permit);
    assert_eq!(waiting.await.unwrap(), 1);
    for other in ["b", "c", "d"] {
        drop(limiter.acquire(other).await.unwrap());
    }
    let permit = limiter.try_acquire("a").unwrap();
    assert_eq!(lane.try_acquire().unwrap_err().kind(), ErrorKind::Busy);
    drop(permit);
    let late = lane.acquire().within(MS).await;
    drop(late.unwrap());
    limiter.close(Shutdown::Now).await;
    let closed = [
        lane.try_acquire().map(drop),
        lane.acquire().await.map(drop),
        lane.execute(async {}).await,
    ];
    for closed in closed {
        assert_eq!(closed.unwrap_err().kind(), ErrorKind::Closed);
    }
    drop(lane);
    assert_eq!(limiter.audit().pinned_origins, 0);
}

#[tokio::test]
async fn handles_of_keys_are_bounded() {
    let limiter = ConcurrencyLimiter::new(&Limits::default()).unwrap();
    let lane = |index: usize| limiter.lane(format!("lane {index}"));
    let lanes: Result<Vec<_>> = (0..4_096).map(lane).collect();
    let lanes = lanes.unwrap();
    assert_eq!(lane(4_096).unwrap_err().kind(), ErrorKind::Full);
    drop(lanes);
    drop(lane(4_096).unwrap());
}
