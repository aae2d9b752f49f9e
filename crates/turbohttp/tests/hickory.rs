//! `HickoryResolver`, against name servers of the tests' own.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "tests panic, say what they skip, spawn and hold futures as their users do"
)]

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use turbohttp::{ErrorKind, HickoryResolver, Phase, Resolve, Timeouts};
use turbohttp_loopback::{Options, Server};

use crate::support::{TestClient, read, soon};

#[cfg(target_os = "linux")]
#[allow(
    dead_code,
    reason = "shared with the tests of `field`, which use all of it"
)]
#[path = "field/ground.rs"]
mod ground;
#[allow(
    dead_code,
    reason = "shared with the tests of `it`, which use all of it"
)]
#[path = "it/support.rs"]
mod support;

/// Bytes of the header of a message (RFC 1035 section 4.1.1).
const HEADER: usize = 12;

/// A name server on a port of its own, over UDP and TCP.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The A record of a name.
#[derive(Clone, Copy)]
struct Entry {
    seconds: u32,
    /// UDP says that the answer does not fit.
    is_large: bool,
}

const PLAIN: Entry = Entry {
    seconds: 60,
    is_large: false,
};

impl NameServer {
    /// Knows these names, as 127.0.0.1, and the zone `crowd.test`.
    async fn start(entries: &[(&str, Entry)]) -> NameServer {
        let entries = entries
            .iter()
            .map(|(name, entry)| (name.to_string(), *entry));
        let entries: Arc<HashMap<_, _>> = Arc::new(entries.collect());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            // The same number may be taken there.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let (own, known) = (asked.clone(), entries.clone());
        tokio::spawn(async move {
            let mut packet = [0; 1_500];
            while let Ok((length, peer)) = udp.recv_from(&mut packet).await {
                let answer = answer(&packet[..length], &known, &own, true);
                _ = udp.send_to(&answer, peer).await;
            }
        });
        let own = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let (own, known) = (own.clone(), entries.clone());
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut question = vec![0; length.into()];
                        stream.read_exact(&mut question).await.unwrap();
                        let answer = answer(&question, &known, &own, false);
                        let length = u16::try_from(answer.len()).unwrap();
                        stream.write_u16(length).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                    }
                });
            }
        });
        NameServer { address, asked }
    }

    fn resolver(&self) -> HickoryResolver {
        HickoryResolver::with_name_servers([self.address]).unwrap()
    }

    /// The names that A records were asked for since the last call, in their order.
    fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// The answer to a question (RFC 1035 section 4): an address, nothing of that type, NXDOMAIN, or "truncated".
fn answer(
    question: &[u8],
    entries: &HashMap<String, Entry>,
    asked: &Mutex<Vec<String>>,
    is_udp: bool,
) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = HEADER;
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).to_lowercase());
        at = end;
    }
    let name = labels.join(".");
    let is_a = question[at + 1..at + 3] == [0, 1];
    if is_a {
        asked.lock().unwrap().push(name.clone());
    }
    let crowd = name.ends_with(".crowd.test").then_some(PLAIN);
    let entry = entries.get(&name).copied().or(crowd);
    let code = if entry.is_some() { 0 } else { 3 };
    let entry = entry.filter(|_| is_a);
    let is_cut = is_udp && entry.is_some_and(|entry| entry.is_large);
    let entry = entry.filter(|_| !is_cut);
    let mut answer = question[..2].to_vec();
    let flags = 0x81 | u8::from(is_cut) << 1;
    let count = u8::from(entry.is_some());
    answer.extend_from_slice(&[flags, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend_from_slice(&question[HEADER..at + 5]);
    if let Some(entry) = entry {
        // The name by a pointer to the question, type A, class IN, its lifetime, 4 bytes.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        answer.extend_from_slice(&entry.seconds.to_be_bytes());
        answer.extend_from_slice(&[0, 4, 127, 0, 0, 1]);
    }
    answer
}

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

async fn get(client: &TestClient, host: &str, port: u16) -> turbohttp::Result<Vec<u8>> {
    let request = client.get(format!("http://{host}:{port}/small"));
    // So that the next one asks again.
    let request = request.header("connection", "close");
    read(&mut soon(request.send()).await?).await
}

#[tokio::test]
async fn names_are_asked_for_and_remembered_for_as_long_as_they_say() {
    let short = Entry {
        seconds: 0,
        ..PLAIN
    };
    let names = NameServer::start(&[("long.test", PLAIN), ("short.test", short)]).await;
    let server = server();
    let port = server.addr().port();
    let client = TestClient::with(|builder| builder.resolver(names.resolver()));
    for host in [
        "long.test",
        "long.test",
        "LONG.test",
        "short.test",
        "short.test",
    ] {
        assert_eq!(get(&client, host, port).await.unwrap(), b"Hello, world!");
    }
    assert_eq!(
        names.take_asked(),
        ["long.test", "short.test", "short.test"]
    );
    let request = client.get(format!("http://long.test:{port}/small"));
    let response = soon(request.send()).await.unwrap();
    let mut phases = response.timeline().spans().map(|span| span.phase);
    assert!(phases.any(|phase| phase == Phase::Dns));
}

#[tokio::test]
async fn a_name_that_does_not_exist_says_so() {
    let names = NameServer::start(&[]).await;
    let client = TestClient::with(|builder| builder.resolver(names.resolver()));
    let error = get(&client, "missing.test", 1).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Dns, Some(Phase::Dns))
    );
    assert!(error.to_string().contains("missing.test"), "{error}");
    assert!(error.is_retryable(), "nothing was sent");
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::NotFound);
}

/// A peer without an answer, and ones that send what is none, cost no more than the limit for names.
#[tokio::test]
async fn nonsense_and_silence_end_at_the_limit() {
    type Answer = fn(&[u8]) -> Vec<u8>;
    let answers: [Answer; 6] = [
        |_| Vec::new(),
        |_| vec![0xff; 512],
        // The question itself, which is no response.
        |question| question.to_vec(),
        // A head that promises what does not follow.
        |question| {
            let head = [0x81, 0x80, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
            [&question[..2], &head, &question[HEADER..]].concat()
        },
        // A name that is a pointer to itself (RFC 1035 section 4.1.4).
        |question| {
            let head = [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
            let looping = [0xc0, 12, 0, 1, 0, 1];
            [&question[..2], &head, &looping[..], &looping[..]].concat()
        },
        // The right answer to another question.
        |question| {
            let mut other = question.to_vec();
            other[0] ^= 1;
            other[2] |= 0x80;
            other
        },
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = HickoryResolver::with_name_servers([udp.local_addr().unwrap()]).unwrap();
        let server = tokio::spawn(async move {
            let mut packet = [0; 1_500];
            while let Ok((length, peer)) = udp.recv_from(&mut packet).await {
                _ = udp.send_to(&answer(&packet[..length]), peer).await;
            }
        });
        let client = TestClient::with(|builder| {
            let limit = Duration::from_millis(200);
            let timeouts = Timeouts::default().dns(limit);
            builder.resolver(resolver).timeouts(timeouts)
        });
        let error = get(&client, "a.test", 1).await.unwrap_err();
        let kinds = [ErrorKind::Dns, ErrorKind::Timeout];
        assert!(kinds.contains(&error.kind()), "{number}: {error:?}");
        assert_eq!(error.phase(), Some(Phase::Dns), "{number}");
        server.abort();
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_comes_by_tcp() {
    let large = Entry {
        is_large: true,
        ..PLAIN
    };
    let names = NameServer::start(&[("large.test", large)]).await;
    let found = soon(names.resolver().resolve("large.test")).await.unwrap();
    assert_eq!(found, [IpAddr::from([127, 0, 0, 1])]);
    assert_eq!(names.take_asked(), ["large.test"; 2]);
}

#[tokio::test]
async fn many_names_are_asked_for_at_once() {
    let names = NameServer::start(&[]).await;
    let resolver = names.resolver();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..500 {
        let resolver = resolver.clone();
        tasks.spawn(async move {
            let name = format!("n{number}.crowd.test");
            resolver.resolve(&name).await.unwrap()
        });
    }
    let found = soon(tasks.join_all()).await;
    assert_eq!(found.len(), 500);
    assert!(
        found
            .iter()
            .all(|found| *found == [IpAddr::from(Ipv4Addr::LOCALHOST)])
    );
}

/// What a resolver keeps of one runtime does not keep it from working in the next.
#[test]
fn one_resolver_serves_one_runtime_after_another() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let large = Entry {
        is_large: true,
        seconds: 0,
    };
    let of_server = runtime();
    let names = of_server.block_on(NameServer::start(&[("large.test", large)]));
    let resolver = names.resolver();
    for _ in 0..3 {
        let found = runtime().block_on(async { soon(resolver.resolve("large.test")).await });
        assert_eq!(found.unwrap(), [IpAddr::from([127, 0, 0, 1])]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn system_says_which_server_is_asked_and_what_is_appended() {
    let name = "system_says_which_server_is_asked_and_what_is_appended";
    let text = "nameserver 127.0.0.1\nsearch inner.test\n";
    if !ground::with_resolv_conf(name, text) {
        return;
    }
    let names = ground::NameServer::start("127.0.0.1");
    names.set("www.inner.test", [127, 0, 0, 7]);
    names.set("www.other.test", [127, 0, 0, 8]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let resolver = HickoryResolver::from_system().unwrap();
        for (name, last) in [("www", 7), ("www.other.test", 8), ("www.other.test.", 8)] {
            let found = soon(resolver.resolve(name)).await.unwrap();
            assert_eq!(found, [IpAddr::from([127, 0, 0, last])], "{name}");
        }
        // An absolute name has nothing appended.
        let error = soon(resolver.resolve("www.")).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    });
}
