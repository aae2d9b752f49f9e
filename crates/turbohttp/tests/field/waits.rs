//! Limits and times that contradict each other, and waits for oneself.

use std::io::Write;
use std::time::Duration;

use turbohttp::{Client, ErrorKind, Limits, MockReply, MockTransport, Phase, StatusCode, Timeouts};
use turbohttp_loopback::script::{Script, ScriptServer, Step};

#[cfg(target_os = "linux")]
use crate::ground::{inside, run_again};
use crate::support::{Peer, TestClient, read_head, soon};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that answers once, so that there is a connection, and sends `then` and nothing more.
async fn warm(client: &TestClient, then: &str) -> ScriptServer {
    let server = Script::new()
        .accept([
            Step::ReadHead,
            Step::send(OK),
            Step::ReadHead,
            Step::send(then),
            Step::Stall,
        ])
        .start()
        .unwrap();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    server
}

/// A response of which the body does not come.
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";

/// Times of the client, the time of the request, what the server sends, and the error.
fn contradicting_times() -> Vec<(Timeouts, Option<Duration>, &'static str, &'static str)> {
    let none = Timeouts::default();
    vec![
        // By the client, and by the request.
        (
            none.request(seconds(180)),
            None,
            "",
            "the request took longer than 180s",
        ),
        (
            none,
            Some(seconds(180)),
            "",
            "the request took longer than 180s",
        ),
        (
            none.request(seconds(180)),
            None,
            HALF,
            "the request took longer than 180s",
        ),
        (
            none,
            Some(seconds(180)),
            HALF,
            "the request took longer than 180s",
        ),
        // What was set holds, even if it is what the default is.
        (
            none.head(seconds(7)),
            Some(seconds(180)),
            "",
            "response head took longer than 7s",
        ),
        (
            none.head(seconds(30)),
            Some(seconds(180)),
            "",
            "response head took longer than 30s",
        ),
        (
            none.body(seconds(30)).request(seconds(180)),
            None,
            HALF,
            "of the body took longer than 30s",
        ),
        // A shorter one lifts nothing; without one the defaults hold.
        (
            none.request(seconds(20)),
            None,
            "",
            "the request took longer than 20s",
        ),
        (none, None, "", "response head took longer than 30s"),
        (none, None, HALF, "of the body took longer than 30s"),
    ]
}

/// musistudio/claude-code-router #1610: a longer time for the whole lifts the times that were not set.
#[tokio::test]
async fn time_for_the_whole_lifts_the_times_that_were_not_set() {
    for (timeouts, own, answer, expected) in contradicting_times() {
        let client = TestClient::timeouts(|_| timeouts);
        let server = warm(&client, answer).await;
        let request = client.get(server.url("/"));
        let request = match own {
            Some(own) => request.timeout(own),
            None => request,
        };
        let start = tokio::time::Instant::now();
        // Time stands still when nothing of the server's is under way any more.
        let error = match answer {
            "" => {
                tokio::time::pause();
                request.send().await.unwrap_err()
            }
            _ => {
                let mut response = soon(request.send()).await.unwrap();
                assert_eq!(soon(response.chunk()).await.unwrap(), Some(&b"half"[..]));
                tokio::time::pause();
                response.chunk().await.unwrap_err()
            }
        };
        let took = start.elapsed().as_secs();
        tokio::time::resume();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(
            expected.ends_with(&format!("{took}s")),
            "{expected} after {took} s"
        );
    }
}

/// The wait for a permit as well; the error names who holds them.
#[tokio::test(start_paused = true)]
async fn wait_for_a_permit_lasts_as_long_as_the_request_may() {
    for (timeouts, own, expected) in [
        (Timeouts::default(), None, 120),
        (Timeouts::default(), Some(600), 600),
        (Timeouts::default().permit(seconds(120)), Some(600), 120),
        (Timeouts::default().permit(None), Some(600), 600),
        (Timeouts::default().permit(seconds(3)), Some(600), 3),
        (Timeouts::default(), Some(60), 60),
    ] {
        let limits = Limits::default().per_host(1);
        let late = MockReply::new(StatusCode::OK).delay(seconds(25));
        let mock = MockTransport::new(late);
        let client = Client::builder()
            .limits(limits)
            .timeouts(timeouts)
            .transport(mock);
        let client = client.build().unwrap();
        let _permit = client.limiter().acquire("http://a.test").await.unwrap();
        let start = tokio::time::Instant::now();
        let request = client.get("http://a.test/");
        let request = match own {
            Some(own) => request.timeout(seconds(own)),
            None => request,
        };
        let error = request.send().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Timeout, Some(Phase::HostPermit))
        );
        assert_eq!(start.elapsed().as_secs(), expected, "{error}");
    }
}

/// aria2/aria2 #257: copies from a host to itself, each a GET whose body a POST sends on. All permits are
/// held by GETs whose POSTs wait: that ends, and the error says what holds them.
#[tokio::test]
async fn copies_within_one_host_end() {
    let server = Peer::start(|mut stream| {
        while let Some(head) = read_head(&mut stream) {
            let answer = match head.starts_with("GET") {
                true => "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n",
                false => OK,
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let client = TestClient::with(|builder| {
        let timeouts = Timeouts::default().permit(Duration::from_millis(200));
        builder
            .limits(Limits::default().per_host(4))
            .timeouts(timeouts)
    });
    let mut copies = Vec::new();
    let mut sources = Vec::new();
    for _ in 0..4 {
        sources.push(soon(client.get(server.url("/")).send()).await.unwrap());
    }
    for source in sources {
        let body = turbohttp::Body::wrap_stream(source.into_stream());
        copies.push(tokio::spawn(client.post(server.url("/")).body(body).send()));
    }
    let mut named = 0;
    for copy in copies {
        if let Err(error) = soon(copy).await.unwrap() {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
            named += usize::from(error.to_string().contains("unread"));
        }
    }
    assert!(
        named > 0,
        "no error names the responses that hold the permits"
    );
}

/// Responses that are kept hold no permit once their body has arrived with their head.
#[tokio::test]
async fn kept_responses_whose_body_is_here_hold_no_permit() {
    for answer in [
        OK,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let steps = [Step::ReadHead, Step::send(answer)];
        let server = Script::new().accept(steps).repeat_last().start().unwrap();
        let limits = Limits::default().per_host(1).total(1);
        let client = TestClient::with(|builder| builder.limits(limits));
        let mut kept = Vec::new();
        for _ in 0..8 {
            kept.push(soon(client.get(server.url("/")).send()).await.unwrap());
        }
        drop(kept);
    }
}

/// cloudflare/cloudflare-docs #23661 and many more: too few descriptors slow down, and fail nothing.
#[cfg(target_os = "linux")]
#[test]
fn too_few_descriptors_slow_down() {
    let Some(port) = inside() else {
        let server = Peer::start(|mut stream| {
            while read_head(&mut stream).is_some() {
                if stream.write_all(OK.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let url = server.url("");
        let (_, port) = url.rsplit_once(':').unwrap();
        return run_again("waits::too_few_descriptors_slow_down", port);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limit = rustix::process::Rlimit {
        current: Some(32),
        maximum: Some(32),
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    runtime.block_on(async {
        let limits = Limits::default().per_host(200).total(200);
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let hosts: Vec<String> = (0..10).map(|host| format!("h{host}.test")).collect();
        let client = TestClient::with(|builder| {
            let builder = builder.limits(limits);
            hosts
                .iter()
                .fold(builder, |builder, host| builder.resolve(host, [address]))
        });
        // Connections to other hosts are idle, and make room.
        for host in &hosts {
            assert_eq!(
                client.body_of(&format!("http://{host}:{port}/")).await,
                b"ok"
            );
        }
        // axios/axios #2736, nodejs/node #42906: the resolver needs descriptors as well.
        for host in ["127.0.0.1", "localhost"] {
            let url = format!("http://{host}:{port}/");
            let burst: Vec<_> = (0..200)
                .map(|_| {
                    let request = client.get(&url).send();
                    tokio::spawn(async { request.await?.bytes().await })
                })
                .collect();
            for request in burst {
                assert_eq!(soon(request).await.unwrap().unwrap(), "ok");
            }
        }
        assert!(client.net().open < 32);
    });
}

/// As too few descriptors: too few local ports.
#[cfg(target_os = "linux")]
#[test]
fn too_few_local_ports_slow_down() {
    let setup = "echo 40000 40015 > /proc/sys/net/ipv4/ip_local_port_range";
    if !crate::ground::in_namespace("waits::too_few_local_ports_slow_down", setup) {
        return;
    }
    let server = Peer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            if stream.write_all(OK.as_bytes()).is_err() {
                return;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let limits = Limits::default().per_host(100).total(100);
        let client = TestClient::with(|builder| builder.limits(limits));
        let burst: Vec<_> = (0..100)
            .map(|_| {
                let request = client.get(server.url("/")).send();
                tokio::spawn(async { request.await?.bytes().await })
            })
            .collect();
        for request in burst {
            assert_eq!(soon(request).await.unwrap().unwrap(), "ok");
        }
        assert!(client.net().opened <= 16, "{}", client.net().opened);
    });
    // Its end would need a local port: it ends with this process.
    std::mem::forget(server);
}

/// A shortage that does not end is an error, and says what is short.
#[cfg(target_os = "linux")]
#[test]
fn shortage_that_does_not_end_is_named() {
    if inside().is_none() {
        return run_again("waits::shortage_that_does_not_end_is_named", "1");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    #[cfg(feature = "__tls")]
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut held = Vec::new();
    let limit = rustix::process::Rlimit {
        current: Some(32),
        maximum: Some(32),
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        held.push(file);
    }
    let named = |url: String, timeouts: Timeouts, kind| {
        runtime.block_on(async {
            let client = TestClient::timeouts(|_| timeouts);
            let error = soon(client.get(url).send()).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("Too many open files"), "{source}");
        });
    };
    let (none, short) = (Timeouts::default(), Duration::from_millis(100));
    let refusing = || "http://127.0.0.1:9/".to_owned();
    named(refusing(), none.permit(short), ErrorKind::Connect);
    named(refusing(), none.request(short), ErrorKind::Connect);
    // One is left, for the socket: that the roots cannot be read is no lack of roots.
    #[cfg(feature = "__tls")]
    if std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").exists() {
        held.pop();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        named(url, none.permit(short), ErrorKind::Tls);
    }
}

/// moby/moby #37616, docker/for-linux #1374: the system says the same of `::1` where IPv6 is switched off as
/// of a machine without local ports. It is no shortage, and nothing waits for its end.
#[cfg(target_os = "linux")]
#[test]
fn address_that_cannot_be_reached_is_no_shortage() {
    let name = "waits::address_that_cannot_be_reached_is_no_shortage";
    if !crate::ground::in_namespace(name, "ip -6 addr del ::1/128 dev lo") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let v4 = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
        let v6 = "[::1]:9".parse().unwrap();
        for (addresses, kind) in [
            (vec![v6], std::io::ErrorKind::NetworkUnreachable),
            (vec![v4, v6], std::io::ErrorKind::ConnectionRefused),
            (vec![v6, v4], std::io::ErrorKind::ConnectionRefused),
        ] {
            let client = TestClient::with(|builder| builder.resolve("a.test", addresses));
            let start = tokio::time::Instant::now();
            let error = client.get("http://a.test:9/").send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
            let source = std::error::Error::source(&error).unwrap();
            let source: &std::io::Error = source.downcast_ref().unwrap();
            assert_eq!(source.kind(), kind);
            assert!(start.elapsed() < seconds(1), "it was waited for");
        }
    });
}

/// tokio-rs/tokio #3405, tarantool/tarantool #204, oven-sh/bun #35400: where nobody listens, a socket may be
/// connected to itself, and read its own request as the answer.
#[cfg(target_os = "linux")]
#[test]
fn socket_that_is_connected_to_itself_is_a_refusal() {
    let setup = "echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range";
    let name = "waits::socket_that_is_connected_to_itself_is_a_refusal";
    if !crate::ground::in_namespace(name, setup) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = TestClient::new();
        for port in [40_000, 40_001].repeat(4) {
            let url = format!("http://127.0.0.1:{port}/");
            let error = soon(client.get(url).send()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        }
    });
}

/// ArchiveTeam/wpull #416, AsyncHttpClient/async-http-client #920, clj-commons/aleph #282: a permit comes back
/// after every failure, and behind every answer.
#[tokio::test]
async fn permits_come_back_after_every_failure() {
    let closing = "HTTP/1.1 503 Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    let scripts: [&[Step]; 6] = [
        &[],
        &[Step::Reset],
        &[Step::send("nonsense\r\n\r\n")],
        &[Step::send(half)],
        // akka/akka-http #1248: the server says that it closes, and does not.
        &[Step::send(closing), Step::Stall],
        &[Step::send(OK), Step::Stall],
    ];
    let script = scripts.iter().fold(Script::new(), |script, steps| {
        script.accept([&[Step::ReadHead], *steps].concat())
    });
    let server = script.start().unwrap();
    let client = TestClient::with(|builder| {
        builder
            .limits(Limits::default().per_host(1).total(1))
            .timeouts(Timeouts::default().permit(seconds(10)))
            .resolve("no.test", Vec::new())
    });
    for url in [
        "http://127.0.0.1:9/",
        "http://no.test/",
        "https://127.0.0.1:9/",
    ]
    .repeat(3)
    {
        let error = soon(client.get(url).send()).await.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::Timeout, "{error}");
        // It keeps the request, to be sent again.
        drop(error);
        assert!(client.client_audit().is_idle(), "{url}");
    }
    for round in 0..scripts.len() {
        let request = client.get(server.url("/"));
        let body = soon(async { request.send().await?.bytes().await }).await;
        assert_eq!(body.is_ok(), round > 3, "{round}: {body:?}");
        drop(body);
        assert!(client.client_audit().is_idle(), "{round}");
    }
}
