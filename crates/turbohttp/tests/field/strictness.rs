//! Strictness that loses real servers: what nearly all clients take, and what stays refused.

use http::StatusCode;
use turbohttp::{Error, ErrorKind, Limits, Response};
use turbohttp_loopback::script::{Script, Step};

use crate::support::{TestClient, read, soon};

/// The response to a GET of `answer`, and whether its connection was kept.
async fn answered(
    client: &TestClient,
    answer: impl Into<Vec<u8>>,
) -> Result<(StatusCode, Vec<u8>, bool), Error> {
    let steps = [
        Step::ReadHead,
        Step::send(answer),
        Step::HalfClose,
        Step::ReadToEnd,
    ];
    let server = Script::new().accept(steps).start().unwrap();
    let mut response = soon(client.get(server.url("/")).send()).await?;
    let status = response.status();
    let body = soon(read(&mut response)).await?;
    drop(response);
    Ok((status, body, client.net().open > 0))
}

/// seanmonstar/reqwest #1189, #3065: forms of Transfer-Encoding that nearly all clients take.
#[tokio::test]
async fn transfer_encodings_that_nearly_all_clients_take() {
    const CHUNKED: &str = "2\r\nok\r\n0\r\n\r\n";
    for (version, fields, body) in [
        ("1.0", "transfer-encoding: chunked", CHUNKED),
        (
            "1.0",
            "connection: keep-alive\r\ntransfer-encoding: chunked",
            CHUNKED,
        ),
        (
            "1.0",
            "transfer-encoding: chunked\r\ncontent-length: 12",
            CHUNKED,
        ),
        ("1.1", "transfer-encoding: Chunked", CHUNKED),
        ("1.1", "TRANSFER-ENCODING: CHUNKED", CHUNKED),
        ("1.1", "transfer-encoding: chunked,", CHUNKED),
        ("1.1", "transfer-encoding: , chunked", CHUNKED),
        ("1.1", "transfer-encoding: ,\t, chunked , ,", CHUNKED),
        ("1.1", "transfer-encoding: identity, chunked", CHUNKED),
        (
            "1.1",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked",
            CHUNKED,
        ),
        (
            "1.1",
            "transfer-encoding: identity\r\ncontent-length: 2",
            "ok",
        ),
        ("1.1", "transfer-encoding: identity", "ok"),
        ("1.1", "transfer-encoding:\r\ncontent-length: 2", "ok"),
    ] {
        let client = TestClient::new();
        let answer = format!("HTTP/{version} 200 OK\r\n{fields}\r\n\r\n{body}");
        let (_, body, is_kept) = answered(&client, answer).await.expect(fields);
        assert_eq!(body, b"ok", "{fields}");
        assert!(!is_kept, "{fields}: another recipient may find another end");
    }
}

#[tokio::test]
async fn transfer_encodings_that_stay_refused() {
    for field in [
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "xchunked",
        "chunked;q=1",
        "\"chunked\"",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {field}\r\n\r\n0\r\n\r\n");
        let error = answered(&TestClient::new(), answer).await.expect_err(field);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{field}");
    }
}

/// The limits can be raised to 10,000 fields and 16 MiB, and no further.
#[tokio::test]
async fn heads_may_be_large_where_the_user_says_so() {
    let line = |index: usize| format!("x-field-{index}: value\r\n");
    let many: String = (0..9_998).map(line).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\nx-last: y\r\n\r\nok");
    let limits = Limits::default().head_fields(10_000).head_bytes(1 << 20);
    let client = TestClient::with(|builder| builder.limits(limits));
    let (_, body, is_kept) = answered(&client, answer.clone()).await.unwrap();
    assert_eq!((body.as_slice(), is_kept), (&b"ok"[..], true));
    let limits = limits.head_fields(9_999);
    let client = TestClient::with(|builder| builder.limits(limits));
    let error = answered(&client, answer).await.unwrap_err();
    assert!(error.to_string().contains("exceeds 9999 fields"), "{error}");

    let value = "v".repeat((16 << 20) - 200);
    let answer = format!("HTTP/1.1 200 OK\r\nx: {value}\r\ncontent-length: 2\r\n\r\nok");
    let client = TestClient::with(|it| it.limits(Limits::default().head_bytes(16 << 20)));
    let (_, body, _) = answered(&client, answer).await.unwrap();
    assert_eq!(body, b"ok");
    for limits in [
        Limits::default().head_fields(10_001),
        Limits::default().head_bytes((16 << 20) + 1),
    ] {
        let error = turbohttp::Client::builder()
            .limits(limits)
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

/// seanmonstar/reqwest #2041: malformed field lines, as browsers pass them over.
#[tokio::test]
async fn malformed_fields_are_passed_over_where_the_user_says_so() {
    for (fields, skipped) in [
        ("no colon here\r\n", 1),
        ("bad name: x\r\n", 1),
        (": no name\r\n", 1),
        ("x\u{1}: control in the name\r\n", 1),
        ("x: control \u{1} in the value\r\n", 1),
        ("x : blank before the colon\r\n", 1),
        ("\u{fc}: beyond ascii\r\n", 1),
        ("a: 1\r\nbad\r\nb: 2\r\nworse\r\n", 2),
        ("<html>\r\n", 1),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}content-length: 2\r\n\r\nok");
        let strict = answered(&TestClient::new(), answer.clone())
            .await
            .expect_err(fields);
        assert_eq!(strict.kind(), ErrorKind::Protocol, "{fields:?}");
        for split in [usize::MAX, 1, 7] {
            let client = TestClient::with(|builder| builder.lenient_fields(true));
            let steps = [
                Step::ReadHead,
                Step::send_split(answer.clone(), split.min(answer.len())),
                Step::ReadToEnd,
            ];
            let server = Script::new().accept(steps).start().unwrap();
            let response = soon(client.get(server.url("/")).send())
                .await
                .expect(fields);
            assert_eq!(response.skipped_fields(), skipped, "{fields:?}");
            assert_eq!(response.header("content-length"), Some("2"));
            assert_eq!(soon(response.bytes()).await.unwrap(), "ok");
            assert_eq!(
                client.net().open,
                0,
                "{fields:?}: its server cannot be relied on"
            );
        }
    }
}

/// The same behind a body: the connection is not kept either.
#[tokio::test]
async fn malformed_trailers_cost_the_connection() {
    for (trailers, is_taken) in [
        ("no colon here\r\n", true),
        ("bad name: x\r\nx: y\r\n", true),
        ("Transfer-Encoding : chunked\r\n", false),
        ("x: y\r\n folded\r\n", false),
    ] {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = format!("{head}2\r\nok\r\n0\r\n{trailers}\r\n");
        for piece_bytes in [answer.len(), 1] {
            let steps = [
                Step::ReadHead,
                Step::send_split(answer.clone(), piece_bytes),
                Step::ReadToEnd,
            ];
            let server = Script::new().accept(steps).start().unwrap();
            let client = TestClient::with(|builder| builder.lenient_fields(true));
            let mut response = soon(client.get(server.url("/")).send()).await.unwrap();
            let body = soon(read(&mut response)).await;
            assert_eq!(body.is_ok(), is_taken, "{trailers:?}");
            assert_eq!(response.skipped_fields(), usize::from(is_taken));
            drop(response);
            assert_eq!(client.net().open, 0, "{trailers:?}");
        }
    }
}

/// Nothing becomes looser about the framing.
#[tokio::test]
async fn malformed_framing_is_refused_all_the_same() {
    for fields in [
        "content-length : 5",
        "content-length: 5\u{1}",
        " content-length: 5",
        "x: y\rcontent-length: 5",
        "Transfer-Encoding : chunked",
        "transfer-encoding\u{b}: chunked",
        "x transfer-encoding: chunked",
    ] {
        let client = TestClient::with(|builder| builder.lenient_fields(true));
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\ncontent-length: 2\r\n\r\nok");
        let error = answered(&client, answer).await.expect_err(fields);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{fields:?}");
    }
}

async fn text_of(content_type: &str, body: &[u8]) -> Result<String, Error> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    let steps = [Step::ReadHead, Step::send(answer)];
    let server = Script::new().accept(steps).start().unwrap();
    let client = TestClient::new();
    soon(async { client.get(server.url("/")).send().await?.text().await }).await
}

#[cfg(feature = "charset")]
#[tokio::test]
async fn text_is_in_the_charset_that_it_names() {
    for (content_type, body, expected) in [
        ("text/plain", &b"plain"[..], "plain"),
        ("text/plain; charset=utf-8", "grün".as_bytes(), "grün"),
        ("text/plain; charset=\"UTF-8\"", "grün".as_bytes(), "grün"),
        ("text/plain; charset=iso-8859-1", b"gr\xfcn", "grün"),
        ("text/plain; charset=windows-1252", b"\x80", "€"),
        ("text/plain;charset=Shift_JIS", b"\x93\xfa\x96{", "日本"),
        ("text/plain; charset=gbk", b"\xc4\xe3", "你"),
        ("text/plain; charset=utf-16le", b"h\0i\0", "hi"),
        // A byte order mark says more than the field.
        (
            "text/plain; charset=iso-8859-1",
            b"\xef\xbb\xbfgr\xc3\xbcn",
            "grün",
        ),
        ("text/plain", b"\xff\xfeh\0i\0", "hi"),
        // What nobody knows is read as UTF-8.
        ("text/plain; charset=klingon", "grün".as_bytes(), "grün"),
        ("text/plain; charset=", b"x", "x"),
        ("", b"x", "x"),
    ] {
        assert_eq!(
            text_of(content_type, body).await.expect(content_type),
            expected
        );
    }
}

/// The bytes are not lost with the error.
#[tokio::test]
async fn body_that_is_no_text_can_be_had_back() {
    for (content_type, body, message) in [
        ("text/plain", &b"gr\xfcn"[..], "body is not UTF-8 at byte 2"),
        #[cfg(feature = "charset")]
        (
            "text/plain; charset=shift_jis",
            b"\x93",
            "body is not Shift_JIS",
        ),
        #[cfg(feature = "charset")]
        (
            "text/plain; charset=utf-16le",
            b"\x00\xd8x",
            "body is not UTF-16LE",
        ),
    ] {
        let error = text_of(content_type, body).await.expect_err(message);
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.into_bytes().unwrap(), body);
    }
}

#[cfg(feature = "json")]
#[tokio::test]
async fn body_that_is_no_json_can_be_had_back() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{\"a\"";
    let steps = [Step::ReadHead, Step::send(answer)];
    let server = Script::new().accept(steps).start().unwrap();
    let client = TestClient::new();
    let response: Response = soon(client.get(server.url("/")).send()).await.unwrap();
    let error = soon(response.json::<u8>()).await.unwrap_err();
    assert_eq!(error.into_bytes().unwrap(), "{\"a\"");
}

/// h2o/picohttpparser #39, K0M15/webserv #37, nodejs/http-parser #456: a folded line belongs to the value
/// before it, however the head is cut, and where malformed lines are passed over as well.
#[tokio::test]
async fn folded_lines_are_read_in_one_way() {
    for (fields, body, name, value) in [
        ("x: a\r\n b\r\ncontent-length: 2", "ok", "x", "a   b"),
        (
            "x: a\r\n\tb\r\n c\r\ncontent-length: 2",
            "ok",
            "x",
            "a  \tb   c",
        ),
        (
            "transfer-encoding:\r\n chunked",
            "2\r\nok\r\n0\r\n\r\n",
            "transfer-encoding",
            "chunked",
        ),
        (
            "content-length:\r\n\t2\r\nx: y",
            "ok",
            "content-length",
            "2",
        ),
        ("content-length: 2\r\n \t", "ok", "content-length", "2"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}");
        let whole = answer.len();
        for (is_lenient, piece_bytes) in [(false, whole), (true, whole), (true, 1), (true, 30)] {
            let steps = [
                Step::ReadHead,
                Step::send_split(answer.clone(), piece_bytes),
                Step::ReadToEnd,
            ];
            let server = Script::new().accept(steps).start().unwrap();
            let client = TestClient::with(|it| it.lenient_fields(is_lenient));
            let response = soon(client.get(server.url("/")).send())
                .await
                .expect(fields);
            assert_eq!(response.header(name).map(str::trim), Some(value));
            assert_eq!(response.skipped_fields(), 0, "{fields:?}");
            assert_eq!(soon(response.bytes()).await.expect(fields), "ok");
        }
    }
}

/// nategood/httpful #94, restsharp/RestSharp #900, cloudflare/workerd #4977: RFC 8259 section 8.1.
#[cfg(feature = "json")]
#[tokio::test]
async fn byte_order_mark_before_json_is_passed_over() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n\u{feff}42";
    let steps = [Step::ReadHead, Step::send(answer)];
    let server = Script::new().accept(steps).start().unwrap();
    let client = TestClient::new();
    let response: Response = soon(client.get(server.url("/")).send()).await.unwrap();
    assert_eq!(soon(response.json::<u8>()).await.unwrap(), 42);
}

/// me-no-dev/ESPAsyncWebServer #1324, benoitc/hackney #912, http-kit/http-kit #360, heroku/vegur #82: chunks in
/// the forms that servers have, however they are cut.
#[tokio::test]
async fn chunks_in_the_forms_that_servers_have() {
    for body in [
        "2 \r\nok\r\n0 \r\n\r\n",
        "2\t \r\nok\r\n0\r\n\r\n",
        "00002\r\nok\r\n000\r\n\r\n",
        "2;a=b;c\r\nok\r\n0;x\r\n\r\n",
        "2 ; a = \"b;c\"\r\nok\r\n0\r\nx: y\r\n\r\n",
        "1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        for piece_bytes in [answer.len(), 1, 2, 3, 5, 7] {
            let steps = [
                Step::ReadHead,
                Step::send_split(answer.clone(), piece_bytes),
                Step::ReadToEnd,
            ];
            let server = Script::new().accept(steps).start().unwrap();
            let client = TestClient::new();
            assert_eq!(client.body_of(&server.url("/")).await, b"ok", "{body:?}");
            assert_eq!(client.net().idle, 1, "{body:?}");
        }
    }
}

/// What is taken of heads, and what is not: boostorg/beast #1880, envoyproxy/envoy #3648 and nodejs/node #6517
/// ask for a length that is said twice, which two recipients may read in two ways.
#[tokio::test]
async fn heads_in_the_forms_that_servers_have() {
    for (start, fields, is_taken) in [
        ("HTTP/1.1 200", "content-length: 2", true),
        ("HTTP/1.1 200 ", "content-length: 2", true),
        ("HTTP/1.1 200 D'accord \u{e9}", "content-length: 2", true),
        ("HTTP/1.1 999 Denied", "content-length:2", true),
        ("HTTP/1.1 200 OK", "content-length: \t 0002 \t", true),
        ("HTTP/1.1 200 OK\nserver: x", "CONTENT-LENGTH: 2", true),
        ("HTTP/1.0 200 OK", "x:", true),
        ("HTTP/1.1 200 OK", "connection: Keep-Alive, Close", true),
        (
            "HTTP/1.1 200 OK",
            "content-length: 2\r\ncontent-length: 2",
            false,
        ),
        ("HTTP/1.1 200 OK", "content-length: 2, 2", false),
        ("HTTP/1.1 200 OK", "content-length: +2", false),
        (
            "HTTP/1.1 200 OK",
            "content-length: 18446744073709551616",
            false,
        ),
        ("HTTP/1.1  200 OK", "content-length: 2", false),
        ("HTTP/1.1 099 X", "content-length: 2", false),
        ("HTTP/2 200", "content-length: 2", false),
        ("http/1.1 200 OK", "content-length: 2", false),
        ("ICY 200 OK", "content-length: 2", false),
    ] {
        let answer = format!("{start}\r\n{fields}\r\n\r\nok");
        match answered(&TestClient::new(), answer).await {
            Ok((_, body, _)) => assert!(is_taken && body == b"ok", "{start}, {fields}"),
            Err(error) => {
                assert!(!is_taken, "{start}, {fields}: {error}");
                assert_eq!(error.kind(), ErrorKind::Protocol, "{start}, {fields}");
            }
        }
    }
}
