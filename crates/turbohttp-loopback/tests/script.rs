//! A scripted server does what its script says, to the byte.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::ErrorKind;
use std::net::TcpStream;

use common::Peer;
use turbohttp_loopback::script::{Script, Signal, Step};

#[test]
fn steps_are_played_in_order_and_what_came_is_recorded() {
    let server = Script::new()
        .accept([
            Step::ReadHead,
            Step::ReadExact(3),
            Step::send("one"),
            Step::ReadHead,
            Step::send_split("two", 1),
        ])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    peer.send("GET / HTTP/1.1\r\n\r\nabcGET /2");
    assert_eq!(peer.read_exact(3), b"one");
    peer.send(" HTTP/1.1\r\n\r\n");
    assert_eq!(peer.read_to_end().unwrap(), b"two");
    assert_eq!(server.connections(), 1);
    assert_eq!(
        server.received(),
        [b"GET / HTTP/1.1\r\n\r\nabcGET /2 HTTP/1.1\r\n\r\n"]
    );
    common::block_on(server.all_closed());
}

#[test]
fn each_connection_has_its_steps_and_one_too_many_is_refused() {
    let server = Script::new()
        .accept([Step::send("first")])
        .accept([Step::send("second")])
        .start()
        .unwrap();
    for expected in ["first", "second"] {
        assert_eq!(
            Peer::connect(server.addr()).read_to_end().unwrap(),
            expected.as_bytes()
        );
    }
    assert!(is_refused(server.addr()));
    assert_eq!(server.connections(), 2);
}

/// A connection that came before the listener closed is reset instead, and noticed on reading.
fn is_refused(addr: std::net::SocketAddr) -> bool {
    use std::io::Read;
    TcpStream::connect(addr)
        .and_then(|mut stream| stream.read(&mut [0]))
        .is_err()
}

#[test]
fn last_steps_can_be_repeated() {
    let server = Script::new()
        .accept([])
        .accept([Step::send("again")])
        .repeat_last()
        .start()
        .unwrap();
    for expected in ["", "again", "again", "again"] {
        assert_eq!(
            Peer::connect(server.addr()).read_to_end().unwrap(),
            expected.as_bytes()
        );
    }
}

#[test]
fn half_closed_connection_still_reads() {
    let server = Script::new()
        .accept([Step::send("bye"), Step::HalfClose, Step::ReadToEnd])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    assert_eq!(peer.read_to_end().unwrap(), b"bye");
    peer.send("late");
    drop(peer);
    common::block_on(async {
        while server.connections() == 0 {
            tokio::task::yield_now().await;
        }
        server.all_closed().await;
    });
    assert_eq!(server.received(), [b"late"]);
}

#[test]
fn reset_is_a_reset() {
    let server = Script::new()
        .accept([Step::ReadHead, Step::Reset])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    peer.send("x\r\n\r\n");
    assert_eq!(
        peer.read_to_end().unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn flood_ends_with_the_peer() {
    let server = Script::new()
        .accept([Step::Flood(b"12345".repeat(1000))])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    assert_eq!(peer.read_exact(500_000), b"12345".repeat(100_000));
    drop(peer);
    common::block_on(server.all_closed());
}

#[test]
fn signal_lets_the_script_go_on() {
    let signal = Signal::new();
    let server = Script::new()
        .accept([Step::Await(signal.clone()), Step::send("go")])
        .start()
        .unwrap();
    let mut peer = Peer::connect(server.addr());
    signal.set();
    assert_eq!(peer.read_to_end().unwrap(), b"go");
}

#[test]
fn stalled_and_deaf_connections_end_with_the_server() {
    for step in [Step::Stall, Step::Deaf, Step::Await(Signal::new())] {
        let server = Script::new()
            .accept([Step::send("x"), step])
            .start()
            .unwrap();
        let mut peer = Peer::connect(server.addr());
        assert_eq!(peer.read_exact(1), b"x");
        drop(server);
        assert_eq!(peer.read_to_end().unwrap(), b"");
    }
}

#[test]
fn empty_script_refuses_all() {
    let server = Script::new().start().unwrap();
    assert!(is_refused(server.addr()));
    assert_eq!(server.connections(), 0);
}
