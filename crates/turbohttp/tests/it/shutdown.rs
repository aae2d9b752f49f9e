//! The end of a client: every mode, every state, every caller; one report, and nothing left pending.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use turbohttp::{
    Client, CloseReport, Error, ErrorKind, Limits, Middleware, Next, Request, Response, Result,
    Shutdown, Transport,
};
use turbohttp_loopback::{Options, Server};

use crate::lab::Lab;
use crate::support::{TestClient, block_on, poll_times, read, soon};

const SECOND: Duration = Duration::from_secs(1);

fn lab(limits: Limits) -> (TestClient, Lab) {
    let lab = Lab::default();
    let client = Client::builder().limits(limits).transport(lab.clone());
    (TestClient::from(client.build().unwrap()), lab)
}

async fn fetch(client: Client, url: String) -> Result<Vec<u8>> {
    let mut response = client.get(&url).send().await?;
    read(&mut response).await
}

fn drain(within: Duration) -> Shutdown {
    Shutdown::Drain { within }
}

fn cancel(within: Duration) -> Shutdown {
    Shutdown::CancelPending { within }
}

fn counts(closed: &CloseReport) -> [u64; 6] {
    [
        closed.accepted,
        closed.completed,
        closed.failed,
        closed.canceled,
        closed.expired,
        closed.aborted,
    ]
}

/// What ends in time is waited for, not longer; what does not is cut off, not later.
#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_the_last_request_or_with_its_time() {
    for (ms, ends_at, expected) in [
        (29_000, 29 * SECOND, [1, 1, 0, 0, 0, 0]),
        (31_000, 30 * SECOND, [1, 0, 0, 0, 0, 1]),
    ] {
        let (client, lab) = lab(Limits::default());
        let request = tokio::spawn(fetch(client.clone(), format!("http://a/ms/{ms}")));
        tokio::task::yield_now().await;
        let before = Instant::now();
        let closed = client.close(Shutdown::default()).await;
        assert_eq!(before.elapsed(), ends_at);
        assert_eq!(counts(&closed), expected, "{closed}");
        assert_eq!(closed.elapsed, ends_at);
        let outcome = request.await.unwrap();
        assert_eq!(outcome.is_ok(), expected[1] == 1);
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Closed);
        }
        assert_eq!((lab.book().inside, lab.book().closed), (0, 1));
    }
}

/// What waits is canceled at once, what runs goes on for its time; newcomers are refused.
#[tokio::test(start_paused = true)]
async fn canceling_refuses_what_waits_and_lets_go_on_what_runs() {
    let (client, lab) = lab(Limits::default().per_host(4));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        tasks.spawn(fetch(client.clone(), "http://a/ms/500".to_owned()));
    }
    tokio::task::yield_now().await;
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close(cancel(SECOND)).await }
    });
    tokio::task::yield_now().await;
    let refused = fetch(client.clone(), "http://a/".to_owned())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    let closed = closing.await.unwrap();
    assert_eq!(counts(&closed), [100, 4, 0, 96, 0, 0], "{closed}");
    assert_eq!(lab.book().entered, 4);
    let outcomes = tasks.join_all().await;
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(done, 4);
}

/// A stronger mode makes a close come sooner, a weaker one joins, and all get the same report.
#[tokio::test(start_paused = true)]
async fn closes_escalate_and_share_one_report() {
    let (client, _lab) = lab(Limits::default().per_host(1));
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        tasks.spawn(fetch(client.clone(), "http://a/ms/1000".to_owned()));
    }
    tokio::task::yield_now().await;
    let before = Instant::now();
    let close = |mode, after| {
        let client = client.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            client.close(mode).await
        })
    };
    let first = close(drain(60 * SECOND), Duration::ZERO);
    let second = close(cancel(60 * SECOND), Duration::from_millis(2_500));
    let third = close(drain(90 * SECOND), Duration::from_millis(2_600));
    let reports = [
        first.await.unwrap(),
        second.await.unwrap(),
        third.await.unwrap(),
    ];
    assert_eq!(before.elapsed(), 3 * SECOND);
    for report in &reports {
        assert_eq!(counts(report), [10, 3, 0, 7, 0, 0], "{report}");
        assert_eq!(report.elapsed, 3 * SECOND);
    }
    // Later ones get it at once.
    assert_eq!(
        counts(&client.close(Shutdown::Now).await),
        [10, 3, 0, 7, 0, 0]
    );
    tasks.join_all().await;
}

/// A close whose future is dropped goes on, at whatever poll that happens.
#[tokio::test(start_paused = true)]
async fn a_dropped_close_goes_on() {
    for polls in 0..4 {
        let (client, lab) = lab(Limits::default());
        let request = tokio::spawn(fetch(client.clone(), "http://a/ms/9000".to_owned()));
        tokio::task::yield_now().await;
        let gone = poll_times(client.close(drain(2 * SECOND)), polls).await;
        assert!(gone.is_none() || polls > 1);
        if polls == 0 {
            assert!(!client.is_closed());
            client.close_now();
        }
        assert!(client.is_closed());
        // Nobody polls the close; its time is kept all the same.
        assert_eq!(
            request.await.unwrap().unwrap_err().kind(),
            ErrorKind::Closed
        );
        let closed = client.close(Shutdown::default()).await;
        assert_eq!(counts(&closed), [1, 0, 0, 0, 0, 1]);
        assert_eq!(lab.book().closed, 1);
    }
}

/// A middleware that writes down when it is closed, and fails or panics on demand.
struct Noted {
    name: &'static str,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Middleware for Noted {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        next.run(request).await
    }

    fn close(&self) -> Result<()> {
        self.log.lock().unwrap().push(self.name);
        match self.name {
            "fails" => Err(Error::new(ErrorKind::Io, "cannot")),
            "panics" => panic!("will not"),
            _ => Ok(()),
        }
    }
}

/// A transport that writes down when it is closed.
struct Bottom(Arc<Mutex<Vec<&'static str>>>);

impl Transport for Bottom {
    async fn send(&self, request: Request) -> Result<Response> {
        Ok(request.respond(turbohttp::StatusCode::OK, ""))
    }

    fn close(&self) -> Result<()> {
        self.0.lock().unwrap().push("transport");
        Ok(())
    }
}

/// The one added last is closed first, the transport last, each once, whatever the
/// others do; the report names those that failed. What is shared is not closed.
#[tokio::test]
async fn components_are_closed_once_in_reverse_order() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = |name| Noted {
        name,
        log: log.clone(),
    };
    let client = Client::builder()
        .with(noted("first"))
        .with(noted("fails"))
        .with(Arc::new(noted("shared")))
        .with(noted("panics"))
        .with(Some(noted("last")))
        .transport(Bottom(log.clone()))
        .build()
        .unwrap();
    fetch(client.clone(), "http://a/".to_owned()).await.unwrap();
    let closed = client.close(Shutdown::default()).await;
    let order = ["last", "panics", "fails", "first", "transport"];
    assert_eq!(*log.lock().unwrap(), order);
    let failures: Vec<_> = closed
        .failures
        .iter()
        .map(|failure| failure.error.kind())
        .collect();
    assert_eq!(failures, [ErrorKind::Panicked, ErrorKind::Io]);
    assert!(
        closed
            .failures
            .iter()
            .all(|failure| failure.component.contains("Noted"))
    );
    client.close_now();
    client.close(Shutdown::Now).await;
    drop(client);
    assert_eq!(*log.lock().unwrap(), order);
}

/// Any number of closers on any thread in any order have their effects once.
#[test]
fn sixty_four_threads_close_once() {
    for round in 0..20 {
        let log = Arc::new(Mutex::new(Vec::new()));
        let client = Client::builder()
            .transport(Bottom(log.clone()))
            .build()
            .unwrap();
        thread::scope(|scope| {
            for index in 0..64 {
                let client = client.clone();
                scope.spawn(move || match (index + round) % 4 {
                    0 => drop(block_on(client.close(drain(SECOND)))),
                    1 => drop(block_on(client.close(cancel(SECOND)))),
                    2 => client.close_now(),
                    _ => drop(client),
                });
            }
        });
        block_on(client.close(Shutdown::Now));
        drop(client);
        assert_eq!(*log.lock().unwrap(), ["transport"]);
    }
}

/// After a close every way to send answers `Closed` at once and reaches nothing.
#[tokio::test(start_paused = true)]
async fn every_entry_answers_closed() {
    let (client, lab) = lab(Limits::default());
    let prepared = client.get("http://a/");
    let built = client.post("http://a/").body("x").build().unwrap();
    let detached = Request::new(turbohttp::Method::GET, "http://a/").unwrap();
    let copy = client.clone();
    client.close(Shutdown::default()).await;
    let mut errors = vec![
        prepared.send().await.unwrap_err(),
        client.send(built).await.unwrap_err(),
        copy.send(detached).await.unwrap_err(),
        client.limiter().acquire("http://a").await.unwrap_err(),
        client.limiter().try_acquire("http://a").unwrap_err(),
        client
            .limiter()
            .execute("http://a", async {})
            .await
            .unwrap_err(),
    ];
    let verbs = [
        client.get("http://a/"),
        client.head("http://a/"),
        client.post("http://a/").form(&[("a", "b")]),
        client.put("http://a/"),
        client.patch("http://a/"),
        client.delete("http://a/"),
        client.options("http://a/"),
        client.request(turbohttp::Method::TRACE, "http://a/"),
    ];
    for verb in verbs {
        errors.push(verb.send().await.unwrap_err());
    }
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    assert_eq!(lab.book().entered, 0);
}

/// With middlewares nothing of them is reached either.
#[tokio::test]
async fn a_closed_client_reaches_no_middleware() {
    struct Counting(Arc<AtomicUsize>);
    impl Middleware for Counting {
        async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
            self.0.fetch_add(1, Ordering::SeqCst);
            next.run(request).await
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    let lab = Lab::default();
    let client = Client::builder()
        .with(Counting(count.clone()))
        .transport(lab.clone());
    let client = client.build().unwrap();
    client.close_now();
    let error = client.get("http://a/").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!((count.load(Ordering::SeqCst), lab.book().entered), (0, 0));
}

/// Whether a request waits for a permit, is in the transport, was never polled, is between two
/// attempts, or is a response that nobody reads: after a close it has ended in one of the ways there
/// are, the sum is right, and the same states end the same way each time.
#[tokio::test(start_paused = true)]
async fn ten_thousand_requests_in_every_state_are_accounted_for() {
    for mode in [drain(5 * SECOND), cancel(5 * SECOND), Shutdown::Now] {
        let first = close_ten_thousand(mode).await;
        assert_eq!(first, close_ten_thousand(mode).await, "{mode:?}");
    }
}

/// Fails once, then sleeps, as between two attempts.
struct Backoff;

impl Middleware for Backoff {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let is_retried = request.url().contains("/fail");
        let answer = next.run(request).await;
        if is_retried {
            tokio::time::sleep(2 * SECOND).await;
        }
        answer
    }
}

async fn close_ten_thousand(mode: Shutdown) -> BTreeMap<String, usize> {
    let lab = Lab::default();
    let limits = Limits::default().per_host(500).total(1_000);
    let client = Client::builder()
        .limits(limits)
        .with(Backoff)
        .transport(lab.clone());
    let client = client.build().unwrap();
    let mut tasks = JoinSet::new();
    let mut unpolled = Vec::new();
    let mut unread = Vec::new();
    for index in 0..10_000usize {
        let path = [
            "ms/1000", "never", "fail", "body", "ms/20", "unpolled", "unread",
        ][index % 7];
        let host = index % 10;
        let url = format!("http://host{host}/{path}");
        match path {
            "unpolled" => {
                let mut send = Box::pin(client.get(&url).send());
                let mut cx = Context::from_waker(Waker::noop());
                // Polled once, so that it is inside, and then forgotten by its owner.
                if let Poll::Ready(response) = send.as_mut().poll(&mut cx) {
                    unread.push(response.unwrap());
                } else {
                    unpolled.push(send);
                }
            }
            "unread" => {
                let send = client.get(format!("http://free{host}/x")).send();
                if let Ok(Ok(response)) = tokio::time::timeout(Duration::ZERO, send).await {
                    unread.push(response);
                }
            }
            _ => {
                tasks.spawn(fetch(client.clone(), url));
            }
        }
    }
    tokio::task::yield_now().await;
    let inside = client.audit().scheduler.present;
    let before = Instant::now();
    let closed = client.close(mode).await;
    assert!(before.elapsed() <= 5 * SECOND);
    assert_eq!(closed.accepted, inside);
    assert_eq!(counts(&closed)[1..].iter().sum::<u64>(), inside, "{closed}");
    assert_eq!(lab.book().closed, 1);
    // Everything is resolved now, without any more time.
    let now = Instant::now();
    let mut outcomes = BTreeMap::new();
    let mut count = |outcome: std::result::Result<(), ErrorKind>| {
        *outcomes.entry(format!("{outcome:?}")).or_default() += 1;
    };
    for send in unpolled {
        let outcome = send.await;
        count(outcome.map(drop).map_err(|error| error.kind()));
    }
    for mut response in unread {
        let outcome = response.chunk().await;
        count(outcome.map(drop).map_err(|error| error.kind()));
    }
    while let Some(outcome) = tasks.join_next().await {
        count(outcome.unwrap().map(drop).map_err(|error| error.kind()));
    }
    assert_eq!(now.elapsed(), Duration::ZERO);
    assert!(client.audit().is_idle(), "{:?}", client.audit());
    outcomes
}

/// A response that its owner holds answers `Closed` when it is read the next time, on real sockets.
#[tokio::test]
async fn a_response_in_hand_is_cut_off() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let mut held = client
        .get(server.url("/bytes/3000000"))
        .send()
        .await
        .unwrap();
    assert!(held.chunk().await.unwrap().is_some());
    let closed = client.close(Shutdown::Now).await;
    assert_eq!(counts(&closed), [1, 0, 0, 0, 0, 1]);
    let error = held.chunk().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(held.chunk().await.is_err());
    drop(held);
}

/// A read that waits when the close comes is woken.
#[tokio::test]
async fn a_body_that_is_waited_for_is_cut_off() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let url = server.url("/never");
    let waiting = tokio::spawn(fetch(client.clone(), url));
    while client.client_audit().scheduler.running == 0 {
        tokio::task::yield_now().await;
    }
    client.close_now();
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    drop(client);
    soon(server.all_closed()).await;
}

/// Sending and closing at the same time ends in one of few ways, and never hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_race_with_closes() {
    let mut completed = 0;
    for round in 0..2_000 {
        let (client, _lab) = lab(Limits::default().per_host(1));
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            tasks.spawn(fetch(client.clone(), "http://a/".to_owned()));
        }
        let closing = client.clone();
        let mode = [drain(SECOND), cancel(SECOND), Shutdown::Now][round % 3];
        tasks.spawn(async move {
            let closed = closing.close(mode).await;
            assert_eq!(counts(&closed)[1..].iter().sum::<u64>(), closed.accepted);
            Ok(Vec::new())
        });
        while let Some(outcome) = soon(tasks.join_next()).await {
            match outcome.unwrap() {
                Ok(_) => completed += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
            }
        }
        assert!(client.client_audit().is_idle());
    }
    // Both sides have won.
    assert!(completed > 2_000 && completed < 2_000 * 9, "{completed}");
}

/// Closing works with no runtime, and after the runtime is gone.
#[test]
fn a_close_needs_no_runtime() {
    let server = Server::start(Options::default()).unwrap();
    let client = Client::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut held = runtime.block_on(async {
        fetch(client.clone(), server.url("/small")).await.unwrap();
        client
            .get(server.url("/bytes/3000000"))
            .send()
            .await
            .unwrap()
    });
    drop(runtime);
    // The time of the close is kept by nobody's runtime.
    let closed = block_on(client.close(drain(Duration::from_millis(20))));
    assert_eq!(counts(&closed), [1, 0, 0, 0, 0, 1]);
    let mut cx = Context::from_waker(Waker::noop());
    let read = pin!(held.chunk())
        .poll(&mut cx)
        .map(|read| read.unwrap_err().kind());
    assert_eq!(read, Poll::Ready(ErrorKind::Closed));
    drop(held);
    assert!(client.audit().is_idle());
}

/// A middleware that closes its own client, and a request inside a request, do not hang.
#[tokio::test(start_paused = true)]
async fn a_close_from_inside_ends_with_its_time() {
    struct Suicidal(Mutex<Option<Client>>);
    impl Middleware for Suicidal {
        async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
            let client = self.0.lock().unwrap().take().unwrap();
            // It waits for itself, until its time is up.
            let closed = client.close(drain(3 * SECOND)).await;
            assert_eq!(counts(&closed), [1, 0, 0, 0, 0, 1]);
            next.run(request).await
        }
    }
    let middleware = Arc::new(Suicidal(Mutex::new(None)));
    let client = Client::builder()
        .with(middleware.clone())
        .transport(Lab::default());
    let client = client.build().unwrap();
    *middleware.0.lock().unwrap() = Some(client.clone());
    let before = Instant::now();
    let error = client.get("http://a/").send().await.unwrap_err();
    assert_eq!(
        (error.kind(), before.elapsed()),
        (ErrorKind::Closed, 3 * SECOND)
    );
    assert!(client.audit().is_idle());
}

/// Dropping the last handle closes behind it; a response that is out goes on, and with its end the
/// transport is closed.
#[tokio::test]
async fn dropping_the_last_handle_closes_behind_it() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let client = Client::builder()
        .transport(Bottom(log.clone()))
        .build()
        .unwrap();
    drop(client);
    assert_eq!(*log.lock().unwrap(), ["transport"]);

    let server = Server::start(Options::default()).unwrap();
    let client = Client::new().unwrap();
    let mut held = client
        .get(server.url("/bytes/3000000"))
        .send()
        .await
        .unwrap();
    drop(client);
    assert_eq!(read(&mut held).await.unwrap().len(), 3_000_000);
    drop(held);
    soon(server.all_closed()).await;
}

/// A waker that panics when it is woken, cloned or dropped, or that calls back into the client.
enum Nasty {
    Panics,
    CallsBack(Client),
}

impl Wake for Nasty {
    fn wake(self: Arc<Self>) {
        match &*self {
            Nasty::Panics => panic!("woken"),
            Nasty::CallsBack(client) => {
                drop(client.audit());
                drop(client.limiter().try_acquire("http://a"));
            }
        }
    }
}

/// Nothing foreign runs under a lock: those who wait beside a nasty waker are served.
#[tokio::test(start_paused = true)]
async fn nasty_wakers_harm_nobody_else() {
    let (client, _lab) = lab(Limits::default().per_host(1));
    let panicking = Waker::from(Arc::new(Nasty::Panics));
    let calling = Waker::from(Arc::new(Nasty::CallsBack((*client).clone())));
    let running = tokio::spawn(fetch(client.clone(), "http://a/ms/10".to_owned()));
    tokio::task::yield_now().await;
    let mut nasty: Vec<Pin<Box<dyn Future<Output = Result<Response>> + Send>>> = Vec::new();
    for waker in [&panicking, &calling, &panicking, &calling] {
        let mut send = Box::pin(client.get("http://a/").send());
        assert!(
            send.as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
        nasty.push(send);
    }
    let good = tokio::spawn(fetch(client.clone(), "http://a/good".to_owned()));
    running.await.unwrap().unwrap();
    // Their grants are taken up by nobody, and go on to the good one.
    good.await.unwrap().unwrap();
    let also = tokio::spawn(fetch(client.clone(), "http://a/never".to_owned()));
    tokio::task::yield_now().await;
    client.close_now();
    assert_eq!(also.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    for send in nasty {
        assert_eq!(send.await.unwrap_err().kind(), ErrorKind::Closed);
    }
}
