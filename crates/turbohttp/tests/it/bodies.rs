//! Bodies of one's own, both ways: sources around a body, streams, files, and other crates' types.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use tokio::io::AsyncReadExt;
use turbohttp::{
    Body, BodyContext, BodySource, Bytes, ErrorKind, MockReply, MockTransport, Next, Phase,
    Request, Response, ResponseBody, Result, StatusCode, Timeouts, Transport,
};
use turbohttp_loopback::{Options, Server, pattern};

use crate::support::{TestClient, read};

/// Larger than any read buffer that holds a whole body.
const LARGE: usize = 300_000;

/// Adds one to every byte.
struct Shifted {
    body: ResponseBody,
    slice: Vec<u8>,
}

impl Shifted {
    fn new(body: ResponseBody) -> Shifted {
        Shifted {
            body,
            slice: Vec::new(),
        }
    }
}

impl BodySource for Shifted {
    fn poll_chunk(&mut self, cx: &mut Context<'_>, context: BodyContext<'_>) -> Poll<Result<bool>> {
        let more = ready!(self.body.poll_chunk(cx, context))?;
        self.slice.clear();
        self.slice
            .extend(self.body.chunk().iter().map(|byte| byte.wrapping_add(1)));
        Poll::Ready(Ok(more))
    }

    fn chunk(&self) -> &[u8] {
        &self.slice
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }
}

fn shifted(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.wrapping_add(1)).collect()
}

async fn shift(request: Request, next: Next<'static>) -> Result<Response> {
    Ok(next.run(request).await?.map_body(Shifted::new))
}

/// A source around a body sees all of it, and its connection goes back to the pool at the end: of a body
/// on a connection, in the read buffer, chunked, and of none.
#[tokio::test]
async fn a_mapped_body_is_read_to_its_end_and_keeps_its_connection() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::with(|builder| builder.with_fn(shift));
    for length in [0, 1, 100, LARGE, 0, LARGE] {
        let url = server.url(&format!("/bytes/{length}"));
        let mut response = client.get(&url).send().await.unwrap();
        assert_eq!(response.remaining(), Some(length as u64));
        assert_eq!(
            read(&mut response).await.unwrap(),
            shifted(&pattern(length))
        );
        drop(response);
        let collected = client.get(&url).send().await.unwrap();
        assert_eq!(collected.bytes().await.unwrap(), shifted(&pattern(length)));
    }
    let chunked = client.get(server.url("/chunked/16/1000")).send();
    let mut response = chunked.await.unwrap();
    assert_eq!(
        read(&mut response).await.unwrap(),
        shifted(&pattern(16_000))
    );
    assert_eq!(client.net().opened, 1);
}

/// What is put around a body in memory holds no permit; around one on a connection it does.
#[tokio::test]
async fn a_mapped_body_holds_a_permit_if_the_body_did() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::with(|builder| builder.with_fn(shift));
    for (length, running) in [(10, 0), (LARGE, 1)] {
        let url = server.url(&format!("/bytes/{length}"));
        let response = client.get(&url).send().await.unwrap();
        let audit = client.client_audit();
        assert_eq!(audit.scheduler.running, running, "{length}: {audit:?}");
        drop(response);
    }
}

/// A source that fails, in a hook: the error has phase, origin and timeline, and the body goes on failing.
#[tokio::test]
async fn an_error_of_a_source_is_explained() {
    struct Broken;
    impl BodySource for Broken {
        fn poll_chunk(&mut self, _: &mut Context<'_>, _: BodyContext<'_>) -> Poll<Result<bool>> {
            let message = "the checksum does not match";
            Poll::Ready(Err(turbohttp::Error::new(ErrorKind::Decode, message)))
        }

        fn chunk(&self) -> &[u8] {
            &[]
        }
    }
    let client = TestClient::with(|builder| {
        let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("text"));
        builder
            .transport(mock)
            .on_response(|response: &mut Response| {
                response.replace_body(|_| ResponseBody::from_source(Broken));
            })
    });
    let mut response = client.get("http://a/").send().await.unwrap();
    let error = read(&mut response).await.unwrap_err();
    assert_eq!(error.to_string(), "the checksum does not match (http://a)");
    assert!(error.timeline().is_some());
}

/// Answers with what `/...` asks for, as a stream.
struct Streams;

impl Transport for Streams {
    async fn send(&self, request: Request) -> Result<Response> {
        let body = match request.uri()?.path() {
            "/never" => ResponseBody::from_stream(Never, None),
            "/short" => ResponseBody::from_reader(&b"abc"[..], Some(4)),
            "/long" => ResponseBody::from_reader(&b"abcde"[..], Some(4)),
            _ => ResponseBody::from_reader(&b"abcd"[..], Some(4)),
        };
        Ok(request.respond(StatusCode::OK, body))
    }
}

struct Never;

impl Stream for Never {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

/// The timeouts of a client hold for bodies of every transport, and lengths are promises.
#[tokio::test(start_paused = true)]
async fn streams_of_a_transport_are_held_to_time_and_length() {
    let client = TestClient::with(|builder| {
        let timeouts = Timeouts::default().body(Duration::from_secs(3));
        builder.timeouts(timeouts).transport(Streams)
    });
    let get = async |path: &str| client.get(format!("http://a{path}")).send().await.unwrap();
    assert_eq!(get("/").await.text().await.unwrap(), "abcd");
    let short = get("/short").await.text().await.unwrap_err();
    assert_eq!(short.kind(), ErrorKind::Truncated);
    let long = get("/long").await.text().await.unwrap_err();
    assert_eq!(long.kind(), ErrorKind::Protocol);
    let late = get("/never").await.text().await.unwrap_err();
    let what = "waiting for more of the body took longer than 3s (http://a)";
    assert_eq!(late.to_string(), what);
    let never = client.get("http://a/never").timeout(Duration::from_secs(2));
    let error = never.send().await.unwrap().text().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the request took longer than 2s (http://a)"
    );
    assert_eq!(error.phase(), Some(Phase::Receive));
}

/// A response as a stream, as a reader, and as another crate's body, of every kind of body.
#[tokio::test]
async fn a_response_is_a_stream_a_reader_and_a_body() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    for path in [
        "/bytes/0",
        "/bytes/100",
        "/bytes/300000",
        "/chunked/16/1000",
    ] {
        let get = async || client.get(server.url(path)).send().await.unwrap();
        let whole = get().await.bytes().await.unwrap();

        let mut stream = get().await.into_stream();
        let mut pieces = Vec::new();
        while let Some(piece) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
            pieces.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(pieces, whole, "{path}");

        let mut reader = get().await.bytes_stream();
        let mut start = [0; 7];
        let taken = reader.read(&mut start).await.unwrap();
        let mut text = start[..taken].to_vec();
        reader.read_to_end(&mut text).await.unwrap();
        assert_eq!(text, whole, "{path}");

        let (parts, mut body) = get().await.into_http().into_parts();
        assert_eq!(parts.status, StatusCode::OK);
        let is_chunked = parts.headers.contains_key("transfer-encoding");
        assert_ne!(is_chunked, parts.headers.contains_key("content-length"));
        let mut frames = Vec::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            frames.extend_from_slice(frame.unwrap().data_ref().unwrap());
        }
        assert!(body.is_end_stream());
        assert_eq!(frames, whole, "{path}");
    }
    assert_eq!(client.net().opened, 1);
}

#[tokio::test]
async fn files_and_foreign_bodies_are_sent() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let mut file = tempfile();
    file.write_all(&pattern(100_000)).unwrap();
    io::Seek::seek(&mut file, io::SeekFrom::Start(10)).unwrap();
    let body = Body::from(file.try_clone().unwrap());
    // What is appended after the length was read is no part of the body.
    io::Seek::seek(&mut file, io::SeekFrom::End(0)).unwrap();
    file.write_all(b"appended").unwrap();
    io::Seek::seek(&mut file, io::SeekFrom::Start(10)).unwrap();
    let response = client
        .post(server.url("/echo"))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.content_length(), Some(99_990));
    assert_eq!(response.bytes().await.unwrap(), pattern(100_000)[10..]);

    // What came from one server goes out to another, without being collected.
    for length in [0, 10, LARGE] {
        let from = client.get(server.url(&format!("/bytes/{length}"))).send();
        let body = Body::wrap(from.await.unwrap().into_stream());
        let to = client.put(server.url("/echo")).body(body).send();
        assert_eq!(to.await.unwrap().bytes().await.unwrap(), pattern(length));
    }
}

/// A file without a name, which the system removes.
fn tempfile() -> std::fs::File {
    let path = std::env::temp_dir().join(format!("turbohttp-{}-bodies", std::process::id()));
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

/// A stream that was sent, or begun, is refused and not sent empty.
#[tokio::test]
async fn a_stream_is_sent_once() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let body = Body::from_reader(&b"content"[..], None);
    let request = client.post(server.url("/echo")).body(body).build().unwrap();
    assert!(request.try_clone().is_none());
    let mut response = client.send(request).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"content");
    let error = client.send(response.into_request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert!(!error.is_retryable());
    // Bytes are whole again.
    let response = client
        .post(server.url("/echo"))
        .body("content")
        .send()
        .await
        .unwrap();
    let again = client.send(response.into_request()).await.unwrap();
    assert_eq!(again.text().await.unwrap(), "content");
}

/// A transport of one's own reads the body of the request as a body of the ecosystem.
#[tokio::test]
async fn a_transport_reads_the_body_of_a_request() {
    struct Echo;
    impl Transport for Echo {
        async fn send(&self, mut request: Request) -> Result<Response> {
            let mut body = request.take_body();
            let mut content = Vec::new();
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                // The trailers of a wrapped body are a frame as well.
                content.extend(frame.unwrap().into_data().unwrap_or_default());
            }
            Ok(request.respond(StatusCode::OK, content))
        }
    }
    let client = TestClient::with(|builder| builder.transport(Echo));
    let bodies = [
        Body::empty(),
        Body::from("text"),
        Body::from_reader(&b"read"[..], Some(4)),
        Body::wrap(Trailed(1)),
    ];
    for (body, content) in bodies.into_iter().zip(["", "text", "read", "frame"]) {
        let response = client.post("http://a/").body(body).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), content);
    }
}

/// A body with one frame of data, and trailers.
struct Trailed(u8);

impl http_body::Body for Trailed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = match self.0 {
            1 => Frame::data(Bytes::from_static(b"frame")),
            2 => Frame::trailers(HeaderMap::new()),
            _ => return Poll::Ready(None),
        };
        self.0 += 1;
        Poll::Ready(Some(Ok(frame)))
    }
}

/// The error of a status keeps the response; by reference it does not.
#[tokio::test]
async fn an_error_of_a_status_keeps_its_response() {
    let reply = MockReply::new(StatusCode::CONFLICT)
        .header("x-why", "taken")
        .body("reason");
    let client = TestClient::with(|builder| builder.transport(MockTransport::new(reply)));
    let response = client.get("http://a/").send().await.unwrap();
    let by_reference = response.error_for_status_ref().unwrap_err();
    assert_eq!(by_reference.status(), Some(StatusCode::CONFLICT));
    assert!(by_reference.into_response().is_none());
    let error = response.error_for_status().unwrap_err();
    assert!(error.is_status() && !error.is_retryable());
    assert_eq!(error.to_string(), "server answered 409 Conflict (http://a)");
    let response = error.into_response().unwrap();
    assert_eq!(response.header("x-why"), Some("taken"));
    assert_eq!(response.text().await.unwrap(), "reason");
}

/// A stream that is dropped in the middle closes its connection and releases its permit.
#[tokio::test]
async fn a_dropped_stream_releases_what_it_held() {
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let response = client
        .get(server.url("/bytes/10000000"))
        .send()
        .await
        .unwrap();
    let mut stream = pin!(Some(response.into_stream()));
    let first = poll_fn(|cx| stream.as_mut().as_pin_mut().unwrap().poll_next(cx)).await;
    assert!(!first.unwrap().unwrap().is_empty());
    assert_eq!(client.client_audit().scheduler.running, 1);
    stream.set(None);
    assert_eq!(client.client_audit().scheduler.running, 0);
}
