//! Requests on connections that die: which are sent once more.

use turbohttp::{Body, ErrorKind, Method, Phase};
use turbohttp_loopback::pattern;
use turbohttp_loopback::script::{Script, ScriptServer, Step};

use super::{OK, Pieces, origin, servers};
use crate::support::{TestClient, expect_error, read, soon};

/// The server takes a second request on the connection and ends it without a byte of an answer.
fn dies_on_second(end: Step, fresh: Step) -> ScriptServer {
    servers(
        [Step::ReadHead, Step::send(OK), Step::ReadHead, end],
        [Step::ReadHead, fresh, Step::Close],
    )
}

#[tokio::test]
async fn request_on_a_connection_that_dies_is_sent_once_more() {
    for end in [Step::Close, Step::Reset, Step::Truncate] {
        for method in [
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let server = dies_on_second(end.clone(), Step::send(OK));
            let client = TestClient::new();
            assert_eq!(client.body_of(&server.url("/")).await, b"ok");
            let mut request = client.request(method.clone(), server.url("/second"));
            if method == Method::PUT {
                request = request.body("again");
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(!response.timeline().is_connection_reused());
            drop(response);
            assert_eq!(client.net().replayed, 1, "{method}");
            let received = server.received();
            assert_eq!(received.len(), 2);
            let second = String::from_utf8(received[1].clone()).unwrap();
            assert!(
                second.starts_with(&format!("{method} /second HTTP/1.1\r\n")),
                "{second}"
            );
        }
    }
}

#[tokio::test]
async fn replayed_body_is_whole() {
    let body = pattern(200_000);
    let mut fresh = vec![Step::ReadHead];
    fresh.extend([Step::ReadExact(body.len()), Step::send(OK), Step::Close]);
    let server = servers(
        [
            Step::ReadHead,
            Step::send(OK),
            Step::ReadHead,
            Step::ReadExact(1000),
            Step::Reset,
        ],
        fresh,
    );
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    let put = client.put(server.url("/")).body(body.clone()).send();
    let mut response = soon(put).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    assert_eq!(client.net().replayed, 1);
    assert!(server.received()[1].ends_with(&body));
}

#[tokio::test]
async fn request_that_may_have_had_an_effect_is_not_sent_again() {
    for end in [Step::Close, Step::Reset] {
        for streamed in [false, true] {
            let server = dies_on_second(end.clone(), Step::send(OK));
            let client = TestClient::new();
            assert_eq!(client.body_of(&server.url("/")).await, b"ok");
            // POST is not idempotent; a stream cannot be read twice.
            let request = if streamed {
                let body = Body::from_stream(Pieces::of(&[b"once"]), None);
                client.put(server.url("/")).body(body)
            } else {
                client.post(server.url("/")).body("once")
            };
            let error = request.send().await.unwrap_err();
            assert!(!error.is_retryable(), "{error:?}");
            let kinds = [ErrorKind::Io, ErrorKind::Truncated];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            assert!(error.to_string().contains(&origin(&server)), "{error}");
            assert_eq!(client.net().replayed, 0);
            assert_eq!(server.connections(), 1);
        }
    }
}

#[tokio::test]
async fn second_death_is_an_error_and_no_loop() {
    let dies = [Step::ReadHead, Step::Close];
    let server = Script::new()
        .accept([Step::ReadHead, Step::send(OK), Step::ReadHead, Step::Close])
        .accept(dies)
        .repeat_last()
        .start()
        .unwrap();
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    let error = client.get(server.url("/")).send().await.unwrap_err();
    let message = "connection ended 0 bytes into the response head";
    expect_error(
        &error,
        ErrorKind::Truncated,
        Phase::Wait,
        message,
        origin(&server),
    );
    assert_eq!(client.net().replayed, 1);
    assert_eq!(server.connections(), 2);
}

/// Part of an answer has been seen: whether the request had its effect is known to nobody.
#[tokio::test]
async fn half_an_answer_is_not_asked_for_again() {
    let server = servers(
        [
            Step::ReadHead,
            Step::send(OK),
            Step::ReadHead,
            Step::send("HTTP/1.1 2"),
            Step::Close,
        ],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(!error.is_retryable());
    assert_eq!((client.net().replayed, server.connections()), (0, 1));
}
