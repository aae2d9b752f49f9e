//! What servers and readers do in the wild that a test of one rule does not meet.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use turbohttp::{
    Body, Client, ClientBuilder, ErrorKind, Limits, Phase, Proxy, Shutdown, Timeouts, Tls, Version,
};
use turbohttp_loopback::script::{Script, ScriptServer, Signal, Step, frames};
use turbohttp_loopback::tls::TestCa;

use super::ground::{
    answer, answer_all, builder, client, greeting, idles, poll_few, run, run_on_two, server,
    wide_client,
};

async fn get(client: &Client, server: &ScriptServer) -> turbohttp::Result<String> {
    client.get(server.url("/")).send().await?.text().await
}

/// Readers that kept up have large windows, which they leave full: there is room for others all the same.
#[test]
fn readers_that_were_fast_hold_up_nobody() {
    const READERS: usize = 16;
    let server = server();
    run_on_two(async {
        let client = client();
        let url = server.url("/bytes/1000000000");
        let mut readers = Vec::new();
        for _ in 0..READERS {
            let mut response = client.get(&url).send().await.unwrap();
            let mut read = 0;
            // Each alone, so that its window grows as far as it may.
            while read < 12_000_000 {
                read += response.chunk().await.unwrap().unwrap().len();
            }
            readers.push(response);
        }
        for _ in READERS..64 {
            let next = client.get(server.url("/bytes/1000000")).send().await;
            readers.push(next.unwrap());
        }
        drop(readers);
        idles(&client).await;
    });
}

#[test]
fn the_reason_of_a_server_that_goes_away_is_said() {
    let mut steps = greeting(&[]);
    steps.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(frames::goaway(1, 0xb, b"too_many_pings")),
        Step::Close,
    ]);
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let error = get(&client(), &server).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Io, Some(Phase::Wait))
        );
        assert!(error.to_string().contains("ENHANCE_YOUR_CALM"), "{error}");
    });
}

/// As servers of gRPC do, which measure how much is on its way: a PING for each piece of an upload.
#[test]
fn a_server_may_ask_as_often_as_it_is_sent_content() {
    const PIECES: usize = 2_000;
    // One piece after the other.
    let mut steps = greeting(&[(frames::INITIAL_WINDOW_SIZE, 5)]);
    steps.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(answer(1, "first")),
        Step::read_frame(frames::HEADERS),
    ]);
    steps.extend((0..PIECES).flat_map(|_| {
        [
            Step::ReadFrame(frames::DATA, Some(3)),
            Step::send(
                [
                    frames::ping(false, *b"bandwdth"),
                    frames::window_update(3, 5),
                ]
                .concat(),
            ),
        ]
    }));
    steps.extend([Step::send(answer(3, "second")), Step::Stall]);
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let client = client();
        assert_eq!(get(&client, &server).await.unwrap(), "first");
        let pieces = stream::iter(0..PIECES).map(|_| Ok(Bytes::from_static(b"piece")));
        let request = client.post(server.url("/"));
        let response = request.body(Body::from_stream(pieces, None)).send().await;
        assert_eq!(response.unwrap().text().await.unwrap(), "second");
    });
}

#[test]
fn a_server_that_answers_by_http1_is_named() {
    let refusal = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
    // Also where it comes before the request is written: another connection would meet the same.
    for first in [vec![Step::ReadPreface], Vec::new()] {
        let steps = [first, vec![Step::send(refusal), Step::Close]].concat();
        let server = Script::new().accept(steps).repeat_last().start().unwrap();
        run(async {
            for connections in 1..=10 {
                let error = get(&client(), &server).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
                assert!(error.to_string().contains("HTTP/1.1"), "{error}");
                assert_eq!(server.received().len(), connections);
            }
        });
    }
}

/// The request ends while the response is read: what is waited for from then on is the response.
#[test]
fn the_end_of_an_upload_leaves_the_limit_of_the_body() {
    let mut steps = greeting(&[]);
    let head = frames::block(&[(":status", "200")]);
    steps.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(frames::headers(1, frames::END_HEADERS, &head)),
        Step::Stall,
    ]);
    let server = Script::new().accept(steps).start().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let pieces =
        stream::once(async { Ok(Bytes::from_static(b"piece")) }).chain(stream::once(async move {
            ended.await.unwrap();
            Ok(Bytes::new())
        }));
    run(async {
        let timeouts = Timeouts::default()
            .head(Duration::from_secs(3_600))
            .body(Duration::from_secs(1));
        let client = builder().timeouts(timeouts).build().unwrap();
        let request = client.post(server.url("/"));
        let sent = request.body(Body::from_stream(pieces, None)).send().await;
        let mut response = sent.unwrap();
        let mut chunk = pin!(response.chunk());
        assert!(poll_few(chunk.as_mut(), 1).await.is_none());
        end.send(()).unwrap();
        let error = chunk.await.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Timeout, Some(Phase::Receive)),
            "{error}"
        );
    });
}

/// What was accepted before a close is still sent, on a new connection too.
#[test]
fn a_drain_sends_what_waits() {
    let mut first = greeting(&[]);
    let go = Signal::new();
    first.extend([
        Step::read_frame(frames::HEADERS),
        Step::Await(go.clone()),
        Step::send([answer(1, "first"), frames::goaway(1, 0, b"")].concat()),
        Step::Close,
    ]);
    let next = [greeting(&[]), vec![answer_all()]].concat();
    let server = Script::new().accept(first).accept(next).start().unwrap();
    run(async {
        let client = wide_client(1);
        let sends: Vec<_> = (0..4)
            .map(|_| {
                let sent = client.get(server.url("/")).send();
                tokio::spawn(async move { sent.await?.text().await })
            })
            .collect();
        tokio::task::yield_now().await;
        let within = Duration::from_secs(10);
        let mut closing = pin!(client.close(Shutdown::Drain { within }));
        assert!(poll_few(closing.as_mut(), 2).await.is_none());
        go.set();
        let report = closing.await;
        assert_eq!(report.ended.aborted, 0, "{report:?}");
        for send in sends {
            send.await.unwrap().unwrap();
        }
        idles(&client).await;
    });
}

/// Two runtimes have a connection each; the one that carried one request at a time ends.
#[test]
fn a_connection_that_ends_takes_its_limit_along() {
    let (shrink, end) = (Signal::new(), Signal::new());
    let few = [(frames::MAX_CONCURRENT_STREAMS, 1)];
    let mut narrow = greeting(&[]);
    narrow.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(answer(1, "first")),
        Step::Await(shrink.clone()),
        Step::send([frames::settings(&few), frames::ping(false, *b"applied?")].concat()),
        Step::read_until(|frame| frame.kind == frames::PING && frame.has(frames::ACK)),
        Step::Await(end.clone()),
        Step::send(frames::goaway(1, 0, b"")),
        Step::ReadToEnd,
    ]);
    let mut wide = greeting(&[]);
    wide.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(answer(1, "first")),
        Step::read_frame(frames::HEADERS),
        Step::read_frame(frames::HEADERS),
        Step::send([answer(3, "both"), answer(5, "both")].concat()),
        Step::Stall,
    ]);
    let server = Script::new().accept(narrow).accept(wide).start().unwrap();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    };
    let (one, other) = (runtime(), runtime());
    let client = wide_client(8);
    assert_eq!(one.block_on(get(&client, &server)).unwrap(), "first");
    assert_eq!(other.block_on(get(&client, &server)).unwrap(), "first");
    shrink.set();
    // The first connection has taken its limit in once it answers.
    run(async {
        while !server.frames()[0]
            .iter()
            .any(|frame| frame.kind == frames::PING)
        {
            tokio::task::yield_now().await;
        }
        end.set();
        while client.stats().net.unwrap().open > 1 {
            tokio::task::yield_now().await;
        }
    });
    let both = other.block_on(async {
        let both = async { tokio::join!(get(&client, &server), get(&client, &server)) };
        tokio::time::timeout(Duration::from_secs(10), both).await
    });
    let (one, other) = both.expect("both are sent at once");
    assert_eq!(
        (one.unwrap(), other.unwrap()),
        ("both".into(), "both".into())
    );
}

/// A POST whose body comes once is in line when the server goes away: nothing of it was taken.
#[test]
fn an_upload_that_was_not_begun_goes_to_the_next_connection() {
    let goaway = [frames::settings(&[]), frames::goaway(0, 0, b"")].concat();
    let first = vec![Step::ReadPreface, Step::send(goaway), Step::ReadToEnd];
    let next = [greeting(&[]), vec![answer_all()]].concat();
    let server = Script::new().accept(first).accept(next).start().unwrap();
    run(async {
        let pieces = stream::iter([Ok(Bytes::from_static(b"once"))]);
        let request = client().post(server.url("/"));
        let response = request.body(Body::from_stream(pieces, None)).send().await;
        assert_eq!(response.unwrap().text().await.unwrap(), "hello");
    });
    assert_eq!(server.connections(), 2);
}

#[test]
fn all_that_wait_for_a_dial_are_told_its_cause() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    run(async {
        let client = client();
        let sends = (0..3).map(|_| client.get(&url).send());
        for sent in futures_util::future::join_all(sends).await {
            let error = sent.unwrap_err();
            assert!(error.is_retryable(), "nothing was sent");
            let source = std::error::Error::source(&error).unwrap();
            let cause = source.downcast_ref::<std::io::Error>().unwrap();
            assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn idle_connections_to_many_origins_are_bounded() {
    let servers: Vec<_> = (0..6).map(|_| server()).collect();
    run(async {
        let limits = Limits::default().idle_total(2);
        let client = builder().limits(limits).build().unwrap();
        for server in &servers {
            let response = client.get(server.url("/small")).send().await.unwrap();
            response.text().await.unwrap();
        }
        while client.stats().net.unwrap().open > 2 {
            tokio::task::yield_now().await;
        }
        // The newest are kept.
        for server in &servers[4..] {
            let response = client.get(server.url("/small")).send().await.unwrap();
            response.text().await.unwrap();
        }
        assert_eq!(client.stats().net.unwrap().opened, 6);
        idles(&client).await;
    });
}

/// A server of TLS, by steps behind the handshake.
fn secured(ca: &TestCa, alpn: &str, steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let config = ca.server_config_with_alpn(&["127.0.0.1", "name.test"], &[alpn]);
    let mut all = vec![Step::Handshake(config)];
    all.extend(steps);
    all
}

fn trusting(ca: &TestCa) -> ClientBuilder {
    let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
    Client::builder().tls(tls)
}

fn tls_url(server: &ScriptServer) -> String {
    server.url("/").replace("http://", "https://")
}

#[test]
fn a_server_that_breaks_the_protocol_is_told_so_over_tls() {
    let ca = TestCa::new();
    let mut steps = greeting(&[]);
    steps.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(frames::data(0, 0, b"?")),
        Step::ReadToEnd,
    ]);
    let server = Script::new().accept(secured(&ca, "h2", steps));
    let server = server.start().unwrap();
    run(async {
        let client = trusting(&ca).build().unwrap();
        let error = client.get(tls_url(&server)).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        server.all_closed().await;
    });
    let seen = server.frames().remove(0);
    let goaway = seen.iter().find(|frame| frame.kind == frames::GOAWAY);
    assert_eq!(goaway.unwrap().number(4), Some(1), "PROTOCOL_ERROR");
}

/// What an origin speaks may change: a crowd shares a dial again once it was seen to speak HTTP/2.
#[test]
fn an_origin_that_learns_http2_gets_one_connection() {
    let ca = TestCa::new();
    let http1 = [
        Step::ReadHead,
        Step::send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nold"),
        Step::Close,
    ];
    let mut once = greeting(&[]);
    once.extend([
        Step::read_frame(frames::HEADERS),
        Step::send([answer(1, "new"), frames::goaway(1, 0, b"")].concat()),
        Step::ReadToEnd,
    ]);
    let many = [greeting(&[]), vec![answer_all()]].concat();
    let server = Script::new()
        .accept(secured(&ca, "http/1.1", http1))
        .accept(secured(&ca, "h2", once))
        .accept(secured(&ca, "h2", many))
        .repeat_last()
        .start()
        .unwrap();
    run(async {
        let client = trusting(&ca).build().unwrap();
        let url = tls_url(&server);
        for expected in ["old", "new"] {
            let response = client.get(&url).send().await.unwrap();
            assert_eq!(response.text().await.unwrap(), expected);
        }
        while client.stats().net.unwrap().open > 0 {
            tokio::task::yield_now().await;
        }
        let sends = (0..8).map(|_| client.get(&url).send());
        for sent in futures_util::future::join_all(sends).await {
            assert_eq!(sent.unwrap().text().await.unwrap(), "hello");
        }
    });
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_tunnel_carries_http2() {
    let ca = TestCa::new();
    let inside = [greeting(&[]), vec![answer_all()]].concat();
    let mut steps = vec![
        Step::ReadHead,
        Step::send("HTTP/1.1 200 Connection established\r\n\r\n"),
    ];
    steps.extend(secured(&ca, "h2", inside));
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let proxy = Proxy::all(&server.url("/")).unwrap();
        let client = trusting(&ca).proxy(proxy).build().unwrap();
        let sends = (0..8).map(|_| client.get("https://name.test/").send());
        for sent in futures_util::future::join_all(sends).await {
            let response = sent.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            assert_eq!(response.text().await.unwrap(), "hello");
        }
        let stats = client.stats().net.unwrap();
        assert_eq!((stats.opened, stats.open, stats.idle), (1, 1, 1));
        assert_eq!(client.close_idle_connections(), 1);
        while client.stats().net.unwrap().open > 0 {
            tokio::task::yield_now().await;
        }
        idles(&client).await;
    });
}

#[test]
fn a_response_is_read_to_its_end_without_its_client() {
    let server = server();
    run(async {
        let client = client();
        let sent = client.get(server.url("/bytes/5000000")).send().await;
        let mut response = sent.unwrap();
        drop(client);
        let mut read = 0;
        while let Some(chunk) = response.chunk().await.unwrap() {
            read += chunk.len();
        }
        assert_eq!(read, 5_000_000);
        drop(response);
        server.all_closed().await;
    });
}

/// Where a test that runs alone finds its servers, which must not share its descriptors.
#[cfg(target_os = "linux")]
const SERVER_URLS: &str = "TURBOHTTP_TEST_SERVER_URLS";

#[cfg(target_os = "linux")]
#[test]
fn an_idle_connection_gives_its_descriptor_to_another_origin() {
    let servers = [server(), server()];
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "review::a_descriptor_is_handed_on_alone",
            "--ignored",
        ])
        .env(
            SERVER_URLS,
            servers.each_ref().map(|server| server.url("")).join(" "),
        )
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    let has_passed = child.status.success() && output.contains("1 passed");
    assert!(has_passed, "{output}");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by an_idle_connection_gives_its_descriptor_to_another_origin in a process of its own"]
fn a_descriptor_is_handed_on_alone() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let urls = std::env::var(SERVER_URLS).unwrap();
    let urls: Vec<_> = urls.split(' ').collect();
    run(async {
        let client = client();
        let small = |url: &str| client.get(format!("{url}/small")).send();
        small(urls[0]).await.unwrap().text().await.unwrap();
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = Some(64);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
        let mut files = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            files.push(file);
        }
        // Several at once: one connection is all that there is.
        let sends = (0..4).map(|_| small(urls[1]));
        for sent in futures_util::future::join_all(sends).await {
            sent.unwrap().text().await.unwrap();
        }
        assert_eq!(client.stats().net.unwrap().opened, 2);
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_carries_http2() {
    use tokio::net::UnixListener;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server");
    run(async {
        let listener = UnixListener::bind(&path).unwrap();
        let serve = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = Box::pin(h2::server::handshake(stream)).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let head = http::Response::new(());
                let mut body = respond.send_response(head, false).unwrap();
                body.send_data(Bytes::from(vec![7; 200_000]), true).unwrap();
            }
        };
        let ask = async {
            let client = builder().unix_socket(&path).build().unwrap();
            let sends = (0..8).map(|_| client.get("http://a.test/").send());
            for sent in futures_util::future::join_all(sends).await {
                let content = sent.unwrap().bytes().await.unwrap();
                assert_eq!(content.len(), 200_000);
            }
            // At rest it is asked for its health before the next request.
            let again = client.get("http://a.test/").send().await.unwrap();
            assert_eq!(again.bytes().await.unwrap().len(), 200_000);
            assert_eq!(client.stats().net.unwrap().opened, 1);
            drop(client);
        };
        tokio::join!(serve, ask);
    });
}
