//! Heads: those that are no HTTP, those that mean two things, and odd ones that are sound.

use turbohttp::{ErrorKind, Phase};
use turbohttp_loopback::script::Step;

use super::{OK, refused, server};
use crate::support::{TestClient, read};

#[tokio::test]
async fn heads_that_are_no_http_are_refused() {
    use ErrorKind::Protocol;
    let line = "status line is malformed";
    refused(
        Phase::Wait,
        Step::Stall,
        &[
            (
                "SSH-2.0-OpenSSH\r\n",
                Protocol,
                "does not begin with HTTP/1.",
            ),
            (
                "\x16\x03\x03\x00\x02",
                Protocol,
                "does not begin with HTTP/1.",
            ),
            (
                "HTTP/2.0 200 OK\r\n\r\n",
                Protocol,
                "does not begin with HTTP/1.",
            ),
            ("HTTP/1.1 20 OK\r\n\r\n", Protocol, line),
            ("HTTP/1.1 2000 OK\r\n\r\n", Protocol, line),
            ("HTTP/1.1 abc OK\r\n\r\n", Protocol, line),
            ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", Protocol, "field name"),
            ("HTTP/1.1 200 OK\r\na : c\r\n\r\n", Protocol, "field name"),
            ("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", Protocol, "field value"),
            (
                "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
                Protocol,
                "field value",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn lengths_that_mean_two_things_are_refused() {
    use ErrorKind::Protocol;
    let lengths = [
        "5, 5",
        "5,6",
        "+5",
        "-5",
        "0x5",
        "5 5",
        "",
        "five",
        "1e1",
        "18446744073709551616",
        "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    ];
    let answers: Vec<String> = lengths
        .iter()
        .map(|length| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nhello"))
        .chain([
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        ])
        .collect();
    let cases: Vec<_> = answers
        .iter()
        .map(|answer| (answer.as_str(), Protocol, "Content-Length"))
        .collect();
    refused(Phase::Wait, Step::Stall, &cases).await;
}

#[tokio::test]
async fn transfer_codings_that_are_not_one_chunked_are_refused() {
    let heads = [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    ];
    let cases = heads.map(|head| (head, ErrorKind::Protocol, "Transfer-Encoding"));
    refused(Phase::Wait, Step::Stall, &cases).await;
}

#[tokio::test]
async fn upgrade_that_was_not_asked_for_is_refused() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let case = (answer, ErrorKind::Protocol, "101 Switching Protocols");
    refused(Phase::Wait, Step::Stall, &[case]).await;
}

#[tokio::test]
async fn connection_that_ends_in_the_head_is_an_error() {
    use ErrorKind::Truncated;
    refused(
        Phase::Wait,
        Step::Close,
        &[
            (
                "",
                Truncated,
                "connection ended 0 bytes into the response head",
            ),
            ("HTTP/1.1 2", Truncated, "connection ended 10 bytes into"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
                Truncated,
                "36 bytes into",
            ),
            // The interim head was consumed: of the final one nothing has come.
            (
                "HTTP/1.1 100 Continue\r\n\r\n",
                Truncated,
                "connection ended 0 bytes",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn too_many_fields_are_refused() {
    let fields = "a: b\r\n".repeat(129);
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    let case = (answer.as_str(), ErrorKind::TooLarge, "128 fields");
    refused(Phase::Wait, Step::Stall, &[case]).await;
}

#[tokio::test]
async fn interim_heads_come_before_the_answer() {
    let answer = format!(
        "HTTP/1.1 100 Continue\r\nx: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n{OK}"
    );
    let steps = [
        Step::ReadHead,
        Step::send(answer),
        Step::ReadHead,
        Step::send(OK),
    ];
    let server = server(steps);
    let client = TestClient::new();
    let mut response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.fields().count(), 1, "{response:?}");
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    assert_eq!(client.net().opened, 1);
}

/// Answers of HTTP/1.0, with no framing at all, and line ends of LF only, as old servers give them.
#[tokio::test]
async fn odd_but_sound_answers_are_read() {
    let cases: [(&str, &[u8]); 5] = [
        ("HTTP/1.0 200 OK\r\n\r\nold", b"old"),
        ("HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx", b"x"),
        ("HTTP/1.1 200 OK\ncontent-length: 1\n\nx", b"x"),
        ("HTTP/1.1 200 OK\r\nCONTENT-LENGTH:1\r\n\r\nx", b"x"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            b"x",
        ),
    ];
    for (answer, expected) in cases {
        let steps = [Step::ReadHead, Step::send(answer), Step::Close];
        let server = server(steps);
        assert_eq!(
            TestClient::new().body_of(&server.url("/")).await,
            expected,
            "{answer}"
        );
    }
}
