//! Requests are read as RFC 9112 says, and what breaks its grammar is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Peer, split};
use turbohttp_loopback::{Options, ROUTES, Server};

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

fn status(answer: &[u8]) -> String {
    let (head, _) = split(answer);
    head["HTTP/1.1 ".len()..][..3].to_owned()
}

#[test]
fn plain_get_is_read() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    // Twice, as the connection is kept; nothing is expected of it between.
    for _ in 0..2 {
        peer.send("GET /echo?q HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, content) = peer.read_answer();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(
            head.contains("content-type: application/octet-stream\r\n"),
            "{head}"
        );
        assert_eq!(content, b"");
    }
    peer.send("GET /small?q HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(peer.read_answer().1, b"Hello, world!");
}

#[test]
fn fields_that_matter_are_read_in_any_case() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    peer.send(
        "POST /echo HTTP/1.1\r\nhOST: a\r\nCONTENT-LENGTH: \t42 \r\nExpect: 100-Continue\r\n\
         Content-type:text/x\r\nconnection: foo, Close\r\n\r\n",
    );
    assert_eq!(peer.read_head(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send([b'x'; 42]);
    let (head, content) = peer.read_answer();
    assert!(head.contains("content-type: text/x\r\n"), "{head}");
    assert_eq!(content, [b'x'; 42]);
    assert_eq!(peer.read_to_end().unwrap(), b"");
}

#[test]
fn old_version_closes_unless_it_asks_to_stay() {
    let server = server();
    let mut peer = Peer::connect(server.addr());
    for _ in 0..2 {
        peer.send("GET /id/stay HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(peer.read_answer().1, b"stay");
    }
    peer.send("GET /id/go HTTP/1.0\r\n\r\n");
    assert_eq!(peer.read_answer().1, b"go");
    assert_eq!(peer.read_to_end().unwrap(), b"");
}

#[test]
fn what_breaks_the_grammar_is_malformed() {
    let lines = [
        "GET /\r\n",
        "GET  HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n",
        "G T / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        "GET / HTTP/1.1\r\nHost: a\nx: y\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n",
    ];
    let server = server();
    for line in lines {
        let mut peer = Peer::connect(server.addr());
        peer.send(format!("{line}\r\n"));
        assert_eq!(status(&peer.read_to_end().unwrap()), "400", "{line:?}");
    }
}

#[test]
fn chunk_sizes_are_hexadecimal_and_nothing_else() {
    let server = server();
    let ask = |content: &str| {
        let mut peer = Peer::connect(server.addr());
        let head = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
        peer.send(format!("{head}transfer-encoding: chunked\r\n\r\n{content}"));
        peer.read_to_end().unwrap()
    };
    let content = "x".repeat(26);
    let answer = ask(&format!("1A;name=value\r\n{content}\r\n0\r\n\r\n"));
    assert_eq!(split(&answer).1, content.as_bytes());
    assert_eq!(split(&ask("0\r\n\r\n")).1, b"");
    for line in ["", "+1", "-1", "0x1", "g", " 1", "10000000000000000"] {
        assert_eq!(status(&ask(&format!("{line}\r\n"))), "400", "{line:?}");
    }
}

#[test]
fn targets_are_read() {
    let server = server();
    let ask = |target: &str| {
        let mut peer = Peer::connect(server.addr());
        peer.send(format!(
            "GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        ));
        peer.read_to_end().unwrap()
    };
    for (target, content) in [
        ("/", ROUTES),
        ("/small?x=/y", "Hello, world!"),
        ("http://host:1/small", "Hello, world!"),
        ("/id/a/b", "a/b"),
    ] {
        assert_eq!(split(&ask(target)).1, content.as_bytes(), "{target}");
    }
    for (target, bytes) in [("/bytes/65536", 65_536), ("/drop/9", 4)] {
        assert_eq!(split(&ask(target)).1.len(), bytes, "{target}");
    }
    let (head, content) = split(&ask("/chunked/16/1024"));
    assert_eq!(common::body(&head, content).len(), 16 * 1024);
    for target in ["/bytes/x", "/bytes/1/2", "/status/999", "*", "/small/"] {
        assert_eq!(status(&ask(target)), "404", "{target}");
    }
}
