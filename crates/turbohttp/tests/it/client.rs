//! What a caller sees: verbs, fields, bodies, errors, secrets, middlewares and the mock.

use std::error::Error as _;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[cfg(feature = "json")]
use serde_json::{Value, json};
use turbohttp::{
    Body, Bytes, Client, ClientBuilder, Error, ErrorKind, HeaderMap, HeaderValue, Limits, Method,
    Middleware, MockReply, MockStats, MockTransport, Next, Phase, Request, RequestBuilder,
    Response, Stats, StatusCode, Timeline, Timeouts, header,
};
use turbohttp_loopback::script::{Script, ScriptServer, Step};
use turbohttp_loopback::{Options, Server, pattern};

use crate::support::{TestClient, read, soon};

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

/// A server that gives this answer to one request on each connection.
fn answering(answer: impl Into<Vec<u8>>) -> ScriptServer {
    Script::new()
        .accept([Step::ReadHead, Step::Send(answer.into()), Step::Close])
        .repeat_last()
        .start()
        .unwrap()
}

fn ok(fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{fields}\r\n");
    [head.as_bytes(), body].concat()
}

/// The request head as the server saw it.
async fn seen(client: &TestClient, request: RequestBuilder) -> String {
    let head = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(client.net().open, client.net().idle);
    head
}

#[tokio::test]
async fn verbs_are_sent_as_they_are_called() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers?a=b");
    let custom = Method::from_bytes(b"PROPFIND").unwrap();
    let requests = [
        (client.get(&url), "GET"),
        (client.post(&url), "POST"),
        (client.put(&url), "PUT"),
        (client.patch(&url), "PATCH"),
        (client.delete(&url), "DELETE"),
        (client.options(&url), "OPTIONS"),
        (client.request(custom, &url), "PROPFIND"),
    ];
    for (request, verb) in requests {
        let head = seen(&client, request).await;
        let first = format!(
            "{verb} /headers?a=b HTTP/1.1\r\nhost: {}\r\n",
            server.addr()
        );
        assert!(head.starts_with(&first), "{head}");
        // RFC 9110 section 8.6: a method that is expected to carry a body says that it has none.
        let says_none = head.contains("content-length: 0\r\n");
        assert_eq!(
            says_none,
            ["POST", "PUT", "PATCH"].contains(&verb),
            "{head}"
        );
    }
    let response = client.head(&url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.header("content-length").is_some());
    assert_eq!(response.bytes().await.unwrap(), b""[..]);
    assert_eq!(client.net().opened, 1);
}

#[tokio::test]
async fn fields_keep_their_order_and_defaults_give_way() {
    let server = server();
    let client = TestClient::with(|builder| {
        builder
            .default_header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"))
            .default_header(header::ACCEPT, HeaderValue::from_static("text/plain"))
    });
    let url = server.url("/headers");
    let head = seen(&client, client.get(&url)).await;
    assert!(head.contains("\r\nuser-agent: turbohttp/"), "{head}");
    assert!(head.contains("\r\naccept: text/plain\r\n"), "{head}");
    assert!(head.contains("\r\naccept-language: en\r\n"), "{head}");

    let request = client
        .get(&url)
        .header("X-First", "1")
        .header("accept", "image/png")
        .header("x-twice", "a")
        .header("X-Last", "2")
        .header("x-twice", "b");
    let head = seen(&client, request).await;
    let fields: Vec<&str> = head
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    let places: Vec<_> = [
        "host: ",
        "x-first: 1",
        "accept: image/png",
        "x-twice: a",
        "x-last: 2",
    ]
    .iter()
    .map(|field| fields.iter().position(|line| line.starts_with(field)))
    .collect();
    assert!(
        places.is_sorted() && places.iter().all(Option::is_some),
        "{head}"
    );
    assert_eq!(
        fields
            .iter()
            .filter(|line| line.starts_with("accept:"))
            .count(),
        1,
        "{head}"
    );
    assert_eq!(
        fields
            .iter()
            .filter(|line| line.starts_with("x-twice:"))
            .count(),
        2,
        "{head}"
    );
    assert!(head.contains("accept-language: en"), "{head}");
}

#[tokio::test]
async fn headers_replaces_fields_of_the_same_names() {
    let server = server();
    let client = TestClient::new();
    let mut fields = HeaderMap::new();
    fields.append("x-a", HeaderValue::from_static("new"));
    fields.append("x-a", HeaderValue::from_static("newer"));
    let request = client
        .get(server.url("/headers"))
        .header("x-a", "old")
        .header("x-b", "kept");
    let head = seen(&client, request.headers(fields)).await;
    assert!(
        head.contains("x-a: new\r\n") && head.contains("x-a: newer\r\n"),
        "{head}"
    );
    assert!(
        !head.contains("old") && head.contains("x-b: kept\r\n"),
        "{head}"
    );
}

/// The Host field is the caller's; which connection is used is not decided by it.
#[tokio::test]
async fn host_override_does_not_change_the_connection() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers");
    let head = seen(&client, client.get(&url).header("host", "other.test")).await;
    assert!(head.contains("\r\nhost: other.test\r\n"), "{head}");
    assert!(!head.contains(&server.addr().to_string()), "{head}");
    let head = seen(&client, client.get(&url)).await;
    assert!(!head.contains("other.test"), "advisory 10: {head}");
    assert_eq!(server.stats().connections, 1);
}

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

#[tokio::test]
async fn credentials_go_out_in_one_field() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers");
    let basic = "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    let head = seen(
        &client,
        client.get(&url).basic_auth("Aladdin", Some("open sesame")),
    )
    .await;
    assert!(head.contains(basic), "{head}");
    let head = seen(&client, client.get(&url).bearer_auth("t0k3n")).await;
    assert!(head.contains("authorization: Bearer t0k3n\r\n"), "{head}");
    // Userinfo becomes the field; it is asked of nobody as part of the host (advisory 8).
    let with_userinfo = url.replace("http://", "http://Aladdin:open%20sesame@");
    let head = seen(&client, client.get(&with_userinfo)).await;
    assert!(head.contains(basic), "{head}");
    assert!(
        head.contains(&format!("host: {}\r\n", server.addr())),
        "{head}"
    );
    let response = client.get(&with_userinfo).send().await.unwrap();
    assert_eq!(response.url(), url);
    drop(response);
    // The request after has none of it (advisory 17).
    let head = seen(&client, client.get(&url)).await;
    assert!(!head.contains("authorization"), "{head}");
    let error = client
        .get(&url)
        .basic_auth("a:b", Some("c"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    let error = client
        .get(&url)
        .bearer_auth("a\r\nb: c")
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
}

/// Advisory 34: nothing of the caller's ends a line.
#[tokio::test]
async fn injection_is_refused_before_anything_is_sent() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers");
    for bad in ["a\rb", "a\nb", "a\r\nx: y", "a\0b", "\x7f"] {
        let error = client.get(&url).header("x", bad).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{bad:?}");
        let error = client.get(&url).header(bad, "x").send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{bad:?}");
        // In a URL such a byte is an error or is coded, never sent as it is.
        match client.get(format!("{url}?q={bad}")).send().await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Url, "{bad:?}"),
            Ok(response) => {
                let head = response.text().await.unwrap();
                assert!(!head.contains(bad) && !head.contains("\r\nx: y"), "{head}");
            }
        }
    }
    for (name, value) in [
        ("transfer-encoding", "chunked"),
        ("content-length", "7"),
        ("upgrade", "websocket"),
    ] {
        let error = client
            .get(&url)
            .header(name, value)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{name}");
    }
    let error = client
        .request(Method::CONNECT, &url)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    client.audit();
}

#[tokio::test]
async fn urls_that_cannot_be_asked_are_the_callers_error() {
    let client = TestClient::new();
    for url in [
        "",
        "no url",
        "ftp://a.test/",
        "file:///etc/passwd",
        "http://",
        "http://a b/",
        "//a",
    ] {
        let error = client.get(url).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Url, "{url}");
        assert!(client.get(url).build().is_err());
    }
    client.audit();
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

const CANARY: &str = "c4n4ry";

/// A request that carries the canary wherever it can.
fn telling(client: &Client, server: &ScriptServer) -> RequestBuilder {
    let url = server
        .url("/")
        .replace("http://", &format!("http://user:{CANARY}@"));
    client
        .post(format!("{url}?key={CANARY}#{CANARY}"))
        .header("cookie", CANARY)
        .header("x-api-key", CANARY)
        .body(CANARY)
}

fn telling_server() -> ScriptServer {
    let fields =
        format!("connection: close\r\nset-cookie: id={CANARY}\r\nauthorization: {CANARY}\r\n");
    answering(ok(&fields, CANARY.as_bytes()))
}

/// Nothing that is printed shows what only the server should see.
#[tokio::test]
async fn debug_output_holds_no_secret() {
    let server = telling_server();
    let value = HeaderValue::from_static(CANARY);
    let builder = Client::builder().default_header(header::PROXY_AUTHORIZATION, value);
    let mut printed = vec![format!("{builder:?}")];
    #[cfg(feature = "__tls")]
    {
        let tls = turbohttp::Tls::default().client_certificate_pem("chain", CANARY);
        printed.push(format!("{tls:?} {:?}", Client::builder().tls(tls.clone())));
    }
    let client = TestClient::from(builder.build().unwrap());
    let request = || telling(&client, &server);
    printed.push(format!("{:?}", request()));
    printed.push(format!(
        "{:?}",
        request().bearer_auth(CANARY).build().unwrap()
    ));
    let mut response = request().send().await.unwrap();
    printed.push(format!("{response:?} {:?}", response.timeline()));
    response.headers();
    printed.push(format!("{response:?}"));
    read(&mut response).await.unwrap();
    printed.push(format!("{response:?} {:?}", response.timeline()));
    drop(response);
    printed.push(format!("{:?} {:?}", *client, client.stats()));
    for text in &printed {
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// Advisory 45: neither do errors, down to their first cause.
#[tokio::test]
async fn errors_hold_no_secret() {
    let server = telling_server();
    let client = TestClient::new();
    let request = || telling(&client, &server);
    let collected = request()
        .body_bytes_max(1)
        .send()
        .await
        .unwrap()
        .bytes()
        .await;
    let mut errors = vec![
        collected.unwrap_err(),
        request()
            .header("x", format!("{CANARY}\n"))
            .send()
            .await
            .unwrap_err(),
        request()
            .header(format!("{CANARY}\n"), "x")
            .send()
            .await
            .unwrap_err(),
        request()
            .basic_auth(format!("a:{CANARY}"), Some(CANARY))
            .send()
            .await
            .unwrap_err(),
    ];
    for url in [
        format!("http://user:{CANARY}@[/"),
        format!("http://[/?key={CANARY}"),
        format!("http://[/#{CANARY}"),
        format!("http://[/?mail=a@{CANARY}"),
        format!("ftp://user:{CANARY}?x@a.test/"),
        format!("http://user:a@{CANARY}@[/"),
    ] {
        errors.push(client.get(url).send().await.unwrap_err());
    }
    for error in &errors {
        let mut printed = format!("{error:?} {error} {:?}", error.timeline());
        let mut source = error.source();
        while let Some(error) = source {
            printed += &format!("{error:?} {error}");
            source = error.source();
        }
        assert!(!printed.contains(CANARY), "{printed}");
    }
}

/// What may go to another thread, and what errors promise.
#[test]
fn types_are_as_promised() {
    fn shared<T: Send + Sync + Debug + 'static>() {}
    fn sent<T: Send>(_: &T) {}
    shared::<Client>();
    shared::<ClientBuilder>();
    shared::<Error>();
    shared::<Stats>();
    shared::<Timeline>();
    shared::<MockTransport>();
    shared::<Limits>();
    shared::<Timeouts>();
    fn movable<T: Send + 'static>() {}
    movable::<Request>();
    movable::<Response>();
    movable::<RequestBuilder>();
    movable::<Body>();
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_error::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Client>(), size_of::<usize>());
    let client = TestClient::new();
    let send = client.get("http://a.test/").send();
    sent(&send);
    assert!(size_of_val(&send) < 1024, "{}", size_of_val(&send));
    let clone: fn(&Client) -> Client = Clone::clone;
    drop((send, clone));
}

#[test]
fn bad_options_name_field_bound_and_value() {
    let limits = [
        (
            Limits::default().body_bytes(0),
            "limits.body_bytes must be 1..=1099511627776 (got 0)",
        ),
        (
            Limits::default().head_bytes(1_023),
            "limits.head_bytes must be 1024..=16777216 (got 1023)",
        ),
        (
            Limits::default().head_bytes(usize::MAX),
            "limits.head_bytes must be 1024..=16777216 (got ",
        ),
        (
            Limits::default().head_fields(0),
            "limits.head_fields must be 1..=10000 (got 0)",
        ),
        (
            Limits::default().head_fields(10_001),
            "limits.head_fields must be 1..=10000 (got 10001)",
        ),
        (
            Limits::default().idle_per_origin(0),
            "limits.idle_per_origin must be 1..=65536 (got 0)",
        ),
        (
            Limits::default().idle_total(65_537),
            "limits.idle_total must be 1..=65536 (got 65537)",
        ),
    ];
    for (limits, message) in limits {
        let error = Client::builder().limits(limits).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(message), "{error}");
    }
    let zero = Duration::ZERO;
    let timeouts = [
        (Timeouts::default().dns(zero), "timeouts.dns"),
        (Timeouts::default().connect(zero), "timeouts.connect"),
        (Timeouts::default().tls(zero), "timeouts.tls"),
        (Timeouts::default().head(zero), "timeouts.head"),
        (Timeouts::default().body(zero), "timeouts.body"),
        (Timeouts::default().request(zero), "timeouts.request"),
        (Timeouts::default().idle(zero), "timeouts.idle"),
        (Timeouts::default().lifetime(zero), "timeouts.lifetime"),
    ];
    for (timeouts, field) in timeouts {
        let error = Client::builder().timeouts(timeouts).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(
            text.contains(field) && text.contains("longer than zero"),
            "{text}"
        );
    }
}

/// The longest waits that can be said do not overflow anything.
#[tokio::test]
async fn longest_timeouts_are_no_timeouts() {
    let server = server();
    let long = Duration::MAX;
    let client = TestClient::timeouts(|timeouts| {
        let timeouts = timeouts
            .dns(long)
            .connect(long)
            .tls(long)
            .head(long)
            .body(long);
        timeouts.request(long).idle(long).lifetime(long)
    });
    for _ in 0..2 {
        let url = server.url("/delay/5");
        let mut response = soon(client.get(url).timeout(long).send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"Hello, world!");
    }
    assert_eq!(client.net().opened, 1);
}

/// Writes its name into the request on the way down and into the response on the way up.
struct Named(&'static str);

impl Middleware for Named {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> turbohttp::Result<Response> {
        request
            .headers_mut()
            .append("x-down", HeaderValue::from_static(self.0));
        let mut response = next.run(request).await?;
        response.push_header("x-up", self.0.as_bytes());
        Ok(response)
    }
}

#[tokio::test]
async fn first_middleware_added_sees_the_request_first() {
    let server = server();
    let client = Client::builder()
        .with(Named("first"))
        .with(Some(Named("second")))
        .with(None::<Named>)
        .on_request(|request| {
            request
                .headers_mut()
                .append("x-down", HeaderValue::from_static("third"));
        })
        .on_response(|response| response.push_header("x-up", b"fourth"))
        .build();
    let client = TestClient::from(client.unwrap());
    let response = client.get(server.url("/headers")).send().await.unwrap();
    let up: Vec<_> = response
        .fields()
        .filter(|(name, _)| *name == "x-up")
        .collect();
    let up: Vec<&[u8]> = up.into_iter().map(|(_, value)| value).collect();
    assert_eq!(up, [&b"fourth"[..], b"second", b"first"]);
    let head = response.text().await.unwrap();
    let down: Vec<&str> = head
        .lines()
        .filter_map(|line| line.strip_prefix("x-down: "))
        .collect();
    assert_eq!(down, ["first", "second", "third"]);
}

/// Sends a request elsewhere, answers it itself, or sends it twice, as its path says.
struct Router(String);

impl Middleware for Router {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> turbohttp::Result<Response> {
        if request.url().ends_with("/cached") {
            return Ok(request.respond(StatusCode::NOT_MODIFIED, "kept"));
        }
        if request.url().ends_with("/moved") {
            request.set_url(&self.0)?;
        }
        if request.url().ends_with("/twice") {
            let again = request.try_clone().expect("the body is no stream");
            next.run(request).await?.bytes().await?;
            return next.run(again).await;
        }
        if request.url().ends_with("/again") {
            let again = request.try_clone().expect("the body is no stream");
            drop(next.run(request).await?);
            return next.run(again).await;
        }
        next.run(request).await
    }
}

#[tokio::test]
async fn middleware_may_answer_redirect_and_repeat() {
    let server = server();
    let elsewhere = self::server();
    let router = Router(elsewhere.url("/id/elsewhere"));
    let client = TestClient::from(Client::builder().with(router).build().unwrap());
    let response = client.get(server.url("/cached")).send().await.unwrap();
    assert_eq!(response.status(), 304);
    assert_eq!(response.text().await.unwrap(), "kept");
    assert_eq!(server.stats().connections, 0);
    let response = client.get(server.url("/moved")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "elsewhere");
    assert_eq!(
        (server.stats().connections, elsewhere.stats().connections),
        (0, 1)
    );
    let response = client
        .put(server.url("/id/twice"))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "twice");
    let stats = server.stats();
    assert_eq!((stats.requests, stats.body_bytes_received), (2, 2));
    assert_eq!(
        stats.connections, 1,
        "the clone did not use the idle connection"
    );
}

/// A second attempt has the rest of the request's time, and the limits of its client.
#[tokio::test]
async fn clone_of_a_request_keeps_deadline_and_limits() {
    let server = Script::new()
        .accept([
            Step::ReadHead,
            Step::Send(ok("", b"first")),
            Step::ReadHead,
            Step::Stall,
        ])
        .start()
        .unwrap();
    let timeouts = Timeouts::default().head(Duration::from_secs(99));
    let client = Client::builder()
        .with(Router(String::new()))
        .timeouts(timeouts.request(Duration::from_secs(40)));
    let client = Arc::new(TestClient::from(client.build().unwrap()));
    let url = server.url("/twice");
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.get(url).send().await.unwrap_err() }
    });
    // The clock is stopped when the second attempt waits.
    let heads = || String::from_utf8(server.received().concat()).unwrap();
    while heads().matches("\r\n\r\n").count() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let error = task.await.unwrap();
    assert!(
        start.elapsed() <= Duration::from_secs(40),
        "the deadline was forgotten"
    );
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Wait))
    );
    assert!(
        error
            .to_string()
            .contains("the request took longer than 40s"),
        "{error}"
    );
    client.audit();
}

#[tokio::test]
async fn clone_of_a_request_keeps_its_body_limit() {
    let server = server();
    let limits = Limits::default().body_bytes(5);
    let builder = Client::builder().limits(limits).with(Router(String::new()));
    let client = TestClient::from(builder.build().unwrap());
    let url = server.url("/bytes/6?/again");
    let response = client.get(&url).body_bytes_max(6).send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap().len(), 6);
    let response = client.get(&url).send().await.unwrap();
    assert_eq!(
        response.bytes().await.unwrap_err().kind(),
        ErrorKind::TooLarge
    );
}

/// Holds back the requests that upload: a limiter, a back-off.
struct Late(Duration);

impl Middleware for Late {
    async fn handle(&self, request: Request, next: Next<'_>) -> turbohttp::Result<Response> {
        if request.method() == Method::POST {
            tokio::time::sleep(self.0).await;
        }
        next.run(request).await
    }
}

/// The wait of a middleware is no part of the phases of the network, nor of their limits.
#[tokio::test]
async fn time_spent_in_a_middleware_is_not_the_networks() {
    let steps = [
        Step::ReadHead,
        Step::Send(ok("", b"x")),
        Step::ReadHead,
        Step::Deaf,
    ];
    let server = Script::new().accept(steps).start().unwrap();
    let late = Late(Duration::from_secs(60));
    let client = TestClient::from(Client::builder().with(late).build().unwrap());
    assert_eq!(client.body_of(&server.url("/")).await, b"x");
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let send = client.post(server.url("/")).body(vec![7; 64 << 20]).send();
    let error = send.await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a write of the request took longer than 30s"),
        "{error}"
    );
    let took = start.elapsed();
    assert!(
        took >= Duration::from_secs(90),
        "the write had no time: {took:?}"
    );
    let timeline = error.timeline().unwrap();
    assert!(timeline.is_connection_reused());
    let sending = timeline.duration(Phase::Send);
    assert!(sending < Duration::from_secs(31), "{timeline:?}");
    assert!(timeline.total() >= Duration::from_secs(90), "{timeline:?}");
}

#[tokio::test]
async fn request_without_a_client_is_sent_like_any_other() {
    let server = server();
    let client = TestClient::new();
    for _ in 0..2 {
        let mut request = Request::new(Method::POST, server.url("/echo")).unwrap();
        request.set_body("content");
        let response = client.send(request).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "content");
    }
    assert_eq!(client.net().opened, 1);
    assert!(Request::new(Method::GET, "nothing").is_err());
}

fn counts(stats: MockStats) -> [u64; 4] {
    [stats.entered, stats.left, stats.dropped, stats.peak]
}

#[tokio::test(start_paused = true)]
async fn mock_plays_script_then_handler_and_counts() {
    let mock = MockTransport::with_handler(|request| {
        MockReply::new(StatusCode::OK).body(request.method().to_string())
    });
    assert!(
        mock.script(
            MockReply::new(StatusCode::CREATED)
                .header("x-a", "b")
                .body("scripted")
        )
    );
    assert!(mock.script(MockReply::failure(ErrorKind::Transport, "no such luck")));
    assert!(mock.script(MockReply::new(StatusCode::OK).delay(Duration::from_secs(60))));
    let client = Client::builder()
        .timeouts(Timeouts::default().head(Duration::from_secs(90)))
        .transport(mock.clone());
    let client = TestClient::from(client.build().unwrap());
    let url = "http://a.test/x";

    let response = client.get(url).send().await.unwrap();
    assert_eq!(
        (response.status(), response.header("X-A")),
        (StatusCode::CREATED, Some("b"))
    );
    assert_eq!(response.text().await.unwrap(), "scripted");

    let error = client.get(url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(error.to_string(), "no such luck (http://a.test)");

    let start = tokio::time::Instant::now();
    client.get(url).send().await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(60));

    let response = client.delete(url).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "DELETE");
    assert_eq!(counts(mock.stats()), [4, 4, 0, 1]);

    assert!(mock.script(MockReply::new(StatusCode::OK).delay(Duration::from_secs(60))));
    let waiting = client.get(url).send();
    let dropped = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(dropped.is_err());
    assert_eq!(counts(mock.stats()), [5, 4, 1, 1]);
    assert!(client.stats().net.is_none());
}

#[tokio::test(start_paused = true)]
async fn mock_knows_how_many_it_held_at_once() {
    let reply = MockReply::new(StatusCode::OK)
        .delay(Duration::from_secs(1))
        .body("x");
    let mock = MockTransport::new(reply);
    let client = Client::builder().transport(mock.clone()).build().unwrap();
    let client = Arc::new(TestClient::from(client));
    let answered = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (client, answered) = (client.clone(), answered.clone());
            tokio::spawn(async move {
                let response = client.get("http://a.test/").send().await.unwrap();
                assert_eq!(response.bytes().await.unwrap(), Bytes::from_static(b"x"));
                answered.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(answered.load(Ordering::Relaxed), 50);
    assert_eq!(counts(mock.stats()), [50, 50, 0, 50]);
    client.audit();
}

/// Slices of a body that is in memory already, and its end.
#[tokio::test]
async fn mock_bodies_are_read_like_any_other() {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("memory"));
    let client = TestClient::from(Client::builder().transport(mock).build().unwrap());
    let mut response = client.get("http://a.test/").send().await.unwrap();
    assert_eq!(response.remaining(), Some(6));
    assert_eq!(read(&mut response).await.unwrap(), b"memory");
    assert_eq!(response.remaining(), Some(0));
    let mut response = client.get("http://a.test/").send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap(), Some(&b"memory"[..]));
    assert_eq!(
        response.bytes().await.unwrap(),
        b""[..],
        "bytes that were read came again"
    );
}
