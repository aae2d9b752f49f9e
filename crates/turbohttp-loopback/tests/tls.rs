//! TLS, right and wrong, to a rustls client over a std socket.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use turbohttp_loopback::script::{Script, Step};
use turbohttp_loopback::tls::{Leaf, TestCa};
use turbohttp_loopback::{Options, Server};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn connect(addr: SocketAddr, name: &str, config: ClientConfig) -> Tls {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(addr).unwrap())
}

fn client(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn ask(mut tls: Tls) -> io::Result<String> {
    tls.write_all(b"GET /small HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn server_speaks_tls() {
    let ca = TestCa::new();
    let tls = Some(ca.server_config(&["localhost", "127.0.0.1"]));
    let server = Server::start(Options {
        tls,
        ..Options::default()
    })
    .unwrap();
    assert!(server.url("/").starts_with("https://127.0.0.1:"));
    for name in ["localhost", "127.0.0.1"] {
        let answer = ask(connect(server.addr(), name, client(ca.roots()))).unwrap();
        assert!(answer.ends_with("Hello, world!"), "{answer}");
    }
}

#[test]
fn wrong_certificates_are_noticed() {
    let ca = TestCa::new();
    let leaves = [
        ("expired", ca.expired_leaf(&["localhost"])),
        ("name", ca.leaf(&["example.com"])),
        ("issuer", Leaf::self_signed(&["localhost"])),
        ("signature", TestCa::new().leaf(&["localhost"])),
    ];
    for (what, leaf) in leaves {
        let tls = Some(leaf.server_config());
        let server = Server::start(Options {
            tls,
            ..Options::default()
        })
        .unwrap();
        let error = ask(connect(server.addr(), "localhost", client(ca.roots()))).unwrap_err();
        let text = error.to_string().to_lowercase();
        assert!(
            text.contains("certificate") && text.contains(what),
            "{what}: {text}"
        );
    }
}

#[test]
fn mutual_tls_asks_for_the_right_client() {
    let (ca, client_ca) = (TestCa::new(), TestCa::new());
    let tls = Some(ca.leaf(&["localhost"]).mutual_server_config(&client_ca));
    let server = Server::start(Options {
        tls,
        ..Options::default()
    })
    .unwrap();
    let with = |leaf: &Leaf| {
        let chain = vec![leaf.certificate_der()];
        let builder = ClientConfig::builder().with_root_certificates(ca.roots());
        let config = builder
            .with_client_auth_cert(chain, leaf.key_der())
            .unwrap();
        ask(connect(server.addr(), "localhost", config))
    };
    assert!(
        with(&client_ca.leaf(&["someone"]))
            .unwrap()
            .ends_with("Hello, world!")
    );
    assert!(with(&ca.leaf(&["someone"])).is_err());
    assert!(ask(connect(server.addr(), "localhost", client(ca.roots()))).is_err());
    assert_eq!(server.stats().requests, 1);
}

#[test]
fn script_ends_tls_in_order_or_not() {
    let ca = TestCa::new();
    let config = ca.server_config(&["localhost"]);
    for (end, is_orderly) in [
        (Step::Close, true),
        (Step::HalfClose, true),
        (Step::Truncate, false),
    ] {
        let server = Script::new()
            .accept([
                Step::Handshake(config.clone()),
                Step::ReadHead,
                Step::send("hi"),
                end,
            ])
            .start()
            .unwrap();
        let mut tls = connect(server.addr(), "localhost", client(ca.roots()));
        tls.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        assert_eq!(tls.read_to_end(&mut answer).is_ok(), is_orderly);
        assert_eq!(answer, b"hi");
        assert_eq!(server.received(), [b"GET / HTTP/1.1\r\n\r\n"]);
    }
}

#[test]
fn authority_and_leaf_are_told_as_pem() {
    let ca = TestCa::default();
    let leaf = ca.leaf(&["localhost"]);
    assert!(ca.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(
        leaf.certificate_pem()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert!(leaf.key_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
}
