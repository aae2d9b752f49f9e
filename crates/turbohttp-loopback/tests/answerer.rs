//! The server for benchmarks, to the client of the crate `h2`.
#![cfg(feature = "h2")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "the runtime of a test ends with it, and with it what was spawned"
)]

mod common;

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::Request;
use turbohttp_loopback::{Answerer, AnswererOptions, pattern};

async fn connect(server: &Answerer, client: &Builder) -> SendRequest<Bytes> {
    let tcp = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    let (sender, connection) = client.handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The same over TLS.
#[cfg(feature = "tls")]
async fn connect_tls(
    server: &Answerer,
    ca: &turbohttp_loopback::tls::TestCa,
) -> SendRequest<Bytes> {
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(ca.roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let tls = connector.connect(name, tcp).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = Builder::new().handshake(tls).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(mut sender: SendRequest<Bytes>, content: Bytes) -> Vec<u8> {
    poll_fn(|context| sender.poll_ready(context)).await.unwrap();
    let request = Request::post("http://t/any").body(()).unwrap();
    let is_end = content.is_empty();
    let (response, mut stream) = sender.send_request(request, is_end).unwrap();
    if !is_end {
        stream.send_data(content, true).unwrap();
    }
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let names: Vec<_> = response
        .headers()
        .keys()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "date",
            "server",
            "content-type",
            "content-length",
            "cache-control",
            "x-request-id"
        ]
    );
    let length = response.headers()["content-length"].clone();
    let mut body = response.into_body();
    let mut content = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        content.extend_from_slice(&piece);
    }
    assert_eq!(length, content.len().to_string());
    content
}

#[test]
fn every_request_gets_the_answer() {
    for (content_bytes, client) in [
        (13, Builder::new()),
        (13, Builder::new().header_table_size(0).clone()),
        (0, Builder::new()),
        (65_536, Builder::new()),
        (65_536, Builder::new().initial_window_size(1000).clone()),
        (
            300_000,
            Builder::new()
                .initial_connection_window_size(1 << 24)
                .clone(),
        ),
    ] {
        let server = Answerer::start(AnswererOptions {
            content_bytes,
            max_concurrent_streams: 16,
            ..AnswererOptions::default()
        })
        .unwrap();
        let expected = match content_bytes {
            13 => b"Hello, world!".to_vec(),
            length => pattern(length),
        };
        common::block_on(async {
            let sender = connect(&server, &client).await;
            let large = Bytes::from(pattern(3_000_000));
            assert_eq!(ask(sender.clone(), large).await, expected);
            let callers: Vec<_> = (0..64)
                .map(|number| {
                    let content = Bytes::from(pattern(number % 3 * 1000));
                    tokio::spawn(ask(sender.clone(), content))
                })
                .collect();
            for caller in callers {
                assert!(caller.await.unwrap() == expected);
            }
        });
        assert_eq!((server.requests(), server.connections()), (65, 1));
    }
}

#[cfg(feature = "tls")]
#[test]
fn answers_come_over_tls_too() {
    let ca = turbohttp_loopback::tls::TestCa::new();
    let server = Answerer::start(AnswererOptions {
        content_bytes: 300_000,
        tls: Some(ca.server_config_with_alpn(&["127.0.0.1"], &["h2"])),
        ..AnswererOptions::default()
    })
    .unwrap();
    assert!(server.url("/").starts_with("https://"));
    common::block_on(async {
        let sender = connect_tls(&server, &ca).await;
        for length in [0, 300_000] {
            let content = ask(sender.clone(), Bytes::from(pattern(length))).await;
            assert!(content == pattern(300_000));
        }
    });
    assert_eq!((server.requests(), server.connections()), (2, 1));
}
