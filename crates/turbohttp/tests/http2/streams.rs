//! The server's limit on streams: what is more waits in the scheduler, in order and visibly.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use turbohttp::{Client, ErrorKind, Limits, Phase, Priority, Timeouts};
use turbohttp_loopback::Http2;
use turbohttp_loopback::script::{Script, ScriptServer, Signal, Step, frames};

use super::ground::{
    self, answer, builder, client, greeting, idles, one_at_once, poll_few, run, server_with,
    wide_client,
};

const PRIORITIES: [Priority; 4] = [
    Priority::Low,
    Priority::Normal,
    Priority::High,
    Priority::Critical,
];

#[test]
fn one_stream_at_a_time_serves_all() {
    let server = server_with(Http2 {
        max_concurrent_streams: Some(1),
        ..Http2::default()
    });
    run(async {
        let client = client();
        let mut tasks = Vec::new();
        for number in 0..64 {
            let priority = PRIORITIES[number % 4];
            let (client, url) = (client.clone(), server.url(&format!("/id/{number}")));
            tasks.push(tokio::spawn(async move {
                let response = client.get(url).priority(priority).send().await.unwrap();
                let waited = response.timeline().duration(Phase::HostPermit);
                let text = response.text().await.unwrap();
                assert_eq!(text, number.to_string());
                waited
            }));
        }
        let mut waited = 0;
        for task in tasks {
            waited += usize::from(task.await.unwrap() > Duration::ZERO);
        }
        assert!(waited > 32, "{waited}");
    });
    let stats = server.stop().http2;
    // Those that were sent before the settings of the server came were refused, and sent again.
    assert_eq!(stats.connections, 1);
}

/// A server of one stream that answers its second request once `signal` is set, and then all others.
fn one_stream(signal: &Signal) -> ScriptServer {
    let script = Script::new().accept(one_at_once(signal));
    script.start().unwrap()
}

async fn get(client: &Client, server: &ScriptServer) -> String {
    let response = client.get(server.url("/")).send().await.unwrap();
    response.text().await.unwrap()
}

/// Lets every task have some turns.
async fn turns() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn those_that_wait_for_a_stream_go_in_the_order_of_the_scheduler() {
    let signal = Signal::new();
    let server = one_stream(&signal);
    run(async {
        let client = wide_client(64);
        get(&client, &server).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let holder = tokio::spawn(client.get(server.url("/")).send());
        turns().await;
        let mut tasks = Vec::new();
        for number in 0..64 {
            let (order, priority) = (order.clone(), PRIORITIES[number % 4]);
            let request = client.get(server.url("/")).priority(priority);
            tasks.push(tokio::spawn(async move {
                let response = request.send().await.unwrap();
                order.lock().unwrap().push((3 - number % 4, number));
                let waited = response.timeline().duration(Phase::HostPermit);
                assert!(waited > Duration::ZERO);
                response.text().await.unwrap();
            }));
        }
        turns().await;
        signal.set();
        for task in tasks {
            task.await.unwrap();
        }
        holder.await.unwrap().unwrap();
        let order = std::mem::take(&mut *order.lock().unwrap());
        assert!(order.is_sorted(), "{order:?}");
        idles(&client).await;
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_deadline_is_kept_in_line_for_a_stream() {
    let signal = Signal::new();
    let server = one_stream(&signal);
    run(async {
        let client = wide_client(64);
        get(&client, &server).await;
        let holder = tokio::spawn(client.get(server.url("/")).send());
        turns().await;
        let request = client
            .get(server.url("/"))
            .timeout(Duration::from_millis(20));
        let error = request.send().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Timeout, Some(Phase::HostPermit))
        );
        drop(error);
        signal.set();
        holder.await.unwrap().unwrap();
        get(&client, &server).await;
        idles(&client).await;
    });
    // The two first requests, and the last one: the one that was late was not sent.
    let seen = &server.frames()[0];
    let requests = seen.iter().filter(|frame| frame.kind == frames::HEADERS);
    assert_eq!(requests.count(), 3);
}

#[test]
fn a_server_that_permits_no_stream_lets_all_expire() {
    let steps = [
        greeting(&[(frames::MAX_CONCURRENT_STREAMS, 0)]),
        vec![Step::Repeat(vec![
            Step::read_frame(frames::HEADERS),
            Step::answer(|request| frames::rst(request.stream, 7)),
        ])],
    ]
    .concat();
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let timeouts = Timeouts::default().permit(Duration::from_millis(50));
        let limits = Limits::default().per_host(16);
        let client = builder().timeouts(timeouts).limits(limits).build().unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|_| tokio::spawn(client.get(server.url("/")).send()))
            .collect();
        for task in tasks {
            let error = task.await.unwrap().unwrap_err();
            let said = (error.kind(), error.phase());
            assert_eq!(
                said,
                (ErrorKind::Timeout, Some(Phase::HostPermit)),
                "{error}"
            );
        }
        idles(&client).await;
    });
    assert_eq!(server.connections(), 1);
}

/// A request without a deadline waits for as long as a connection may rest, and its error says for what.
#[test]
fn a_request_without_a_deadline_is_told_that_its_server_permits_none() {
    let steps = [
        greeting(&[(frames::MAX_CONCURRENT_STREAMS, 0)]),
        vec![Step::Repeat(vec![
            Step::read_frame(frames::HEADERS),
            Step::answer(|request| frames::rst(request.stream, 7)),
        ])],
    ]
    .concat();
    let server = Script::new().accept(steps).repeat_last().start().unwrap();
    run(async {
        let rest = Duration::from_millis(100);
        let timeouts = Timeouts::default().idle(rest);
        let client = builder().timeouts(timeouts).build().unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|_| tokio::spawn(client.post(server.url("/")).body("content").send()))
            .collect();
        for task in tasks {
            let error = task.await.unwrap().unwrap_err();
            assert!(error.is_retryable(), "nothing was sent: {error:?}");
            let said = (error.kind(), error.phase());
            assert_eq!(said, (ErrorKind::Io, Some(Phase::HostPermit)), "{error}");
            let words = "server permits no requests on its connection";
            assert!(error.to_string().contains(words), "{error}");
            let timeline = error.timeline().unwrap();
            assert!(timeline.duration(Phase::HostPermit) >= rest, "{timeline:?}");
        }
        idles(&client).await;
    });
    assert_eq!(server.connections(), 1);
}

/// The connection has said once how many it carries; the scheduler knows it still after other hosts were asked.
#[test]
fn what_a_connection_carries_outlives_the_idleness_of_its_host() {
    let server = server_with(Http2 {
        max_concurrent_streams: Some(4),
        ..Http2::default()
    });
    let others = [ground::server(), ground::server()];
    run(async {
        let limits = Limits::default().per_host(64).idle_hosts(1);
        let client = builder().limits(limits).build().unwrap();
        for server in std::iter::once(&server).chain(&others) {
            let response = client.get(server.url("/small")).send().await.unwrap();
            response.text().await.unwrap();
        }
        let mut sends: Vec<_> = (0..64)
            .map(|_| Box::pin(client.get(server.url("/small")).send()))
            .collect();
        for send in &mut sends {
            assert!(poll_few(send.as_mut(), 1).await.is_none());
        }
        let busy = client.audit().scheduler.busy;
        let found: Vec<_> = busy.iter().map(|it| (it.running, it.waiting)).collect();
        assert_eq!(found, [(4, 60)], "what is more waits in the scheduler");
        for send in sends {
            send.await.unwrap().text().await.unwrap();
        }
        idles(&client).await;
    });
    let stats = server.stop().http2;
    assert_eq!((stats.connections, stats.resets_sent.total()), (1, 0));
    assert!(stats.streams_peak <= 4, "{stats:?}");
}

#[test]
fn a_limit_that_is_raised_lets_all_go() {
    let signal = Signal::new();
    let ack = Step::read_until(|frame| frame.kind == frames::SETTINGS && frame.has(frames::ACK));
    let steps = [
        greeting(&[(frames::MAX_CONCURRENT_STREAMS, 1)]),
        vec![
            Step::read_frame(frames::HEADERS),
            Step::send(answer(1, "first")),
            ack.clone(),
            Step::send(frames::settings(&[(frames::MAX_CONCURRENT_STREAMS, 0)])),
            ack,
            Step::Await(signal.clone()),
            Step::send(frames::settings(&[(frames::MAX_CONCURRENT_STREAMS, 100)])),
            // All of them are there before one is answered.
            Step::Repeat(vec![
                Step::read_until(|frame| frame.kind == frames::HEADERS && frame.stream == 129),
                Step::answer(|_| (1..=64).flat_map(|n| answer(2 * n + 1, "hello")).collect()),
            ]),
        ],
    ]
    .concat();
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let client = wide_client(64);
        get(&client, &server).await;
        let acks = || {
            let seen = &server.frames()[0];
            let acks = seen.iter().filter(|frame| frame.kind == frames::SETTINGS);
            acks.filter(|frame| frame.has(frames::ACK)).count()
        };
        while acks() < 2 {
            tokio::task::yield_now().await;
        }
        let tasks: Vec<_> = (0..64)
            .map(|_| tokio::spawn(client.get(server.url("/")).send()))
            .collect();
        turns().await;
        let late = client
            .get(server.url("/"))
            .timeout(Duration::from_millis(20));
        assert!(late.send().await.unwrap_err().is_timeout());
        signal.set();
        for task in tasks {
            let response = task.await.unwrap().unwrap();
            assert!(response.timeline().duration(Phase::HostPermit) > Duration::ZERO);
            response.text().await.unwrap();
        }
        idles(&client).await;
    });
    assert_eq!(server.connections(), 1);
}
