//! The options of HTTP/2: what they change on the wire, and their bounds.

use std::pin::pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use turbohttp::{
    Client, ClientBuilder, ErrorKind, Limits, Response, Result, Timeouts, Tls, Version,
};
use turbohttp_loopback::script::{Script, ScriptServer, Signal, Step, frames};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Http2, Server};

use super::ground::{
    GUARD, answer, answer_all, builder, client, greeting, idles, one_at_once, poll_few, run,
    server_with,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A setting of the client (RFC 9113 section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

fn answering() -> ScriptServer {
    let steps = [greeting(&[]), vec![answer_all()]].concat();
    Script::new().accept(steps).start().unwrap()
}

fn limited(limits: Limits) -> Client {
    builder().limits(limits).build().unwrap()
}

async fn get(client: &Client, server: &ScriptServer) -> Result<String> {
    client.get(server.url("/")).send().await?.text().await
}

/// The windows that a client with these limits announces: that of the connection, and that of a stream.
fn windows(limits: Limits) -> (u32, u32) {
    let server = answering();
    run(async {
        let client = limited(limits);
        assert_eq!(get(&client, &server).await.unwrap(), "hello");
        idles(&client).await;
    });
    let frames = server.frames();
    // So little content is received that no credit for it follows.
    let updates = frames[0]
        .iter()
        .filter(|frame| frame.kind == frames::WINDOW_UPDATE && frame.stream == 0);
    let more: u32 = updates.map(|frame| frame.number(0).unwrap()).sum();
    let settings = frames[0][0].settings();
    let stream = settings.iter().find(|(id, _)| *id == INITIAL_WINDOW_SIZE);
    (65_535 + more, stream.unwrap().1)
}

#[test]
fn windows_are_those_of_the_options() {
    let limits = Limits::default();
    let kib = |bytes: usize| (bytes * KIB) as u32;
    assert_eq!(windows(limits), (kib(32 * KIB), kib(256)));
    let small = limits.h2_receive_bytes(64 * KIB).h2_window(64 * KIB);
    assert_eq!(windows(small), (kib(64), kib(64)));
    let large = limits.h2_receive_bytes((1 << 31) - 1).h2_window(16 * MIB);
    assert_eq!(windows(large.per_host(16)), ((1 << 31) - 1, kib(16 * KIB)));
    // All streams together fit into half the window of the connection.
    let shared = limits.per_host(32).h2_receive_bytes(8 * MIB);
    assert_eq!(windows(shared), (kib(8 * KIB), kib(128)));
}

#[test]
fn windows_out_of_their_bounds_are_errors_that_name_them() {
    let limits = Limits::default();
    let cases = [
        (limits.h2_receive_bytes(64 * KIB - 1), "h2_receive_bytes"),
        (limits.h2_receive_bytes(1 << 31), "h2_receive_bytes"),
        (limits.h2_window(64 * KIB - 1), "h2_window"),
        (limits.h2_window(32 * MIB + 1), "h2_window"),
        (limits.h2_receive_bytes(128 * KIB), "h2_window"),
    ];
    for (limits, option) in cases {
        let error = Client::builder().limits(limits).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.to_string();
        assert!(message.contains(option), "{message}");
    }
}

#[test]
fn a_small_window_of_the_connection_takes_few_streams_and_all_requests() {
    let server = server_with(Http2::default());
    run(async {
        let limits = Limits::default().per_host(4);
        let client = limited(limits.h2_receive_bytes(128 * KIB).h2_window(64 * KIB));
        let get = || client.get(server.url("/bytes/300000")).send();
        let first = get().await.unwrap();
        let second = get().await.unwrap();
        let mut third = pin!(get());
        assert!(poll_few(third.as_mut(), 50).await.is_none());
        for unread in [first, second] {
            assert_eq!(unread.bytes().await.unwrap().len(), 300_000);
        }
        let third = third.await.unwrap();
        assert_eq!(third.bytes().await.unwrap().len(), 300_000);
        idles(&client).await;
    });
    assert_eq!(server.stop().http2.streams_peak, 2);
}

/// Two requests on a connection of HTTP/1.1, to which nothing else was offered. The first answer is whole when
/// the signal has come.
/// Each connection carries 4 requests.
fn of_four() -> Server {
    server_with(Http2 {
        max_concurrent_streams: Some(4),
        ..Http2::default()
    })
}

/// A client that may have two connections to a host, and responses whose bodies are on them.
async fn unread(client: &Client, server: &Server, count: usize) -> Vec<Response> {
    let mut unread = Vec::new();
    for _ in 0..count {
        let url = server.url("/bytes/50000000");
        unread.push(client.get(url).send().await.unwrap());
    }
    unread
}

fn connection_of(response: &Response) -> Option<u64> {
    response.timeline().connection_id()
}

#[test]
fn another_connection_is_made_where_those_that_are_there_are_full() {
    let server = of_four();
    run(async {
        let client = limited(Limits::default().h2_connections_per_host(2));
        let mut responses = unread(&client, &server, 8).await;
        let ids: Vec<_> = responses.iter().map(connection_of).collect();
        assert!(ids[..4].iter().all(|id| *id == ids[0]), "{ids:?}");
        assert!(ids[4..].iter().all(|id| *id == ids[4]), "{ids:?}");
        assert_ne!(ids[0], ids[4]);
        // What is more than both carry waits in the scheduler.
        let mut ninth = Box::pin(client.get(server.url("/small")).send());
        assert!(poll_few(ninth.as_mut(), 5).await.is_none());
        let busy = client.audit().scheduler.busy;
        assert_eq!((busy[0].limit, busy[0].running, busy[0].waiting), (8, 8, 1));
        // The second one has three left, and the first one two: the fullest one with room is taken.
        drop(responses.drain(6..));
        drop(responses.remove(0));
        assert_eq!(connection_of(&ninth.await.unwrap()), ids[0]);
        drop(responses);
        idles(&client).await;
    });
    assert_eq!(server.stop().http2.connections, 2);
}

#[test]
fn one_connection_is_the_default() {
    let server = of_four();
    run(async {
        let client = client();
        let responses = unread(&client, &server, 4).await;
        let mut fifth = Box::pin(client.get(server.url("/small")).send());
        assert!(poll_few(fifth.as_mut(), 5).await.is_none());
        drop(responses);
        fifth.await.unwrap();
    });
    assert_eq!(server.stop().http2.connections, 1);
}

#[test]
fn a_connection_that_cannot_be_made_leaves_the_request_to_the_one_that_is_full() {
    let (ca, signal) = (TestCa::new(), Signal::new());
    // There is no other handshake.
    let server = of_one_and(vec![Step::Close], &ca, &signal);
    let url = format!("https://{}/", server.addr());
    run(async {
        let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
        let limits = Limits::default().h2_connections_per_host(2);
        let client = Client::builder().tls(tls).limits(limits).build().unwrap();
        let get = || tokio::spawn(client.get(&url).send());
        let first = get().await.unwrap().unwrap();
        assert_eq!(first.text().await.unwrap(), "first");
        let second = get();
        tokio::task::yield_now().await;
        let third = get();
        while server.connections() < 2 {
            tokio::task::yield_now().await;
        }
        signal.set();
        second.await.unwrap().unwrap();
        third.await.unwrap().unwrap();
        idles(&client).await;
    });
    assert_eq!(server.connections(), 2);
}

/// A script of TLS whose first connection is [`one_at_once`]. What becomes of the second one, `other` says.
fn of_one_and(other: Vec<Step>, ca: &TestCa, signal: &Signal) -> ScriptServer {
    let config = ca.server_config_with_alpn(&["127.0.0.1"], &["h2", "http/1.1"]);
    let mut one = vec![Step::Handshake(config)];
    one.extend(one_at_once(signal));
    let script = Script::new().accept(one).accept(other);
    script.repeat_last().start().unwrap()
}

fn of_two(ca: &TestCa) -> ClientBuilder {
    let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
    let limits = Limits::default().h2_connections_per_host(2);
    Client::builder().tls(tls).limits(limits)
}

/// Two requests at once, of which the second waits for the dial of another connection, which has begun.
async fn two_on_one(client: &Client, server: &ScriptServer) -> [JoinHandle<Result<Response>>; 2] {
    let url = format!("https://{}/", server.addr());
    let get = || tokio::spawn(client.get(&url).send());
    assert_eq!(get().await.unwrap().unwrap().text().await.unwrap(), "first");
    let second = get();
    tokio::task::yield_now().await;
    let third = get();
    while server.connections() < 2 {
        tokio::task::yield_now().await;
    }
    [second, third]
}

#[test]
fn a_request_that_waits_for_a_dial_takes_a_stream_that_comes_free_and_the_dial_goes_on() {
    let (ca, signal, handshake) = (TestCa::new(), Signal::new(), Signal::new());
    let config = ca.server_config_with_alpn(&["127.0.0.1"], &["h2"]);
    let other = [
        vec![Step::Await(handshake.clone()), Step::Handshake(config)],
        greeting(&[]),
        vec![answer_all()],
    ]
    .concat();
    let server = of_one_and(other, &ca, &signal);
    run(async {
        // No limit on connecting ends the dial before the guard does.
        let timeouts = Timeouts::default().connect(2 * GUARD).tls(2 * GUARD);
        let client = of_two(&ca).timeouts(timeouts).build().unwrap();
        let sent = two_on_one(&client, &server).await;
        signal.set();
        let mut ids = Vec::new();
        for sent in sent {
            let response = sent.await.unwrap().unwrap();
            ids.push(connection_of(&response));
            response.text().await.unwrap();
        }
        assert_eq!(ids[0], ids[1]);
        idles(&client).await;
        handshake.set();
        while client.stats().net.unwrap().http2_connections < 2 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_dial_without_requests_ends_with_its_client() {
    let (ca, signal) = (TestCa::new(), Signal::new());
    let server = of_one_and(vec![Step::Stall], &ca, &signal);
    run(async {
        let timeouts = Timeouts::default().connect(2 * GUARD).tls(2 * GUARD);
        let client = of_two(&ca).timeouts(timeouts).build().unwrap();
        let sent = two_on_one(&client, &server).await;
        signal.set();
        for sent in sent {
            sent.await.unwrap().unwrap().text().await.unwrap();
        }
        drop(client);
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn the_scheduler_lets_nobody_through_for_a_connection_that_could_not_be_made() {
    let (ca, signal) = (TestCa::new(), Signal::new());
    let server = of_one_and(vec![Step::Close], &ca, &signal);
    run(async {
        let client = of_two(&ca).build().unwrap();
        let limit = || client.audit().scheduler.busy[0].limit;
        let sent = two_on_one(&client, &server).await;
        while limit() > 1 {
            tokio::task::yield_now().await;
        }
        let mut fourth = Box::pin(client.get(format!("https://{}/", server.addr())).send());
        assert!(poll_few(fourth.as_mut(), 5).await.is_none());
        let busy = client.audit().scheduler.busy;
        assert_eq!((busy[0].limit, busy[0].running, busy[0].waiting), (1, 2, 1));
        signal.set();
        for sent in sent {
            sent.await.unwrap().unwrap().text().await.unwrap();
        }
        fourth.await.unwrap().text().await.unwrap();
        idles(&client).await;
    });
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_number_of_connections_has_bounds() {
    for connections in [0, 257] {
        let limits = Limits::default().h2_connections_per_host(connections);
        let error = Client::builder().limits(limits).build().unwrap_err();
        let said = error.to_string();
        assert!(said.contains("limits.h2_connections_per_host"), "{said}");
    }
}

fn by_http1(ca: &TestCa, signal: &Signal) -> Vec<Step> {
    let both = ca.server_config_with_alpn(&["127.0.0.1"], &["h2", "http/1.1"]);
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    vec![
        Step::Handshake(both),
        Step::ReadHead,
        Step::send(format!("{head}hel")),
        Step::Await(signal.clone()),
        Step::send("lo"),
        Step::ReadHead,
        Step::send(format!("{head}hello")),
    ]
}

fn by_http2(ca: &TestCa) -> Vec<Step> {
    let both = ca.server_config_with_alpn(&["127.0.0.1"], &["h2", "http/1.1"]);
    [
        vec![Step::Handshake(both)],
        greeting(&[]),
        vec![answer_all()],
    ]
    .concat()
}

#[test]
fn one_request_goes_by_http1_beside_a_shared_connection() {
    for is_http1_first in [false, true] {
        let (ca, signal) = (TestCa::new(), Signal::new());
        let script = match is_http1_first {
            true => Script::new()
                .accept(by_http1(&ca, &signal))
                .accept(by_http2(&ca)),
            false => Script::new()
                .accept(by_http2(&ca))
                .accept(by_http1(&ca, &signal)),
        };
        let server = script.start().unwrap();
        let url = format!("https://{}/", server.addr());
        run(async {
            let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
            let client = Client::builder().tls(tls).build().unwrap();
            let send = async |version: Version| {
                let mut request = client.get(&url);
                if version == Version::HTTP_11 {
                    request = request.version(version);
                }
                let response = request.send().await.unwrap();
                assert_eq!(response.version(), version);
                response
            };
            if !is_http1_first {
                send(Version::HTTP_2).await;
            }
            let not_whole = send(Version::HTTP_11).await;
            send(Version::HTTP_2).await;
            signal.set();
            assert_eq!(not_whole.text().await.unwrap(), "hello");
            send(Version::HTTP_11).await;
            send(Version::HTTP_2).await;
            idles(&client).await;
        });
        assert_eq!(server.connections(), 2);
    }
}

#[test]
fn what_needs_http1_is_refused_by_a_client_that_speaks_http2_only() {
    let server = answering();
    run(async {
        let client = builder().build().unwrap();
        // Without a connection, and with one.
        for _ in 0..2 {
            let refused = [
                client.get(server.url("/")).version(Version::HTTP_11),
                client.get(server.url("/")).upgrade("echo"),
            ];
            for request in refused {
                let error = request.send().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Request);
                assert!(!error.is_retryable());
                let message = error.to_string();
                assert!(message.contains("http2_prior_knowledge"), "{message}");
            }
            assert_eq!(get(&client, &server).await.unwrap(), "hello");
        }
        idles(&client).await;
    });
    assert_eq!(server.connections(), 1);
    let seen = &server.frames()[0];
    let requests = seen.iter().filter(|frame| frame.kind == frames::HEADERS);
    assert_eq!(requests.count(), 2);
}

/// The least interval of keep-alive, which these tests take.
const PING: Duration = Duration::from_secs(1);

fn pinging() -> Client {
    let timeouts = Timeouts::default().ping(PING);
    builder().timeouts(timeouts).build().unwrap()
}

fn pings(server: &ScriptServer) -> usize {
    let seen = &server.frames()[0];
    let pings = seen.iter().filter(|frame| frame.kind == frames::PING);
    pings.count()
}

/// A PING is read and answered.
fn pong() -> [Step; 2] {
    [
        Step::read_frame(frames::PING),
        Step::answer(|ping| frames::ping(true, ping.payload[..].try_into().unwrap())),
    ]
}

#[test]
fn a_response_that_is_silent_for_long_comes_from_a_server_that_answers_pings() {
    let mut steps = greeting(&[]);
    steps.push(Step::read_frame(frames::HEADERS));
    steps.extend(pong());
    steps.extend(pong());
    steps.push(Step::send(answer(1, "late")));
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let client = pinging();
        assert_eq!(get(&client, &server).await.unwrap(), "late");
        idles(&client).await;
    });
    assert_eq!((server.connections(), pings(&server)), (1, 2));
}

#[test]
fn a_server_that_answers_no_ping_fails_its_requests() {
    let half = frames::headers(
        3,
        frames::END_HEADERS,
        &frames::block(&[(":status", "200")]),
    );
    let mut steps = greeting(&[]);
    steps.extend([
        Step::read_frame(frames::HEADERS),
        Step::read_frame(frames::HEADERS),
        Step::send(half),
        Step::Stall,
    ]);
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let client = pinging();
        let posted = tokio::spawn(client.post(server.url("/")).body("content").send());
        // Its stream is the first.
        let is_sent = || {
            let connections = server.frames();
            let mut seen = connections.iter().flatten();
            seen.any(|frame| frame.kind == frames::HEADERS)
        };
        while !is_sent() {
            tokio::task::yield_now().await;
        }
        let response = client.get(server.url("/")).send().await.unwrap();
        let in_body = response.bytes().await.unwrap_err();
        let error = posted.await.unwrap().unwrap_err();
        for error in [in_body, error] {
            assert_eq!(error.kind(), ErrorKind::Io);
            let message = error.to_string();
            assert!(
                message.contains("did not answer a PING within 1 s"),
                "{message}"
            );
            // What a POST has done is not known, nor is a part of an answer sent again.
            assert!(!error.is_retryable(), "{error:?}");
        }
        idles(&client).await;
    });
    assert_eq!((server.connections(), pings(&server)), (1, 1));
}

#[test]
fn a_request_on_a_connection_that_died_in_silence_is_sent_again_if_that_is_safe() {
    let mut steps = greeting(&[]);
    steps.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(answer(1, "hello")),
        Step::Stall,
    ]);
    let next = [greeting(&[]), vec![answer_all()]].concat();
    let server = Script::new().accept(steps).accept(next).start().unwrap();
    run(async {
        let client = pinging();
        for _ in 0..2 {
            assert_eq!(get(&client, &server).await.unwrap(), "hello");
        }
        idles(&client).await;
    });
    assert_eq!((server.connections(), pings(&server)), (2, 1));
}

#[test]
fn an_interval_of_ping_has_bounds() {
    let day = Duration::from_secs(24 * 60 * 60);
    let build = |interval| {
        let timeouts = Timeouts::default().ping(interval);
        Client::builder().timeouts(timeouts).build()
    };
    for interval in [PING, 49 * day] {
        assert!(build(interval).is_ok());
    }
    let out_of_bounds = [
        Duration::ZERO,
        PING - Duration::from_millis(1),
        50 * day,
        Duration::MAX,
    ];
    for interval in out_of_bounds {
        let error = build(interval).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.to_string();
        assert!(message.contains("timeouts.ping"), "{message}");
    }
}

#[test]
fn statistics_tell_of_connections_streams_and_glitches() {
    let serve = |pings: usize| {
        let mut steps = greeting(&[]);
        let pings = frames::ping(false, *b"how many").repeat(pings);
        let head = frames::block(&[(":status", "200")]);
        steps.extend([
            Step::read_frame(frames::HEADERS),
            Step::send([pings, frames::headers(1, frames::END_HEADERS, &head)].concat()),
            Step::read_frame(frames::RST_STREAM),
        ]);
        Script::new().accept(steps).start().unwrap()
    };
    let (plain, chatty) = (serve(0), serve(7));
    run(async {
        let client = builder().build().unwrap();
        let counts = || {
            let net = client.stats().net.unwrap();
            (net.http2_connections, net.http2_streams, net.http2_glitches)
        };
        assert_eq!(counts(), (0, 0, 0));
        let first = client.get(plain.url("/")).send().await.unwrap();
        let (_, _, usual) = counts();
        let second = client.get(chatty.url("/")).send().await.unwrap();
        assert_eq!(counts(), (2, 2, 2 * usual + 7));
        // Each script ends, and its connection.
        drop((first, second));
        while client.stats().net.unwrap().open > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(counts(), (0, 0, 2 * usual + 7));
        idles(&client).await;
    });
}
