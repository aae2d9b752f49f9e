//! Every fault of a connection or of HTTP/1.1 is a typed outcome, never a wrong or a short body, and
//! the connection is closed afterwards.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use turbohttp::{Body, Bytes, ErrorKind, Method, Phase, StatusCode};
use turbohttp_loopback::pattern;
use turbohttp_loopback::script::{Script, ScriptServer, Signal, Step};

use crate::support::{TestClient, expect_error, poll_times, read, settle, soon};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// A body source of these pieces.
struct Pieces(std::vec::IntoIter<io::Result<Bytes>>);

impl Pieces {
    fn of(pieces: &[&'static [u8]]) -> Pieces {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece)))
            .collect();
        Pieces(pieces.into_iter())
    }
}

impl futures_core::Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<Bytes>>> {
        std::task::Poll::Ready(self.0.next())
    }
}

fn server(steps: impl Into<Vec<Step>>) -> ScriptServer {
    Script::new().accept(steps).start().unwrap()
}

/// Two connections with a script each.
fn servers(first: impl Into<Vec<Step>>, second: impl Into<Vec<Step>>) -> ScriptServer {
    Script::new().accept(first).accept(second).start().unwrap()
}

/// Waits until the server has taken its first connection.
async fn accepted(server: &ScriptServer) {
    while server.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn origin(server: &ScriptServer) -> String {
    server.url("")
}

/// What a GET of `steps` ends with; afterwards the connection is closed.
async fn outcome(
    steps: &[Step],
    collect: bool,
) -> (ScriptServer, turbohttp::Result<(StatusCode, Vec<u8>)>) {
    let server = server(steps);
    let client = TestClient::new();
    let outcome = async {
        let mut response = client.get(server.url("/x")).send().await?;
        let status = response.status();
        let body = if collect {
            response.bytes().await?.to_vec()
        } else {
            read(&mut response).await?
        };
        Ok((status, body))
    };
    let outcome = soon(outcome).await;
    client.audit();
    assert_eq!(client.net().open, 0, "the connection was kept: {outcome:?}");
    (server, outcome)
}

/// Each `answer`, whole and dribbled, read both ways, ends with this error in this phase.
async fn refused(phase: Phase, end: Step, cases: &[(&str, ErrorKind, &str)]) {
    for (answer, kind, message) in cases {
        let sends = [Step::send(*answer), Step::send_split(*answer, 1)];
        for (send, collect) in sends.iter().flat_map(|send| [(send, false), (send, true)]) {
            let steps = [Step::ReadHead, send.clone(), end.clone()];
            let (server, outcome) = outcome(&steps, collect).await;
            let error = match outcome {
                Err(error) => error,
                Ok(answer) => panic!("{answer:?} for {send:?}"),
            };
            expect_error(&error, *kind, phase, message, origin(&server));
            soon(server.all_closed()).await;
        }
    }
}

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

#[tokio::test]
async fn too_many_fields_are_refused() {
    let fields = "a: b\r\n".repeat(129);
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    let case = (answer.as_str(), ErrorKind::TooLarge, "128 fields");
    refused(Phase::Wait, Step::Stall, &[case]).await;
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

#[tokio::test]
async fn surplus_bytes_with_an_answer_close_the_connection() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    for first in [OK.to_owned(), format!("{CHUNKED}2\r\nok\r\n0\r\n\r\n")] {
        for surplus in ["x", evil] {
            let server = servers(
                [
                    Step::ReadHead,
                    Step::send(format!("{first}{surplus}")),
                    Step::Stall,
                ],
                [Step::ReadHead, Step::send(OK)],
            );
            let client = TestClient::new();
            assert_eq!(client.body_of(&server.url("/1")).await, b"ok");
            assert_eq!(client.net().open, 0, "{surplus}");
            assert_eq!(client.body_of(&server.url("/2")).await, b"ok");
            assert_eq!(server.connections(), 2);
        }
    }
}

/// RFC 9112 section 9.2, advisory class 19: what arrives on an idle connection is nobody's answer.
#[tokio::test]
async fn surplus_bytes_on_an_idle_connection_close_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = TestClient::new();
    let mut peers = Vec::new();
    for round in 0..3 {
        // Every request needs a connection of its own, as the former one has been poisoned.
        let (body, mut peer) = tokio::join!(client.body_of(&url), async {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            assert!(peer.read(&mut head).await.unwrap() > 0);
            peer.write_all(OK.as_bytes()).await.unwrap();
            peer
        });
        assert_eq!(body, b"ok");
        assert_eq!(client.net().idle, 1, "round {round}");
        let evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
        peer.write_all(evil).await.unwrap();
        peers.push(peer);
        settle().await;
    }
    assert_eq!(client.net().opened, 3);
    assert_eq!(
        client.net().replayed,
        0,
        "the bytes were not noticed before sending"
    );
}

#[tokio::test]
async fn half_closed_connection_is_not_used_again() {
    let server = servers(
        [Step::ReadHead, Step::send(OK), Step::HalfClose, Step::Stall],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    // The end may come with the answer or later: in either case this request, which may be sent once
    // only, is answered on a connection of its own, or fails without being sent twice.
    settle().await;
    let second = client.post(server.url("/")).body("x").send().await;
    match second {
        Ok(mut response) => assert_eq!(read(&mut response).await.unwrap(), b"ok"),
        Err(error) => assert!(
            matches!(error.kind(), ErrorKind::Io | ErrorKind::Truncated),
            "{error:?}"
        ),
    }
    assert_eq!(client.net().replayed, 0);
}

#[tokio::test]
async fn connection_closed_by_the_server_while_idle_is_not_used() {
    let server = servers(
        [Step::ReadHead, Step::send(OK), Step::Close],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    soon(server.all_closed()).await;
    settle().await;
    let mut response = client.post(server.url("/")).body("x").send().await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    assert_eq!(client.net().replayed, 0);
    assert_eq!(server.connections(), 2);
}

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

#[tokio::test]
async fn reset_is_an_error_wherever_it_comes() {
    let cases = [
        ("", Phase::Wait),
        ("HTTP/1.1 200 OK\r\nconte", Phase::Wait),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            Phase::Receive,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
            Phase::Receive,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf",
            Phase::Receive,
        ),
    ];
    for (answer, phase) in cases {
        for collect in [false, true] {
            let steps = [Step::ReadHead, Step::send(answer), Step::Reset];
            let (server, outcome) = outcome(&steps, collect).await;
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
            // The reset can overtake what was sent before it.
            assert!(
                [phase, Phase::Wait].contains(&error.phase().unwrap()),
                "{error:?}"
            );
            assert!(error.to_string().contains(&origin(&server)), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
    }
}

#[tokio::test]
async fn reset_during_an_upload_is_an_error() {
    let server = server([Step::ReadHead, Step::ReadExact(10_000), Step::Reset]);
    let client = TestClient::new();
    let upload = client.post(server.url("/")).body(vec![7; 64 << 20]).send();
    let error = soon(upload).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    assert!(error.to_string().contains(&origin(&server)), "{error}");
    assert_eq!(client.net().open, 0);
}

#[tokio::test]
async fn early_answer_stops_the_upload() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let server = servers(
        [Step::ReadHead, Step::send(refusal), Step::ReadToEnd],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    let body = Body::from_stream(Endless, Some(u64::MAX));
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(&mut response).await.unwrap(), b"big");
    drop(response);
    assert_eq!(client.net().open, 0, "an unfinished upload was kept");
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
}

/// As before, but with bytes, of which the stream takes no more.
#[tokio::test]
async fn early_answer_to_bytes_stops_the_upload() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let server = server([Step::ReadHead, Step::send(refusal), Step::Deaf]);
    let client = TestClient::new();
    let body = vec![7; 64 << 20];
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(&mut response).await.unwrap(), b"big");
    drop(response);
    assert_eq!(client.net().open, 0);
}

/// A source without end.
struct Endless;

impl futures_core::Stream for Endless {
    type Item = io::Result<Bytes>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<Bytes>>> {
        std::task::Poll::Ready(Some(Ok(Bytes::from_static(&[7; 16 * 1024]))))
    }
}

#[tokio::test]
async fn early_answer_stops_an_endless_stream() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let server = server([Step::ReadHead, Step::send(refusal), Step::ReadToEnd]);
    let client = TestClient::new();
    let body = Body::from_stream(Endless, None);
    let mut response = soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(&mut response).await.unwrap(), b"big");
    drop(response);
    assert_eq!(client.net().open, 0);
    soon(server.all_closed()).await;
}

/// A server that answers once and does this then. A test that stops the clock before its second
/// request has a connection already: nothing but the server's silence takes time.
async fn warm(then: impl IntoIterator<Item = Step>) -> ScriptServer {
    server(
        [Step::ReadHead, Step::send(OK)]
            .into_iter()
            .chain(then)
            .collect::<Vec<_>>(),
    )
}

#[tokio::test]
async fn silent_server_costs_the_head_timeout() {
    for part in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let server = warm([Step::ReadHead, Step::send(part), Step::Stall]).await;
        let client = TestClient::timeouts(|timeouts| timeouts.head(Duration::from_secs(7)));
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        let error = client.get(server.url("/")).send().await.unwrap_err();
        let message = "waiting for the response head took longer than 7s";
        expect_error(
            &error,
            ErrorKind::Timeout,
            Phase::Wait,
            message,
            origin(&server),
        );
        assert!(error.is_timeout() && !error.is_retryable());
        let took = start.elapsed();
        assert!(
            took >= Duration::from_secs(7) && took < Duration::from_millis(7_010),
            "{took:?}"
        );
        assert!(error.timeline().unwrap().duration(Phase::Wait) >= Duration::from_secs(7));
        client.audit();
        assert_eq!(client.net().open, 0);
        tokio::time::resume();
        soon(server.all_closed()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn server_that_never_answers_a_first_request_costs_the_head_timeout() {
    let server = server([Step::Stall]);
    let client = TestClient::new();
    let error = client.get(server.url("/")).send().await.unwrap_err();
    let message = "waiting for the response head took longer than 30s";
    expect_error(
        &error,
        ErrorKind::Timeout,
        Phase::Wait,
        message,
        origin(&server),
    );
}

#[tokio::test]
async fn silence_in_the_body_costs_the_body_timeout() {
    let parts = [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf",
    ];
    for part in parts {
        for collect in [false, true] {
            let server = server([Step::ReadHead, Step::send(part), Step::Stall]);
            let client = TestClient::timeouts(|timeouts| timeouts.body(Duration::from_secs(3)));
            let mut response = client.get(server.url("/")).send().await.unwrap();
            tokio::time::pause();
            let error = if collect {
                response.bytes().await.unwrap_err()
            } else {
                assert_eq!(response.chunk().await.unwrap().unwrap(), b"half");
                read(&mut response).await.unwrap_err()
            };
            let message = "waiting for more of the body took longer than 3s";
            expect_error(
                &error,
                ErrorKind::Timeout,
                Phase::Receive,
                message,
                origin(&server),
            );
            assert_eq!(
                client.net().open,
                0,
                "a response that failed holds its connection"
            );
            tokio::time::resume();
            soon(server.all_closed()).await;
        }
    }
}

/// The time a caller takes between two reads is not the server's.
#[tokio::test]
async fn slow_caller_does_not_cost_the_body_timeout() {
    for collect in [false, true] {
        let go = Signal::new();
        let server = server([
            Step::ReadHead,
            Step::send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf"),
            Step::Await(go.clone()),
            Step::send("full"),
        ]);
        let client = TestClient::new();
        let mut response = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), b"half");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(100)).await;
        tokio::time::resume();
        assert!(
            poll_times(response.chunk(), 1).await.is_none(),
            "a timeout without a wait"
        );
        go.set();
        let rest = match collect {
            true => response.bytes().await.unwrap().to_vec(),
            false => read(&mut response).await.unwrap(),
        };
        assert_eq!(rest, b"full");
    }
}

/// The deadline of the request holds in every phase, whatever the phase's own limit is.
#[tokio::test]
async fn request_timeout_covers_every_phase() {
    let limit = Duration::from_secs(5);
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    let cases = [
        (vec![Step::ReadHead, Step::Stall], 0, Phase::Wait),
        (vec![Step::ReadHead, Step::Deaf], 64 << 20, Phase::Send),
        (
            vec![Step::ReadHead, Step::send(half), Step::Stall],
            0,
            Phase::Receive,
        ),
    ];
    for (steps, body_bytes, phase) in cases {
        for per_request in [false, true] {
            let server = warm(steps.clone()).await;
            let client = TestClient::timeouts(|timeouts| match per_request {
                true => timeouts,
                false => timeouts.request(limit),
            });
            assert_eq!(client.body_of(&server.url("/")).await, b"ok");
            let mut request = client.post(server.url("/")).body(vec![7; body_bytes]);
            if per_request {
                request = request.timeout(limit);
            }
            let error = if phase == Phase::Receive {
                let mut response = request.send().await.unwrap();
                tokio::time::pause();
                read(&mut response).await.unwrap_err()
            } else {
                tokio::time::pause();
                request.send().await.unwrap_err()
            };
            let message = "the request took longer than";
            expect_error(&error, ErrorKind::Timeout, phase, message, origin(&server));
            assert_eq!(client.net().open, 0);
            tokio::time::resume();
        }
    }
}

#[tokio::test]
async fn server_that_never_reads_costs_the_write_timeout() {
    let sources: [fn() -> Body; 3] = [
        || Body::from(vec![7; 64 << 20]),
        || Body::from_stream(Endless, None),
        || Body::from_stream(Endless, Some(u64::MAX)),
    ];
    for source in sources {
        let server = warm([Step::ReadHead, Step::Deaf]).await;
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        tokio::time::pause();
        let upload = client.post(server.url("/")).body(source()).send();
        let error = upload.await.unwrap_err();
        let message = "a write of the request took longer than 30s";
        expect_error(
            &error,
            ErrorKind::Timeout,
            Phase::Send,
            message,
            origin(&server),
        );
        assert_eq!(client.net().open, 0);
        tokio::time::resume();
    }
}

/// A source that gives one piece and then nothing, for ever.
struct Dry(bool);

impl futures_core::Stream for Dry {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<Bytes>>> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(Some(Ok(Bytes::from_static(b"piece"))))
    }
}

#[tokio::test]
async fn source_that_runs_dry_costs_the_write_timeout() {
    let server = warm([Step::Stall]).await;
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    tokio::time::pause();
    let body = Body::from_stream(Dry(false), None);
    let error = client
        .post(server.url("/"))
        .body(body)
        .send()
        .await
        .unwrap_err();
    let message = "a write of the request took longer than 30s";
    expect_error(
        &error,
        ErrorKind::Timeout,
        Phase::Send,
        message,
        origin(&server),
    );
    tokio::time::resume();
    soon(server.all_closed()).await;
    let received = String::from_utf8(server.received()[0].clone()).unwrap();
    assert!(
        received.ends_with("5\r\npiece\r\n"),
        "gathered pieces must not wait: {received}"
    );
}

#[tokio::test]
async fn source_that_fails_or_miscounts_is_the_callers_error() {
    let failing = || {
        let pieces = vec![Ok(Bytes::from_static(b"ab")), Err(io::Error::other("disk"))];
        Pieces(pieces.into_iter())
    };
    let cases: [(Body, &str); 4] = [
        (
            Body::from_stream(failing(), None),
            "source of the request body failed",
        ),
        (
            Body::from_stream(failing(), Some(9)),
            "source of the request body failed",
        ),
        (
            Body::from_stream(Pieces::of(&[b"abc", b"de"]), Some(4)),
            "announced with 4 bytes and gave 5",
        ),
        (
            Body::from_stream(Pieces::of(&[b"abc"]), Some(4)),
            "announced with 4 bytes and gave 3",
        ),
    ];
    for (body, message) in cases {
        let server = server([Step::Stall]);
        let client = TestClient::new();
        let error = soon(client.put(server.url("/")).body(body).send())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains(&origin(&server)), "{error}");
        assert_eq!(
            client.net().open,
            0,
            "half a request was left on a connection"
        );
        soon(accepted(&server)).await;
        soon(server.all_closed()).await;
        // Nothing that looks like the end of a body was sent.
        let received = String::from_utf8(server.received()[0].clone()).unwrap();
        assert!(
            !received.contains("0\r\n\r\n") || received.contains("content-length"),
            "{received}"
        );
        assert!(!received.ends_with("abcde"), "{received}");
    }
}

#[tokio::test]
async fn streamed_bodies_arrive_whole() {
    let server = turbohttp_loopback::Server::start(turbohttp_loopback::Options::default()).unwrap();
    let client = TestClient::new();
    let content = pattern(300_000);
    let reader = || io::Cursor::new(pattern(300_000));
    let bodies = [
        (Body::from_reader(reader(), None), content.clone()),
        (Body::from_reader(reader(), Some(300_000)), content.clone()),
        (Body::from(content.clone()), content.clone()),
        (
            Body::from_stream(Pieces::of(&[b"a", b"", b"bc"]), None),
            b"abc".to_vec(),
        ),
        (
            Body::from_stream(Pieces::of(&[b"a", b"", b"bc"]), Some(3)),
            b"abc".to_vec(),
        ),
        (Body::from_stream(Pieces::of(&[]), None), Vec::new()),
        (Body::from_stream(Pieces::of(&[]), Some(0)), Vec::new()),
    ];
    for (body, expected) in bodies {
        let mut response = client
            .post(server.url("/echo"))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert!(read(&mut response).await.unwrap() == expected);
    }
    assert_eq!(
        client.net().opened,
        1,
        "complete uploads keep their connection"
    );
}

const EXPECT: &[u8] = b"expect: 100-continue\r\n";

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn body_waits_for_100_continue() {
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    for body in [
        Body::from("body"),
        Body::from_stream(Pieces::of(&[b"bo", b"dy"]), Some(4)),
    ] {
        let server = server([
            Step::ReadHead,
            Step::send("HTTP/1.1 102 Processing\r\n\r\n"),
            Step::send(proceed),
            Step::ReadExact(4),
            Step::send(OK),
            Step::ReadHead,
            Step::send(OK),
        ]);
        let client = TestClient::new();
        let request = client.post(server.url("/")).body(body).expect_continue();
        let mut response = soon(request.send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        let received = &server.received()[0];
        assert!(contains(received, EXPECT) && contains(received, b"\r\n\r\nbody"));
        assert_eq!(server.connections(), 1);
    }
}

/// RFC 9110 section 10.1.1: a client does not wait for ever.
#[tokio::test]
async fn body_is_sent_after_a_wait_without_100_continue() {
    let server = warm([Step::ReadHead, Step::ReadExact(4), Step::Stall]).await;
    let client = TestClient::new();
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    tokio::time::pause();
    let request = client.post(server.url("/")).body("body").expect_continue();
    let error = request.send().await.unwrap_err();
    let message = "waiting for the response head took longer than 30s";
    expect_error(
        &error,
        ErrorKind::Timeout,
        Phase::Wait,
        message,
        origin(&server),
    );
    let sending = error.timeline().unwrap().duration(Phase::Send);
    assert!(
        sending >= Duration::from_secs(1),
        "the body did not wait: {sending:?}"
    );
    tokio::time::resume();
    soon(server.all_closed()).await;
    assert!(server.received()[0].ends_with(b"\r\n\r\nbody"));
}

#[tokio::test]
async fn final_answer_instead_of_100_continue_keeps_the_body_back() {
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
    let server = servers(
        [Step::ReadHead, Step::send(refusal), Step::ReadToEnd],
        [Step::ReadHead, Step::send(OK)],
    );
    let client = TestClient::new();
    let request = client.post(server.url("/")).body("body").expect_continue();
    let mut response = soon(request.send()).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(read(&mut response).await.unwrap(), b"no");
    drop(response);
    assert_eq!(
        client.net().open,
        0,
        "the server may still wait for the body"
    );
    assert_eq!(client.body_of(&server.url("/")).await, b"ok");
    assert!(server.received()[0].ends_with(b"\r\n\r\n"));
}

#[tokio::test]
async fn dropped_response_costs_its_connection_unless_it_was_whole() {
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", false),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwholeX", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole", true),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
            true,
        ),
    ];
    for (answer, is_whole) in cases {
        let server = servers(
            [
                Step::ReadHead,
                Step::send(answer),
                Step::ReadHead,
                Step::send(OK),
            ],
            [Step::ReadHead, Step::send(OK)],
        );
        let client = TestClient::new();
        let response = client.get(server.url("/")).send().await.unwrap();
        drop(response);
        client.audit();
        assert_eq!(client.net().idle, u64::from(is_whole), "{answer}");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(
            server.connections(),
            if is_whole { 1 } else { 2 },
            "{answer}"
        );
    }
}

#[tokio::test]
async fn connection_the_server_ends_by_its_fields_is_not_kept() {
    let cases = [
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            2,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok",
            2,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 2),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
            1,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
            1,
        ),
    ];
    for (answer, connections) in cases {
        let server = servers(
            [
                Step::ReadHead,
                Step::send(answer),
                Step::ReadHead,
                Step::send(OK),
            ],
            [Step::ReadHead, Step::send(OK)],
        );
        let client = TestClient::new();
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(client.body_of(&server.url("/")).await, b"ok");
        assert_eq!(server.connections(), connections, "{answer}");
    }
}

/// A port on which nobody listens.
fn refusing() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn refused_connection_is_an_error_at_once() {
    let at = refusing();
    let client = TestClient::new();
    let error = client
        .post(format!("http://{at}/"))
        .body("x")
        .send()
        .await
        .unwrap_err();
    let message = format!("no connection to {at}");
    expect_error(
        &error,
        ErrorKind::Connect,
        Phase::Connect,
        &message,
        format!("http://{at}"),
    );
    assert!(error.is_retryable(), "nothing was sent");
    assert_eq!(client.net().opened, 0);
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn next_address_is_tried_when_one_refuses() {
    let server = server([Step::ReadHead, Step::send(OK)]);
    let addresses = [refusing(), refusing(), server.addr()];
    let client = TestClient::with(|builder| builder.resolve("Many.test", addresses));
    assert_eq!(client.body_of("http://many.test/").await, b"ok");
    let head = String::from_utf8(server.received()[0].clone()).unwrap();
    assert!(head.contains("\r\nhost: many.test\r\n"), "{head}");
}

#[tokio::test]
async fn error_when_every_address_refuses() {
    let addresses = [refusing(), refusing()];
    let client = TestClient::with(|builder| builder.resolve("many.test", addresses));
    let error = client.get("http://many.test/").send().await.unwrap_err();
    let message = format!("no connection to {} or 1 more", addresses[0]);
    expect_error(
        &error,
        ErrorKind::Connect,
        Phase::Connect,
        &message,
        "http://many.test",
    );
}

#[tokio::test]
async fn name_without_an_address_is_an_error() {
    let nobody: [std::net::SocketAddr; 0] = [];
    let client = TestClient::with(|builder| builder.resolve("nobody.test", nobody));
    let error = client.get("http://nobody.test/").send().await.unwrap_err();
    expect_error(
        &error,
        ErrorKind::Connect,
        Phase::Connect,
        "no address",
        "http://nobody.test",
    );
    // A label longer than DNS allows: the resolver refuses it without asking anybody.
    let host = format!("{}.test", "a".repeat(64));
    let error = client
        .get(format!("http://{host}/"))
        .send()
        .await
        .unwrap_err();
    let at = format!("http://{host}");
    expect_error(&error, ErrorKind::Dns, Phase::Dns, "no address for", at);
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn names_are_resolved_by_the_system() {
    let server = server([Step::ReadHead, Step::send(OK)]);
    let client = TestClient::new();
    let url = format!("http://localhost:{}/", server.addr().port());
    let mut response = client.get(url).send().await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    assert!(
        response
            .timeline()
            .spans()
            .any(|span| span.phase == Phase::Dns)
    );
}

/// A listener whose queue is full: the system answers no further connect.
#[cfg(target_os = "linux")]
struct BlackHole {
    addr: std::net::SocketAddr,
    _held: Vec<socket2::Socket>,
}

#[cfg(target_os = "linux")]
impl BlackHole {
    fn new() -> BlackHole {
        use socket2::{Domain, Socket, Type};
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut held = vec![listener];
        for _ in 0..4 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&addr);
            held.push(socket);
        }
        BlackHole {
            addr: addr.as_socket().unwrap(),
            _held: held,
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn connect_that_nobody_answers_costs_the_connect_timeout() {
    let hole = BlackHole::new();
    let client = TestClient::new();
    let start = tokio::time::Instant::now();
    let error = client
        .get(format!("http://{}/", hole.addr))
        .send()
        .await
        .unwrap_err();
    let at = format!("http://{}", hole.addr);
    let message = "connecting took longer than 10s";
    expect_error(&error, ErrorKind::Timeout, Phase::Connect, message, at);
    assert!(error.is_retryable(), "nothing was sent");
    assert!(start.elapsed() < Duration::from_millis(10_010));
    assert_eq!(client.net().opened, 0);
    let request = client.get(format!("http://{}/", hole.addr));
    let error = request
        .timeout(Duration::from_secs(2))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Connect))
    );
    assert!(
        error
            .to_string()
            .contains("the request took longer than 2s"),
        "{error}"
    );
}

/// RFC 8305 section 5: the second address has its turn although the first has not failed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn address_that_nobody_answers_does_not_hold_up_the_next() {
    let hole = BlackHole::new();
    let server = server([Step::ReadHead, Step::send(OK)]);
    let addresses = [hole.addr, server.addr()];
    let client = TestClient::with(|builder| builder.resolve("many.test", addresses));
    assert_eq!(client.body_of("http://many.test/").await, b"ok");
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
