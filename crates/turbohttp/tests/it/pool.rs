//! Idle connections: which one is used, how many are kept, for how long, and that nothing of one
//! request is ever seen by another.

use std::collections::HashSet;
use std::fmt::Debug;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use turbohttp::{Client, ErrorKind, Limits, Method, Phase, Response};
use turbohttp_loopback::{Options, Server};

use crate::support::{TestClient, read, settle, soon};

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

fn id(response: &Response) -> u64 {
    response.timeline().connection_id().unwrap()
}

/// Responses that hold a connection each; their bodies have not all arrived.
async fn hold(client: &TestClient, url: &str, count: usize) -> Vec<Response> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(client.get(url).send().await.unwrap());
    }
    held
}

/// Reads the responses in their order, so that their connections idle in that order; tells their ids.
async fn release(held: Vec<Response>) -> Vec<u64> {
    let mut ids = Vec::new();
    for mut response in held {
        read(&mut response).await.unwrap();
        ids.push(id(&response));
    }
    ids
}

/// Waits until the server has that many connections open.
async fn open_at(server: &Server, count: u64) {
    soon(async {
        while server.stats().connections_open != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn newest_idle_connection_is_used_first() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/bytes/300000");
    let held = hold(&client, &url, 4).await;
    assert_eq!(held.iter().map(id).collect::<HashSet<_>>().len(), 4, "K1");
    let mut ids = release(held).await;
    // Taken while the ones before are held: newest first, down to the oldest.
    let again = hold(&client, &url, 4).await;
    let taken: Vec<u64> = again.iter().map(id).collect();
    ids.reverse();
    assert_eq!(taken, ids);
    assert!(
        again
            .iter()
            .all(|response| response.timeline().is_connection_reused())
    );
    release(again).await;
    assert_eq!(server.stats().connections, 4);
}

#[tokio::test]
async fn idle_connections_of_an_origin_are_capped() {
    let server = server();
    let client = TestClient::with(|it| it.limits(Limits::default().idle_per_origin(2)));
    let url = server.url("/bytes/300000");
    let ids = release(hold(&client, &url, 5).await).await;
    assert_eq!((client.net().idle, client.net().closed), (2, 3));
    open_at(&server, 2).await;
    // The oldest made room.
    let kept: HashSet<u64> = hold(&client, &url, 2).await.iter().map(id).collect();
    assert_eq!(kept, HashSet::from([ids[3], ids[4]]));
}

#[tokio::test]
async fn idle_connections_are_capped_in_total() {
    let servers = [server(), server(), server()];
    let client = TestClient::with(|it| it.limits(Limits::default().idle_total(4)));
    let mut held = Vec::new();
    for server in &servers {
        held.extend(hold(&client, &server.url("/bytes/300000"), 2).await);
    }
    release(held).await;
    assert_eq!((client.net().idle, client.net().closed), (4, 2));
    // Those of the first server had been idle longest.
    for (server, open) in servers.iter().zip([0, 2, 2]) {
        open_at(server, open).await;
    }
}

/// Moves the clock, and lets it run again: servers answer in real time.
async fn skip(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn idle_connections_are_closed_at_their_age() {
    let server = server();
    let client = TestClient::timeouts(|it| it.idle(Duration::from_secs(200)));
    let url = server.url("/bytes/300000");
    let mut held = hold(&client, &url, 3).await;
    let last = held.pop().unwrap();
    release(held).await;
    skip(100).await;
    release(vec![last]).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(client.net().idle, 3);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(client.net().idle, 1, "two of three have aged");
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((client.net().idle, client.net().open), (0, 0));
    tokio::time::resume();
    soon(server.all_closed()).await;
    // The next ones are looked after too.
    client.body_of(&url).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(201)).await;
    assert_eq!(client.net().open, 0);
    tokio::time::resume();
    soon(server.all_closed()).await;
}

#[tokio::test]
async fn connection_serves_no_request_beyond_its_lifetime() {
    let server = server();
    let client = TestClient::timeouts(|it| {
        it.lifetime(Duration::from_secs(600))
            .idle(Duration::from_secs(5_000))
    });
    let url = server.url("/bytes/300000");
    client.body_of(&url).await;
    skip(500).await;
    client.body_of(&url).await;
    assert_eq!(client.net().opened, 1);
    let mut response = client.get(&url).send().await.unwrap();
    skip(110).await;
    read(&mut response).await.unwrap();
    assert_eq!(client.net().open, 0, "kept although it is too old");
    client.body_of(&url).await;
    assert_eq!(client.net().opened, 2);
    skip(610).await;
    client.body_of(&url).await;
    assert_eq!(client.net().opened, 3, "handed out although it is too old");
    open_at(&server, 1).await;
}

/// What names the same origin shares connections; host or port apart, nothing does.
#[tokio::test]
async fn connections_are_kept_by_scheme_host_and_port() {
    let server = server();
    let client = TestClient::with(|it| {
        it.resolve("a.test", [server.addr()])
            .resolve("b.test", [server.addr()])
            .resolve("xn--bcher-kva.test", [server.addr()])
    });
    for url in [
        "http://a.test/",
        "HTTP://A.Test:80/",
        "http://a.test./",
        "http://u:p@a.test",
    ] {
        client.body_of(url).await;
    }
    assert_eq!(server.stats().connections, 1);
    for (url, connections) in [
        ("http://b.test/", 2),
        ("http://a.test:81/", 3),
        ("http://b.test:81/", 4),
        ("http://bücher.test/", 5),
        ("http://xn--bcher-kva.test/", 5),
        ("http://a.test/", 5),
    ] {
        client.body_of(url).await;
        assert_eq!(server.stats().connections, connections, "{url}");
    }
}

/// All that a caller can see of a response and of its request.
async fn surface(response: &mut Response) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut add = |what: &dyn Debug| seen.extend(format!("{what:?}").into_bytes());
    add(&response);
    add(&response.status());
    add(&response.url());
    add(&response.origin());
    add(&response.timeline());
    add(&response.timeline().spans().collect::<Vec<_>>());
    for (name, value) in response.fields() {
        seen.extend_from_slice(name.as_bytes());
        seen.extend_from_slice(value);
    }
    while let Some(chunk) = response.chunk().await.unwrap() {
        seen.extend_from_slice(chunk);
    }
    for (name, value) in response.headers() {
        seen.extend_from_slice(name.as_str().as_bytes());
        seen.extend_from_slice(value.as_bytes());
    }
    seen.extend(format!("{response:?} {:?}", response.timeline()).into_bytes());
    seen
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

/// 32 bytes that stand nowhere else, as text.
fn secret() -> String {
    use std::hash::{BuildHasher, RandomState};
    (0..4)
        .map(|word| format!("{:016x}", RandomState::new().hash_one(word)))
        .collect()
}

/// Sends the secret in every part of a request, over and over. The echo puts it into the read
/// buffers too.
async fn tell(client: &TestClient, server: &Server, secret: &str, done: &AtomicBool) {
    let url = server
        .url("/echo")
        .replace("http://", &format!("http://u:{secret}@"));
    let mut round = 0;
    while !done.load(Ordering::Relaxed) || round == 0 {
        round += 1;
        let request = client
            .post(format!("{url}?{secret}"))
            .header("x-secret", secret)
            .header("content-type", secret)
            .body(secret.repeat(1 + round % 300));
        let mut request = request.build().unwrap();
        let recorder = request.recorder();
        let mut response = client.send(request).await.unwrap();
        let now = std::time::Instant::now();
        let _ = recorder.record(Phase::Queue, now, now);
        // Some are dropped unread.
        if round % 5 > 0 {
            let body = read(&mut response).await.unwrap();
            assert!(holds(&body, secret.as_bytes()));
        }
    }
}

/// Sends a request that knows nothing of the secret, and tells all that can be seen of it.
async fn overhear(client: &TestClient, server: &Server, round: usize) -> Vec<u8> {
    let paths = [
        "/small",
        "/headers",
        "/id/x",
        "/status/404",
        "/chunked/5/900",
        "/bytes/70000",
    ];
    let method = if round.is_multiple_of(7) {
        Method::HEAD
    } else {
        Method::GET
    };
    let builder = client.request(method, server.url(paths[round % paths.len()]));
    let mut seen = format!("{builder:?}");
    let request = builder.build().unwrap();
    seen += &format!("{:?} {}", request.headers(), request.url());
    assert!(request.body().is_empty());
    let mut response = client.send(request).await.unwrap();
    seen += &format!("{:?} {:?}", **client, client.stats());
    [seen.into_bytes(), surface(&mut response).await].concat()
}

/// Nothing that was written for one request is seen by another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn secrets_of_one_request_are_seen_by_no_other() {
    let shared = Arc::new((
        TestClient::new(),
        server(),
        secret(),
        AtomicBool::new(false),
    ));
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for reader in 0..4 {
        let writing = shared.clone();
        writers.push(tokio::spawn(async move {
            let (client, server, secret, done) = &*writing;
            tell(client, server, secret, done).await;
        }));
        let reading = shared.clone();
        readers.push(tokio::spawn(async move {
            let (client, server, secret, _) = &*reading;
            for round in 0..300 {
                let seen = overhear(client, server, round).await;
                assert!(
                    !holds(&seen, secret.as_bytes()),
                    "reader {reader}, round {round}"
                );
            }
        }));
    }
    for reader in readers {
        reader.await.unwrap();
    }
    shared.3.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    shared.0.audit();
}

/// A thousand requests, 64 at once, over four origins: each has its own answer, and both sides count
/// the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_sides_count_the_same() {
    const REQUESTS: usize = 1_000;
    let servers: Arc<Vec<Server>> = Arc::new((0..4).map(|_| server()).collect());
    let client = Arc::new(TestClient::new());
    let places = Arc::new(Semaphore::new(64));
    let tasks: Vec<_> = (0..REQUESTS)
        .map(|number| {
            let (client, servers, places) = (client.clone(), servers.clone(), places.clone());
            tokio::spawn(async move {
                let _place = places.acquire().await.unwrap();
                let url = servers[number % 4].url(&format!("/id/{number}"));
                let mut response = client.get(url).send().await.unwrap();
                let body = read(&mut response).await.unwrap();
                assert_eq!(body, number.to_string().as_bytes());
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    let net = client.net();
    client.audit();
    let stats: Vec<_> = servers.iter().map(Server::stats).collect();
    let sum = |count: fn(&turbohttp_loopback::Stats) -> u64| stats.iter().map(count).sum::<u64>();
    assert_eq!(sum(|it| it.requests), REQUESTS as u64 + net.replayed);
    assert_eq!(sum(|it| it.connections), net.opened);
    assert!(
        net.opened <= 64 * 4,
        "more connections than could be in use: {net:?}"
    );
    let sent: usize = (0..REQUESTS).map(|number| number.to_string().len()).sum();
    assert_eq!(sum(|it| it.body_bytes_sent), sent as u64);
    drop(client);
    for server in servers.iter() {
        soon(server.all_closed()).await;
    }
}

/// Runs a test that changes its whole process in a process of its own.
#[cfg(target_os = "linux")]
fn run_alone(test: &str, url: &str) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored"])
        .env(SERVER_URL, url)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}

/// Where a test that runs alone finds the server, which must not share its descriptors.
#[cfg(target_os = "linux")]
const SERVER_URL: &str = "TURBOHTTP_TEST_SERVER_URL";

#[cfg(target_os = "linux")]
#[test]
fn no_descriptor_left_is_an_error_and_passes() {
    let server = server();
    run_alone(
        "pool::no_descriptor_left_is_an_error_and_passes_alone",
        &server.url(""),
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by no_descriptor_left_is_an_error_and_passes in a process of its own"]
async fn no_descriptor_left_is_an_error_and_passes_alone() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let url = std::env::var(SERVER_URL).unwrap();
    // A request waits that long for a descriptor, as for a permit.
    let client = TestClient::timeouts(|timeouts| timeouts.permit(Duration::from_millis(50)));
    client.body_of(&format!("{url}/small")).await;
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(64),
            maximum,
        },
    )
    .unwrap();
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }

    // The idle connection serves on; a new one cannot be had, and says so.
    client.body_of(&format!("{url}/small")).await;
    let mut held = client
        .get(format!("{url}/bytes/10000000"))
        .send()
        .await
        .unwrap();
    for _ in 0..3 {
        let error = client.get(format!("{url}/small")).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("Too many open files"), "{source}");
    }

    // What was held is whole, and as soon as there is a descriptor all is well.
    files.truncate(files.len() - 2);
    client.body_of(&format!("{url}/small")).await;
    let mut length = 0;
    while let Some(chunk) = held.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, 10_000_000);
    assert_eq!(client.net().opened, 2);
}

/// Descriptors are the process's, so this one is run in a process of its own.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_come_back() {
    run_alone("pool::descriptors_come_back_alone", "");
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by descriptors_come_back in a process of its own"]
async fn descriptors_come_back_alone() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let server = server();
    let warm = TestClient::new();
    warm.body_of(&server.url("/small")).await;
    drop(warm);
    soon(server.all_closed()).await;
    let before = descriptors();
    for _ in 0..5 {
        let client = Client::new().unwrap();
        let test = TestClient::from(client.clone());
        let url = server.url("/bytes/100000");
        let held = hold(&test, &url, 20).await;
        assert!(descriptors() >= before + 20);
        let (unread, to_read): (Vec<_>, Vec<_>) = held
            .into_iter()
            .enumerate()
            .partition(|(index, _)| index % 2 == 0);
        drop(unread);
        release(to_read.into_iter().map(|(_, response)| response).collect()).await;
        let failed = client.get(server.url("/drop")).send().await;
        assert!(failed.is_err());
        let mut dropped = Box::pin(client.get(server.url("/never")).send());
        tokio::select! { biased; _ = &mut dropped => {}, () = settle() => {} }
        drop(dropped);
        test.audit();
        drop((client, test));
        soon(server.all_closed()).await;
    }
    assert_eq!(descriptors(), before);
}

/// What leaves the pool is no request's: it counts as idle until its socket is closed.
#[tokio::test]
async fn a_connection_that_is_being_closed_is_not_in_use() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/bytes/300000");
    for _ in 0..20 {
        release(hold(&client, &url, 8).await).await;
        let closing = std::thread::spawn({
            let client = Client::clone(&client);
            move || client.close_idle_connections()
        });
        while !closing.is_finished() {
            assert_eq!(client.client_audit().connections, 0);
        }
        assert_eq!(closing.join().unwrap(), 8);
        let net = client.net();
        assert_eq!((net.open, net.idle, net.opened), (0, 0, net.closed));
    }
}
