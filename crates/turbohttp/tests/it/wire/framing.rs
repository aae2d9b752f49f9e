//! Where a body ends: its framing, its limits, and answers that have none.

use turbohttp::{ErrorKind, Method, Phase};
use turbohttp_loopback::script::Step;

use super::{CHUNKED, OK, origin, outcome, refused, server, servers};
use crate::support::{TestClient, expect_error, read, soon};

#[tokio::test]
async fn connection_that_ends_in_the_body_is_an_error() {
    use ErrorKind::Truncated;
    let chunked = |body: &str| format!("{CHUNKED}{body}");
    let chunked = [
        "",
        "5",
        "5\r\n",
        "5\r\nhel",
        "5\r\nhello",
        "5\r\nhello\r\n",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\nx: y\r\n",
    ]
    .map(chunked);
    let mut cases = vec![
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            Truncated,
            "with 5 bytes of the body missing",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
            Truncated,
            "with 1 bytes of the body missing",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nhell",
            Truncated,
            "bytes of the body missing",
        ),
    ];
    for answer in &chunked {
        cases.push((answer, Truncated, "connection ended before the last chunk"));
    }
    cases.retain(|case| !case.0.contains("18446744073709551615"));
    refused(Phase::Receive, Step::Close, &cases).await;
}

/// A length that no limit allows is refused before it is believed; read in slices it is a body that
/// was cut.
#[tokio::test]
async fn huge_length_is_not_believed() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nhell";
    let steps = [Step::ReadHead, Step::send(answer), Step::Close];
    let (_server, sliced) = outcome(&steps, false).await;
    assert_eq!(sliced.unwrap_err().kind(), ErrorKind::Truncated);
    let (server, collected) = outcome(&steps, true).await;
    let error = collected.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let text = error.to_string();
    assert!(text.contains("body exceeds 67108864 bytes"), "{text}");
    assert!(text.contains(&origin(&server)), "{text}");
}

#[tokio::test]
async fn broken_chunks_are_refused() {
    use ErrorKind::Protocol;
    let sizes = [
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x5\r\nhello\r\n",
        "\r\n",
        " 5\r\nhello\r\n",
        "5\nhello\r\n",
        "10000000000000000\r\n",
        "ffffffffffffffffffff\r\n",
        "5\rhello",
        "5 5\r\nhello\r\n",
    ];
    let sizes = sizes.map(|body| format!("{CHUNKED}{body}"));
    let ends = ["5\r\nhello!\r\n", "5\r\nhello\n0\r\n\r\n", "2\r\nhello\r\n"];
    let ends = ends.map(|body| format!("{CHUNKED}{body}"));
    let trailers = ["0\r\nx y: z\r\n\r\n", "0\r\n\n", "0\r\n: z\r\n\r\n"];
    let trailers = trailers.map(|body| format!("{CHUNKED}{body}"));
    let mut cases = Vec::new();
    cases.extend(
        sizes
            .iter()
            .map(|it| (it.as_str(), Protocol, "chunk size is malformed")),
    );
    cases.extend(
        ends.iter()
            .map(|it| (it.as_str(), Protocol, "not followed by CRLF")),
    );
    cases.extend(
        trailers
            .iter()
            .map(|it| (it.as_str(), Protocol, "trailer section")),
    );
    refused(Phase::Receive, Step::Stall, &cases).await;
}

/// What never ends is cut off at its limit, in whatever part of the answer.
#[tokio::test]
async fn endless_parts_are_cut_off() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let cases = [
        (
            Phase::Wait,
            "HTTP/1.1 200 OK\r\n",
            "a: b\r\n",
            "response head exceeds",
        ),
        (
            Phase::Wait,
            "HTTP/1.1 200 OK\r\nx: ",
            "aaaaaaaa",
            "response head exceeds",
        ),
        (
            Phase::Wait,
            "HTTP/1.1 200 ",
            "aaaaaaaa",
            "response head exceeds",
        ),
        (Phase::Wait, interim, interim, "interim responses"),
        (Phase::Receive, CHUNKED, "0", "chunk size"),
        (Phase::Receive, "5;", "aaaaaaaa", "chunk extensions"),
        (Phase::Receive, "5", " \t", "chunk size"),
        (Phase::Receive, "0\r\nx: ", "aaaaaaaa", "trailer section"),
        (Phase::Receive, "0\r\n", "a: b\r\n", "trailer section"),
    ];
    for (phase, start, flood, message) in cases {
        let start = match phase {
            Phase::Receive if start != CHUNKED => format!("{CHUNKED}{start}"),
            _ => start.to_owned(),
        };
        let steps = [
            Step::ReadHead,
            Step::send(start),
            Step::Flood(flood.repeat(512).into_bytes()),
        ];
        for collect in [false, true] {
            let (server, outcome) = outcome(&steps, collect).await;
            let error = outcome.unwrap_err();
            let kind = error.kind();
            let known = [ErrorKind::TooLarge, ErrorKind::Protocol].contains(&kind);
            assert!(known, "{error:?}");
            expect_error(&error, kind, phase, message, origin(&server));
            soon(server.all_closed()).await;
        }
    }
}

#[tokio::test]
async fn extensions_in_small_chunks_are_bounded_in_all() {
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(200));
    let steps = [
        Step::ReadHead,
        Step::send(CHUNKED),
        Step::Flood(chunk.into_bytes()),
    ];
    let (server, outcome) = outcome(&steps, false).await;
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("chunk extensions"), "{error}");
    soon(server.all_closed()).await;
}

/// Any cut of the bytes gives the same body, whatever delimits it.
#[tokio::test]
async fn dribbled_answers_are_the_same() {
    let content = String::from_utf8(vec![b'z'; 300]).unwrap();
    let length = content.len();
    let answers = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{content}"),
        format!("{CHUNKED}12c;x=y\r\n{content}\r\n0\r\n\r\n"),
        format!(
            "{CHUNKED}64\r\n{}\r\n0C8\r\n{}\r\n000\r\nt: u\r\n\r\n",
            &content[..100],
            &content[100..]
        ),
        format!("HTTP/1.0 200 OK\r\n\r\n{content}"),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{content}"),
        format!("HTTP/1.1 103 Hint\r\na: b\r\n\r\nHTTP/1.1 200 OK\nconnection: close\n\n{content}"),
    ];
    for answer in &answers {
        for send in [
            Step::send(answer.as_str()),
            Step::send_split(answer.as_str(), 1),
            Step::send_split(answer.as_str(), 7),
        ] {
            for collect in [false, true] {
                let server = server([Step::ReadHead, send.clone(), Step::Close]);
                let client = TestClient::new();
                let mut response = soon(client.get(server.url("/")).send()).await.unwrap();
                assert_eq!(response.status(), 200);
                assert_eq!(response.header("a"), None, "a field of the interim head");
                let body = if collect {
                    response.bytes().await.unwrap().to_vec()
                } else {
                    let body = read(&mut response).await.unwrap();
                    let trailer = answer.contains("t: u").then_some("u");
                    assert_eq!(response.trailer("t"), trailer);
                    body
                };
                assert_eq!(body, content.as_bytes(), "{answer}");
            }
        }
    }
}

/// 204, 304 and answers to HEAD have no body whatever their fields say; bytes that come all the same
/// are no answer to the next request.
#[tokio::test]
async fn bodies_where_none_may_be_are_not_answers() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let cases = [
        (
            Method::GET,
            "HTTP/1.1 204 No Content\r\ncontent-length: 60\r\n\r\n",
        ),
        (
            Method::GET,
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 60\r\n\r\n",
        ),
        (
            Method::GET,
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            Method::HEAD,
            "HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n",
        ),
        (
            Method::HEAD,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
    ];
    for (method, head) in cases {
        let server = servers(
            [
                Step::ReadHead,
                Step::send(format!("{head}{evil}")),
                Step::Stall,
            ],
            [Step::ReadHead, Step::send(OK)],
        );
        let client = TestClient::new();
        let mut response = client
            .request(method, server.url("/"))
            .send()
            .await
            .unwrap();
        assert!(response.chunk().await.unwrap().is_none(), "{head}");
        drop(response);
        assert_eq!(client.net().open, 0, "kept after surplus bytes: {head}");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_their_connection() {
    let heads = [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 60\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    for head in heads {
        let server = server([
            Step::ReadHead,
            Step::send(head),
            Step::ReadHead,
            Step::send(OK),
        ]);
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(server.connections(), 1, "{head}");
    }
}

/// RFC 9112 section 6.1: chunked wins, and the connection is not trusted any more.
#[tokio::test]
async fn both_framings_cost_the_connection() {
    let both = [
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        "content-length: 2\r\ntransfer-encoding: chunked\r\n",
    ];
    for fields in both {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n5\r\nhello\r\n0\r\n\r\n");
        let server = servers(
            [Step::ReadHead, Step::send(answer), Step::Stall],
            [Step::ReadHead, Step::send(OK)],
        );
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"hello");
        assert_eq!(client.net().open, 0);
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    }
}
