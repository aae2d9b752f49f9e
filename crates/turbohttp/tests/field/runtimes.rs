//! Runtimes and tests of users.

use std::io::Write;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Builder;
use turbohttp::{
    BodyContext, BodySource, Client, ErrorKind, MockReply, MockTransport, ResponseBody, StatusCode,
};

use crate::support::{Peer, TestClient, block_on, read_head, soon};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// seanmonstar/reqwest #2783: a runtime that lacks a driver is an error, and no panic of the caller.
#[test]
fn runtimes_without_drivers_are_an_error() {
    let server = Peer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            _ = stream.write_all(OK);
        }
    });
    let mut no_io = Builder::new_current_thread();
    no_io.enable_time();
    let mut no_time = Builder::new_current_thread();
    no_time.enable_io();
    let mut no_driver = Builder::new_multi_thread();
    no_driver.worker_threads(1);
    for (mut builder, driver) in [(no_io, "sockets"), (no_time, "time"), (no_driver, "time")] {
        let runtime = builder.build().unwrap();
        let client = TestClient::new();
        let error = runtime
            .block_on(client.get(server.url("/")).send())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime, "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains(driver) && message.contains("enable_all()"),
            "{message}"
        );
    }
    let client = TestClient::new();
    let error = block_on(client.get(server.url("/")).send()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
}

/// What needs no driver works without: the mock at once; its delay and a deadline are errors.
#[test]
fn mock_without_drivers() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mock = MockTransport::new(MockReply::new(StatusCode::OK));
    let client = Client::builder().transport(mock).build().unwrap();
    runtime.block_on(async {
        assert_eq!(
            client.get("http://a.test/").send().await.unwrap().status(),
            200
        );
    });
    let late = MockReply::new(StatusCode::OK).delay(Duration::from_secs(1));
    let client = Client::builder()
        .transport(MockTransport::new(late))
        .build()
        .unwrap();
    let error = runtime
        .block_on(client.get("http://a.test/").send())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime, "{error:?}");
}

/// Whatever a request is doing, the end of its runtime waits for nothing.
#[test]
fn end_of_a_runtime_waits_for_nothing() {
    // It answers nothing, and reads nothing.
    let silent = Peer::start(|stream| _ = stream.peek(&mut [0]));
    let half = Peer::start(|mut stream| {
        if read_head(&mut stream).is_some() {
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
            _ = read_head(&mut stream);
        }
    });
    for flavour in 0..2 {
        for url in [
            silent.url("/"),
            half.url("/"),
            "https://127.0.0.1:9/".to_owned(),
        ] {
            let runtime = match flavour {
                0 => Builder::new_current_thread().enable_all().build().unwrap(),
                _ => Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()
                    .unwrap(),
            };
            let client = Client::new().unwrap();
            let request = client.get(url).send();
            runtime.spawn(async { request.await?.bytes().await });
            runtime.block_on(tokio::task::yield_now());
            let (ended, wait) = mpsc::channel();
            std::thread::spawn(move || {
                drop(runtime);
                _ = ended.send(());
            });
            wait.recv_timeout(Duration::from_secs(20))
                .expect("the runtime waits");
            assert_eq!(client.stats().requests, 0);
        }
    }
}

/// 100 bodies that announce 64 MiB and send one byte: what was only announced is not resident.
#[cfg(target_os = "linux")]
#[test]
fn announced_bodies_are_not_resident() {
    const BODIES: usize = 100;
    let server = Peer::start(|mut stream| {
        if read_head(&mut stream).is_some() {
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\nx");
            _ = read_head(&mut stream);
        }
    });
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let limits = turbohttp::Limits::default().per_host(BODIES);
        let client = TestClient::with(|builder| builder.limits(limits));
        let mut responses = Vec::new();
        for _ in 0..BODIES {
            responses.push(soon(client.get(server.url("/")).send()).await.unwrap());
        }
        let before = resident_bytes();
        let collecting: Vec<_> = (responses.into_iter())
            .map(|response| tokio::spawn(response.bytes()))
            .collect();
        // Each has taken its byte, and waits for the next one.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes for {BODIES} bytes of body");
        for task in collecting {
            task.abort();
            _ = task.await;
        }
    });
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

/// JohnTitor/mssql-rs #445 and the like: time that stands still in a test of a user. The mock lives in that
/// time: a delay of an hour takes none. The guide says what holds on real sockets.
#[tokio::test(start_paused = true)]
async fn mock_lives_in_paused_time() {
    let late = MockReply::new(StatusCode::OK).delay(Duration::from_secs(20));
    let client = Client::builder()
        .transport(MockTransport::new(late))
        .build()
        .unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(
        client.get("http://a.test/").send().await.unwrap().status(),
        200
    );
    assert_eq!(start.elapsed().as_secs(), 20);
}

/// A source that gives another number of bytes than it has announced, as what unpacks a body does when it
/// passes the announcement on.
struct Misjudging {
    body: ResponseBody,
    announced: u64,
}

impl BodySource for Misjudging {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        context: BodyContext<'_>,
    ) -> Poll<turbohttp::Result<bool>> {
        self.body.poll_chunk(cx, context)
    }

    fn chunk(&self) -> &[u8] {
        self.body.chunk()
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.announced)
    }
}

/// The length of a packed body is not that of the unpacked one.
#[tokio::test]
async fn bodies_may_be_longer_than_their_source_announces() {
    const LENGTH: usize = 6 << 20;
    for announced in [0, 1, 4 << 20, LENGTH as u64 - 1, LENGTH as u64 + 1] {
        let mock = MockReply::new(StatusCode::OK).body(vec![7; LENGTH]);
        let client = Client::builder()
            .transport(MockTransport::new(mock))
            .build()
            .unwrap();
        let response = client.get("http://a.test/").send().await.unwrap();
        let response = response.map_body(|body| Misjudging { body, announced });
        assert_eq!(
            response.bytes().await.unwrap(),
            vec![7; LENGTH],
            "{announced}"
        );
    }
}

/// fussybeaver/bollard #387, hyperium/hyper #2892, #2113: one client of many tests, whose runtimes end.
#[test]
fn one_client_in_many_runtimes_that_end() {
    let server = Peer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            if stream.write_all(OK).is_err() {
                return;
            }
        }
    });
    let client = Client::new().unwrap();
    let url = server.url("/");
    let user = |first: usize| {
        for round in 0..8 {
            let mut builder = match (first + round) % 2 {
                0 => Builder::new_current_thread(),
                _ => Builder::new_multi_thread(),
            };
            let runtime = builder.worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let requests: Vec<_> = (0..8)
                    .map(|_| {
                        let request = client.get(&url).send();
                        tokio::spawn(async { request.await?.bytes().await })
                    })
                    .collect();
                for request in requests {
                    assert_eq!(soon(request).await.unwrap().unwrap(), "ok");
                }
            });
        }
    };
    std::thread::scope(|scope| {
        for first in 0..4 {
            scope.spawn(move || user(first));
        }
    });
    let net = client.stats().net.unwrap();
    assert_eq!((net.open, net.idle), (0, 0), "{net:?}");
}
