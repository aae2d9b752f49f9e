//! Uploads that go on while the answer comes, and answers that come before the request is out.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use turbohttp::{Body, ErrorKind, Phase, RedirectPolicy};
use turbohttp_loopback::script::{Script, ScriptServer, Step};

use crate::support::{Peer, TestClient, poll_times, read, read_head, soon};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const MIB: usize = 1 << 20;

/// A source of `left` bytes, each of which says where it stands.
struct Counted {
    at: usize,
    left: usize,
    piece_bytes: usize,
}

fn byte_at(at: usize) -> u8 {
    (at % 251) as u8
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(byte_at).collect()
}

impl Stream for Counted {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let length = self.piece_bytes.min(self.left);
        if length == 0 {
            return Poll::Ready(None);
        }
        let piece: Vec<u8> = (self.at..self.at + length).map(byte_at).collect();
        self.at += length;
        self.left -= length;
        Poll::Ready(Some(Ok(piece.into())))
    }
}

fn counted(length: usize, piece_bytes: usize) -> Counted {
    let (at, left) = (0, length);
    Counted {
        at,
        left,
        piece_bytes,
    }
}

/// A stream that gives some bytes and then nothing for ever.
struct Stuck(Option<Bytes>);

impl Stream for Stuck {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.0
            .take()
            .map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(piece))))
    }
}

/// Sends the body back as it comes, `buffer_bytes` at a time. It reads no further while its answer is
/// not taken, as a server must that has bounded memory.
fn echo(buffer_bytes: usize) -> Peer {
    Peer::start(move |mut stream| {
        while let Some(head) = read_head(&mut stream) {
            let length = field(&head, "content-length");
            let framing = match length {
                Some(length) => format!("content-length: {length}"),
                None => "transfer-encoding: chunked".to_owned(),
            };
            let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
            if stream.write_all(head.as_bytes()).is_err() {
                return;
            }
            let left = length.map_or(u64::MAX, |length| length.parse().unwrap());
            if copy_back(&mut stream, left, buffer_bytes).is_none() {
                return;
            }
        }
    })
}

/// Sends back `left` bytes, or a chunked body as it is, framing and all.
fn copy_back(stream: &mut TcpStream, mut left: u64, buffer_bytes: usize) -> Option<()> {
    let mut buffer = vec![0; buffer_bytes];
    let mut tail = Vec::new();
    while left > 0 {
        let most = buffer_bytes.min(usize::try_from(left).unwrap_or(usize::MAX));
        let length = stream
            .read(&mut buffer[..most])
            .ok()
            .filter(|length| *length > 0)?;
        stream.write_all(&buffer[..length]).ok()?;
        left -= length as u64;
        tail.extend_from_slice(&buffer[..length]);
        // No content of these tests looks like the last chunk.
        if tail.ends_with(b"\r\n0\r\n\r\n") {
            return Some(());
        }
        let kept = tail.len().min(7);
        tail.drain(..tail.len() - kept);
    }
    Some(())
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Reads the body of `response` and compares it with [`content`], without keeping it.
async fn check(mut response: turbohttp::Response, length: usize) {
    let mut at = 0;
    while let Some(chunk) = soon(response.chunk()).await.unwrap() {
        assert!(
            chunk
                .iter()
                .enumerate()
                .all(|(index, byte)| *byte == byte_at(at + index))
        );
        at += chunk.len();
    }
    assert_eq!(at, length);
}

#[tokio::test]
async fn echo_of_bytes_in_memory() {
    for buffer_bytes in [1 << 10, 16 << 10, 64 << 10, MIB] {
        let server = echo(buffer_bytes);
        let client = TestClient::new();
        for _ in 0..2 {
            let request = client.post(server.url("/")).body(content(8 * MIB));
            check(soon(request.send()).await.unwrap(), 8 * MIB).await;
        }
        assert_eq!(
            client.net().opened,
            1,
            "a whole exchange leaves its connection"
        );
    }
}

#[tokio::test]
async fn echo_of_a_stream_of_known_length() {
    for (buffer_bytes, piece_bytes) in [(1 << 10, 64 << 10), (64 << 10, 1 << 10), (MIB, 3_001)] {
        let server = echo(buffer_bytes);
        let client = TestClient::new();
        let body = Body::from_stream(counted(8 * MIB, piece_bytes), Some(8 * MIB as u64));
        let request = client.put(server.url("/")).body(body);
        check(soon(request.send()).await.unwrap(), 8 * MIB).await;
        assert_eq!(client.net().idle, 1);
    }
}

#[tokio::test]
async fn echo_of_a_chunked_stream() {
    let server = echo(16 << 10);
    let client = TestClient::new();
    for piece_bytes in [999, 16 << 10, 100_000] {
        let body = Body::from_stream(counted(8 * MIB, piece_bytes), None);
        let request = client.post(server.url("/")).body(body);
        check(soon(request.send()).await.unwrap(), 8 * MIB).await;
    }
    assert_eq!(client.net().opened, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_collected_by_bytes_and_by_a_reader() {
    let server = echo(64 << 10);
    let client = TestClient::new();
    let request = client.post(server.url("/")).body(content(4 * MIB));
    let body = soon(async { request.send().await?.bytes().await })
        .await
        .unwrap();
    assert!(body == content(4 * MIB));
    let request = client.post(server.url("/")).body(content(4 * MIB));
    let mut reader = soon(request.send()).await.unwrap().into_stream();
    let mut copied = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut copied);
    soon(reading).await.unwrap();
    assert!(copied == content(4 * MIB));
}

#[tokio::test]
#[ignore = "a gigabyte takes seconds: run with --release --ignored"]
async fn echo_of_a_gigabyte() {
    let server = echo(64 << 10);
    let client = TestClient::with(|builder| builder.timeouts(turbohttp::Timeouts::default()));
    let body = Body::from_stream(counted(1 << 30, 64 << 10), Some(1 << 30));
    let mut response = client
        .post(server.url("/"))
        .body(body)
        .send()
        .await
        .unwrap();
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, 1 << 30);
}

/// Progress of the upload as the response: the caller sees it while the upload goes on.
#[tokio::test]
async fn progress_is_seen_while_the_upload_goes_on() {
    const STEP: usize = 4 * MIB;
    let server = Peer::start(|mut stream| {
        let Some(head) = read_head(&mut stream) else {
            return;
        };
        let mut left: usize = field(&head, "content-length").unwrap().parse().unwrap();
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut buffer = vec![0; STEP];
        while left > 0 {
            stream.read_exact(&mut buffer).unwrap();
            left -= STEP;
            stream.write_all(b"1\r\n.\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let client = TestClient::new();
    let given = Arc::new(AtomicU64::new(0));
    let mut source = counted(64 * MIB, 512 << 10);
    let count = given.clone();
    let stream = futures_stream(move |cx| {
        count.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut source).poll_next(cx)
    });
    let body = Body::from_stream(stream, Some(64 * MIB as u64));
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    let first = soon(response.chunk()).await.unwrap().map(<[u8]>::len);
    assert!(first.is_some());
    // 128 pieces and the end; the buffers of the system take a part of them ahead.
    assert!(
        given.load(Ordering::Relaxed) < 129,
        "the first step came after the last piece"
    );
    let mut steps = first.unwrap();
    while let Some(chunk) = soon(response.chunk()).await.unwrap() {
        steps += chunk.len();
    }
    assert_eq!((steps, given.load(Ordering::Relaxed)), (16, 129));
}

fn futures_stream<T>(
    poll: impl FnMut(&mut Context<'_>) -> Poll<Option<T>> + Unpin,
) -> impl Stream<Item = T> {
    struct PollFn<F>(F);
    impl<T, F: FnMut(&mut Context<'_>) -> Poll<Option<T>> + Unpin> Stream for PollFn<F> {
        type Item = T;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
            (self.0)(cx)
        }
    }
    PollFn(poll)
}

/// What a gateway does: the body of one response is the body of the next request, both ways at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateway_streams_both_ways() {
    let (inner, outer) = (echo(32 << 10), echo(8 << 10));
    let client = TestClient::new();
    let request = client.post(inner.url("/")).body(content(8 * MIB));
    let first = soon(request.send()).await.unwrap();
    let body = Body::wrap_stream(first.into_stream());
    let request = client.post(outer.url("/")).body(body);
    check(soon(request.send()).await.unwrap(), 8 * MIB).await;
}

/// A server that answers before it has read anything, and reads then as far as `read` says.
pub(crate) fn answers_early(answer: &'static str, then: impl Into<Vec<Step>>) -> ScriptServer {
    let mut steps = vec![Step::ReadHead, Step::send(answer)];
    steps.extend(then.into());
    Script::new().accept(steps).repeat_last().start().unwrap()
}

#[tokio::test]
async fn early_success_waits_for_the_whole_request() {
    for answer in [
        OK,
        "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
    ] {
        let server = answers_early(answer, [Step::ReadExact(4 * MIB), Step::ReadToEnd]);
        let client = TestClient::with(|builder| builder.redirect(RedirectPolicy::none()));
        let request = client.post(server.url("/")).body(content(4 * MIB));
        let response = soon(request.send()).await.expect(answer);
        // Nobody reads the body: the request is whole all the same.
        drop(response);
        assert_eq!(client.net().idle, 1, "{answer}: the connection is in order");
        drop(client);
        soon(server.all_closed()).await;
        let received = &server.received()[0];
        assert!(
            received.ends_with(&content(4 * MIB)),
            "{answer}: cut after {}",
            received.len()
        );
    }
}

#[tokio::test]
async fn success_without_the_whole_request_is_an_error() {
    for (answer, then) in [
        // The answer is over, and so is the connection, by what it says or by what happens.
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            Step::Deaf,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", Step::Deaf),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            Step::Deaf,
        ),
        (OK, Step::Reset),
        ("HTTP/1.1 204 No Content\r\n\r\n", Step::Reset),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Step::Reset,
        ),
    ] {
        let server = answers_early(answer, [then]);
        let client = TestClient::new();
        let request = client.post(server.url("/")).body(vec![7; 64 * MIB]);
        let error = soon(async { request.send().await?.bytes().await })
            .await
            .expect_err(answer);
        assert_eq!(error.kind(), ErrorKind::Io, "{answer}: {error:?}");
        assert!(!error.is_retryable(), "{answer}: it was answered");
        assert_eq!(client.net().open, 0, "{answer}");
    }
}

/// The server answers a redirect or an error and closes: the request was not wanted, and that is what the
/// status says.
#[tokio::test]
async fn refusals_may_cut_the_request() {
    for answer in [
        "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 307 Temporary Redirect\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno",
    ] {
        let server = answers_early(answer, [Step::Deaf]);
        let client = TestClient::new();
        let request = client.post(server.url("/")).body(vec![7; 64 * MIB]);
        let body = soon(async { request.send().await?.bytes().await }).await;
        assert_eq!(body.expect(answer), "no");
        assert_eq!(client.net().open, 0, "{answer}");
    }
}

#[tokio::test]
async fn source_that_fails_beside_the_answer_fails_the_answer() {
    let server = echo(1 << 10);
    let client = TestClient::new();
    let mut source = counted(32 * MIB, MIB);
    let stream = futures_stream(move |cx| match Pin::new(&mut source).poll_next(cx) {
        Poll::Ready(None) => Poll::Ready(Some(Err(io::Error::other("disk on fire")))),
        piece => piece,
    });
    let body = Body::from_stream(stream, Some(64 * MIB as u64));
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    let error = soon(read(&mut response)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::RequestBody, Some(Phase::Send))
    );
    assert!(format!("{:?}", std::error::Error::source(&error)).contains("disk on fire"));
    drop(response);
    assert_eq!(client.net().open, 0);
}

/// A source that gives too little or too much is found beside the answer as before it.
#[tokio::test]
async fn wrong_length_beside_the_answer_is_an_error() {
    for announced in [MIB - 1, MIB + 1] {
        let server = echo(1 << 10);
        let client = TestClient::new();
        let body = Body::from_stream(counted(MIB, 64 << 10), Some(announced as u64));
        let request = client.post(server.url("/")).body(body);
        let error = soon(async { request.send().await?.bytes().await })
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{error:?}");
    }
}

#[tokio::test]
async fn times_hold_beside_the_answer() {
    // The server answers and takes no more; the source gives no more; the whole request takes too long.
    let cases: [(&str, Body, &str, Phase); 3] = [
        (
            OK,
            Body::from(vec![7; 64 * MIB]),
            "a write of the request",
            Phase::Send,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
            Body::from_stream(Stuck(Some(Bytes::from_static(b"x"))), Some(2)),
            "waiting for more of the body",
            Phase::Receive,
        ),
        (
            OK,
            Body::from_stream(Stuck(None), None),
            "a write of the request",
            Phase::Send,
        ),
    ];
    for (answer, body, message, phase) in cases {
        let server = answers_early(answer, [Step::Deaf]);
        let client = TestClient::timeouts(|timeouts| timeouts.body(Duration::from_millis(300)));
        let request = client.post(server.url("/")).body(body);
        let error = soon(async { request.send().await?.bytes().await })
            .await
            .unwrap_err();
        let found = (error.kind(), error.phase());
        assert_eq!(found, (ErrorKind::Timeout, Some(phase)), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let server = echo(64 << 10);
    let client = TestClient::new();
    let body = Body::from_stream(counted(usize::MAX, 64 << 10), None);
    let request = client
        .post(server.url("/"))
        .body(body)
        .timeout(Duration::from_millis(300));
    let mut response = soon(request.send()).await.unwrap();
    let error = soon(async {
        loop {
            if let Err(error) = response.chunk().await {
                return error;
            }
        }
    });
    let error = error.await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(
        error.to_string().contains("the request took longer"),
        "{error}"
    );
}

/// Dropped wherever it waits, a call in both directions leaves nothing behind.
#[tokio::test]
async fn dropped_at_every_poll() {
    let server = echo(64 << 10);
    for polls in 0..24 {
        let client = TestClient::new();
        let body = Body::from_stream(counted(2 * MIB, 10_000), None);
        let request = client.post(server.url("/")).body(body);
        let whole = poll_times(async { request.send().await?.bytes().await }, polls).await;
        assert!(whole.is_none_or(|body| body.unwrap() == content(2 * MIB)));
        client.audit();
    }
}

/// Two directions at once must not keep a task from letting others run.
#[tokio::test]
async fn both_directions_leave_room_for_other_tasks() {
    let server = echo(64 << 10);
    let client = TestClient::new();
    let turns = Arc::new(AtomicU64::new(0));
    let count = turns.clone();
    let other = tokio::spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let body = Body::from_stream(counted(16 * MIB, 16 << 10), None);
    let response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    check(response, 16 * MIB).await;
    other.abort();
    assert!(turns.load(Ordering::Relaxed) > 8);
}
