//! The life of a connection: at rest, silent, closed by either side, and left by its runtime.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use turbohttp::{Client, ErrorKind, Limits, Shutdown, Timeouts, Tls};
use turbohttp_loopback::Http2;
use turbohttp_loopback::script::{Script, ScriptServer, Signal, Step, frames};
use turbohttp_loopback::tls::TestCa;

use super::ground::{
    answer, answer_all, builder, greeting, idles, poll_few, poll_times, run, server_with,
    wide_client,
};

async fn get(client: &Client, server: &ScriptServer) -> turbohttp::Result<String> {
    client.get(server.url("/")).send().await?.text().await
}

/// The first request is answered, then come these steps; on the next connection all are answered.
fn after_the_first(steps: impl IntoIterator<Item = Step>) -> ScriptServer {
    let mut first = greeting(&[]);
    first.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(answer(1, "first")),
    ]);
    first.extend(steps);
    let next = [greeting(&[]), vec![answer_all()]].concat();
    Script::new().accept(first).accept(next).start().unwrap()
}

fn count(server: &ScriptServer, connection: usize, kind: u8) -> usize {
    let seen = &server.frames()[connection];
    seen.iter().filter(|frame| frame.kind == kind).count()
}

#[test]
fn a_black_hole_is_left_after_one_ping() {
    let server = after_the_first([Step::Stall]);
    run(async {
        let client = wide_client(16);
        get(&client, &server).await.unwrap();
        let request = client
            .get(server.url("/"))
            .timeout(Duration::from_millis(500));
        let error = request.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        drop(error);
        // More of them are given up while the question is open: nothing more is asked.
        for _ in 0..8 {
            let mut dropped = Box::pin(client.get(server.url("/")).send());
            assert!(poll_times(dropped.as_mut(), 1).await.is_none());
        }
        assert_eq!(get(&client, &server).await.unwrap(), "hello");
        idles(&client).await;
    });
    assert_eq!(server.connections(), 2);
    assert_eq!(count(&server, 0, frames::PING), 1);
    // Those that were given up meanwhile had not been sent.
    assert_eq!(count(&server, 0, frames::HEADERS), 2);
}

#[test]
fn a_thousand_requests_given_up_cost_a_living_server_one_ping() {
    let ping = Step::Repeat(vec![
        Step::read_frame(frames::PING),
        Step::answer(|ping| frames::ping(true, ping.payload[..].try_into().unwrap())),
    ]);
    let server = after_the_first([ping]);
    run(async {
        let client = wide_client(16);
        get(&client, &server).await.unwrap();
        for _ in 0..1_000 {
            let mut dropped = Box::pin(client.get(server.url("/")).send());
            poll_few(dropped.as_mut(), 2).await;
        }
        idles(&client).await;
    });
    assert_eq!(server.connections(), 1);
    assert_eq!(count(&server, 0, frames::PING), 1);
}

#[test]
fn a_ping_at_rest_is_answered() {
    let server = after_the_first([
        Step::send(frames::ping(false, *b"at rest?")),
        Step::read_until(|frame| {
            frame.kind == frames::PING && frame.has(frames::ACK) && frame.payload == b"at rest?"
        }),
    ]);
    run(async {
        let client = wide_client(4);
        get(&client, &server).await.unwrap();
        // The script ends, and with it the connection, once the answer is there.
        server.all_closed().await;
        rested().await;
        let posted = client
            .post(server.url("/"))
            .body("content")
            .send()
            .await
            .unwrap();
        assert_eq!(posted.text().await.unwrap(), "hello");
    });
}

/// Waits outside of the client's runtime until its connection has rested for a moment.
fn rest(server: Option<&ScriptServer>) {
    run(async {
        if let Some(server) = server {
            server.all_closed().await;
        }
        rested().await;
    });
}

/// A connection is asked for its health only when it has rested for 1 ms.
async fn rested() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_post_succeeds_after_the_server_closed_a_runtime_that_nobody_drove() {
    let signal = Signal::new();
    let server = after_the_first([Step::Await(signal.clone()), Step::Close]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = wide_client(4);
    runtime.block_on(get(&client, &server)).unwrap();
    signal.set();
    rest(Some(&server));
    let posted = runtime.block_on(async {
        let request = client.post(server.url("/")).body("content");
        request.send().await.unwrap().text().await.unwrap()
    });
    assert_eq!(posted, "hello");
    assert_eq!(count(&server, 0, frames::HEADERS), 1);
}

/// Reads frames until HEADERS have come; which stream they open.
fn read_request(stream: &mut impl Read, seen: &mut Vec<u8>) -> u32 {
    loop {
        while let Some((frame, length)) = frames::first(seen) {
            seen.drain(..length);
            if frame.kind == frames::HEADERS {
                return frame.stream;
            }
        }
        let mut piece = [0; 4_096];
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "the client closed");
        seen.extend_from_slice(&piece[..length]);
    }
}

#[test]
fn tls_records_without_data_hold_up_no_request() {
    let ca = TestCa::new();
    let config = ca.server_config_with_alpn(&["127.0.0.1"], &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let (rests, has_rested) = mpsc::channel();
    let (spoke, has_spoken) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), tcp);
        let mut preface = [0; frames::PREFACE.len()];
        stream.read_exact(&mut preface).unwrap();
        let mut seen = Vec::new();
        let first = read_request(&mut stream, &mut seen);
        stream.write_all(&frames::settings(&[])).unwrap();
        stream.write_all(&answer(first, "first")).unwrap();
        stream.flush().unwrap();
        has_rested.recv().unwrap();
        // KeyUpdate: a record of the session alone.
        stream.conn.refresh_traffic_keys().unwrap();
        assert!(stream.conn.write_tls(&mut stream.sock).unwrap() > 0);
        spoke.send(()).unwrap();
        let second = read_request(&mut stream, &mut seen);
        stream.write_all(&answer(second, "second")).unwrap();
        stream.flush().unwrap();
        _ = stream.read(&mut preface);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
    let timeouts = Timeouts::default().head(Duration::from_secs(4));
    let client = Client::builder()
        .tls(tls)
        .timeouts(timeouts)
        .build()
        .unwrap();
    for expected in ["first", "second"] {
        let text = runtime.block_on(async {
            let response = client.get(&url).send().await.unwrap();
            response.text().await.unwrap()
        });
        assert_eq!(text, expected);
        if expected == "first" {
            rests.send(()).unwrap();
            has_spoken.recv().unwrap();
            rest(None);
        }
    }
    drop(client);
    drop(runtime);
    server.join().unwrap();
}

#[test]
fn who_waits_gets_an_error_when_the_runtime_of_the_connection_ends() {
    let server = server_with(Http2 {
        max_concurrent_streams: Some(1),
        ..Http2::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = wide_client(1);
    let small = client.get(server.url("/small")).send();
    drop(runtime.block_on(small).unwrap());
    let mut awaits_head = pin!(client.post(server.url("/never")).send());
    runtime.block_on(async {
        assert!(poll_times(awaits_head.as_mut(), 1).await.is_none());
        // One that was not written would be sent again.
        while server.stats().requests < 2 {
            tokio::task::yield_now().await;
        }
    });
    runtime.shutdown_background();
    run(async {
        let error = awaits_head.await.unwrap_err();
        assert!(
            error.is_closed() || error.kind() == ErrorKind::Runtime,
            "{error:?}"
        );
        drop(error);
        // In another runtime there is another connection.
        let response = client.get(server.url("/small")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "Hello, world!");
        idles(&client).await;
    });
}

#[test]
fn a_body_gets_an_error_when_the_runtime_of_the_connection_ends() {
    let server = server_with(Http2::default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = wide_client(4);
    let url = server.url("/bytes/50000000");
    let mut response = runtime.block_on(client.get(url).send()).unwrap();
    runtime.shutdown_background();
    run(async {
        let error = loop {
            match response.chunk().await {
                Ok(chunk) => assert!(chunk.is_some(), "the body is not whole"),
                Err(error) => break error,
            }
        };
        assert!(error.is_closed(), "{error:?}");
    });
}

/// Waits until the client has no connection any more.
async fn closes(client: &Client) {
    while client.stats().net.unwrap().open > 0 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn every_close_ends_and_leaves_nothing() {
    let within = Duration::from_millis(50);
    let modes = [
        Shutdown::Drain { within },
        Shutdown::CancelPending { within },
        Shutdown::Now,
    ];
    for mode in modes {
        let server = server_with(Http2 {
            max_concurrent_streams: Some(2),
            ..Http2::default()
        });
        run(async {
            let client = wide_client(8);
            drop(client.get(server.url("/small")).send().await.unwrap());
            let unread = client
                .get(server.url("/bytes/50000000"))
                .send()
                .await
                .unwrap();
            let sends: Vec<_> = (0..8)
                .map(|_| tokio::spawn(client.get(server.url("/never")).send()))
                .collect();
            tokio::task::yield_now().await;
            let report = client.close(mode).await;
            // Those that were sent, and the response that is unread.
            assert_eq!(
                (report.accepted, report.ended.aborted),
                (9, 2),
                "{report:?}"
            );
            for send in sends {
                assert!(send.await.unwrap().is_err());
            }
            drop(unread);
            assert!(
                client
                    .get(server.url("/small"))
                    .send()
                    .await
                    .unwrap_err()
                    .is_closed()
            );
            closes(&client).await;
            idles(&client).await;
            server.all_closed().await;
        });
        let stats = server.stop().http2;
        // Closed at once over what is unread, a socket loses its last words.
        if mode != Shutdown::Now {
            assert_eq!(stats.goaways_received, 1, "{mode:?} {stats:?}");
        }
    }
}

#[test]
fn a_server_that_takes_nothing_does_not_keep_its_connection() {
    let server = after_the_first([Step::Deaf]);
    run(async {
        let timeouts = Timeouts::default().idle(Duration::from_millis(500));
        let limits = Limits::default().per_host(200);
        let client = builder().timeouts(timeouts).limits(limits).build().unwrap();
        get(&client, &server).await.unwrap();
        // More than the buffers of the system take: heads of 60 KB.
        let sends: Vec<_> = (0..100)
            .map(|_| {
                let request = client
                    .get(server.url("/"))
                    .header("x-large", "a".repeat(60_000));
                tokio::spawn(request.timeout(Duration::from_millis(200)).send())
            })
            .collect();
        for send in sends {
            assert!(send.await.unwrap().unwrap_err().is_timeout());
        }
        closes(&client).await;
        idles(&client).await;
    });
}

#[test]
fn a_connection_ends_when_it_has_rested_for_long_or_lived_for_long() {
    let once = Duration::from_millis(400);
    for timeouts in [
        Timeouts::default().idle(once),
        Timeouts::default().lifetime(once),
    ] {
        let server = server_with(Http2::default());
        run(async {
            let client = builder().timeouts(timeouts).build().unwrap();
            for _ in 0..2 {
                let response = client.get(server.url("/small")).send().await.unwrap();
                response.text().await.unwrap();
                closes(&client).await;
            }
            idles(&client).await;
            server.all_closed().await;
        });
        let stats = server.stop().http2;
        assert_eq!((stats.connections, stats.goaways_received), (2, 2));
    }
}

#[test]
fn a_signal_that_never_comes_is_waited_for_until_the_deadline_of_the_body() {
    let signal = Signal::new();
    let head = frames::block(&[(":status", "200"), ("content-length", "10")]);
    let half = [
        frames::headers(3, frames::END_HEADERS, &head),
        frames::data(3, 0, b"half."),
    ];
    let server = after_the_first([
        Step::read_frame(frames::HEADERS),
        Step::send(half.concat()),
        Step::Await(signal),
    ]);
    run(async {
        let timeouts = Timeouts::default().body(Duration::from_millis(500));
        let client = builder().timeouts(timeouts).build().unwrap();
        get(&client, &server).await.unwrap();
        let mut response = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(response.remaining(), Some(10));
        assert_eq!(response.chunk().await.unwrap().unwrap(), &b"half."[..]);
        let error = response.chunk().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("more of the body"), "{error}");
    });
}
