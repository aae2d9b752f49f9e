//! Requests: callers and jobs share one scheduler.

use turbohttp::{
    Client, ClientBuilder, Limits, MockReply, MockTransport, Next, Phase, Request, Shutdown,
    StatusCode,
};

use super::*;

fn reply(delay: u64) -> MockReply {
    MockReply::new(StatusCode::OK)
        .body("answer")
        .delay(Duration::from_millis(delay))
}

fn client(mock: &MockTransport, limits: Limits) -> Client {
    Client::builder()
        .limits(limits)
        .transport(mock.clone())
        .build()
        .unwrap()
}

fn get(client: &Client, url: &str) -> Request {
    client.get(url).build().unwrap()
}

async fn expect_client_quiet(client: &Client) {
    settle().await;
    let audit = client.audit();
    assert!(audit.is_idle(), "{audit:?}");
}

#[tokio::test(start_paused = true)]
async fn callers_and_jobs_share_the_limits_of_a_host() {
    let mock = MockTransport::new(reply(10));
    let client = client(&mock, Limits::default().per_host(3).total(100));
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(16)).unwrap();
    queue.start().unwrap();
    let url = "http://a.example/";
    let tickets: Vec<_> = (0..30)
        .map(|_| queue.try_submit(get(&client, url)).unwrap())
        .collect();
    let callers: Vec<_> = (0..30)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get(url).send().await.unwrap().text().await })
        })
        .collect();
    for ticket in tickets {
        assert_eq!(ticket.await.unwrap().text().await.unwrap(), "answer");
    }
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), "answer");
    }
    assert_eq!(mock.stats().peak, 3);
    assert_eq!(client.stats().scheduler.running_peak, 3);
    let stopped = queue.stop(Shutdown::default()).await;
    assert_eq!(stopped.accepted, 0);
    expect_client_quiet(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_permit_lives_until_the_body_has_ended_and_the_worker_does_not() {
    let mock = MockTransport::new(reply(0).streamed());
    let client = client(&mock, Limits::default().per_host(1));
    let options = QueueOptions::default().workers(1).streamed(true);
    let queue = RequestQueue::new(&client, options).unwrap();
    queue.start().unwrap();
    let response = queue
        .try_submit(get(&client, "http://a.example/"))
        .unwrap()
        .await
        .unwrap();
    // The worker goes on to another host while this body is not read.
    let other = queue.try_submit(get(&client, "http://b.example/")).unwrap();
    assert_eq!(other.await.unwrap().text().await.unwrap(), "answer");
    let same = queue.try_submit(get(&client, "http://a.example/")).unwrap();
    settle().await;
    assert!(!same.is_done());
    assert_eq!(queue.depth(Priority::Normal), 1);
    assert_eq!(response.text().await.unwrap(), "answer");
    let unread = same.await.unwrap();
    // A stop does not wait for bodies, and leaves them alone.
    let stopped = queue.stop(Shutdown::Now).await;
    assert_eq!(stopped.accepted, 0);
    drop(queue);
    assert_eq!(client.audit().scheduler.running, 1);
    assert_eq!(unread.text().await.unwrap(), "answer");
    expect_client_quiet(&client).await;
}

/// Tickets may be awaited in any order: a response that is done holds nothing of what others need.
#[tokio::test(start_paused = true)]
async fn tickets_may_be_awaited_in_any_order() {
    let mock = MockTransport::new(reply(1));
    let client = client(&mock, Limits::default().per_host(1).total(1));
    let queue = RequestQueue::new(&client, QueueOptions::default()).unwrap();
    queue.start().unwrap();
    let mut tickets: Vec<_> = (0..50)
        .map(|_| queue.try_submit(get(&client, "http://a.example/")).unwrap())
        .collect();
    while let Some(last) = tickets.pop() {
        let mut response = last.await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), b"answer");
        assert!(response.chunk().await.unwrap().is_none());
    }
    expect_client_quiet(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_fills_its_own_lane_only() {
    let mock = MockTransport::with_handler(|request| match request.origin().host() {
        "dead.example" => reply(3_600_000),
        _ => reply(1),
    });
    let client = client(&mock, Limits::default().per_host(2));
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(4)).unwrap();
    queue.start().unwrap();
    let dead: Vec<_> = (0..100)
        .map(|_| {
            queue
                .try_submit(get(&client, "http://dead.example/"))
                .unwrap()
        })
        .collect();
    let began = tokio::time::Instant::now();
    for _ in 0..100 {
        let ticket = queue
            .try_submit(get(&client, "http://alive.example/"))
            .unwrap();
        ticket.await.unwrap().text().await.unwrap();
    }
    assert!(began.elapsed() < seconds(1));
    let dead_entered = mock.stats().entered - 100;
    assert_eq!(dead_entered, 2);
    drop(dead);
    queue.stop(Shutdown::default()).await;
    expect_client_quiet(&client).await;
}

#[tokio::test(start_paused = true)]
async fn the_timeline_says_where_a_request_waited() {
    let mock = MockTransport::new(reply(1_000));
    let client = client(&mock, Limits::default().per_host(1));
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(2)).unwrap();
    queue.start().unwrap();
    let url = "http://a.example/";
    let first = queue.try_submit(get(&client, url)).unwrap();
    let second = queue.try_submit(get(&client, url)).unwrap();
    first.await.unwrap().text().await.unwrap();
    let response = second.await.unwrap();
    let waited = response.timeline().duration(Phase::HostPermit);
    assert_eq!(waited, seconds(1), "{:?}", response.timeline());
    response.text().await.unwrap();
    // All workers are busy with other hosts: that is the queue.
    let busy: Vec<_> = ["http://b.example/", "http://c.example/", url]
        .map(|url| queue.try_submit(get(&client, url)).unwrap())
        .into();
    let mut last = Duration::ZERO;
    for ticket in busy {
        let response = ticket.await.unwrap();
        last = response.timeline().duration(Phase::Queue);
        response.text().await.unwrap();
    }
    assert_eq!(last, seconds(1));
    queue.stop(Shutdown::default()).await;
    expect_client_quiet(&client).await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_request_is_never_sent() {
    let mock = MockTransport::new(reply(5_000));
    let client = client(&mock, Limits::default().per_host(1));
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(4)).unwrap();
    queue.start().unwrap();
    let url = "http://a.example/";
    let first = queue.try_submit(get(&client, url)).unwrap();
    let options = SubmitOptions::default().within(seconds(2));
    let late = queue.try_submit_with(get(&client, url), options).unwrap();
    let own = client.get(url).timeout(seconds(3)).build().unwrap();
    let own = queue.try_submit(own).unwrap();
    let error = late.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ExpiredInQueue);
    assert_eq!(error.phase(), Some(Phase::Queue));
    assert!(error.to_string().ends_with("(http://a.example)"), "{error}");
    assert_eq!(kind(own.await), ErrorKind::ExpiredInQueue);
    first.await.unwrap().text().await.unwrap();
    assert_eq!(mock.stats().entered, 1);
    queue.stop(Shutdown::default()).await;
    expect_client_quiet(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_brings_its_priority_and_comes_back_when_it_is_refused() {
    let mock = MockTransport::new(reply(1));
    let client = client(&mock, Limits::default());
    let queue = RequestQueue::new(&client, QueueOptions::default().per_priority(1)).unwrap();
    let mut urgent = get(&client, "http://a.example/");
    urgent.set_priority(Priority::Critical);
    let first = queue.try_submit(urgent).unwrap();
    assert_eq!(queue.depth(Priority::Critical), 1);
    let mut second = get(&client, "http://a.example/second");
    second.set_priority(Priority::Critical);
    second.set_body("body");
    let rejected = queue.try_submit(second).unwrap_err();
    assert_eq!(rejected.kind(), ErrorKind::Full);
    let message = rejected.error().to_string();
    assert_eq!(message, "1 critical requests are queued already");
    let request = rejected.into_job().unwrap();
    assert_eq!(request.url(), "http://a.example/second");
    let response = client.send(request).await.unwrap();
    assert_eq!(response.text().await.unwrap(), "answer");
    drop(first);
    drop(queue);
    expect_client_quiet(&client).await;
}

/// A builder is submitted as it is; one with a mistake is rejected with that, and leaves no job.
#[tokio::test(start_paused = true)]
async fn a_builder_is_a_job_and_its_mistake_is_rejected() {
    let mock = MockTransport::new(reply(1));
    let client = client(&mock, Limits::default());
    let queue = RequestQueue::new(&client, QueueOptions::default()).unwrap();
    let tickets = [
        queue.try_submit(client.get("http://a.example/")).unwrap(),
        queue.submit(client.get("http://a.example/")).await.unwrap(),
    ];
    assert_eq!(queue.depth(Priority::Normal), 2);
    let wrong = || client.get("not a url");
    let named = || client.get("http://a.example/").header("a b", "c");
    for (rejected, kind) in [
        (queue.try_submit(wrong()).unwrap_err(), ErrorKind::Url),
        (queue.submit(wrong()).await.unwrap_err(), ErrorKind::Url),
        (queue.try_submit(named()).unwrap_err(), ErrorKind::Request),
        (queue.submit(named()).await.unwrap_err(), ErrorKind::Request),
    ] {
        assert_eq!(rejected.kind(), kind, "{rejected}");
        assert!(rejected.into_job().is_none());
    }
    let stats = queue.stats();
    let waiting: usize = stats.waiting.iter().sum();
    assert_eq!((waiting, stats.running, stats.ended.sum()), (2, 0, 0));
    queue.start().unwrap();
    for ticket in tickets {
        assert_eq!(ticket.await.unwrap().text().await.unwrap(), "answer");
    }
    assert_eq!(mock.stats().entered, 2);
    queue.stop(Shutdown::default()).await;
    expect_client_quiet(&client).await;
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_closes_its_queues() {
    let modes = [
        Shutdown::Drain {
            within: seconds(30),
        },
        Shutdown::CancelPending {
            within: seconds(30),
        },
        Shutdown::Now,
    ];
    for (mode, done) in modes.into_iter().zip([6, 2, 0]) {
        let mock = MockTransport::new(reply(1_000));
        let client = client(&mock, Limits::default());
        let queue = RequestQueue::new(&client, QueueOptions::default().workers(2)).unwrap();
        queue.start().unwrap();
        let submit = || queue.try_submit(get(&client, "http://a.example/")).unwrap();
        let mut tickets: Vec<_> = (0..6).map(|_| submit()).collect();
        settle().await;
        assert_eq!(mock.stats().entered, 2);
        let late = get(&client, "http://a.example/");
        let readers = async {
            let mut ended = BTreeMap::new();
            for ticket in &mut tickets {
                let outcome = match ticket.await {
                    Ok(response) => response.text().await.map(drop),
                    Err(error) => Err(error),
                };
                let name = outcome.err().map(|error| error.kind().name());
                *ended.entry(name).or_insert(0) += 1;
            }
            ended
        };
        let (closed, ended) = tokio::join!(client.close(mode), readers);
        assert_eq!(closed.accepted, 6);
        assert_eq!(closed.ended.completed, done, "{closed}");
        let expected = [(None, done), (Some("canceled"), 6 - done)];
        let expected = expected.into_iter().filter(|(_, count)| *count > 0);
        assert_eq!(ended, expected.collect());
        assert_eq!(
            queue.try_submit(late).unwrap_err().kind(),
            ErrorKind::Closed
        );
        assert_eq!(kind(queue.start()), ErrorKind::Closed);
        assert_eq!(
            kind(RequestQueue::new(&client, QueueOptions::default())),
            ErrorKind::Closed
        );
        let stopped = queue.stop(Shutdown::default()).await;
        assert_eq!((stopped.accepted, stopped.ended.completed), (6, done));
        assert_eq!(mock.stats().closed, 1);
        drop(tickets);
        expect_client_quiet(&client).await;
        tokio::time::sleep(seconds(31)).await;
        assert_eq!(tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_turns_away_those_who_wait_for_room() {
    let modes = [
        Shutdown::Drain {
            within: seconds(30),
        },
        Shutdown::CancelPending {
            within: seconds(30),
        },
        Shutdown::Now,
    ];
    for mode in modes {
        let client = client(&MockTransport::new(reply(1_000)), Limits::default());
        let options = QueueOptions::default().workers(1).per_priority(1);
        let queue = RequestQueue::new(&client, options).unwrap();
        queue.start().unwrap();
        let running = queue.try_submit(get(&client, "http://a.example/")).unwrap();
        settle().await;
        let waiting = queue.try_submit(get(&client, "http://a.example/")).unwrap();
        let (request, handle) = (get(&client, "http://a.example/"), queue.clone());
        let outside = tokio::spawn(async move { handle.submit(request).await });
        settle().await;
        assert_eq!(queue.stats().submitters, 1);
        running.detach();
        waiting.detach();
        client.close(mode).await;
        let turned_away = outside.await.unwrap().unwrap_err();
        assert_eq!(turned_away.kind(), ErrorKind::Closed);
        assert_eq!(queue.stats().submitters, 0);
        drop(turned_away);
        expect_client_quiet(&client).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_closes_its_client_or_calls_it_ends_with_the_close() {
    let mock = MockTransport::new(reply(10));
    struct Closing(Client);
    impl turbohttp::Middleware for Closing {
        async fn handle(&self, request: Request, next: Next<'_>) -> Result<turbohttp::Response> {
            if request.url().ends_with("/close") {
                self.0.close(Shutdown::default()).await;
            }
            next.run(request).await
        }
    }
    // The client that is closed is the one whose queue runs the job.
    let slot = Arc::new(Mutex::new(None::<Client>));
    struct Late(Arc<Mutex<Option<Client>>>);
    impl turbohttp::Middleware for Late {
        async fn handle(&self, request: Request, next: Next<'_>) -> Result<turbohttp::Response> {
            let client = self.0.lock().unwrap().clone();
            if let Some(client) = client {
                Closing(client).handle(request, next).await
            } else {
                next.run(request).await
            }
        }
    }
    let client = Client::builder()
        .transport(mock)
        .with(Late(slot.clone()))
        .build()
        .unwrap();
    *slot.lock().unwrap() = Some(client.clone());
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(1)).unwrap();
    queue.start().unwrap();
    let fine = queue.try_submit(get(&client, "http://a.example/")).unwrap();
    fine.await.unwrap().text().await.unwrap();
    let began = tokio::time::Instant::now();
    let ticket = queue
        .try_submit(get(&client, "http://a.example/close"))
        .unwrap();
    assert_eq!(kind(ticket.await), ErrorKind::Canceled);
    assert_eq!(began.elapsed(), seconds(30));
    *slot.lock().unwrap() = None;
    settle().await;
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_gives_everything_back() {
    for layered in [false, true] {
        let mock = MockTransport::new(reply(1_000));
        let build = |builder: ClientBuilder| match layered {
            true => builder.on_request(|_| {}).build(),
            false => builder.build(),
        };
        let client = build(Client::builder().transport(mock.clone())).unwrap();
        let queue = RequestQueue::new(&client, QueueOptions::default().workers(2)).unwrap();
        queue.start().unwrap();
        for step in 0..4u32 {
            let ticket = queue.try_submit(get(&client, "http://a.example/")).unwrap();
            tokio::time::sleep(Duration::from_millis(400) * step).await;
            drop(ticket);
            expect_client_quiet(&client).await;
        }
        let stats = mock.stats();
        assert_eq!((stats.entered, stats.left, stats.dropped), (3, 1, 2));
        let stopped = queue.stop(Shutdown::default()).await;
        assert_eq!(stopped.accepted, 0);
        assert_eq!(queue.stats().ended.completed, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_requests_come_through_as_they_are() {
    let failure = MockReply::failure(ErrorKind::Connect, "refused by the peer");
    let client = client(&MockTransport::new(failure), Limits::default());
    let queue = RequestQueue::new(&client, QueueOptions::default()).unwrap();
    queue.start().unwrap();
    let error = queue
        .try_submit(get(&client, "http://a.example/"))
        .unwrap()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("refused by the peer"));
    assert_eq!(queue.stats().ended.failed, 1);
    queue.stop(Shutdown::default()).await;
    expect_client_quiet(&client).await;
}

#[tokio::test]
async fn a_place_for_a_queue_is_free_again_when_the_queue_is_gone() {
    let client = client(&MockTransport::new(reply(0)), Limits::default());
    let mut queues = Vec::new();
    let error = loop {
        match RequestQueue::new(&client, QueueOptions::default().workers(1)) {
            Ok(queue) => queues.push(queue),
            Err(error) => break error,
        }
    };
    assert_eq!((queues.len(), error.kind()), (16, ErrorKind::Full));
    for _ in 0..50 {
        let gone = queues.remove(0);
        gone.start().unwrap();
        let ticket = gone.try_submit(get(&client, "http://a.example/")).unwrap();
        let response = ticket.await.unwrap();
        drop(gone);
        settle().await;
        queues.push(RequestQueue::new(&client, QueueOptions::default().workers(1)).unwrap());
        drop(response);
    }
    drop(queues);
    expect_client_quiet(&client).await;
}
