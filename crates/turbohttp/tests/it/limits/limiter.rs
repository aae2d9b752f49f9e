//! The limiter: alone, by handles of one key, and that of a client.

use super::*;

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

/// Each way to name one origin to the limiter of a client.
const SPELLINGS: [&str; 4] = [
    "http://a.test",
    "HTTP://A.test:80/x",
    "http://a.test./?q=1",
    "http://user:secret@a.test/#y",
];

/// A client's limiter knows an origin by any URL of it.
#[tokio::test(start_paused = true)]
async fn a_clients_limiter_takes_urls_for_origins() {
    for spelling in SPELLINGS {
        let (client, _lab) = lab(Limits::default().per_host(2));
        let limiter = client.limiter();
        let permits = [
            limiter.acquire(spelling).await.unwrap(),
            limiter.lane(spelling).unwrap().try_acquire().unwrap(),
        ];
        let busy = limiter.try_acquire("http://a.test").unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::Busy, "{spelling}");
        let audit = client.client_audit().scheduler;
        assert_eq!(audit.busy.len(), 1, "{spelling}");
        assert_eq!(audit.busy[0].origin.as_str(), "http://a.test");
        drop(permits);
        assert_eq!(limiter.execute(spelling, async { 1 }).await.unwrap(), 1);

        limiter.set_limit(spelling, Some(1)).unwrap();
        let only = limiter.try_acquire("http://a.test").unwrap();
        let busy = limiter.try_acquire(spelling).unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::Busy, "{spelling}");
        drop(only);

        let until = Instant::now() + 30 * MS;
        limiter.pause(spelling, until.into_std()).unwrap();
        fetch(client.clone(), "http://b.test/".to_owned())
            .await
            .unwrap();
        assert!(Instant::now() < until, "another origin is not paused");
        fetch(client.clone(), "http://a.test/".to_owned())
            .await
            .unwrap();
        assert_eq!(Instant::now(), until, "{spelling}");
    }
}

/// Text that names no origin is an error at every entry of a client's limiter, and changes nothing.
#[tokio::test(start_paused = true)]
async fn a_clients_limiter_refuses_text_that_names_no_origin() {
    for text in ["a.test", "", "/path", "ftp://a.test", "http://"] {
        let (client, _lab) = lab(Limits::default());
        let limiter = client.limiter();
        let until = (Instant::now() + 1_000 * MS).into_std();
        let errors = [
            limiter.acquire(text).await.map(drop),
            limiter.try_acquire(text).map(drop),
            limiter.execute(text, async {}).await,
            limiter.lane(text).map(drop),
            limiter.pause(text, until),
            limiter.set_limit(text, Some(1)),
        ];
        for error in errors {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Url, "{text:?}");
        }
        assert!(client.client_audit().is_idle());
    }
    // Without a client a key is any text.
    let alone = ConcurrencyLimiter::new(&Limits::default()).unwrap();
    drop(alone.acquire("a.test").await.unwrap());
}
