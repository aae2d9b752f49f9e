//! What a request says of its content, and where an answer without content ends.

use http::{Method, StatusCode};
use turbohttp::{ErrorKind, Request};
use turbohttp_loopback::script::{Script, Step};

use crate::support::{TestClient, read, soon};
use crate::uploads::{OK, answers_early};

/// RFC 9110 section 10.1.1, with the field set by the caller and by the builder.
#[tokio::test]
async fn expectations_on_the_wire() {
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    let cases: [(&str, &[Step], u16, bool); 4] = [
        // The server asks for the content.
        (
            "asked",
            &[Step::send(proceed), Step::ReadExact(4), Step::send(OK)],
            200,
            true,
        ),
        // A success instead of 100 means to read on.
        ("success", &[Step::send(OK), Step::ReadExact(4)], 200, true),
        // Whatever else comes means that the content is not wanted.
        (
            "refused",
            &[
                Step::send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
                Step::ReadToEnd,
            ],
            403,
            false,
        ),
        (
            "moved",
            &[
                Step::send("HTTP/1.1 308 Permanent Redirect\r\ncontent-length: 0\r\n\r\n"),
                Step::ReadToEnd,
            ],
            308,
            false,
        ),
    ];
    for (name, steps, status, is_sent) in cases {
        for by_field in [false, true] {
            let mut all = vec![Step::ReadHead];
            all.extend_from_slice(steps);
            let server = Script::new().accept(all).start().unwrap();
            let client = TestClient::new();
            let request = client.post(server.url("/")).body("body");
            let request = match by_field {
                true => request.header("expect", "100-Continue"),
                false => request.expect_continue(),
            };
            let response = soon(request.send()).await.unwrap();
            assert_eq!(response.status(), status, "{name}");
            drop(response);
            drop(client);
            soon(server.all_closed()).await;
            let received = String::from_utf8(server.received()[0].clone()).unwrap();
            assert_eq!(
                received.matches("expect: 100-continue").count(),
                1,
                "{received}"
            );
            assert_eq!(
                received.ends_with("\r\n\r\nbody"),
                is_sent,
                "{name}: {received}"
            );
        }
    }
}

#[tokio::test]
async fn expectation_that_fails_is_dropped_and_the_request_repeated() {
    let refusal = "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n\r\nno";
    let server = Script::new()
        .accept([Step::ReadHead, Step::send(refusal), Step::ReadToEnd])
        .accept([Step::ReadHead, Step::ReadExact(4), Step::send(OK)])
        .start()
        .unwrap();
    for by_field in [false, true] {
        let server = match by_field {
            false => &server,
            true => &Script::new()
                .accept([Step::ReadHead, Step::send(refusal), Step::ReadToEnd])
                .accept([Step::ReadHead, Step::ReadExact(4), Step::send(OK)])
                .start()
                .unwrap(),
        };
        let client = TestClient::new();
        let request = client.post(server.url("/")).body("body");
        let request = match by_field {
            true => request.header("expect", "100-continue"),
            false => request.expect_continue(),
        };
        let mut response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        drop(response);
        assert_eq!(client.net().replayed, 1);
        drop(client);
        soon(server.all_closed()).await;
        let received = server.received();
        assert!(
            received[0].ends_with(b"\r\n\r\n"),
            "the content was held back"
        );
        assert!(!String::from_utf8_lossy(&received[1]).contains("expect"));
        assert!(received[1].ends_with(b"\r\n\r\nbody"));
    }
}

/// A 417 to content that was sent is an answer like any other.
#[tokio::test]
async fn expectation_that_fails_too_late_is_an_answer() {
    let server = Script::new()
        .accept([
            Step::ReadHead,
            Step::send("HTTP/1.1 100 Continue\r\n\r\n"),
            Step::ReadExact(4),
            Step::send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n"),
        ])
        .start()
        .unwrap();
    let client = TestClient::new();
    let request = client.post(server.url("/")).body("body").expect_continue();
    assert_eq!(soon(request.send()).await.unwrap().status(), 417);
    assert_eq!(client.net().replayed, 0);
}

#[tokio::test]
async fn requests_that_are_refused_before_they_are_sent() {
    let client = TestClient::new();
    let cases: [(Method, &str, &str, &str, &str); 9] = [
        (Method::TRACE, "", "", "x", "TRACE has no content"),
        (Method::POST, "expect", "200-ok", "x", "Expect"),
        (Method::POST, "expect", "", "x", "Expect"),
        (Method::GET, "expect", "100-continue", "", "Expect"),
        (Method::GET, "host", "", "", "Host"),
        (Method::GET, "host", "http://a.test/", "", "Host"),
        (Method::GET, "host", "user@a.test", "", "Host"),
        (Method::GET, "host", "a.test:99999", "", "Host"),
        (Method::GET, "host", "a.test, b.test", "", "Host"),
    ];
    for (method, name, value, body, message) in cases {
        let request = client
            .request(method, "http://127.0.0.1:9/")
            .body(body.to_owned());
        let request = match name {
            "" => request,
            name => request.header(name, value),
        };
        let error = soon(request.send()).await.expect_err(message);
        assert_eq!(error.kind(), ErrorKind::Request, "{message}: {error:?}");
        assert!(error.to_string().contains(message), "{error}");
    }
    assert_eq!(client.net().opened, 0);
}

/// RFC 9110 section 8.6.
#[tokio::test]
async fn empty_bodies_say_their_length_only_where_one_is_expected() {
    for (method, body, is_said) in [
        (Method::GET, Some(""), false),
        (Method::HEAD, Some(""), false),
        (Method::OPTIONS, Some(""), false),
        (Method::DELETE, Some(""), false),
        (Method::TRACE, Some(""), false),
        (Method::GET, None, false),
        (Method::POST, Some(""), true),
        (Method::POST, None, true),
        (Method::PUT, Some(""), true),
        (Method::PATCH, None, true),
    ] {
        let answer = "HTTP/1.1 204 No Content\r\n\r\n";
        let server = answers_early(answer, []);
        let client = TestClient::new();
        let mut request = Request::new(method.clone(), server.url("/")).unwrap();
        if let Some(body) = body {
            request.set_body(body);
        }
        let response = soon(client.send(request)).await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        drop(response);
        drop(client);
        soon(server.all_closed()).await;
        let received = String::from_utf8(server.received()[0].clone()).unwrap();
        assert_eq!(
            received.contains("content-length: 0"),
            is_said,
            "{received}"
        );
        assert!(!received.contains("transfer-encoding"), "{received}");
    }
}

/// RFC 9112 section 6.3 rule 1.
#[tokio::test]
async fn answers_without_a_body_end_at_the_blank_line() {
    for fields in [
        "content-length: 5",
        "content-length: five",
        "content-length: 5\r\ncontent-length: 6",
        "transfer-encoding: chunked",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        for (method, status) in [
            (Method::HEAD, "200 OK"),
            (Method::GET, "304 Not Modified"),
            (Method::GET, "204 No Content"),
        ] {
            let answer = format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n");
            let steps = [Step::ReadHead, Step::send(answer), Step::ReadToEnd];
            let server = Script::new().accept(steps).start().unwrap();
            let client = TestClient::new();
            let response = soon(client.request(method, server.url("/")).send()).await;
            let body = soon(response.expect(fields).bytes()).await;
            assert!(body.expect(fields).is_empty());
        }
    }
}
