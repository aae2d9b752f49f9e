//! The resolver, against name servers of the tests' own in a network namespace.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use turbohttp::{ErrorKind, Limits, Phase};

use crate::ground::{NameServer, in_namespace, with_resolv_conf};
use crate::support::{TestClient, soon};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// One name server; a look-up that gets no answer takes a minute.
const PLAIN: &str = "nameserver 127.0.0.1\noptions timeout:60 attempts:1";

/// Answers every connection once, for ever; returns the port and the Host fields it has seen.
async fn serve(address: &str) -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, hosts) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let host = head.lines().find_map(|line| line.strip_prefix("host: "));
            _ = seen.send(host.unwrap_or_default().to_owned());
            _ = stream.write_all(OK).await;
        }
    });
    (port, hosts)
}

fn multi() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// nodejs/node #62503, #8436; sysown/proxysql #4593.
#[test]
fn silent_name_server_holds_up_its_own_names_only() {
    let name = "resolver::silent_name_server_holds_up_its_own_names_only";
    if !with_resolv_conf(name, PLAIN) {
        return;
    }
    let server = NameServer::start("127.0.0.1");
    server.silence("silent.test");
    server.set("www.fast.test", [127, 0, 0, 1]);
    multi().block_on(async {
        let (port, _hosts) = serve("127.0.0.1:0").await;
        let client = TestClient::with(|builder| {
            builder
                .limits(Limits::default().per_host(1_000).total(1_000))
                .timeouts(turbohttp::Timeouts::default().dns(Duration::from_secs(600)))
        });
        let slow: Vec<_> = (0..200)
            .map(|n| {
                let request = client.get(format!("http://n{n}.silent.test:{port}/"));
                tokio::spawn(request.send())
            })
            .collect();
        // All of them have asked, or wait for a thread.
        while client.stats().requests < 200 {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            let url = format!("http://www.fast.test:{port}/");
            assert_eq!(soon(client.get(url).send()).await.unwrap().status(), 200);
        }
        assert!(
            slow.iter().all(|task| !task.is_finished()),
            "they still wait"
        );
        for task in slow {
            task.abort();
            _ = task.await;
        }
        // Given up, they hold nothing: a fresh zone is looked up at once.
        server.set("www.other.test", [127, 0, 0, 1]);
        let url = format!("http://www.other.test:{port}/");
        assert_eq!(soon(client.get(url).send()).await.unwrap().status(), 200);
    });
}

#[test]
fn burst_to_one_name_is_one_question() {
    if !with_resolv_conf("resolver::burst_to_one_name_is_one_question", PLAIN) {
        return;
    }
    let server = NameServer::start("127.0.0.1");
    server.set("www.fast.test", [127, 0, 0, 1]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (port, _hosts) = serve("127.0.0.1:0").await;
        let client = TestClient::with(|builder| builder.limits(Limits::default().per_host(64)));
        let burst: Vec<_> = (0..64)
            .map(|_| tokio::spawn(client.get(format!("http://www.fast.test:{port}/")).send()))
            .collect();
        for task in burst {
            assert_eq!(soon(task).await.unwrap().unwrap().status(), 200);
        }
        assert_eq!(server.take_asked(), ["www.fast.test"]);
    });
}

/// The first of two name servers is silent, so that every look-up is slow; the second one knows some names.
#[test]
fn second_name_server_is_asked_for_all_names() {
    let conf = "nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch corp.test\noptions timeout:1 attempts:1";
    if !with_resolv_conf("resolver::second_name_server_is_asked_for_all_names", conf) {
        return;
    }
    let (silent, answering) = (
        NameServer::start("127.0.0.1"),
        NameServer::start("127.0.0.2"),
    );
    silent.silence("test");
    for n in 0..40 {
        answering.set(&format!("n{n}.fast.test"), [127, 0, 0, 1]);
    }
    multi().block_on(async {
        let (port, _hosts) = serve("127.0.0.1:0").await;
        let client = TestClient::with(|builder| builder.limits(Limits::default().per_host(64)));
        // More names than have a place at once: those in line start when the first ones are set aside.
        let found: Vec<_> = (0..40)
            .map(|n| tokio::spawn(client.get(format!("http://n{n}.fast.test:{port}/")).send()))
            .collect();
        for request in found {
            assert_eq!(soon(request).await.unwrap().unwrap().status(), 200);
        }
        let missing = soon(client.get(format!("http://none.fast.test.:{port}/")).send()).await;
        assert_eq!(
            missing.unwrap_err().kind(),
            ErrorKind::Dns,
            "NXDOMAIN of the second one"
        );
        assert!(!silent.take_asked().is_empty(), "it was asked first");
    });
}

/// RFC 1034 section 3.1: a final dot makes a name absolute; line/armeria #4538, curl/curl #3022.
#[test]
fn search_lists_complete_relative_names_only() {
    let conf = "nameserver 127.0.0.1\nsearch corp.test\noptions ndots:2 timeout:60 attempts:1";
    let name = "resolver::search_lists_complete_relative_names_only";
    if !with_resolv_conf(name, conf) {
        return;
    }
    let server = NameServer::start("127.0.0.1");
    server.set("api.corp.test", [127, 0, 0, 2]);
    server.set("db.prod.corp.test", [127, 0, 0, 2]);
    server.set("db.prod", [127, 0, 0, 3]);
    multi().block_on(async {
        let (port, mut hosts) = serve("127.0.0.2:0").await;
        let client = TestClient::new();
        // With less than ndots dots the list comes first.
        for (url_name, asked, is_found) in [
            ("api", "api.corp.test", true),
            ("db.prod", "db.prod.corp.test", true),
            ("api.", "api", false),
            ("API.corp.test.", "api.corp.test", true),
            ("nothing.", "nothing", false),
        ] {
            server.take_asked();
            let outcome = soon(client.get(format!("http://{url_name}:{port}/")).send()).await;
            assert_eq!(server.take_asked(), [asked], "{url_name}");
            match outcome {
                Ok(_) => assert!(is_found, "{url_name}"),
                Err(error) => {
                    assert!(!is_found, "{url_name}: {error:?}");
                    assert_eq!(
                        (error.kind(), error.phase()),
                        (ErrorKind::Dns, Some(Phase::Dns))
                    );
                    assert!(error.to_string().contains(url_name), "{error}");
                }
            }
            if is_found {
                let expected = url_name.to_lowercase().trim_end_matches('.').to_owned();
                assert_eq!(hosts.recv().await.unwrap(), format!("{expected}:{port}"));
            }
        }
        // The absolute name is another host: no connection of the relative one serves it.
        let error = soon(client.get(format!("http://db.prod.:{port}/")).send())
            .await
            .unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Connect,
            "nothing listens on 127.0.0.3"
        );
    });
}

#[test]
fn failures_are_not_kept_and_addresses_that_fail_are_dropped() {
    let name = "resolver::failures_are_not_kept_and_addresses_that_fail_are_dropped";
    if !with_resolv_conf(name, PLAIN) {
        return;
    }
    let server = NameServer::start("127.0.0.1");
    multi().block_on(async {
        let client = TestClient::new();
        let (port, _hosts) = serve("127.0.0.9:0").await;
        let url = format!("http://moves.test:{port}/");
        // NXDOMAIN, then entered with an address that refuses, then with the right one.
        let error = soon(client.get(&url).send()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Dns);
        assert!(error.is_retryable());
        server.set("moves.test", [127, 0, 0, 8]);
        let error = soon(client.get(&url).send()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        server.set("moves.test", [127, 0, 0, 9]);
        assert_eq!(soon(client.get(&url).send()).await.unwrap().status(), 200);
        // Found, it is kept.
        server.take_asked();
        assert_eq!(soon(client.get(&url).send()).await.unwrap().status(), 200);
        assert!(server.take_asked().is_empty());
    });
}

/// A look-up under way keeps no runtime from ending.
#[test]
fn end_of_a_runtime_waits_for_no_lookup() {
    if !with_resolv_conf("resolver::end_of_a_runtime_waits_for_no_lookup", PLAIN) {
        return;
    }
    let server = NameServer::start("127.0.0.1");
    server.silence("silent.test");
    let client = turbohttp::Client::new().unwrap();
    let single = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (name, runtime) in [("a.silent.test", multi()), ("b.silent.test", single)] {
        runtime.spawn(client.get(format!("http://{name}/")).send());
        runtime.block_on(async {
            while !server.take_asked().contains(&name.to_owned()) {
                tokio::task::yield_now().await;
            }
        });
        let (ended, wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            _ = ended.send(());
        });
        // The look-up itself ends after a minute.
        wait.recv_timeout(Duration::from_secs(30))
            .expect("the runtime waits for the look-up");
        assert_eq!(
            client.stats().requests,
            0,
            "the request went with its runtime"
        );
    }
}

/// RFC 6874: an address of a link needs its zone; Host does not have it.
#[test]
fn zones_of_addresses_choose_the_link() {
    let setup = "ip link add left type bridge
         ip link set left up
         ip -6 addr add fe80::1/64 dev left nodad
         ip link add right type bridge
         ip link set right up
         ip -6 addr add fe80::2/64 dev right nodad";
    if !in_namespace("resolver::zones_of_addresses_choose_the_link", setup) {
        return;
    }
    let index = |link: &str| -> u32 {
        let path = format!("/sys/class/net/{link}/ifindex");
        // Of the namespace, as far as /sys shows it; otherwise in the order in which they were made.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim()
            .parse()
            .unwrap_or(if link == "left" { 2 } else { 3 })
    };
    multi().block_on(async {
        let address: Ipv6Addr = "fe80::1".parse().unwrap();
        let address = SocketAddrV6::new(address, 0, 0, index("left"));
        let (port, mut hosts) = serve(&address.to_string()).await;
        let client = TestClient::with(|builder| {
            builder.timeouts(turbohttp::Timeouts::default().connect(Duration::from_secs(2)))
        });
        for zone in ["%25left", "%left"] {
            let url = format!("http://[fe80::1{zone}]:{port}/");
            assert_eq!(
                soon(client.get(url).send()).await.unwrap().status(),
                200,
                "{zone}"
            );
            assert_eq!(hosts.recv().await.unwrap(), format!("[fe80::1]:{port}"));
        }
        for url in [
            format!("http://[fe80::1%25right]:{port}/"),
            format!("http://[fe80::1%25none]:{port}/"),
        ] {
            assert!(soon(client.get(&url).send()).await.is_err(), "{url}");
        }
    });
}
