//! Connections at rest: servers that close them, runtimes that end, hints, probes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use turbohttp::{Client, ErrorKind, NetTransport, Timeouts};
use turbohttp_loopback::script::{Script, Step};

use crate::support::{Peer, TestClient, read_head, settle, soon};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Reads a request with a body of 4 bytes; `None` if the client has left.
fn read_post(stream: &mut TcpStream) -> Option<()> {
    read_head(stream)?;
    stream.read_exact(&mut [0; 4]).ok()
}

/// raviqqe/muffet #81, apache/jmeter #6330: a server that closes behind its answer, without having said so.
/// One POST may meet that close before it is known; the server is known from then on.
#[test]
fn hasty_server_fails_at_most_one_post() {
    for runtime in [current(), multi()] {
        for work_ms in [0, 1, 5] {
            let server = Peer::start(|mut stream| {
                if read_post(&mut stream).is_some() {
                    _ = stream.write_all(OK);
                }
            });
            let failed = runtime.block_on(async {
                let client = TestClient::new();
                let mut failed = 0;
                for _ in 0..300 {
                    let post = client.post(server.url("/")).body("body");
                    let answered = soon(async { post.send().await?.bytes().await }).await;
                    failed += usize::from(answered.is_err());
                    if work_ms > 0 {
                        tokio::time::sleep(Duration::from_millis(work_ms)).await;
                    }
                }
                failed
            });
            assert!(
                failed <= 1,
                "{failed} of 300 failed with {work_ms} ms between"
            );
        }
    }
}

/// The same for a stream, which cannot be sent again whatever the method; a GET is repeated and never fails.
#[tokio::test]
async fn hasty_server_and_other_requests() {
    let server = Peer::start(|mut stream| {
        if read_head(&mut stream).is_some_and(|head| {
            !head.starts_with("PUT") || { stream.read_exact(&mut [0; 4]).is_ok() }
        }) {
            _ = stream.write_all(OK);
        }
    });
    let client = TestClient::new();
    let mut failed = 0;
    for _ in 0..100 {
        let body = turbohttp::Body::from_reader(&b"body"[..], Some(4));
        let put = client.put(server.url("/")).body(body);
        failed += usize::from(
            soon(async { put.send().await?.bytes().await })
                .await
                .is_err(),
        );
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    }
    assert!(failed <= 1, "{failed} of 100 failed");
}

/// A server in order keeps its connection for POSTs.
#[tokio::test]
async fn patient_server_keeps_one_connection() {
    let server = Peer::start(|mut stream| {
        while read_post(&mut stream).is_some() {
            stream.write_all(OK).unwrap();
        }
    });
    let client = TestClient::new();
    for _ in 0..50 {
        let post = client.post(server.url("/")).body("body");
        assert_eq!(
            soon(post.send()).await.unwrap().bytes().await.unwrap(),
            "ok"
        );
    }
    assert_eq!(client.net().opened, 1);
}

/// seanmonstar/reqwest #1148: what its server has closed is closed here, though nothing asks for it.
#[tokio::test]
async fn idle_connections_are_closed_when_their_server_closes() {
    let (close, closed) = std::sync::mpsc::channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let server = Peer::start(move |mut stream| {
        if read_head(&mut stream).is_some() {
            stream.write_all(OK).unwrap();
            // Until the test says so.
            _ = closed.lock().unwrap().recv();
        }
    });
    let client = TestClient::new();
    for round in 1..=3 {
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(client.net().idle, 1);
        // Long enough to be watched already, in the second round.
        if round == 2 {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        close.send(()).unwrap();
        soon(async {
            while client.net().open > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        assert_eq!(client.net().opened, round);
    }
}

/// What is idle in a runtime goes with it, whether the client is used again or not.
#[test]
fn connections_of_a_runtime_go_with_it() {
    for make in [current, multi] {
        let server = Peer::start(|mut stream| {
            while read_head(&mut stream).is_some() {
                stream.write_all(OK).unwrap();
            }
        });
        let client = Client::new().unwrap();
        let url = server.url("/");
        for turn in 1..=3 {
            let runtime = make();
            runtime.block_on(async {
                let response = client.get(&url).send().await.unwrap();
                assert_eq!(response.bytes().await.unwrap(), "ok");
            });
            assert_eq!(client.stats().net.unwrap().idle, 1, "of this runtime only");
            drop(runtime);
            let net = client.stats().net.unwrap();
            assert_eq!((net.opened, net.open, net.idle), (turn, 0, 0));
        }
        // A response that outlives its runtime goes back to no pool.
        let runtime = make();
        let response = runtime.block_on(client.get(&url).send()).unwrap();
        drop(runtime);
        drop(response);
        assert_eq!(client.stats().net.unwrap().open, 0);
    }
}

/// One runtime that ends takes nothing of another one along.
#[test]
fn connections_of_another_runtime_stay() {
    let server = Peer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            stream.write_all(OK).unwrap();
        }
    });
    let client = Client::new().unwrap();
    let (first, second) = (current(), multi());
    for runtime in [&first, &second] {
        let response = runtime
            .block_on(client.get(server.url("/")).send())
            .unwrap();
        drop(response);
    }
    assert_eq!(client.stats().net.unwrap().idle, 2);
    drop(second);
    assert_eq!(client.stats().net.unwrap().idle, 1);
    first.block_on(async {
        let response = client.get(server.url("/")).send().await.unwrap();
        assert!(response.timeline().is_connection_reused());
    });
}

/// reactor/reactor-netty #764, node-modules/agentkeepalive #58: what the server says about its own time.
#[tokio::test]
async fn keep_alive_is_taken_as_a_hint() {
    for (field, kept_ms, is_kept) in [
        ("timeout=5", 3_500, true),
        ("timeout=5", 4_500, false),
        ("timeout=5, max=100", 4_500, false),
        ("max=100,Timeout=2", 1_500, false),
        ("timeout=1", 400, true),
        ("timeout=1", 600, false),
        ("timeout=0", 100, false),
        ("timeout=9999999999999", 50_000, true),
        ("timeout=x", 50_000, true),
        ("timeout", 50_000, true),
        ("", 50_000, true),
    ] {
        let answer =
            format!("HTTP/1.1 200 OK\r\nkeep-alive: {field}\r\ncontent-length: 2\r\n\r\nok");
        let steps = [
            Step::ReadHead,
            Step::send(answer),
            Step::ReadHead,
            Step::send(OK),
        ];
        let server = Script::new()
            .accept(steps)
            .accept([Step::ReadHead, Step::send(OK)])
            .start()
            .unwrap();
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        // The keeper of the connection has begun to wait.
        settle().await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_millis(kept_ms)).await;
        settle().await;
        tokio::time::resume();
        assert_eq!(
            client.net().idle,
            u64::from(is_kept),
            "{field} after {kept_ms} ms"
        );
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(
            client.net().opened,
            2 - u64::from(is_kept),
            "{field} after {kept_ms} ms"
        );
    }
}

/// As curl, and by option.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn sockets_are_probed_as_the_options_say() {
    let server = Peer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            stream.write_all(OK).unwrap();
        }
    });
    let second = Duration::from_secs(1);
    for (client, timers) in [
        (NetTransport::builder(), "keepalive"),
        (
            NetTransport::builder().tcp_keepalive(7 * second),
            "keepalive",
        ),
        (NetTransport::builder().tcp_keepalive(None), ""),
        (
            NetTransport::builder().tcp_user_timeout(9 * second),
            "keepalive",
        ),
    ] {
        let client = Client::builder()
            .transport(client.build().unwrap())
            .build()
            .unwrap();
        let response = soon(client.get(server.url("/")).send()).await.unwrap();
        let port = response.local_addr().unwrap().port();
        drop(response);
        let sockets = std::process::Command::new("ss")
            .args(["-tnoH", "sport", "=", &port.to_string()])
            .output();
        let Ok(sockets) = sockets else {
            eprintln!("SKIPPED: no ss, which is in the package iproute2");
            return;
        };
        let text = String::from_utf8_lossy(&sockets.stdout).into_owned();
        assert_eq!(
            text.contains("timer:(keepalive,"),
            timers == "keepalive",
            "{text}"
        );
    }
}

#[test]
fn socket_options_out_of_bounds_are_refused() {
    for builder in [
        Client::builder().tcp_keepalive(Duration::from_millis(999)),
        Client::builder().tcp_keepalive(Duration::ZERO),
        Client::builder().tcp_keepalive(Duration::from_secs(32_768)),
        Client::builder().tcp_keepalive(Duration::MAX),
        Client::builder().tcp_user_timeout(Duration::ZERO),
        Client::builder().tcp_user_timeout(Duration::from_micros(999)),
        Client::builder().tcp_user_timeout(Duration::from_secs(25 * 24 * 60 * 60)),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("tcp_"), "{error}");
    }
}

/// What is taken at the bounds, the system takes as well.
#[tokio::test]
async fn socket_options_at_their_bounds_work() {
    let server = Peer::start(|mut stream| {
        if read_head(&mut stream).is_some() {
            _ = stream.write_all(OK);
        }
    });
    for (keepalive, user_timeout) in [
        (Duration::from_secs(1), Duration::from_millis(1)),
        (
            Duration::from_secs(32_767),
            Duration::from_millis(i32::MAX as u64),
        ),
    ] {
        let client = TestClient::with(|builder| {
            builder
                .tcp_keepalive(keepalive)
                .tcp_user_timeout(user_timeout)
        });
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    }
}

/// A burst that a server closes at once leaves no descriptor and no task.
#[tokio::test]
async fn burst_of_closed_connections_leaves_nothing() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let server = Peer::start(move |mut stream| {
        if read_head(&mut stream).is_some() {
            count.fetch_add(1, Ordering::SeqCst);
            _ = stream.write_all(OK);
        }
    });
    let client = TestClient::timeouts(|timeouts: Timeouts| timeouts);
    let burst: Vec<_> = (0..32)
        .map(|_| tokio::spawn(client.get(server.url("/")).send()))
        .collect();
    for request in burst {
        let response = soon(request).await.unwrap().unwrap();
        assert_eq!(soon(response.bytes()).await.unwrap(), "ok");
    }
    soon(async {
        while client.net().open > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(served.load(Ordering::SeqCst) >= 32);
}

/// rclone/rclone #1583, openshift/release #378: what a server sends behind its answer belongs to no request.
#[tokio::test]
async fn bytes_behind_an_answer_answer_nothing() {
    for stray in [
        "HTTP/1.0 408 Request Time-out\r\nconnection: close\r\n\r\nbye",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "\r\n",
    ] {
        let server = Peer::start(move |mut stream| {
            while read_post(&mut stream).is_some() {
                if stream.write_all(&[OK, stray.as_bytes()].concat()).is_err() {
                    return;
                }
            }
        });
        let client = TestClient::new();
        for _ in 0..8 {
            let post = client.post(server.url("/")).body("body");
            let body = soon(async { post.send().await?.bytes().await }).await;
            assert_eq!(body.expect(stray), "ok", "{stray:?}");
        }
    }
}

/// nahi/httpclient #142, oven-sh/bun #28708: what may have had an effect is sent once.
#[tokio::test]
async fn requests_with_an_effect_are_sent_once() {
    let cases: [(&str, &str, &[Step]); 6] = [
        ("POST", "closed", &[]),
        ("POST", "reset", &[Step::Reset]),
        ("PATCH", "closed", &[]),
        ("PUT", "half a head", &[Step::send("HTTP/1.1 2")]),
        (
            "PUT",
            "an interim answer",
            &[Step::send("HTTP/1.1 103 Early Hints\r\n\r\n")],
        ),
        (
            "GET",
            "half a body",
            &[Step::send(
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            )],
        ),
    ];
    for (method, name, then) in cases {
        let body = if method == "GET" { "" } else { "body" };
        let mut steps = vec![
            Step::ReadHead,
            Step::send(OK),
            Step::ReadHead,
            Step::ReadExact(body.len()),
        ];
        steps.extend_from_slice(then);
        let server = Script::new()
            .accept(steps)
            .accept([Step::ReadHead, Step::send(OK)])
            .start()
            .unwrap();
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        let request = client.request(method.parse().unwrap(), server.url("/"));
        let request = request.body(body);
        let outcome = soon(async { request.send().await?.bytes().await }).await;
        let error = outcome.expect_err(name);
        assert!(!error.is_retryable(), "{method}, {name}: {error:?}");
        assert_eq!(
            (client.net().opened, client.net().replayed),
            (1, 0),
            "{method}, {name}"
        );
    }
}
