//! Responses as they are read: bodies, their limits, and fields.

use std::error::Error as _;

#[cfg(feature = "json")]
use serde_json::{Value, json};
use turbohttp::{Client, ErrorKind, HeaderValue, Limits, MockReply, MockTransport, StatusCode};
use turbohttp_loopback::pattern;

use super::{answering, ok, server};
use crate::support::{TestClient, read};

#[cfg(feature = "form")]
#[tokio::test]
async fn a_form_comes_back_from_an_echo() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/echo");
    let fields = [("a b", "c&d"), ("ü", "=")];
    let response = client.post(&url).form(&fields).send().await.unwrap();
    assert_eq!(
        response.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(response.text().await.unwrap(), "a+b=c%26d&%C3%BC=%3D");
}

#[tokio::test]
async fn bodies_come_back_from_an_echo() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/echo");
    for size in [0, 1, 16 * 1024, 16 * 1024 + 1, 300_000] {
        let response = client.put(&url).body(pattern(size)).send().await.unwrap();
        assert_eq!(response.remaining(), Some(size as u64));
        assert!(response.bytes().await.unwrap() == pattern(size), "{size}");
    }
    let mut response = client.post(&url).body("text").send().await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"text");
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_comes_back_from_an_echo() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/echo");
    let value = json!({"name": "Zoë", "level": 7, "tags": ["a", "b"]});
    let response = client.post(&url).json(&value).send().await.unwrap();
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    assert_eq!(response.json::<Value>().await.unwrap(), value);
    // A content type of the caller's stays.
    let first = client.post(&url).header("content-type", "a/b").json(&value);
    let response = first.send().await.unwrap();
    assert_eq!(response.header("content-type"), Some("a/b"));
}

/// Body limits at the limit and one past it, however the body is framed.
#[tokio::test]
async fn collected_bodies_have_a_limit() {
    let server = server();
    let client = TestClient::with(|builder| builder.limits(Limits::default().body_bytes(1_000)));
    for (path, bytes) in [
        ("/bytes/1000", 1_000),
        ("/chunked/10/100", 1_000),
        ("/close/1000", 1_000),
    ] {
        let response = client.get(server.url(path)).send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap().len(), bytes, "{path}");
    }
    for path in ["/bytes/1001", "/chunked/7/143", "/close/1001"] {
        for as_text in [false, true] {
            let response = client.get(server.url(path)).send().await.unwrap();
            let error = match as_text {
                false => response.bytes().await.unwrap_err(),
                true => response.text().await.unwrap_err(),
            };
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{path}");
            let text = error.to_string();
            assert!(
                text.contains("1000 bytes") && text.contains(&server.url("")),
                "{text}"
            );
            client.audit();
        }
        // A request may have a limit of its own, and slices have none.
        let request = client.get(server.url(path)).body_bytes_max(1_001);
        let response = request.send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap(), pattern(1_001));
        let mut response = client.get(server.url(path)).send().await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), pattern(1_001));
    }
    let request = client.get(server.url("/bytes/100")).body_bytes_max(99);
    let error = request.send().await.unwrap().bytes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn limit_holds_for_bodies_of_other_transports() {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body(vec![b'x'; 11]));
    let limits = Limits::default().body_bytes(10);
    let client = Client::builder()
        .limits(limits)
        .transport(mock)
        .build()
        .unwrap();
    let client = TestClient::from(client);
    for collect_text in [false, true] {
        let response = client.get("http://a.test/").send().await.unwrap();
        let error = match collect_text {
            true => response.text().await.unwrap_err(),
            false => response.bytes().await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    let request = client.get("http://a.test/").body_bytes_max(11);
    assert_eq!(
        request.send().await.unwrap().bytes().await.unwrap().len(),
        11
    );
}

#[tokio::test]
async fn decode_errors_name_the_place() {
    let server = answering(ok("", b"caf\xe9 au lait"));
    let client = TestClient::new();
    let response = client.get(server.url("/")).send().await.unwrap();
    let error = response.text().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let text = error.to_string();
    assert!(
        text.contains("not UTF-8 at byte 3") && text.contains(&server.url("")),
        "{text}"
    );
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_errors_name_the_place() {
    let client = TestClient::new();
    let server = answering(ok("", b"{\n  \"a\": nope}"));
    let response = client.get(server.url("/")).send().await.unwrap();
    let error = response.json::<Value>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains(&server.url("")), "{error}");
    let source = error.source().unwrap().to_string();
    assert!(source.contains("line 2 column"), "{source}");
}

#[tokio::test]
async fn status_is_an_error_only_when_asked() {
    let server = server();
    let client = TestClient::new();
    for code in [200, 204, 304, 399, 400, 404, 500, 599] {
        let response = client
            .get(server.url(&format!("/status/{code}")))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), code);
        match response.error_for_status() {
            Ok(response) => assert!(response.status().as_u16() < 400),
            Err(error) => {
                assert!(code >= 400);
                assert_eq!(error.kind(), ErrorKind::Status);
                let text = error.to_string();
                assert!(
                    text.contains(&code.to_string()) && text.contains(&server.url("")),
                    "{text}"
                );
            }
        }
        client.audit();
    }
}

/// A writer that fails after some bytes.
struct Full(usize);

impl tokio::io::AsyncWrite for Full {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        std::task::Poll::Ready(match taken {
            0 => Err(std::io::ErrorKind::StorageFull.into()),
            _ => Ok(taken),
        })
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn bodies_are_copied_to_writers() {
    let server = server();
    let client = TestClient::new();
    for path in ["/bytes/500000", "/chunked/500/1000", "/close/500000"] {
        let mut response = client.get(server.url(path)).send().await.unwrap();
        let mut copy = Vec::new();
        assert_eq!(response.copy_to(&mut copy).await.unwrap(), 500_000);
        assert!(copy == pattern(500_000), "{path}");
    }
    let mut response = client
        .get(server.url("/bytes/500000"))
        .send()
        .await
        .unwrap();
    let error = response.copy_to(&mut Full(10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
    assert!(error.source().is_some());
}

#[tokio::test]
async fn large_bodies_are_byte_identical() {
    let server = server();
    let client = TestClient::new();
    let size = 5_000_001;
    for path in [
        format!("/bytes/{size}"),
        format!("/close/{size}"),
        format!("/chunked/{size}/1"),
    ] {
        if path.starts_with("/chunked") {
            let response = client
                .get(server.url("/chunked/5/1000000"))
                .send()
                .await
                .unwrap();
            assert!(response.bytes().await.unwrap() == pattern(5_000_000));
            continue;
        }
        let response = client.get(server.url(&path)).send().await.unwrap();
        assert!(response.bytes().await.unwrap() == pattern(size), "{path}");
        let mut response = client.get(server.url(&path)).send().await.unwrap();
        assert!(
            read(&mut response).await.unwrap() == pattern(size),
            "{path}"
        );
    }
}

#[tokio::test]
async fn response_fields_are_read_and_changed() {
    let fields = "Set-Cookie: a=1\r\nSET-COOKIE: b=2\r\nX-Latin: caf\u{e9}\r\nempty:\r\n";
    let server = answering(ok(fields, b"x"));
    let client = TestClient::new();
    let mut response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!(response.header("set-cookie"), Some("a=1"));
    assert_eq!(response.header("SET-cookie"), Some("a=1"));
    assert_eq!(response.header("empty"), Some(""));
    assert_eq!(response.header("missing"), None);
    assert_eq!(response.header_bytes("x-latin"), Some("café".as_bytes()));
    let names: Vec<&str> = response.fields().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "content-length",
            "Set-Cookie",
            "SET-COOKIE",
            "X-Latin",
            "empty"
        ]
    );
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    response
        .headers_mut()
        .insert("set-cookie", HeaderValue::from_static("c=3"));
    assert_eq!(response.header("Set-Cookie"), Some("c=3"));
    assert_eq!(read(&mut response).await.unwrap(), b"x");
}
