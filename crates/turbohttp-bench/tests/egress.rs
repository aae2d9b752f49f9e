//! Where `cargo xtask test` has taken the network away, it is away: no address but loopback can be
//! reached, by the system's means or by the client's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use turbohttp::{Client, ErrorKind as Kind};
use turbohttp_bench::Work;
use turbohttp_loopback::{Options, Server};

/// Addresses of other machines, kept for documentation.
const OUTSIDE: [&str; 2] = ["192.0.2.1:80", "[2001:db8::1]:80"];

/// Set by `cargo xtask test` where the tests run in a network of their own.
fn is_alone() -> bool {
    std::env::var_os("TURBOHTTP_TESTS_ALONE").is_some()
}

#[test]
fn tests_reach_no_address_but_loopback() {
    if !is_alone() {
        println!("not alone: this system does not permit it, or the tests were run by hand");
        return;
    }
    for address in OUTSIDE {
        let connected =
            TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_secs(5));
        let kind = connected.unwrap_err().kind();
        assert_ne!(kind, ErrorKind::TimedOut, "something was sent to {address}");
    }
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    assert!(socket.send_to(b"x", OUTSIDE[0]).is_err());
}

#[tokio::test]
async fn the_client_reaches_loopback_and_nothing_else() {
    let server = Server::start(Options::default()).unwrap();
    let client = Client::new().unwrap();
    let work = Work::new("get", Client::builder()).unwrap();
    Box::pin(work.run(&server.url("/small"))).await.unwrap();
    if is_alone() {
        let error = Box::pin(client.get("http://192.0.2.1/").send())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Connect, "{error}");
    }
}
