//! Fields behind the content of a request.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use turbohttp::{Body, Client, ErrorKind, HeaderMap, HeaderName};

use crate::ground::{drop_at_every_poll, redirect, reply};
use crate::message::Reader;
use crate::support::{TestClient, soon};

/// A body of another crate: frames, and maybe an exact size.
struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    length: Option<u64>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.frames.pop_front().map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn fields(names: &[&'static str]) -> HeaderMap {
    let pairs = names
        .iter()
        .map(|name| (HeaderName::from_static(name), "v".parse().unwrap()));
    pairs.collect()
}

/// A boxed body of the content `abc` with trailers of these names.
fn wrapped(length: Option<u64>, names: &[&'static str]) -> Body {
    let frames = [
        Frame::data(Bytes::from("ab")),
        Frame::data(Bytes::from("c")),
        Frame::trailers(fields(names)),
    ];
    let frames = frames.into();
    let body: Pin<Box<dyn http_body::Body<Data = Bytes, Error = Infallible> + Send>> =
        Box::pin(Frames { frames, length });
    Body::wrap(body)
}

#[tokio::test]
async fn trailers_of_a_wrapped_body_follow_its_last_chunk() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let sent = client
        .post(server.url("/"))
        .body(wrapped(None, &["x-a", "x-b"]));
    soon(sent.send()).await.unwrap();
    let message = &server.messages()[0];
    assert_eq!(message.content, b"abc");
    assert_eq!(message.trailers, ["x-a: v", "x-b: v"]);
    assert_eq!(client.net().idle, 1, "the connection is kept");
    client.audit();
}

#[tokio::test]
async fn a_content_length_leaves_trailers_out() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let sent = client
        .post(server.url("/"))
        .body(wrapped(Some(3), &["x-a"]));
    soon(sent.send()).await.unwrap();
    let message = &server.messages()[0];
    assert_eq!(message.field("content-length").as_deref(), Some("3"));
    assert_eq!(message.content, b"abc");
    assert!(message.trailers.is_empty());
}

#[tokio::test]
async fn fields_of_framing_routing_and_credentials_are_refused() {
    let server = Reader::pleased();
    let client = TestClient::new();
    for name in [
        "content-length",
        "transfer-encoding",
        "host",
        "authorization",
        "trailer",
    ] {
        let sent = client
            .post(server.url("/"))
            .body(wrapped(None, &["x-a", name]));
        let error = soon(sent.send()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{error}");
        assert!(error.to_string().contains(name), "{error}");
        // Known before anything is sent, where the fields are.
        let error = Body::from("abc")
            .with_trailers(fields(&[name]))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{error}");
    }
    assert!(server.messages().is_empty(), "no request became whole");
    client.audit();
}

#[tokio::test]
async fn trailers_go_along_when_the_body_is_sent_again() {
    let server = Reader::new(|number| match number {
        0 => redirect(307, "/second"),
        _ => reply(200, &[], "ok"),
    });
    let client = TestClient::new();
    let body = Body::from("abc").with_trailers(fields(&["x-a"])).unwrap();
    soon(client.put(server.url("/")).body(body).send())
        .await
        .unwrap();
    let messages = server.messages();
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert_eq!(
            (&message.content[..], &message.trailers[..]),
            (&b"abc"[..], &["x-a: v".to_owned()][..])
        );
    }
}

#[tokio::test]
async fn a_gateway_passes_trailers_on() {
    let origin = Reader::new(|_| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        head.to_owned() + "3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"
    });
    let server = Reader::pleased();
    let client = TestClient::new();
    let response = soon(client.get(origin.url("/")).send()).await.unwrap();
    let body = Body::wrap(response.into_http().into_body());
    soon(client.put(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(server.messages()[0].trailers, ["x-sum: 7"]);
}

#[tokio::test]
async fn another_transport_sees_the_trailers_as_a_frame() {
    use http_body::Body as _;

    let mut body = Body::from("abc").with_trailers(fields(&["x-a"])).unwrap();
    let mut next = || {
        let frame =
            Pin::new(&mut body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        match frame {
            Poll::Ready(frame) => frame.map(Result::unwrap),
            Poll::Pending => panic!("it is in memory"),
        }
    };
    assert_eq!(next().unwrap().into_data().unwrap(), "abc");
    assert_eq!(next().unwrap().into_trailers().unwrap(), fields(&["x-a"]));
    assert!(next().is_none() && next().is_none());
}

#[tokio::test]
async fn a_dropped_request_with_trailers_leaves_nothing() {
    let server = Reader::pleased();
    let client = Client::new().unwrap();
    drop_at_every_poll(&client, || async {
        let sent = client.post(server.url("/")).body(wrapped(None, &["x-a"]));
        sent.send().await.unwrap().bytes().await.unwrap();
    })
    .await;
}
