//! Uploads beside answers, as other clients were reported to fail at: over TLS, with sources that stall or
//! fail, and with servers that answer and go.

use std::io;
#[cfg(feature = "__tls")]
use std::io::Cursor;
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use turbohttp::{Body, ErrorKind, Request, Response, ResponseBody, Transport};
use turbohttp_loopback::script::{Script, Step};

#[cfg(feature = "__tls")]
use crate::support::poll_times;
use crate::support::{Peer, TestClient, block_on, read, read_head, soon};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const MIB: usize = 1 << 20;

/// A stream that is a closure.
struct Source<F>(F);

impl<F: FnMut() -> Poll<Option<io::Result<Bytes>>> + Unpin> Stream for Source<F> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        (self.0)()
    }
}

/// A body that gives `first` and then nothing, without an end.
fn stalling(first: &'static [u8]) -> Body {
    let mut first = Some(Bytes::from_static(first)).filter(|piece| !piece.is_empty());
    let source = Source(move || {
        first
            .take()
            .map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(piece))))
    });
    Body::from_stream(source, None)
}

/// Speaks TLS and sends back what comes, framing and all, `buffer_bytes` at a time.
#[cfg(feature = "__tls")]
fn tls_echo(config: Arc<rustls::ServerConfig>, buffer_bytes: usize) -> Peer {
    Peer::start(move |stream| {
        let session = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut tls = rustls::StreamOwned::new(session, stream);
        while tls_echo_one(&mut tls, buffer_bytes).is_some() {}
    })
}

#[cfg(feature = "__tls")]
fn tls_echo_one(stream: &mut (impl Read + Write), buffer_bytes: usize) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let framing = head
        .lines()
        .find(|line| line.starts_with("content-length") || line.starts_with("transfer-encoding"));
    let framing = framing?;
    let length = framing.strip_prefix("content-length: ");
    let mut left: usize = length.map_or(usize::MAX, |length| length.parse().unwrap());
    let answer = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()?;
    let mut buffer = vec![0; buffer_bytes];
    let mut tail = Vec::new();
    // No content of these tests looks like the last chunk.
    while left > 0 && !tail.ends_with(b"\r\n0\r\n\r\n") {
        let most = buffer_bytes.min(left);
        let length = stream.read(&mut buffer[..most]).ok()?;
        stream.write_all(&buffer[..length]).ok()?;
        left -= length;
        tail.extend_from_slice(&buffer[..length]);
        let kept = tail.len().min(7);
        tail.drain(..tail.len() - kept);
        if length == 0 {
            return None;
        }
    }
    Some(())
}

/// golang/go #15527, whatwg/fetch #1254: both ways at once, over TLS as well, and dropped wherever it waits.
#[cfg(feature = "__tls")]
#[tokio::test]
async fn echo_over_tls() {
    let ca = turbohttp_loopback::tls::TestCa::new();
    let config = ca.server_config(&["127.0.0.1"]);
    let content: Vec<u8> = (0..2 * MIB).map(|at| (at % 251) as u8).collect();
    let stream = |length| Body::from_reader(Cursor::new(content.clone()), length);
    for buffer_bytes in [1 << 10, 64 << 10] {
        let server = tls_echo(config.clone(), buffer_bytes);
        let url = server.url("/").replace("http:", "https:");
        let tls = turbohttp::Tls::default()
            .root_pem(ca.pem())
            .only_added_roots();
        let client = TestClient::with(|builder| builder.tls(tls));
        for body in [
            content.clone().into(),
            stream(None),
            stream(Some(2 * MIB as u64)),
        ] {
            let request = client.post(&url).body(body);
            let echoed = soon(async { request.send().await?.bytes().await }).await;
            assert!(echoed.unwrap() == content);
        }
        assert_eq!(
            client.net().opened,
            1,
            "a whole exchange leaves its connection"
        );
        for polls in 0..12 {
            let request = client.post(&url).body(stream(None));
            let whole = async { request.send().await?.bytes().await };
            let whole = poll_times(whole, polls).await;
            assert!(whole.is_none_or(|echoed| echoed.unwrap() == content));
            client.audit();
        }
    }
}

/// curl/curl #16788, dotnet/runtime #104678, lysine-dev/okhttp #1001: an error is told while the source of
/// the upload gives nothing.
#[tokio::test]
async fn refusal_is_told_while_the_source_stalls() {
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    for (interim, head, then) in [
        (
            proceed,
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n",
            Step::Stall,
        ),
        (
            "",
            "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 2\r\n",
            Step::Stall,
        ),
        ("", "HTTP/1.1 401 Unauthorized\r\n", Step::HalfClose),
    ] {
        for is_expecting in [false, true] {
            let answer = format!("{interim}{head}\r\nno");
            let steps = [
                Step::ReadHead,
                Step::send(answer),
                then.clone(),
                Step::ReadToEnd,
            ];
            let server = Script::new().accept(steps).start().unwrap();
            let client = TestClient::new();
            let request = client.put(server.url("/")).body(stalling(b"x"));
            let request = match is_expecting {
                true => request.expect_continue(),
                false => request,
            };
            let body = soon(async { request.send().await?.bytes().await }).await;
            assert_eq!(body.expect(head), "no");
            assert_eq!(client.net().open, 0);
        }
    }
}

/// akka/akka-http #1439, rwf2/Rocket #3004, aspnet/KestrelHttpServer #2643: the answer is read although the
/// server closes with bytes unread, which makes a reset.
#[tokio::test]
async fn answer_before_a_reset_is_read() {
    let answer = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno";
    let scripted = Script::new().accept([Step::ReadHead, Step::send(answer), Step::Reset]);
    let scripted = scripted.repeat_last().start().unwrap();
    let unread = Peer::start(move |mut stream| {
        if read_head(&mut stream).is_some() {
            _ = stream.write_all(answer.as_bytes());
        }
    });
    for url in [scripted.url("/"), unread.url("/")] {
        for _ in 0..4 {
            let client = TestClient::new();
            let request = client.post(&url).body(vec![7; 16 * MIB]);
            let body = soon(async { request.send().await?.bytes().await }).await;
            assert_eq!(body.unwrap(), "no");
        }
    }
}

/// The server ends its side behind its answer, and reads on.
#[tokio::test]
async fn upload_goes_on_behind_a_half_close() {
    let steps = [
        Step::ReadHead,
        Step::send(OK),
        Step::HalfClose,
        Step::ReadExact(8 * MIB),
        Step::ReadToEnd,
    ];
    let server = Script::new().accept(steps).start().unwrap();
    let client = TestClient::new();
    let request = client.post(server.url("/")).body(vec![7; 8 * MIB]);
    let body = soon(async { request.send().await?.bytes().await }).await;
    assert_eq!(body.unwrap(), "ok");
}

/// golang/go #18239: a source that fails is no dead connection, and nothing is sent again.
#[tokio::test]
async fn source_that_fails_is_no_reason_to_send_again() {
    let server = Script::new()
        .accept([Step::ReadHead, Step::send(OK), Step::ReadToEnd])
        .accept([Step::ReadHead, Step::send(OK)])
        .start()
        .unwrap();
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let source = Source(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Err(io::Error::other("disk on fire"))))
    });
    let request = client
        .put(server.url("/"))
        .body(Body::from_stream(source, None));
    let error = soon(request.send()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert!(!error.is_retryable());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!((client.net().opened, client.net().replayed), (1, 0));
}

/// golang/go #12796, #30597, #81445: when the call is over, nothing holds or asks the source any more.
#[tokio::test]
async fn source_goes_with_the_call() {
    for answer in [
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
    ] {
        let steps = [Step::ReadHead, Step::send(answer), Step::ReadToEnd];
        let server = Script::new().accept(steps).start().unwrap();
        let client = TestClient::new();
        let held = Arc::new(());
        let own = held.clone();
        let source = Source(move || {
            let _ = &own;
            Poll::Pending
        });
        let request = client
            .post(server.url("/"))
            .body(Body::from_stream(source, None));
        let mut response = soon(request.send()).await.unwrap();
        soon(read(&mut response)).await.unwrap();
        drop(response);
        assert_eq!(Arc::strong_count(&held), 1, "{answer}");
    }
}

/// lysine-dev/okhttp #3252, #3628: content that was held back costs the connection; a `100 Continue` that
/// nobody has asked for costs nothing.
#[tokio::test]
async fn expectations_and_the_connection() {
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let unasked = format!("HTTP/1.1 100 Continue\r\n\r\n{OK}");
    for (answer, is_expecting, open) in [(refusal, true, 0), (&*unasked, false, 1)] {
        let steps = [Step::ReadHead, Step::send(answer), Step::ReadToEnd];
        let server = Script::new().accept(steps).start().unwrap();
        let client = TestClient::new();
        let request = client.post(server.url("/")).body("body");
        let request = match is_expecting {
            true => request.expect_continue(),
            false => request,
        };
        drop(soon(request.send()).await.unwrap());
        assert_eq!(client.net().open, open, "{answer}");
    }
}

/// A response that is read where no runtime is, while its upload goes on there.
#[test]
fn upload_goes_on_from_another_thread() {
    const LENGTH: usize = 8 * MIB;
    let server = Peer::start(|mut stream| {
        let Some(_) = read_head(&mut stream) else {
            return;
        };
        _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let mut buffer = vec![0; 64 << 10];
        for _ in 0..LENGTH / buffer.len() {
            if stream.read_exact(&mut buffer).is_err() || stream.write_all(b"1\r\n.\r\n").is_err() {
                return;
            }
        }
        _ = stream.write_all(b"0\r\n\r\n");
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = TestClient::new();
    let request = client.post(server.url("/")).body(vec![1; LENGTH]);
    let mut response = runtime.block_on(request.send()).unwrap();
    let reading = thread::spawn(move || block_on(async { read(&mut response).await }));
    assert_eq!(reading.join().unwrap().unwrap(), vec![b'.'; 128]);
}

/// Answers with this stream, once.
struct Answering<S>(Mutex<Option<S>>);

impl<S: Stream<Item = io::Result<Bytes>> + Send + 'static> Transport for Answering<S> {
    async fn send(&self, request: Request) -> turbohttp::Result<Response> {
        let stream = self.0.lock().unwrap().take().unwrap();
        Ok(request.respond(StatusCode::OK, ResponseBody::from_stream(stream, None)))
    }
}

/// A stream that gives empty pieces again and again leaves others and the timers their turn, as the body of
/// a request and as that of a response.
#[tokio::test]
async fn empty_pieces_leave_room_for_other_tasks() {
    for is_upload in [true, false] {
        let turns = Arc::new(AtomicUsize::new(0));
        let (own, count) = (turns.clone(), turns);
        let mut left = 100_000;
        let empty_pieces = Source(move || {
            left -= 1;
            Poll::Ready(match (own.load(Ordering::SeqCst), left) {
                (4.., _) => None,
                (_, 0) => Some(Err(io::Error::other("nobody else had a turn"))),
                _ => Some(Ok(Bytes::new())),
            })
        });
        let other = tokio::spawn(async move {
            loop {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
        let steps = [Step::ReadHead, Step::ReadExact(5), Step::send(OK)];
        let server = Script::new().accept(steps).start().unwrap();
        let body = match is_upload {
            true => {
                let client = TestClient::new();
                let body = Body::from_stream(empty_pieces, None);
                let request = client.post(server.url("/")).body(body);
                soon(async { request.send().await?.bytes().await }).await
            }
            false => {
                let transport = Answering(Mutex::new(Some(empty_pieces)));
                let client = TestClient::with(|builder| builder.transport(transport));
                let request = client.get("http://a.test/");
                soon(async { request.send().await?.bytes().await }).await
            }
        };
        other.abort();
        body.unwrap();
    }
}

/// snoyberg/http-client #114: a connection that has died before the content was asked for. Nothing was done,
/// so that the request goes out again, a stream as well.
#[tokio::test]
async fn content_that_was_held_back_is_sent_on_another_connection() {
    for is_stream in [false, true] {
        let server = Script::new()
            .accept([Step::ReadHead, Step::send(OK), Step::ReadHead, Step::Close])
            .accept([
                Step::ReadHead,
                Step::send("HTTP/1.1 100 Continue\r\n\r\n"),
                Step::ReadExact(4),
                Step::send(OK),
            ])
            .start()
            .unwrap();
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        let body = match is_stream {
            false => Body::from("body"),
            true => Body::from_reader(&b"body"[..], Some(4)),
        };
        let request = client.post(server.url("/")).body(body).expect_continue();
        let response = soon(request.send()).await.unwrap();
        assert_eq!(soon(response.bytes()).await.unwrap(), "ok");
        assert_eq!(client.net().replayed, 1);
        drop(client);
        soon(server.all_closed()).await;
        assert!(server.received()[1].ends_with(b"\r\n\r\nbody"));
    }
}
