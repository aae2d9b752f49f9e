//! Answers that come before their requests have ended, content that waits for a word, trailers and interim
//! heads, frame by frame.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use turbohttp::{Body, Client, ErrorKind, Phase, StatusCode, Timeouts};
use turbohttp_loopback::pattern;
use turbohttp_loopback::script::{Script, ScriptServer, Step, frames};

use super::ground::{answer, builder, client, greeting, idles, run};

/// A server whose first answer is plain, so that its settings are known; then come these steps.
fn script(settings: &[(u16, u32)], steps: impl IntoIterator<Item = Step>) -> ScriptServer {
    let mut all = greeting(settings);
    all.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(answer(1, "first")),
    ]);
    all.extend(steps);
    Script::new().accept(all).start().unwrap()
}

async fn first(client: &Client, server: &ScriptServer) {
    let response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "first");
}

fn head(stream: u32, status: &str, flags: u8) -> Vec<u8> {
    let block = frames::block(&[(":status", status)]);
    frames::headers(stream, frames::END_HEADERS | flags, &block)
}

/// Answers PINGs, so that a request that was given up costs nothing.
fn pong() -> Step {
    Step::Repeat(vec![
        Step::read_frame(frames::PING),
        Step::answer(|ping| frames::ping(true, ping.payload[..].try_into().unwrap())),
    ])
}

/// Content without an end.
fn endless() -> Body {
    let pieces = stream::repeat(()).map(|()| Ok(Bytes::from_static(&[7; 4_000])));
    Body::from_stream(pieces, None)
}

/// The frames of one kind on a stream, as far as the server has read.
fn seen(server: &ScriptServer, kind: u8, stream: u32) -> Vec<frames::Frame> {
    let seen = server.frames().swap_remove(0);
    let of = |frame: &frames::Frame| frame.kind == kind && frame.stream == stream;
    seen.into_iter().filter(of).collect()
}

#[test]
fn an_error_status_ends_an_upload() {
    let refused = [
        head(3, "413", 0),
        frames::data(3, frames::END_STREAM, b"too much"),
    ];
    let server = script(
        &[],
        [
            Step::ReadFrame(frames::DATA, Some(3)),
            Step::send(refused.concat()),
            Step::ReadFrame(frames::RST_STREAM, Some(3)),
            Step::read_frame(frames::HEADERS),
            Step::send(answer(5, "next")),
            Step::Stall,
        ],
    );
    run(async {
        let client = client();
        first(&client, &server).await;
        let request = client.post(server.url("/")).body(endless());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(response.text().await.unwrap(), "too much");
        let next = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(next.text().await.unwrap(), "next");
        idles(&client).await;
    });
}

#[test]
fn an_answer_that_wants_no_more_of_the_content_is_whole() {
    // RFC 9113 section 8.1: the answer is complete, and RST_STREAM with NO_ERROR stops the upload.
    for status in ["200", "404"] {
        let bytes = [
            head(3, status, 0),
            frames::data(3, frames::END_STREAM, b"enough"),
            frames::rst(3, 0),
        ];
        let server = script(
            &[],
            [
                Step::ReadFrame(frames::DATA, Some(3)),
                Step::send(bytes.concat()),
                Step::Stall,
            ],
        );
        run(async {
            let client = client();
            first(&client, &server).await;
            let response = client
                .post(server.url("/"))
                .body(endless())
                .send()
                .await
                .unwrap();
            assert_eq!(response.text().await.unwrap(), "enough", "{status}");
            idles(&client).await;
        });
    }
}

#[test]
fn a_success_in_the_middle_of_an_upload_is_read_beside_it() {
    let server = script(
        &[(frames::INITIAL_WINDOW_SIZE, 10_000)],
        [
            Step::ReadFrame(frames::DATA, Some(3)),
            Step::send([head(3, "200", 0), frames::data(3, 0, b"so far so good ")].concat()),
            Step::send(frames::window_update(3, 100_000)),
            Step::read_until(|frame| frame.kind == frames::DATA && frame.has(frames::END_STREAM)),
            Step::send(frames::data(3, frames::END_STREAM, b"and thanks")),
            Step::Stall,
        ],
    );
    run(async {
        let client = client();
        first(&client, &server).await;
        let request = client.post(server.url("/")).body(pattern(60_000));
        let response = request.send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "so far so good and thanks");
        idles(&client).await;
    });
    let data = seen(&server, frames::DATA, 3);
    let sent: Vec<u8> = data.into_iter().flat_map(|frame| frame.payload).collect();
    assert_eq!(sent, pattern(60_000));
}

#[test]
fn content_waits_for_100_and_is_not_sent_after_an_error() {
    let server = script(
        &[],
        [
            Step::ReadFrame(frames::HEADERS, Some(3)),
            Step::send(head(3, "100", 0)),
            Step::read_until(|frame| frame.kind == frames::DATA && frame.has(frames::END_STREAM)),
            Step::send(answer(3, "went on")),
            Step::ReadFrame(frames::HEADERS, Some(5)),
            Step::send(
                [
                    head(5, "401", 0),
                    frames::data(5, frames::END_STREAM, b"no"),
                ]
                .concat(),
            ),
            Step::Stall,
        ],
    );
    run(async {
        let client = client();
        first(&client, &server).await;
        for (status, text) in [(200, "went on"), (401, "no")] {
            let request = client
                .post(server.url("/"))
                .body("content")
                .expect_continue();
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(response.text().await.unwrap(), text);
        }
        idles(&client).await;
        // What was cut is said: CANCEL behind the error.
        while seen(&server, frames::RST_STREAM, 5).is_empty() {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(seen(&server, frames::DATA, 3).len(), 1);
    assert!(seen(&server, frames::DATA, 5).is_empty());
}

#[test]
fn content_goes_without_100_in_the_end() {
    let server = script(
        &[],
        [
            Step::read_until(|frame| frame.kind == frames::DATA && frame.has(frames::END_STREAM)),
            Step::send(answer(3, "late")),
            Step::Stall,
        ],
    );
    run(async {
        let client = client();
        first(&client, &server).await;
        let request = client
            .post(server.url("/"))
            .body("content")
            .expect_continue();
        let response = request.send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "late");
    });
}

#[test]
fn trailers_go_both_ways() {
    let fields = frames::block(&[("x-sum", "42")]);
    let both = frames::END_HEADERS | frames::END_STREAM;
    let server = script(
        &[],
        [
            Step::ReadFrame(frames::HEADERS, Some(3)),
            Step::read_until(|frame| {
                frame.kind == frames::HEADERS && frame.has(frames::END_STREAM)
            }),
            Step::send(
                [
                    head(3, "103", 0),
                    head(3, "200", 0),
                    frames::data(3, 0, b"body"),
                ]
                .concat(),
            ),
            Step::send(frames::headers(3, both, &fields)),
            Step::Stall,
        ],
    );
    run(async {
        let client = client();
        first(&client, &server).await;
        let mut trailers = turbohttp::HeaderMap::new();
        trailers.insert("x-mine", "41".parse().unwrap());
        let pieces = stream::iter([Ok(Bytes::from_static(b"content"))]);
        let body = Body::from_stream(pieces, None)
            .with_trailers(trailers)
            .unwrap();
        let mut response = client
            .post(server.url("/"))
            .body(body)
            .send()
            .await
            .unwrap();
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            content.extend_from_slice(chunk);
        }
        assert_eq!(content, b"body");
        assert_eq!(response.trailer("x-sum"), Some("42"));
        drop(response);
        idles(&client).await;
    });
    let sent = seen(&server, frames::HEADERS, 3);
    assert_eq!(sent.len(), 2);
    let text = String::from_utf8_lossy(&sent[1].payload).into_owned();
    assert!(text.contains("x-mine") && text.contains("41"), "{text}");
}

/// What is wrong with an upload, and what its error says; the connection goes on.
#[test]
fn content_that_is_not_what_was_announced_fails_its_own_request_alone() {
    let server = script(&[], [pong()]);
    run(async {
        let client = client();
        first(&client, &server).await;
        for (pieces, said) in [(1, "gave 4"), (3, "gave 12")] {
            let pieces = (0..pieces).map(|_| Ok(Bytes::from_static(b"four")));
            let body = Body::from_stream(stream::iter(pieces), Some(8));
            let error = client
                .post(server.url("/"))
                .body(body)
                .send()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::RequestBody);
            assert!(error.to_string().contains(said), "{error}");
        }
        let broken = stream::iter([Err(std::io::Error::other("disk on fire"))]);
        let request = client
            .post(server.url("/"))
            .body(Body::from_stream(broken, None));
        let error = request.send().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::RequestBody, Some(Phase::Send))
        );
        drop(error);
        idles(&client).await;
        assert_eq!(client.stats().net.unwrap().opened, 1);
        // Of the third one the server has seen nothing.
        assert!(seen(&server, frames::HEADERS, 7).is_empty());
        for stream in [3, 5] {
            while seen(&server, frames::RST_STREAM, stream).is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(
                seen(&server, frames::RST_STREAM, stream)[0].number(0),
                Some(8)
            );
        }
    });
}

#[test]
fn each_time_limit_has_its_phase_and_says_what_was_waited_for() {
    let server = script(&[(frames::INITIAL_WINDOW_SIZE, 1_000)], [pong()]);
    // Long enough for the first exchange of each client, which has the same limits.
    let short = Duration::from_secs(1);
    let table = [
        (
            Timeouts::default().head(short),
            false,
            Phase::Wait,
            "the response head",
        ),
        (
            Timeouts::default().body(short),
            true,
            Phase::Send,
            "a write of the request",
        ),
        (
            Timeouts::default().request(short),
            false,
            Phase::Wait,
            "the request",
        ),
        (
            Timeouts::default().request(short),
            true,
            Phase::Send,
            "the request",
        ),
    ];
    for (timeouts, is_upload, phase, said) in table {
        let server = match server.connections() {
            0 => &server,
            _ => &script(&[(frames::INITIAL_WINDOW_SIZE, 1_000)], [pong()]),
        };
        run(async {
            let client = builder().timeouts(timeouts).build().unwrap();
            first(&client, server).await;
            let request = match is_upload {
                true => client.post(server.url("/")).body(pattern(60_000)),
                false => client.get(server.url("/")),
            };
            let error = request.send().await.unwrap_err();
            assert_eq!(
                (error.kind(), error.phase()),
                (ErrorKind::Timeout, Some(phase)),
                "{error}"
            );
            let text = error.to_string();
            assert!(text.contains(said) && text.contains("1s"), "{text}");
            assert!(error.timeline().unwrap().duration(phase) >= short);
            drop(error);
            idles(&client).await;
        });
    }
}

/// What a server sends on stream 3, the kind of the error, and what it says.
#[test]
fn what_a_server_breaks_is_said() {
    let pairs: [(Vec<u8>, ErrorKind, &str); 8] = [
        (
            frames::data(3, 0, b"early"),
            ErrorKind::Protocol,
            "DATA before HEADERS",
        ),
        (head(3, "101", 0), ErrorKind::Protocol, "101"),
        (head(3, "99", 0), ErrorKind::Protocol, "status"),
        (frames::rst(3, 2), ErrorKind::Io, "INTERNAL_ERROR"),
        (frames::rst(3, 11), ErrorKind::Io, "ENHANCE_YOUR_CALM"),
        (
            frames::raw(frames::PING, 0, 0, b"short"),
            ErrorKind::Protocol,
            "PING",
        ),
        (frames::data(0, 0, b"?"), ErrorKind::Protocol, "DATA"),
        (
            frames::headers(3, frames::END_HEADERS, &[0xff; 9]),
            ErrorKind::Protocol,
            "field block",
        ),
    ];
    for (bytes, kind, said) in pairs {
        let server = script(
            &[],
            [
                Step::ReadFrame(frames::HEADERS, Some(3)),
                Step::send(bytes),
                pong(),
            ],
        );
        run(async {
            let client = client();
            first(&client, &server).await;
            let error = client
                .post(server.url("/"))
                .body("x")
                .send()
                .await
                .unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(said), "{said}: {error}");
            assert!(error.origin().is_some() && error.timeline().is_some());
            drop(error);
            idles(&client).await;
        });
    }
}

/// The server takes a part of an upload, and then fails in one of these ways.
#[test]
fn a_failure_beside_an_upload_has_the_phase_of_sending() {
    let goaway = || frames::goaway(1, 0xb, b"enough");
    let failures: [(Vec<Step>, ErrorKind, Phase); 5] = [
        (vec![Step::Close], ErrorKind::Io, Phase::Send),
        (
            vec![Step::send(frames::rst(1, 2))],
            ErrorKind::Io,
            Phase::Send,
        ),
        (
            vec![Step::send(goaway()), Step::Close],
            ErrorKind::Io,
            Phase::Send,
        ),
        // What is wrong is not the sending.
        (
            vec![Step::send(frames::data(1, 0, b"x"))],
            ErrorKind::Protocol,
            Phase::Wait,
        ),
        (
            vec![Step::send(frames::data(0, 0, b"x"))],
            ErrorKind::Protocol,
            Phase::Wait,
        ),
    ];
    for (failure, kind, phase) in failures {
        let mut steps = greeting(&[(frames::INITIAL_WINDOW_SIZE, 1_000)]);
        steps.push(Step::read_frame(frames::DATA));
        steps.extend(failure);
        let server = Script::new().accept(steps).start().unwrap();
        run(async {
            let sending = client()
                .post(server.url("/"))
                .body(vec![b'x'; 100_000])
                .send();
            let error = sending.await.unwrap_err();
            assert_eq!(
                (error.kind(), error.phase()),
                (kind, Some(phase)),
                "{error}"
            );
        });
    }
}
