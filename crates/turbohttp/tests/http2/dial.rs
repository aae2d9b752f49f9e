//! How many connections are made, and for whom.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use turbohttp::{Client, ClientBuilder, Tls, Version};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Options, Protocols, Server};

use super::ground::{builder, run, run_on_two, server};

/// A server of TLS that offers these protocols, and clients that trust it.
fn tls_server(ca: &TestCa, offered: &[&str], protocols: Protocols) -> Server {
    let options = Options {
        tls: Some(ca.server_config_with_alpn(&["localhost", "127.0.0.1"], offered)),
        protocols,
        ..Options::default()
    };
    Server::start(options).unwrap()
}

fn trusting(ca: &TestCa) -> ClientBuilder {
    let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
    Client::builder().tls(tls)
}

/// Sends `count` requests at once, each from a task of its own.
async fn burst(client: &Client, url: &str, count: usize) -> Vec<Version> {
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (client, url) = (client.clone(), url.to_owned());
            tokio::spawn(async move {
                let response = client.get(url).send().await.unwrap();
                let version = response.version();
                assert_eq!(response.text().await.unwrap(), "Hello, world!");
                version
            })
        })
        .collect();
    let mut versions = Vec::new();
    for task in tasks {
        versions.push(task.await.unwrap());
    }
    versions
}

#[test]
fn a_herd_makes_one_handshake_if_the_server_speaks_http2() {
    let ca = TestCa::new();
    let server = tls_server(&ca, &["h2", "http/1.1"], Protocols::Any);
    let url = server.url("/small");
    run_on_two(async {
        let client = trusting(&ca).limits(limits()).build().unwrap();
        let versions = burst(&client, &url, 64).await;
        assert!(versions.iter().all(|version| *version == Version::HTTP_2));
        let stats = client.stats().net.unwrap();
        assert_eq!((stats.opened, stats.tls_handshakes), (1, 1));
    });
    let stats = server.stop();
    assert_eq!((stats.connections, stats.http2.connections), (1, 1));
}

fn limits() -> turbohttp::Limits {
    turbohttp::Limits::default().per_host(64)
}

#[test]
fn a_herd_makes_a_connection_each_if_the_server_speaks_http1() {
    let ca = TestCa::new();
    let server = tls_server(&ca, &["http/1.1"], Protocols::Http1);
    let url = server.url("/small");
    run_on_two(async {
        let client = trusting(&ca).limits(limits()).build().unwrap();
        let versions = burst(&client, &url, 64).await;
        assert!(versions.iter().all(|version| *version == Version::HTTP_11));
        let first = client.stats().net.unwrap().opened;
        assert!((1..=64).contains(&first), "{first}");
        burst(&client, &url, 64).await;
    });
}

#[test]
fn a_herd_without_tls_makes_one_connection_where_http2_is_known() {
    let server = server();
    let url = server.url("/small");
    run_on_two(async {
        let client = builder().limits(limits()).build().unwrap();
        burst(&client, &url, 64).await;
    });
    assert_eq!(server.stop().connections, 1);
}

#[test]
fn http1_only_offers_nothing_else() {
    let ca = TestCa::new();
    let server = tls_server(&ca, &["h2", "http/1.1"], Protocols::Any);
    run(async {
        let client = trusting(&ca).http1_only().build().unwrap();
        let response = client.get(server.url("/small")).send().await.unwrap();
        assert_eq!(response.version(), Version::HTTP_11);
    });
}

#[test]
fn nobody_waits_for_the_future_that_began_the_dial() {
    let server = server();
    let url = server.url("/small");
    run(async {
        let client = builder().build().unwrap();
        let mut first = pin!(client.get(&url).send());
        // Polled once, and then not any more for a while.
        let mut unwoken = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut unwoken).is_pending());
        for _ in 0..3 {
            assert_eq!(burst(&client, &url, 8).await.len(), 8);
        }
        let Poll::Ready(sent) =
            std::future::poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await
        else {
            assert!(first.await.is_ok());
            return;
        };
        assert!(sent.is_ok());
    });
    assert_eq!(server.stop().connections, 1);
}

#[test]
fn a_dial_that_fails_fails_for_all_that_wait() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    run(async {
        let client = Arc::new(builder().build().unwrap());
        let sends: Vec<_> = (0..4)
            .map(|_| {
                let (client, url) = (client.clone(), url.clone());
                tokio::spawn(async move { client.get(&url).send().await })
            })
            .collect();
        for send in sends {
            let error = send.await.unwrap().unwrap_err();
            assert!(error.is_connect(), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
    });
}
