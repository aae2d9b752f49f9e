//! A future may be dropped at any await, a runtime may go away, user code may panic: everything is
//! given back, and the next request is right.

use std::future::{Future, pending};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use turbohttp::{
    Body, Bytes, Client, ErrorKind, Middleware, Next, Request, RequestBuilder, Response,
};
use turbohttp_loopback::script::{Script, Signal, Step};
use turbohttp_loopback::{Options, Server};

use crate::support::{Peer, TestClient, block_on, poll_times, read, read_head, settle, soon};

/// Answers every request with its own path as the body, byte by byte: `/chunked/…` in chunks,
/// `/close/…` up to the end of the connection, all others with a length. Content is read first.
fn dribbler() -> Peer {
    Peer::start(|mut stream| while serve_one(&mut stream).is_some() {})
}

fn serve_one(stream: &mut TcpStream) -> Option<()> {
    let head = read_head(stream)?;
    let path = head.split(' ').nth(1)?.to_owned();
    let fields = head.to_ascii_lowercase();
    if fields.contains("transfer-encoding: chunked") {
        let mut content = Vec::new();
        let mut byte = [0];
        while !content.ends_with(b"0\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            content.push(byte[0]);
        }
    } else if let Some((_, length)) = fields.split_once("content-length: ") {
        let length = length.split("\r\n").next()?.parse().ok()?;
        stream.read_exact(&mut vec![0; length]).ok()?;
    }
    let length = path.len();
    let answer = if path.starts_with("/chunked") {
        let (a, b) = path.split_at(length / 2);
        let coding = "transfer-encoding: chunked";
        let (a_len, b_len) = (a.len(), b.len());
        format!(
            "HTTP/1.1 200 OK\r\n{coding}\r\n\r\n{a_len:x}\r\n{a}\r\n{b_len:x}\r\n{b}\r\n0\r\n\r\n"
        )
    } else if path.starts_with("/close") {
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{path}")
    } else {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{path}")
    };
    for byte in answer.as_bytes() {
        stream.write_all(std::slice::from_ref(byte)).ok()?;
        thread::yield_now();
    }
    (!path.starts_with("/close")).then_some(())
}

/// A body source that is not ready every other time.
struct Halting {
    pieces: usize,
    ready: bool,
}

impl Halting {
    fn body(length: Option<u64>) -> Body {
        let source = Halting {
            pieces: 4,
            ready: false,
        };
        Body::from_stream(source, length)
    }
}

impl futures_core::Stream for Halting {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.pieces == 0 {
            return Poll::Ready(None);
        }
        self.pieces -= 1;
        Poll::Ready(Some(Ok(Bytes::from_static(b"piece"))))
    }
}

type Make = fn(&TestClient, String) -> RequestBuilder;

fn requests() -> [(&'static str, Make); 7] {
    [
        ("/length", |client, url| client.get(url)),
        ("/chunked", |client, url| client.get(url)),
        ("/close", |client, url| client.get(url)),
        ("/post", |client, url| client.post(url).body("content")),
        ("/large", |client, url| {
            client.post(url).body(vec![7; 400_000])
        }),
        ("/chunked/upload", |client, url| {
            client.post(url).body(Halting::body(None))
        }),
        ("/length/upload", |client, url| {
            client.put(url).body(Halting::body(Some(20)))
        }),
    ]
}

/// The future is dropped after each number of polls, until it completes.
#[tokio::test]
async fn send_may_be_dropped_at_any_poll() {
    let server = dribbler();
    for (path, make) in requests() {
        let client = TestClient::new();
        let mut polls = 0;
        loop {
            let path = format!("{path}/{polls}");
            let send = make(&client, server.url(&path)).send();
            let sent = soon(poll_times(send, polls)).await;
            let completed = sent.is_some();
            if let Some(response) = sent {
                assert_eq!(response.unwrap().status(), 200);
            }
            client.audit();
            let next = format!("/next/{polls}");
            let body = soon(client.body_of(&server.url(&next))).await;
            assert_eq!(body, next.as_bytes(), "after {path}");
            client.audit();
            if completed {
                break;
            }
            polls += 1;
        }
        assert!(polls > 1, "{path} was never pending");
    }
}

/// The same, with the whole body read; and once with `bytes`, whose drop drops the response.
#[tokio::test]
async fn body_reads_may_be_dropped_at_any_poll() {
    let server = dribbler();
    for (path, make) in requests() {
        for collect in [false, true] {
            let client = TestClient::new();
            let mut polls = 0;
            loop {
                let path = format!("{path}/{polls}");
                let whole = async {
                    let mut response = make(&client, server.url(&path)).send().await.unwrap();
                    if collect {
                        response.bytes().await.unwrap().to_vec()
                    } else {
                        read(&mut response).await.unwrap()
                    }
                };
                let body = soon(poll_times(whole, polls)).await;
                client.audit();
                let next = format!("/next/{polls}");
                let next_body = soon(client.body_of(&server.url(&next))).await;
                assert_eq!(next_body, next.as_bytes(), "after {path}");
                client.audit();
                if let Some(body) = body {
                    assert_eq!(body, path.as_bytes());
                    break;
                }
                polls += 1;
            }
        }
    }
}

/// `chunk` is cancel safe: a dropped call has taken nothing from the body.
#[tokio::test]
async fn dropped_chunk_calls_lose_nothing() {
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", "cde"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            "c\r\n2\r\nde\r\n0\r\n\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3;x",
            "\r\ncde\r\n0\r\n\r\n",
        ),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab", "cde"),
    ];
    for (first, rest) in cases {
        let go = Signal::new();
        let server = Script::new()
            .accept([
                Step::ReadHead,
                Step::send(first),
                Step::Await(go.clone()),
                Step::send(rest),
            ])
            .start()
            .unwrap();
        let client = TestClient::new();
        let mut response = client.get(server.url("/")).send().await.unwrap();
        let mut body = Vec::new();
        while body.len() < 2 {
            body.extend_from_slice(response.chunk().await.unwrap().unwrap());
        }
        for _ in 0..3 {
            assert!(poll_times(response.chunk(), 1).await.is_none());
            settle().await;
        }
        go.set();
        body.extend(soon(read(&mut response)).await.unwrap());
        assert_eq!(body, b"abcde", "{first}");
    }
}

/// Polls that nobody asked for, each with another waker, change nothing.
#[tokio::test]
async fn spurious_polls_and_changing_wakers_change_nothing() {
    let server = dribbler();
    for (path, make) in requests() {
        let client = TestClient::new();
        let mut whole = pin!(async {
            let mut response = make(&client, server.url(path)).send().await.unwrap();
            read(&mut response).await.unwrap()
        });
        let body = soon(async {
            loop {
                // A waker of nobody: the wake-ups of this poll are lost on purpose.
                let mut deaf = Context::from_waker(Waker::noop());
                if let Poll::Ready(body) = whole.as_mut().poll(&mut deaf) {
                    break body;
                }
                let again = async {
                    let once = std::future::poll_fn(|cx| {
                        let polled = whole.as_mut().poll(cx);
                        Poll::Ready(polled)
                    });
                    once.await
                };
                if let Poll::Ready(body) = again.await {
                    break body;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(body, path.as_bytes());
        client.audit();
    }
}

/// Counts wake-ups.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A request that waits polls nothing by itself, and its waker is not kept when it is over.
#[tokio::test]
async fn waiting_request_does_not_wake_itself_and_keeps_no_waker() {
    let server = Script::new()
        .accept([Step::ReadHead, Step::Stall])
        .start()
        .unwrap();
    let client = TestClient::new();
    let counting = Arc::new(Counting::default());
    let waker = Waker::from(counting.clone());
    {
        let mut send = pin!(client.get(server.url("/")).send());
        // Far enough to wait for the answer; then every poll is of no use.
        for _ in 0..50 {
            let polled = send.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            settle().await;
        }
        let before = counting.0.load(Ordering::SeqCst);
        settle().await;
        assert_eq!(counting.0.load(Ordering::SeqCst), before, "it wakes itself");
        assert!(before < 50, "every poll led to a wake-up: {before}");
    }
    drop(waker);
    settle().await;
    assert_eq!(
        Arc::strong_count(&counting),
        1,
        "a waker outlives its request"
    );
}

/// Every public value may be dropped where there is no runtime.
#[tokio::test]
async fn drops_on_a_thread_without_a_runtime() {
    let server = dribbler();
    let client = TestClient::new();
    let builder = client.get(server.url("/a")).header("x", "y");
    let request = client.post(server.url("/b")).body("x").build().unwrap();
    let unread = client
        .get(server.url("/length/unread"))
        .send()
        .await
        .unwrap();
    let mut read_up = client.get(server.url("/length/read")).send().await.unwrap();
    read(&mut read_up).await.unwrap();
    let timeline = read_up.timeline().clone();
    let error = client.get("http://[").send().await.unwrap_err();
    let mut half_sent = Box::pin(client.get(server.url("/c")).send());
    assert!(poll_times(half_sent.as_mut(), 2).await.is_none());
    let clone = Client::clone(&client);
    thread::spawn(move || {
        drop((
            builder, request, unread, read_up, timeline, error, half_sent, clone,
        ));
    })
    .join()
    .unwrap();
    client.audit();
    assert_eq!(client.body_of(&server.url("/after")).await, b"/after");
}

/// The rest of the body is read and the connection goes nowhere: its client is gone.
#[tokio::test]
async fn response_outlives_its_client() {
    let server = Server::start(Options::default()).unwrap();
    let client = Client::new().unwrap();
    let mut response = client
        .get(server.url("/bytes/2000000"))
        .send()
        .await
        .unwrap();
    let unread = client
        .get(server.url("/bytes/2000000"))
        .send()
        .await
        .unwrap();
    drop(client);
    let body = read(&mut response).await.unwrap();
    assert!(body == turbohttp_loopback::pattern(2_000_000));
    drop((response, unread));
    soon(server.all_closed()).await;
}

#[tokio::test]
async fn idle_connections_are_closed_with_the_last_clone() {
    let server = Server::start(Options::default()).unwrap();
    let client = Client::new().unwrap();
    let clone = client.clone();
    for _ in 0..3 {
        let response = client.get(server.url("/small")).send().await.unwrap();
        response.bytes().await.unwrap();
    }
    assert_eq!(clone.stats().net.unwrap().idle, 1);
    drop(client);
    let response = clone.get(server.url("/small")).send().await.unwrap();
    response.bytes().await.unwrap();
    assert_eq!(server.stats().connections, 1);
    drop(clone);
    soon(server.all_closed()).await;
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A client may be made outside, and used from one runtime after the other.
#[test]
fn client_is_used_from_several_runtimes() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    for _ in 0..3 {
        // The idle connection of the former runtime is dead and must not be handed out.
        let runtime = runtime();
        for _ in 0..2 {
            let body = runtime.block_on(soon(client.body_of(&server.url("/small"))));
            assert_eq!(body, b"Hello, world!");
        }
        client.audit();
    }
    assert_eq!(server.stats().connections, 3);
    assert_eq!(client.net().replayed, 0, "a dead connection was used");
}

/// The former runtime is alive, but nobody drives it: its sockets say nothing.
#[test]
fn connection_of_a_runtime_that_rests_is_not_used_on_another() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let runtimes = [runtime(), runtime()];
    for round in 0..4 {
        let runtime = &runtimes[round % 2];
        let body = runtime.block_on(soon(client.body_of(&server.url("/small"))));
        assert_eq!(body, b"Hello, world!");
    }
    assert_eq!(client.net().replayed, 0);
    drop(runtimes);
}

/// The janitor of the first runtime is gone with it; the second has its own.
#[test]
fn idle_connections_age_on_a_second_runtime() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    runtime().block_on(client.body_of(&server.url("/small")));
    runtime().block_on(async {
        client.body_of(&server.url("/small")).await;
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(91)).await;
        settle().await;
        assert_eq!(client.net().open, 0, "nobody closes what has aged");
        tokio::time::resume();
        soon(server.all_closed()).await;
    });
}

/// Requests in flight end with their runtime; the client goes on elsewhere.
#[test]
fn runtime_that_is_shut_down_takes_its_requests_along() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let send = client.get(server.url("/never")).send();
        tasks.push(runtime.spawn(send));
    }
    let mut half_read = runtime.block_on(async {
        client.body_of(&server.url("/small")).await;
        while server.stats().in_flight < 8 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        client
            .get(server.url("/drop/9000000"))
            .send()
            .await
            .unwrap()
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    let second = self::runtime();
    second.block_on(async {
        for task in tasks {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        // Its socket belonged to the runtime that is gone.
        let error = read(&mut half_read).await.unwrap_err();
        let kinds = [ErrorKind::Io, ErrorKind::Truncated, ErrorKind::Runtime];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        drop(half_read);
        client.audit();
        assert_eq!(
            client.body_of(&server.url("/small")).await,
            b"Hello, world!"
        );
    });
}

#[test]
fn outside_any_runtime_there_is_an_error_and_no_panic() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let error = block_on(client.get(server.url("/small")).send()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime, "{error:?}");
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
    assert!(error.to_string().contains(&server.url("")), "{error}");
    // With a connection at hand it is the same.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(client.body_of(&server.url("/small")));
    assert_eq!(client.net().idle, 1);
    let error = block_on(client.get(server.url("/small")).send()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime, "{error:?}");
    client.audit();
    let body = runtime.block_on(client.body_of(&server.url("/small")));
    assert_eq!(body, b"Hello, world!");
}

/// A body may be read anywhere as long as its runtime runs.
#[test]
fn body_is_read_outside_any_runtime() {
    let server = Script::new()
        .accept([
            Step::ReadHead,
            Step::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            Step::Stall,
        ])
        .start()
        .unwrap();
    let client = TestClient::timeouts(|timeouts| timeouts.body(Duration::from_millis(50)));
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let response = runtime.block_on(client.get(server.url("/")).send());
    let mut response = response.unwrap();
    let first = block_on(response.chunk()).unwrap().unwrap().to_vec();
    assert_eq!(first, b"half");
    let error = block_on(read(&mut response)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    drop(response);
    client.audit();
}

/// A source that panics at its second piece.
struct Panicking(bool);

impl futures_core::Stream for Panicking {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        assert!(!std::mem::replace(&mut self.0, true), "a panic of the user");
        Poll::Ready(Some(Ok(Bytes::from_static(b"piece"))))
    }
}

/// Panics before or after its request, as told by a field of it.
struct Faulty;

impl Middleware for Faulty {
    async fn handle(&self, request: Request, next: Next<'_>) -> turbohttp::Result<Response> {
        let when = request.headers().get("panic").cloned();
        assert!(
            when.as_ref().is_none_or(|when| when != "before"),
            "a panic of the user"
        );
        let response = next.run(request).await?;
        assert!(
            when.is_none_or(|when| when != "after"),
            "a panic of the user"
        );
        Ok(response)
    }
}

/// One caller sees the panic; the accounts are settled and the next request is right.
#[tokio::test]
async fn panic_of_the_user_costs_one_request() {
    let server = dribbler();
    let client = TestClient::with(|builder| builder);
    let with_middleware = TestClient::from(Client::builder().with(Faulty).build().unwrap());
    assert_eq!(client.body_of(&server.url("/warm")).await, b"/warm");
    let body = Body::from_stream(Panicking(false), None);
    let url = server.url("/x");
    let sends = [
        tokio::spawn(client.post(&url).body(body).send()),
        tokio::spawn(with_middleware.get(&url).header("panic", "before").send()),
        tokio::spawn(with_middleware.get(&url).header("panic", "after").send()),
    ];
    for send in sends {
        assert!(send.await.unwrap_err().is_panic());
    }
    for client in [&client, &with_middleware] {
        client.audit();
        assert_eq!(client.body_of(&server.url("/next")).await, b"/next");
        client.audit();
    }
}

/// A request dropped before its first poll was never more than a value.
#[tokio::test]
async fn requests_never_sent_leave_nothing() {
    let client = TestClient::new();
    for _ in 0..100 {
        drop(client.get("http://a.test/").send());
        drop(client.get("http://a.test/"));
        drop(client.get("http://a.test/").build());
        drop(client.get("no url").send());
    }
    client.audit();
}

/// Many at once, dropped at random moments by their callers' own timeouts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn storm_of_drops_leaves_nothing() {
    let server = Arc::new(Server::start(Options::default()).unwrap());
    let client = Arc::new(TestClient::new());
    let tasks: Vec<_> = (0..16u64)
        .map(|task| {
            let (client, server) = (client.clone(), server.clone());
            tokio::spawn(async move {
                for round in 0..40u64 {
                    let id = task * 1_000 + round;
                    let url = server.url(&format!("/id/{id}"));
                    let polls = (round % 7) as usize;
                    let body = poll_times(client.body_of(&url), polls).await;
                    if let Some(body) = body {
                        assert_eq!(body, id.to_string().as_bytes());
                    }
                    let body = client.body_of(&url).await;
                    assert_eq!(body, id.to_string().as_bytes());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    client.audit();
}

/// What waits for ever can still be left.
#[tokio::test]
async fn select_against_a_request_is_safe() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = client.get(server.url("/never")).send() => panic!("/never answers"),
            () = settle() => {}
            () = pending() => {}
        }
    }
    client.audit();
    assert_eq!(client.net().open, 0);
    soon(server.all_closed()).await;
}
