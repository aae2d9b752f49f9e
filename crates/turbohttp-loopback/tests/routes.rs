//! Every route answers as documented, to a plain std socket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Peer, body, split};
use turbohttp_loopback::{Fail, FailWith, Options, ROUTES, Server, pattern};

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

/// Asks once on a connection of its own, and reads to the end.
fn ask(server: &Server, request_line: &str) -> (String, Vec<u8>) {
    let mut peer = Peer::connect(server.addr());
    peer.send(format!(
        "{request_line} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"
    ));
    split(&peer.read_to_end().unwrap())
}

#[test]
fn root_lists_the_routes() {
    let (head, content) = ask(&server(), "GET /");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(content, ROUTES.as_bytes());
}

#[test]
fn small_has_six_fields_and_thirteen_bytes() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /small HTTP/1.1\r\nhost: t\r\n\r\n");
    let (head, content) = peer.read_answer();
    let names: Vec<&str> = head
        .trim_end()
        .lines()
        .skip(1)
        .map(|l| l.split(':').next().unwrap())
        .collect();
    let expected = [
        "date",
        "server",
        "content-type",
        "content-length",
        "cache-control",
        "x-request-id",
    ];
    assert_eq!(names, expected);
    assert_eq!(content, b"Hello, world!");
}

#[test]
fn patterned_bodies_have_their_length_and_content() {
    let server = server();
    // Kept, kept and chunked, streamed, streamed over a block's seam, close-delimited, slow.
    let targets = [
        ("/bytes/0", 0),
        ("/bytes/65536", 65536),
        ("/chunked/16/1024", 16 * 1024),
        ("/chunked/0/9", 0),
        ("/chunked/9/0", 0),
        ("/bytes/1000000", 1_000_000),
        ("/chunked/3/300000", 900_000),
        ("/close/1234", 1234),
        ("/slow/25/0", 25),
        ("/slow/3/0", 3),
        ("/slow/0/0", 0),
    ];
    for (target, length) in targets {
        let (head, content) = ask(&server, &format!("GET {target}"));
        assert_eq!(body(&head, content), pattern(length), "{target}");
    }
}

#[test]
fn head_has_the_fields_and_no_content() {
    let server = server();
    for target in [
        "/small",
        "/bytes/9",
        "/bytes/1000000",
        "/chunked/3/300000",
        "/slow/9/1000",
    ] {
        let (head, content) = ask(&server, &format!("HEAD {target}"));
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("content-length: ") || head.contains("chunked"),
            "{head}"
        );
        assert_eq!(content, b"", "{target}");
    }
    assert_eq!(server.stats().body_bytes_sent, 0);
}

#[test]
fn status_answers_with_the_code() {
    let server = server();
    let (head, content) = ask(&server, "GET /status/503");
    assert!(
        head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{head}"
    );
    assert_eq!(content, b"503 Service Unavailable\n");
    let (head, content) = ask(&server, "GET /status/204");
    assert!(!head.contains("content-length"), "{head}");
    assert_eq!(content, b"");
    let (head, _) = ask(&server, "GET /status/302");
    assert!(head.contains("location: /small\r\n"), "{head}");
}

#[test]
fn what_is_unknown_is_not_found() {
    let server = server();
    for target in [
        "/nothing",
        "/bytes/x",
        "/status/99",
        "/bytes/18446744073709551616",
        "*",
    ] {
        let (head, _) = ask(&server, &format!("GET {target}"));
        assert!(head.starts_with("HTTP/1.1 404 "), "{target}: {head}");
    }
}

#[test]
fn what_is_malformed_is_refused_and_closed() {
    let server = server();
    for (text, status) in [
        ("GET /small HTTP/1.1\r\n\r\n".to_owned(), "400"),
        (
            "nonsense\r\n\r\nGET /small HTTP/1.1\r\nhost: t\r\n\r\n".to_owned(),
            "400",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: t\r\nx: {}", "y".repeat(70_000)),
            "431",
        ),
        (
            "POST /post HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nx\r\n".to_owned(),
            "400",
        ),
        (
            "POST /post HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n"
                .to_owned(),
            "400",
        ),
    ] {
        let mut peer = Peer::connect(server.addr());
        peer.send(text);
        let (head, _) = split(&peer.read_to_end().unwrap());
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.contains("connection: close\r\n"), "{head}");
    }
}

#[test]
fn connection_is_kept_and_pipelining_tolerated() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /id/1 HTTP/1.1\r\nhost: t\r\n\r\nGET /small HTTP/1.1\r\nhost: t\r\n\r\n");
    peer.send("GET /small HTTP/1.1\r\nhost: t\r\n\r\nGET /id/2 HTTP/1.1\r\nhost: t\r\n\r\n");
    for expected in ["1", "Hello, world!", "Hello, world!", "2"] {
        assert_eq!(peer.read_answer().1, expected.as_bytes());
    }
    let stats = server.stats();
    assert_eq!(
        (stats.connections, stats.connections_open, stats.requests),
        (1, 1, 4)
    );
    assert_eq!(server.stop().connections_open, 0);
}

#[test]
fn old_version_is_answered_and_closed() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /id/old HTTP/1.0\r\n\r\n");
    assert_eq!(split(&peer.read_to_end().unwrap()).1, b"old");
}

#[test]
fn content_is_echoed_however_it_is_framed() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send(
        "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-type: a/b\r\ncontent-length: 5\r\n\r\nhel",
    );
    peer.send("lo");
    let (head, content) = peer.read_answer();
    assert!(head.contains("content-type: a/b\r\n"), "{head}");
    assert_eq!(content, b"hello");
    peer.send("POST /echo HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n");
    peer.send("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\ntrailer: z\r\n\r\n");
    assert_eq!(peer.read_answer().1, b"abc0123456789");
    let large = pattern(1_000_000);
    peer.send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000\r\n\r\n");
    peer.send(&large);
    assert_eq!(peer.read_answer().1, large);
    assert_eq!(server.stats().body_bytes_received, 5 + 13 + 1_000_000);
}

#[test]
fn expectation_is_met_before_the_content() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send(
        "POST /post HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
    );
    assert_eq!(peer.read_head(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("hi");
    assert_eq!(peer.read_answer().1, b"Hello, world!");
}

#[test]
fn headers_are_shown_as_they_came() {
    let (_, content) = ask(&server(), "PUT /headers?q");
    assert_eq!(
        content,
        b"PUT /headers?q HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"
    );
}

#[test]
fn delay_answers_as_small() {
    assert_eq!(ask(&server(), "GET /delay/1").1, b"Hello, world!");
}

#[test]
fn drop_ends_the_connection_without_or_within_the_answer() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /drop HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!(peer.read_to_end().unwrap(), b"");
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /drop/1000 HTTP/1.1\r\nhost: t\r\n\r\n");
    let (head, content) = split(&peer.read_to_end().unwrap());
    assert!(head.contains("content-length: 1000\r\n"), "{head}");
    assert_eq!(content, pattern(500));
}

#[test]
fn reset_is_a_reset() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /reset HTTP/1.1\r\nhost: t\r\n\r\n");
    let error = peer.read_to_end().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn never_is_cut_only_by_the_end_of_the_server() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /never HTTP/1.1\r\nhost: t\r\n\r\n");
    while server.stats().in_flight == 0 {
        std::thread::yield_now();
    }
    let stats = server.stop();
    assert_eq!(
        (stats.requests, stats.in_flight, stats.in_flight_peak),
        (1, 0, 1)
    );
    assert_eq!(peer.read_to_end().unwrap(), b"");
}

#[test]
fn every_nth_request_fails() {
    let fail = Fail {
        every: 2,
        with: FailWith::Status503,
    };
    let server = Server::start(Options {
        fail: Some(fail),
        ..Options::default()
    })
    .unwrap();
    let mut peer = Peer::connect(server.addr());
    for expected in ["200", "503", "200", "503"] {
        peer.send("GET /small HTTP/1.1\r\nhost: t\r\n\r\n");
        assert!(
            peer.read_answer()
                .0
                .starts_with(&format!("HTTP/1.1 {expected} "))
        );
    }
    let fail = Fail {
        every: 1,
        with: FailWith::Drop,
    };
    let server = Server::start(Options {
        fail: Some(fail),
        ..Options::default()
    })
    .unwrap();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /small HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!(peer.read_to_end().unwrap(), b"");
}

#[test]
fn open_connections_are_counted_and_awaited() {
    let server = server();
    let mut peers = [Peer::connect(server.addr()), Peer::connect(server.addr())];
    for peer in &mut peers {
        peer.send("GET /small HTTP/1.1\r\nhost: t\r\n\r\n");
        peer.read_answer();
    }
    assert_eq!(
        (
            server.stats().connections_open,
            server.stats().connections_peak
        ),
        (2, 2)
    );
    drop(peers);
    common::block_on(server.all_closed());
    assert_eq!(
        (
            server.stats().connections_open,
            server.stats().connections_peak
        ),
        (0, 2)
    );
}

#[test]
fn server_runs_in_the_foreground_until_shutdown() {
    let stats = common::block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (done, shutdown) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let mut peer = Peer::connect(addr);
            peer.send("GET /id/here HTTP/1.1\r\nhost: t\r\n\r\n");
            let answer = peer.read_answer();
            done.send(answer).unwrap();
            peer.read_to_end().unwrap()
        });
        let shutdown = async { assert_eq!(shutdown.await.unwrap().1, b"here") };
        let stats = turbohttp_loopback::serve(listener, Options::default(), shutdown).await;
        assert_eq!(thread.join().unwrap(), b"");
        stats
    });
    assert_eq!(
        (stats.connections, stats.connections_open, stats.requests),
        (1, 0, 1)
    );
}

#[test]
fn url_names_scheme_and_port() {
    let server = server();
    assert_eq!(
        server.url("/small"),
        format!("http://127.0.0.1:{}/small", server.addr().port())
    );
}
